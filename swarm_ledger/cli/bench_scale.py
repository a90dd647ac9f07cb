# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger bench scale`: what a decision costs in swarms of 4 to 100, in simulated time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from swarm_ledger.cli.output import Json, console, print_json, progress_console
from swarm_ledger.sim.plot import Panel, shares
from swarm_ledger.sim.scale_bench import DELAY_MS, Figures, measure_all

MEASURED = (
    f"Each message takes {DELAY_MS} ms, and all votes are handed in at once; real keys, "
    "signatures and ledgers on disk, all in one process. Delays until all have it; bytes and "
    "messages sent for one decision by the average validator; CPU of the average drone."
)


def scale(
    drones: Annotated[
        list[int] | None, typer.Option(help="How many; more than once for several.")
    ] = None,
    validators: Annotated[
        int, typer.Option(help="Of a committee, in larger swarms measured beside; 0: none.")
    ] = 31,
    plot: Annotated[Path | None, typer.Option(help="Write bytes and CPU as SVG.")] = None,
    as_json: Json = False,
) -> None:
    """Measure one decision in swarms of several sizes: message delays, bytes, CPU, view changes.

    In simulated time over the in-memory network. Exit code 1 where a swarm does not decide.
    """

    def tell(what: str) -> None:
        if sys.stderr.isatty() and not as_json:
            progress_console.print(f"{what}   ", end="\r")

    found = measure_all(sorted(drones or (4, 7, 16, 31, 60, 100)), validators, tell)
    if plot is not None:
        plot.write_text(_plot(found))
    if as_json:
        print_json({"measured": MEASURED, "sizes": msgspec.to_builtins(found)})
        return
    table = Table(*(name.replace("_", " ") for name in Figures.__struct_fields__))
    for one in found:
        table.add_row(*(f"{value:,}" for value in msgspec.structs.astuple(one)))
    console.print(table)
    console.print(MEASURED)


def _plot(found: Sequence[Figures]) -> str:
    """Two panels over the number of drones: all as validators, and with a committee beyond it."""
    whole = {one.drones: one for one in found if one.drones == one.validators}
    few = {**whole, **{one.drones: one for one in found if one.drones > one.validators}}
    across = sorted(whole)

    def panel(title: str, figure: Callable[[Figures], float]) -> Panel:
        lines = {
            "all are validators": [figure(whole[n]) for n in across],
            "a committee": [figure(few[n]) for n in across],
        }
        most = max(value for values in lines.values() for value in values)
        return Panel(title, across, lines, most=most)

    panels = [
        panel("kB of a validator", lambda one: one.bytes / 1000),
        panel("CPU of a drone, ms", lambda one: one.cpu_ms),
    ]
    return shares(panels, across="drones", up="a decision")
