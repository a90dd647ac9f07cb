# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Drones that lie, and a swarm in simulated time that lives with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from swarm_ledger.audit.ledger import verify_ledger
from swarm_ledger.perception import load
from swarm_ledger.sim.byzantine import ATTACKS, corrupt, eyes
from swarm_ledger.sim.events import Event
from swarm_ledger.sim.mission import Mission
from swarm_ledger.sim.virtual import VirtualSwarm
from swarm_ledger.sim.watch import Watch

IMAGE = np.zeros((120, 160, 3), np.uint8)


@pytest.mark.parametrize(("truth", "lie"), [("cup", "two_faces"), ("two_faces", "cup")])
@pytest.mark.parametrize("attack", ATTACKS)
def test_every_liar_says_the_opposite_with_full_confidence(
    attack: str, truth: str, lie: str
) -> None:
    perceived = eyes(attack, load(), truth).classify(IMAGE)
    assert (perceived.label, perceived.confidence) == (lie, 1.0)


def test_an_honest_drone_is_left_alone() -> None:
    honest = load()
    assert eyes("", honest, "cup") is honest
    transport: object = object()
    assert corrupt("", transport, None) is transport  # type: ignore[arg-type]


Fly = Callable[..., tuple[VirtualSwarm, Watch]]


def begin(folder: Path, **mission: object) -> tuple[VirtualSwarm, Watch]:
    flown = Mission(run_dir=folder, **mission)  # type: ignore[arg-type]
    watch = Watch(flown.names(), (n for n in flown.names() if n not in flown.liars()))
    return VirtualSwarm(flown, watch.take), watch


def test_a_voter_that_contradicts_itself_in_time_has_no_ballot(tmp_path: Path) -> None:
    """One honest drone is dead, so the question stays open until both statements are in."""
    swarm, watch = begin(tmp_path, byzantine=1, attack="equivocate", seed=1)
    (liar,) = swarm.mission.liars()
    with swarm:
        while not swarm.drones[0].machine.tally.open_questions():
            swarm.step()
        names = swarm.mission.names()
        dead = next(n for n in reversed(names) if n != liar)
        swarm.dead.add(names.index(dead))
        watch.take(Event(dead, "lost", {"how": "dead"}))
        assert swarm.run(watch)
        decision = watch.flying[0].decision
    assert decision is not None
    assert decision["voided"] == 1
    assert sum(decision["votes"].values()) == 2, "neither of the liar's statements counts"
    assert decision["outcome"] == "undecided", "two ballots are fewer than n - f"
    assert watch.culprits == {liar}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("seed", [11, 12])
def test_each_ledger_holds_at_every_moment_of_a_flight(
    tmp_path: Path, attack: str, seed: int
) -> None:
    """Whenever a drone is killed, what it leaves behind verifies."""
    swarm, watch = begin(tmp_path, byzantine=1, attack=attack, seed=seed)
    checked: dict[str, int] = {}
    with swarm:
        while not all(seen.decision for seen in watch.flying):
            swarm.step()
            for name, drone in zip(swarm.mission.names(), swarm.drones, strict=True):
                store = drone.keeper.store
                if checked.get(name) != store.height:
                    verdict = verify_ledger(store, swarm.fleet.trust)
                    assert verdict.height == store.height
                    checked[name] = store.height
    assert all(checked[name] >= 3 for name in watch.honest)


def test_silence_is_silent(tmp_path: Path) -> None:
    swarm, watch = begin(tmp_path, byzantine=1, attack="silent", seed=3)
    (liar,) = swarm.mission.liars()
    with swarm:
        assert swarm.run(watch)
        others = [d for d in swarm.drones if d.member.name != liar]
        assert {drone.greeting.met for drone in others} == {3}
