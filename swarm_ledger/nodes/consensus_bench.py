# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One replica of `bench consensus` over ROS 2 topics: its node wakes when something arrives."""

from __future__ import annotations

import sys

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from swarm_ledger.identity.roster import Roster
from swarm_ledger.nodes.transport import LINGER_MS, RosTransport
from swarm_ledger.runtime.fleet import Fleet
from swarm_ledger.sim.consensus_bench_replica import fly
from swarm_ledger.sim.loop import command_line, run
from swarm_ledger.sim.stop import Stop


class SpunTransport(RosTransport):
    """A RosTransport that spins its node while there is nothing to be heard, as a drone's does."""

    def __init__(self, node: Node, roster: Roster, member: int) -> None:
        super().__init__(node, roster, member)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(node)
        self._linger_ms = 0

    def receive(self, timeout_ms: int = 0) -> list[bytes]:
        """Wait at most that long for messages; return those that are there."""
        messages = super().receive(self._linger_ms)
        if not messages:
            self._executor.spin_once(timeout_sec=timeout_ms / 1_000)
            messages = super().receive()
        self._linger_ms = LINGER_MS if messages else 0
        return messages


def over_ros(fleet: Fleet, name: str, stop: Stop) -> None:
    """Fly one replica over ROS 2 topics."""
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = Node("bench", namespace=name)
    try:
        fly(fleet, name, stop, SpunTransport(node, fleet.roster, fleet.member(name).index))
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def main() -> int:
    """Run from the command line: --fleet FILE --drone NAME."""
    return run(command_line(__doc__).parse_args(), over_ros)


if __name__ == "__main__":
    sys.exit(main())
