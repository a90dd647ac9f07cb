# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger sweep`: a grid of parameters, run by run, here or on a cluster."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from swarm_ledger.cli.output import Json, console, print_json
from swarm_ledger.cli.simulate import progress_bar
from swarm_ledger.errors import Misuse
from swarm_ledger.sim.sweep.figure import figure, load_published
from swarm_ledger.sim.sweep.plan import load_plan, tasks
from swarm_ledger.sim.sweep.results import Results
from swarm_ledger.sim.sweep.run import cluster, local
from swarm_ledger.sim.sweep.run import sweep as carry_out
from swarm_ledger.sim.sweep.summary import cells, listing, table


def sweep(
    file: Annotated[Path, typer.Argument(help="The sweep: experiment, grid, runs, seed (YAML).")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results; by default FILE.results.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Processes side by side.")] = 1,
    scheduler: Annotated[
        str, typer.Option(help="A Dask scheduler, tcp://HOST:PORT, instead of processes here.")
    ] = "",
    parquet: Annotated[bool, typer.Option("--parquet", help="Write all rows as Parquet.")] = False,
    columns: Annotated[
        str, typer.Option(help="A parameter whose values are to be the table's columns.")
    ] = "",
    plot: Annotated[Path | None, typer.Option(help="Draw E_N with its intervals, as SVG.")] = None,
    along: Annotated[str, typer.Option(help="The parameter to draw along; the last one.")] = "",
    panels: Annotated[
        str, typer.Option(help="A parameter each of whose values gets a plot of its own.")
    ] = "",
    beside: Annotated[
        list[Path] | None, typer.Option(help="What others published, to draw, too (YAML).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Carry out a sweep, or what is missing of it, and show what it found.

    Each task's result is on disk before it counts as done: an end at any time loses only what was
    under way. A run's result follows from the file's seed and its own number and nothing else.
    """
    plan = load_plan(file)
    for name in (columns, along, panels):
        if name and name not in plan.grid:
            raise Misuse(
                f"{file} has no parameter {name!r}.", remedy=f"Take {' or '.join(plan.grid)}."
            )
    published = [load_published(path) for path in beside or ()]
    results = Results(out or file.with_name(f"{file.name}.results"))
    with ExitStack() as stack:
        report = stack.enter_context(progress_bar("tasks", len(tasks(plan)), as_json))
        pool = stack.enter_context(cluster(scheduler) if scheduler else local(jobs))
        rows = carry_out(plan, results, pool, lambda done, _: report(done, ""))
    found = cells(plan, rows)
    if parquet:
        results.write_parquet(rows)
    if plot is not None:
        along = along or list(plan.grid)[-1]
        plot.write_text(figure(found, along, panels=panels, beside=published))
    if as_json:
        print_json({"results": str(results.folder), "cells": msgspec.to_builtins(found)})
    else:
        shown = table(found, columns) if columns else listing(found)
        console.print(shown, end="", markup=False, soft_wrap=True)
