# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A drone's relay, and with receive:=true its receiver of what the others say.

    ros2 launch swarm_ledger relay.launch.py fleet:=RUN/fleet.yaml drone:=drone_1 \
        topics:=camera/image batched:=odom,imu radio_domain:=42
"""

from __future__ import annotations

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

ARGUMENTS = [
    DeclareLaunchArgument("fleet", description="Path of the fleet file."),
    DeclareLaunchArgument("drone", description="Name of this drone in the fleet file."),
    DeclareLaunchArgument(
        "topics", default_value="", description="Topics to sign one by one, with commas between."
    ),
    DeclareLaunchArgument(
        "batched", default_value="", description="Topics to sign by windows, with commas between."
    ),
    DeclareLaunchArgument("window_ms", default_value="50", description="Length of a window, ms."),
    DeclareLaunchArgument(
        "anchor_ms", default_value="30000", description="How often to anchor, ms; 0: never."
    ),
    DeclareLaunchArgument(
        "radio_domain",
        default_value="-1",
        description="ROS domain of the signed topic; -1: the drone's own.",
    ),
    DeclareLaunchArgument(
        "begin_session",
        default_value="false",
        choices=["false", "true"],
        description="Begin the drone's sessions: only where no drone node runs.",
    ),
    DeclareLaunchArgument(
        "receive",
        default_value="false",
        choices=["false", "true"],
        description="Start a receiver as well.",
    ),
]


def nodes(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Return the relay, and the receiver if it is wanted, in the drone's namespace."""
    given = {one.name: context.launch_configurations[one.name] for one in ARGUMENTS}
    common = {
        "fleet": ParameterValue(given["fleet"], value_type=str),
        "drone": ParameterValue(given["drone"], value_type=str),
        "radio_domain": int(given["radio_domain"]),
    }
    lists = {
        name: [one.strip() for one in given[name].split(",")]
        for name in ("topics", "batched")
        if given[name]
    }
    relay = {
        **common,
        **lists,
        "window_ms": int(given["window_ms"]),
        "anchor_ms": int(given["anchor_ms"]),
        "begin_session": given["begin_session"] == "true",
    }
    wanted = {"secure_relay": relay}
    if given["receive"] == "true":
        wanted["secure_receiver"] = common
    return [
        Node(
            package="swarm_ledger",
            executable=executable,
            exec_name=executable,
            namespace=f"/{given['drone']}",
            parameters=[parameters],
        )
        for executable, parameters in wanted.items()
    ]


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=nodes)])
