# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Asking a swarm that speaks in secret: it understands, and nobody else who listens does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from swarm_ledger.envelope import Kind, kind_of
from swarm_ledger.identity.confided import parse_confided
from swarm_ledger.light_client import verify_proof
from swarm_ledger.light_client.policies import policy_of
from swarm_ledger.runtime.asker import Code
from swarm_ledger.voting.decision import parse_settled
from tests.crew import Crew
from tests.lab import Lab
from tests.station import WHAT, Station, Stations

CREW = Crew(operators=2, secret=True)
PLACE = 5
"""The first operator's in the roster."""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path, CREW)
    for member in range(4):
        made.start(member)
    yield made
    made.close()


@pytest.fixture
def said(lab: Lab) -> list[bytes]:
    """All that the operator's end says."""
    found: list[bytes] = []
    carry = lab.network.carry

    def overhear(sender: int, to: int, data: bytes) -> None:
        if sender == PLACE:
            found.append(data)
        carry(sender, to, data)

    lab.network.carry = overhear  # type: ignore[method-assign]
    return found


@pytest.fixture
def stations(lab: Lab) -> Stations:
    return Stations(lab)


@pytest.fixture
def station(stations: Stations, tmp_path: Path) -> Iterator[Station]:
    made = Station(stations, tmp_path / "state", PLACE, CREW.root("operator_1"))
    yield made
    made.follower.close()


def test_what_is_asked_is_decided_and_verified(
    stations: Stations, station: Station, said: list[bytes]
) -> None:
    asked = station.ask()
    stations.until(lambda: asked.answered)
    assert asked.answered is not None
    assert (asked.answered.code, asked.answered.said) == (Code.NONE, "")
    assert asked.answered.settled is not None
    assert asked.answered.settled.decision.question == asked.question_id
    assert asked.answered.settled.answer == "cup"
    head = station.asker.pursuit.head
    assert head is not None
    proven = verify_proof(policy_of(head.opener), asked.answered.proof)
    assert parse_settled(proven.entry[1:]) == asked.answered.settled
    assert {kind_of(raw) for raw in said} == {Kind.CONFIDED}
    everything = b"\0".join([*said, *(raw for _, raw in station.lab.air)])
    for word in (b"What stands there?", b"cup", b"two_faces", asked.question_id):
        assert word not in everything
    assert all(raw not in everything for raw in asked.sealed.values())


def test_it_is_said_again_until_it_is_decided_each_time_in_other_bytes(
    stations: Stations, station: Station, said: list[bytes]
) -> None:
    for drone in station.lab.drones.values():
        drone.look = lambda _look: None  # type: ignore[method-assign]
    asked = station.ask(replace(WHAT, duration_ms=5_000))
    stations.until(lambda: asked.answered)
    assert len(set(said)) >= 5
    before = len(said)
    stations.run(3_000)
    assert len(said) == before
    told = asked.answered
    assert told is not None
    assert told.settled is not None
    assert told.settled.decision.abstentions == 0


def test_what_is_lost_on_the_way_is_said_again(tmp_path: Path) -> None:
    lab = Lab(tmp_path, CREW, seed=3, loss=0.3)
    for member in range(4):
        lab.start(member)
    stations = Stations(lab)
    station = Station(stations, tmp_path / "state", PLACE, CREW.root("operator_1"))
    asked = station.ask(replace(WHAT, duration_ms=20_000))
    stations.until(lambda: asked.answered)
    assert asked.answered is not None
    assert asked.answered.settled is not None
    assert asked.answered.settled.decision.question == asked.question_id
    station.follower.close()
    lab.close()


def test_it_is_confided_anew_under_the_roster_in_force(
    stations: Stations, station: Station, said: list[bytes]
) -> None:
    """To whom that one lists: who was revoked by it can't read the question any more."""
    lab, fresh = station.lab, CREW.changed(CREW.roster, revoke=["watcher"])
    stations.until(lambda: station.seen)
    for drone in lab.drones.values():
        drone.learn(CREW.knowing(fresh), lab.now_ms)
    stations.until(lambda: all(one.roster.version == 2 for one in lab.drones.values()))
    asked = station.ask(replace(WHAT, duration_ms=20_000))
    stations.until(lambda: asked.answered)
    assert asked.answered is not None
    assert asked.answered.code is Code.NONE
    told = [parse_confided(raw[1:])[0] for raw in said]
    assert {one.version for one in told} <= {1, 2}
    assert told[-1].version == 2
    for one in told:
        readers = [index for index, _ in one.shares]
        assert readers == [0, 1, 2, 3, 4][: 5 if one.version == 1 else 4]


def test_who_speaks_is_heard_and_no_vote_is(stations: Stations, station: Station) -> None:
    asked = station.ask(replace(WHAT, duration_ms=20_000))
    stations.until(lambda: station.asker.heard == 4 or asked.answered)
    assert asked.answered is None
    told = station.asker.progress(asked)
    assert (told.counts, told.abstentions, told.missing) == ((0, 0), 0, 4)
    assert told.remaining_ms == 20_000
    stations.until(lambda: asked.answered)
    assert station.refused == 0


def test_where_nobody_answers_silence_means_nothing(stations: Stations, station: Station) -> None:
    stations.until(lambda: station.seen)
    for member in range(4):
        station.lab.kill(member)
    for name in station.provers:
        station.provers[name] = lambda _request: None
    asked = station.ask(replace(WHAT, duration_ms=1_000))
    stations.run(10_500)
    assert asked.answered is None
    stations.until(lambda: asked.answered)
    assert asked.answered is not None
    assert asked.answered.code is Code.UNAVAILABLE
    assert "nobody proved a decision in time" in asked.answered.said


def test_without_channel_keys_in_the_roster_nobody_can_be_asked(tmp_path: Path) -> None:
    plain = Crew(operators=2)
    lab = Lab(tmp_path, plain)
    lab.start(0)
    stations = Stations(lab)
    plain.secret = True
    station = Station(stations, tmp_path / "state", PLACE, plain.root("operator_1"))
    refusal = station.refusal(WHAT)
    assert refusal.code is Code.UNAVAILABLE
    assert "roster version 1 lists no channel keys" in refusal.said
    station.follower.close()
    lab.close()
