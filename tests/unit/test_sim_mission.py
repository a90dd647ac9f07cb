# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Missions: what can be flown, and what a run folder is made of."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from swarm_ledger.envelope import Kind, Opener
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity.roster import Role
from swarm_ledger.identity.trust import load_trust
from swarm_ledger.runtime.fleet import FLEET
from swarm_ledger.sim.mission import OPERATOR, Mission, prepare
from swarm_ledger.voting.question import parse_question

NOW = datetime(2030, 1, 1, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "wrong",
    [
        {"drones": 3},
        {"drones": 101},
        {"byzantine": -1},
        {"byzantine": 2},
        {"byzantine": 4, "allow_unsafe": True},
        {"target": "dog"},
        {"transport": "pigeon"},
        {"attack": "bite"},
        {"seed": -1},
        {"seed": 2**63},
        {"timeout_s": 0.5},
        {"timeout_s": float("inf")},
        {"timeout_s": float("nan")},
    ],
)
def test_what_cannot_be_flown_says_what_to_do(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(Misuse) as caught:
        Mission(run_dir=tmp_path, **wrong)
    assert caught.value.remedy


@pytest.mark.parametrize(("drones", "most"), [(4, 1), (6, 1), (7, 2), (9, 2), (10, 3), (100, 33)])
def test_a_third_may_lie_and_not_one_more(tmp_path: Path, drones: int, most: int) -> None:
    Mission(run_dir=tmp_path, drones=drones, byzantine=most)
    with pytest.raises(Misuse) as caught:
        Mission(run_dir=tmp_path, drones=drones, byzantine=most + 1)
    assert f"at least {3 * most + 4} drones, or pass --allow-unsafe" in caught.value.remedy
    assert Mission(run_dir=tmp_path, drones=drones, byzantine=most + 1, allow_unsafe=True)


def test_liars_are_drawn_by_the_seed(tmp_path: Path) -> None:
    drawn = [
        Mission(run_dir=tmp_path, drones=10, byzantine=3, seed=seed).liars() for seed in range(40)
    ]
    assert all(len(liars) == 3 for liars in drawn)
    assert len(set(drawn)) > 20
    assert frozenset().union(*drawn) == {f"drone_{n}" for n in range(1, 11)}
    assert drawn[5] == Mission(run_dir=tmp_path, drones=10, byzantine=3, seed=5).liars()


def test_a_run_folder_is_complete_and_verified(tmp_path: Path) -> None:
    mission = Mission(run_dir=tmp_path / "run", drones=7, byzantine=2, attack="silent", seed=4)
    fleet = prepare(mission, now=NOW)
    roster = load_trust(tmp_path / "run" / "roster", now=NOW).genesis
    assert roster == fleet.roster
    assert [m.name for m in roster.members] == [*mission.names(), OPERATOR]
    assert roster.named(OPERATOR).roles == {Role.OPERATOR}
    assert len(roster.validators) == len(roster.voters) == 7
    assert {e.name for e in fleet.file.drones if e.attack} == mission.liars()
    assert {e.attack for e in fleet.file.drones} == {"", "silent"}
    for name in mission.names():
        key = tmp_path / "run" / name / "key.pem"
        assert key.stat().st_mode & 0o077 == 0, "others may read a root key"
    sealed = fleet.question()
    assert sealed is not None
    opened = Opener(roster).open(sealed)
    assert (opened.kind, opened.author.name) == (Kind.QUESTION, OPERATOR)
    assert parse_question(opened.payload).labels == ("cup", "two_faces")


def test_the_roster_expires(tmp_path: Path) -> None:
    prepare(Mission(run_dir=tmp_path), now=NOW)
    load_trust(tmp_path / "roster", now=NOW + timedelta(days=364))
    with pytest.raises(NotVerified, match="expired"):
        load_trust(tmp_path / "roster", now=NOW + timedelta(days=366))


def test_keys_repeat_in_memory_and_nowhere_else(tmp_path: Path) -> None:
    def key(folder: str, transport: str) -> bytes:
        mission = Mission(run_dir=tmp_path / folder, transport=transport)
        return prepare(mission, now=NOW).roster.named("drone_1").public_key

    assert key("a", "memory") == key("b", "memory")
    assert len({key("c", "zmq"), key("d", "zmq"), key("e", "memory")}) == 3


def test_each_drone_has_an_address_of_its_own_over_zeromq(tmp_path: Path) -> None:
    fleet = prepare(Mission(run_dir=tmp_path, transport="zmq", drones=7), now=NOW)
    endpoints = set(fleet.endpoints().values())
    assert len(endpoints) == 7
    assert all(endpoint.startswith("tcp://127.0.0.1:") for endpoint in endpoints)


def test_a_run_is_never_written_over(tmp_path: Path) -> None:
    prepare(Mission(run_dir=tmp_path), now=NOW)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(Misuse, match="already holds a run"):
        prepare(Mission(run_dir=tmp_path, seed=9), now=NOW)
    (tmp_path / FLEET).unlink()
    with pytest.raises(Misuse, match="never overwritten"):
        prepare(Mission(run_dir=tmp_path, seed=9), now=NOW)
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == {path: data for path, data in before.items() if path.name != FLEET}
