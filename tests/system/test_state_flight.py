# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Over real sockets: a drone that lost its ledger comes back among others who keep little."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from swarm_ledger.audit.ledger import open_ledger, verify_ledger
from swarm_ledger.runtime import pruner, snapshot
from swarm_ledger.runtime.fleet import LEDGER
from swarm_ledger.runtime.fleet_file import LedgerEntry
from tests.wired import Wired


def test_a_drone_without_its_ledger_takes_a_peers_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "EVERY", 4)
    monkeypatch.setattr(pruner, "WINDOW", 4)
    monkeypatch.setattr(pruner, "MIN_BYTES", 1)
    swarm = Wired(tmp_path / "run")
    budget = LedgerEntry(max_bytes=1)
    swarm.rewrite(
        lambda entries: [msgspec.structs.replace(entry, ledger=budget) for entry in entries]
    )
    try:
        swarm.start()
        swarm.go_on(blocks=20)
        swarm.stop("drone_4")
        (swarm.folder / "drone_4" / LEDGER).unlink()
        pruned = [swarm.flown[name].store for name in ("drone_1", "drone_2", "drone_3")]
        swarm.until("all have pruned", lambda: all(store.base > 1 for store in pruned))
        swarm.start("drone_4")
        swarm.go_on(blocks=8)
        named = [one for one in swarm.events if one[:2] == ("drone_4", "state_adopted")]
        told = [fields for _, _, fields in named]
        assert told[0]["before"] == 0  # on a slow machine it may fall behind once more
        assert swarm.flown["drone_4"].drone.standing == "mute"
        trust = swarm.fleet().trust
        for name in ("drone_1", "drone_4"):
            with open_ledger(swarm.folder / name) as store:
                verdict = verify_ledger(store, trust)
                assert verdict.base > 1
                assert verdict.height >= told[0]["height"]
    finally:
        swarm.close()
