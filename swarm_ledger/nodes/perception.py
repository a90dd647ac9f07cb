# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The perception node: images in, looks out, while somebody wants them."""

from __future__ import annotations

import math
from collections.abc import Callable

from nav_msgs.msg import Odometry
from rclpy.node import Node
from sensor_msgs.msg import Image

from swarm_ledger.encoding import digest
from swarm_ledger.errors import Misuse
from swarm_ledger.nodes.convert import millis, pixels
from swarm_ledger.nodes.qos import SENSOR
from swarm_ledger.perception import Classifier
from swarm_ledger.runtime.voter import Look


class PerceptionNode(Node):
    """Judges `camera/image`, with where the drone is from `odom` (target at the map's origin).

    wanted: whether a look would help now; on_look: receives each.
    """

    def __init__(
        self, classifier: Classifier, wanted: Callable[[], bool], on_look: Callable[[Look], None]
    ) -> None:
        super().__init__("perception")
        self._classifier, self._wanted, self._on_look = classifier, wanted, on_look
        self._where: tuple[float, float] | None = None
        self.create_subscription(Odometry, "odom", self._on_odometry, SENSOR)
        self.create_subscription(Image, "camera/image", self._on_image, SENSOR)

    def _on_odometry(self, message: Odometry) -> None:
        at = message.pose.pose.position
        self._where = math.atan2(at.y, at.x), math.hypot(at.x, at.y, at.z)

    def _on_image(self, message: Image) -> None:
        stamp_ms = millis(message.header.stamp)
        if self._where is None or not stamp_ms or not self._wanted():
            return
        try:
            image = pixels(message)
            perceived = self._classifier.classify(image)
        except Misuse as error:
            self.get_logger().error(error.explain(), throttle_duration_sec=5.0)
            return
        bearing, distance = self._where
        self._on_look(Look(perceived, stamp_ms, digest(image.tobytes()), bearing, distance))
