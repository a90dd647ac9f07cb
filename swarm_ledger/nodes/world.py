# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The built-in world as a node: a camera and odometry for each drone of a fleet."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path

from nav_msgs.msg import Odometry
from rclpy.node import Node
from sensor_msgs.msg import Image

from swarm_ledger.errors import Misuse
from swarm_ledger.nodes.convert import image_message
from swarm_ledger.nodes.declaring import declare
from swarm_ledger.nodes.process import run
from swarm_ledger.nodes.qos import SENSOR
from swarm_ledger.nodes.tables.world import TABLE
from swarm_ledger.runtime.fleet import Fleet
from swarm_ledger.sim.camera import render
from swarm_ledger.sim.eyes import FRAME_MS
from swarm_ledger.sim.world import World


class WorldNode(Node):
    """Publishes <drone>/camera/image and <drone>/odom at 10 Hz, drone by drone in turn.

    Parameter fleet: the fleet file, which must have a world.
    """

    def __init__(self) -> None:
        super().__init__("world")
        fleet = Fleet.load(Path(declare(self, TABLE).text("fleet")))
        if fleet.file.world is None:
            raise Misuse("the fleet file has no world.")
        self._names = [entry.name for entry in fleet.file.drones]
        self._world = World.create(
            fleet.file.world.target, len(self._names), fleet.file.world.seed
        )
        self._cameras = [
            self.create_publisher(Image, f"/{name}/camera/image", SENSOR) for name in self._names
        ]
        self._odometry = [
            self.create_publisher(Odometry, f"/{name}/odom", SENSOR) for name in self._names
        ]
        self._turn = 0
        self._start = self.get_clock().now()
        self.create_timer(FRAME_MS / 1000 / len(self._names), self._on_turn)

    def _on_turn(self) -> None:
        index = self._turn % len(self._names)
        self._turn += 1
        name, now = self._names[index], self.get_clock().now()
        t = max(0.0, (now - self._start).nanoseconds / 1e9)
        pose = self._world.pose(index + 1, t)
        odometry = Odometry(child_frame_id=f"{name}/base_link")
        odometry.header.stamp, odometry.header.frame_id = now.to_msg(), "map"
        at = odometry.pose.pose
        at.position.x, at.position.y, at.position.z = pose.x, pose.y, pose.z
        at.orientation.z, at.orientation.w = math.sin(pose.yaw / 2), math.cos(pose.yaw / 2)
        self._odometry[index].publish(odometry)
        if self._cameras[index].get_subscription_count():
            image = render(self._world, index + 1, t)
            self._cameras[index].publish(image_message(image, f"{name}/camera", now.to_msg()))


def make() -> Sequence[Node]:
    """Return the world's node."""
    return (WorldNode(),)


def main() -> None:
    """Run the world until Ctrl-C."""
    sys.exit(run(make))


if __name__ == "__main__":
    main()
