# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What replicas say to each other. A message's sender is whoever sealed it, never a field.

Certificates within messages are the sealed messages themselves, so that they convince anybody.
"""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import Meta

from swarm_ledger.encoding import DIGEST_HEAD, Count, Record, decode, digest, encode, read_int

MAX_BATCH = 256
MAX_REPLICAS = 128
MAX_WINDOW = 256
MAX_MESSAGE_BYTES = 1 << 22
MAX_REQUEST_BYTES = 65_534
MAX_BATCH_BYTES = 1 << 21
"""Bytes of all bodies of a batch, so that it can be handed on with its commits as one message."""

Digest = Annotated[bytes, Meta(min_length=32, max_length=32)]
View = Count
Seq = Count
Millis = Count
Raw = Annotated[bytes, Meta(min_length=1, max_length=MAX_MESSAGE_BYTES)]
Body = Annotated[bytes, Meta(min_length=1, max_length=MAX_REQUEST_BYTES)]


class Batch(Record, frozen=True):
    """What one sequence number orders: requests by digest, and the leader's clock.

    A null batch (no requests, time 0) fills a gap that a view change left (1999, 4.4).
    """

    seq: Seq
    time_ms: Millis
    requests: Annotated[tuple[Digest, ...], Meta(max_length=MAX_BATCH)]

    def digest(self) -> bytes:
        """Return the 32 bytes that prepares and commits agree on; the same in every view."""
        return digest(encode(self))


class PrePrepare(Record, tag=1, frozen=True):
    """The leader of `view` assigns a batch to its sequence number (1999, 4.2)."""

    view: View
    batch: Batch


class Prepare(Record, tag=2, frozen=True):
    """A backup accepted that assignment. The leader's pre-prepare stands for its own."""

    view: View
    seq: Seq
    digest: Digest


class Commit(Record, tag=3, frozen=True):
    """The sender holds a prepared certificate for this batch."""

    view: View
    seq: Seq
    digest: Digest


class Checkpoint(Record, tag=4, frozen=True):
    """The sender applied everything up to `seq`; its log then has this size and root.

    cosignature: u64be time, Ed25519 signature (C2SP cosignature/v1), 72 bytes: a quorum of these
    is both PBFT's stable checkpoint (1999, 4.3) and the light client's certificate.
    """

    seq: Seq
    size: Annotated[int, Meta(ge=1, lt=2**53)]
    root: Digest
    cosignature: Annotated[bytes, Meta(min_length=72, max_length=72)]


class Prepared(Record, frozen=True):
    """A prepared certificate: a pre-prepare and matching prepares, all sealed."""

    pre_prepare: Raw
    prepares: Annotated[tuple[Raw, ...], Meta(max_length=MAX_REPLICAS)]


class ViewChange(Record, tag=5, frozen=True):
    """The sender wants `view`, and shows all that may have committed before (1999, 4.4).

    stable: its last stable checkpoint, with the sealed Checkpoint messages that prove it.
    """

    view: View
    stable: Seq
    proof: Annotated[tuple[Raw, ...], Meta(max_length=MAX_REPLICAS)]
    prepared: Annotated[tuple[Prepared, ...], Meta(max_length=MAX_WINDOW)]


class NewView(Record, tag=6, frozen=True):
    """The leader of `view` opens it with a quorum of view changes, from which all else follows.

    view_changes: digests of their sealed bytes (2002, 4.5.2): with the bytes themselves, large
    swarms would outgrow any message.
    """

    view: View
    view_changes: Annotated[tuple[Digest, ...], Meta(max_length=MAX_REPLICAS)]


class Status(Record, tag=8, frozen=True):
    """Where the sender is, repeated, so that lost messages are noticed."""

    view: View
    applied: Seq
    stable: Seq


class Fetch(Record, tag=9, frozen=True):
    """Asks for the blocks from `seq` on."""

    seq: Seq


class Want(Record, tag=10, frozen=True):
    """Asks for what was named by its digest: bodies of requests, or view changes."""

    requests: Annotated[tuple[Digest, ...], Meta(min_length=1, max_length=MAX_BATCH)]


class Committed(Record, tag=11, frozen=True):
    """One decided batch with its bodies, and the sealed commits that prove it."""

    seq: Seq
    time_ms: Millis
    bodies: Annotated[tuple[Body, ...], Meta(max_length=MAX_BATCH)]
    commits: Annotated[tuple[Raw, ...], Meta(max_length=MAX_REPLICAS)]


Message = (
    PrePrepare
    | Prepare
    | Commit
    | Checkpoint
    | ViewChange
    | NewView
    | Status
    | Fetch
    | Want
    | Committed
)

BINDING = (PrePrepare, Prepare, Commit, Checkpoint, ViewChange, NewView)
"""What only members say, and no honest one ever contradicts."""

_PHASES: dict[bytes, type[Prepare] | type[Commit]] = {b"\x84\x02": Prepare, b"\x84\x03": Commit}
"""By how they begin: an array of four, and the tag."""

M_co = TypeVar("M_co", bound=Message, covariant=True)


class Signed(msgspec.Struct, Generic[M_co], frozen=True):
    """A message whose signature was checked. sender: its identifier; raw: the sealed bytes."""

    sender: int
    message: M_co
    raw: bytes


def parse(payload: bytes) -> Message:
    """Parse the payload of a sealed consensus message; PeerFault if it is none."""
    message: Message | None = _parse_usual(payload)
    if message is None:
        message = decode(payload, Message, limit=MAX_MESSAGE_BYTES)
    return message


def _parse_usual(data: bytes) -> Prepare | Commit | None:
    """Read a prepare or a commit by its one encoding, field by field; None if it is neither.

    Almost all that replicas say is one of these.
    """
    phase = _PHASES.get(data[:2])
    if phase is None:
        return None
    try:
        view, at = read_int(data, 2)
        seq, at = read_int(data, at)
    except (ValueError, IndexError):
        return None
    head, named = data[at : at + 2], data[at + 2 :]
    if head != DIGEST_HEAD or len(named) != 32 or not (0 <= view < 2**53 and 0 <= seq < 2**53):
        return None
    return phase(view, seq, named)
