# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The majority rule: thresholds at every n and f, the end, ties, abstentions, voided ballots."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_ledger.voting import ABSTAIN, Ballot, Majority, Outcome, OutcomeKind

CUP, FACES, VASE = 0, 1, 2
VOID = -2
UNDECIDED = Outcome(OutcomeKind.UNDECIDED)
TIE = Outcome(OutcomeKind.TIE)

SIZES = [(n, f) for n in range(1, 14) for f in range((n - 1) // 3 + 1)]
EACH_SIZE = pytest.mark.parametrize(("n", "f"), SIZES)


def decided(label: int) -> Outcome:
    return Outcome(OutcomeKind.DECIDED, label)


def ballots(labels: list[int]) -> list[Ballot]:
    return [
        Ballot(i, ABSTAIN, voided=True) if label == VOID else Ballot(i, label)
        for i, label in enumerate(labels)
    ]


def outcome(labels: list[int], n: int, f: int, *, expired: bool = False) -> Outcome | None:
    return Majority().outcome(ballots(labels), voters=n, faulty=f, labels=3, expired=expired)


@EACH_SIZE
def test_settles_early_exactly_at_a_majority_of_all_with_enough_counted(n: int, f: int) -> None:
    for cup in range(n):
        for others in range(n - cup):
            early = outcome([CUP] * cup + [ABSTAIN] * others, n, f)
            if cup > n / 2 and cup + others >= n - f:
                assert early == decided(CUP)
            else:
                assert early is None


@EACH_SIZE
def test_at_the_deadline_n_minus_f_counted_ballots_are_needed(n: int, f: int) -> None:
    for cast in range(n):
        expect = decided(FACES) if cast >= n - f else UNDECIDED
        assert outcome([FACES] * cast, n, f, expired=True) == expect


@EACH_SIZE
def test_a_label_needs_a_vote_that_no_liar_cast(n: int, f: int) -> None:
    for cup in range(n + 1):
        end = outcome([CUP] * cup + [ABSTAIN] * (n - cup), n, f)
        assert end == (decided(CUP) if cup > f else UNDECIDED)


@EACH_SIZE
def test_only_abstentions_decide_nothing(n: int, f: int) -> None:
    assert outcome([ABSTAIN] * n, n, f) == UNDECIDED
    assert outcome([ABSTAIN] * (n - 1), n, f, expired=True) == UNDECIDED
    if n > 1:
        assert outcome([ABSTAIN] * (n - 1), n, f) is None


def test_nobody_voted() -> None:
    assert outcome([], 4, 1) is None
    assert outcome([], 4, 1, expired=True) == UNDECIDED


@pytest.mark.parametrize(
    ("labels", "n", "f", "expected"),
    [
        ([CUP, CUP, FACES, FACES], 4, 1, TIE),
        ([CUP, FACES, ABSTAIN, ABSTAIN], 4, 1, UNDECIDED),
        ([CUP, CUP, FACES, ABSTAIN], 4, 1, decided(CUP)),
        ([CUP] * 3 + [FACES] * 3 + [VASE], 7, 2, TIE),
        ([CUP] * 3 + [FACES] * 2 + [VASE] * 2, 7, 2, decided(CUP)),
        ([CUP] * 2 + [FACES] * 2 + [VASE] * 2 + [ABSTAIN], 7, 2, UNDECIDED),
        ([CUP] * 3 + [FACES] * 3 + [VASE] * 3, 9, 2, TIE),
    ],
)
def test_when_all_have_voted_the_plurality_wins(
    labels: list[int], n: int, f: int, expected: Outcome
) -> None:
    assert outcome(labels, n, f) == expected
    assert outcome(labels[::-1], n, f, expired=True) == expected


def test_a_tie_at_the_deadline() -> None:
    assert outcome([CUP] * 3 + [FACES] * 3, 7, 2, expired=True) == TIE
    assert outcome([CUP] * 3 + [FACES] * 3, 7, 2) is None


def test_voided_ballots_are_not_counted_but_leave_nobody_to_wait_for() -> None:
    assert outcome([CUP, CUP, CUP, VOID], 4, 1) == decided(CUP)
    assert outcome([CUP, CUP, VOID], 4, 1) is None
    assert outcome([CUP, CUP, VOID], 4, 1, expired=True) == UNDECIDED
    assert outcome([CUP, CUP, VOID, VOID], 4, 1) == UNDECIDED
    assert outcome([CUP, CUP, FACES, FACES, VOID], 5, 1) == TIE


@EACH_SIZE
def test_n_minus_f_agreeing_settle_it_whatever_the_rest_do(n: int, f: int) -> None:
    for lie in (FACES, ABSTAIN, VOID):
        for liars in range(f + 1):
            votes = [CUP] * (n - f) + [lie] * liars
            assert outcome(votes, n, f) == decided(CUP)
            assert outcome(votes, n, f, expired=True) == decided(CUP)


@given(st.data())
def test_the_outcome_does_not_depend_on_order(data: st.DataObject) -> None:
    n, f = data.draw(st.sampled_from(SIZES))
    cast = data.draw(st.lists(st.integers(VOID, VASE), max_size=n))
    expired = data.draw(st.booleans())
    box = ballots(cast)
    shuffled = data.draw(st.permutations(box))
    rule = Majority()
    expected = rule.outcome(box, voters=n, faulty=f, labels=3, expired=expired)
    assert rule.outcome(shuffled, voters=n, faulty=f, labels=3, expired=expired) == expected


@given(st.data())
def test_settled_early_stays_settled(data: st.DataObject) -> None:
    n, f = data.draw(st.sampled_from(SIZES))
    favourite = st.sampled_from([CUP] * 6 + [FACES, VASE, ABSTAIN])
    cast = data.draw(st.lists(favourite, min_size=n, max_size=n))
    settled = None
    for seen in range(n + 1):
        now = outcome(cast[:seen], n, f)
        if settled is None:
            settled = now
        assert now == settled
        if settled is not None:
            assert outcome(cast[:seen], n, f, expired=True) == settled
    assert settled is not None


@given(st.data())
def test_the_rule_looks_at_no_confidence(data: st.DataObject) -> None:
    n, f = data.draw(st.sampled_from(SIZES))
    labels = data.draw(st.lists(st.integers(ABSTAIN, VASE), max_size=n))
    shouting = [
        Ballot(i, label, data.draw(st.integers(0, 1_000_000))) for i, label in enumerate(labels)
    ]
    loud = Majority().outcome(shouting, voters=n, faulty=f, labels=3, expired=True)
    assert loud == outcome(labels, n, f, expired=True)


def documented() -> list[list[str]]:
    """Return the rows of the worked examples in docs/voting.md, cell by cell."""
    page = Path(__file__).parents[2] / "docs" / "voting.md"
    section = page.read_text(encoding="utf-8").split("### Worked examples")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


@pytest.mark.parametrize("row", documented(), ids=" ".join)
def test_the_worked_examples_of_the_documentation_hold(row: list[str]) -> None:
    n, f = map(int, row[0].split(","))
    cup, faces, unknown, voided, missing = map(int, row[1:6])
    votes = [CUP] * cup + [FACES] * faces + [ABSTAIN] * unknown + [VOID] * voided
    assert len(votes) + missing == n
    said = {
        "open": None,
        "undecided": UNDECIDED,
        "tie": TIE,
        "decided: cup": decided(CUP),
        "decided: two_faces": decided(FACES),
    }
    before, after = row[6], row[7] or row[6]
    for text, expired in ((before, False), (after, True)):
        meant = text if text in said else text.split(":")[0]
        assert outcome(votes, n, f, expired=expired) == said[meant]
