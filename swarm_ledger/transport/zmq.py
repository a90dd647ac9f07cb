# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Sealed bytes over ZeroMQ: each member binds one socket and connects to everybody else's."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType

import zmq

from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.transport.curve import Curve
from swarm_ledger.transport.inbox import Inbox
from swarm_ledger.transport.line import Line

_FAREWELL_MS = 500
"""So long what was said to somebody before it was cut off may still be on its way."""

_LOOK_S = 0.2
_PLAIN = b""


class ZmqTransport:
    """One member's sockets: a ROUTER to receive, a DEALER to each peer to send.

    endpoints: by roster index, such as "tcp://127.0.0.1:5501"; curve: keys by which all of them
    are encrypted, None for none. learn() changes both. Nothing blocks: what doesn't fit a peer's
    queue is dropped, and so is what is for a peer that no connection leads to. Close it, or use it
    as a context manager. Misuse for an address that can't be bound.
    """

    def __init__(
        self, member: int, endpoints: Mapping[int, str], curve: Curve | None = None
    ) -> None:
        if member not in endpoints:
            raise Misuse(f"member {member} has no endpoint.")
        self.refused: Counter[str] = Counter()
        """How many connections were refused, by reason, as Inbox.refusals() has them."""
        self._own, self._curve = endpoints[member], curve
        self._context = zmq.Context()
        self._places: dict[int, str] = {}
        self._peers: dict[tuple[str, bytes], Line] = {}
        self._looked_s = 0.0
        self._inbox: Inbox | None = None
        try:
            self._inbox = Inbox(self._own, curve)
            self.learn(endpoints, curve)
        except Misuse:
            self.close()
            raise

    @property
    def links(self) -> str:
        """How links are protected: "curve", or "plain" for not at all."""
        return "curve" if self._curve else "plain"

    def learn(self, endpoints: Mapping[int, str], curve: Curve | None = None) -> None:
        """Connect to those who came since; members may share an address, and change it.

        A drone with a new key has another index and the same address. curve: as it is from now on;
        who is not in it any more is cut off, in both directions. Misuse for an address that can't
        be connected to, or not be bound again; receive() tries that again.
        """
        before, self._curve = self._curve, curve
        deaf: Misuse | None = None
        if _other_keys(before, curve):
            self._hang_up(set(self._peers))
        if _other_keys(before, curve) or _fewer(before, curve):
            try:
                self._open_anew()
            except Misuse as error:
                deaf = error  # what follows must be done all the same
        elif curve is not None and self._inbox is not None:
            self._inbox.admit(curve.admitted)
        places = {**self._places, **endpoints}
        self._hang_up(self._peers.keys() - self._all_ways(self._places) - self._all_ways(places))
        for peer, address in sorted(places.items()):
            for way in self._ways(peer, address) - self._peers.keys():
                self._call(*way)
            self._places[peer] = address
        self._hang_up(self._peers.keys() - self._all_ways(self._places))
        if deaf is not None:
            raise deaf

    def _ways(self, peer: int, address: str) -> set[tuple[str, bytes]]:
        """Return how to connect to a member: where, and by which key of whoever is there."""
        if address == self._own:
            return set()
        keys = self._curve.peers.get(peer, frozenset()) if self._curve else {_PLAIN}
        return {(address, key) for key in keys}

    def _all_ways(self, places: Mapping[int, str]) -> set[tuple[str, bytes]]:
        return {way for place in places.items() for way in self._ways(*place)}

    def _call(self, address: str, key: bytes) -> None:
        self._peers[address, key] = Line(self._context, address, key, self._curve)

    def _hang_up(self, ways: set[tuple[str, bytes]]) -> None:
        for way in ways:
            self._peers.pop(way).close(linger_ms=_FAREWELL_MS)

    def _open_anew(self) -> None:
        if self._inbox is not None:
            self._inbox.close()
            self._inbox = None
        self._inbox = Inbox(self._own, self._curve)

    def send(self, to: int, data: bytes) -> None:
        """Send to one member; dropped if its queue is full, or it has no endpoint."""
        for way in self._ways(to, self._places.get(to, self._own)):
            if way in self._peers:
                self._peers[way].send(data)

    def broadcast(self, data: bytes) -> None:
        """Send to all other members."""
        for peer in self._peers.values():
            peer.send(data)

    def receive(self, timeout_ms: int) -> list[bytes]:
        """Wait at most that long for messages; return those that are there, a bounded number."""
        self._look_after_lines()
        if self._inbox is None:
            time.sleep(timeout_ms / 1000)
            with suppress(Misuse):
                self._open_anew()
            return []
        return self._inbox.receive(timeout_ms)

    def _look_after_lines(self) -> None:
        now_s = time.monotonic()
        if now_s - self._looked_s < _LOOK_S:
            return
        self._looked_s = now_s
        for way in [way for way, line in self._peers.items() if line.stuck(now_s)]:
            self._hang_up({way})
            self._call(*way)

    def strangers(self) -> dict[str, PeerFault]:
        """Return a fault for each reason for which connections were refused since the last call.

        Each refusal is counted in `refused`.
        """
        if self._inbox is None:
            return {}
        found = self._inbox.refusals()
        self.refused += found
        return {reason: self._inbox.explain(reason) for reason in found}

    def close(self) -> None:
        """Close all sockets at once; what is queued is dropped."""
        self._context.destroy(linger=0)
        if self._inbox is not None:
            self._inbox.close()
            self._inbox = None

    def __enter__(self) -> ZmqTransport:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _other_keys(before: Curve | None, now: Curve | None) -> bool:
    """Whether our own key changed, or whether there is any."""
    mine = [curve.keys.public if curve else None for curve in (before, now)]
    return mine[0] != mine[1]


def _fewer(before: Curve | None, now: Curve | None) -> bool:
    """Whether somebody is out who was in."""
    return before is not None and now is not None and not before.admitted <= now.admitted
