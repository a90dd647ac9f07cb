# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""observer: follows a swarm's ledger by root.json alone, and publishes decisions that it verified.

It asks provers again and again, whom it doesn't trust. What it knows is in its state file.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from swarm_ledger.identity.trust import read_file
from swarm_ledger.nodes.diagnostics import Board
from swarm_ledger.nodes.lifecycle import ManagedNode
from swarm_ledger.nodes.process import run
from swarm_ledger.nodes.proofs import PATIENCE_MS, Proofs
from swarm_ledger.nodes.tables.observer import TABLE
from swarm_ledger.runtime.following import Follower
from swarm_ledger.runtime.pursuit import Found, Inquiry, Pursuit

_STEP_S = 0.05
_DIAGNOSTICS_S = 1.0
_OWN = ("get_proof",)


class ObserverNode(ManagedNode):
    """Asks `get_proof`, publishes `verified_decisions` in their order, and tells /diagnostics.

    Forks, rollbacks and rosters that have expired in the node's time are refused, and reported as
    errors.
    """

    def __init__(self) -> None:
        super().__init__("observer", TABLE)
        self._follower: Follower | None = None

    def open(self) -> None:
        """Take the state file, for nobody else to use."""
        root = read_file(Path(self.given.text("root")))
        self._follower = Follower(root, Path(self.given.text("state")))
        services = self.given.texts("provers") or _OWN
        every_ms = self.given.whole("every_ms")
        self._pursuit = Pursuit(
            self._follower, services, every_ms=every_ms, patience_ms=PATIENCE_MS
        )
        self._proofs = Proofs(self, self._pursuit, services, self._take, self._now_ms)
        self._board = Board(self)

    def start(self) -> None:
        """Ask, again and again."""
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # goes on whatever /clock does
        self.create_timer(_STEP_S, self._on_step, clock=steady)
        self.create_timer(_DIAGNOSTICS_S, self._on_diagnostics, clock=steady)

    def close(self) -> None:
        """Let others have the state file."""
        if self._follower is not None:
            self._follower.close()
            self._follower = None

    def _now_ms(self) -> int:
        return int(self.get_clock().now().nanoseconds) // 1_000_000

    def _on_step(self) -> None:
        if self._now_ms():
            self._proofs.step()

    def _take(self, inquiry: Inquiry, raw: bytes, now_ms: int, steady_ms: int) -> Found | None:
        now = datetime.fromtimestamp(now_ms / 1000, tz=timezone.utc)
        return self._pursuit.take(inquiry, raw, now, steady_ms)

    def _on_diagnostics(self) -> None:
        self._board.show(self._proofs.status())


def make() -> Sequence[Node]:
    """Return the observer's node."""
    return (ObserverNode(),)


def main() -> None:
    """Follow until Ctrl-C."""
    sys.exit(run(make))


if __name__ == "__main__":
    main()
