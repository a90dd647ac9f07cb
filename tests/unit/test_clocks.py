# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How far a clock is ahead: what an exchange tells, whatever the ways take, and what is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_ledger.encoding import encode
from swarm_ledger.errors import PeerFault
from swarm_ledger.runtime.clocks import (
    MAX_ECHOES,
    Ahead,
    ClockReading,
    Echo,
    Peer,
    measured,
    parse_reading,
)
from swarm_ledger.sim.events import Event
from swarm_ledger.sim.mission import Mission
from swarm_ledger.sim.pbft.clock import Clock
from swarm_ledger.sim.virtual import START_MS, VirtualSwarm
from swarm_ledger.sim.watch import Watch

US = 1_000


@given(
    offset_us=st.integers(-(10**10), 10**10),
    there_us=st.integers(0, 4_000_000),
    back_us=st.integers(0, 4_000_000),
    held_us=st.integers(0, 60_000_000),
    start_us=st.integers(10**12, 10**15),
)
def test_the_truth_is_within_the_bounds(
    offset_us: int, there_us: int, back_us: int, held_us: int, start_us: int
) -> None:
    """However unequal the ways are, and though each clock is read in whole milliseconds."""
    ours_sent = start_us // US
    theirs_heard = (start_us + there_us + offset_us) // US
    theirs_sent = (start_us + there_us + held_us + offset_us) // US
    ours_heard = (start_us + there_us + held_us + back_us) // US
    found = measured(ours_sent, theirs_sent - theirs_heard, theirs_sent, ours_heard)
    if found is not None:
        assert abs(found.ahead_ms - offset_us / US) <= found.error_ms
        assert found.error_ms <= (there_us + back_us) / US / 2 + 4


@pytest.mark.parametrize(
    ("sent", "held", "stamp", "arrived"),
    [
        (1_000, 0, 5_000, 11_001),  # too long on its way
        (1_000, 2**53 - 1, 1, 2_000),
        (2_000, 0, 2_000, 1_000),  # our own clock went back
    ],
)
def test_what_tells_nothing(sent: int, held: int, stamp: int, arrived: int) -> None:
    assert measured(sent, held, stamp, arrived) is None


def test_a_clock_that_runs_away_is_seen() -> None:
    """Held for longer than it was away: by ten hours in a day, say, or by a liar."""
    assert measured(1_000, 600, 1_800, 1_500) == Ahead(300, 102, 1_500)


def test_the_shortest_way_counts_and_drift_is_allowed_for() -> None:
    peer = Peer()
    peer.add(Ahead(100, 40, 0))
    peer.add(Ahead(110, 5, 1_000))
    peer.add(Ahead(90, 60, 2_000))
    assert peer.best(2_000) == Ahead(110, 6, 1_000)
    assert peer.best(100_000) == Ahead(110, 104, 1_000), "a thousandth, for 99 s"
    assert peer.best(300_000) is None


def test_a_clock_that_was_set_is_seen_at_once() -> None:
    peer = Peer()
    for at in range(5):
        peer.add(Ahead(0, 3, at * 5_000))
    peer.add(Ahead(-3_600_000, 8, 25_000))
    assert peer.best(25_000) == Ahead(-3_600_000, 8, 25_000)


GOOD = ClockReading(5, (Echo(1, 7, 0), Echo(2, 7, 9)))


@pytest.mark.parametrize(
    "wrong",
    [
        ClockReading(0, ()),
        ClockReading(2**53, ()),
        ClockReading(-5, ()),
        ClockReading(5, (Echo(1, 0, 0),)),
        ClockReading(5, (Echo(1, 7, -1),)),
        ClockReading(5, (Echo(2**16, 7, 0),)),
        ClockReading(5, (Echo(1, 7, 0), Echo(1, 8, 0))),
        ClockReading(5, tuple(Echo(n, 7, 0) for n in range(MAX_ECHOES + 1))),
    ],
)
def test_malformed(wrong: ClockReading) -> None:
    assert parse_reading(encode(GOOD)) == GOOD
    with pytest.raises(PeerFault) as caught:
        parse_reading(encode(wrong))
    assert caught.value.reason == "malformed"


def test_the_largest_fits() -> None:
    most = 2**53 - 1
    echoes = tuple(Echo(2**16 - 1 - n, most, most) for n in range(MAX_ECHOES))
    assert parse_reading(encode(ClockReading(most, echoes))).echoes == echoes


# a whole mission, in which clocks differ

SKEWS = {0: 0, 1: 180, 2: -90, 3: 0}


@pytest.fixture(scope="module")
def flown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[VirtualSwarm, list[Event]]]:
    yield from fly(
        tmp_path_factory.mktemp("skewed"),
        {
            1: Clock(skew_ms=SKEWS[1], since_ms=START_MS),
            2: Clock(skew_ms=SKEWS[2], since_ms=START_MS),
            3: Clock(drift_ppm=500, since_ms=START_MS),
        },
    )


def fly(
    folder: Path, clocks: dict[int, Clock], seconds: int = 30
) -> Iterator[tuple[VirtualSwarm, list[Event]]]:
    mission = Mission(run_dir=folder, byzantine=0, seed=4, duration_ms=8_000)
    watch, events = Watch(mission.names(), mission.names()), []

    def take(event: Event) -> None:
        events.append(event)
        watch.take(event)

    with VirtualSwarm(mission, take, clocks=clocks) as swarm:
        assert swarm.run(watch)
        while swarm.now_ms < START_MS + seconds * 1_000:
            swarm.step()
        yield swarm, events


def test_each_drone_knows_each_others_clock(
    flown: tuple[VirtualSwarm, list[Event]],
) -> None:
    swarm, events = flown
    names = swarm.mission.names()
    for place, drone in enumerate(swarm.drones):
        clocks: dict[str, dict[str, Any]] = drone.status()["clocks"]
        assert clocks.keys() == set(names) - {names[place]}
        for other, name in enumerate(names):
            if other != place:
                truth = swarm.clock_ms(other) - swarm.clock_ms(place)
                found = clocks[name]
                assert abs(found["ahead_ms"] - truth) <= found["error_ms"]
                assert found["error_ms"] <= 40, found
                assert found["skewed"] == (abs(truth) > 250)
    told = [(e.drone, e.fields["peer"]) for e in events if e.event == "clock_skew"]
    assert sorted(told) == [("drone_2", "drone_3"), ("drone_3", "drone_2")]


def test_a_clock_that_drifts_away_is_told_once(tmp_path: Path) -> None:
    """It leaves the limit after a while, and lies beyond it from then on."""
    clocks = {3: Clock(drift_ppm=9_000, since_ms=START_MS)}
    for swarm, events in fly(tmp_path, clocks, 50):
        assert swarm.clock_ms(3) - swarm.now_ms > 400
        told = [e for e in events if e.event == "clock_skew"]
        about = [(e.drone, e.fields["peer"]) for e in told if e.drone != "drone_4"]
        assert sorted(about) == [(f"drone_{n}", "drone_4") for n in (1, 2, 3)]
        first = next(e.fields for e in told if e.drone != "drone_4")
        assert 250 < first["ahead_ms"] - first["error_ms"] < 330
        heights = {drone.keeper.store.height for drone in swarm.drones}
        assert len(heights) == 1
