# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Sealed bytes over ZeroMQ: each member binds one socket and connects to everybody else's."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType

import zmq

from swarm_ledger.envelope import MAX_ENVELOPE_BYTES
from swarm_ledger.errors import Misuse

_QUEUE = 2_000
_AT_ONCE = 256


class ZmqTransport:
    """One member's sockets: a ROUTER to receive, a DEALER to each peer to send.

    endpoints: by roster index, such as "tcp://127.0.0.1:5501"; learn() adds others. Nothing
    blocks: what doesn't fit a peer's queue is dropped, and so is what is for a peer that no
    connection leads to. Close it, or use it as a context manager. Misuse for an address that can't
    be bound.
    """

    def __init__(self, member: int, endpoints: Mapping[int, str]) -> None:
        if member not in endpoints:
            raise Misuse(f"member {member} has no endpoint.")
        self._context = zmq.Context()
        self._inbox = self._socket(zmq.ROUTER)
        self._own = endpoints[member]
        self._places: dict[int, str] = {}
        self._peers: dict[str, zmq.Socket[bytes]] = {}
        try:
            self._inbox.bind(self._own)
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
        socket.set(zmq.RCVHWM, _QUEUE)
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
        """Wait at most that long for messages; return those that are there, a bounded number."""
        messages: list[bytes] = []
        if not self._inbox.poll(timeout_ms):
            return messages
        while len(messages) < _AT_ONCE:
            try:
                frames = self._inbox.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                break
            messages.append(frames[-1])
        return messages

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


def _send(peer: zmq.Socket[bytes], data: bytes) -> None:
    with suppress(zmq.Again):
        peer.send(data, zmq.DONTWAIT)


def _unusable(address: str, error: zmq.ZMQError) -> Misuse:
    return Misuse(
        f"cannot use {address!r} for ZeroMQ: {error.strerror}.",
        remedy="Give each drone an address of its own that is free on its machine.",
    )
