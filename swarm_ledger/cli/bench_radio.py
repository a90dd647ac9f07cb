# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger bench radio`: what a decision costs on a narrow channel that all share."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from swarm_ledger.cli.output import Json, console, print_json, progress_console
from swarm_ledger.errors import Misuse
from swarm_ledger.sim.radio.bench import MEASURED, Figures, Setting, measure


def radio(
    drones: Annotated[
        str, typer.Option(help="How many drones, one swarm for each.")
    ] = "4,7,16,31",
    bitrate: Annotated[int, typer.Option(help="Of the channel, bits a second.")] = 50_000,
    duty_cycle: Annotated[
        float, typer.Option(help="The share of time that each drone may be on the air.")
    ] = 1.0,
    loss: Annotated[float, typer.Option(help="The share of its frames that each misses.")] = 0.0,
    silent: Annotated[int, typer.Option(help="Drones that say nothing.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="Swarms of each kind; medians are told.")] = 3,
    decisions: Annotated[int, typer.Option(min=1, help="Decisions of each swarm.")] = 3,
    idle: Annotated[
        bool, typer.Option("--idle/--no-idle", help="Count what idle drones say, too.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Measure decisions on a narrow radio channel, in virtual time: bytes and seconds.

    Exit code 0, 1 where a swarm does not decide, 2 where none could.
    """
    found = []
    for n in counts_of(drones):
        if sys.stderr.isatty() and not as_json:
            progress_console.print(f"{n} drones   ", end="\r")
        setting = Setting(n, bitrate, duty_cycle, loss, silent, decisions, idle)
        found.append(measure(setting, range(seeds)))
    if as_json:
        print_json({"measured": MEASURED, "figures": msgspec.to_builtins(found)})
        return
    _show(found)
    console.print(MEASURED)


def counts_of(text: str) -> list[int]:
    """Return the numbers in "4,7"; Misuse for anything else."""
    try:
        return [int(part) for part in text.replace(",", " ").split()] or [int(text)]
    except ValueError:
        raise Misuse(
            f"{text!r} are no numbers of drones.", remedy="Give them as in --drones 4,7."
        ) from None


def _show(found: Sequence[Figures]) -> None:
    table = Table("drones", *(str(one.setting.drones) for one in found))
    for name in Figures.__struct_fields__:
        values = [getattr(one, name) for one in found]
        if name not in ("setting", "bytes"):
            table.add_row(name.replace("_", " "), *(f"{value:,.6g}" for value in values))
    for kind in sorted({kind for one in found for kind in one.bytes}):
        table.add_row(f"{kind} bytes", *(f"{one.bytes.get(kind, 0):,.0f}" for one in found))
    console.print(table)
