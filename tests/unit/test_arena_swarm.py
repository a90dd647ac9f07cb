# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Our swarm in the arena, scaled down: few ticks, or a floor that is easy to judge."""

from __future__ import annotations

import random

import pytest

from swarm_ledger.envelope import Kind, kind_of
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.runtime.doorman import Doorman
from swarm_ledger.runtime.gossiping import Sorter
from swarm_ledger.sim.arena import swarm
from swarm_ledger.sim.arena.crew import LABELS, crew
from swarm_ledger.sim.arena.floor import BLACK, ROBOTS
from swarm_ledger.sim.arena.liars import ATTACKS, MIXED, Sybils, attacks_of, copied, lie
from swarm_ledger.sim.arena.swarm import DURATION_S, TAKE_OFF_MS, Flight, Setting
from swarm_ledger.transport.gossip import Uncarried
from swarm_ledger.transport.gossip_frames import Items, parse_frame
from swarm_ledger.transport.gossip_shelf import Claim
from swarm_ledger.voting.rules import Majority


def state(flight: Flight) -> list[object]:
    """What can be seen of a flight: where robots are, what they carry and sent."""
    robots = [
        (robot.gossip.shelf.fingerprints(), robot.gossip.sent_bytes, robot.store.root())
        for robot in flight.robots
    ]
    return [flight.floor.x.tolist(), robots]


def test_the_swarm_decides_by_carrying_alone_and_liars_do_not_turn_it() -> None:
    setting = Setting(black=10, byzantine=4, attack=MIXED)
    with Flight(setting, 3, 0) as flight:
        flown = flight.fly()
        assert flown.right
        assert flown.seconds < 300
        roots = {robot.decision for robot in flight.honest}
        assert len(roots) == 1
        (decision,) = roots
        assert decision is not None
        assert LABELS[decision.label] == "white"
        assert decision.counts[0] > 10
        assert flown.votes >= 14
        assert flown.ledger_bytes > 14 * 150


def test_a_flight_is_the_same_again() -> None:
    setting = Setting(black=10, byzantine=5)
    seen = []
    for _ in range(2):
        with Flight(setting, 4, 2) as flight:
            for _ in range(60):
                flight.step()
            seen.append(state(flight))
    assert seen[0] == seen[1]
    with Flight(setting, 4, 3) as other:
        assert state(other)[0] != seen[0][0]


def test_what_robots_need_not_compute_twice_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    setting, seen = Setting(black=10, byzantine=5), []
    for shared in (True, False):
        if not shared:
            monkeypatch.setattr(Doorman, "share", lambda self, verified: None)
            monkeypatch.setattr(swarm, "lru_cache", lambda maxsize: lambda parse: parse)
        with Flight(setting, 4, 2) as flight:
            for _ in range(60):
                flight.step()
            seen.append(state(flight))
    assert seen[0] == seen[1]


def test_sybils_are_refused_and_take_nobodys_place() -> None:
    with Flight(Setting(byzantine=1, attack="sybil"), 1, 0) as flight:
        liar = next(robot for robot in flight.robots if robot.attack)
        honest = flight.honest[0]
        roster = flight.crew.identities[0].roster
        before = honest.gossip.shelf.fingerprints()
        sybils = Sybils.create(roster, flight.crew.question, liar.place, TAKE_OFF_MS)
        for frame in sybils.frames:
            assert honest.gossip.hear(frame, flight.now_ms).refused
        assert honest.gossip.shelf.fingerprints() == before
        assert honest.gossip.faults["unknown_key"] == len(sybils.frames)
        for _ in range(20):
            flight.step()
        assert liar.link.said == []


def test_beyond_the_bound_silence_leaves_it_undecided() -> None:
    with Flight(Setting(black=10, byzantine=7, attack="silent"), 2, 0) as flight:
        for _ in range(250):
            flight.step()
        assert sum(robot.voted for robot in flight.honest) > 10
        assert all(robot.decision is None for robot in flight.honest)
        assert all(len(list(robot.gossip.shelf.of(liar.place))) == 0
                   for liar in flight.robots if liar.attack
                   for robot in flight.honest)  # fmt: skip


def test_the_sorter_says_what_takes_whose_place() -> None:
    with Flight(Setting(), 1, 0) as flight:
        robot, other = flight.robots[0], flight.crew.identities[1]
        judge = Sorter(robot.drone).judge
        session = judge(other.delegation)
        assert isinstance(session, Claim)
        assert session.origin == 1
        assert judge(other.seal(Kind.CLOCK, b"x")) is Uncarried.NEAR
        for kind in (Kind.SECRET, Kind.CONFIDED):
            assert judge(bytes([kind]) + b"x") is Uncarried.NEAR
        with pytest.raises(PeerFault):
            judge(bytes([Kind.GENESIS]) + b"x")
        with pytest.raises(PeerFault):
            judge(b"")


def test_liars_do_what_their_attack_says() -> None:
    draw = random.Random(1)
    assert attacks_of("silent", 3, draw) == ["silent"] * 3
    assert set(attacks_of(MIXED, 200, draw)) == set(ATTACKS)
    with pytest.raises(Misuse, match="no attack"):
        attacks_of("shout", 1, draw)
    made = crew(Majority(), DURATION_S * 1000)
    roster = made.identities[0].roster
    frame = parse_frame(Sybils.create(roster, made.question, 0, 5).frames[0])
    assert isinstance(frame, Items)
    ((_, vote),) = frame.items
    assert kind_of(vote) is Kind.VOTE
    assert copied(made.question, (vote,), 9) == lie(made.question, BLACK, 9)
    assert copied(made.question, (made.identities[0].delegation,), 9) is None
    assert copied(bytes(32), (vote,), 9) is None


def test_all_begin_with_the_same_ledger() -> None:
    made = crew(Majority(), DURATION_S * 1000)
    with made.ledger() as first, made.ledger() as second:
        assert first.root() == second.root()
        assert first.height == made.height
    assert len(made.identities) == ROBOTS
    assert made is crew(Majority(), DURATION_S * 1000)
