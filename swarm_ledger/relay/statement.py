# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What is signed about a message, and the forms in which the signature travels."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import Meta

from swarm_ledger.encoding import DIGEST_HEAD, Record, decode, digest, encode, read_int
from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.ledger.merkle import HASH_SIZE, leaf_hash

MAX_DATA_BYTES = 1 << 22
MAX_SEALED_BYTES = 2048
"""The longest statement, its signature, its path and a delegation fit into that."""

MAX_WINDOW = 256
MAX_WINDOW_PATH = 8

RUN_BITS, NUMBER_BITS = 32, 21
"""A sequence number is run << NUMBER_BITS | number, so that it stays below 2**53."""

TOPIC = r"(/[A-Za-z_][A-Za-z0-9_]*)+"
"""A regular expression for fully qualified topics."""

WINDOWS = ""
"""The topic under which windows themselves are numbered: no real one has that name."""

_Topic = Annotated[str, Meta(pattern=rf"\A{TOPIC}\Z", max_length=255)]
_Type = Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_]*/msg/[A-Z][A-Za-z0-9]*\Z", max_length=255)]
_TypeHash = Annotated[str, Meta(pattern=r"\A(RIHS01_[0-9a-f]{64})?\Z")]
_END = 2 ** (RUN_BITS + NUMBER_BITS)
SequenceNumber = Annotated[int, Meta(ge=1, lt=_END)]
_Hash = Annotated[bytes, Meta(min_length=HASH_SIZE, max_length=HASH_SIZE)]
_Stamp = Annotated[int, Meta(ge=1, lt=_END)]
_Names = tuple[_Topic, _Type, _TypeHash]

_TOPICS = 4096
"""Whose names are remembered, as they are encoded."""
_CARRIED = bytes([Kind.CARRIED])
_LONG, _MIDDLE = struct.Struct(">BQ"), struct.Struct(">BI")


class Statement(Record, frozen=True, tag=1):
    """What a drone says about one message.

    topic: fully qualified; type_hash: REP 2016's, empty where there is none; sequence: unique for
    its key and topic, see run_of(); stamp_us: when it was heard, POSIX microseconds by the
    drone's clock; sha256: of the message in CDR.
    """

    topic: _Topic
    type_name: _Type
    type_hash: _TypeHash
    sequence: SequenceNumber
    stamp_us: _Stamp
    sha256: _Hash

    def encoded(self) -> bytes:
        """Return the one encoding of a statement, put together: of a topic's, most is the same.

        PeerFault("malformed") for names that no statement has.
        """
        names = named(self.topic, self.type_name, self.type_hash)
        numbers = _number(self.sequence) + _number(self.stamp_us)
        return names + numbers + DIGEST_HEAD + self.sha256

    @property
    def leaf(self) -> bytes:
        """Its leaf in the tree of a window (RFC 6962, 2.1)."""
        return leaf_hash(self.encoded())


class Window(Record, frozen=True, tag=1):
    """What a drone says about several messages at once. root: over their statements' leaves.

    sequence: as a statement's, as if windows were a topic of their own.
    """

    sequence: SequenceNumber
    size: Annotated[int, Meta(ge=1, le=MAX_WINDOW)]
    root: _Hash


class Windowed(Record, frozen=True):
    """Ties one message to a window. window: the sealed Window; index: its leaf."""

    window: Annotated[bytes, Meta(max_length=MAX_SEALED_BYTES)]
    index: Annotated[int, Meta(ge=0, lt=MAX_WINDOW)]
    path: Annotated[tuple[_Hash, ...], Meta(max_length=MAX_WINDOW_PATH)]


class Notarised(msgspec.Struct, frozen=True):
    """A message with its signature, as it travels: the fields of swarm_interfaces/SignedMessage.

    data: the message in CDR; sealed: the envelope's data; swarm_id, epoch: the envelope's, only
    told. Not verified, and not even well formed, until a Verifier says so.
    """

    topic: str
    type_name: str
    type_hash: str
    sequence: int
    stamp_us: int
    data: bytes
    swarm_id: str
    epoch: int
    sealed: bytes

    def statement(self) -> Statement:
        """Return what its fields claim; PeerFault("malformed") if that is no statement."""
        named(self.topic, self.type_name, self.type_hash)
        sequence, stamp_us = self.sequence, self.stamp_us
        if not (1 <= sequence < _END and 1 <= stamp_us < _END):
            what = f"its fields are no statement: number {sequence}, stamp {stamp_us}."
            raise PeerFault("malformed", what)
        if not number_of(sequence):
            raise PeerFault("malformed", "the numbers of a run begin at 1.")
        sha256 = digest(self.data)
        return Statement(self.topic, self.type_name, self.type_hash, sequence, stamp_us, sha256)


@lru_cache(_TOPICS)
def named(topic: str, type_name: str, type_hash: str) -> bytes:
    """Return how the encoding of a statement with these names begins.

    PeerFault("malformed") for names that no statement has.
    """
    try:
        msgspec.convert((topic, type_name, type_hash), _Names)
        return b"\x87\x01" + b"".join(map(encode, (topic, type_name, type_hash)))
    except (msgspec.ValidationError, Misuse) as error:
        raise PeerFault("malformed", f"its fields are no statement: {error}.") from error


def _number(value: int) -> bytes:
    """Return a number as encode() does: nearly all of a statement's are large."""
    if value >> 32:
        return _LONG.pack(0x1B, value)
    return _MIDDLE.pack(0x1A, value) if value >> 16 else encode(value)


def run_of(sequence: int) -> int:
    """Return the run that a sequence number belongs to: it grows with each start of a relay."""
    return sequence >> NUMBER_BITS


def number_of(sequence: int) -> int:
    """Return the number within the run: 1, 2, ... for each topic; a gap is a lost message."""
    return sequence & (1 << NUMBER_BITS) - 1


def sequence_of(run: int, number: int) -> int:
    """Return the sequence number of a run's number; Misuse outside of their ranges."""
    if not (0 <= run < 1 << RUN_BITS and 1 <= number < 1 << NUMBER_BITS):
        raise Misuse(f"run {run}, number {number} has no sequence number.")
    return run << NUMBER_BITS | number


def micros(sec: int, nanosec: int) -> int:
    """Return a ROS stamp in POSIX microseconds; PeerFault("malformed") for a fraction of one.

    Else a stamp would have a thousand forms with one signature.
    """
    if nanosec % 1_000:
        raise PeerFault("malformed", f"a stamp with {nanosec} ns isn't in whole microseconds.")
    return sec * 1_000_000 + nanosec // 1_000


_PATHS = {
    0x80 + length: struct.Struct(f"2s{HASH_SIZE}s" * length)
    for length in range(MAX_WINDOW_PATH + 1)
}
"""An array of hashes, by how it begins."""


def parse_windowed(data: bytes) -> Windowed:
    """Return what decode() does of a Windowed, sooner; PeerFault("malformed" | "oversize")."""
    if len(data) > MAX_SEALED_BYTES:
        raise PeerFault("oversize", f"{len(data)} bytes where {MAX_SEALED_BYTES} are allowed.")
    try:
        if data[0] != 0x83:
            raise _not_windowed()
        window, at = _bytes_at(data, 1)
        index, at = read_int(data, at)
        if not 0 <= index < MAX_WINDOW:
            raise _not_windowed()
        parts = _PATHS[data[at]].unpack(data[at + 1 :])
    except (LookupError, ValueError, struct.error) as error:
        raise _not_windowed() from error
    if parts[::2].count(DIGEST_HEAD) != len(parts) // 2:
        raise _not_windowed()
    return Windowed(window, index, parts[1::2])


def _bytes_at(data: bytes, at: int) -> tuple[bytes, int]:
    """Return the bytes that are encoded at a place, in the shortest way, and where they end."""
    head = data[at]
    if head == 0x58 and data[at + 1] >= 24:
        begin, size = at + 2, data[at + 1]
    elif head == 0x59 and data[at + 1]:
        begin, size = at + 3, data[at + 1] << 8 | data[at + 2]
    elif 0x40 <= head < 0x58:
        begin, size = at + 1, head - 0x40
    else:
        raise _not_windowed()
    return data[begin : begin + size], begin + size


def _not_windowed() -> PeerFault:
    return PeerFault("malformed", "not the one encoding of a message's place in a window.")


def with_delegation(delegation: bytes, sealed: bytes) -> bytes:
    """Return sealed bytes together with the delegation of the session that signed them."""
    return _CARRIED + encode([delegation, sealed])


def split_delegation(sealed: bytes) -> tuple[bytes, bytes]:
    """Return the delegation that came along, empty if none did, and what it was put in front of.

    Raises PeerFault "malformed" or "oversize".
    """
    if sealed[:1] != _CARRIED:
        return b"", sealed
    pair: tuple[bytes, bytes] = decode(sealed[1:], tuple[bytes, bytes], limit=MAX_SEALED_BYTES)
    return pair
