# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Commit, then reveal: nobody says what it heard others say, and nobody takes anything back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_ledger.encoding import encode
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.voting import (
    Commitment,
    Decision,
    Majority,
    Observation,
    OutcomeKind,
    Question,
    Reveal,
    Tally,
    VoteResult,
    hide,
    parse_question,
    question_id,
)
from swarm_ledger.voting.commitment import parse_commitment, parse_reveal
from swarm_ledger.voting.rules import Sealed

OPEN_MS, REVEAL_MS = 1_000, 400
FROM_MS = OPEN_MS - REVEAL_MS
QUESTION = Question(
    "What?", ("cup", "two_faces"), Sealed(Majority(), REVEAL_MS), OPEN_MS, bytes(16)
)
NAME = question_id(encode(QUESTION))
N = 4


def ballot(voter: int, label: int = 0) -> Reveal:
    saw = Observation(NAME, label, 900_000, 1, bytes([voter]) * 32, 0, 1)
    return Reveal(bytes([voter]) * 16, saw)


def commitment(voter: int, label: int = 0) -> Commitment:
    return Commitment(NAME, hide(voter, ballot(voter, label)))


def opened() -> Tally:
    tally = Tally(frozenset(range(N)), 1)
    tally.open(NAME, QUESTION, 0, 0)
    assert tally.advance(0, 0) == []
    return tally


def committed(*voters: int) -> Tally:
    tally = opened()
    for voter in voters:
        assert tally.commit(voter, commitment(voter), 10, 1) is VoteResult.COMMITTED
    assert tally.advance(10, 1) == []
    return tally


def test_a_sealed_question_from_commitments_to_decision() -> None:
    tally = committed(0, 1, 2, 3)
    for voter in range(N):
        assert tally.reveal(voter, ballot(voter), FROM_MS, 2) is VoteResult.COUNTED
    (decision,) = tally.advance(FROM_MS, 2)
    assert isinstance(decision, Decision)
    assert (decision.label, decision.counts, decision.voided) == (0, (4, 0), 0)


def test_each_thing_at_its_time_only() -> None:
    tally = committed(0)
    assert tally.vote(0, ballot(0).observation, 20, 2) is VoteResult.SEALED
    assert tally.reveal(0, ballot(0), 20, 2) is VoteResult.EARLY
    assert tally.commit(0, commitment(0), 20, 2) is VoteResult.DUPLICATE
    tally.advance(20, 2)
    assert tally.commit(1, commitment(1), FROM_MS, 3) is VoteResult.LATE
    assert tally.reveal(1, ballot(1), FROM_MS, 3) is VoteResult.NOT_COMMITTED
    assert tally.reveal(0, ballot(0), FROM_MS, 3) is VoteResult.COUNTED
    plain = Question("What?", ("cup", "vase"), Majority(), OPEN_MS, bytes(16))
    about = question_id(encode(plain))
    tally.open(about, plain, FROM_MS, 3)
    asked = Commitment(about, bytes(32))
    assert tally.commit(2, asked, FROM_MS, 3) is VoteResult.NOT_COMMITTED


def test_who_does_not_open_its_ballot_is_voided_and_was_wrong() -> None:
    tally = committed(0, 1, 2, 3)
    for voter in (0, 1, 2):
        tally.reveal(voter, ballot(voter), FROM_MS, 2)
    (decision,) = tally.advance(FROM_MS, 2)
    assert decision.outcome is OutcomeKind.DECIDED
    assert decision.voided == 1
    learnt = tally.learnt()
    assert learnt is not None
    assert [one.wrong > 0 for one in learnt.voters] == [False, False, False, True]


def test_a_question_ends_when_all_that_was_committed_to_is_open() -> None:
    tally = committed(0, 1)
    tally.reveal(0, ballot(0), FROM_MS, 2)
    assert tally.advance(FROM_MS, 2) == []
    tally.reveal(1, ballot(1), FROM_MS + 1, 3)
    (decision,) = tally.advance(FROM_MS + 1, 3)
    assert decision.outcome is OutcomeKind.UNDECIDED
    nobody = opened()
    (decision,) = nobody.advance(FROM_MS, 1)
    assert decision.outcome is OutcomeKind.UNDECIDED


def test_who_commits_to_two_things_has_none() -> None:
    tally = committed(0, 1, 2, 3)
    assert tally.commit(0, commitment(0, 1), 20, 2) is VoteResult.CONFLICT
    assert tally.commit(0, commitment(0), 20, 2) is VoteResult.VOIDED
    tally.advance(20, 2)
    assert tally.reveal(0, ballot(0), FROM_MS, 3) is VoteResult.VOIDED


@given(st.integers(0, N - 1), st.integers(0, N - 1), st.integers(0, 1))
def test_nobody_opens_what_another_committed_to(copier: int, author: int, label: int) -> None:
    """A copied commitment is the author's digest: with the copier's index it is another."""
    tally = opened()
    stolen = commitment(author, label)
    tally.commit(author, stolen, 10, 1)
    tally.commit(copier, stolen, 10, 1)
    tally.advance(10, 1)
    tally.reveal(author, ballot(author, label), FROM_MS, 2)
    got = tally.reveal(copier, ballot(author, label), FROM_MS, 2)
    assert got is (VoteResult.DUPLICATE if copier == author else VoteResult.NOT_COMMITTED)


@given(st.data())
def test_what_others_open_can_change_nobodys_ballot(data: st.DataObject) -> None:
    """Whoever sees all ballots open first can open its own, or none: no other counts."""
    labels = data.draw(st.lists(st.integers(0, 1), min_size=N, max_size=N))
    tally = opened()
    for voter, label in enumerate(labels):
        tally.commit(voter, commitment(voter, label), 10, 1)
    tally.advance(10, 1)
    liar = data.draw(st.integers(0, N - 1))
    for voter in range(N):
        if voter != liar:
            tally.reveal(voter, ballot(voter, labels[voter]), FROM_MS, 2)
    for _ in range(3):
        other = ballot(data.draw(st.integers(0, N - 1)), data.draw(st.integers(0, 1)))
        got = tally.reveal(liar, other, FROM_MS, 2)
        assert (got in (VoteResult.COUNTED, VoteResult.DUPLICATE)) == (
            other == ballot(liar, labels[liar])
        )


def test_what_is_hidden_depends_on_every_part() -> None:
    plain = ballot(0)
    others = {
        hide(0, plain),
        hide(1, plain),
        hide(0, Reveal(bytes(15) + b"x", plain.observation)),
        hide(0, ballot(0, 1)),
    }
    assert len(others) == 4


def test_a_sealed_question_needs_time_to_commit() -> None:
    with pytest.raises(Misuse, match="for opening"):
        Question("What?", ("cup", "vase"), Sealed(Majority(), OPEN_MS), OPEN_MS, bytes(16))
    assert parse_question(encode(QUESTION)) == QUESTION
    nested = [1, "What?", ["a", "b"], [8, [8, [1], 1], 1], 9, bytes(16)]
    with pytest.raises(PeerFault):
        parse_question(encode(nested))
    assert parse_commitment(encode(commitment(1))) == commitment(1)
    assert parse_reveal(encode(ballot(1))) == ballot(1)
    for raw in (encode([1, NAME, bytes(31)]), encode([2, NAME, bytes(32)]), b""):
        with pytest.raises(PeerFault):
            parse_commitment(raw)
    with pytest.raises(PeerFault):
        parse_reveal(encode([1, bytes(15), ballot(1).observation]))
