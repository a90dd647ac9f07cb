# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Certificates: pure checks that a set of signed messages proves what it is said to prove.

Each checks that the signers differ and that all statements agree in view, sequence and digest:
leaving out any one of these is a known way to lose agreement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from swarm_ledger.consensus.messages import (
    Batch,
    Checkpoint,
    Commit,
    Message,
    Prepare,
    Prepared,
    PrePrepare,
    Signed,
    ViewChange,
)
from swarm_ledger.consensus.settings import Settings
from swarm_ledger.errors import PeerFault

Open = Callable[[bytes], Signed[Message]]
"""Checks the signature of sealed bytes, once; raises PeerFault."""

MessageT = TypeVar("MessageT", bound=Message)


@dataclass(frozen=True, slots=True)
class PreparedCertificate:
    """A batch that a quorum prepared in `view`: it may have committed there (1999, 4.2)."""

    view: int
    batch: Batch
    pre_prepare: Signed[PrePrepare]
    prepares: tuple[Signed[Prepare], ...]

    def wire(self) -> Prepared:
        """Return the form in which it travels within a view change."""
        return Prepared(self.pre_prepare.raw, tuple(signed.raw for signed in self.prepares))


def open_as(raw: bytes, form: type[MessageT], open_: Open) -> Signed[MessageT]:
    """Open sealed bytes that must hold a message of one type."""
    signed: Signed[Any] = open_(raw)
    if not isinstance(signed.message, form):
        raise PeerFault("bad_certificate", f"holds a {type(signed.message).__name__}.")
    return signed


def distinct(senders: Iterable[int], settings: Settings, what: str) -> None:
    """Raise PeerFault unless the senders are a quorum of different members."""
    listed = list(senders)
    if len(set(listed)) != len(listed):
        raise PeerFault("bad_certificate", f"{what}: a signer stands twice.")
    if not set(listed) <= set(settings.members):
        raise PeerFault("bad_certificate", f"{what}: a signer is not a member in this epoch.")
    if len(listed) < settings.quorum:
        raise PeerFault(
            "bad_certificate", f"{what}: {len(listed)} signers, {settings.quorum} needed."
        )


def check_prepared(wire: Prepared, settings: Settings, open_: Open) -> PreparedCertificate:
    """Check a prepared certificate: its leader's pre-prepare and a quorum less one of prepares."""
    pre_prepare = open_as(wire.pre_prepare, PrePrepare, open_)
    view, batch = pre_prepare.message.view, pre_prepare.message.batch
    leader = settings.leader(view)
    if pre_prepare.sender != leader:
        raise PeerFault("bad_certificate", "a pre-prepare by one who does not lead its view.")
    digest = batch.digest()
    prepares = tuple(open_as(raw, Prepare, open_) for raw in wire.prepares)
    for signed in prepares:
        prepare = signed.message
        if (prepare.view, prepare.seq, prepare.digest) != (view, batch.seq, digest):
            raise PeerFault("bad_certificate", "a prepare for another batch or view.")
    distinct([leader, *(signed.sender for signed in prepares)], settings, "prepared")
    return PreparedCertificate(view, batch, pre_prepare, prepares)


def check_stable(
    seq: int, proof: Iterable[bytes], settings: Settings, open_: Open
) -> tuple[Signed[Checkpoint], ...]:
    """Check the proof of a stable checkpoint: a quorum of Checkpoint messages over one root."""
    votes = tuple(open_as(raw, Checkpoint, open_) for raw in proof)
    if seq == settings.base:
        if votes:
            raise PeerFault("bad_certificate", "where an epoch begins, nothing is to be proven.")
        return votes
    statements = {(vote.message.seq, vote.message.size, vote.message.root) for vote in votes}
    if len(statements) != 1 or next(iter(statements))[0] != seq:
        raise PeerFault("bad_certificate", "the checkpoint proof is not over one root.")
    distinct((vote.sender for vote in votes), settings, "checkpoint")
    return votes


def check_commits(
    batch_digest: bytes, seq: int, commits: Iterable[bytes], settings: Settings, open_: Open
) -> tuple[bytes, ...]:
    """Check a commit certificate: a quorum of commits for one batch, of one view.

    Returns it in the one form in which it is kept: exactly a quorum, by ascending sender.
    """
    opened = [open_as(raw, Commit, open_) for raw in commits]
    for signed in opened:
        if (signed.message.seq, signed.message.digest) != (seq, batch_digest):
            raise PeerFault("bad_certificate", "a commit for another batch.")
    if len({signed.message.view for signed in opened}) > 1:
        raise PeerFault("bad_certificate", "commits of several views.")
    distinct((signed.sender for signed in opened), settings, "committed")
    opened.sort(key=lambda signed: signed.sender)
    return tuple(signed.raw for signed in opened[: settings.quorum])


@dataclass(frozen=True, slots=True)
class CheckedViewChange:
    """A view change all of whose certificates hold."""

    signed: Signed[ViewChange]
    stable: int
    proof: tuple[Signed[Checkpoint], ...]
    prepared: tuple[PreparedCertificate, ...]


def check_view_change(
    signed: Signed[ViewChange], settings: Settings, open_: Open
) -> CheckedViewChange:
    """Check all that a view change carries (1999, 4.4: the sets C and P)."""
    message = signed.message
    most = max((len(wire.prepares) for wire in message.prepared), default=0)
    if len(message.prepared) > settings.window or max(most, len(message.proof)) > settings.n:
        raise PeerFault("bad_certificate", "more of it than an honest member could show.")
    proof = check_stable(message.stable, message.proof, settings, open_)
    prepared = tuple(check_prepared(wire, settings, open_) for wire in message.prepared)
    seqs = [certificate.batch.seq for certificate in prepared]
    if seqs != sorted(set(seqs)):
        raise PeerFault("bad_certificate", "prepared certificates out of order or twice.")
    if seqs and not message.stable < seqs[0] <= seqs[-1] <= message.stable + settings.window:
        raise PeerFault("bad_certificate", "a prepared certificate outside the watermarks.")
    if any(certificate.view >= message.view for certificate in prepared):
        raise PeerFault("bad_certificate", "prepared in a view that had not begun.")
    return CheckedViewChange(signed, message.stable, proof, prepared)


def carried_over(changes: Iterable[CheckedViewChange]) -> tuple[int, tuple[Batch, ...]]:
    """Compute what a new view starts with (1999, 4.4: the set O).

    Returns the highest stable checkpoint, and one batch for each sequence number after it up to
    the highest prepared one: that of the highest view that prepared it, or else a null batch.
    """
    listed = list(changes)
    low = max(change.stable for change in listed)
    best: dict[int, PreparedCertificate] = {}
    for change in listed:
        for certificate in change.prepared:
            seq = certificate.batch.seq
            if seq > low and (seq not in best or certificate.view > best[seq].view):
                best[seq] = certificate
    high = max(best, default=low)
    return low, tuple(
        best[seq].batch if seq in best else Batch(seq, 0, ()) for seq in range(low + 1, high + 1)
    )
