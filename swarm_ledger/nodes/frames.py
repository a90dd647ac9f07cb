# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The frames of N drones (REP 105): map -> drone_1/odom -> drone_1/base_link -> drone_1/camera.

On /tf and /tf_static as everybody's are: their names keep drones apart, so nothing is remapped.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from geometry_msgs.msg import Pose, Transform, TransformStamped, Vector3
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile

MAP = "map"

_TF = QoSProfile(depth=100)
_STATIC = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def odom_frame(drone: str) -> str:
    """Return the frame in which a drone's odometry is continuous."""
    return f"{drone}/odom"


def base_frame(drone: str) -> str:
    """Return a drone's own frame: x forward, y left, z up (REP 103)."""
    return f"{drone}/base_link"


def camera_frame(drone: str) -> str:
    """Return the frame of a drone's camera."""
    return f"{drone}/camera"


def transform(parent: str, child: str, stamp: Any, pose: Pose | None = None) -> TransformStamped:
    """Return where a frame is in its parent. stamp: a Time; pose: the same place if left out."""
    found = TransformStamped(child_frame_id=child)
    found.header.stamp, found.header.frame_id = stamp, parent
    if pose is None:
        found.transform.rotation.w = 1.0
    else:
        at = pose.position
        found.transform = Transform(
            translation=Vector3(x=at.x, y=at.y, z=at.z), rotation=pose.orientation
        )
    return found


class Frames:
    """Publishes transforms of one node, where tf2_msgs is installed; where it isn't, it says so.

    available: whether it is.
    """

    def __init__(self, node: Node) -> None:
        self._static: dict[str, TransformStamped] = {}
        self._form: Any = None
        try:
            self._form = importlib.import_module("tf2_msgs.msg").TFMessage
        except ImportError:
            node.get_logger().info("tf2_msgs isn't installed here: nothing is on /tf.")
            return
        self._tf = node.create_publisher(self._form, "/tf", _TF)
        self._tf_static = node.create_publisher(self._form, "/tf_static", _STATIC)

    @property
    def available(self) -> bool:
        """Whether transforms are published."""
        return self._form is not None

    def publish(self, transforms: Sequence[TransformStamped]) -> None:
        """Publish what moves."""
        if self._form is not None:
            self._tf.publish(self._form(transforms=list(transforms)))

    def publish_static(self, transforms: Sequence[TransformStamped]) -> None:
        """Publish what doesn't, with all that was published here before: it is latched."""
        self._static.update({one.child_frame_id: one for one in transforms})
        if self._form is not None:
            self._tf_static.publish(self._form(transforms=list(self._static.values())))

    def place(self, drone: str, pose: Pose, stamp: Any) -> None:
        """Publish where a drone is in the map, by odometry that does not drift: map is odom."""
        self.publish(
            (
                transform(MAP, odom_frame(drone), stamp),
                transform(odom_frame(drone), base_frame(drone), stamp, pose),
            )
        )

    def mount(self, drone: str, stamp: Any, pose: Pose | None = None) -> None:
        """Publish where a drone's camera is on it: in its middle, looking forward, if left out."""
        self.publish_static((transform(base_frame(drone), camera_frame(drone), stamp, pose),))
