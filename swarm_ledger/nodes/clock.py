# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A node's time as it may be signed: it begins with the clock, and never contradicts itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.clock import Clock, ClockType, JumpThreshold
from rclpy.duration import Duration
from rclpy.node import Node

_MS = 1_000_000


class NodeTime:
    """Reads a node's clock; 0 while simulated time has not begun, and nothing is signed then.

    Simulated time goes back where a bag's loop or a simulator begins anew. Time as it is signed
    goes on from where it was: it is ahead of /clock by all such jumps together, on all drones that
    heard them. A machine's own clock is taken as it is: the core knows what to do when it is set.
    on_jump: told how far /clock went back, seconds. jumps: how often it did.
    """

    def __init__(self, node: Node, on_jump: Callable[[float], object]) -> None:
        self._node, self._on_jump = node, on_jump
        self._clock = node.get_clock()
        self._ahead_ns = self._last_ns = self._read_ns = 0
        self.jumps = 0
        # rclpy calls back before any timer of the new time: what was is known by then.
        threshold = JumpThreshold(
            min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=True
        )
        self._handle = self._clock.create_jump_callback(threshold, post_callback=self._jumped)

    @property
    def simulated(self) -> bool:
        """Whether the node follows /clock."""
        return bool(self._clock.ros_time_is_active)

    def pacer(self) -> Clock:
        """Return the clock by which to wait: the node's in simulation and replay, else a steady
        one, which goes on while a machine's clock is set.
        """
        return self._clock if self.simulated else Clock(clock_type=ClockType.STEADY_TIME)

    def now_ms(self) -> int:
        """Return the time, POSIX milliseconds; 0 if it has not begun."""
        return self.now_us() // 1_000

    def now_us(self) -> int:
        """Return the time, POSIX microseconds; 0 if it has not begun."""
        now_ns = int(self._clock.now().nanoseconds)
        if not self.simulated or not now_ns:
            return now_ns // 1_000
        if now_ns < self._read_ns:
            self.jumps += 1
            self._on_jump((self._read_ns - now_ns) / 1e9)
        self._read_ns = now_ns
        self._ahead_ns = max(self._ahead_ns, self._last_ns - now_ns)
        self._last_ns = now_ns + self._ahead_ns
        return self._last_ns // 1_000

    def at_least(self, ms: int) -> None:
        """Have simulated time go on from a time that was signed before, such as a ledger's."""
        self._last_ns = max(self._last_ns, ms * _MS)

    def as_signed(self, stamp_ms: int) -> int:
        """Return when something was, by its stamp in the node's time; 0 for a stamp of 0."""
        return stamp_ms + self._ahead_ns // _MS if stamp_ms else 0

    def close(self) -> None:
        """Hear of no more jumps."""
        self._handle.unregister()

    def _jumped(self, jump: Any) -> None:
        self.now_us()


def tell_of_jump(node: Node) -> Callable[[float], None]:
    """Return what logs how far a node's /clock went back."""
    return lambda seconds: node.get_logger().warning(
        f"/clock went back by {seconds:.3f} s: time goes on here from where it was."
    )
