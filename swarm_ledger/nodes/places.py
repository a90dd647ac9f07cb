# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Places and commands as nav_msgs and geometry_msgs have them, and back."""

from __future__ import annotations

import math

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry

from swarm_ledger.behaviour import Command, Place

_UNIT = 0.1  # how far a quaternion's length may be from 1


def place(message: Odometry) -> Place:
    """Return where odometry has a drone; not a number for what is no rotation."""
    at, turned = message.pose.pose.position, message.pose.pose.orientation
    x, y, z, w = turned.x, turned.y, turned.z, turned.w
    length = math.hypot(x, y, z, w)
    yaw = math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    return Place(at.x, at.y, at.z, yaw if abs(length - 1) <= _UNIT else math.nan)


def seconds(stamp: Time) -> float:
    """Return a Time in seconds."""
    return float(stamp.sec) + float(stamp.nanosec) / 1e9


def odometry(
    at: Place, velocity: tuple[float, float, float], stamp: Time, frame: str, child: str
) -> Odometry:
    """Return a place, and a velocity along the frame's axes (m/s), as Odometry."""
    message = Odometry(child_frame_id=child)
    message.header.stamp, message.header.frame_id = stamp, frame
    pose, twist = message.pose.pose, message.twist.twist
    pose.position.x, pose.position.y, pose.position.z = at.x, at.y, at.z
    pose.orientation.z, pose.orientation.w = math.sin(at.yaw / 2), math.cos(at.yaw / 2)
    c, s = math.cos(at.yaw), math.sin(at.yaw)  # a twist is in the child's frame
    twist.linear.x = velocity[0] * c + velocity[1] * s
    twist.linear.y = velocity[1] * c - velocity[0] * s
    twist.linear.z = velocity[2]
    return message


def twist(command: Command) -> Twist:
    """Return a command as a Twist in the drone's own frame."""
    message = Twist()
    linear = message.linear
    linear.x, linear.y, linear.z = command.forward, command.left, command.up
    message.angular.z = command.turn
    return message


def command(message: Twist) -> Command:
    """Return a Twist in the drone's own frame as a command: a multicopter has no more."""
    linear = message.linear
    return Command(linear.x, linear.y, linear.z, message.angular.z)
