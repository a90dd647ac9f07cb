# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One real drone: the process with all its nodes, by its name in the fleet file.

    ros2 launch swarm_ledger drone.launch.py fleet:=/etc/swarm_ledger/fleet.yaml drone:=drone_1 \
        camera:=/camera/color/image_raw odom:=/mavros/local_position/odom
"""

from __future__ import annotations

from launch import LaunchDescription, LaunchDescriptionEntity

from swarm_ledger.launching import Given, argument, bag, describe, flag, process, tell_events
from swarm_ledger.launching.common import as_given, node_arguments
from swarm_ledger.launching.missions import clock
from swarm_ledger.runtime.fleet import Fleet

ARGUMENTS = [
    argument("fleet", "Path of the fleet file."),
    argument("drone", "Name of this drone in the fleet file."),
    argument("camera", "Topic of its camera's images.", "camera/image"),
    argument("compressed", "Topic of compressed ones.", "camera/image/compressed"),
    argument("odom", "Topic of its odometry, the target at its frame's origin.", "odom"),
    flag("autostart", "Configure and activate the nodes; false: a lifecycle manager does.", True),
    flag("behaviour", "A pilot flies it, and acts on what was decided: it publishes cmd_vel."),
    argument("record", "Bag folder to record to; if empty, nothing is recorded.", ""),
    *node_arguments(),
]
REMAPPED = {"camera": "camera/image", "compressed": "camera/image/compressed", "odom": "odom"}


def fly(given: Given) -> list[LaunchDescriptionEntity]:
    """Start the drone's process, and its pilot if it is to have one."""
    path, name = given.path("fleet"), given.text("drone")
    Fleet.load(path).drone(name)  # what is wrong with either is told before anything starts
    timed = given.flag("use_sim_time")
    who = {
        "fleet": str(path),
        "drone": name,
        "autostart": given.flag("autostart"),
        **clock(timed),
    }
    topics = [(topic, given.text(key)) for key, topic in REMAPPED.items()]
    common = {"namespace": name, "remappings": topics, **as_given(given)}
    entities = [tell_events(), process("drone", who, given, name=name, **common)]
    if given.flag("behaviour"):
        entities.append(process("pilot", who, given, **common))
    if given.text("record"):
        entities.append(bag(given.new("record"), [name], path, given, sim_time=timed))
    return entities


def generate_launch_description() -> LaunchDescription:
    return describe(ARGUMENTS, fly)
