# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""player: publishes a bag into ROS 2, byte by byte as it was recorded."""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import rclpy
from builtin_interfaces.msg import Time
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import InvalidTopicNameException
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock as ClockMessage

from swarm_ledger.bags.form import CDR, Channel
from swarm_ledger.bags.playing import Playback, parse_remaps
from swarm_ledger.bags.qos import parse_qos
from swarm_ledger.errors import Misuse
from swarm_ledger.nodes.declaring import declare
from swarm_ledger.nodes.process import run
from swarm_ledger.nodes.publishing import publish
from swarm_ledger.nodes.signed import message_class
from swarm_ledger.nodes.tables.player import TABLE

_TICK_S = 0.005
_CLOCK_NS = 25_000_000
_LINGER_NS = 500_000_000
"""What was published last must have time to arrive."""
_CLOCK = "/clock"


class PlayerNode(Node):
    """Publishes what is due; pauses by its parameter `paused`, or by the space bar; see TABLE.

    Time is steady, never the clock that it publishes itself.
    """

    def __init__(self) -> None:
        super().__init__("player")
        self.given = declare(self, TABLE)
        self._remaps = parse_remaps(self.given.texts("remap"))
        self._patterns = self.given.texts("topics")
        self.playback = Playback(
            Path(self.given.text("bag")),
            rate=self.given.number("rate"),
            offset_s=self.given.number("start_offset"),
            loop=self.given.flag("loop"),
        )
        self._outs: dict[str, Publisher] = {}
        self._kinds = {one.topic: self._begin(one) for one in self.playback.channels}
        self._clock_out: Publisher | None = None
        if self.given.flag("clock"):
            self._clock_out = self.create_publisher(ClockMessage, _CLOCK, 10)
        self._told_ns = 0
        self._begins_ns = time.monotonic_ns() + int(self.given.number("delay") * 1e9)
        self._ends_ns: int | None = None
        if self.given.flag("paused"):
            self.playback.pause(time.monotonic_ns())
        self.add_on_set_parameters_callback(self._on_set)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(_TICK_S, self._on_tick, clock=steady)

    def _begin(self, channel: Channel) -> bool:
        """Begin to publish a topic; False for one that is left out."""
        own_clock = channel.topic == _CLOCK and self.given.flag("clock")
        chosen = any(fnmatchcase(channel.topic, pattern) for pattern in self._patterns)
        if own_clock or channel.encoding != CDR or (self._patterns and not chosen):
            return False
        try:
            kind = message_class(channel.type_name)
            offered = parse_qos(channel.qos)
        except Misuse as error:
            self.get_logger().warning(f"{channel.topic} is left out: {error.explain()}")
            return False
        profile = QoSProfile(
            depth=offered.depth,
            reliability=ReliabilityPolicy.RELIABLE
            if offered.reliable
            else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL
            if offered.latched
            else DurabilityPolicy.VOLATILE,
        )
        name = self._remaps.get(channel.topic, channel.topic)
        try:
            if channel.topic not in self._outs:
                self._outs[channel.topic] = self.create_publisher(kind, name, profile)
        except InvalidTopicNameException as error:
            said = str(error).splitlines()[0][:200]
            self.get_logger().warning(f"{name[:80]!r} is left out: {said}")
            return False
        return True

    def _on_set(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        for parameter in parameters:
            if parameter.name == "paused":
                self._pause(bool(parameter.value))
        return SetParametersResult(successful=True)

    def _pause(self, wanted: bool) -> None:
        now_ns = time.monotonic_ns()
        (self.playback.pause if wanted else self.playback.resume)(now_ns)

    def _on_tick(self) -> None:
        if _space_pressed():
            paused = Parameter("paused", Parameter.Type.BOOL, not self.playback.paused)
            self.set_parameters([paused])
        now_ns = time.monotonic_ns()
        if now_ns < self._begins_ns:
            return
        rounds = self.playback.rounds
        for one in self.playback.due(now_ns):
            if self._kinds.get(one.channel.topic):
                self._tell_time(one.log_ns)
                publish(self._outs[one.channel.topic], one.data)
        if self.playback.rounds != rounds:
            self._told_ns = 0  # time jumps back
        elif not self.playback.paused and self.playback.now_ns - self._told_ns >= _CLOCK_NS:
            self._tell_time(self.playback.now_ns)
        if self.playback.over:
            self._ends_ns = self._ends_ns or now_ns + _LINGER_NS
            if now_ns >= self._ends_ns:
                rclpy.try_shutdown()

    def _tell_time(self, now_ns: int) -> None:
        self._told_ns = now_ns
        if self._clock_out is not None:
            seconds, nanos = divmod(now_ns, 1_000_000_000)
            publish(self._clock_out, ClockMessage(clock=Time(sec=seconds, nanosec=nanos)))


def _space_pressed() -> bool:
    """Whether somebody pressed space and Enter, or space where the terminal gives single keys."""
    if not sys.stdin or not sys.stdin.isatty():
        return False
    ready: list[Any] = select.select([sys.stdin], [], [], 0)[0]
    return bool(ready) and " " in sys.stdin.readline()


def make() -> Sequence[Node]:
    """Return the player's node."""
    return (PlayerNode(),)


def main() -> None:
    """Play to the end, or until Ctrl-C."""
    sys.exit(run(make))


if __name__ == "__main__":
    main()
