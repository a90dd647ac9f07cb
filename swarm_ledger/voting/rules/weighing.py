# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Rules that weigh ballots: by stated confidence, or by what that and a voter's past are worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from swarm_ledger.encoding import Record
from swarm_ledger.voting.rules.base import CERTAIN_PPM, Ballot, Outcome, Weighing, counted
from swarm_ledger.voting.rules.logs import ONE, PERMILLE, log_odds
from swarm_ledger.voting.rules.views import Views, independent

_MOST_PERMILLE = 999
_PPM_IN_PERMILLE = CERTAIN_PPM // PERMILLE


class Weighted(Record, frozen=True, tag=3):
    """The label with most confidence behind it, none of which is more than cap_ppm a ballot.

    Shouting doesn't pay: a liar who claims certainty moves the lead by cap_ppm at most, as much as
    any honest voter whose confidence is that high. n - f ballots must be counted.
    """

    cap_ppm: Annotated[int, Meta(ge=10_000, le=CERTAIN_PPM)] = 800_000
    views: Views | None = None

    def outcome(
        self, ballots: Sequence[Ballot], *, voters: int, faulty: int, labels: int, expired: bool
    ) -> Outcome | None:
        """Return the outcome; see Rule.outcome. support is in millionths of a sure ballot."""
        heard = counted(ballots)
        weights = [min(ballot.confidence_ppm, self.cap_ppm) for ballot in heard]
        weighing = Weighing(
            said=independent(heard, weights, self.views),
            cap=self.cap_ppm,
            counted=len(heard),
            cast=len(ballots),
            quorum=voters - faulty,
        )
        return weighing.conclude(voters=voters, faulty=faulty, labels=labels, expired=expired)


class Bayes(Record, frozen=True, tag=4):
    """The label whose odds, by all ballots and the voters' past, reach a certainty.

    A ballot adds the log-odds of its confidence, drawn towards chance as far as its voter's word
    was no better than chance, and never more than cap_permille / 1000 nats. It never counts
    against its label: who is known to lie is ignored, not believed in reverse, or it would choose
    what to be taken for. certainty_permille: of the winner, given the ballots, all labels being
    alike before them. n - f ballots must be counted.
    """

    certainty_permille: Annotated[int, Meta(ge=500, le=_MOST_PERMILLE)] = 900
    cap_permille: Annotated[int, Meta(ge=100, le=7000)] = 1500
    views: Views | None = None

    def outcome(
        self, ballots: Sequence[Ballot], *, voters: int, faulty: int, labels: int, expired: bool
    ) -> Outcome | None:
        """Return the outcome; see Rule.outcome. support is in 1/65536 nat."""
        weighing = _by_odds(self, ballots, labels, quorum=voters - faulty, sure=False)
        return weighing.conclude(voters=voters, faulty=faulty, labels=labels, expired=expired)


class Sequential(Record, frozen=True, tag=5):
    """As Bayes, but it stops as soon as it is sure, however few have voted (Wald's SPRT).

    Sure is: the certainty is reached without the f heaviest ballots of the winner too. Until then
    more looks are wanted, up to the deadline; then it is decided as Bayes decides, by any number
    of ballots of which more than f are for the winner.
    """

    certainty_permille: Annotated[int, Meta(ge=500, le=_MOST_PERMILLE)] = 900
    cap_permille: Annotated[int, Meta(ge=100, le=7000)] = 1500
    views: Views | None = None

    def outcome(
        self, ballots: Sequence[Ballot], *, voters: int, faulty: int, labels: int, expired: bool
    ) -> Outcome | None:
        """Return the outcome; see Rule.outcome. support is in 1/65536 nat."""
        weighing = _by_odds(self, ballots, labels, quorum=0, sure=True)
        return weighing.conclude(voters=voters, faulty=faulty, labels=labels, expired=expired)


def _by_odds(
    rule: Bayes | Sequential, ballots: Sequence[Ballot], labels: int, *, quorum: int, sure: bool
) -> Weighing:
    heard = counted(ballots)
    cap = rule.cap_permille * ONE // PERMILLE
    weights = [min(evidence(ballot, labels), cap) for ballot in heard]
    return Weighing(
        said=independent(heard, weights, rule.views),
        cap=cap,
        counted=len(heard),
        cast=len(ballots),
        quorum=quorum,
        margin=log_odds(rule.certainty_permille, labels),
        sure=sure,
    )


def evidence(ballot: Ballot, labels: int) -> int:
    """Return what a ballot adds to the log-odds of its label, 0 or more, in 1/65536 nat.

    Its probability is chance + trust * (confidence - chance), where chance is 1 / labels, and
    trust is how much better than chance its voter was so far: 0 at chance, 1 for who never errs.
    """
    chance = CERTAIN_PPM // labels
    trust = max(0, ballot.reliability_ppm - chance)
    gain = max(0, ballot.confidence_ppm - chance)
    probability = chance + trust * gain // (CERTAIN_PPM - chance)
    permille = min(max(1, probability // _PPM_IN_PERMILLE), _MOST_PERMILLE)
    return max(0, log_odds(permille, labels))
