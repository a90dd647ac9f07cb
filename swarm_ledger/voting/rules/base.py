# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What all rules share: the ballots that they see, what they conclude, and how support is weighed.

A rule sees a set. Whatever order the ballots come in, the answer is the same, and it is computed
in integers only, so that every processor and every Python gives it bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Protocol

from swarm_ledger.encoding import Record
from swarm_ledger.voting.limits import ABSTAIN

CERTAIN_PPM = 1_000_000


class OutcomeKind(IntEnum):
    """How a question ended. UNKNOWN is what an unset field reads as, and is never decided.

    UNDECIDED: too little is known. TIE: two answers are level. CONTESTED: enough is known, but the
    answer would be another, or none, without the f voters that may lie.
    """

    UNKNOWN = 0
    DECIDED = 1
    UNDECIDED = 2
    TIE = 3
    CONTESTED = 4


class Outcome(Record, frozen=True):
    """What a rule concludes. label: index of the winner if DECIDED, else ABSTAIN (-1).

    support: what stands behind each label, of rules that weigh ballots, in the rule's own unit.
    """

    kind: OutcomeKind
    label: int = ABSTAIN
    support: tuple[int, ...] = ()


class NumberOutcome(Record, frozen=True):
    """What a rule for numbers concludes. value: None unless DECIDED.

    low, high: whatever f liars said, the rule's answer by honest voters alone lies within.
    """

    kind: OutcomeKind
    value: int | None = None
    low: int | None = None
    high: int | None = None


class Ballot(Record, frozen=True):
    """One voter's ballot as rules see it; at most one per voter.

    label: index into the question's labels, or ABSTAIN. confidence_ppm: 0..1_000_000.
    bearing_mrad: from where the voter looked. voided: the voter contradicted itself, or did not
    open what it had committed to, so its label is ABSTAIN and nothing it said counts; it only
    tells that this voter has nothing more to say. reliability_ppm: how often it was right so far.
    value: of a number, None for an abstention.
    """

    voter: int
    label: int
    confidence_ppm: int = 0
    bearing_mrad: int = 0
    voided: bool = False
    reliability_ppm: int = CERTAIN_PPM
    value: int | None = None


class Rule(Protocol):
    """A pure function of the ballots, with the parameters that the question fixed."""

    def outcome(
        self, ballots: Sequence[Ballot], *, voters: int, faulty: int, labels: int, expired: bool
    ) -> Outcome | None:
        """Return the outcome, or None while further ballots or the deadline must be awaited.

        ballots: one per voter at most, any order. voters: all who may vote, n. faulty: how many of
        them may lie, f < n / 3. labels: how many labels there are. expired: the deadline passed,
        so the answer may not be None.
        """
        ...


class Weighing(Record, frozen=True):
    """Ballots with their weights, and what a rule demands of them.

    said: a label and a weight for each ballot that names one. cap: the most that a ballot can
    weigh. counted: ballots that aren't voided, abstentions too; cast: all of them. quorum: how
    many must be counted. margin: by how much the winner must lead. sure: whether that is enough to
    stop before all have voted, once it holds without the f heaviest ballots too.
    """

    said: tuple[tuple[int, int], ...]
    cap: int
    counted: int
    cast: int
    quorum: int
    margin: int = 0
    sure: bool = False

    def conclude(self, *, voters: int, faulty: int, labels: int, expired: bool) -> Outcome | None:
        """Return the outcome; see Rule.outcome.

        Decided is what holds without any f of the ballots: the winner leads even if its f heaviest
        ballots are taken away. So honest voters alone prefer it, whichever f lie. Before the end
        it must hold whatever the ballots still to come say, each of which moves the lead by cap
        at most.
        """
        support = [0] * labels
        for label, weight in self.said:
            support[label] += weight
        top = max(support)
        winner = support.index(top)
        behind = sorted((weight for label, weight in self.said if label == winner), reverse=True)
        lead = top - max(weight for label, weight in enumerate(support) if label != winner)
        safe = lead - sum(behind[:faulty])
        backed = len(behind) > faulty
        decided = Outcome(OutcomeKind.DECIDED, winner, tuple(support))
        rest = voters - self.cast
        if self.counted >= self.quorum and backed:
            swing = (faulty + rest) * self.cap
            if lead > swing and lead - rest * self.cap >= self.margin:
                return decided
        if self.sure and backed and safe > 0 and safe >= self.margin:
            return decided
        if not expired and rest > 0:
            return None
        kind = OutcomeKind.DECIDED
        if self.counted < self.quorum or not backed or not top:
            kind = OutcomeKind.UNDECIDED
        elif support.count(top) > 1:
            kind = OutcomeKind.TIE
        elif safe <= 0:
            kind = OutcomeKind.CONTESTED
        elif lead < self.margin:
            kind = OutcomeKind.UNDECIDED
        if kind is OutcomeKind.DECIDED:
            return decided
        return Outcome(kind, ABSTAIN, tuple(support))


def counted(ballots: Sequence[Ballot]) -> list[Ballot]:
    """Return the ballots that aren't voided."""
    return [ballot for ballot in ballots if not ballot.voided]
