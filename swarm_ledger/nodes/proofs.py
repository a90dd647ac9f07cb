# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A light client over ROS 2: asks drones' `get_proof`, and publishes the decisions that hold."""

from __future__ import annotations

import array
import time
from collections.abc import Callable, Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from swarm_interfaces.msg import Decision
from swarm_interfaces.srv import GetProof

from swarm_ledger.nodes.convert import decision_message
from swarm_ledger.nodes.diagnostics import status
from swarm_ledger.nodes.lifecycle import ManagedNode
from swarm_ledger.nodes.publishing import publish
from swarm_ledger.nodes.qos import LATCHED
from swarm_ledger.runtime.pursuit import Found, Inquiry, Pursuit

PATIENCE_MS = 5_000
"""How long a prover may take, in real time."""

_COMPLAIN_S = 10.0

Take = Callable[[Inquiry, bytes, int, int], "Found | None"]
"""Takes in an answer at a time of the node's clock, and of one that never goes back."""


class Proofs:
    """Carries a pursuit's questions. services: its sources, which are services' names. now_ms:
    the time by which rosters have expired or not.

    Publishes `verified_decisions`, each once and in their order.
    """

    def __init__(
        self,
        node: ManagedNode,
        pursuit: Pursuit,
        services: Sequence[str],
        take: Take,
        now_ms: Callable[[], int],
    ) -> None:
        self._node, self._pursuit, self._take, self._now_ms = node, pursuit, take, now_ms
        self._clients = {name: node.create_client(GetProof, name) for name in services}
        self._decisions = node.create_publisher(Decision, "verified_decisions", LATCHED)
        self._under_way: tuple[Any, Any] | None = None

    def step(self) -> None:
        """Ask what is to be asked now."""
        inquiry = self._pursuit.next(steady_ms())
        if inquiry is None:
            return
        self._forget()
        client = self._clients[inquiry.source]
        if not client.service_is_ready():
            self._pursuit.fail(inquiry, "there is no prover", steady_ms())
            return
        future = client.call_async(GetProof.Request(request=array.array("B", inquiry.request)))
        self._under_way = client, future
        future.add_done_callback(self._node.guard(lambda done: self._on_answer(done, inquiry)))

    def _forget(self) -> None:
        """Wait no more for an answer that is late."""
        if self._under_way is not None:
            client, future = self._under_way
            client.remove_pending_request(future)
            self._under_way = None

    def _on_answer(self, future: Any, inquiry: Inquiry) -> None:
        if not self._node.active or future.result() is None:
            return
        raw = bytes(future.result().answer)
        found = self._take(inquiry, raw, self._now_ms(), steady_ms())
        if self._pursuit.wrong:
            logger = self._node.get_logger()
            logger.error(self._pursuit.said, throttle_duration_sec=_COMPLAIN_S)
        if found is not None and found.first:
            now = self._node.get_clock().now().to_msg()
            message = decision_message(found.settled, found.verified.entry.index, now)
            publish(self._decisions, message)

    def status(self) -> DiagnosticStatus:
        """Return how the following goes: OK, WARN while nothing is known, ERROR for lies."""
        pursuit, head = self._pursuit, self._pursuit.head
        level, said = DiagnosticStatus.OK, pursuit.said
        if pursuit.forked is not None and pursuit.forked.certain:
            level, said = DiagnosticStatus.ERROR, pursuit.forked.explain()
        elif pursuit.wrong:
            level = DiagnosticStatus.ERROR
        elif head is None:
            level = DiagnosticStatus.WARN
        known: dict[str, object] = {f"lies of {name}": n for name, n in pursuit.lies.items() if n}
        if head is not None:
            known |= {"size": head.checkpoint.size, "epoch": head.epoch}
        origin = head.checkpoint.origin if head else ""
        return status(level, f"{self._node.get_name()}: ledger", said, origin, known)


def steady_ms() -> int:
    """Return the time of a clock that never goes back, whatever /clock does."""
    return time.monotonic_ns() // 1_000_000
