# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Sealed bytes over ZeroMQ: each member binds one socket and connects to everybody else's."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from types import TracebackType

import zmq

from swarm_ledger.envelope import MAX_ENVELOPE_BYTES
from swarm_ledger.errors import Misuse
from swarm_ledger.transport.budget import Arrived, Inbox

_QUEUE = 2_000
_HEARD = 64
"""Messages that ZeroMQ holds of one connection for us: more wait on the other side."""

_AT_ONCE = 512
_FRAMES = 2
"""What a peer's message comes as: ZeroMQ's name for the connection, and the sealed bytes."""


class ZmqTransport:
    """One member's sockets: a ROUTER to receive, a DEALER to each peer to send.

    endpoints: by roster index, such as "tcp://127.0.0.1:5501"; learn() adds others. Nothing
    blocks: what doesn't fit a peer's queue is dropped, and so is what is for a peer that no
    connection leads to. Close it, or use it as a context manager. Misuse for an address that can't
    be bound. inbox: what waits here, by connection.
    """

    def __init__(self, member: int, endpoints: Mapping[int, str]) -> None:
        if member not in endpoints:
            raise Misuse(f"member {member} has no endpoint.")
        self.inbox = Inbox()
        self._looked_at: list[Arrived] = []
        self._context = zmq.Context()
        self._router = self._socket(zmq.ROUTER)
        self._own = endpoints[member]
        self._places: dict[int, str] = {}
        self._peers: dict[str, zmq.Socket[bytes]] = {}
        try:
            self._router.bind(self._own)
        except zmq.ZMQError as error:
            self.close()
            raise _unusable(self._own, error) from error
        try:
            self.learn(endpoints)
        except Misuse:
            self.close()
            raise

    def learn(self, endpoints: Mapping[int, str]) -> None:
        """Connect to those who came since; members may share an address, and change it.

        A drone with a new key has another index and the same address. Misuse for an address that
        can't be connected to.
        """
        for peer, address in sorted(endpoints.items()):
            if address != self._own and address not in self._peers:
                socket = self._socket(zmq.DEALER)
                try:
                    socket.connect(address)
                except zmq.ZMQError as error:
                    socket.close()
                    raise _unusable(address, error) from error
                self._peers[address] = socket
            self._places[peer] = address
        for address in self._peers.keys() - set(self._places.values()):
            self._peers.pop(address).close()

    def _socket(self, kind: int) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        socket.set(zmq.LINGER, 0)
        socket.set(zmq.SNDHWM, _QUEUE)
        socket.set(zmq.RCVHWM, _HEARD)
        socket.set(zmq.MAXMSGSIZE, MAX_ENVELOPE_BYTES + 1024)
        # Drop what is for a peer that is away: it would get the oldest of it when it comes back,
        # and take requests for left out that a leader only had no way to hear of.
        socket.set(zmq.IMMEDIATE, 1)
        socket.set(zmq.RECONNECT_IVL, 50)
        socket.set(zmq.RECONNECT_IVL_MAX, 1_000)
        return socket

    def send(self, to: int, data: bytes) -> None:
        """Send to one member; dropped if its queue is full, or it has no endpoint."""
        peer = self._peers.get(self._places.get(to, ""))
        if peer is not None:
            _send(peer, data)

    def broadcast(self, data: bytes) -> None:
        """Send to all other members."""
        for peer in self._peers.values():
            _send(peer, data)

    def receive(self, timeout_ms: int) -> list[bytes]:
        """Wait at most that long for messages; return what is to be looked at, in fair turns.

        A bounded number, and none of a connection that has had enough. See judge().
        """
        now_ms = _now_ms()
        if self._router.poll(0 if self.inbox.waits(now_ms) else timeout_ms):
            now_ms = _now_ms()
            for _ in range(_AT_ONCE):
                try:
                    frames = self._router.recv_multipart(zmq.DONTWAIT)
                except zmq.Again:
                    break
                if len(frames) == _FRAMES:
                    self.inbox.put(frames[0], frames[1], now_ms)
                else:
                    self.inbox.dropped["malformed"] += 1
        self._looked_at = self.inbox.take(now_ms)
        return [arrived.data for arrived in self._looked_at]

    def judge(self, refused: Collection[int]) -> None:
        """Note which of what receive() returned last was refused, by its place; the rest held."""
        self.inbox.judge(self._looked_at, refused, _now_ms())
        self._looked_at = []

    def close(self) -> None:
        """Close all sockets at once; what is queued is dropped."""
        self._context.destroy(linger=0)

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


def _send(peer: zmq.Socket[bytes], data: bytes) -> None:
    with suppress(zmq.Again):
        peer.send(data, zmq.DONTWAIT)


def _unusable(address: str, error: zmq.ZMQError) -> Misuse:
    return Misuse(
        f"cannot use {address!r} for ZeroMQ: {error.strerror}.",
        remedy="Give each drone an address of its own that is free on its machine.",
    )
