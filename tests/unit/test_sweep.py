# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Sweeps: planned, carried out anywhere alike, resumed, and shown."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

from swarm_ledger.errors import Misuse
from swarm_ledger.sim import gallery
from swarm_ledger.sim.sweep.experiments import cell_of
from swarm_ledger.sim.sweep.figure import Published, figure, load_published
from swarm_ledger.sim.sweep.plan import Plan, load_plan, perform, tasks
from swarm_ledger.sim.sweep.results import Results
from swarm_ledger.sim.sweep.run import cluster, local, sweep
from swarm_ledger.sim.sweep.summary import (
    CellSummary,
    cells,
    listing,
    summarise,
    table,
    wilson,
)

FILE = """
experiment: dynamics
seed: 7
runs: 60
grid:
  dynamic: [dc, dmvd]
  byzantine: [9]
  limit_s: [2, 3]
"""


class Here(Executor):
    """Does everything at once, in this process, as often as it may."""

    def __init__(self, most: int = 1_000) -> None:
        self.most, self.done = most, 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self.done == self.most:
            raise KeyboardInterrupt
        self.done += 1
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    path = tmp_path / "sweep.yaml"
    path.write_text(FILE)
    return load_plan(path)


def quiet(done: int, total: int) -> None:
    pass


def test_a_plan_has_a_cell_for_each_combination(plan: Plan) -> None:
    assert list(plan.cells())[1] == {"dynamic": "dc", "byzantine": 9, "limit_s": 3}
    planned = tasks(plan)
    assert [(task.first, task.count) for task in planned[3:5]] == [(0, 50), (50, 10)]
    assert len({task.name for task in planned}) == len(planned) == 8


def test_a_sweep_goes_on_where_it_stopped(plan: Plan, tmp_path: Path) -> None:
    results = Results(tmp_path / "out")
    first = Here(3)
    with pytest.raises(KeyboardInterrupt):
        sweep(plan, results, first, quiet)
    kept = sorted(path.name for path in (tmp_path / "out" / "tasks").iterdir())
    assert first.done == 3
    second, told = Here(), []
    rows = sweep(plan, Results(tmp_path / "out"), second, lambda *at: told.append(at))
    assert second.done == 8 - len(kept)
    assert told[0] == (len(kept), 8)
    assert told[-1] == (8, 8)
    assert rows == sweep(plan, Results(tmp_path / "anew"), Here(), quiet)
    assert len(rows) == 4 * 60
    third = Here(0)
    assert sweep(plan, results, third, quiet) == rows


def test_a_file_that_is_not_its_tasks_is_done_again(plan: Plan, tmp_path: Path) -> None:
    results, planned = Results(tmp_path / "out"), tasks(plan)
    results.put(planned[0], perform(planned[0]))
    first, second = (tmp_path / "out" / "tasks" / f"{task.name}.json" for task in planned[:2])
    second.write_bytes(first.read_bytes())
    assert results.get(planned[0]) is not None
    assert results.get(planned[1]) is None
    first.write_bytes(first.read_bytes()[:-10])
    assert results.get(planned[0]) is None


@pytest.mark.slow
def test_a_run_is_the_same_in_another_process(plan: Plan, tmp_path: Path) -> None:
    here = sweep(plan, Results(tmp_path / "here"), Here(), quiet)
    with local(1) as pool:
        assert sweep(plan, Results(tmp_path / "there"), pool, quiet) == here


@pytest.mark.slow
def test_a_run_is_the_same_on_dask(plan: Plan, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="Dask is an extra")
    here = sweep(plan, Results(tmp_path / "here"), Here(), quiet)
    with (
        distributed.LocalCluster(
            n_workers=1, processes=False, dashboard_address=None, scheduler_port=0,
            protocol="tcp://", host="127.0.0.1",
        ) as at,
        cluster(at.scheduler_address) as pool,
    ):  # fmt: skip
        assert sweep(plan, Results(tmp_path / "there"), pool, quiet) == here


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("experiment: chess\nruns: 1\ngrid: {a: [1]}", "no experiment 'chess'"),
        ("experiment: swarm\nruns: 0\ngrid: {black: [34]}", "is no sweep"),
        ("experiment: swarm\nruns: 1\ngrid: {colour: [34]}", "colour"),
        ("experiment: swarm\nruns: 1\ngrid: {black: [70]}", "70 % black"),
        ("experiment: swarm\nruns: 1\ngrid: {rule: [dice]}", "unknown rule 'dice'"),
        ("experiment: swarm\nruns: 1\ngrid: {attack: [shout]}", "no attack 'shout'"),
        ("experiment: dynamics\nruns: 1\ngrid: {dynamic: [dc], byzantine: [12]}", "12 liars"),
        ("experiment: dynamics\nruns: 1\ngrid: {}", "a sweep of 1 cells"),
        ("experiment: [", "is no sweep"),
    ],
)
def test_a_bad_file_says_what_is_wrong(text: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(Misuse, match=what):
        load_plan(path)


def test_a_missing_file_and_folder_are_misuse(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="cannot read"):
        load_plan(tmp_path / "nowhere.yaml")
    (tmp_path / "file").write_text("")
    with pytest.raises(Misuse, match="cannot use"):
        Results(tmp_path / "file")


def row(right: bool, seconds: float, undecided: bool = False) -> dict[str, Any]:
    return {"right": right, "seconds": seconds, "undecided": undecided}


def test_a_summary_counts_right_wrong_and_undecided() -> None:
    rows = [row(True, 10), row(True, 30), row(False, 5), row(False, 9, True)]
    found = summarise({}, rows)
    assert (found.E_N, found.T_median_s) == (0.5, 20)
    assert (found.undecided, found.wrong, found.runs) == (0.25, 0.25, 4)
    assert summarise({}, [row(False, 1)]).T_median_s is None
    low, high = wilson(50, 50)
    assert (round(low, 3), high) == (0.929, 1.0)  # Newcombe 1998, by hand
    assert wilson(0, 50)[0] == 0


def test_single_drones_are_counted_beside_the_swarm() -> None:
    rows = [
        {**row(True, 0), "said": {"a": "right", "b": "wrong"}},
        {**row(True, 0), "said": {"a": "right", "b": "right", "c": "undecided"}},
    ]
    found = summarise({}, rows)
    assert (found.single_mean, found.single_best) == (0.6, 1.0)
    assert summarise({}, [row(True, 1)]).single_mean is None


def test_cups_are_asked_of_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "scene", lambda views, drones, number: all_right(drones, number))
    cell = cell_of("cup", {"drones": 4, "byzantine": 1, "views": "clear"})
    rows = cell.run(3, [0, 1])
    assert all(row["right"] for row in rows)
    assert list(rows[0]["said"].values()) == ["right"] * 3
    for bad, what in (
        ({"views": "foggy"}, "no views 'foggy'"),
        ({"drones": 3}, "can't be asked"),
        ({"history": 65}, "history of 65"),
        ({"rule": "dice"}, "unknown rule"),
    ):
        with pytest.raises(Misuse, match=what):
            cell_of("cup", bad)


def all_right(drones: int, number: int) -> tuple[gallery.Seen, ...]:
    return tuple(gallery.Seen(number % 2, 900_000, 100 * n) for n in range(drones))


def test_tables_and_parquet(plan: Plan, tmp_path: Path) -> None:
    results = Results(tmp_path / "out")
    rows = sweep(plan, results, Here(), quiet)
    found = cells(plan, rows)
    assert [one.runs for one in found] == [60] * 4
    lines = table(found, "limit_s").splitlines()
    assert lines[0] == "| dynamic | byzantine | limit_s 2 | limit_s 3 |"
    assert len(lines) == 4
    lines = listing(found).splitlines()
    assert lines[0].endswith("| limit_s | E_N | 95 % | T, s | undecided | wrong | runs |")
    assert len(lines) == 6
    with pytest.raises(Misuse):
        table(found, "colour")
    parquet = pytest.importorskip("pyarrow.parquet")
    read = parquet.read_table(results.write_parquet(rows)).to_pylist()
    assert read == rows


def grid(**values: list[Any]) -> list[CellSummary]:
    plan = Plan("cup", 1, values)
    return [
        CellSummary(cell, 0.5, 0.25, 0.75, None, 0.5, 0.0, 4, 0.6, 0.9) for cell in plan.cells()
    ]


def test_a_figure_has_a_band_and_a_line_for_each_rule_in_each_panel() -> None:
    found = grid(views=["bad", "clear"], rule=["bayes", "majority"], byzantine=[0, 1, 2])
    theirs = Published("a paper", "byzantine", {"one": [0, 0.5, 0], "two": [1, 0, 0]}, "theirs")
    drawn = figure(found, "byzantine", panels="views", beside=[theirs])
    assert drawn == figure(found, "byzantine", panels="views", beside=[theirs])
    tags = [one.tag.split("}")[1] for one in ET.fromstring(drawn).iter()]
    assert tags.count("polygon") == 2 * 2
    assert tags.count("polyline") == 2 * (2 + 2 + 1), "rules, single drones, theirs"
    texts = {one.text for one in ET.fromstring(drawn).iter() if one.tag.endswith("text")}
    assert {"bad", "clear", "bayes", "majority", "one drone, best", "theirs"} <= texts
    partly = figure(found[:-1], "byzantine", panels="views")
    points = [
        one.attrib["points"].count(",")
        for one in ET.fromstring(partly).iter()
        if one.tag.endswith("polyline")
    ]
    assert points == [3, 3, 3, 3, 3, 2, 3, 3], "the last cell is not done yet"
    assert theirs.drawn("byzantine", [0, 1, 2]) == {"theirs": [1, 0.5, 0]}


def test_what_cannot_be_drawn_is_misuse(tmp_path: Path) -> None:
    found = grid(rule=["bayes", "majority"], byzantine=[0, 1])
    for along, panels in (("rule", ""), ("colour", ""), ("byzantine", "byzantine")):
        with pytest.raises(Misuse, match="draw"):
            figure(found, along, panels=panels)
    with pytest.raises(Misuse, match="nothing at byzantine"):
        figure(found, "byzantine", beside=[Published("a paper", "byzantine", {"one": [1.0]})])
    for text in ("source: x", "source: x\nalong: k\nlines: {a: [1.5]}"):
        (tmp_path / "bad.yaml").write_text(text)
        with pytest.raises(Misuse, match="no published lines"):
            load_published(tmp_path / "bad.yaml")
    with pytest.raises(Misuse, match="cannot read"):
        load_published(tmp_path / "nowhere.yaml")


def test_published_lines_of_the_yardstick_have_all_k() -> None:
    folder = Path(__file__).parents[2] / "bench" / "arena"
    found = {path.name: load_published(path) for path in folder.glob("published_*.yaml")}
    places = list(range(10))
    plain = found["published_dynamics.yaml"].drawn("byzantine", places)
    best = found["published_best.yaml"].drawn("byzantine", places)
    assert list(best.values()) == [[max(three) for three in zip(*plain.values(), strict=True)]]
    assert len(found["published_blockchain.yaml"].drawn("byzantine", places)) == 1


def test_cells_are_checked() -> None:
    with pytest.raises(Misuse, match="unknown rule 'most'"):
        cell_of("swarm", {"rule": "most"})
    with pytest.raises(Misuse, match="byzantine"):
        cell_of("swarm", {"byzantine": "many"})
