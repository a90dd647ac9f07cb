# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What every process of nodes does: parameters checked, started, spun, ended cleanly."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from swarm_ledger.errors import SwarmLedgerError
from swarm_ledger.nodes.declaring import refuse_unknown
from swarm_ledger.nodes.lifecycle import ManagedNode
from swarm_ledger.runtime.watchdog import Watchdog
from swarm_ledger.sim.events import die_with_parent
from swarm_ledger.sim.stop import Stop

_SPIN_S = 0.1


def run(make: Callable[[], Iterable[Node]]) -> int:
    """Spin the nodes that `make` returns, all in one executor, until SIGINT or SIGTERM.

    Lifecycle nodes with `autostart` are configured and activated, in that order of nodes; in the
    end all are deactivated, cleaned up and shut down, the last one first. Returns the process's
    exit code: 1, with a sentence on stderr, if a node can't be made or started, or fails later.
    systemd, where it started us, is told when all are active, and that they are alive. rclpy's own
    signal handlers would take the context from under a callback that publishes.
    """
    die_with_parent()
    stop = Stop()
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    nodes: list[Node] = []
    try:
        for node in make():
            nodes.append(node)  # one by one: those before one that can't be made are ended as well
        refuse_unknown(nodes)
        _spin(nodes, stop)
    except ExternalShutdownException:
        pass
    except SwarmLedgerError as error:
        print(error.explain(), file=sys.stderr)
        return 1
    finally:
        for node in reversed(nodes):
            if isinstance(node, ManagedNode) and rclpy.ok():
                node.end()
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


def _spin(nodes: list[Node], stop: Stop) -> None:
    """Start what starts by itself, and spin; raises what ends a node that did."""
    executor = SingleThreadedExecutor()
    for node in nodes:
        executor.add_node(node)
    automatic = [node for node in nodes if isinstance(node, ManagedNode) and node.autostart]
    for node in automatic:
        node.begin()
    watchdog = Watchdog.of(os.environ)
    while not stop.asked and rclpy.ok():
        executor.spin_once(timeout_sec=_SPIN_S)
        for node in automatic:
            if node.trouble is not None:
                raise node.trouble
        watchdog.look(nodes, time.monotonic_ns() // 1_000_000)
    watchdog.ending()
