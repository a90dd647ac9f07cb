# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The one socket on which a member hears all others, and who was refused at it."""

from __future__ import annotations

from collections import Counter

import zmq

from swarm_ledger.envelope import MAX_ENVELOPE_BYTES
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.transport.curve import HANDSHAKE_MS, Curve, Gate
from swarm_ledger.transport.reports import reports

QUEUE = 2_000
_HEARD = 64
"""Messages that ZeroMQ holds of one connection for us: more wait on the other side."""

_AT_ONCE = 512
_FAILED = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)
_REPORTS = 100_000
"""Reports of refusals that may wait to be read: libzmq stops where there is no room for one."""


def new_socket(context: zmq.Context[zmq.Socket[bytes]], kind: int) -> zmq.Socket[bytes]:
    """Return a socket with the limits that all of ours have."""
    socket = context.socket(kind)
    socket.set(zmq.LINGER, 0)
    socket.set(zmq.SNDHWM, QUEUE)
    socket.set(zmq.RCVHWM, QUEUE)
    socket.set(zmq.MAXMSGSIZE, MAX_ENVELOPE_BYTES + 1024)
    socket.set(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    return socket


class Port:
    """A ROUTER socket bound to an address, in a context of its own.

    So that close() returns once the address is free again: only by closing it can libzmq be made
    to cut connections that were let in. Misuse for an address that can't be bound.
    """

    def __init__(self, address: str, curve: Curve | None) -> None:
        self._context = zmq.Context()
        self._gate = Gate(self._context, curve.admitted) if curve else None
        self._socket = new_socket(self._context, zmq.ROUTER)
        self._socket.set(zmq.RCVHWM, _HEARD)
        self._monitor: zmq.Socket[bytes] | None = None
        if curve is not None:
            curve.as_server(self._socket)
            self._monitor = self._watch()
        try:
            self._socket.bind(address)
        except zmq.ZMQError as error:
            self.close()
            raise unusable(address, error) from error

    def _watch(self) -> zmq.Socket[bytes]:
        where = f"inproc://monitor.{id(self)}"
        self._socket.monitor(where, _FAILED)
        monitor = self._context.socket(zmq.PAIR)
        monitor.set(zmq.LINGER, 0)
        monitor.set(zmq.RCVHWM, _REPORTS)
        monitor.connect(where)
        return monitor

    def admit(self, keys: frozenset[bytes]) -> None:
        """Let these in from now on; whoever is in already stays."""
        if self._gate is not None:
            self._gate.admit(keys)

    def receive(self, timeout_ms: int) -> list[list[bytes]]:
        """Wait at most that long for messages; return those that are there, a bounded number.

        Each as its frames, the first of which is ZeroMQ's name for the connection.
        """
        messages: list[list[bytes]] = []
        if not self._socket.poll(timeout_ms):
            return messages
        while len(messages) < _AT_ONCE:
            try:
                messages.append(self._socket.recv_multipart(zmq.DONTWAIT))
            except zmq.Again:
                break
        return messages

    def refusals(self) -> Counter[str]:
        """Return how many connections failed since the last call, by reason.

        "unknown_key": it proved a key that no roster has; "bad_handshake": it did not prove the
        key that it claims, or took us for another; "no_curve": another mechanism, or it broke off.
        """
        found: Counter[str] = Counter()
        if self._monitor is None:
            return found
        for event, value in reports(self._monitor):
            found[_reason(event, value)] += 1
        return found

    def explain(self, reason: str) -> PeerFault:
        """Return the fault of whoever was refused last for that reason."""
        what = _WHAT[reason]
        if reason == "unknown_key" and self._gate and self._gate.refused:
            what += f": {self._gate.refused[-1].hex()}"
        return PeerFault("stranger_refused", f"{what}.")

    def close(self) -> None:
        """Cut all connections at once; what was not read is dropped."""
        if self._monitor is not None:
            self.refusals()
            self._socket.disable_monitor()
            self._monitor.close()
            self._monitor = None
        self._socket.close()
        if self._gate is not None:
            self._gate.close()
        self._context.destroy(linger=0)


_WHAT = {
    "unknown_key": "somebody connected with a channel key that the roster does not have",
    "bad_handshake": "somebody did not prove the channel key that it claims",
    "no_curve": "somebody connected without encryption, or broke off",
}


def _reason(event: int, value: int) -> str:
    if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
        return "unknown_key"
    mismatch = value == zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH
    if event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL and not mismatch:
        return "bad_handshake"
    return "no_curve"


def unusable(address: str, error: zmq.ZMQError) -> Misuse:
    """Return what to say about an address that can't be used."""
    return Misuse(
        f"cannot use {address!r} for ZeroMQ: {error.strerror}.",
        remedy="Give each drone an address of its own that is free on its machine.",
    )
