# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Where a drone is, seen from the target at the map's origin: by odometry, or by TF."""

from __future__ import annotations

import importlib
import math
from typing import Any, Protocol

from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.time import Time

from swarm_ledger.errors import Misuse
from swarm_ledger.nodes.convert import millis
from swarm_ledger.nodes.frames import MAP
from swarm_ledger.nodes.qos import SENSOR
from swarm_ledger.nodes.tables.perception import ODOM, TF

Where = tuple[float, float]
"""Bearing from the target, radians counter-clockwise from east, and distance, metres."""

UNMEASURED: Where = (math.nan, math.nan)

_FRESH_MS = 1_000


class Whereabouts(Protocol):
    """Tells where the drone is, or was."""

    def at(self, header: Any) -> Where:
        """Return where it was when an image with that header was taken, or UNMEASURED."""


def whereabouts(node: Node, position: str) -> Whereabouts:
    """Begin to follow where the drone is; Misuse for TF where tf2_ros isn't installed."""
    if position == TF:
        return _ByTf(node)
    return _ByOdometry(node) if position == ODOM else _Nowhere()


def seen_from_target(x: float, y: float, z: float) -> Where:
    """Return bearing and distance of a place in the map, UNMEASURED for one that is none."""
    if not all(map(math.isfinite, (x, y, z))):
        return UNMEASURED
    return math.atan2(y, x), math.hypot(x, y, z)


class _Nowhere:
    def at(self, header: Any) -> Where:
        return UNMEASURED


class _ByOdometry:
    """By odometry in the map, or in a frame that lies where the map does."""

    def __init__(self, node: Node) -> None:
        self._node, self._last = node, Odometry()
        node.create_subscription(Odometry, "odom", self._on_odometry, SENSOR)

    def _on_odometry(self, message: Odometry) -> None:
        self._last = message

    def at(self, header: Any) -> Where:
        """Return where it was by the last odometry, if that is of about the same time."""
        apart = abs(millis(header.stamp) - millis(self._last.header.stamp))
        if apart > _FRESH_MS:
            return UNMEASURED
        place = self._last.pose.pose.position
        return seen_from_target(place.x, place.y, place.z)


class _ByTf:
    def __init__(self, node: Node) -> None:
        try:
            tf2_ros = importlib.import_module("tf2_ros")
        except ImportError as error:
            raise Misuse(
                "position is tf, and tf2_ros isn't installed here.",
                remedy="Install ros-$ROS_DISTRO-tf2-ros-py, or take position odom.",
            ) from error
        self._buffer = tf2_ros.Buffer(node=node)
        self._listener = tf2_ros.TransformListener(self._buffer, node)
        self._error = tf2_ros.TransformException

    def at(self, header: Any) -> Where:
        """Return where the image's frame was."""
        try:
            found = self._buffer.lookup_transform(
                MAP, header.frame_id, Time.from_msg(header.stamp)
            )
        except self._error:
            return UNMEASURED
        place = found.transform.translation
        return seen_from_target(place.x, place.y, place.z)
