# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""When a decision has its certificate: no later than messages need to get there once."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarm_ledger.consensus.messages import Checkpoint
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.export import find_decision
from tests.crew import Crew
from tests.lab import STEP_MS, Lab

CREW = Crew()


def decided(drone: Drone) -> bool:
    return drone.machine.tally.decision(1) is not None


def certified(drone: Drone) -> bool:
    """Whether its disk has the cosigned checkpoint of the decision's own block."""
    store = drone.keeper.store
    index, settled = find_decision(store, 1)
    checkpoint = store.checkpoint(index + 1)
    return checkpoint is not None and checkpoint.height == settled.decision.height


@pytest.mark.parametrize("drones", [3, 4])
def test_a_decision_of_an_idle_swarm_is_certified_one_round_later(
    tmp_path: Path, drones: int
) -> None:
    """A round: what is said in one step of the lab arrives in the next, everywhere."""
    lab = Lab(tmp_path, CREW)
    assert max(lab.network.delay_ms) < STEP_MS
    for member in range(drones):
        lab.start(member)
    for _ in range(1_000):
        lab.step()
        if any(map(decided, lab.drones.values())):
            break
    live = lab.drones.values()
    assert all(map(decided, live)), "what commits it comes to all in one round"
    assert not any(map(certified, live))
    lab.step()
    assert all(map(certified, live))
    height = find_decision(lab.drones[0].keeper.store, 1)[1].decision.height
    said = [
        name
        for name, _, message in lab.statements()
        if isinstance(message, Checkpoint) and message.seq == height
    ]
    assert sorted(said) == CREW.names[:drones], "each says it once"
    lab.close()
