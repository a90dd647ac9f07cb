# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A drone as it is put together for real links, liars included."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from swarm_ledger.runtime.fleet import FLEET, Fleet
from swarm_ledger.runtime.helm import Helm
from swarm_ledger.sim.byzantine import ATTACKS, corrupting
from swarm_ledger.sim.mission import Mission, prepare, utc_now


class Nobody:
    """Links at whose other ends there is nobody."""

    def send(self, to: int, data: bytes) -> None:
        pass

    def broadcast(self, data: bytes) -> None:
        pass

    def follow(self, fleet: Fleet, drone: Any, now_ms: int) -> None:
        pass

    def receive(self, timeout_ms: int) -> list[bytes]:
        return []

    def judge(self, refused: Collection[int]) -> None:
        pass

    def report(self) -> dict[str, Any]:
        return {"links": "none"}


@pytest.mark.parametrize("attack", ["", *ATTACKS])
def test_whoever_begins_has_lost_nothing(tmp_path: Path, attack: str) -> None:
    """A session from before its ledger is one whose ledger was lost; so liars once were mute."""
    prepare(Mission(run_dir=tmp_path, transport="zmq", byzantine=0), now=utc_now())
    file = tmp_path / FLEET
    lying = f"folder: drone_1\n  attack: {attack}" if attack else "folder: drone_1"
    file.write_text(file.read_text().replace("folder: drone_1", lying, 1))
    fleet, told = Fleet.load(file), list[str]()
    assert fleet.drone("drone_1").attack == attack
    now_ms = int(utc_now().timestamp() * 1000)
    with closing(fleet.store("drone_1")) as store:
        helm = Helm(
            fleet,
            "drone_1",
            store,
            Nobody(),
            emit=lambda name, _: told.append(name),
            now_ms=now_ms,
            speaking=corrupting(fleet, "drone_1", now_ms),
        )
        helm.tick(now_ms)
        assert helm.status()["standing"] == "member"
    assert "lost_disk" not in told
