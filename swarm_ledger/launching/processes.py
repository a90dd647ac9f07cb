# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Processes of nodes as our launch files start them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch import LaunchDescriptionEntity
from launch.actions import ExecuteProcess, LogInfo, RegisterEventHandler
from launch.event_handlers import OnProcessIO
from launch.events.process import ProcessIO
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from swarm_ledger.errors import Misuse
from swarm_ledger.launching.arguments import Given
from swarm_ledger.sim.events import PARENT, parse_line

PACKAGE = "swarm_ledger"

Values: TypeAlias = Mapping[str, "bool | int | float | str | list[str]"]

_PATIENCE_S = "20"

SPOKEN = tuple(
    f"/swarm/{topic}" for topic in ("decisions", "checkpoints", "questions", "signed", "envelopes")
)
OWN = ("odom", "observation", "status")
IMAGES = "camera/image"

TOLD = ("decision", "flight")
"""The events of nodes that a launch tells."""


def process(
    executable: str,
    parameters: Values,
    given: Given,
    *,
    name: str = "",
    namespace: str = "",
    environment: Mapping[str, str] | None = None,
    files: Sequence[Path] = (),
    **more: Any,
) -> Node:
    """Return a process of ours; a list without anything in it is left out: ROS has no such list.

    name: what the console calls it, the executable's name otherwise. It is not given to nodes: all
    of the process would have it. files: parameter files, which come before `parameters`. more: as
    launch_ros.actions.Node has it.
    """
    typed = {
        key: ParameterValue(value, value_type=str) if isinstance(value, str) else value
        for key, value in parameters.items()
        if value != []
    }
    if namespace:
        more["namespace"] = f"/{namespace}"
    return Node(
        package=PACKAGE,
        executable=executable,
        exec_name=name or executable,
        parameters=[*map(str, files), typed],
        additional_env={**_environment(given), **(environment or {})},
        sigterm_timeout=_PATIENCE_S,  # on a busy machine, DDS alone takes seconds to leave
        sigkill_timeout=_PATIENCE_S,
        **more,
    )


def _environment(given: Given) -> dict[str, str]:
    # One thread each: the drones' numpy would otherwise contend for every core.
    threads = {"OMP_NUM_THREADS": "1"}
    if given.debugged:
        return threads
    return {**threads, PARENT: str(os.getpid())}  # they end with us, even if we are killed


def tell_events() -> RegisterEventHandler:
    """Return what prints each decision as each drone has it, and what drones fly."""
    return RegisterEventHandler(OnProcessIO(on_stdout=told))


def told(output: ProcessIO) -> list[LaunchDescriptionEntity]:
    """Return what to print of a node's events."""
    events = filter(None, map(parse_line, output.text.splitlines()))
    return [
        LogInfo(msg=f"{event.drone}: {event.fields['text']}")
        for event in events
        if event.event in TOLD
    ]


def rviz(given: Given, *, sim_time: bool = False) -> LaunchDescriptionEntity:
    """Return RViz with our view of a swarm; Misuse where it isn't installed."""
    require("rviz2", f"apt install ros-{_distro()}-rviz2, or leave rviz:=true out")
    return Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", str(share() / "config" / "swarm.rviz")],
        parameters=[{"use_sim_time": sim_time}],
    )


def spoken(names: Sequence[str]) -> list[str]:
    """Return the topics on which these drones say what a bag's audit checks."""
    return [*SPOKEN, *(f"/swarm/inbox/{name}" for name in names)]


def bag(
    folder: Path, names: Sequence[str], fleet: Path, given: Given, *, sim_time: bool = False
) -> LaunchDescriptionEntity:
    """Return what records these drones to a new bag folder in MCAP: rosbag2, or our recorder.

    rosbag2 asks each topic's publishers for their QoS, so latched topics stay latched; a topic
    that nobody publishes yet is taken up later. It takes all images; our recorder those that
    drones judged, for which nothing has to be rendered or sent that wasn't anyway.
    """
    topics = spoken(names) + [f"/{name}/{topic}" for name in names for topic in OWN]
    if has("ros2bag") and has("rosbag2_storage_mcap"):
        clock = ["--use-sim-time"] if sim_time else []
        topics += [f"/{name}/{IMAGES}" for name in names]
        named = ["--topics"] if _distro() not in ("humble", "iron") else []
        return ExecuteProcess(
            cmd=[
                "ros2",
                "bag",
                "record",
                "-s",
                "mcap",
                "-o",
                str(folder),
                *clock,
                *named,
                *topics,
            ],
            name="recorder",
        )
    parameters: Values = {
        "bag": str(folder),
        "topics": topics,
        "images": True,
        "fleet": str(fleet),
        "use_sim_time": sim_time,
    }
    return process("recorder", parameters, given)


def has(package: str) -> bool:
    """Whether a ROS package is installed."""
    try:
        get_package_prefix(package)
    except PackageNotFoundError:
        return False
    return True


def require(package: str, remedy: str) -> None:
    """Raise Misuse where a ROS package isn't installed."""
    if not has(package):
        raise Misuse(f"the ROS package {package} is not installed.", remedy=f"{remedy}.")


def share() -> Path:
    """Return where our launch files, models and configuration are installed."""
    return Path(get_package_prefix(PACKAGE)) / "share" / PACKAGE


def _distro() -> str:
    return os.environ.get("ROS_DISTRO", "jazzy")
