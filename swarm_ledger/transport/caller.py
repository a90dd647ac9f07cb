# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Sealed bytes to all drones over ZeroMQ, from who is no drone: it speaks, and nobody answers."""

from __future__ import annotations

import time
from collections.abc import Mapping

import zmq

from swarm_ledger.transport.curve import Curve
from swarm_ledger.transport.line import Line

_PLAIN = frozenset({b""})
_LOOK_S = 0.2


class Caller:
    """Lines to drones. endpoints: by roster index; curve: keys by which they are encrypted.

    Close it in the end. Misuse for an address that can't be connected to.
    """

    def __init__(self, endpoints: Mapping[int, str], curve: Curve | None) -> None:
        self._context = zmq.Context()
        self._curve, self._looked_s = curve, time.monotonic()
        ways = {
            (address, key)
            for peer, address in endpoints.items()
            for key in (curve.peers.get(peer, frozenset()) if curve else _PLAIN)
        }
        self._lines: dict[tuple[str, bytes], Line] = {}
        try:
            for way in sorted(ways):
                self._lines[way] = Line(self._context, *way, curve)
        except BaseException:
            self.close()
            raise

    def broadcast(self, data: bytes) -> None:
        """Send to all; dropped where no connection leads to by now."""
        now_s = time.monotonic()
        if now_s - self._looked_s >= _LOOK_S:
            self._looked_s = now_s
            for way in [way for way, line in self._lines.items() if line.stuck(now_s)]:
                self._lines.pop(way).close(linger_ms=0)
                self._lines[way] = Line(self._context, *way, self._curve)
        for line in self._lines.values():
            line.send(data)

    def close(self) -> None:
        """Close all lines; what is queued is dropped."""
        self._context.destroy(linger=0)
