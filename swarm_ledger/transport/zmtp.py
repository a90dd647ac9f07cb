# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""As much of ZeroMQ's protocol as one question and one answer need (ZMTP 3.0, NULL; RFC 23).

Where anybody may connect, or be connected to, libzmq won't do: it keeps a message of however many
parts until the last one is there, 64 bytes for each two on the wire. Here each size is bounded
before it is read. Peers are REQ, DEALER, REP or ROUTER sockets of any ZeroMQ 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from swarm_ledger.errors import PeerFault

REQ, ROUTER = b"REQ", b"ROUTER"
_PARTNERS = {REQ: (b"REP", b"ROUTER"), ROUTER: (b"REQ", b"DEALER")}
_SIGNATURE = b"\xff" + bytes(8) + b"\x7f"
_GREETING = _SIGNATURE + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
_MORE, _LONG, _COMMAND = 1, 2, 4
_MAX_COMMAND = 512
_MAX_COMMANDS = 8
"""Between two messages: peers that send heartbeats send some."""


class Stream(Protocol):
    """A connection's bytes, buffered: read() waits for all of them, or the end."""

    def read(self, count: int, /) -> bytes:
        """Return that many bytes, fewer at the end."""

    def write(self, data: bytes, /) -> object:
        """Take bytes to be sent."""

    def flush(self) -> None:
        """Send them."""


@dataclass(frozen=True)
class Message:
    """delimited: whether an empty part came before the data, as REQ sends it and awaits it."""

    data: bytes
    delimited: bool


def shake_hands(stream: Stream, kind: bytes) -> None:
    """Begin a connection as a socket of that kind; PeerFault where the other is no partner."""
    ready = _text(b"READY") + _property(b"Socket-Type", kind)
    stream.write(_GREETING + _frame(_COMMAND, ready))
    stream.flush()
    theirs = _read(stream, len(_GREETING))
    signed = theirs[:1] == _SIGNATURE[:1] and theirs[9:10] == _SIGNATURE[9:]
    if not signed or theirs[10] < 3 or theirs[12:32].rstrip(b"\0") != b"NULL":
        raise PeerFault("malformed", "it doesn't speak ZMTP 3 without encryption.")
    flags, body = _one(stream, _MAX_COMMAND)
    known = _properties(body) if flags == _COMMAND and body.startswith(_text(b"READY")) else {}
    if known.get(b"socket-type") not in _PARTNERS[kind]:
        raise PeerFault("malformed", "it is no socket of ZeroMQ that goes with ours.")


def send(stream: Stream, data: bytes, *, delimited: bool) -> None:
    """Send one message."""
    stream.write((_frame(_MORE, b"") if delimited else b"") + _frame(0, data))
    stream.flush()


def receive(stream: Stream, limit: int) -> Message:
    """Return the next message; PeerFault("malformed" | "oversize" | "closed")."""
    flags, data = _part(stream, limit)
    if flags & _MORE and not data:
        flags, data = _part(stream, limit)
        if not flags & _MORE:
            return Message(data, delimited=True)
    if flags & _MORE:
        raise PeerFault("malformed", "a message of more parts than one.")
    return Message(data, delimited=False)


def _part(stream: Stream, limit: int) -> tuple[int, bytes]:
    for _ in range(_MAX_COMMANDS):
        flags, data = _one(stream, limit)
        if not flags & _COMMAND:
            return flags, data
    raise PeerFault("malformed", "nothing but commands.")


def _one(stream: Stream, limit: int) -> tuple[int, bytes]:
    flags = _read(stream, 1)[0]
    if flags & ~(_MORE | _LONG | _COMMAND) or (flags & _COMMAND and flags & _MORE):
        raise PeerFault("malformed", "a frame that ZMTP does not have.")
    size = int.from_bytes(_read(stream, 8 if flags & _LONG else 1), "big")
    if size > limit:
        raise PeerFault("oversize", f"{size} bytes where at most {limit} are allowed.")
    return flags & ~_LONG, _read(stream, size)


def _read(stream: Stream, count: int) -> bytes:
    data = stream.read(count) if count else b""
    if len(data) < count:
        raise PeerFault("closed", "it hung up.")
    return data


def _frame(flags: int, body: bytes) -> bytes:
    if len(body) > 255:
        return bytes([flags | _LONG]) + len(body).to_bytes(8, "big") + body
    return bytes([flags, len(body)]) + body


def _text(text: bytes) -> bytes:
    return bytes([len(text)]) + text


def _property(name: bytes, value: bytes) -> bytes:
    return _text(name) + len(value).to_bytes(4, "big") + value


def _properties(ready: bytes) -> dict[bytes, bytes]:
    found, at = {}, 1 + ready[0]
    while at < len(ready):
        name = ready[at + 1 : at + 1 + ready[at]]
        at += 1 + len(name)
        size = int.from_bytes(ready[at : at + 4], "big")
        found[name.lower()] = ready[at + 4 : at + 4 + size]
        at += 4 + size
    return found
