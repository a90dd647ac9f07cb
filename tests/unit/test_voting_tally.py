# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The tally: what becomes of each question and vote, when questions close, and what is kept."""

from __future__ import annotations

import pytest

from swarm_ledger.encoding import encode
from swarm_ledger.errors import Misuse
from swarm_ledger.voting import (
    ABSTAIN,
    Decision,
    Majority,
    Observation,
    OpenResult,
    OutcomeKind,
    Question,
    Tally,
    VoteResult,
    question_id,
)
from swarm_ledger.voting.limits import MAX_OPEN_QUESTIONS, MAX_TIME_MS, RETAINED_DECISIONS

CUP, FACES = 0, 1
OPENED_MS = 10_000
DURATION_MS = 5_000


def ask(nonce: int = 0, duration_ms: int = DURATION_MS) -> Question:
    return Question(
        "target", ("cup", "two_faces"), Majority(), duration_ms, nonce.to_bytes(16, "big")
    )


def name(question: Question) -> bytes:
    return question_id(encode(question))


def saw(label: int, question: Question | None = None, stamp_ms: int = 1) -> Observation:
    asked = name(question or ask())
    return Observation(asked, label, 900_000, stamp_ms, bytes(32), 0, 12_000)


def opened(voters: int = 4, faulty: int = 1) -> Tally:
    """Return a tally with one question, opened in block 1 at OPENED_MS."""
    tally = Tally(frozenset(range(voters)), faulty)
    assert tally.open(name(ask()), ask(), OPENED_MS, 1) == OpenResult.OPENED
    assert tally.advance(OPENED_MS, 1) == []
    return tally


def block(tally: Tally, votes: list[tuple[int, int]], now_ms: int, height: int) -> list[Decision]:
    for voter, label in votes:
        assert tally.vote(voter, saw(label), now_ms, height) == VoteResult.COUNTED
    return tally.advance(now_ms, height)


def test_a_question_is_asked_voted_and_decided() -> None:
    tally = opened()
    assert block(tally, [(0, FACES), (1, FACES)], OPENED_MS + 10, 2) == []
    decision = Decision(
        number=1,
        question=name(ask()),
        outcome=OutcomeKind.DECIDED,
        label=FACES,
        counts=(0, 3),
        abstentions=0,
        voided=0,
        voters=4,
        opened_ms=OPENED_MS,
        closed_ms=OPENED_MS + 20,
        height=3,
    )
    assert block(tally, [(3, FACES)], OPENED_MS + 20, 3) == [decision]
    assert tally.decision(1) == tally.decision_on(name(ask())) == decision
    assert tally.open_questions() == ()
    assert tally.votes(name(ask())) == ()
    assert tally.vote(2, saw(CUP), OPENED_MS + 30, 4) == VoteResult.CLOSED
    assert tally.advance(OPENED_MS + 30, 4) == []


def test_a_question_closes_at_the_end_of_a_block_with_all_its_votes() -> None:
    tally = opened()
    votes = [(0, CUP), (1, CUP), (2, CUP), (3, FACES)]
    (decision,) = block(tally, votes, OPENED_MS, 2)
    assert (decision.label, decision.counts) == (CUP, (3, 1))


def test_what_becomes_of_each_vote() -> None:
    tally = opened()
    now, height = OPENED_MS + 1, 2
    results = [
        tally.vote(0, saw(CUP), now, height),
        tally.vote(0, saw(CUP), now, height),
        tally.vote(4, saw(CUP), now, height),
        tally.vote(-1, saw(CUP), now, height),
        tally.vote(1, saw(2), now, height),
        tally.vote(1, saw(CUP, ask(9)), now, height),
        tally.vote(1, saw(ABSTAIN), now, height),
    ]
    assert results == [
        VoteResult.COUNTED,
        VoteResult.DUPLICATE,
        VoteResult.NOT_A_VOTER,
        VoteResult.NOT_A_VOTER,
        VoteResult.BAD_LABEL,
        VoteResult.UNKNOWN_QUESTION,
        VoteResult.COUNTED,
    ]
    votes = tally.votes(name(ask()))
    assert [(vote.voter, vote.observation) for vote in votes] == [
        (0, saw(CUP)),
        (1, saw(ABSTAIN)),
    ]


def test_voters_are_those_of_the_roster_whatever_their_indices() -> None:
    tally = Tally(frozenset({2, 5, 6, 900}), 1)
    tally.open(name(ask()), ask(), OPENED_MS, 1)
    assert tally.vote(0, saw(CUP), OPENED_MS, 1) == VoteResult.NOT_A_VOTER
    for voter in (900, 5, 6):
        assert tally.vote(voter, saw(CUP), OPENED_MS, 1) == VoteResult.COUNTED
    assert [vote.voter for vote in tally.votes(name(ask()))] == [5, 6, 900]
    (decision,) = tally.advance(OPENED_MS, 1)
    assert (decision.label, decision.counts, decision.voters) == (CUP, (3, 0), 4)


@pytest.mark.parametrize("second", [saw(FACES), saw(CUP, stamp_ms=2)], ids=["label", "stamp"])
def test_a_voter_who_says_two_things_is_voided(second: Observation) -> None:
    tally = opened()
    block(tally, [(3, CUP), (0, CUP)], OPENED_MS, 2)
    assert tally.vote(3, second, OPENED_MS, 3) == VoteResult.CONFLICT
    (first,) = [vote for vote in tally.votes(name(ask())) if vote.voter == 3]
    assert (first.height, first.observation) == (2, None)
    for again in (saw(CUP), second, saw(ABSTAIN)):
        assert tally.vote(3, again, OPENED_MS, 3) == VoteResult.VOIDED
    assert tally.advance(OPENED_MS, 3) == []
    (decision,) = block(tally, [(1, CUP), (2, CUP)], OPENED_MS, 4)
    assert (decision.label, decision.counts, decision.voided) == (CUP, (3, 0), 1)


def test_a_voided_ballot_does_not_help_to_reach_n_minus_f() -> None:
    tally = opened()
    block(tally, [(0, CUP), (1, CUP), (3, CUP)][:2], OPENED_MS, 2)
    tally.vote(3, saw(CUP), OPENED_MS, 3)
    tally.vote(3, saw(FACES), OPENED_MS, 3)
    assert tally.advance(OPENED_MS, 3) == []
    (decision,) = tally.advance(OPENED_MS + DURATION_MS, 4)
    assert (decision.outcome, decision.counts) == (OutcomeKind.UNDECIDED, (2, 0))
    assert (decision.label, decision.voided) == (ABSTAIN, 1)


def test_the_deadline_is_the_first_moment_that_is_late() -> None:
    tally = opened()
    deadline = OPENED_MS + DURATION_MS
    assert [asked.deadline_ms for asked in tally.open_questions()] == [deadline]
    assert block(tally, [(0, CUP), (1, CUP)], deadline - 1, 2) == []
    assert tally.vote(2, saw(CUP), deadline, 3) == VoteResult.LATE
    assert tally.vote(0, saw(FACES), deadline, 3) == VoteResult.LATE
    (decision,) = tally.advance(deadline, 3)
    assert (decision.outcome, decision.counts, decision.voided) == (
        OutcomeKind.UNDECIDED,
        (2, 0),
        0,
    )


def test_at_the_deadline_the_plurality_of_enough_votes_wins() -> None:
    tally = opened(voters=7, faulty=2)
    votes = [(0, CUP), (1, CUP), (2, CUP), (3, FACES), (4, ABSTAIN)]
    assert block(tally, votes, OPENED_MS, 2) == []
    (decision,) = tally.advance(OPENED_MS + 10 * DURATION_MS, 3)
    assert (decision.label, decision.counts, decision.abstentions) == (CUP, (3, 1), 1)


def test_a_tie_and_nothing_but_abstentions() -> None:
    (tie,) = block(opened(), [(0, CUP), (1, CUP), (2, FACES), (3, FACES)], OPENED_MS, 2)
    assert (tie.outcome, tie.label, tie.counts) == (OutcomeKind.TIE, ABSTAIN, (2, 2))
    (blind,) = block(opened(), [(voter, ABSTAIN) for voter in range(4)], OPENED_MS, 2)
    assert (blind.outcome, blind.label, blind.abstentions) == (OutcomeKind.UNDECIDED, ABSTAIN, 4)


def test_decisions_come_in_order_of_opening_and_are_numbered_from_one() -> None:
    tally = Tally(frozenset(range(4)), 1)
    questions = [ask(3, duration_ms=20), ask(1, duration_ms=10), ask(2, duration_ms=20)]
    for question in questions:
        tally.open(name(question), question, 0, 1)
    assert tally.advance(0, 1) == []
    assert [decision.question for decision in tally.advance(10, 2)] == [name(questions[1])]
    later = tally.advance(20, 3)
    assert [decision.question for decision in later] == [name(questions[0]), name(questions[2])]
    assert [tally.decision(number) for number in (2, 3)] == later
    assert [tally.decision(number) for number in (-1, 0, 4)] == [None, None, None]


def test_a_question_is_asked_only_once() -> None:
    tally = opened()
    assert tally.open(name(ask()), ask(), OPENED_MS, 2) == OpenResult.ALREADY_ASKED
    tally.advance(OPENED_MS, 2)
    tally.advance(OPENED_MS + DURATION_MS, 3)
    late = OPENED_MS + 2 * DURATION_MS
    assert tally.open(name(ask()), ask(), late, 4) == OpenResult.ALREADY_ASKED
    assert tally.open(name(ask(1)), ask(1), late, 4) == OpenResult.OPENED
    assert [asked.question for asked in tally.open_questions()] == [ask(1)]


def test_open_questions_are_bounded_and_room_is_made_by_closing() -> None:
    tally = Tally(frozenset(range(4)), 1)
    for nonce in range(MAX_OPEN_QUESTIONS):
        assert tally.open(name(ask(nonce)), ask(nonce), 0, 1) == OpenResult.OPENED
    full = ask(MAX_OPEN_QUESTIONS)
    assert tally.open(name(full), full, 0, 1) == OpenResult.FULL
    assert tally.open(name(ask(0)), ask(0), 0, 1) == OpenResult.ALREADY_ASKED
    tally.advance(0, 1)
    assert len(tally.advance(DURATION_MS, 2)) == MAX_OPEN_QUESTIONS
    assert tally.open(name(full), full, DURATION_MS, 3) == OpenResult.OPENED


def test_decisions_are_forgotten_oldest_first_but_numbers_go_on() -> None:
    tally = Tally(frozenset(range(4)), 1)
    made: list[Decision] = []
    for nonce in range(RETAINED_DECISIONS + 2):
        question = ask(nonce, duration_ms=1)
        assert tally.open(name(question), question, nonce, 2 * nonce) == OpenResult.OPENED
        tally.advance(nonce, 2 * nonce)
        made += tally.advance(nonce + 1, 2 * nonce + 1)
    assert [decision.number for decision in made] == list(range(1, RETAINED_DECISIONS + 3))
    assert tally.decision(2) is None
    assert tally.decision_on(name(ask(1, duration_ms=1))) is None
    assert tally.decision(3) == made[2]
    assert tally.decision(RETAINED_DECISIONS + 2) == made[-1]


def test_time_and_height_never_go_back() -> None:
    tally = opened()
    with pytest.raises(Misuse, match="went back from 10000 to 9999"):
        tally.vote(0, saw(CUP), OPENED_MS - 1, 2)
    with pytest.raises(Misuse, match="went back"):
        tally.advance(OPENED_MS - 1, 2)
    with pytest.raises(Misuse, match="height 1 comes after"):
        tally.vote(0, saw(CUP), OPENED_MS, 1)
    with pytest.raises(Misuse, match="height 0 comes after"):
        tally.open(name(ask(1)), ask(1), OPENED_MS, 0)
    assert tally.vote(0, saw(CUP), OPENED_MS, 2) == VoteResult.COUNTED
    with pytest.raises(Misuse, match="two times"):
        tally.vote(1, saw(CUP), OPENED_MS + 1, 2)
    with pytest.raises(Misuse, match="before height 2 was ended") as early:
        tally.vote(1, saw(CUP), OPENED_MS + 1, 3)
    assert "advance" in early.value.explain()
    for now_ms, height in ((-1, 2), (MAX_TIME_MS + 1, 2), (OPENED_MS, MAX_TIME_MS + 1)):
        with pytest.raises(Misuse, match="out of range"):
            tally.advance(now_ms, height)
    assert tally.advance(OPENED_MS, 2) == []


def test_a_refused_call_changes_nothing() -> None:
    tally = opened()
    before = tally.state_digest()
    with pytest.raises(Misuse):
        tally.vote(0, saw(CUP), OPENED_MS - 1, 2)
    with pytest.raises(Misuse, match="not its digest"):
        tally.open(name(ask(1)), ask(2), OPENED_MS, 2)
    assert tally.state_digest() == before


@pytest.mark.parametrize(
    ("voters", "faulty"), [(0, 0), (3, 1), (6, 2), (4, -1), (9, 3), (1025, 0)]
)
def test_a_tally_that_could_be_outvoted_is_refused(voters: int, faulty: int) -> None:
    with pytest.raises(Misuse):
        Tally(frozenset(range(voters)), faulty)


@pytest.mark.parametrize(("voters", "faulty"), [(1, 0), (4, 1), (7, 2), (10, 3), (1024, 341)])
def test_the_smallest_and_largest_tallies(voters: int, faulty: int) -> None:
    tally = opened(voters, faulty)
    everyone = [(voter, FACES) for voter in range(voters - faulty)]
    (decision,) = block(tally, everyone, OPENED_MS, 2)
    assert (decision.label, decision.counts) == (FACES, (0, voters - faulty))


def test_negative_voters_are_refused() -> None:
    with pytest.raises(Misuse, match="indices from 0"):
        Tally(frozenset({-1, 0, 1, 2}), 1)


def test_the_digest_is_the_same_on_every_python() -> None:
    tally = opened()
    block(tally, [(voter, FACES) for voter in range(4)], OPENED_MS, 2)
    tally.open(name(ask(1)), ask(1), OPENED_MS + 1, 3)
    tally.vote(2, saw(ABSTAIN, ask(1)), OPENED_MS + 1, 3)
    tally.vote(0, saw(FACES, ask(1)), OPENED_MS + 1, 3)
    tally.vote(0, saw(CUP, ask(1)), OPENED_MS + 1, 3)
    pinned = "b8517d39282c2aee992fa467319fece439dd83a54101c44b738e70e2479dd3c2"
    assert tally.state_digest().hex() == pinned


def test_the_digest_covers_every_part_of_the_state() -> None:
    digests = [Tally(frozenset(range(4)), 1).state_digest()]
    digests.append(Tally(frozenset(range(5)), 1).state_digest())
    digests.append(Tally(frozenset(range(4)), 0).state_digest())
    tally = opened()
    digests.append(tally.state_digest())
    tally.vote(0, saw(CUP), OPENED_MS, 2)
    digests.append(tally.state_digest())
    tally.vote(0, saw(FACES), OPENED_MS, 2)
    digests.append(tally.state_digest())
    tally.advance(OPENED_MS, 2)
    digests.append(tally.state_digest())
    tally.advance(OPENED_MS, 3)
    digests.append(tally.state_digest())
    tally.advance(OPENED_MS + DURATION_MS, 4)
    digests.append(tally.state_digest())
    assert {len(one) for one in digests} == {32}
    assert len(set(digests)) == len(digests)


def test_votes_that_are_refused_leave_only_the_time_behind() -> None:
    one, other = opened(), opened()
    for tally in (one, other):
        tally.vote(0, saw(CUP), OPENED_MS, 2)
    for voter, seen in ((0, saw(CUP)), (9, saw(CUP)), (1, saw(5)), (1, saw(CUP, ask(7)))):
        assert one.vote(voter, seen, OPENED_MS, 2) > VoteResult.COUNTED
    assert one.state_digest() == other.state_digest()


def test_histories_with_the_same_open_questions_differ_by_their_decisions() -> None:
    tallies = []
    for label in (CUP, FACES):
        tally = opened()
        block(tally, [(voter, label) for voter in range(3)], OPENED_MS, 2)
        tallies.append(tally)
    assert tallies[0].open_questions() == tallies[1].open_questions() == ()
    assert tallies[0].state_digest() != tallies[1].state_digest()
