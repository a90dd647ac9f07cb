# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Drones that contend for one charging pad, in simulated time: one holds it, each has its turn."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import pytest

from swarm_ledger.envelope import Kind
from swarm_ledger.ledger.store import Store
from swarm_ledger.rules.rule import Ask, Release
from swarm_ledger.runtime.machine import Machine
from tests.crew import Crew
from tests.lab import Lab
from tests.ruled import (
    PAD,
    grants_in,
    lease_rule,
    member_id,
    sealed_claim,
    sealed_rule,
)

MakeLab = Callable[..., Lab]
TERM_MS = 4_000


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


def contend(lab: Lab) -> None:
    for member in range(4):
        lab.start(member)
    lab.until(1)
    lab.drones[1].submit(sealed_rule(lab.crew, lease_rule()), lab.now_ms)


def pester(lab: Lab, rng: random.Random, spent: list[bytes]) -> None:
    """drone_4 asks without pause, repeats what it and others said, and speaks for others."""
    crew, drone = lab.crew, lab.drones[0]
    number = lab.now_ms + rng.randrange(5)
    said = [
        sealed_claim(crew, "drone_4", Ask(PAD, 1, number, TERM_MS)),
        sealed_claim(crew, "drone_4", Ask(PAD, 1, number, 1)),
        sealed_claim(crew, "drone_4", Release(PAD, number + 1)),
        b"\x09" + sealed_claim(Crew(swarm="other"), "drone_1", Ask(PAD, 1, number, TERM_MS))[1:],
    ]
    spent += said[:1]
    heard = [raw for _, raw in lab.said[-400:] if raw[:1] == bytes([Kind.CLAIM])]
    for raw in (rng.choice(said), rng.choice(spent), *heard[-1:]):
        for place in rng.sample(range(3), 2):
            lab.drones[place].receive(raw, lab.now_ms)
    assert drone


@pytest.mark.parametrize("seed", range(3))
def test_four_drones_and_a_liar_contend_for_one_pad(lab: MakeLab, seed: int) -> None:
    flown, rng = lab(seed, loss=0.2), random.Random(seed)
    contend(flown)
    for member in range(3):
        flown.drones[member].claims.want(PAD, TERM_MS)
    spent: list[bytes] = []
    for _ in range(400):
        for _ in range(10):
            flown.step()
        pester(flown, rng, spent)
    check_exclusive(flown)
    turns = Counter(grant.member for grant in grants_in(flown.drones[0].keeper.store))
    shares = [turns[member_id(flown.crew, name)] for name in flown.crew.names]
    assert min(shares[:3]) >= 2, shares
    assert max(shares) - min(shares[:3]) <= 2, shares
    claims = [
        entry
        for entry in flown.drones[0].keeper.store.entries(0, flown.drones[0].keeper.store.size)
        if entry[:1] == bytes([Kind.CLAIM])
    ]
    assert len(claims) < 4 * 60, "what pesters is not ordered without end"
