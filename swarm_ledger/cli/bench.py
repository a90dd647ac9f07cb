# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger bench`: what things cost on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from swarm_ledger.cli.lazy import lazily
from swarm_ledger.cli.output import Json, console, print_json, progress_console
from swarm_ledger.errors import Misuse
from swarm_ledger.sim.ledger_bench import Figures, measure

app = typer.Typer(
    help="Say what things cost on this machine, and how good the swarm is.",
    no_args_is_help=True,
    cls=lazily(
        {
            "consensus": "bench_consensus:consensus",
            "memory": "bench_memory:memory",
            "perception": "bench_perception:perception",
            "radio": "bench_radio:radio",
            "scale": "bench_scale:scale",
        }
    ),
)


@app.callback()
def bench() -> None:
    """Say what things cost on this machine, and how good the swarm is."""


@app.command()
def ledger(
    first: Annotated[int, typer.Option("--from", min=10, help="Entries, at least.")] = 1_000,
    last: Annotated[int, typer.Option("--to", min=10, help="Entries, at most.")] = 1_000_000,
    start_to: Annotated[
        int, typer.Option(min=10, help="Signed entries, at most, to start a drone with.")
    ] = 10_000,
    runs: Annotated[int, typer.Option(min=1, help="How often each is repeated.")] = 5,
    folder: Annotated[
        Path | None, typer.Option(help="On whose disk; otherwise that of temporary files.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure ledgers ten times as long each: append, open, prove, start, bytes, light clients."""
    if last < first:
        raise Misuse("--to is less than --from.", remedy="Give the shortest ledger first.")
    sizes, starts = decades(first, last), decades(min(first, start_to), start_to)
    shown = sys.stderr.isatty() and not as_json

    def tell(what: str) -> None:
        if shown:
            progress_console.print(f"{what}   ", end="\r")

    figures = measure(sizes, starts, runs, tell, folder)
    if as_json:
        print_json(msgspec.to_builtins(figures))
        return
    _show(figures)


def decades(first: int, last: int) -> list[int]:
    """Return first, ten times first, and so on, up to last."""
    sizes = [first]
    while sizes[-1] * 10 <= last:
        sizes.append(sizes[-1] * 10)
    return sizes


def _show(figures: Figures) -> None:
    for rows in (figures.costs, figures.starts, figures.bytes, figures.lights):
        table = Table(*(name.replace("_", " ") for name in rows[0].__struct_fields__))
        for row in rows:
            table.add_row(*(f"{value:,}" for value in msgspec.structs.astuple(row)))
        console.print(table)
