# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A mission in Gazebo: quadrotors with cameras, a target, and the swarm that looks at it.

    ros2 launch swarm_ledger gazebo.launch.py drones:=4 target:=rubin_vase headless:=true

Needs ros_gz_sim and ros_gz_bridge. Pilots take the drones up and around the target; once all are
there, the drones' own processes start, and with them the question. Ctrl-C ends it, and so does
Gazebo when it is closed.
"""

from __future__ import annotations

from pathlib import Path

import yaml
from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription, LaunchDescriptionEntity
from launch.actions import (
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
    TimerAction,
)
from launch.event_handlers import OnProcessIO
from launch.events.process import ProcessIO
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import Node

from swarm_ledger.launching import Given, argument, describe, flag, rviz, tell_events
from swarm_ledger.launching.missions import (
    Prepared,
    check,
    mission,
    mission_arguments,
)
from swarm_ledger.launching.processes import require, share
from swarm_ledger.sim import gazebo
from swarm_ledger.sim.events import parse_line
from swarm_ledger.sim.world import TARGETS

ARGUMENTS = [
    *mission_arguments(gazebo.TARGETS, behaviour=True),
    flag("headless", "No window; cameras render all the same, where EGL can."),
    argument("world", "World file (SDF); if empty, ours.", ""),
    argument(
        "wait", "Seconds until drones start though not all pilots hold their places yet.", "90"
    ),
]


PLACE = ("-x", "-y", "-z", "-Y")


class Gathering:
    """Starts what waits for all drones to be in their places, once."""

    def __init__(self, names: list[str], then: list[LaunchDescriptionEntity]) -> None:
        self._missing, self._then = set(names), then

    def hear(self, output: ProcessIO) -> list[LaunchDescriptionEntity]:
        """Take note of what pilots tell."""
        for event in filter(None, map(parse_line, output.text.splitlines())):
            if event.event == "flight" and event.fields.get("text") == "holding":
                self._missing.discard(event.drone)
        return [] if self._missing else self.begin()

    def begin(self, *_: object) -> list[LaunchDescriptionEntity]:
        """Return what has waited, the first time."""
        then, self._then = self._then, []
        return then


def spawn(world: str, name: str, sdf: str, *place: float) -> Node:
    """Return what has Gazebo make a model; place: x, y, z in metres and yaw in radians."""
    at = [part for flag, value in zip(PLACE, place, strict=False) for part in (flag, f"{value}")]
    return Node(
        package="ros_gz_sim",
        executable="create",
        exec_name=f"spawn_{name}",
        arguments=["-world", world, "-name", name, "-string", sdf, *at],
    )


def server(world: Path, *, headless: bool) -> IncludeLaunchDescription:
    """Return Gazebo with a world; its end is the launch's."""
    shown = "-s --headless-rendering " if headless else ""
    included = Path(get_package_share_directory("ros_gz_sim")) / "launch" / "gz_sim.launch.py"
    arguments = {"gz_args": f"-r {shown}-v 2 {world}", "on_exit_shutdown": "true"}
    return IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(included)), launch_arguments=arguments.items()
    )


def carry(names: list[str], folder: Path) -> Node:
    """Return the bridge, whose configuration is written to the run folder."""
    configuration = folder / "bridge.yaml"
    configuration.write_text(yaml.safe_dump(gazebo.bridge(names), sort_keys=False))
    return Node(
        package="ros_gz_bridge",
        executable="parameter_bridge",
        exec_name="bridge",
        parameters=[{"config_file": str(configuration)}],
    )


def fly(given: Given) -> list[LaunchDescriptionEntity]:
    """Lay out the run folder, start Gazebo, spawn, bridge, fly."""
    for package in ("ros_gz_sim", "ros_gz_bridge"):
        require(package, "apt install ros-$ROS_DISTRO-ros-gz, or fly in sim.launch.py's world")
    target = check(given, "target", gazebo.TARGETS)
    path = given.path("world") if given.text("world") else share() / "models/worlds/swarm.sdf"
    world, wait = gazebo.world_name(path), given.number("wait")
    shown = [rviz(given, sim_time=True)] if given.flag("rviz") else []
    # What liars deny; of Rubin's figure, which is both, they deny the cup.
    prepared = Prepared(mission(given, target if target in TARGETS else TARGETS[0]), given)
    folder, names = prepared.mission.run_dir, prepared.mission.names()
    places = gazebo.spawn_places(len(names))
    entities = [
        *prepared.begin(),
        tell_events(),
        server(path, headless=given.flag("headless")),
        spawn(world, "target", gazebo.target_sdf(target)),
        *(
            spawn(world, name, gazebo.drone_sdf(name, number), *place)
            for number, (name, place) in enumerate(zip(names, places, strict=True), start=1)
        ),
        carry(names, folder),
        *prepared.pilots(sim_time=True),
        *shown,
    ]
    drones = prepared.drones(sim_time=True)
    if given.flag("behaviour"):
        gathering = Gathering(names, drones)
        entities += [
            RegisterEventHandler(OnProcessIO(on_stdout=gathering.hear)),
            TimerAction(period=wait, actions=[OpaqueFunction(function=gathering.begin)]),
        ]
    else:
        entities += drones
    if given.flag("ground_station"):
        entities.append(prepared.ground_station(sim_time=True))
    if given.flag("record"):
        entities.append(prepared.recorder(sim_time=True))
    return entities


def generate_launch_description() -> LaunchDescription:
    return describe(ARGUMENTS, fly)
