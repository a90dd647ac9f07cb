# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The rule book alone: who gets what when, what is refused and why; a naive model beside it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from swarm_ledger.encoding import decode, encode
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.rules.book import Fact, Rulebook
from swarm_ledger.rules.limits import (
    AHEAD_MS,
    CLAIM_EVERY_MS,
    CLAIM_LIMIT,
    MAX_LISTED,
    MAX_NUMBER,
    MAX_QUEUE,
    MAX_RULES,
    MAX_TERM_MS,
    OUTCOME_LIMIT,
    RULE_LIMIT,
)
from swarm_ledger.rules.rule import (
    Accept,
    Action,
    Answer,
    Ask,
    Claim,
    Grant,
    Lease,
    Release,
    Rule,
    Trigger,
    Withdrawal,
    parse_action,
    parse_claim,
    parse_grant,
    parse_instruction,
)
from swarm_ledger.rules.state import BookState

A, B, C = (bytes([letter]) * 16 for letter in b"ABC")
TERM_MS = 30_000


def everybody(_: bytes) -> bool:
    return True


class Desk:
    """A rule book with a lease on the pad, and claims whose numbers go up by themselves."""

    def __init__(
        self,
        queue: int = 2,
        accept: Accept = Accept.LEDGER,
        members: tuple[bytes, ...] = (),
    ) -> None:
        self.book, self.now_ms, self.number = Rulebook(), 1_000_000, 0
        self.may: Callable[[bytes], bool] = everybody
        self.book.instruct(Rule("pad", 1, Lease(TERM_MS, queue, accept, members)))

    def ask(self, member: bytes, term_ms: int = TERM_MS, version: int = 1) -> str:
        self.number += 1
        return self.claim(member, Ask("pad", version, self.number, term_ms))

    def release(self, member: bytes) -> str:
        self.number += 1
        return self.claim(member, Release("pad", self.number))

    def claim(self, member: bytes, claim: Claim) -> str:
        before = self.book.state(), self.book.kept()
        try:
            return self.book.claim(member, claim, self.now_ms)
        except PeerFault as fault:
            assert (self.book.state(), self.book.kept()) == before, "refused, yet it had an effect"
            return fault.reason

    def end(self, by_ms: int = 0, *facts: Fact) -> tuple[list[Grant], list[Action]]:
        """Let time pass, and end a block then."""
        self.now_ms += by_ms
        grants, actions = self.book.end_block(self.now_ms, self.may, facts)
        return list(grants), list(actions)

    @property
    def holder(self) -> bytes | None:
        standing = self.book.standing("pad")
        return standing.held.member if standing and standing.held else None

    @property
    def waiting(self) -> list[bytes]:
        standing = self.book.standing("pad")
        return [wish.member for wish in standing.waiting] if standing else []


def test_a_lease_is_created_asked_for_granted_and_runs_out() -> None:
    desk = Desk()
    assert desk.ask(A) == "asked"
    (grant,), _ = desk.end()
    expected = Grant(1, "pad", 1, A, 1, desk.now_ms, desk.now_ms + TERM_MS)
    assert grant == expected
    desk.end(TERM_MS - 1)
    assert desk.holder == A
    desk.end(1)
    assert desk.holder is None


def test_who_waits_gets_it_when_it_is_free_in_the_order_of_asking() -> None:
    desk = Desk()
    for member in (A, B, C):
        assert desk.ask(member) == "asked"
    assert [grant.member for grant in desk.end()[0]] == [A]
    assert desk.book.due_ms() == desk.now_ms + TERM_MS
    assert [grant.member for grant in desk.end(TERM_MS)[0]] == [B]
    assert desk.release(B) == "released"
    assert [(grant.member, grant.number) for grant in desk.end(1)[0]] == [(C, 3)]
    assert desk.book.due_ms() is None


def test_a_lease_goes_on_unless_somebody_waits() -> None:
    desk = Desk()
    desk.ask(A)
    desk.end()
    assert desk.ask(A) == "asked"
    (grant,), _ = desk.end(20_000)
    assert (grant.member, grant.number, grant.until_ms) == (A, 2, desk.now_ms + TERM_MS)
    assert desk.ask(B) == "asked"
    assert desk.ask(A) == "asked"
    assert desk.end() == ([], [])
    assert desk.waiting == [B, A]
    assert [grant.member for grant in desk.end(TERM_MS)[0]] == [B]
    assert [grant.member for grant in desk.end(TERM_MS)[0]] == [A]


def test_a_claim_after_the_end_is_a_new_one_behind_the_others() -> None:
    desk = Desk()
    desk.ask(A)
    desk.end()
    desk.now_ms += TERM_MS
    assert desk.release(A) == "nothing_held"
    assert desk.ask(B) == "asked"
    assert desk.ask(A) == "asked"
    assert [grant.member for grant in desk.end()[0]] == [B]


@pytest.mark.parametrize("queue", [0, 1, MAX_QUEUE])
def test_the_queue_is_bounded(queue: int) -> None:
    desk = Desk(queue)
    crowd = [number.to_bytes(16, "big") for number in range(queue + 2)]
    assert [desk.ask(member) for member in crowd[:-1]] == ["asked"] * (queue + 1)
    assert desk.ask(crowd[-1]) == "queue_full"
    desk.end()
    assert len(desk.waiting) == queue
    assert desk.ask(crowd[-1]) == "queue_full"
    assert desk.ask(crowd[0]) == "asked", "whoever holds it may ask for more all the same"
    assert decode(encode(desk.book.kept()), BookState, limit=1 << 20) == desk.book.kept()


def test_what_does_not_count_says_why_and_changes_nothing() -> None:
    desk = Desk(members=(A, B))
    assert desk.ask(C) == "not_listed"
    assert desk.ask(A, TERM_MS + 1) == "long_term"
    assert desk.ask(A, version=2) == "stale_rule"
    assert desk.claim(A, Ask("dock", 1, 9, 1)) == "no_rule"
    assert desk.claim(A, Release("dock", 9)) == "no_rule"
    assert desk.release(A) == "nothing_held"
    assert desk.ask(A) == "asked"
    assert desk.ask(A) == "asked_already"
    assert desk.claim(A, Release("pad", 1)) == "stale_claim"
    desk.end()
    assert desk.release(B) == "nothing_held"
    desk.book.instruct(Rule("beep", 1, Trigger("What?", "cup", "beep")))
    assert desk.claim(B, Ask("beep", 1, 99, 1)) == "no_rule"


def test_the_same_claim_again_has_no_effect() -> None:
    desk = Desk()
    said = Ask("pad", 1, 5, TERM_MS)
    assert desk.claim(A, said) == "asked"
    assert desk.claim(A, said) == "stale_claim"
    desk.end()
    assert desk.claim(A, Ask("pad", 1, 5, 1)) == "stale_claim", "nor another of that number"
    assert desk.claim(A, Release("pad", 6)) == "released"
    desk.end()
    assert desk.claim(A, said) == "stale_claim"
    assert desk.claim(A, Ask("pad", 1, MAX_NUMBER, TERM_MS)) == "asked"
    assert desk.claim(A, Ask("pad", 1, MAX_NUMBER, TERM_MS)) == "stale_claim"
    desk.book.change()
    assert desk.book.number_of(A) == 0, "under the next roster numbers begin anew"


def test_nobody_claims_more_often_than_it_may() -> None:
    desk = Desk()
    said = [desk.ask(A) if turn % 2 == 0 else desk.release(A) for turn in range(40)]
    free = AHEAD_MS // CLAIM_EVERY_MS + 1
    assert said == ["asked", "released"] * (free // 2) + ["asked"] + ["too_soon"] * (40 - free)
    assert desk.ask(B) == "asked"
    desk.now_ms += CLAIM_EVERY_MS
    assert desk.release(A) == "released"
    assert desk.ask(A) == "too_soon"


def test_time_has_an_end() -> None:
    desk = Desk()
    desk.now_ms = MAX_NUMBER
    desk.ask(A)
    (grant,), _ = desk.end()
    assert parse_grant(encode(grant)) == grant
    assert decode(encode(desk.book.kept()), BookState, limit=4096) == desk.book.kept()
    desk.end()
    assert desk.holder is None


def test_who_may_hold_nothing_any_more_loses_it_and_its_place() -> None:
    desk = Desk()
    for member in (A, B, C):
        desk.ask(member)
    desk.end()
    desk.may = lambda member: member == C
    assert [grant.member for grant in desk.end(1)[0]] == [C]
    assert desk.waiting == []


def test_an_operator_accepts_or_refuses() -> None:
    desk = Desk(accept=Accept.OPERATOR)
    for member in (A, B, C):
        desk.ask(member)
    assert desk.end() == ([], [])
    assert desk.book.due_ms() is None
    yes, no = Answer("pad", 1, B, 2, True), Answer("pad", 1, A, 1, False)
    assert desk.book.instruct(yes) == "accepted"
    assert refusal(desk.book, yes) == "known"
    assert desk.book.instruct(no) == "refused"
    assert [grant.member for grant in desk.end()[0]] == [B]
    assert desk.waiting == [C]
    for said in (yes, no, Answer("pad", 1, C, 4, True), Answer("pad", 1, A, 3, True)):
        assert refusal(desk.book, said) == "no_request"
    assert refusal(desk.book, Answer("pad", 2, C, 3, True)) == "stale_rule"
    assert refusal(desk.book, Answer("dock", 1, C, 3, True)) == "no_rule"


def refusal(book: Rulebook, said: Rule | Withdrawal | Answer) -> str:
    before = book.kept()
    with pytest.raises(PeerFault) as caught:
        book.instruct(said)
    assert book.kept() == before
    return caught.value.reason


def test_a_new_version_lets_the_old_grant_run_out() -> None:
    desk = Desk()
    desk.ask(A)
    desk.ask(B)
    desk.end()
    assert desk.book.instruct(Rule("pad", 2, Lease(10, 1))) == "ruled"
    assert (desk.holder, desk.waiting) == (A, [])
    assert desk.ask(B) == "stale_rule"
    assert desk.ask(B, 10, version=2) == "asked"
    assert desk.end(TERM_MS - 1) == ([], [])
    assert [(one.member, one.version) for one in desk.end(1)[0]] == [(B, 2)]


def test_a_rule_that_is_over_does_not_come_back() -> None:
    desk = Desk()
    first = Rule("pad", 1, Lease(TERM_MS, 2))
    assert refusal(desk.book, first) == "known"
    assert refusal(desk.book, Rule("pad", 1, Lease(1, 2))) == "stale_rule"
    assert refusal(desk.book, Withdrawal("pad", 2)) == "stale_rule"
    desk.ask(A)
    desk.end()
    assert desk.book.instruct(Withdrawal("pad", 1)) == "withdrawn"
    assert desk.holder == A, "it runs out"
    assert desk.ask(B) == "no_rule"
    for said in (first, Rule("pad", 1, Lease(1, 2))):
        assert refusal(desk.book, said) == "stale_rule"
    assert refusal(desk.book, Withdrawal("pad", 1)) == "no_rule"
    desk.book.change()
    assert desk.holder == A, "also under another roster"
    assert desk.book.instruct(Rule("pad", 2, Lease(5, 0))) == "ruled"
    assert desk.ask(B, 5, version=2) == "queue_full"
    desk.end(TERM_MS)
    assert desk.ask(B, 5, version=2) == "asked"
    assert [grant.number for grant in desk.end()[0]] == [2], "tokens go on"


def test_there_are_so_many_rules_and_no_more() -> None:
    book = Rulebook()
    for number in range(MAX_RULES):
        book.instruct(Rule(f"pad_{number}", 1, Lease(1, 0)))
    more = Rule("one_more", 1, Lease(1, 0))
    assert refusal(book, more) == "rules_full"
    book.instruct(Rule("pad_1", 2, Lease(2, 0)))
    book.instruct(Withdrawal("pad_2", 1))
    assert refusal(book, more) == "rules_full"
    book.change()
    assert book.instruct(more) == "ruled"


CUP = Fact(1, "What is it?", "cup")


def trigger(version: int = 1, **more: object) -> Rule:
    given = {"subject": CUP.subject, "label": "cup", "action": "approach", **more}
    return Rule("go", version, Trigger(**given))  # type: ignore[arg-type]


def test_an_action_is_due_for_each_decision_that_fits() -> None:
    desk = Desk()
    desk.book.instruct(trigger(parameters="speed=2", members=(A, B)))
    assert desk.end(1, Fact(1, "What is it", "cup"), Fact(2, CUP.subject, "face")) == ([], [])
    _, actions = desk.end(1, CUP, Fact(2, CUP.subject, "cup"))
    first = Action(1, "go", 1, "approach", "speed=2", (A, B), 1, desk.now_ms)
    second = Action(2, "go", 1, "approach", "speed=2", (A, B), 2, desk.now_ms)
    assert actions == [first, second]
    assert [parse_action(encode(one)) for one in actions] == actions


def test_an_action_once_and_within_its_time() -> None:
    desk = Desk()
    start = desk.now_ms
    desk.book.instruct(trigger(once=True, from_ms=start + 10, until_ms=start + 20))
    assert desk.end(9, CUP)[1] == []
    assert len(desk.end(1, CUP, CUP)[1]) == 1
    assert desk.end(1, CUP)[1] == []
    desk.book.instruct(trigger(2, until_ms=start + 30))
    assert len(desk.end(8, CUP)[1]) == 1
    assert desk.end(11, CUP)[1] == [], "its end is excluded"
    desk.book.instruct(trigger(3))
    desk.book.instruct(Withdrawal("go", 3))
    assert desk.end(1, CUP)[1] == []


def test_an_empty_book_has_no_state() -> None:
    book = Rulebook()
    assert book.state() == b""
    book.instruct(Rule("pad", 1, Lease(1, 0)))
    assert len(book.state()) == 32
    book.instruct(Withdrawal("pad", 1))
    book.change()
    assert book.state() == b""


@pytest.mark.parametrize(
    "made",
    [
        lambda: Lease(1, 0, Accept.UNKNOWN),
        lambda: Lease(1, 0, members=(B, A)),
        lambda: Lease(1, 0, members=(A, A)),
        lambda: Trigger("s", "l", "a", members=(B, A)),
        lambda: Trigger("s", "l", "a", from_ms=5, until_ms=5),
    ],
)
def test_what_contradicts_itself_is_no_rule(made: Callable[[], object]) -> None:
    with pytest.raises(Misuse):
        made()


LEASE, TRIGGER = [1, TERM_MS, 2, 1, []], [2, "s?", "cup", "act", "", [], False, 0, MAX_NUMBER]


def changed(base: list[object], place: int, value: object) -> list[object]:
    return [*base[:place], value, *base[place + 1 :]]


@pytest.mark.parametrize(
    "said",
    [
        [9, "pad", 1, LEASE],
        [1, "", 1, LEASE],
        [1, "Pad", 1, LEASE],
        [1, "pad\n", 1, LEASE],
        [1, "p" * 33, 1, LEASE],
        [1, "pad", 0, LEASE],
        [1, "pad", 2**32, LEASE],
        [1, "pad", -1, LEASE],
        [1, "pad", 1, None],
        [1, "pad", 1, LEASE, 0],
        *([1, "pad", 1, changed(LEASE, 1, term)] for term in (0, -1, MAX_TERM_MS + 1, 2**64, "1")),
        *([1, "pad", 1, changed(LEASE, 2, queue)] for queue in (-1, MAX_QUEUE + 1)),
        *([1, "pad", 1, changed(LEASE, 3, accept)] for accept in (0, 3)),
        *([1, "pad", 1, changed(LEASE, 4, who)] for who in ([B, A], [b"x"], [A] * 2)),
        [1, "pad", 1, changed(LEASE, 4, [bytes([i]) * 16 for i in range(MAX_LISTED + 1)])],
        [1, "go", 1, changed(TRIGGER, 1, "")],
        [1, "go", 1, changed(TRIGGER, 1, "x" * 65)],
        [1, "go", 1, changed(TRIGGER, 1, "na\u00efve")],
        [1, "go", 1, changed(TRIGGER, 3, "rm -rf /")],
        [1, "go", 1, changed(TRIGGER, 4, "x" * 257)],
        [1, "go", 1, changed(TRIGGER, 4, "a\nb")],
        [1, "go", 1, changed(TRIGGER, 6, 1)],
        [1, "go", 1, changed(TRIGGER, 8, 0)],
        [1, "go", 1, changed(TRIGGER, 8, 2**53)],
        [2, "pad", 0],
        [3, "pad", 1, A, 0, True],
        [3, "pad", 1, A[:-1], 1, True],
        [3, "pad", 1, A, 1, 1],
    ],
)
def test_a_malformed_instruction_is_refused(said: list[object]) -> None:
    with pytest.raises(PeerFault, match=r"\(malformed\)|not a valid|not in the one") as caught:
        parse_instruction(encode(said))
    assert caught.value.reason == "malformed"


@pytest.mark.parametrize(
    "said",
    [
        [3, "pad", 1],
        *([1, "pad", 1, number, 1] for number in (0, -1, 2**53, 2**64)),
        *([1, "pad", 1, 1, term] for term in (0, -1, MAX_TERM_MS + 1, 2**63, None)),
        [1, "pad", 0, 1, 1],
        [1, "pad", 1, 1, 1, A],
        [2, "pad"],
        [2, "../pad", 1],
        [2, "pad", MAX_NUMBER + 1],
    ],
)
def test_a_malformed_claim_is_refused(said: list[object]) -> None:
    with pytest.raises(PeerFault) as caught:
        parse_claim(encode(said))
    assert caught.value.reason == "malformed"


def test_the_largest_of_each_fits_and_no_more_bytes_do() -> None:
    members = tuple(bytes([i]) * 16 for i in range(MAX_LISTED))
    name, top = "n" * 32, MAX_NUMBER
    for body in (
        Lease(MAX_TERM_MS, MAX_QUEUE, Accept.OPERATOR, members),
        Trigger("s" * 64, name, name, "p" * 256, members, True, top - 1, top),
    ):
        said = Rule(name, 2**32 - 1, body)
        assert parse_instruction(encode(said)) == said
    ask = Ask(name, 2**32 - 1, top, MAX_TERM_MS)
    assert parse_claim(encode(ask)) == ask
    action = Action(top, name, 2**32 - 1, name, "p" * 256, members, top, top)
    assert parse_action(encode(action)) == action
    for parse, limit in (
        (parse_instruction, RULE_LIMIT),
        (parse_claim, CLAIM_LIMIT),
        (parse_grant, OUTCOME_LIMIT),
        (parse_action, OUTCOME_LIMIT),
    ):
        with pytest.raises(PeerFault) as caught:
            parse(bytes(limit + 1))
        assert caught.value.reason == "oversize"


class Model(RuleBasedStateMachine):
    """The book beside a list of who waits, by a reading of the rules that knows no efficiency."""

    MEMBERS = (A, B, C)
    QUEUE = 1

    def __init__(self) -> None:
        super().__init__()
        self.book = Rulebook()
        self.book.instruct(Rule("pad", 1, Lease(TERM_MS, self.QUEUE)))
        self.now_ms, self.number, self.tokens = 1_000_000, 0, 0
        self.queue: list[tuple[bytes, int]] = []
        self.holder: tuple[bytes, int] | None = None
        self.banned: set[bytes] = set()
        self.last = b""
        self.history: list[tuple[int, int]] = []

    @rule(by_ms=st.sampled_from([0, 1, 999, 10_000, TERM_MS - 1, TERM_MS, 3 * TERM_MS]))
    def end(self, by_ms: int) -> None:
        self.now_ms += by_ms
        granted, _ = self.book.end_block(self.now_ms, lambda one: one not in self.banned, ())
        if self.holder and (self.now_ms >= self.holder[1] or self.holder[0] in self.banned):
            self.holder = None
            self.history[-1] = self.history[-1][0], min(self.history[-1][1], self.now_ms)
        self.queue = [one for one in self.queue if one[0] not in self.banned]
        expected = []
        if self.queue and self.holder in (None, (self.queue[0][0], (self.holder or (b"", 0))[1])):
            member, term_ms = self.queue.pop(0)
            self.tokens += 1
            self.holder = member, self.now_ms + term_ms
            expected = [(member, self.tokens, self.now_ms, self.holder[1])]
            if self.history and expected[0][0] == self.last:
                self.history[-1] = self.history[-1][0], min(self.history[-1][1], self.now_ms)
            self.last = member
            self.history.append((self.now_ms, self.holder[1]))
        assert [(g.member, g.number, g.since_ms, g.until_ms) for g in granted] == expected

    @rule(member=st.sampled_from(MEMBERS), term_ms=st.sampled_from([1, 500, TERM_MS]))
    def ask(self, member: bytes, term_ms: int) -> None:
        self.now_ms += CLAIM_EVERY_MS  # a pace that everybody may keep
        free = self.holder is None or self.now_ms >= self.holder[1] or self.holder[0] == member
        waits = any(one == member for one, _ in self.queue)
        counts = not waits and len(self.queue) < self.QUEUE + free
        assert self._counts(member, Ask("pad", 1, self._next(), term_ms)) == counts
        if counts:
            self.queue.append((member, term_ms))

    @rule(member=st.sampled_from(MEMBERS))
    def release(self, member: bytes) -> None:
        self.now_ms += CLAIM_EVERY_MS
        holder, until_ms = self.holder or (b"", 0)
        holds = holder == member and self.now_ms < until_ms
        counts = holds or any(one == member for one, _ in self.queue)
        assert self._counts(member, Release("pad", self._next())) == counts
        if counts:
            self.queue = [one for one in self.queue if one[0] != member]
        if holds:
            self.holder = None
            self.history[-1] = self.history[-1][0], self.now_ms

    @rule(member=st.sampled_from(MEMBERS), number=st.integers(0, 3))
    def repeat(self, member: bytes, number: int) -> None:
        said = max(1, self.book.number_of(member) - number)
        before = self.book.state()
        if self.book.number_of(member):
            with pytest.raises(PeerFault, match=r"had claim"):
                self.book.claim(member, Release("pad", said), self.now_ms)
        assert self.book.state() == before

    @rule(member=st.sampled_from(MEMBERS))
    def ban_or_not(self, member: bytes) -> None:
        self.banned ^= {member}

    @rule()
    def restart(self) -> None:
        again = Rulebook()
        again.resume(decode(encode(self.book.kept()), BookState, limit=1 << 20))
        assert again.state() == self.book.state()
        self.book = again

    def _next(self) -> int:
        self.number += 1
        return self.number

    def _counts(self, member: bytes, claim: Claim) -> bool:
        with suppress(PeerFault):
            self.book.claim(member, claim, self.now_ms)
            return True
        return False

    @invariant()
    def same(self) -> None:
        standing = self.book.standing("pad")
        assert standing is not None
        held = standing.held
        assert (held and (held.member, held.until_ms)) == self.holder
        assert [(wish.member, wish.term_ms) for wish in standing.waiting] == self.queue
        assert len(self.queue) <= self.QUEUE + 1
        for (_, end_ms), (since_ms, _) in pairwise(self.history):
            assert end_ms <= since_ms, "two held it at one time"


Model.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestModel = Model.TestCase
