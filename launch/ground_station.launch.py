# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The operator's side: /swarm/decide, and what was decided, verified from root.json alone.

    ros2 launch swarm_ledger ground_station.launch.py fleet:=swarm/fleet.yaml \
        operator:=file:operator_1/key.pem operator_name:=operator_1
"""

from __future__ import annotations

from launch import LaunchDescription, LaunchDescriptionEntity

from swarm_ledger.launching import Given, argument, describe, flag, process, rviz
from swarm_ledger.launching.common import as_given, node_arguments
from swarm_ledger.launching.missions import clock
from swarm_ledger.runtime.fleet import Fleet

ARGUMENTS = [
    argument("fleet", "Path of the fleet file."),
    argument("operator", "URI of an operator's key; if empty, it only follows.", ""),
    argument("operator_name", "Whose key that has to be, by the roster; if empty, anybody's.", ""),
    argument("state", "Folder for what it remembers; if empty, one beside the fleet file.", ""),
    flag("autostart", "Configure and activate the node; false: a lifecycle manager does.", True),
    flag("rviz", "Show the swarm in RViz."),
    *node_arguments(),
]


def start(given: Given) -> list[LaunchDescriptionEntity]:
    """Start the ground station."""
    path, timed = given.path("fleet"), given.flag("use_sim_time")
    Fleet.load(path)  # what is wrong with it is told before anything starts
    parameters = {
        "fleet": str(path),
        "operator": given.text("operator"),
        "operator_name": given.text("operator_name"),
        "state": str(given.new("state")) if given.text("state") else "",
        "autostart": given.flag("autostart"),
        **clock(timed),
    }
    shown = [rviz(given, sim_time=timed)] if given.flag("rviz") else []
    return [process("ground_station", parameters, given, **as_given(given)), *shown]


def generate_launch_description() -> LaunchDescription:
    return describe(ARGUMENTS, start)
