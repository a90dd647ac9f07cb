# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Rules and claims by whom they may not come from, at the wrong time, again and again."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from swarm_ledger.encoding import digest, encode
from swarm_ledger.envelope import Kind, seal
from swarm_ledger.errors import NotVerified
from swarm_ledger.ledger.store import Store
from swarm_ledger.rules.limits import MAX_NUMBER
from swarm_ledger.rules.rule import Ask, Release, Withdrawal
from swarm_ledger.runtime import snapshot
from swarm_ledger.runtime.blocks import genesis_entry
from swarm_ledger.runtime.evidence import accusation
from swarm_ledger.runtime.machine import Machine
from swarm_ledger.runtime.membership import roster_request
from tests.crew import T0_MS, Crew
from tests.ruled import (
    PAD,
    actions_in,
    cup_rule,
    grants_in,
    lease_rule,
    member_id,
    sealed_claim,
    sealed_rule,
)

CREW = Crew(5)
OTHER = Crew(5, swarm="other")
SESSIONS = [CREW.identity(name).delegation for name in CREW.names]
VOTES = [CREW.vote(name) for name in CREW.names]
RULE = sealed_rule(CREW, lease_rule(term_ms=1_000))
SECOND = CREW.changed(CREW.roster, revoke=["drone_5"])
LATER = [CREW.identity(name, roster=SECOND.roster).delegation for name in CREW.names[:4]]
TERM_MS = 1_000


def ask(name: str, number: int = 1, term_ms: int = TERM_MS, version: int = 1) -> bytes:
    return sealed_claim(CREW, name, Ask(PAD, version, number, term_ms))


class Ledger:
    """A machine whose blocks are kept, with the snapshots between them."""

    def __init__(self, *bodies: bytes) -> None:
        self.store, self.machine, self.now_ms = Store.open(":memory:"), Machine(CREW.trust), T0_MS
        self.store.append_block(0, [genesis_entry(CREW.roster)], b"")
        self.add(*SESSIONS, *bodies)

    def add(self, *bodies: bytes, by_ms: int = 1) -> list[str]:
        """Add a block, and return what became of its requests."""
        self.now_ms += by_ms
        applied = self.machine.apply(self.store.height + 1, self.now_ms, bodies)
        self.store.append_block(applied.height, applied.entries, b"")
        return [receipt.result for receipt in applied.receipts]

    @property
    def holder(self) -> str | None:
        standing = self.machine.rules.standing(PAD)
        if standing is None or standing.held is None:
            return None
        return self.machine.members.now.roster.by_id[standing.held.member].name

    def reopen(self) -> None:
        """Go on from a snapshot, as after a restart."""
        height = self.store.height
        self.store.snapshot_put(height, snapshot.take(self.machine))
        state = self.machine.state()
        self.machine = snapshot.restore(self.store, CREW.trust, height)
        assert self.machine.state() == state


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda: seal(Kind.RULE, encode(lease_rule()), CREW.session("drone_1"), CREW.roster),
         "wrong_role"),
        (lambda: seal(Kind.RULE, encode(lease_rule()), CREW.root("drone_1"), CREW.roster),
         "unknown_key"),
        (lambda: seal(Kind.RULE, encode(lease_rule()), CREW.root("stranger"), CREW.roster),
         "unknown_key"),
        (lambda: seal(Kind.RULE, encode(lease_rule()), CREW.root("operator_1"), OTHER.roster),
         "bad_signature"),
        (lambda: sealed_rule(CREW, lease_rule(), SECOND.roster), "bad_signature"),
        (lambda: sealed_rule(OTHER, lease_rule()), "unknown_key"),
        (lambda: seal(Kind.QUESTION, encode(lease_rule()), CREW.root("operator_1"), CREW.roster),
         "malformed"),
        (lambda: bytes([Kind.RULE]) + CREW.asked()[1:], "bad_signature"),
        (lambda: seal(Kind.RULE, encode(CREW.question), CREW.root("operator_1"), CREW.roster),
         "malformed"),
        (lambda: seal(Kind.RULE, bytes(2049), CREW.root("operator_1"), CREW.roster), "oversize"),
        (lambda: RULE[:-1] + bytes([RULE[-1] ^ 1]), "bad_signature"),
        (lambda: bytes([Kind.GRANT]) + RULE[1:], "malformed"),
    ],
)  # fmt: skip
def test_only_an_operator_of_this_swarm_and_epoch_lays_rules_down(
    made: Callable[[], bytes], why: str
) -> None:
    ledger = Ledger()
    state = ledger.machine.rules.state()
    assert ledger.add(made()) == [f"invalid: {why}"]
    assert ledger.machine.rules.state() == state == b""


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda: seal(Kind.CLAIM, encode(Ask(PAD, 1, 1, 1)), CREW.root("drone_1"), CREW.roster),
         "unknown_key"),
        (lambda: seal(Kind.CLAIM, encode(Ask(PAD, 1, 1, 1)), CREW.root("operator_1"),
                      CREW.roster), "wrong_role"),
        (lambda: seal(Kind.CLAIM, encode(Ask(PAD, 1, 1, 1)), CREW.session("watcher"),
                      CREW.roster), "unknown_key"),
        (lambda: sealed_claim(OTHER, "drone_1", Ask(PAD, 1, 1, 1)), "unknown_key"),
        (lambda: sealed_claim(CREW, "drone_1", Ask(PAD, 1, 1, 1), SECOND.roster), "unknown_key"),
        (lambda: bytes([Kind.CLAIM]) + VOTES[0][1:], "bad_signature"),
        (lambda: ask("drone_1", number=0), "malformed"),
        (lambda: ask("drone_1", number=MAX_NUMBER + 1), "malformed"),
        (lambda: ask("drone_1", term_ms=2**64), "malformed"),
        (lambda: ask("drone_1", term_ms=TERM_MS + 1), "long_term"),
        (lambda: ask("drone_1", version=2), "stale_rule"),
        (lambda: sealed_claim(CREW, "drone_1", Ask("n" * 4_000, 1, 1, 1)), "oversize"),
    ],
)  # fmt: skip
def test_a_claim_that_does_not_count_says_why(made: Callable[[], bytes], why: str) -> None:
    ledger = Ledger(RULE)
    before = ledger.machine.rules.state()
    assert ledger.add(made()) == [f"invalid: {why}"]
    assert ledger.machine.rules.state() == before


def test_who_is_convicted_loses_what_it_holds_and_asks_in_vain() -> None:
    ledger = Ledger(RULE, CREW.asked())
    assert ledger.add(ask("drone_2"), ask("drone_1")) == ["asked", "asked"]
    assert ledger.holder == "drone_2"
    lies = accusation(CREW.vote("drone_2"), CREW.vote("drone_2", 1))
    assert ledger.add(lies) == ["evidence"]
    assert ledger.holder == "drone_1"
    assert ledger.add(ask("drone_2", 2)) == ["invalid: convicted"]


def test_who_is_revoked_loses_what_it_holds() -> None:
    ledger = Ledger(RULE)
    assert ledger.add(ask("drone_5"), ask("drone_1")) == ["asked", "asked"]
    assert ledger.holder == "drone_5"
    ledger.add(roster_request(SECOND))
    assert ledger.holder == "drone_1"
    ledger.add(*LATER)
    assert ledger.add(ask("drone_5", 9), ask("drone_2", 9))[:1] == ["invalid: unknown_key"]


def test_nothing_of_an_earlier_epoch_comes_again() -> None:
    """Numbers begin anew there: what was signed before is void by its signature."""
    ledger = Ledger(RULE)
    old = [ask("drone_1", 5), sealed_claim(CREW, "drone_1", Release(PAD, 6))]
    assert ledger.add(*old) == ["asked", "released"]
    assert ledger.add(*old) == ["invalid: stale_claim"] * 2
    withdrawn = sealed_rule(CREW, Withdrawal(PAD, 1))
    assert ledger.add(withdrawn, RULE, by_ms=9) == ["withdrawn", "invalid: stale_rule"]
    ledger.add(roster_request(SECOND))
    ledger.add(*LATER)
    said = ledger.add(*old, RULE, withdrawn)
    assert set(said) <= {"invalid: unknown_key", "invalid: bad_signature"}
    again = sealed_rule(CREW, lease_rule(), SECOND.roster)
    claim = sealed_claim(CREW, "drone_1", Ask(PAD, 1, 1, 5), SECOND.roster)
    assert ledger.add(again, claim) == ["ruled", "asked"]
    assert ledger.holder == "drone_1"


def test_two_claims_of_one_number_are_the_first_one() -> None:
    one, other = ask("drone_1", 3, 10), ask("drone_1", 3, 1_000)
    for first, second in ((one, other), (other, one)):
        ledger = Ledger(RULE)
        assert ledger.add(first, second) == ["asked", "invalid: stale_claim"]
        (grant,) = grants_in(ledger.store)
        assert grant.until_ms - grant.since_ms == (10 if first is one else 1_000)


def test_a_trigger_fires_once_whatever_is_replayed() -> None:
    rule = sealed_rule(CREW, cup_rule())
    ledger = Ledger(rule, CREW.asked())
    ledger.reopen()
    ledger.add(*VOTES[:3], rule)
    ledger.reopen()
    ledger.add(*VOTES)
    (action,) = actions_in(ledger.store)
    assert (action.action, action.parameters, action.decision) == ("approach", "speed=2", 1)
    for _ in range(3):
        ledger.add(rule, CREW.asked(), *VOTES)
        ledger.reopen()
    ledger.add(roster_request(SECOND))
    ledger.reopen()
    ledger.add(*LATER, rule, CREW.asked(), *VOTES)
    assert actions_in(ledger.store) == [action]
    whole = Machine(CREW.trust)
    for height in range(1, ledger.store.height + 1):
        whole.follow(height, ledger.store.block(height).entries)
    assert whole.state() == ledger.machine.state()
    assert whole.rules.kept() == ledger.machine.rules.kept()


def test_a_forged_grant_or_action_does_not_follow() -> None:
    ledger = Ledger(RULE)
    ledger.add(ask("drone_1"))
    entries = ledger.store.block(2).entries
    forged = entries[-1].replace(member_id(CREW, "drone_1"), member_id(CREW, "drone_2"))
    assert forged != entries[-1]
    for changed in ((*entries[:-1], forged), entries[:-1], (*entries, entries[-1])):
        machine = Machine(CREW.trust)
        machine.follow(1, ledger.store.block(1).entries)
        with pytest.raises(NotVerified, match="don't follow"):
            machine.follow(2, changed)


def test_a_ledger_without_rules_is_what_it_was() -> None:
    """Neither its states nor its snapshots have any other form."""
    ledger = Ledger()
    machine = ledger.machine
    parts = [1, ledger.now_ms, machine.tally.state_digest(), machine.members.state()]
    assert machine.state() == digest(encode(parts))
    plain = snapshot.parse_snapshot(snapshot.take(machine))
    assert type(plain) is snapshot.Snapshot
    ledger.add(RULE)
    assert type(snapshot.parse_snapshot(snapshot.take(machine))) is snapshot.Ruled
    assert machine.state() != digest(encode([2, *parts[1:]]))


@pytest.mark.parametrize("seed", range(40))
def test_never_two_holders_whatever_is_ordered(seed: int) -> None:
    """A leader that orders what it likes, when it likes, replays and members that contradict."""
    rng = random.Random(seed)
    ledger, pool = Ledger(RULE), list(SESSIONS)
    number, held, tokens = 0, None, [0]
    for _ in range(60):
        number += rng.randrange(3)
        name = rng.choice(CREW.names)
        pool.append(
            rng.choice(
                [
                    ask(name, max(1, number), rng.choice([1, 300, TERM_MS])),
                    sealed_claim(CREW, name, Release(PAD, max(1, number))),
                ]
            )
        )
        ledger.add(*rng.sample(pool, min(len(pool), 4)), by_ms=rng.choice([0, 1, 200, 900]))
        standing = ledger.machine.rules.standing(PAD)
        now = standing.held if standing else None
        if now is not None and now != held:
            assert now.grant > tokens[-1]
            tokens.append(now.grant)
            assert now.since_ms == ledger.now_ms < now.until_ms <= ledger.now_ms + TERM_MS
        assert now is None or ledger.now_ms < now.until_ms
        held = now
        if rng.random() < 0.1:
            ledger.reopen()
    assert len(tokens) > 1
    assert [grant.number for grant in grants_in(ledger.store)] == tokens[1:]
