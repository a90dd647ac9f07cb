# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Drones that contend for one charging pad, in simulated time: one holds it, each has its turn."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import pytest

from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, seal
from swarm_ledger.errors import PeerFault
from swarm_ledger.ledger.store import Store
from swarm_ledger.rules.rule import Ask, Release
from swarm_ledger.runtime import snapshot
from swarm_ledger.runtime.machine import Machine
from swarm_ledger.runtime.membership import roster_request
from tests.crew import T0_MS, Crew
from tests.lab import STEP_MS, Lab
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

MakeLab = Callable[..., Lab]
TERM_MS = 1_000
OTHER = Crew(swarm="other")


@dataclass(frozen=True)
class Tenure:
    """Somebody holds the pad from the end of one block to the end of another, ledger time."""

    member: bytes
    grant: int
    since_ms: int
    until_ms: int


def tenures(store: Store, crew: Crew) -> Iterator[Tenure]:
    """Replay a ledger, and look after each block who holds the pad in the ledger's time."""
    machine, before = Machine(crew.trust), None
    for height in range(1, store.height + 1):
        machine.follow(height, store.block(height).entries)
        standing = machine.rules.standing(PAD)
        held = standing.held if standing else None
        if before is not None and (held is None or held.grant != before.grant):
            yield Tenure(
                before.member, before.grant, before.since_ms, min(before.until_ms, machine.time_ms)
            )
        before = held
    if before is not None:
        yield Tenure(before.member, before.grant, before.since_ms, before.until_ms)


def check_exclusive(lab: Lab) -> None:
    """Never two holders at one ledger time; tokens rise; all ledgers say the same."""
    stores = [drone.keeper.store for drone in lab.drones.values()]
    shortest = min(stores, key=lambda store: store.height)
    for store in stores:
        common = shortest.height
        assert store.block(common).entries == shortest.block(common).entries
    for store in stores[:1]:
        found = list(tenures(store, lab.crew))
        assert [one.grant for one in found] == sorted({one.grant for one in found})
        for one, after in pairwise(found):
            assert one.until_ms <= after.since_ms, (one, after)
        numbers = [grant.number for grant in grants_in(store)]
        assert numbers == list(range(1, len(numbers) + 1))


def fly(lab: Lab, *wanting: int, term_ms: int = TERM_MS) -> None:
    """Start four drones, have the rule ordered, and some want the pad."""
    for member in range(4):
        lab.start(member)
    lab.until(1)
    lab.drones[1].submit(sealed_rule(lab.crew, lease_rule(term_ms=term_ms)), lab.now_ms)
    for member in wanting:
        lab.drones[member].claims.want(PAD, term_ms)


def wait(lab: Lab, done: Callable[[], bool], ms: int = 30_000) -> None:
    """Let time pass until something holds."""
    for _ in range(ms // STEP_MS):
        if done():
            return
        lab.step()
    raise AssertionError([drone.status() for drone in lab.drones.values()])


def holder(lab: Lab, member: int = 0) -> int | None:
    """Return who holds the pad, as one drone's ledger and the lab's clock say."""
    standing = lab.drones[member].machine.rules.standing(PAD)
    if standing is None or standing.held is None or lab.now_ms >= standing.held.until_ms:
        return None
    ids = [member_id(lab.crew, name) for name in lab.crew.names]
    return ids.index(standing.held.member)


def pester(lab: Lab, rng: random.Random, spent: list[bytes]) -> None:
    """drone_4 asks without pause, repeats what it and others said, and speaks for others."""
    crew, number = lab.crew, lab.now_ms + rng.randrange(5)
    said = [
        sealed_claim(crew, "drone_4", Ask(PAD, 1, number, TERM_MS)),
        sealed_claim(crew, "drone_4", Ask(PAD, 1, number, 1)),
        sealed_claim(crew, "drone_4", Release(PAD, number + 1)),
        sealed_claim(OTHER, "drone_1", Ask(PAD, 1, number, TERM_MS)),
        seal(Kind.CLAIM, encode(Ask(PAD, 1, number, 1)), crew.session("drone_4"), OTHER.roster),
    ]
    spent += said[:1]
    heard = [raw for _, raw in lab.said[-400:] if raw[:1] == bytes([Kind.CLAIM])]
    for raw in (rng.choice(said), rng.choice(spent), *heard[-1:]):
        for place in rng.sample(range(3), 2):
            lab.drones[place].receive(raw, lab.now_ms)


@pytest.mark.parametrize(("seed", "loss"), [(0, 0.0), (1, 0.2)])
def test_three_drones_and_a_liar_contend_for_one_pad(lab: MakeLab, seed: int, loss: float) -> None:
    flown, rng = lab(seed, loss=loss), random.Random(seed)
    fly(flown, 0, 1, 2)
    spent: list[bytes] = []
    store = flown.drones[0].keeper.store
    while len(grants_in(store)) < 6:
        for _ in range(20):
            flown.step()
        pester(flown, rng, spent)
        assert flown.now_ms < T0_MS + 120_000, flown.drones[0].status()
    check_exclusive(flown)
    turns = Counter(grant.member for grant in grants_in(store))
    shares = [turns[member_id(flown.crew, name)] for name in flown.crew.names]
    assert min(shares[:3]) >= 1, shares
    claims = [one for one in store.entries(0, store.size) if one[:1] == bytes([Kind.CLAIM])]
    seconds = (flown.now_ms - T0_MS) // 1000
    assert len(claims) <= 4 * (seconds + 17), "what pesters is not ordered without end"
    if not loss:
        views = [drone.status()["view"] for drone in flown.drones.values()]
        assert views == [0] * 4, "nobody is deposed for what a liar showed to some only"


def test_a_holder_that_crashes_loses_the_pad_when_its_term_ends(lab: MakeLab) -> None:
    flown = lab(5)
    fly(flown, 3)
    wait(flown, lambda: holder(flown) == 3)
    flown.drones[1].claims.want(PAD, TERM_MS)
    rules = flown.drones[0].machine.rules
    wait(flown, lambda: bool(rules.standing(PAD).waiting))
    until_ms = rules.standing(PAD).held.until_ms
    flown.kill(3)
    wait(flown, lambda: holder(flown) == 1)
    assert flown.now_ms >= until_ms
    check_exclusive(flown)
    flown.start(3, session=1)
    wait(flown, lambda: flown.drones[3].standing == "member")
    assert flown.drones[3].claims.held(PAD) is None
    flown.drones[3].claims.want(PAD, TERM_MS)
    wait(flown, lambda: holder(flown) == 3)


def test_a_lease_goes_on_until_it_is_given_back(lab: MakeLab) -> None:
    flown = lab(6)
    fly(flown, 2, term_ms=3_000)
    wait(flown, lambda: len(flown.told("lease")) == 3)
    leases = [fields for member, name, fields in flown.events if (member, name) == (2, "lease")]
    assert [one["grant"] for one in leases] == [1, 2, 3]
    assert not flown.told("lease_over"), "it was never without"
    flown.drones[2].claims.drop(PAD)
    wait(flown, lambda: holder(flown, 2) is None)
    wait(flown, lambda: bool(flown.told("lease_over")))
    assert flown.told("lease_over") == [{"rule": PAD, "grant": 3}]
    flown.run(2_500)
    assert len(grants_in(flown.drones[2].keeper.store)) == 3
    check_exclusive(flown)


def test_our_clock_ends_a_lease_that_no_block_has_ended(lab: MakeLab) -> None:
    """Cut off from the others, a drone still knows when it holds the pad no more."""
    flown = lab(7)
    fly(flown, 2)
    wait(flown, lambda: flown.drones[2].claims.held(PAD) is not None)
    held = flown.drones[2].claims.held(PAD)
    assert held is not None
    for member in (0, 1, 3):
        flown.kill(member)
    wait(flown, lambda: flown.drones[2].claims.held(PAD) is None)
    assert held.until_ms - 500 <= flown.now_ms < held.until_ms
    wait(flown, lambda: bool(flown.told("lease_over")))


def test_an_action_is_due_once_and_a_lease_goes_on_through_restarts_and_a_new_roster(
    lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "EVERY", 1)
    flown = lab(8)
    for member in range(4):
        flown.start(member)
    rule = sealed_rule(flown.crew, cup_rule())
    flown.drones[0].submit(rule, flown.now_ms)
    flown.until_decided()
    flown.drones[1].submit(sealed_rule(flown.crew, lease_rule(term_ms=3_000)), flown.now_ms)
    flown.drones[3].claims.want(PAD, 3_000)
    wait(flown, lambda: holder(flown) == 3)
    for member in (1, 2):
        flown.kill(member)
        flown.start(member, session=1)
        flown.until(flown.drones[0].keeper.store.height + 1)
    second = flown.crew.changed(flown.crew.roster, add=["drone_5"])
    flown.drones[0].submit(roster_request(second), flown.now_ms)
    wait(flown, lambda: all(one.roster.version == 2 for one in flown.drones.values()))
    with pytest.raises(PeerFault):
        flown.drones[0].submit(rule, flown.now_ms)
    store = flown.drones[0].keeper.store
    before = len(grants_in(store))
    wait(flown, lambda: len(grants_in(store)) > before + 1)
    assert holder(flown) == 3, "what is held goes on under the next roster"
    check_exclusive(flown)
    for member, drone in flown.drones.items():
        (action,) = actions_in(drone.keeper.store)
        assert (action.action, action.decision) == ("approach", 1)
        told = [name for place, name, _ in flown.events if place == member and name == "action"]
        assert len(told) == 1, "and told once"
