# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A liar says anything about its clock: that moves its own figure, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, kind_of, seal
from swarm_ledger.identity.cose import parse1
from swarm_ledger.runtime.clocks import ClockReading, Echo, parse_reading
from swarm_ledger.runtime.courier import WANTED, Courier
from swarm_ledger.runtime.machine import Tick
from swarm_ledger.sim.pbft.clock import Clock
from tests.anchored import anchor, sealed_anchor
from tests.crew import T0_MS, Crew
from tests.lab import LIMIT, Lab
from tests.security.liar import HONEST, beset, tell


@pytest.fixture
def swarm(lab: Callable[..., Lab], crew: Crew) -> Iterator[Lab]:
    """Three honest drones, 40 ms apart, that know drone_4, played by the test."""
    made = lab()
    made.clocks.update({member: Clock(skew_ms=40 * member) for member in HONEST})
    beset(made, crew)
    made.until_decided()
    made.run(8_000)
    yield made
    made.assert_no_contradiction()


def reading(crew: Crew, stamp_ms: int, *echoes: Echo, name: str = "drone_4") -> bytes:
    payload = encode(ClockReading(stamp_ms, tuple(echoes)))
    return seal(Kind.CLOCK, payload, crew.session(name), crew.roster)


def last_stamp(lab: Lab, member: int = 0) -> int:
    """What a drone said last about its time."""
    own = [raw for by, raw in lab.said if by == member and kind_of(raw) is Kind.CLOCK]
    return parse_reading(parse1(own[-1][1:], limit=LIMIT).payload).stamp_ms


def figures(lab: Lab) -> list[dict[str, dict[str, Any]]]:
    return [lab.drones[member].status()["clocks"] for member in HONEST]


def honest_ones_right(lab: Lab) -> None:
    for member, found in zip(HONEST, figures(lab), strict=True):
        for other in HONEST:
            if other != member:
                one = found[f"drone_{other + 1}"]
                assert abs(one["ahead_ms"] - 40 * (other - member)) <= one["error_ms"] <= 30
                assert not one["skewed"]


STAMPS = [1, T0_MS - 10**9, 2**53 - 1, T0_MS * 2, T0_MS + 3_600_000]


@pytest.mark.parametrize("stamp_ms", STAMPS)
def test_any_stamp_moves_its_own_figure_only(swarm: Lab, crew: Crew, stamp_ms: int) -> None:
    before = [drone.machine.time_ms for drone in swarm.drones.values()]
    for back in range(20):
        stamp = max(1, stamp_ms - back * 1_000)  # going back
        for member in HONEST:
            echo = Echo(member, last_stamp(swarm, member), 0)
            swarm.drones[member].receive(reading(crew, stamp, echo), swarm.clock_ms(member))
        swarm.run(500)
    honest_ones_right(swarm)
    assert all(found["drone_4"]["skewed"] for found in figures(swarm))
    told = [f["peer"] for f in swarm.told("clock_skew")]
    assert set(told) == {"drone_4"}
    assert len(told) == len(HONEST), "once each, however often it says so"
    assert [drone.machine.time_ms for drone in swarm.drones.values()] == before
    assert {drone.status()["view"] for drone in swarm.drones.values()} == {0}


@pytest.mark.parametrize(
    "echo",
    [
        Echo(0, 1, 0),
        Echo(0, T0_MS + 1, 0),
        Echo(0, 2**53 - 1, 2**53 - 1),
        Echo(1, T0_MS, 0),
        Echo(99, T0_MS, 0),
    ],
)
def test_echoes_of_what_nobody_said(swarm: Lab, crew: Crew, echo: Echo) -> None:
    for offset in range(5):
        tell(swarm, reading(crew, T0_MS + 10**7 + offset, echo))
    swarm.run(6_000)
    assert all("drone_4" not in found for found in figures(swarm))
    honest_ones_right(swarm)


def test_held_for_ever_or_not_at_all(swarm: Lab, crew: Crew) -> None:
    for held in (0, 1, 50_000, 2**53 - 1):
        for member in HONEST:
            echo = Echo(member, last_stamp(swarm, member), held)
            raw = reading(crew, swarm.now_ms + held % 97, echo)
            swarm.drones[member].receive(raw, swarm.clock_ms(member))
    swarm.run(6_000)
    honest_ones_right(swarm)


def test_readings_of_others_again_and_late(swarm: Lab, crew: Crew) -> None:
    """Whoever repeats them, or holds them back, makes nobody's clock look wrong."""
    old = [raw for _, raw in swarm.said if kind_of(raw) is Kind.CLOCK]
    for raw in old * 3:
        tell(swarm, raw)
    swarm.run(12_000)
    for raw in old:
        tell(swarm, raw)
    swarm.run(12_000)
    honest_ones_right(swarm)
    assert swarm.told("clock_skew") == []


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda crew: reading(crew, 0), "malformed"),
        (lambda crew: reading(crew, 5, name="watcher"), "unknown_key"),
        (
            lambda crew: seal(
                Kind.CLOCK, encode(ClockReading(5, ())), crew.root("operator_1"), crew.roster
            ),
            "wrong_role",
        ),
        (lambda crew: bytes([Kind.CLOCK]) + crew.vote("drone_4")[1:], "bad_signature"),
        (lambda crew: bytes([Kind.CLOCK]), "malformed"),
    ],
)
def test_refused(swarm: Lab, crew: Crew, make: Callable[[Crew], bytes], reason: str) -> None:
    tell(swarm, make(crew))
    assert swarm.drones[0].faults[reason] >= 1, swarm.drones[0].faults
    honest_ones_right(swarm)


def test_a_flood_is_no_more_than_its_last(swarm: Lab, crew: Crew) -> None:
    for number in range(500):
        tell(swarm, reading(crew, T0_MS + number, Echo(0, T0_MS + number, 0)))
    swarm.run(6_000)
    honest_ones_right(swarm)
    said = [raw for by, raw in swarm.said if by == 0 and kind_of(raw) is Kind.CLOCK]
    assert max(map(len, said)) < 300


def test_the_swarm_goes_on_with_one_that_is_too_far_ahead(
    lab: Callable[..., Lab], crew: Crew
) -> None:
    """Two seconds: as leader its blocks are refused, and it is told by name."""
    made = lab()
    made.clocks[0] = Clock(skew_ms=2_000)
    for member in range(4):
        made.start(member)
    made.until_decided(60_000)
    made.run(6_000)
    told = {(member, f["peer"]) for member, name, f in made.events if name == "clock_skew"}
    assert {(member, "drone_1") for member in (1, 2, 3)} <= told
    assert all(peer == "drone_1" for member, peer in told if member)
    assert {made.drones[member].machine.time_ms <= made.now_ms + 500 for member in range(4)} == {
        True
    }
    made.assert_no_contradiction()


def test_a_clock_that_is_set_right_is_no_longer_told(lab: Callable[..., Lab], crew: Crew) -> None:
    made = lab()
    made.clocks[3] = Clock(skew_ms=-5_000)
    for member in range(4):
        made.start(member)
    made.run(10_000)
    assert made.drones[0].status()["clocks"]["drone_4"]["skewed"]
    made.clocks[3].correct(made.now_ms, 0)
    made.run(12_000)
    for member in range(3):
        found = made.drones[member].status()["clocks"]["drone_4"]
        assert not found["skewed"]
        assert abs(found["ahead_ms"]) <= found["error_ms"] < 30
    assert len([f for _, e, f in made.events if e == "clock_skew"]) == 6, "once each way"


def test_a_clock_that_is_set_back_stops_nobody(lab: Callable[..., Lab], crew: Crew) -> None:
    """An hour ahead and back: it had waited for that hour, in silence, and with the next drone
    that was lost the swarm stood still."""
    made = lab()
    made.clocks[3] = Clock()
    for member in range(4):
        made.start(member)
    made.until_decided()
    made.clocks[3].skew_ms = 3_600_000
    made.run(2_000)
    made.clocks[3].skew_ms = 0
    made.kill(0)
    raw = crew.identity("drone_2").seal(Kind.TICK, encode(Tick(made.now_ms)))
    for member in (1, 2, 3):
        made.drones[member].receive(raw, made.clock_ms(member))
    height = made.drones[1].keeper.store.height + 1
    made.until(height, 20_000)
    for drone in made.drones.values():
        store = drone.keeper.store
        assert raw in store.entries(0, store.size)
    made.assert_no_contradiction()


def test_a_relays_anchor_is_handed_in_by_a_drone_whose_clock_was_set_back(
    lab: Callable[..., Lab], crew: Crew
) -> None:
    made = lab()
    made.clocks[0] = Clock(skew_ms=300)
    for member in range(4):
        made.start(member)
    made.until_decided()
    courier = Courier(made.folders[0], lambda *_: None)
    (made.folders[0] / WANTED).write_bytes(sealed_anchor(crew, "drone_1", anchor(1)))
    courier.look(made.drones[0], made.clock_ms(0) + 3_600_000)
    for _ in range(40):
        made.run(100)
        courier.look(made.drones[0], made.clock_ms(0))
    member = crew.roster.named("drone_1")
    assert {drone.machine.chains.told(member).sequence for drone in made.drones.values()} == {1}
