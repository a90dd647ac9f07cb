# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The arena's tables on the pages: each has its place, and is written there and nowhere else."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from bench import arena_tables
from bench.arena_tables import DOCS, PAGES, SWEEPS, so_far, text, write
from swarm_ledger.sim.sweep.plan import load_plan, perform, tasks
from swarm_ledger.sim.sweep.results import Results
from swarm_ledger.sim.sweep.summary import CellSummary, cells


@pytest.mark.parametrize("name", PAGES)
def test_each_sweep_has_a_file_and_a_place_on_a_page(name: str) -> None:
    plan, page = load_plan(SWEEPS / f"{name}.yaml"), PAGES[name]
    assert {page.columns, page.along, page.panels} - {""} <= set(plan.grid)
    shown = (DOCS / page.page).read_text()
    assert shown.count(f"<!-- {name}: begin -->\n") == 1
    assert shown.index(f"<!-- {name}: begin -->") < shown.index(f"<!-- {name}: end -->")
    assert (page.plot in shown) or not page.plot


def some(name: str) -> list[CellSummary]:
    plan = load_plan(SWEEPS / f"{name}.yaml")
    single = 0.8 if name == "cup" else None
    return [CellSummary(c, 0.9, 0.8, 0.95, 99.0, 0.1, 0.0, 50, single) for c in plan.cells()]


@pytest.mark.parametrize("name", PAGES)
def test_a_table_is_written_between_its_markers(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arena_tables, "DOCS", tmp_path)
    page = tmp_path / PAGES[name].page
    page.write_text(f"before\n<!-- {name}: begin -->\nold\n<!-- {name}: end -->\nafter\n")
    write(name, some(name))
    shown = page.read_text()
    assert text(name, some(name)) in shown
    assert shown.startswith("before\n")
    assert shown.endswith("after\n")
    assert "old" not in shown
    if PAGES[name].plot:
        assert (tmp_path / PAGES[name].plot).read_text().startswith("<svg")
    page.write_text("no place\n")
    with pytest.raises(SystemExit, match="no place"):
        write(name, some(name))


def test_a_stopped_sweep_says_how_many_runs_each_cell_has(tmp_path: Path) -> None:
    plan = load_plan(SWEEPS / "dynamics.yaml")
    plan = msgspec.structs.replace(
        plan, runs=60, grid={"dynamic": ["dc"], "byzantine": [0, 9], "limit_s": [1]}
    )
    results, planned = Results(tmp_path), tasks(plan)
    assert so_far(plan, results) == []
    for task in planned[:3]:
        results.put(task, perform(task))
    found = cells(plan, so_far(plan, results))
    assert [one.runs for one in found] == [60, 50]
    assert text("mixing", found).endswith("50 to 60 runs a cell.\n")
