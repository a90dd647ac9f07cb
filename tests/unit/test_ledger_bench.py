# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The minted ledgers verify, and the page holds what was measured."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from bench.ledger_performance import (
    BEGIN,
    COSTS,
    END,
    FIGURES,
    LIGHTS,
    PAGE,
    PLOT,
    plot,
    tables,
)
from swarm_ledger.audit.ledger import verify_ledger
from swarm_ledger.cli.app import app
from swarm_ledger.cli.bench import decades
from swarm_ledger.errors import Misuse
from swarm_ledger.ledger.store import Store
from swarm_ledger.light_client import verify_proof
from swarm_ledger.light_client.policies import policy_of
from swarm_ledger.runtime import snapshot
from swarm_ledger.runtime.export import find_decision, prove, sessions_in
from swarm_ledger.sim import ledger_bench
from swarm_ledger.sim.ledger_bench import measure
from swarm_ledger.sim.minted import Minted


@pytest.mark.parametrize("drones", [4, 7])
def test_a_minted_ledger_is_as_good_as_a_flown_one(
    drones: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "EVERY", 4)
    with Store.open(":memory:") as store:
        swarm = Minted(store, drones)
        for _ in range(3):
            swarm.decide()
        verdict = verify_ledger(store, swarm.trust)
        assert (verdict.covered, verdict.decisions) == (store.size, 3)
        assert store.snapshot_heights() == [4]
        index, settled = find_decision(store, 3)
        assert settled.answer == "cup"
        policy = policy_of(sessions_in(store, swarm.trust, entry=index))
        assert verify_proof(policy, prove(store, index)).entry == store.entry(index)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_bench, "DRONES", (4,))
    monkeypatch.setattr(ledger_bench, "DECISIONS", 2)
    monkeypatch.setattr(snapshot, "EVERY", 4)


def test_figures_are_measured(tmp_path: Path, small: None) -> None:
    told: list[str] = []
    figures = measure([400, 20], [60], 1, told.append, tmp_path)
    assert [costs.entries for costs in figures.costs] == [20, 400]
    for costs in figures.costs:
        assert min(msgspec.structs.astuple(costs)) > 0
    (start,) = figures.starts
    assert start.entries >= 60
    assert start.followed < 8 <= start.blocks
    (sizes,) = figures.bytes
    assert sizes.decision > sizes.entries + sizes.certificates + sizes.note
    before, light = figures.lights
    assert (before.drones, light.drones, light.entries) == (4, 4, 400)
    assert light.cold_bytes > light.warm_bytes > light.same_bytes > 0
    assert min(msgspec.structs.astuple(light)) >= 0
    assert told
    assert list(tmp_path.iterdir()) == []


def test_the_command_prints_them(tmp_path: Path, small: None) -> None:
    options = ["bench", "ledger", "--from", "20", "--to", "20", "--start-to", "20", "--runs", "1"]
    done = CliRunner().invoke(app, [*options, "--folder", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    printed = json.loads(done.output)
    assert printed.keys() == {"block_entries", "runs", "costs", "starts", "bytes", "lights"}
    assert printed["costs"][0].keys() == set(COSTS)
    assert printed["lights"][0].keys() == set(LIGHTS)
    done = CliRunner().invoke(app, [*options, "--folder", str(tmp_path)])
    assert "append ms" in done.output


def test_what_can_not_be_measured_is_said(tmp_path: Path) -> None:
    for sizes, runs in (([5], 1), ([10], 0)):
        with pytest.raises(Misuse, match="at least"):
            measure(sizes, [10], runs)
    with pytest.raises(Misuse, match="cannot write"):
        measure([10], [10], 1, folder=tmp_path / "nowhere")
    done = CliRunner().invoke(app, ["bench", "ledger", "--from", "100", "--to", "10"])
    assert isinstance(done.exception, Misuse)


def test_decades() -> None:
    assert decades(1_000, 1_000_000) == [1_000, 10_000, 100_000, 1_000_000]
    assert decades(30, 299) == [30]


def test_the_page_holds_the_figures() -> None:
    found = json.loads(FIGURES.read_text())
    between = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    assert between == tables(found)
    assert PLOT.read_text() == plot(found)
    ElementTree.fromstring(PLOT.read_text())
    assert [row["entries"] for row in found["costs"]] == [10**3, 10**4, 10**5, 10**6]
    assert [row["drones"] for row in found["bytes"]] == [4, 7, 16, 31]
    assert [row["entries"] for row in found["lights"]][:4] == [10**3, 10**4, 10**5, 10**6]
