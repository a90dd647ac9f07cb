# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One drone without eyes, as a process of its own, that keeps the swarm busy over ZeroMQ.

A request of this load is a Tick, sealed by the drone's session key. It costs what a vote costs,
a signature, its check on every drone, a place in a block, bytes on disk; and it opens no question
and moves no tally, so a load can go on for ever.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType

from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.machine import Tick
from swarm_ledger.sim.loop import command_line, drive, run

ENOUGH = signal.SIGUSR1
"""Asks the process to submit nothing more, and to go on with the rest."""

_BACKLOG = 32
"""With so many requests that wait here none is added: a swarm that is stuck is not buried."""


class Load:
    """Has a drone submit `rate` requests a second while the swarm takes them."""

    def __init__(self, rate: float) -> None:
        self._every_ms = 1000 / rate
        self._due_ms = 0.0
        self._on = True

    def __call__(self, drone: Drone, now_ms: int) -> None:
        """Submit a request if one is due."""
        identity = drone.identity
        if not self._on or identity is None or not drone.engine.speaks or now_ms < self._due_ms:
            return
        late = now_ms - self._due_ms >= self._every_ms
        # What was due while we were held up is not made up for: the rate is an upper bound.
        self._due_ms = (now_ms if late else self._due_ms) + self._every_ms
        if drone.status()["pending"] < _BACKLOG:
            drone.submit(identity.seal(Kind.TICK, encode(Tick(now_ms))), now_ms)

    def enough(self, number: int, frame: FrameType | None) -> None:
        """Submit nothing from now on; a signal's handler."""
        self._on = False


def main() -> int:
    """Run from the command line: --fleet FILE --drone NAME --rate N."""
    parser = command_line(__doc__)
    parser.add_argument("--rate", type=float, default=10.0, help="requests a second")
    given = parser.parse_args()
    load = Load(given.rate)
    signal.signal(ENOUGH, load.enough)
    return run(given, lambda fleet, name, stop: drive(fleet, name, stop, load))


if __name__ == "__main__":
    sys.exit(main())
