# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Rules that count ballots, one a voter, whatever their confidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from swarm_ledger.encoding import Record
from swarm_ledger.voting.limits import ABSTAIN
from swarm_ledger.voting.rules.base import Ballot, Outcome, OutcomeKind, Weighing, counted


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


class Plurality(Record, frozen=True, tag=2):
    """The label with most votes, if it has them without any f of its voters.

    quorum_permille: how many of all voters must be counted, rounded up. Fewer than n - f are
    allowed, for swarms that seldom hear each other: what is decided holds whoever lies, but who
    leaves votes out chooses among whom. Decided early if no ballot to come can change that.
    """

    quorum_permille: Annotated[int, Meta(ge=1, le=1000)] = 667

    def outcome(
        self, ballots: Sequence[Ballot], *, voters: int, faulty: int, labels: int, expired: bool
    ) -> Outcome | None:
        """Return the outcome; see Rule.outcome. CONTESTED when the lead is f votes or less."""
        heard = counted(ballots)
        weighing = Weighing(
            said=tuple((ballot.label, 1) for ballot in heard if ballot.label != ABSTAIN),
            cap=1,
            counted=len(heard),
            cast=len(ballots),
            quorum=-(-voters * self.quorum_permille // 1000),
        )
        found = weighing.conclude(voters=voters, faulty=faulty, labels=labels, expired=expired)
        return Outcome(found.kind, found.label) if found is not None else None
