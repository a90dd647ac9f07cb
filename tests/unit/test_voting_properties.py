# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a leader and f liars can and cannot do to a decision, searched by hypothesis."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_ledger.encoding import encode
from swarm_ledger.voting import (
    ABSTAIN,
    Ballot,
    Decision,
    Majority,
    Observation,
    Outcome,
    OutcomeKind,
    Question,
    Tally,
    VoteResult,
    question_id,
)

LABELS = ("cup", "two_faces", "vase")
CUP, LIE = 0, 1
DURATION_MS = 1_000
QUESTION = Question("target", LABELS, Majority(), DURATION_MS, bytes(16))
NAME = question_id(encode(QUESTION))

SIZES = [(n, f) for n in range(4, 14) for f in range((n - 1) // 3 + 1)]
LABEL = st.integers(ABSTAIN, len(LABELS) - 1)

Sent = tuple[int, int]
"""A vote on its way: voter, label."""


def saw(label: int) -> Observation:
    return Observation(NAME, label, 500_000, 1, bytes(32), 0, 1)


def run(n: int, f: int, blocks: Iterable[Sequence[Sent]]) -> tuple[Tally, Decision]:
    """Return the tally and the decision after these blocks, the deadline last if need be."""
    tally = Tally(frozenset(range(n)), f)
    tally.open(NAME, QUESTION, 0, 0)
    decisions = tally.advance(0, 0)
    height = 0
    for height, votes in enumerate(blocks, start=1):
        for voter, label in votes:
            tally.vote(voter, saw(label), height, height)
        decisions += tally.advance(height, height)
    decisions += tally.advance(DURATION_MS, height + 1)
    assert len(decisions) == 1
    return tally, decisions[0]


def cut(data: st.DataObject, votes: Sequence[Sent]) -> list[Sequence[Sent]]:
    """Draw a leader's choice of blocks for votes in this order."""
    marks = data.draw(st.lists(st.integers(0, len(votes)), max_size=4).map(sorted))
    edges = [0, *marks, len(votes)]
    return [votes[a:b] for a, b in itertools.pairwise(edges)]


def of_all(n: int, f: int, ballots: Sequence[Ballot]) -> Outcome | None:
    return Majority().outcome(ballots, voters=n, faulty=f, labels=len(LABELS), expired=True)


def result(decision: Decision) -> Outcome:
    return Outcome(decision.outcome, decision.label)


@given(st.data())
def test_a_leader_sways_nothing_by_order_or_by_where_blocks_end(data: st.DataObject) -> None:
    n, f = data.draw(st.sampled_from(SIZES))
    labels = data.draw(st.lists(LABEL, min_size=n, max_size=n))
    order = data.draw(st.permutations(list(enumerate(labels))))
    _, decision = run(n, f, cut(data, order))
    ballots = [Ballot(voter, label) for voter, label in enumerate(labels)]
    assert result(decision) == of_all(n, f, ballots)


@given(st.data())
def test_a_leader_cannot_get_another_label_before_the_deadline_by_omission(
    data: st.DataObject,
) -> None:
    n, f = data.draw(st.sampled_from(SIZES))
    labels = data.draw(st.lists(LABEL, min_size=n, max_size=n))
    shown = data.draw(st.permutations(list(enumerate(labels))))[: data.draw(st.integers(0, n))]
    _, decision = run(n, f, cut(data, shown))
    if decision.closed_ms < DURATION_MS:
        ballots = [Ballot(voter, label) for voter, label in enumerate(labels)]
        assert result(decision) == of_all(n, f, ballots)


@given(st.data())
def test_order_inside_a_block_changes_no_bit_of_the_state(data: st.DataObject) -> None:
    n, f = data.draw(st.sampled_from(SIZES))
    sent = st.tuples(st.integers(0, n), st.integers(ABSTAIN, len(LABELS)))
    blocks = data.draw(st.lists(st.lists(sent, max_size=2 * n), max_size=3))
    shuffled = [data.draw(st.permutations(block)) for block in blocks]
    one, first = run(n, f, blocks)
    other, second = run(n, f, shuffled)
    assert first == second
    assert one.state_digest() == other.state_digest()


@given(st.data())
def test_at_most_one_ballot_of_each_voter_counts(data: st.DataObject) -> None:
    n, f = data.draw(st.sampled_from(SIZES))
    sent = data.draw(st.lists(st.tuples(st.integers(-1, n), LABEL), max_size=3 * n))
    tally = Tally(frozenset(range(n)), f)
    tally.open(NAME, QUESTION, 0, 0)
    said: dict[int, set[int]] = {}
    for voter, label in sent:
        got = tally.vote(voter, saw(label), 0, 0)
        if voter not in range(n):
            assert got == VoteResult.NOT_A_VOTER
            continue
        before = said.setdefault(voter, set())
        if not before:
            assert got == VoteResult.COUNTED
        elif len(before) > 1:
            assert got == VoteResult.VOIDED
        else:
            assert got == (VoteResult.DUPLICATE if label in before else VoteResult.CONFLICT)
        before.add(label)
    tally.advance(0, 0)
    decision = tally.decision(1) or tally.advance(DURATION_MS, 1)[0]
    honest = [next(iter(labels)) for labels in said.values() if len(labels) == 1]
    assert decision.counts == tuple(honest.count(label) for label in range(len(LABELS)))
    assert decision.abstentions == honest.count(ABSTAIN)
    assert decision.voided == len(said) - len(honest)


@pytest.mark.parametrize("n", range(4, 14))
@given(data=st.data())
def test_f_liars_never_make_agreeing_honest_voters_wrong(n: int, data: st.DataObject) -> None:
    f = (n - 1) // 3
    lies = data.draw(st.lists(st.tuples(st.integers(n - f, n - 1), LABEL), max_size=3 * f))
    honest = [(voter, CUP) for voter in range(n - f)]
    order = data.draw(st.permutations(honest + lies))
    _, decision = run(n, f, cut(data, order))
    assert result(decision) == Outcome(OutcomeKind.DECIDED, CUP)


@pytest.mark.parametrize("n", range(4, 14))
@given(data=st.data())
def test_even_with_votes_left_out_liars_get_no_more_than_undecided(
    n: int, data: st.DataObject
) -> None:
    f = (n - 1) // 3
    lies = data.draw(st.lists(st.tuples(st.integers(n - f, n - 1), LABEL), max_size=3 * f))
    honest = [(voter, CUP) for voter in range(n - f)]
    shown = data.draw(st.permutations(honest + lies))
    _, decision = run(n, f, cut(data, shown[: data.draw(st.integers(0, len(shown)))]))
    undecided = Outcome(OutcomeKind.UNDECIDED)
    assert result(decision) in (Outcome(OutcomeKind.DECIDED, CUP), undecided)


@given(st.data())
def test_liars_cannot_decide_for_honest_voters_who_cannot_tell(data: st.DataObject) -> None:
    n, f = data.draw(st.sampled_from(SIZES))
    votes = [(voter, ABSTAIN) for voter in range(n - f)]
    votes += [(voter, LIE) for voter in range(n - f, n)]
    _, decision = run(n, f, cut(data, data.draw(st.permutations(votes))))
    assert decision.outcome == OutcomeKind.UNDECIDED


@given(st.data())
def test_saying_two_things_gets_a_liar_no_more_than_saying_one_or_none(
    data: st.DataObject,
) -> None:
    n, f = data.draw(st.sampled_from([(n, f) for n, f in SIZES if f]))
    labels = data.draw(st.lists(LABEL, min_size=n - 1, max_size=n - 1))
    one, two = data.draw(st.permutations(range(ABSTAIN, len(LABELS))))[:2]
    sent = [*enumerate(labels), (n - 1, one), (n - 1, two)]
    _, decision = run(n, f, cut(data, data.draw(st.permutations(sent))))
    others = [Ballot(voter, label) for voter, label in enumerate(labels)]
    reachable = [of_all(n, f, [*others, Ballot(n - 1, said)]) for said in (one, two)]
    reachable.append(of_all(n, f, [*others, Ballot(n - 1, ABSTAIN, voided=True)]))
    assert result(decision) in reachable
