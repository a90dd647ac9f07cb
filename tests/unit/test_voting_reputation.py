# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Reputations: learned from decisions, forgotten slowly, and the same after a restart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from swarm_ledger.encoding import decode, encode
from swarm_ledger.voting import Decision, Majority, Observation, OutcomeKind, Question, Tally
from swarm_ledger.voting.question import question_id
from swarm_ledger.voting.reputation import (
    MOST,
    Reason,
    Reputation,
    Reputations,
    Standing,
    parse_standing_change,
)
from swarm_ledger.voting.rules import AnyRule, Plurality
from swarm_ledger.voting.state import LearningState, TallyState

IDS = {voter: bytes([voter]) * 16 for voter in range(9)}


def after(*answers: bool) -> Reputation:
    reputation = Reputation(0)
    for right in answers:
        reputation = reputation.after(right=right)
    return reputation


def ask(tally: Tally, number: int, rule: AnyRule, *labels: int) -> Decision:
    question = Question("What?", ("a", "b"), rule, 5, number.to_bytes(16, "big"))
    name = question_id(encode(question))
    tally.open(name, question, number, number)
    for voter, label in enumerate(labels):
        tally.vote(voter, Observation(name, label, 900_000, 1, bytes(32), 0, 1), number, number)
    (decision,) = tally.advance(number, number)
    assert isinstance(decision, Decision)
    return decision


@given(st.lists(st.booleans(), max_size=300))
def test_reputations_stay_in_their_bounds(answers: list[bool]) -> None:
    reputation = after(*answers)
    assert 0 <= reputation.right <= MOST
    assert 0 <= reputation.wrong <= MOST
    assert 0 < reputation.reliability_ppm < 1_000_000


@given(st.lists(st.booleans(), max_size=100))
def test_an_answer_more_moves_it_the_right_way(answers: list[bool]) -> None:
    now = after(*answers)
    assert now.after(right=True).reliability_ppm >= now.reliability_ppm
    assert now.after(right=False).reliability_ppm <= now.reliability_ppm


def test_old_answers_fade() -> None:
    reformed = after(*[False] * 100, *[True] * 100)
    assert reformed.standing is Standing.GOOD
    assert reformed.wrong < reformed.right // 15


def test_from_good_to_suspect_to_proposed_and_back() -> None:
    seen = [after(*[False] * count) for count in range(12)]
    assert [one.standing for one in seen[:4]] == [Standing.GOOD] * 4
    assert {Standing.SUSPECT, Standing.EXCLUDE} == {one.standing for one in seen[5:]}
    assert seen[-1].reason is Reason.OFTEN_WRONG
    again = after(*[False] * 11, *[True] * 40)
    assert (again.standing, again.reason) == (Standing.GOOD, Reason.OFTEN_RIGHT)


def test_a_contradiction_is_never_forgiven_while_it_votes() -> None:
    convicted = after(True, True).convicted()
    for _ in range(100):
        convicted = convicted.after(right=True)
    assert (convicted.standing, convicted.reliability_ppm) == (Standing.EXCLUDE, 0)
    book = Reputations()
    book.convict([3])
    (change,) = book.changed(IDS, 0, 1)
    assert (change.member, change.reason) == (IDS[3], Reason.CONTRADICTION)
    book.convict([3])
    assert book.changed(IDS, 0, 2) == []
    book.keep(frozenset({0}))
    assert book.of(3) == Reputation(3)


def test_a_tally_learns_from_what_is_decided_and_says_what_it_thinks() -> None:
    tally = Tally(frozenset(range(4)), 1)
    changes = []
    for number in range(1, 15):
        ask(tally, number, Plurality(), 0, 0, 0, 1)
        changes += tally.judge(IDS, ())
    assert [one.standing for one in changes] == [Standing.SUSPECT, Standing.EXCLUDE]
    assert [one.number for one in changes] == [1, 2]
    assert {one.member for one in changes} == {IDS[3]}
    assert [parse_standing_change(encode(one)) for one in changes] == changes
    learnt = tally.learnt()
    assert learnt is not None
    known = {one.voter: one.reliability_ppm for one in learnt.voters}
    assert min(known[0], known[1], known[2]) > 900_000
    assert known[3] < 500_000


def test_what_nobody_knows_says_nothing_of_anybody() -> None:
    tally = Tally(frozenset(range(4)), 1)
    assert ask(tally, 1, Plurality(), 0, 0, 1, 1).outcome is OutcomeKind.TIE
    learnt = tally.learnt()
    assert learnt is not None
    assert learnt.voters == ()


def test_without_another_rule_nothing_is_learnt_and_with_one_majorities_count_too() -> None:
    tally = Tally(frozenset(range(4)), 1)
    ask(tally, 1, Majority(), 0, 0, 0, 1)
    assert tally.learnt() is None
    assert type(tally.state()) is TallyState
    assert tally.judge(IDS, {1}) == []
    ask(tally, 2, Plurality(), 0, 0, 0, 0)
    ask(tally, 3, Majority(), 0, 0, 0, 1)
    learnt = tally.learnt()
    assert learnt is not None
    assert learnt.voters[3].wrong > 0


def test_two_questions_that_close_in_one_block_are_weighed_alike() -> None:
    """Whichever was opened first, and whichever votes came first."""
    digests = []
    for turn in (1, -1):
        tally = Tally(frozenset(range(4)), 1)
        names = []
        for nonce in range(2):
            question = Question("What?", ("a", "b"), Plurality(), 5, bytes([nonce]) * 16)
            names.append(question_id(encode(question)))
            tally.open(names[-1], question, 1, 1)
        for name in names[::turn]:
            for voter in range(4)[::turn]:
                label = int(voter == 3)
                seen = Observation(name, label, 1, 1, bytes(32), 0, 1)
                tally.vote(voter, seen, 1, 1)
        tally.advance(1, 1)
        digests.append(tally.state_digest())
    assert digests[0] == digests[1]


def test_reputations_are_in_the_state_and_its_digest() -> None:
    tally = Tally(frozenset(range(4)), 1)
    decisions = [ask(tally, 1, Plurality(), 0, 0, 0, 1)]
    raw = encode(tally.state())
    state = decode(raw, TallyState | LearningState, limit=1 << 16)
    again = Tally(frozenset(range(4)), 1)
    again.resume(state, decisions, 1, 1)
    assert again.learnt() == tally.learnt()
    assert again.state_digest() == tally.state_digest()
    other = Tally(frozenset(range(4)), 1)
    other.resume(TallyState(state.decided, state.history, state.open), decisions, 1, 1)
    assert other.state_digest() != tally.state_digest()
