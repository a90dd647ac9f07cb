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
from swarm_ledger.sim.sweep.plan import load_plan, tasks
from swarm_ledger.sim.sweep.results import Results
from swarm_ledger.sim.sweep.run import cluster, local
from swarm_ledger.sim.sweep.run import sweep as carry_out
from swarm_ledger.sim.sweep.summary import cells, plot, table


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
        str, typer.Option(help="The parameter whose values are the table's columns.")
    ] = "",
    figure: Annotated[
        Path | None, typer.Option("--plot", help="Draw E_N along that parameter, as SVG.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Carry out a sweep, or what is missing of it, and show what it found.

    Each task's result is on disk before it counts as done: an end at any time loses only what was
    under way. A run's result follows from the file's seed and its own number and nothing else.
    """
    plan = load_plan(file)
    along = columns or list(plan.grid)[-1]
    if along not in plan.grid:
        raise Misuse(
            f"{file} has no parameter {along!r}.", remedy=f"Take {' or '.join(plan.grid)}."
        )
    results = Results(out or file.with_name(f"{file.name}.results"))
    with ExitStack() as stack:
        report = stack.enter_context(progress_bar("tasks", len(tasks(plan)), as_json))
        pool = stack.enter_context(cluster(scheduler) if scheduler else local(jobs))
        rows = carry_out(plan, results, pool, lambda done, _: report(done, ""))
    found = cells(plan, rows)
    if parquet:
        results.write_parquet(rows)
    if figure is not None:
        plot(found, along, figure)
    if as_json:
        print_json({"results": str(results.folder), "cells": msgspec.to_builtins(found)})
    else:
        console.print(table(found, along), end="", markup=False)
