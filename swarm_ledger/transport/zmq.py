# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Sealed bytes over ZeroMQ: each member binds one socket and connects to everybody else's."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import suppress
from types import TracebackType

import zmq

from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.transport.budget import Arrived, Inbox
from swarm_ledger.transport.curve import Curve
from swarm_ledger.transport.line import Line
from swarm_ledger.transport.port import Port

_FAREWELL_MS = 500
"""So long what was said to somebody before it was cut off may still be on its way."""

_LOOK_S = 0.2
_PLAIN = b""
_FRAMES = 2
"""What a peer's message comes as: ZeroMQ's name for the connection, and the sealed bytes."""


class ZmqTransport:
    """One member's sockets: a ROUTER to receive, a DEALER to each peer to send.

    endpoints: by roster index, such as "tcp://127.0.0.1:5501"; curve: keys by which all of them
    are encrypted, None for none. audience: members to whom a broadcast goes, None for all that
    have an endpoint. learn() changes all three. Nothing blocks: what doesn't fit a peer's
    queue is dropped, and so is what is for a peer that no connection leads to. Close it, or use it
    as a context manager. Misuse for an address that can't be bound. inbox: what waits here, by
    connection.
    """

    def __init__(
        self,
        member: int,
        endpoints: Mapping[int, str],
        curve: Curve | None = None,
        audience: frozenset[int] | None = None,
    ) -> None:
        if member not in endpoints:
            raise Misuse(f"member {member} has no endpoint.")
        self.refused: Counter[str] = Counter()
        """How many connections were refused, by reason, as Port.refusals() has them."""
        self.inbox = Inbox()
        self._looked_at: list[Arrived] = []
        self._own, self._curve = endpoints[member], curve
        self._context = zmq.Context()
        self._places: dict[int, str] = {}
        self._peers: dict[tuple[str, bytes], Line] = {}
        self._looked_s = 0.0
        self._port: Port | None = None
        try:
            self._port = Port(self._own, curve)
            self.learn(endpoints, curve, audience)
        except Misuse:
            self.close()
            raise

    @property
    def links(self) -> str:
        """How links are protected: "curve", or "plain" for not at all."""
        return "curve" if self._curve else "plain"

    def learn(
        self,
        endpoints: Mapping[int, str],
        curve: Curve | None = None,
        audience: frozenset[int] | None = None,
    ) -> None:
        """Connect to those who came since; members may share an address, and change it.

        A drone with a new key has another index and the same address. curve: as it is from now on;
        who is not in it any more is cut off, in both directions. Misuse for an address that can't
        be connected to, or not be bound again; receive() tries that again.
        """
        before, self._curve, self._audience = self._curve, curve, audience
        deaf: Misuse | None = None
        if _other_keys(before, curve):
            self._hang_up(set(self._peers))
        if _other_keys(before, curve) or _fewer(before, curve):
            try:
                self._open_anew()
            except Misuse as error:
                deaf = error  # what follows must be done all the same
        elif curve is not None and self._port is not None:
            self._port.admit(curve.admitted)
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
        if self._port is not None:
            self._port.close()
            self._port = None
        self._port = Port(self._own, self._curve)

    def send(self, to: int, data: bytes) -> None:
        """Send to one member; dropped if its queue is full, or it has no endpoint."""
        for way in self._ways(to, self._places.get(to, self._own)):
            if way in self._peers:
                self._peers[way].send(data)

    def broadcast(self, data: bytes) -> None:
        """Send to all other members of the audience."""
        ways = set(self._peers)
        if self._audience is not None:
            some = ((peer, self._places[peer]) for peer in self._audience & self._places.keys())
            ways &= self._all_ways(dict(some))
        for way in ways:
            self._peers[way].send(data)

    def receive(self, timeout_ms: int) -> list[bytes]:
        """Wait at most that long for messages; return what is to be looked at, in fair turns.

        A bounded number, and none of a connection that has had enough. See judge().
        """
        self._look_after_lines()
        wait_ms = 0 if self.inbox.waits(_now_ms()) else timeout_ms
        if self._port is None:
            time.sleep(wait_ms / 1000)
            with suppress(Misuse):
                self._open_anew()
        else:
            self._collect(self._port.receive(wait_ms), _now_ms())
        self._looked_at = self.inbox.take(_now_ms())
        return [arrived.data for arrived in self._looked_at]

    def _collect(self, messages: list[list[bytes]], now_ms: int) -> None:
        for frames in messages:
            if len(frames) == _FRAMES:
                self.inbox.put(frames[0], frames[1], now_ms)
            else:
                self.inbox.dropped["malformed"] += 1

    def judge(self, refused: Collection[int]) -> None:
        """Note which of what receive() returned last was refused, by its place; the rest held."""
        self.inbox.judge(self._looked_at, refused, _now_ms())
        self._looked_at = []

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
        if self._port is None:
            return {}
        found = self._port.refusals()
        self.refused += found
        return {reason: self._port.explain(reason) for reason in found}

    def close(self) -> None:
        """Close all sockets at once; what is queued is dropped."""
        self._context.destroy(linger=0)
        if self._port is not None:
            self._port.close()
            self._port = None

    def __enter__(self) -> ZmqTransport:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def _other_keys(before: Curve | None, now: Curve | None) -> bool:
    """Whether our own key changed, or whether there is any."""
    mine = [curve.keys.public if curve else None for curve in (before, now)]
    return mine[0] != mine[1]


def _fewer(before: Curve | None, now: Curve | None) -> bool:
    """Whether somebody is out who was in."""
    return before is not None and now is not None and not before.admitted <= now.admitted
