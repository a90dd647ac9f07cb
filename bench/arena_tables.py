# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Carries out the sweeps of bench/arena, or what is missing of them, for the pages in docs.

NAME: dynamics, mixing, swarm, attacks, close, cup; all, if none is given. --write puts tables
between the pages' markers, and plots beside them. --done takes what was found so far, and carries
out nothing: each cell then says how many runs it has.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from swarm_ledger.sim.sweep.experiments import Row
from swarm_ledger.sim.sweep.figure import figure, load_published
from swarm_ledger.sim.sweep.plan import Plan, load_plan, tasks
from swarm_ledger.sim.sweep.results import Results
from swarm_ledger.sim.sweep.run import local, sweep
from swarm_ledger.sim.sweep.summary import CellSummary, cells, listing, table

ROOT = Path(__file__).parents[1]
SWEEPS, DOCS = ROOT / "bench" / "arena", ROOT / "docs"


@dataclass(frozen=True)
class Page:
    """Where a sweep's table goes, and its plot, if it has one. columns: as `sweep` has it."""

    page: str
    columns: str = ""
    plot: str = ""
    along: str = ""
    panels: str = ""
    beside: tuple[str, ...] = ()


PAGES = {
    "dynamics": Page(
        "arena.md", "dynamic", "arena-dynamics.svg", "byzantine", "", ("published_dynamics",)
    ),
    "mixing": Page("arena.md"),
    "swarm": Page(
        "arena.md", "", "arena-swarm.svg", "byzantine", "",
        ("published_best", "published_blockchain"),
    ),
    "attacks": Page("arena.md"),
    "close": Page("arena.md"),
    "cup": Page("voting.md", "byzantine", "voting-accuracy.svg", "byzantine", "views"),
}  # fmt: skip


def so_far(plan: Plan, results: Results) -> list[Row]:
    """Return the rows that are there."""
    return [row for task in tasks(plan) for row in results.get(task) or ()]


def carry_out(plan: Plan, results: Results, jobs: int) -> list[Row]:
    """Return all rows, telling on stderr how far it is."""

    def tell(done: int, total: int) -> None:
        print(f"\r{plan.experiment}: {done} of {total} tasks", end="", file=sys.stderr, flush=True)

    with local(jobs) as pool:
        rows = sweep(plan, results, pool, tell)
    print(file=sys.stderr)
    return rows


def text(name: str, found: Sequence[CellSummary]) -> str:
    """Return the table of a sweep, and how many runs it is of."""
    shown = table(found, PAGES[name].columns) if PAGES[name].columns else listing(found)
    runs = sorted({one.runs for one in found})
    said = f"{runs[0]} to {runs[-1]}" if len(runs) > 1 else str(runs[0])
    return f"{shown}\n{said} runs a cell.\n"


def write(name: str, found: Sequence[CellSummary]) -> None:
    """Put the table between its markers, and the plot beside the page."""
    page, path = PAGES[name], DOCS / PAGES[name].page
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    before, _, rest = path.read_text().partition(begin)
    if end not in rest:
        raise SystemExit(f"{path} has no place for {name}")
    path.write_text(before + begin + text(name, found) + end + rest.partition(end)[2])
    if page.plot:
        beside = [load_published(SWEEPS / f"{one}.yaml") for one in page.beside]
        drawn = figure(found, page.along, panels=page.panels, beside=beside)
        (DOCS / page.plot).write_text(drawn)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--results", type=Path, default=ROOT / "arena_results")
    parser.add_argument("--runs", type=int, default=0, help="instead of the file's")
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side")
    parser.add_argument("--done", action="store_true", help="only what was found so far")
    parser.add_argument("--write", action="store_true", help="write pages and plots in docs/")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - PAGES.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    for name in arguments.names or PAGES:
        plan = load_plan(SWEEPS / f"{name}.yaml")
        plan = msgspec.structs.replace(plan, runs=arguments.runs or plan.runs)
        results = Results(arguments.results / name)
        rows = (
            so_far(plan, results) if arguments.done else carry_out(plan, results, arguments.jobs)
        )
        found = cells(plan, rows)
        if not found:
            print(f"{name}: nothing yet", file=sys.stderr)
            continue
        print(text(name, found))
        if arguments.write:
            write(name, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
