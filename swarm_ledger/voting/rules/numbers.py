# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Rules for numbers: a value that f liars cannot pull out of where the honest ones are."""

from __future__ import annotations

from collections.abc import Sequence

from swarm_ledger.encoding import Record
from swarm_ledger.voting.rules.base import Ballot, NumberOutcome, OutcomeKind, counted


def _values(ballots: Sequence[Ballot]) -> list[int]:
    return sorted(ballot.value for ballot in counted(ballots) if ballot.value is not None)


def _awaits(ballots: Sequence[Ballot], *, voters: int, expired: bool) -> bool:
    """Whether further ballots may come: each could still move the answer."""
    return not expired and len(ballots) < voters


def _enough(ballots: Sequence[Ballot], *, voters: int, faulty: int) -> bool:
    """Whether n - f voters are counted, and of their values f at each end can be spared."""
    return len(counted(ballots)) >= voters - faulty and len(_values(ballots)) >= 2 * faulty + 1


class Median(Record, frozen=True, tag=6):
    """The lower median of all values, if honest voters' median can't be far from it.

    Of m values, f of which may be lies, the honest ones' own lower median lies between the values
    of rank (m - f - 1) // 2 and f ranks above, from 0. CONTESTED if these are further apart than
    the tolerance.
    """

    def outcome(
        self, ballots: Sequence[Ballot], *, voters: int, faulty: int, tolerance: int, expired: bool
    ) -> NumberOutcome | None:
        """Return the outcome, or None while ballots must be awaited; tolerance: in its unit."""
        if _awaits(ballots, voters=voters, expired=expired):
            return None
        if not _enough(ballots, voters=voters, faulty=faulty):
            return NumberOutcome(OutcomeKind.UNDECIDED)
        values = _values(ballots)
        first = (len(values) - faulty - 1) // 2
        low, high = values[first], values[first + faulty]
        if high - low > tolerance:
            return NumberOutcome(OutcomeKind.CONTESTED, None, low, high)
        return NumberOutcome(OutcomeKind.DECIDED, values[(len(values) - 1) // 2], low, high)


class TrimmedMean(Record, frozen=True, tag=7):
    """The mean of the values without the f lowest and the f highest, to the nearest integer.

    What is left lies between two honest values, whoever lies, and so does its mean: that is
    low and high. CONTESTED if these are further apart than the tolerance. A half rounds up.
    """

    def outcome(
        self, ballots: Sequence[Ballot], *, voters: int, faulty: int, tolerance: int, expired: bool
    ) -> NumberOutcome | None:
        """Return the outcome, or None while ballots must be awaited; tolerance: in its unit."""
        if _awaits(ballots, voters=voters, expired=expired):
            return None
        if not _enough(ballots, voters=voters, faulty=faulty):
            return NumberOutcome(OutcomeKind.UNDECIDED)
        values = _values(ballots)
        kept = values[faulty : len(values) - faulty]
        low, high = kept[0], kept[-1]
        if high - low > tolerance:
            return NumberOutcome(OutcomeKind.CONTESTED, None, low, high)
        mean = (2 * sum(kept) + len(kept)) // (2 * len(kept))
        return NumberOutcome(OutcomeKind.DECIDED, mean, low, high)
