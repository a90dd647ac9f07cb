# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What drones tell without a signature of their own, held against what is signed.

Checkpoints prove themselves by their cosignatures; decisions, questions and statuses only repeat
what the ledger says. That can be had from the bag itself, or its proofs from attachments.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from swarm_ledger.audit.findings import Findings, Place
from swarm_ledger.audit.rebuild import Rebuilder
from swarm_ledger.audit.speech import Speech
from swarm_ledger.bags.attached import PROOF, PROOF_POLICY, PROOFS
from swarm_ledger.bags.form import Attachment
from swarm_ledger.bags.messages import CheckpointTold, DecisionTold, QuestionTold, StatusTold
from swarm_ledger.encoding import digest
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.ledger.policy import Policy
from swarm_ledger.light_client import verify_proof
from swarm_ledger.light_client.policies import check_policy_file, policy_of
from swarm_ledger.runtime.goal import rule_number
from swarm_ledger.voting.decision import Settled, parse_settled
from swarm_ledger.voting.observation import AnyObservation
from swarm_ledger.voting.question import AnyQuestion, Question

_T = TypeVar("_T")
_MOST = 1 << 14
"""Different claims that are kept to be compared in the end."""
_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Head:
    """A checkpoint that a quorum cosigned, where it was first told."""

    size: int
    root: bytes
    signers: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Told:
    """A decision as it was told, where it was first told so, and on what it rests.

    basis: "ledger" (rebuilt from the bag), "proof" (attached), "votes" (as recorded), or "".
    """

    told: DecisionTold
    place: Place
    basis: str = ""


@dataclass
class Claims:
    """Collects claims, each distinct one once; settle() judges them in the end.

    cut: whether the bag ends in the middle of its data, as is known in the end.
    """

    speech: Speech
    findings: Findings
    cut: bool = False
    heads: dict[int, Head] = field(default_factory=dict)
    decisions: dict[int, Told] = field(default_factory=dict)
    _notes: dict[bytes, tuple[CheckpointTold, Place]] = field(default_factory=dict)
    _told: dict[DecisionTold, Place] = field(default_factory=dict)
    _questions: dict[QuestionTold, Place] = field(default_factory=dict)
    _statuses: dict[StatusTold, Place] = field(default_factory=dict)
    asked: dict[bytes, AnyQuestion] = field(default_factory=dict)
    votes: dict[bytes, dict[int, int | None]] = field(default_factory=dict)

    def take(self, message: object, place: Place) -> None:
        """Take note of a message that tells something."""
        if isinstance(message, CheckpointTold):
            key = digest(repr(message).encode())
            if key not in self._notes and len(self._notes) < _MOST:
                self._notes[key] = message, place
        elif isinstance(message, DecisionTold):
            _note(self._told, message, place)
        elif isinstance(message, QuestionTold):
            _note(self._questions, message, place)
        elif isinstance(message, StatusTold):
            _note(self._statuses, message, place)

    def take_vote(self, voter: int, seen: AnyObservation) -> None:
        """Take note of a vote whose signature holds; one who says two things says nothing."""
        cast = self.votes.setdefault(seen.question, {})
        cast[voter] = seen.label if cast.get(voter, seen.label) == seen.label else None

    def settle(self, ledger: Rebuilder, attached: Iterable[Attachment]) -> None:
        """Judge all of it. attached: policies and proofs, which must hold as well."""
        policies = list(self._policies())
        proven = self._proven(attached)
        self._settle_notes(policies, ledger)
        self._settle_decisions(ledger, proven)
        self._settle_questions()
        self._settle_statuses(ledger)

    def _policies(self) -> Iterator[Policy]:
        for version in sorted(self.speech.openers, reverse=True):
            try:
                yield policy_of(self.speech.openers[version])
            except NotVerified:
                continue

    def _settle_notes(self, policies: list[Policy], ledger: Rebuilder) -> None:
        by_size = {size: (height, root) for height, (size, root) in ledger.ends.items()}
        for told, place in self._notes.values():
            head = self._head(told, policies, place)
            if head is None:
                continue
            known = self.heads.setdefault(head.size, head)
            if known.root != head.root:
                what = f"two logs: a quorum cosigned another root of size {head.size}."
                self.findings.add("fork", what, place)
            height, root = by_size.get(head.size, (0, b""))
            if root and (root, height) != (head.root, told.height):
                what = f"size {head.size} isn't what the votes in this bag lead to."
                self.findings.add("fork" if root != head.root else "checkpoint", what, place)
            elif not root and ledger.height and head.size > ledger.size and ledger.gap() is None:
                what = f"a quorum vouches for {head.size} entries; the bag leads to {ledger.size}."
                self.findings.add("missing_commits", what, place, careful=self.cut)
            elif not root and head.size < ledger.size:
                what = f"size {head.size} is not the end of a block."
                self.findings.add("checkpoint", what, place)

    def _head(self, told: CheckpointTold, policies: list[Policy], place: Place) -> Head | None:
        error = "no validators' sessions are in the bag, so nobody's cosignature can be checked."
        note = told.note.encode()
        for policy in policies:
            try:
                checked = policy.examine(note)
            except NotVerified as fault:
                error = str(fault) if policy is policies[0] else error
                continue
            stated = checked.checkpoint
            if (told.origin, told.size, told.root) != (stated.origin, stated.size, stated.root):
                what = f"a checkpoint says size {told.size}, and its note {stated.size}, or else."
                self.findings.add("checkpoint", what, place)
                return None
            if stated.origin != self.speech.trust.genesis.origin:
                self.findings.add("checkpoint", f"of another log, {stated.origin[:80]!r}.", place)
                return None
            return Head(stated.size, stated.root, checked.witnesses, place)
        self.findings.add("checkpoint", error, place, careful=not policies)
        return None

    def _proven(self, attached: Iterable[Attachment]) -> dict[int, tuple[Settled, int]]:
        """Return the decisions that attached proofs prove."""
        files = {one.name: one for one in attached if one.name.startswith(PROOFS)}
        found = {}
        for name, one in files.items():
            if not name.endswith(PROOF):
                continue
            place = Place(-1, one.log_ns, "", one.offset, name)
            own = files.get(name.removesuffix(PROOF) + PROOF_POLICY)
            try:
                policy = check_policy_file(own.data if own else b"", self.speech.trust)
                entry = verify_proof(policy, one.data)
                settled = parse_settled(entry.entry[1:])
            except (NotVerified, PeerFault, Misuse) as error:
                self.findings.add("attachment", f"{name[:80]}: {error}", place)
                continue
            known = self.heads.setdefault(
                entry.checkpoint.size,
                Head(entry.checkpoint.size, entry.checkpoint.root, entry.signers, place),
            )
            if known.root != entry.checkpoint.root:
                self.findings.add("fork", f"two logs of size {known.size}.", place)
            found[settled.decision.number] = settled, entry.index
        return found

    def _settle_decisions(self, ledger: Rebuilder, proven: dict[int, tuple[Settled, int]]) -> None:
        for told, place in self._told.items():
            known = ledger.decisions.get(told.number)
            basis = "ledger" if known else "proof"
            known = known or proven.get(told.number)
            if known is not None:
                wrong = _difference(told, *known)
            elif told.height <= ledger.height:
                wrong, basis = f"there is no decision {told.number} by that height", "ledger"
            else:
                basis, wrong = self._by_votes(told)
            if wrong:
                self.findings.add("decision", f"decision {told.number}: {wrong}.", place)
                continue
            if not basis:
                what = f"decision {told.number} rests on nothing in this bag."
                self.findings.add("unproven_decision", what, place, careful=True)
            first = self.decisions.setdefault(told.number, Told(told, place, basis))
            if first.told != told:
                what = f"decision {told.number} was told in two ways."
                self.findings.add("decision", what, place)
        for number, (settled, index) in proven.items():
            rebuilt = ledger.decisions.get(number)
            if rebuilt is not None and rebuilt != (settled, index):
                self.findings.add("fork", f"decision {number} was proven to be another one.")

    def _by_votes(self, told: DecisionTold) -> tuple[str, str]:
        """Hold a decision against the votes on its question, as they were recorded."""
        asked = self.asked.get(told.question)
        if asked is None:
            return "", ""
        cast = list(self.votes.get(told.question, {}).values())
        labels = labels_of(asked)
        if len(told.counts) != len(labels):
            return "votes", "it counts other labels than were asked for"
        for label, (name, count) in enumerate(zip(labels, told.counts, strict=True)):
            if count > cast.count(label):
                return (
                    "votes",
                    f"it counts {count} for {name}, and {cast.count(label)} are recorded",
                )
        return "votes", ""

    def _settle_questions(self) -> None:
        for told, place in self._questions.items():
            asked = self.asked.get(told.question)
            if asked is None:
                what = f"question {told.question.hex()[:16]} isn't in the bag as it was signed."
                self.findings.add("unproven_question", what, place, careful=True)
                continue
            same = (
                told.subject == asked.subject
                and told.labels == labels_of(asked)
                and told.deadline_ns == asked.duration_ms * _MS
                and told.rule == rule_number(asked.rule)
            )
            if not same:
                what = f"question {told.question.hex()[:16]} is told otherwise than it was signed."
                self.findings.add("question", what, place)

    def _settle_statuses(self, ledger: Rebuilder) -> None:
        names = {member.name for roster in self.speech.rosters for member in roster.members}
        for told, place in self._statuses.items():
            end = ledger.ends.get(told.height)
            space = place.topic.rpartition("/")[0].rpartition("/")[2]
            if told.swarm_id != self.speech.swarm_id:
                self.findings.add("other_swarm", f"a status of {told.swarm_id[:40]!r}.", place)
            elif told.drone not in names:
                self.findings.add("status", f"{told.drone[:40]!r} is no member.", place)
            elif space in names and space != told.drone:
                what = f"a status of {told.drone} is on {place.topic}."
                self.findings.add("topic", what, place)
            elif end is not None and (told.height or told.log_size) and end[0] != told.log_size:
                what = f"{told.drone} tells {told.log_size} entries at height {told.height}."
                self.findings.add("status", what, place)


def labels_of(question: AnyQuestion) -> tuple[str, ...]:
    """Return what is chosen from; nothing where the answer is a number."""
    return question.labels if isinstance(question, Question) else ()


def _note(kept: dict[_T, Place], message: _T, place: Place) -> None:
    if len(kept) < _MOST:
        kept.setdefault(message, place)


def _difference(told: DecisionTold, settled: Settled, index: int) -> str:
    """Return what a decision was told otherwise than it is, "" where all agrees."""
    decision, question = settled.decision, settled.question
    labels = labels_of(question)
    wanted = {
        "outcome": (told.outcome, int(decision.outcome)),
        "question": (told.question, decision.question),
        "subject": (told.subject, question.subject),
        "label": (told.label, settled.answer or ""),
        "labels": (told.labels, labels),
        "counts": (told.counts, tuple(settled.votes[label] for label in labels)),
        "abstentions": (told.abstentions, decision.abstentions),
        "voided": (told.voided, decision.voided),
        "voters": (told.voters, decision.voters),
        "height": (told.height, decision.height),
        "index": (told.ledger_index, index),
        "opened": (told.opened_ns, decision.opened_ms * _MS),
        "time": (told.ledger_time_ns, decision.closed_ms * _MS),
    }
    other = [name for name, (said, true) in wanted.items() if said != true]
    return f"told otherwise than it is: {', '.join(other)}" if other else ""
