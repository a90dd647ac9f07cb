# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a replica hands out: effects as data, in the order in which they must happen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from swarm_ledger.consensus.messages import (
    BINDING,
    Batch,
    Checkpoint,
    Commit,
    Message,
    Prepare,
    PrePrepare,
    Signed,
)
from swarm_ledger.encoding import digest
from swarm_ledger.errors import PeerFault

ALWAYS = 2**53 - 1
"""The journal position of records that no checkpoint makes obsolete, only their successors."""


@dataclass(frozen=True, slots=True)
class Journaled:
    """Sealed bytes that must be on disk before anything of the same Ready is sent.

    seq, view, tag, sender: the record's key; a later record with the same key replaces it, and
    those below a stable checkpoint's sequence number may be deleted.
    """

    seq: int
    view: int
    tag: int
    sender: int
    raw: bytes


def journaled(signed: Signed[Message]) -> Journaled:
    """Return the journal record of a message that binds its sender or proves what it prepared."""
    message = signed.message
    seq, view = ALWAYS, 0
    if isinstance(message, PrePrepare):
        seq, view = message.batch.seq, message.view
    elif isinstance(message, (Prepare, Commit)):
        seq, view = message.seq, message.view
    elif isinstance(message, Checkpoint):
        seq = message.seq
    tag = cast(int, message.__struct_config__.tag)
    return Journaled(seq, view, tag, signed.sender, signed.raw)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message of our own: seal it, journal it if it is to be kept, send it, and step() it back.

    to: a member's identifier, or None for all others. kept: journaled before it is sent, as a
    restart could contradict it.
    """

    message: Message
    to: int | None = None
    kept: bool = False

    @property
    def binding(self) -> bool:
        """Whether only members say it, and no honest one ever contradicts it."""
        return isinstance(self.message, BINDING)


@dataclass(frozen=True, slots=True)
class Resend:
    """Sealed bytes to send again as they are. to: a member, or None for all others."""

    raw: bytes
    to: int | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """A batch that is committed, to be applied now, in order, exactly once.

    bodies: the requests' bytes in order; commits: sealed commits of a quorum.
    """

    seq: int
    time_ms: int
    bodies: tuple[bytes, ...]
    commits: tuple[bytes, ...]

    def batch(self) -> Batch:
        """Return what was agreed on."""
        return Batch(self.seq, self.time_ms, tuple(digest(body) for body in self.bodies))


@dataclass(frozen=True, slots=True)
class Stable:
    """A checkpoint that a quorum has cosigned. votes: the messages, by ascending sender."""

    checkpoint: Checkpoint
    votes: tuple[Signed[Checkpoint], ...]


@dataclass(frozen=True, slots=True)
class Serve:
    """A peer asks for blocks from `seq` on; they are in the ledger, not here."""

    to: int
    seq: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two sealed statements of one replica that no honest replica makes both of."""

    culprit: int
    first: bytes
    second: bytes


@dataclass
class Ready:
    """Everything that has to happen next: journal, then send, then apply."""

    journal: list[Journaled] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    send: list[Outgoing] = field(default_factory=list)
    resend: list[Resend] = field(default_factory=list)
    apply: list[Decided] = field(default_factory=list)
    stable: list[Stable] = field(default_factory=list)
    serve: list[Serve] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    faults: list[tuple[int, PeerFault]] = field(default_factory=list)
    """Faults found in messages that had been set aside: the sender, and what was wrong."""

    def __bool__(self) -> bool:
        return bool(
            self.send
            or self.resend
            or self.apply
            or self.journal
            or self.bodies
            or self.stable
            or self.serve
            or self.evidence
            or self.faults
        )
