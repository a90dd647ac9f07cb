# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A drone's relay, and with receive:=true its receiver of what the others say.

    ros2 launch swarm_ledger relay.launch.py fleet:=RUN/fleet.yaml drone:=drone_1 \
        topics:=camera/image batched:=odom,imu radio_domain:=42

Where the fleet file says what drones `sign`, drone.launch.py has a relay in the drone's process.
"""

from __future__ import annotations

from launch import LaunchDescription, LaunchDescriptionEntity

from swarm_ledger.launching import Given, argument, describe, flag, process

ARGUMENTS = [
    argument("fleet", "Path of the fleet file."),
    argument("drone", "Name of this drone in the fleet file."),
    argument("topics", "Topics to sign one by one, with commas between.", ""),
    argument("batched", "Topics to sign by windows, with commas between.", ""),
    argument("window_ms", "Length of a window, ms.", "50"),
    argument("anchor_ms", "How often to anchor, ms; 0: never.", "30000"),
    argument("radio_domain", "ROS domain of the signed topic; -1: the drone's own.", "-1"),
    flag("begin_session", "Begin the drone's sessions: only where no drone node runs."),
    flag("receive", "Start a receiver as well."),
]


def start(given: Given) -> list[LaunchDescriptionEntity]:
    """Return the relay, and the receiver if it is wanted, in the drone's namespace."""
    common = {
        "fleet": given.text("fleet"),
        "drone": given.text("drone"),
        "radio_domain": given.whole("radio_domain"),
    }
    relay = {
        **common,
        "topics": given.words("topics"),
        "batched": given.words("batched"),
        "window_ms": given.whole("window_ms"),
        "anchor_ms": given.whole("anchor_ms"),
        "begin_session": given.flag("begin_session"),
    }
    wanted = {"secure_relay": relay}
    if given.flag("receive"):
        wanted["secure_receiver"] = common
    return [
        process(executable, parameters, given, namespace=given.text("drone"))
        for executable, parameters in wanted.items()
    ]


def generate_launch_description() -> LaunchDescription:
    return describe(ARGUMENTS, start)
