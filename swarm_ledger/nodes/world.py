# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The built-in world as a node: a camera and odometry for each drone of a fleet."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.time import Time
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import Image

from swarm_ledger.behaviour import Place
from swarm_ledger.errors import Misuse
from swarm_ledger.nodes.convert import image_message
from swarm_ledger.nodes.declaring import declare
from swarm_ledger.nodes.frames import MAP, Frames, base_frame, camera_frame
from swarm_ledger.nodes.places import command, odometry
from swarm_ledger.nodes.process import run
from swarm_ledger.nodes.qos import CLOCK, COMMANDS, SENSOR
from swarm_ledger.nodes.tables.world import TABLE
from swarm_ledger.runtime.fleet import Fleet
from swarm_ledger.sim.airspace import Airspace
from swarm_ledger.sim.camera import render
from swarm_ledger.sim.eyes import FRAME_MS
from swarm_ledger.sim.world import World

_CLOCK_S = 0.02


class WorldNode(Node):
    """Publishes <drone>/camera/image and <drone>/odom at 10 Hz, drone by drone in turn.

    A drone circles until somebody publishes <drone>/cmd_vel, and is flown by that from then on.
    Parameters: fleet, the fleet file, which must have a world; drive_clock.
    """

    def __init__(self, **node_arguments: Any) -> None:
        super().__init__("world", **node_arguments)
        given = declare(self, TABLE)
        fleet = Fleet.load(Path(given.text("fleet")))
        if fleet.file.world is None:
            raise Misuse("the fleet file has no world.")
        self._names = [entry.name for entry in fleet.file.drones]
        self._world = World.create(
            fleet.file.world.target, len(self._names), fleet.file.world.seed
        )
        self._air = Airspace(self._world)
        self._cameras = [
            self.create_publisher(Image, f"/{name}/camera/image", SENSOR) for name in self._names
        ]
        self._odometry = [
            self.create_publisher(Odometry, f"/{name}/odom", SENSOR) for name in self._names
        ]
        for number, name in enumerate(self._names, start=1):
            heard = partial(self._on_command, number)
            self.create_subscription(Twist, f"/{name}/cmd_vel", heard, COMMANDS)
        self._frames = Frames(self)
        if given.flag("drive_clock"):
            self._drive_clock()
        self._turn = 0
        self._start: Time | None = None
        self.create_timer(FRAME_MS / 1000 / len(self._names), self._on_turn)

    def _drive_clock(self) -> None:
        """Be the clock of all that use_sim_time, ourselves included: seconds from 0 on."""
        self.set_parameters([Parameter("use_sim_time", Parameter.Type.BOOL, True)])
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        begun, ticks = steady.now(), self.create_publisher(ClockMessage, "/clock", CLOCK)

        def tick() -> None:
            passed = (steady.now() - begun).nanoseconds
            ticks.publish(ClockMessage(clock=Time(nanoseconds=passed).to_msg()))

        self.create_timer(_CLOCK_S, tick, clock=steady)

    def _elapsed(self, now: Time) -> float:
        """Return seconds since the flight began; it begins anew when time goes back."""
        if self._start is None or now.nanoseconds < self._start.nanoseconds:
            self._start = now
        return float((now - self._start).nanoseconds) / 1e9

    def _on_command(self, number: int, message: Twist) -> None:
        now = self.get_clock().now()
        if now.nanoseconds and not self._air.command(number, command(message), self._elapsed(now)):
            name = self._names[number - 1]
            self.get_logger().warning(
                f"{name}/cmd_vel has numbers that are not finite.", throttle_duration_sec=5.0
            )

    def _on_turn(self) -> None:
        now = self.get_clock().now()
        if not now.nanoseconds:
            return  # simulated time has not begun
        index = self._turn % len(self._names)
        self._turn += 1
        name = self._names[index]
        t = self._elapsed(now)
        pose = self._air.pose(index + 1, t)
        at = Place(pose.x, pose.y, pose.z, pose.yaw)
        velocity, stamp = self._air.velocity(index + 1), now.to_msg()
        moved = odometry(at, velocity, stamp, MAP, base_frame(name))
        self._odometry[index].publish(moved)
        if self._turn <= len(self._names):
            self._frames.mount(name, stamp)
        self._frames.place(name, moved.pose.pose, stamp)
        if self._cameras[index].get_subscription_count():
            image = render(self._world, index + 1, t, self._air.flown(index + 1))
            self._cameras[index].publish(image_message(image, camera_frame(name), stamp))


def make() -> Sequence[Node]:
    """Return the world's node."""
    return (WorldNode(),)


def main() -> None:
    """Run the world until Ctrl-C."""
    sys.exit(run(make))


if __name__ == "__main__":
    main()
