# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A mission in the built-in world: one node for the world, one process for each drone.

    ros2 launch swarm_ledger sim.launch.py drones:=7 byzantine:=2 target:=two_faces

It runs until Ctrl-C; a drone that is lost is left to the swarm to cope with, a lost world ends it.
"""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import (
    DeclareLaunchArgument,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
)
from launch.event_handlers import OnProcessIO
from launch.events.process import ProcessIO
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from swarm_ledger.errors import Misuse
from swarm_ledger.runtime.fleet import FLEET
from swarm_ledger.sim.byzantine import ATTACKS
from swarm_ledger.sim.events import PARENT, parse_line
from swarm_ledger.sim.mission import Mission, prepare, utc_now
from swarm_ledger.sim.world import TARGETS

ARGUMENTS = [
    DeclareLaunchArgument("drones", default_value="4", description="How many drones fly; 4-100."),
    DeclareLaunchArgument("byzantine", default_value="1", description="How many of them lie."),
    DeclareLaunchArgument(
        "target", default_value="cup", choices=list(TARGETS), description="What stands there."
    ),
    DeclareLaunchArgument(
        "seed", default_value="0", description="Decides the world, the views and who lies."
    ),
    DeclareLaunchArgument(
        "attack",
        default_value="lie",
        choices=list(ATTACKS),
        description="What liars do besides lying: no more, contradict themselves, say nothing.",
    ),
    DeclareLaunchArgument(
        "allow_unsafe",
        default_value="false",
        choices=["false", "true"],
        description="Accept more liars than PBFT tolerates.",
    ),
    DeclareLaunchArgument(
        "run_dir",
        default_value="",
        description="Where keys, ledgers and proofs go; if empty, a new folder in runs/.",
    ),
]


def mission(given: dict[str, str]) -> Mission:
    """Return the mission that the launch arguments ask for. Misuse if it can't be flown."""
    numbers = {name: _whole(name, given[name]) for name in ("drones", "byzantine", "seed")}
    target = given["target"]
    named = given["run_dir"] or f"runs/{datetime.now():%Y%m%d-%H%M%S-%f}-{target}-{given['seed']}"
    return Mission(
        run_dir=Path(named).expanduser().absolute(),
        target=target,
        attack=given["attack"],
        allow_unsafe=given["allow_unsafe"] == "true",
        transport="ros",
        **numbers,
    )


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Misuse(f"{name}:={text} is not a whole number.") from None


def environment(context: LaunchContext) -> dict[str, str]:
    """Return what the nodes' environment has besides ours."""
    # One thread each: the drones' numpy would otherwise contend for every core.
    threads = {"OMP_NUM_THREADS": "1"}
    if "launch-prefix" in context.launch_configurations:  # a debugger is their parent, not we
        return threads
    return {**threads, PARENT: str(os.getpid())}  # they end with us, even if we are killed


def nodes(fleet: Path, drones: list[str], env: dict[str, str]) -> list[Node]:
    """Return the world and the drones, which all read the same fleet file.

    exec_name is for the console; a name would be given to each of the nodes in a drone's process.
    """
    common = {"package": "swarm_ledger", "additional_env": env}
    path = ParameterValue(str(fleet), value_type=str)
    world = Node(
        executable="world",
        exec_name="world",
        parameters=[{"fleet": path}],
        on_exit=Shutdown(),
        **common,
    )
    swarm = [
        Node(
            executable="drone",
            exec_name=name,
            namespace=f"/{name}",
            parameters=[{"fleet": path, "drone": ParameterValue(name, value_type=str)}],
            **common,
        )
        for name in drones
    ]
    return [world, *swarm]


def fly(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Lay out the run folder and start the nodes; what is wrong ends the launch in a sentence."""
    given = {name: context.launch_configurations[name] for name in (a.name for a in ARGUMENTS)}
    try:
        flown = mission(given)
        prepare(flown, now=utc_now())
    except Misuse as error:
        # Remedies name the options of the command line, which here are arguments.
        advice = re.sub(r"--([a-z-]+)", lambda option: option[1].replace("-", "_"), error.remedy)
        raise RuntimeError(f"{error.what} {advice}".strip()) from None
    return [
        LogInfo(msg=f"keys, ledgers and roster are in {flown.run_dir}"),
        RegisterEventHandler(OnProcessIO(on_stdout=tell)),
        *nodes(flown.run_dir / FLEET, flown.names(), environment(context)),
    ]


def tell(output: ProcessIO) -> list[LaunchDescriptionEntity]:
    """Return what to print of a node's events: each decision as each drone has it."""
    events = filter(None, map(parse_line, output.text.splitlines()))
    return [
        LogInfo(msg=f"{event.drone}: {event.fields['text']}")
        for event in events
        if event.event == "decision"
    ]


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=fly)])
