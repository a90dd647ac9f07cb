# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Missions in secret, in simulated time: with losses, with liars, the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarm_ledger.envelope import Kind, kind_of
from swarm_ledger.sim.mission import Mission
from swarm_ledger.sim.virtual import VirtualSwarm
from swarm_ledger.sim.watch import Watch
from swarm_ledger.transport.memory import MemoryNetwork
from swarm_ledger.transport.secret import CLEAR


class Overheard(MemoryNetwork):
    """A network whose traffic somebody writes down."""

    def __init__(self, seed: int, loss: float) -> None:
        super().__init__(range(4), seed, loss=loss)
        self.air: list[bytes] = []

    def carry(self, sender: int, to: int, data: bytes) -> None:
        self.air.append(data)
        super().carry(sender, to, data)


def fly(
    folder: Path, *, loss: float = 0.0, seed: int = 3, attack: str = "lie"
) -> tuple[str, bool]:
    """Fly to the end; return the ledger's root, and whether somebody was convicted."""
    seed = 3
    mission = Mission(run_dir=folder, seed=seed, attack=attack, secret=True)
    honest = [name for name in mission.names() if name not in mission.liars()]
    watch, network = Watch(mission.names(), honest), Overheard(seed, loss)
    with VirtualSwarm(mission, watch.take, network) as swarm:
        assert swarm.run(watch)
        drones = [d for d in swarm.drones if d.member.name in honest]
        assert {kind_of(data) for data in network.air} <= {*CLEAR, Kind.SECRET}
        assert not {"bad_tag", "not_secret"} & {why for d in drones for why in d.faults}
        evidence = any(drone.machine.convicted for drone in drones)
        return drones[0].keeper.store.root().hex(), evidence


@pytest.mark.parametrize("loss", [0.1, 0.3])
def test_a_secret_swarm_decides_with_losses(tmp_path: Path, loss: float) -> None:
    fly(tmp_path, loss=loss)


def test_one_seed_one_ledger(tmp_path: Path) -> None:
    assert fly(tmp_path / "a") == fly(tmp_path / "b")


def test_a_liar_that_says_two_things_in_secret_is_convicted(tmp_path: Path) -> None:
    _, convicted = fly(tmp_path, attack="equivocate")
    assert convicted


def test_a_silent_drone_stops_nobody(tmp_path: Path) -> None:
    fly(tmp_path, attack="silent")
