# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Questions about numbers: where f liars can pull an answer, and where they can't."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_ledger.encoding import encode
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.voting import (
    Ballot,
    NumberDecision,
    NumberObservation,
    NumberQuestion,
    Observation,
    OutcomeKind,
    Tally,
    VoteResult,
    parse_decision,
    parse_observation,
    parse_question,
    question_id,
)
from swarm_ledger.voting.decision import Settled, describe, parse_settled
from swarm_ledger.voting.rules import Median, NumberOutcome, NumberRule, TrimmedMean

RULES: list[NumberRule] = [Median(), TrimmedMean()]
QUESTION = NumberQuestion("How far?", "mm", 0, 5_000, 100, Median(), 1_000, bytes(16))
NAME = question_id(encode(QUESTION))


def measured(value: int | None) -> NumberObservation:
    return NumberObservation(NAME, value, 900_000, 1, b"", 0, 1)


def settle(rule: NumberRule, values: list[int | None], f: int, tolerance: int) -> NumberOutcome:
    cast = [
        Ballot(voter, -1 if value is None else 0, value=value)
        for voter, value in enumerate(values)
    ]
    found = rule.outcome(cast, voters=len(values), faulty=f, tolerance=tolerance, expired=True)
    assert found is not None
    return found


@st.composite
def lied(draw: st.DrawFn) -> tuple[list[int], list[int], int]:
    """Honest values, lies of at most f, and f."""
    n = draw(st.integers(4, 16))
    f = (n - 1) // 3
    liars = draw(st.integers(0, f))
    number = st.integers(-1_000, 1_000)
    honest = draw(st.lists(number, min_size=n - liars, max_size=n - liars))
    return honest, draw(st.lists(number, min_size=liars, max_size=liars)), f


@given(lied(), st.integers(0, 2_000))
def test_a_median_is_near_what_honest_drones_alone_would_get(
    case: tuple[list[int], list[int], int], tolerance: int
) -> None:
    honest, lies, f = case
    found = settle(Median(), [*honest, *lies], f, tolerance)
    alone = sorted(honest)[(len(honest) - 1) // 2]
    assert found.low is not None
    assert found.high is not None
    assert found.low <= alone <= found.high
    if found.value is not None:
        assert abs(found.value - alone) <= tolerance
    assert (found.kind is OutcomeKind.DECIDED) == (found.high - found.low <= tolerance)


@given(lied(), st.sampled_from(RULES))
def test_no_f_liars_pull_an_answer_out_of_what_honest_drones_measured(
    case: tuple[list[int], list[int], int], rule: NumberRule
) -> None:
    honest, lies, f = case
    found = settle(rule, [*honest, *lies], f, 10_000)
    assert found.value is not None
    assert min(honest) <= found.value <= max(honest)


@given(lied(), st.sampled_from(RULES))
def test_f_liars_cannot_keep_honest_drones_that_agree_from_deciding(
    case: tuple[list[int], list[int], int], rule: NumberRule
) -> None:
    honest, lies, f = case
    spread = max(honest) - min(honest)
    assert settle(rule, [*honest, *lies], f, spread).kind is OutcomeKind.DECIDED


def test_the_mean_is_rounded_to_the_nearest() -> None:
    assert settle(TrimmedMean(), [0, 1, 2, 9], 1, 9).value == 2
    assert settle(TrimmedMean(), [-9, -2, -1, 0], 1, 9).value == -1
    assert settle(TrimmedMean(), [-9, -1, -1, 0], 1, 9).value == -1


def test_too_few_values_decide_nothing() -> None:
    for rule in RULES:
        assert settle(rule, [5, 5, None, None], 1, 9).kind is OutcomeKind.UNDECIDED
        assert settle(rule, [5, 5, 5, None], 1, 9).kind is OutcomeKind.DECIDED
        two = [Ballot(0, 0, value=1), Ballot(1, 0, value=1)]
        assert rule.outcome(two, voters=4, faulty=1, tolerance=1, expired=False) is None


def test_a_number_from_question_to_decision_and_reputation() -> None:
    tally = Tally(frozenset(range(4)), 1)
    tally.open(NAME, QUESTION, 0, 0)
    assert tally.vote(0, measured(5_001), 0, 0) is VoteResult.BAD_VALUE
    label = Observation(NAME, 0, 1, 1, bytes(32), 0, 1)
    assert tally.vote(0, label, 0, 0) is VoteResult.BAD_VALUE
    for voter, value in enumerate((1_000, 1_010, 1_040, 4_000)):
        assert tally.vote(voter, measured(value), 0, 0) is VoteResult.COUNTED
    (decision,) = tally.advance(0, 0)
    assert isinstance(decision, NumberDecision)
    assert (decision.value, decision.low, decision.high) == (1_010, 1_010, 1_040)
    assert parse_decision(encode(decision)) == decision
    settled = Settled(QUESTION, decision)
    assert parse_settled(encode(settled)) == settled
    assert (settled.answer, settled.votes) == ("1010 mm", {"value": 4, "unknown": 0})
    assert "bounds 1010 to 1040" in describe(decision, QUESTION)
    learnt = tally.learnt()
    assert learnt is not None
    assert [one.right > 0 for one in learnt.voters] == [True, True, True, False]


def test_bad_questions_and_observations_are_refused() -> None:
    with pytest.raises(Misuse, match="no number"):
        NumberQuestion("How far?", "mm", 5, 5, 1, Median(), 1_000, bytes(16))
    assert parse_question(encode(QUESTION)) == QUESTION
    assert parse_observation(encode(measured(None))) == measured(None)
    good = [2, NAME, 1, 0, 1, b"", 0, 1]
    for place, value in ((0, 4), (2, 10**12 + 1), (2, "1"), (3, -1), (4, 0), (5, bytes(33))):
        with pytest.raises(PeerFault):
            parse_observation(encode([*good[:place], value, *good[place + 1 :]]))
    asked = [2, "How far?", "mm", 0, 9, 1, [6], 9, bytes(16)]
    assert parse_question(encode(asked)) != QUESTION
    for place, value in ((2, "m m"), (3, 10), (5, -1), (6, [1]), (6, [8, [1], 1]), (7, 0)):
        with pytest.raises(PeerFault):
            parse_question(encode([*asked[:place], value, *asked[place + 1 :]]))


def test_a_decision_that_contradicts_itself_is_refused() -> None:
    good = [2, 1, NAME, 1, 5, 4, 6, 3, 0, 0, 4, 0, 1, 1]
    assert parse_decision(encode(good)).number == 1
    for changes in ({4: None}, {5: None}, {4: 7}, {7: 5}, {3: 2}, {12: -1}, {5: None, 6: None}):
        bad = [changes.get(place, value) for place, value in enumerate(good)]
        with pytest.raises(PeerFault):
            parse_decision(encode(bad))
