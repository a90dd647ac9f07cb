# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a mission came to, read from its ledgers: agreement, loss, and a stranger's verdict."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from swarm_ledger.runtime.fleet import Fleet
from swarm_ledger.sim import outcome
from swarm_ledger.sim.events import Event
from swarm_ledger.sim.mission import Mission
from swarm_ledger.sim.outcome import Outcome, conclude, stranger_believes
from swarm_ledger.sim.virtual import VirtualSwarm
from swarm_ledger.sim.watch import Watch


@pytest.fixture(scope="module")
def flight(tmp_path_factory: pytest.TempPathFactory) -> tuple[Mission, Watch]:
    mission = Mission(run_dir=tmp_path_factory.mktemp("flight") / "run", byzantine=0, seed=3)
    watch = Watch(mission.names(), mission.names())
    with VirtualSwarm(mission, watch.take) as swarm:
        assert swarm.run(watch)
    return mission, watch


@pytest.fixture
def believing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger who believes everything, where the stranger isn't what is tested."""
    monkeypatch.setattr(outcome, "stranger_believes", lambda _: True)


def elsewhere(flight: tuple[Mission, Watch], folder: Path) -> tuple[Mission, Fleet]:
    """Return a copy of a flight, to be tampered with."""
    shutil.copytree(flight[0].run_dir, folder / "run")
    mission = Mission(run_dir=folder / "run", byzantine=0, seed=3)
    return mission, Fleet.load(folder / "run" / "fleet.yaml")


def concluded(flight: tuple[Mission, Watch], mission: Mission, fleet: Fleet) -> Outcome:
    return conclude(mission, fleet, flight[1], 1.23456)


def test_an_outcome_is_read_from_the_ledgers(
    flight: tuple[Mission, Watch], tmp_path: Path
) -> None:
    mission, fleet = elsewhere(flight, tmp_path)
    found = concluded(flight, mission, fleet)
    assert (found.agree, found.verified) == (True, True)
    assert found.decision == found.truth == "cup"
    assert sum(found.votes.values()) >= 3
    assert found.elapsed_s == 1.235
    assert {path.name for path in mission.run_dir.iterdir()} >= {"policy", outcome.PROOF}


@pytest.mark.usefixtures("believing")
def test_a_ledger_that_differs_is_no_agreement(
    flight: tuple[Mission, Watch], tmp_path: Path
) -> None:
    mission, fleet = elsewhere(flight, tmp_path)
    with fleet.store("drone_2") as store:
        store.append_block(store.height + 1, [b"\x01its own"], b"")
        longest = store.height
    with fleet.store("drone_3") as store:
        store.append_block(store.height + 1, [b"\x01another"], b"")
    found = concluded(flight, mission, fleet)
    assert found.agree is False
    assert found.height == longest


@pytest.mark.usefixtures("believing")
def test_an_honest_ledger_may_be_missing_or_short_if_its_drone_was_lost(
    flight: tuple[Mission, Watch], tmp_path: Path
) -> None:
    mission, fleet = elsewhere(flight, tmp_path)
    shutil.rmtree(mission.run_dir / "drone_4")
    assert concluded(flight, mission, fleet).agree is True


@pytest.mark.usefixtures("believing")
def test_an_unfinished_mission_is_no_agreement(
    flight: tuple[Mission, Watch], tmp_path: Path
) -> None:
    mission, fleet = elsewhere(flight, tmp_path)
    waiting = Watch(mission.names(), mission.names())
    assert conclude(mission, fleet, waiting, 1.0).agree is False


def test_no_ledger_at_all_is_an_outcome_too(flight: tuple[Mission, Watch], tmp_path: Path) -> None:
    mission, fleet = elsewhere(flight, tmp_path)
    for name in mission.names():
        (mission.run_dir / name / "ledger.db").unlink()
    watch = Watch(mission.names(), mission.names())
    for name in mission.names():
        watch.take(Event(name, "lost", {"how": "exit 1"}))
    found = conclude(mission, fleet, watch, 1.0)
    assert (found.decision, found.agree, found.verified) == (None, False, False)
    assert (found.height, found.root) == (-1, "")
    assert found.lost == dict.fromkeys(mission.names(), "exit 1")


@pytest.mark.parametrize("spoilt", ["policy", outcome.PROOF, "roster/root.json"])
def test_a_stranger_believes_only_what_holds(
    flight: tuple[Mission, Watch], tmp_path: Path, spoilt: str
) -> None:
    mission, fleet = elsewhere(flight, tmp_path)
    assert concluded(flight, mission, fleet).verified
    path = mission.run_dir / spoilt
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    assert not stranger_believes(mission.run_dir)
