# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Rules: from the ballots cast so far to an outcome, or to None while it is too early to say.

A rule sees a set. Whatever order the ballots come in, the answer is the same, and it is computed
in integers only, so that every processor and every Python gives it bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Protocol, TypeAlias

from swarm_ledger.encoding import Record
from swarm_ledger.voting.limits import ABSTAIN


class OutcomeKind(IntEnum):
    """How a question ended. UNKNOWN is what an unset field reads as, and is never decided."""

    UNKNOWN = 0
    DECIDED = 1
    UNDECIDED = 2
    TIE = 3


class Outcome(Record, frozen=True):
    """What a rule concludes. label: index of the winner if DECIDED, else ABSTAIN (-1)."""

    kind: OutcomeKind
    label: int = ABSTAIN


class Ballot(Record, frozen=True):
    """One voter's ballot as rules see it; at most one per voter.

    label: index into the question's labels, or ABSTAIN. confidence_ppm: 0..1_000_000.
    bearing_mrad: from where the voter looked. voided: the voter contradicted itself, so its label
    is ABSTAIN and nothing it said counts; it only tells that this voter has nothing more to say.
    """

    voter: int
    label: int
    confidence_ppm: int = 0
    bearing_mrad: int = 0
    voided: bool = False


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


class Majority(Record, frozen=True, tag=1):
    """A majority of all voters as soon as there is one; else the plurality at the end.

    Settled at once by a label that more than n / 2 voters chose, when n - f ballots are counted
    (abstentions count, voided ballots don't): no ballot still to come can overtake it. At the end,
    which is when every voter has voted or the deadline passed: the label with most votes, if n - f
    ballots are counted and more than f of them chose it, so that an honest voter is among those.
    """

    def outcome(
        self, ballots: Sequence[Ballot], *, voters: int, faulty: int, labels: int, expired: bool
    ) -> Outcome | None:
        """Return the outcome; see Rule.outcome. TIE when two labels share the top count."""
        counts = [0] * labels
        counted = 0
        for ballot in ballots:
            if ballot.voided:
                continue
            counted += 1
            if ballot.label != ABSTAIN:
                counts[ballot.label] += 1
        top = max(counts)
        enough = counted >= voters - faulty
        if enough and 2 * top > voters:
            return Outcome(OutcomeKind.DECIDED, counts.index(top))
        if not expired and len(ballots) < voters:
            return None
        if not enough or top <= faulty:
            return Outcome(OutcomeKind.UNDECIDED)
        if counts.count(top) > 1:
            return Outcome(OutcomeKind.TIE)
        return Outcome(OutcomeKind.DECIDED, counts.index(top))


AnyRule: TypeAlias = Majority
"""The rules a question can name, told apart by their tag; a tag is never used again."""
