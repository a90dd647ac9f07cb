# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Rules that weigh, and the plurality: what f liars, loud ones and neighbours can do to them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_ledger.errors import Misuse
from swarm_ledger.voting import ABSTAIN, Ballot, Outcome, OutcomeKind
from swarm_ledger.voting.limits import UNMEASURED
from swarm_ledger.voting.rules import (
    RULES,
    Bayes,
    LabelRule,
    Plurality,
    Sequential,
    Views,
    Weighted,
    rule_named,
)
from swarm_ledger.voting.rules.logs import ONE, log_odds
from swarm_ledger.voting.rules.views import independent
from swarm_ledger.voting.rules.weighing import evidence

VIEWS = Views(200, 500)
WEIGHING: list[LabelRule] = [
    Plurality(),
    Plurality(1000),
    Weighted(),
    Weighted(300_000, VIEWS),
    Bayes(),
    Bayes(990, 3_000, VIEWS),
    Sequential(),
    Sequential(800, 500, VIEWS),
]
LABELS = 3
PPM = st.integers(0, 1_000_000)
LABEL = st.integers(ABSTAIN, LABELS - 1)
SIZES = [(n, f) for n in range(4, 14) for f in range((n - 1) // 3 + 1)]


def ballots(*labels: int, sure: int = 900_000, known: int = 875_000) -> list[Ballot]:
    return [
        Ballot(place, label, sure, 400 * place, reliability_ppm=known)
        for place, label in enumerate(labels)
    ]


def outcome(
    rule: LabelRule, cast: Sequence[Ballot], *, n: int, f: int, expired: bool = True
) -> Outcome | None:
    return rule.outcome(cast, voters=n, faulty=f, labels=LABELS, expired=expired)


def kind(rule: LabelRule, *labels: int, n: int = 7, f: int = 2) -> OutcomeKind:
    found = outcome(rule, ballots(*labels), n=n, f=f)
    assert found is not None
    return found.kind


@st.composite
def drawn(draw: st.DrawFn, label: st.SearchStrategy[int] = LABEL) -> tuple[list[Ballot], int, int]:
    """Ballots of all of n voters, and f."""
    n, f = draw(st.sampled_from(SIZES))
    cast = [
        Ballot(
            voter,
            draw(label),
            draw(PPM),
            draw(st.integers(0, 6_283)),
            reliability_ppm=draw(PPM),
        )
        for voter in range(n)
    ]
    return cast, n, f


@pytest.mark.parametrize("rule", [Plurality(), Weighted(), Bayes(), Sequential()])
def test_what_a_swarm_says_and_when_it_says_nothing(rule: LabelRule) -> None:
    assert kind(rule, 0, 0, 0, 0, 0, 1, 1) is OutcomeKind.DECIDED
    assert kind(rule, 0, 0, 0, 0, 1, 1, 1) is OutcomeKind.CONTESTED
    assert kind(rule, 0, 0, 0, 1, 1, 1, 2) is OutcomeKind.TIE
    assert kind(rule, 1, 1, -1, -1, -1, -1, -1) is OutcomeKind.UNDECIDED
    assert outcome(rule, ballots(0, 0), n=7, f=2, expired=False) is None


def test_quorums() -> None:
    assert kind(Plurality(1000), 0, 0, 0, 0, 0, 0) is OutcomeKind.UNDECIDED
    assert kind(Plurality(500), 0, 0, 0, 0) is OutcomeKind.DECIDED
    assert kind(Weighted(), 0, 0, 0, 0) is OutcomeKind.UNDECIDED
    assert kind(Sequential(), 0, 0, 0, 0) is OutcomeKind.DECIDED


def test_a_sequential_question_stops_as_soon_as_it_is_sure() -> None:
    late, early = Bayes(), Sequential()
    sure = ballots(0, 0, 0, 0)
    assert outcome(late, sure, n=7, f=2, expired=False) is None
    assert outcome(early, sure, n=7, f=2, expired=False) is not None
    doubtful = ballots(0, 0, 0, 0, sure=550_000)
    assert outcome(early, doubtful, n=7, f=2, expired=False) is None


def test_who_was_never_right_is_not_believed_and_not_believed_in_reverse() -> None:
    for known in (0, 200_000, 333_333):
        assert evidence(Ballot(0, 0, 1_000_000, reliability_ppm=known), 3) == 0
    worth = [
        evidence(Ballot(0, 0, 900_000, reliability_ppm=ppm), 2)
        for ppm in range(500_000, 1_000_001, 50_000)
    ]
    assert worth == sorted(worth)
    assert worth[0] == 0
    assert abs(worth[-1] - round(2.1972246 * ONE)) <= 1
    assert log_odds(500) == 0


@given(drawn(), st.sampled_from(WEIGHING), st.data())
def test_order_changes_nothing(
    cast: tuple[list[Ballot], int, int], rule: LabelRule, data: st.DataObject
) -> None:
    seen, n, f = cast
    shuffled = data.draw(st.permutations(seen))
    for expired in (False, True):
        assert outcome(rule, seen, n=n, f=f, expired=expired) == outcome(
            rule, shuffled, n=n, f=f, expired=expired
        )


@given(drawn(), st.sampled_from(WEIGHING), st.data())
def test_decided_is_what_honest_voters_prefer_whichever_f_lie(
    cast: tuple[list[Ballot], int, int], rule: LabelRule, data: st.DataObject
) -> None:
    """Take any f ballots away: what is left says nothing else."""
    seen, n, f = cast
    found = outcome(rule, seen, n=n, f=f)
    assert found is not None
    if found.kind is not OutcomeKind.DECIDED or getattr(rule, "views", None) is not None:
        return
    liars = set(data.draw(st.lists(st.integers(0, n - 1), max_size=f)))
    honest = [ballot for ballot in seen if ballot.voter not in liars]
    rest = outcome(rule, honest, n=n, f=0)
    assert rest is not None
    assert rest.kind is not OutcomeKind.DECIDED or rest.label == found.label
    assert any(ballot.label == found.label for ballot in honest)


@given(drawn(st.integers(0, 1)), st.sampled_from(WEIGHING), st.data())
def test_liars_alone_decide_nothing(
    cast: tuple[list[Ballot], int, int], rule: LabelRule, data: st.DataObject
) -> None:
    _, n, f = cast
    loud = [Ballot(voter, 1, 1_000_000, data.draw(st.integers(0, 6_283))) for voter in range(f)]
    blind = [Ballot(voter, ABSTAIN) for voter in range(f, n)]
    found = outcome(rule, [*loud, *blind], n=n, f=f)
    assert found is not None
    assert found.kind is not OutcomeKind.DECIDED


@given(drawn(), st.sampled_from(WEIGHING[2:]), LABEL, st.integers(0, 6_283))
def test_a_liar_takes_no_more_than_its_cap_from_a_label(
    cast: tuple[list[Ballot], int, int], rule: LabelRule, lie: int, bearing: int
) -> None:
    """One ballot more, as loud and as well reputed as can be, from wherever it likes."""
    seen, n, f = cast
    cap = rule.cap_ppm if isinstance(rule, Weighted) else rule.cap_permille * ONE // 1000
    before = outcome(rule, seen, n=n + 1, f=f)
    after = outcome(rule, [*seen, Ballot(n, lie, 1_000_000, bearing)], n=n + 1, f=f)
    assert before is not None
    assert after is not None
    for label in range(LABELS):
        for other in range(LABELS):
            lead = before.support[label] - before.support[other]
            left = after.support[label] - after.support[other]
            assert lead - left <= cap + len(seen)


@given(drawn(), st.sampled_from(WEIGHING), st.data())
def test_what_is_decided_early_would_be_decided_alike_at_the_end(
    cast: tuple[list[Ballot], int, int], rule: LabelRule, data: st.DataObject
) -> None:
    seen, n, f = cast
    early = outcome(rule, seen[: data.draw(st.integers(0, n))], n=n, f=f, expired=False)
    if early is not None and not isinstance(rule, Sequential):
        end = outcome(rule, seen, n=n, f=f)
        assert end is not None
        assert (early.kind, early.label) == (end.kind, end.label)


@given(st.integers(0, 6_283), st.integers(2, 30), st.integers(1, 1000))
def test_many_from_one_bearing_weigh_less_than_as_many_apart(
    bearing: int, count: int, shared: int
) -> None:
    views = Views(100, shared)
    together = [Ballot(voter, 0, 0, (bearing + voter) % 6_283) for voter in range(count)]
    apart = [Ballot(voter, 0, 0, 201 * voter) for voter in range(count)]
    weights = [1_000_000] * count
    total = sum(weight for _, weight in independent(together, weights, views))
    assert total < sum(weight for _, weight in independent(apart, weights, views))
    assert total == count * (1_000_000_000 // (1000 + (count - 1) * shared))


def test_who_stands_beside_a_voter_and_says_something_else_takes_nothing_from_it() -> None:
    one, lie = Ballot(0, 0, 0, 6_280), Ballot(1, 1, 0, 1)
    assert independent([one, lie], [9_000, 9_000], VIEWS) == ((0, 9_000), (1, 9_000))
    agreed = Ballot(1, 0, 0, 1)
    assert independent([one, agreed], [9_000, 9_000], VIEWS) == ((0, 6_000), (0, 6_000))


def test_rules_have_names() -> None:
    assert [rule_named(name) for name in RULES] == list(RULES.values())
    with pytest.raises(Misuse, match="loudest"):
        rule_named("loudest")


def test_who_has_no_bearing_may_stand_anywhere() -> None:
    """Two without one may be at one place; neither is beside who looks from just below east."""
    blind = [Ballot(voter, 0, 0, UNMEASURED) for voter in range(2)]
    one = Ballot(2, 0, 0, 6_282)
    assert independent([*blind, one], [9_000] * 3, VIEWS) == ((0, 6_000), (0, 6_000), (0, 9_000))
