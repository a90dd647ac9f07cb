# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a mission came to, read from its ledgers: agreement, loss, and a stranger's verdict."""

from __future__ import annotations

import shutil
import sys
from copy import deepcopy
from pathlib import Path

import pytest

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.runtime.fleet import Fleet
from swarm_ledger.sim import outcome
from swarm_ledger.sim.events import Event
from swarm_ledger.sim.mission import Mission
from swarm_ledger.sim.outcome import Ledgers, Outcome, conclude, stranger_objects
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
    monkeypatch.setattr(outcome, "stranger_objects", lambda _: "")


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
    assert (found.ledgers, found.why) == (Ledgers.ONE, "")
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
    assert (found.agree, found.ledgers) == (False, Ledgers.DIFFER)
    assert found.height == longest


@pytest.mark.usefixtures("believing")
def test_an_honest_ledger_may_be_missing_or_short_if_its_drone_was_lost(
    flight: tuple[Mission, Watch], tmp_path: Path
) -> None:
    mission, fleet = elsewhere(flight, tmp_path)
    shutil.rmtree(mission.run_dir / "drone_4")
    with fleet.store("drone_2") as store:
        blocks = [store.block(height) for height in range(2)]
    shutil.rmtree(mission.run_dir / "drone_3")
    with fleet.store("drone_3") as store:
        for block in blocks:
            store.append_block(block.height, block.entries, block.certificate)
    unfinished = Watch(mission.names(), mission.names())
    assert conclude(mission, fleet, unfinished, 1.0).ledgers is Ledgers.UNEVEN
    for watch in (deepcopy(flight[1]), unfinished):
        watch.take(Event("drone_4", "lost", {"how": "SIGKILL"}))
        watch.take(Event("drone_3", "lost", {"how": "SIGKILL"}))
        assert conclude(mission, fleet, watch, 1.0).agree is True


@pytest.mark.usefixtures("believing")
def test_ledgers_of_one_root_agree_even_if_the_mission_ran_out_of_time(
    flight: tuple[Mission, Watch], tmp_path: Path
) -> None:
    mission, fleet = elsewhere(flight, tmp_path)
    waiting = Watch(mission.names(), mission.names())
    assert conclude(mission, fleet, waiting, 1.0).agree is True


@pytest.mark.usefixtures("believing")
def test_a_ledger_that_is_behind_does_not_differ_but_is_not_yet_the_same(
    flight: tuple[Mission, Watch], tmp_path: Path
) -> None:
    mission, fleet = elsewhere(flight, tmp_path)
    with fleet.store("drone_2") as store:
        store.append_block(store.height + 1, [b"\x01one more"], b"")
    found = conclude(mission, fleet, Watch(mission.names(), mission.names()), 1.0)
    assert (found.agree, found.ledgers) == (False, Ledgers.UNEVEN)
    found = concluded(flight, mission, fleet)
    assert found.ledgers is Ledgers.ONE, "they were one in the end: one went on while it stopped"


@pytest.mark.usefixtures("believing")
def test_where_no_honest_drone_flew_to_the_end_nothing_agrees(
    flight: tuple[Mission, Watch], tmp_path: Path
) -> None:
    mission, fleet = elsewhere(flight, tmp_path)
    watch = deepcopy(flight[1])
    for name in mission.names():
        watch.take(Event(name, "lost", {"how": "SIGKILL"}))
    found = conclude(mission, fleet, watch, 1.0)
    assert (found.agree, found.ledgers) == (False, Ledgers.NONE)
    assert found.decision == "cup", "their ledgers hold it all the same"


def test_a_ledger_without_a_decision_says_so(
    flight: tuple[Mission, Watch], tmp_path: Path
) -> None:
    mission, fleet = elsewhere(flight, tmp_path)
    with fleet.store("drone_1") as store:
        genesis = store.block(0)
    for name in mission.names():
        shutil.rmtree(mission.run_dir / name)
        with fleet.store(name) as store:
            store.append_block(0, genesis.entries, genesis.certificate)
    found = conclude(mission, fleet, Watch(mission.names(), mission.names()), 1.0)
    assert (found.decision, found.agree, found.verified) == (None, True, False)
    assert found.why == "the ledger ends at height 0 without a decision."


@pytest.mark.parametrize("error", [Misuse, NotVerified])
@pytest.mark.parametrize("step", ["prove", "policy_file"])
def test_a_decision_that_cannot_be_exported_is_told_with_the_reason(
    flight: tuple[Mission, Watch],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    error: type[Misuse | NotVerified],
) -> None:
    def refuse(*_: object) -> bytes:
        raise error("no cosigned checkpoint covers it.")

    mission, fleet = elsewhere(flight, tmp_path)
    monkeypatch.setattr(outcome, step, refuse)
    found = concluded(flight, mission, fleet)
    assert (found.decision, found.agree, found.verified) == ("cup", True, False)
    assert found.why == "no cosigned checkpoint covers it."


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
    assert (found.ledgers, found.why) == (Ledgers.NONE, "no honest drone left a ledger.")
    assert found.lost == dict.fromkeys(mission.names(), "exit 1")


@pytest.mark.parametrize(
    ("spoilt", "objection"),
    [
        ("policy", "is not the policy of the swarm in roster"),
        (outcome.PROOF, "signature of swarm_ledger/sim-"),
        ("roster/root.json", "roster"),
    ],
)
def test_a_stranger_believes_only_what_holds(
    flight: tuple[Mission, Watch], tmp_path: Path, spoilt: str, objection: str
) -> None:
    mission, fleet = elsewhere(flight, tmp_path)
    assert concluded(flight, mission, fleet).verified
    path = mission.run_dir / spoilt
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    assert objection in stranger_objects(mission.run_dir)


def test_a_stranger_that_does_not_end_believes_nothing(
    flight: tuple[Mission, Watch], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier = tmp_path / "verifier"
    verifier.write_text("#!/bin/sh\nexec sleep 60\n")
    verifier.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(verifier))
    monkeypatch.setattr(outcome, "_STRANGER_SECONDS", 0.05)
    mission, fleet = elsewhere(flight, tmp_path)
    found = concluded(flight, mission, fleet)
    assert (found.agree, found.verified) == (True, False)
    assert found.why == "its verifier had not ended after 0.05 s."
