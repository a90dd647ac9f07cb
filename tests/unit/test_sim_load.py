# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The load: at its rate, once the drone speaks, and no more than the swarm takes."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from swarm_ledger.envelope import Kind, kind_of
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.sim.load import Load
from tests.crew import Crew
from tests.lab import STEP_MS, Lab


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    made = Lab(tmp_path, Crew())
    for member in range(4):
        made.start(member)
    return made


def ticks(lab: Lab) -> list[bytes]:
    """Return the different ticks that were sent, however often."""
    return list(dict.fromkeys(raw for _, raw in lab.said if kind_of(raw) is Kind.TICK))


def work(lab: Lab, load: Load, ms: int, drone: Drone | None = None) -> None:
    for _ in range(ms // STEP_MS):
        load(drone or lab.drones[0], lab.now_ms)
        lab.step()


def test_requests_come_at_the_rate_and_are_ordered(lab: Lab) -> None:
    load = Load(rate=10)
    load(lab.drones[0], lab.now_ms)
    assert not ticks(lab), "nothing before the ledger holds its session"
    lab.until(height=1)
    before = lab.drones[3].keeper.store.size
    work(lab, load, 1_000)
    assert len(ticks(lab)) == 10
    load.enough(signal.SIGUSR1, None)
    work(lab, load, 1_000)
    assert len(ticks(lab)) == 10
    store = lab.drones[3].keeper.store
    entries = [store.entry(index) for index in range(before, store.size)]
    assert [entry for entry in entries if kind_of(entry) is Kind.TICK] == ticks(lab)
    assert not lab.drones[3].faults


def test_a_swarm_that_is_stuck_is_not_buried(lab: Lab) -> None:
    lab.until(height=1)
    for member in (1, 2, 3):
        lab.kill(member)
    work(lab, Load(rate=50), 5_000)
    assert len(ticks(lab)) == lab.drones[0].status()["pending"] == 32


def test_what_was_missed_is_not_made_up_for(lab: Lab) -> None:
    lab.until(height=1)
    load = Load(rate=10)
    work(lab, load, 100)
    before = len(ticks(lab))
    lab.run(2_000)
    work(lab, load, 100)
    assert len(ticks(lab)) == before + 1
