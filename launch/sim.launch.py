# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A mission in the built-in world: one node for the world, one process for each drone.

    ros2 launch swarm_ledger sim.launch.py drones:=7 byzantine:=2 target:=two_faces behaviour:=true

It runs until Ctrl-C; a drone that is lost is left to the swarm to cope with, a lost world ends it.
"""

from __future__ import annotations

from launch import LaunchDescription, LaunchDescriptionEntity
from launch.actions import Shutdown

from swarm_ledger.launching import Given, describe, flag, process, rviz, tell_events
from swarm_ledger.launching.missions import (
    Prepared,
    check,
    mission,
    mission_arguments,
)
from swarm_ledger.sim.world import TARGETS

ARGUMENTS = [
    *mission_arguments(TARGETS),
    flag("sim_time", "The world is the clock, from 0 on as Gazebo's, and all follow it."),
]


def fly(given: Given) -> list[LaunchDescriptionEntity]:
    """Lay out the run folder and start the nodes, which all read the same fleet file."""
    flown = mission(given, check(given, "target", TARGETS))
    timed, shown = given.flag("sim_time"), []
    if given.flag("rviz"):  # before anything is laid out: it may not be installed
        shown.append(rviz(given, sim_time=timed))
    prepared = Prepared(flown, given)
    world = {"fleet": str(prepared.fleet), "drive_clock": timed}
    entities = [
        *prepared.begin(),
        tell_events(),
        process("world", world, given, on_exit=Shutdown()),
        *prepared.drones(sim_time=timed),
        *prepared.pilots(sim_time=timed),
        *shown,
    ]
    if given.flag("ground_station"):
        entities.append(prepared.ground_station(sim_time=timed))
    if given.flag("record"):
        entities.append(prepared.recorder(sim_time=timed))
    return entities


def generate_launch_description() -> LaunchDescription:
    return describe(ARGUMENTS, fly)
