# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What is drawn from a seed: the same each time, only what is on the menu, and all of that."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from swarm_ledger.consensus.quorum import faulty
from swarm_ledger.errors import Misuse
from swarm_ledger.sim.pbft.forgers import LIARS
from swarm_ledger.sim.pbft.plan import FAULTS, SIZES, Menu, Plan, draw
from swarm_ledger.sim.pbft.run import run

SEEDS = range(80)

KINDS = {
    "partition": {"cut", "cut off the leader"},
    "crash": {"crash", "crash the leader", "blackout"},
    "pause": {"pause"},
    "disk": {"fill the disk"},
    "wipe": {"wipe"},
    "clock": {"set the clock"},
    "membership": {"enrol"},
}
"""What a fault has done to a swarm."""


def kinds(plan: Plan) -> set[str]:
    return {action.kind for action in plan.actions}


SHOWS: dict[str, Callable[[Plan], bool]] = {
    "loss": lambda plan: plan.weather.loss > 0,
    "twice": lambda plan: plan.weather.twice > 0,
    "delay": lambda plan: plan.weather.delay_ms > 5 or plan.weather.late > 0,
    "corrupt": lambda plan: plan.weather.corrupted > 0,
    "byzantine": lambda plan: bool(plan.liars),
    **{fault: (lambda plan, of=of: bool(of & kinds(plan))) for fault, of in KINDS.items()},
}
"""Whether a fault can be seen in a plan."""


def plans(faults: Iterable[str] = FAULTS, **more: Any) -> list[Plan]:
    return [draw(seed, Menu(faults=tuple(faults), **more)) for seed in SEEDS]


def test_a_seed_stands_for_one_plan() -> None:
    assert plans() == plans()
    assert len({repr(replace(plan, seed=0)) for plan in plans()}) == len(SEEDS)


def test_every_fault_is_known_here() -> None:
    assert set(SHOWS) == set(FAULTS)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_can_be_switched_off_and_on(fault: str) -> None:
    shows = SHOWS[fault]
    assert any(map(shows, plans()))
    assert any(map(shows, plans([fault])))
    assert not any(map(shows, plans(other for other in FAULTS if other != fault)))


def test_without_faults_there_are_votes_and_nothing_else() -> None:
    for plan in plans([]):
        assert kinds(plan) <= {"vote", "calm", "join"}
        assert not any(shows(plan) for shows in SHOWS.values())
        assert plan.spares == 0


def test_sizes_and_liars_are_what_the_protocol_bears() -> None:
    drawn = plans()
    assert {plan.n for plan in drawn} == set(SIZES)
    assert {kind for plan in drawn for _, kind in plan.liars} == set(LIARS)
    for plan in drawn:
        liars = [me for me, _ in plan.liars]
        assert len(set(liars)) == len(liars) <= faulty(plan.n)
        assert all(0 <= me < plan.n for me in liars)
    assert {len(plan.liars) for plan in plans(drones=7, byzantine=2)} == {2}
    assert {plan.n for plan in plans(drones=7)} == {7}


def test_some_runs_sign_for_real_and_all_on_the_radio_do() -> None:
    assert {plan.real for plan in plans()} == {True, False}
    assert all(plan.real and plan.radio for plan in plans(radio=True))


def test_there_is_more_to_do_than_a_run_has_steps_for() -> None:
    for seed in range(5):
        assert run(draw(seed, Menu(drones=4, steps=500))).steps >= 500


@pytest.mark.parametrize(
    ("menu", "remedy"),
    [
        ({"drones": 3}, "Take 4 to 100."),
        ({"drones": 101}, "Take 4 to 100."),
        ({"byzantine": 2}, "Take 0 to 1, or more --drones."),
        ({"byzantine": -1}, "Take 0 to 1, or more --drones."),
        ({"drones": 7, "byzantine": 3}, "Take 0 to 2, or more --drones."),
        ({"faults": ("crash", "magic")}, f"Take some of: {', '.join(FAULTS)}."),
        ({"steps": 0}, "Take 1 to 10,000,000."),
        ({"steps": 10_000_001}, "Take 1 to 10,000,000."),
    ],
    ids=str,
)
def test_what_cannot_be_simulated_is_refused_with_what_can(
    menu: dict[str, Any], remedy: str
) -> None:
    with pytest.raises(Misuse) as refused:
        Menu(**menu)
    assert refused.value.remedy == remedy
