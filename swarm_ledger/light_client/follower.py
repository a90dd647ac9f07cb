# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A client that trusts the operators' root and nothing else, and never goes back.

root.json → later roots → the roster (TUF) → session keys (delegations) → a quorum's cosignatures →
the checkpoint, consistent with the last one → the entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median_low

from swarm_ledger.encoding import decode, digest, encode
from swarm_ledger.envelope import Kind, Opener
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity.trust import Proven, Roots
from swarm_ledger.ledger.checkpoint import Checkpoint
from swarm_ledger.ledger.merkle import leaf_hash, verify_consistency, verify_inclusion
from swarm_ledger.ledger.note import Note
from swarm_ledger.ledger.policy import CheckedNote
from swarm_ledger.light_client.messages import (
    MAX_STATE_BYTES,
    Answer,
    ByIndex,
    ByNumber,
    ByQuestion,
    Request,
    StateFile,
    Wanted,
)
from swarm_ledger.light_client.policies import policy_file, policy_of
from swarm_ledger.light_client.proof_file import VerifiedEntry
from swarm_ledger.voting.decision import parse_settled


@dataclass(frozen=True)
class Head:
    """A checkpoint that holds by the root alone, with all that shows it.

    proven: the roster whose members cosigned it; opener: knows their sessions; note: as it came.
    """

    proven: Proven
    opener: Opener
    delegations: tuple[bytes, ...]
    note: bytes
    checked: CheckedNote

    @property
    def checkpoint(self) -> Checkpoint:
        """The log's size and root."""
        return self.checked.checkpoint

    @property
    def epoch(self) -> int:
        """The roster's version."""
        return self.proven.roster.version

    @property
    def cosigned_s(self) -> int:
        """When it was cosigned, POSIX seconds: the median of what the cosigners claim."""
        witnesses = policy_of(self.opener).witnesses
        keys = [witnesses[name] for name in self.checked.witnesses]
        known = {(key.name, key.key_id) for key in keys}
        lines = Note.parse(self.note).signatures
        return median_low(line.time for line in lines if (line.name, line.key_id) in known)

    @property
    def policy(self) -> bytes:
        """The policy file by which anybody can check the note; the roster is needed besides."""
        return policy_file(self.opener)


class Forked(NotVerified):
    """Two cosigned checkpoints do not fit together; keep both, they are evidence.

    certain: both are of one size, so that whoever cosigned both has lied. Else it may be that only
    the proof between them is wrong, and nobody but the server has. kept: where a caller has put
    them, once it has.
    """

    def __init__(self, what: str, known: Head, claimed: Head) -> None:
        self.known, self.claimed = known, claimed
        self.certain = known.checkpoint.size == claimed.checkpoint.size
        remedy = "Bring both to the operators." if self.certain else "Ask another server as well."
        self.kept = ""
        super().__init__(what, where="fork", remedy=remedy)


def request_for(wanted: Wanted, known: Head | None) -> Request:
    """Return what to ask, given the last verified checkpoint."""
    if known is None:
        return Request(wanted)
    return Request(wanted, known.checkpoint.size, known.checkpoint.root, known.epoch)


def follow(root: bytes, known: Head | None, answer: Answer, now: datetime) -> Head:
    """Return the checkpoint that an answer leads to; raises NotVerified, naming the step.

    root: root.json, believed as it is; known: the last verified checkpoint, if there was one. The
    entry is not looked at: see `entry_of`. Raises Forked for two checkpoints that don't fit.
    """
    proven = _roster(root, known, answer)
    proven.check_current(now)
    if not answer.note:
        return _the_same(known, answer)
    head = _head(proven, answer.delegations, answer.note)
    if known is None:
        if answer.consistency:
            raise NotVerified("there is nothing to be consistent with", where="consistency proof")
        return head
    _goes_on(known, head, answer)
    return head


def entry_of(head: Head, wanted: Wanted, answer: Answer) -> VerifiedEntry:
    """Return the entry in an answer, if it stands under that checkpoint and was asked for.

    Raises NotVerified.
    """
    stated = head.checkpoint
    leaf = leaf_hash(answer.entry)
    verify_inclusion(leaf, answer.index, stated.size, answer.path, stated.root)
    _check_wanted(wanted, answer)
    signers = head.checked.witnesses
    return VerifiedEntry(answer.index, stated.size, answer.entry, stated, signers)


def save(root: bytes, head: Head) -> bytes:
    """Return what a client keeps of a checkpoint."""
    version = head.proven.version
    parts = (version.targets, version.roster.raw, *version.roots)
    return encode(StateFile(digest(root), parts, head.delegations, head.note))


def load(root: bytes, raw: bytes) -> Head:
    """Return the checkpoint that was kept, verified anew but for the roster's expiry.

    Raises Misuse where it is of another root, NotVerified where it is damaged.
    """
    try:
        kept: StateFile = decode(raw, StateFile, limit=MAX_STATE_BYTES)
    except PeerFault as fault:
        raise NotVerified(fault.what, where="state") from fault
    if kept.root != digest(root):
        raise Misuse(
            "the state was made with another root.json.",
            remedy="Give that root, or a state file of its own to this one.",
        )
    return _head(_proven(root, kept.roster), kept.delegations, kept.note)


def _proven(root: bytes, parts: Sequence[bytes]) -> Proven:
    if len(parts) < 2:
        raise NotVerified("it comes without its metadata", where="roster")
    targets, roster, *roots = parts
    return Roots(root, roots).verify(targets, roster)


def _roster(root: bytes, known: Head | None, answer: Answer) -> Proven:
    """Return the roster that rules, never one before the known one (TUF 5.3.5, 5.6.3)."""
    if not answer.roster:
        if known is None:
            raise NotVerified("there is none, and none is known", where="roster")
        return known.proven
    proven = _proven(root, answer.roster)
    if known is None:
        return proven
    old, new = known.proven.roster, proven.roster
    if new.swarm_id != old.swarm_id:
        raise NotVerified(f"it is of {new.swarm_id}, not of {old.swarm_id}", where="roster")
    if new.version < old.version:
        raise NotVerified(f"version {new.version} is over, {old.version} is known", where="roster")
    if new.version == old.version and new.raw != old.raw:
        raise NotVerified(f"another version {new.version} is known", where="roster")
    if not proven.roots.follows(known.proven.roots):
        raise NotVerified("its operators don't follow those that are known", where="roster")
    return proven


def _the_same(known: Head | None, answer: Answer) -> Head:
    if known is None:
        raise NotVerified("there is none, and none is known", where="checkpoint")
    if answer.roster or answer.delegations or answer.consistency:
        raise NotVerified("it is not there, and what belongs to it is", where="checkpoint")
    return known


def _head(proven: Proven, delegations: Sequence[bytes], note: bytes) -> Head:
    opener = Opener(proven.roster)
    for raw in delegations:
        try:
            opener.add_session(raw)
        except PeerFault as fault:
            raise NotVerified(fault.what, where="delegation") from fault
    return Head(proven, opener, tuple(delegations), note, policy_of(opener).examine(note))


def _goes_on(known: Head, head: Head, answer: Answer) -> None:
    """Raise NotVerified unless a checkpoint's log is the known one, and not shorter."""
    before, stated = known.checkpoint, head.checkpoint
    if stated.size < before.size:
        raise NotVerified(
            f"{stated.size} entries, and {before.size} are known: it was rolled back",
            where="checkpoint",
            remedy="Ask a server that is further ahead.",
        )
    try:
        verify_consistency(before.size, stated.size, answer.consistency, before.root, stated.root)
    except NotVerified as error:
        told = (
            f"two logs of {stated.size} entries are cosigned"
            if stated.size == before.size
            else f"{stated.size} entries don't go on from the {before.size} known ({error.what})"
        )
        raise Forked(told, known, head) from error


def _check_wanted(wanted: Wanted, answer: Answer) -> None:
    """Raise NotVerified for a true entry that is another one than was asked for."""
    if isinstance(wanted, ByIndex):
        if answer.index != wanted.index:
            raise NotVerified(f"it is entry {answer.index}, not {wanted.index}", where="entry")
        return
    if answer.entry[:1] != bytes([Kind.DECISION]):
        raise NotVerified("it is not a decision", where="entry")
    try:
        decision = parse_settled(answer.entry[1:]).decision
    except PeerFault as fault:
        raise NotVerified(fault.what, where="entry") from fault
    if isinstance(wanted, ByNumber) and decision.number != wanted.number:
        raise NotVerified(f"it is decision {decision.number}", where="entry")
    if isinstance(wanted, ByQuestion) and decision.question != wanted.question:
        raise NotVerified("it answers another question", where="entry")
