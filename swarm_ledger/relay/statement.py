# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What is signed about a message, and the forms in which the signature travels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

from swarm_ledger.encoding import Record, decode, digest, encode
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
SequenceNumber = Annotated[int, Meta(ge=1, lt=2 ** (RUN_BITS + NUMBER_BITS))]
_Hash = Annotated[bytes, Meta(min_length=HASH_SIZE, max_length=HASH_SIZE)]


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
    stamp_us: Annotated[int, Meta(ge=1, lt=2**53)]
    sha256: _Hash

    @property
    def leaf(self) -> bytes:
        """Its leaf in the tree of a window (RFC 6962, 2.1)."""
        return leaf_hash(encode(self))


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


@dataclass(frozen=True, slots=True)
class Notarised:
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
        claimed = [
            1,
            self.topic,
            self.type_name,
            self.type_hash,
            self.sequence,
            self.stamp_us,
            digest(self.data),
        ]
        try:
            statement = msgspec.convert(claimed, Statement, builtin_types=(bytes,))
        except msgspec.ValidationError as error:
            raise PeerFault("malformed", f"its fields are no statement: {error}.") from error
        if not number_of(statement.sequence):
            raise PeerFault("malformed", "the numbers of a run begin at 1.")
        return statement


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


def with_delegation(delegation: bytes, sealed: bytes) -> bytes:
    """Return sealed bytes together with the delegation of the session that signed them."""
    return bytes([Kind.CARRIED]) + encode([delegation, sealed])


def split_delegation(sealed: bytes) -> tuple[bytes, bytes]:
    """Return the delegation that came along, empty if none did, and what it was put in front of.

    Raises PeerFault "malformed" or "oversize".
    """
    if sealed[:1] != bytes([Kind.CARRIED]):
        return b"", sealed
    pair: tuple[bytes, bytes] = decode(sealed[1:], tuple[bytes, bytes], limit=MAX_SEALED_BYTES)
    return pair
