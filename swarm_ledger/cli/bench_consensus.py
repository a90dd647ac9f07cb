# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger bench consensus`: what a signed vote costs until all have it on their disks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from swarm_ledger.cli.output import Json, console, print_json, progress_console
from swarm_ledger.sim.consensus_bench import MEASURED, TRANSPORTS, Run, Setting, measure, medians


def consensus(
    replicas: Annotated[int, typer.Option(help="Drones that run consensus.")] = 4,
    clients: Annotated[int, typer.Option(help="Votes under way, at all of them together.")] = 50,
    payload: Annotated[
        int, typer.Option(help="0: requests are votes; else notes of so many bytes.")
    ] = 0,
    voters: Annotated[int, typer.Option(help="Who votes, each with a key of its own.")] = 100,
    seconds: Annotated[float, typer.Option(help="How long each run is counted.")] = 10.0,
    warm_up: Annotated[float, typer.Option(help="Seconds before that.")] = 2.0,
    transport: Annotated[
        str, typer.Option(help=f"{', '.join(TRANSPORTS)}: memory is all in one process.")
    ] = "zmq",
    runs: Annotated[int, typer.Option(min=1, help="How often; medians are told.")] = 3,
    folder: Annotated[
        Path | None, typer.Option(help="On whose disk; otherwise that of temporary files.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure votes through consensus: real processes, signatures, ledgers on disk.

    Exit code 0, 1 where the swarm does not get going, 2 where it can't be measured here.
    """
    setting = Setting(replicas, clients, transport, seconds, warm_up, payload, voters)
    found = []
    for number in range(runs):
        if sys.stderr.isatty() and not as_json:
            progress_console.print(f"run {number + 1} of {runs}   ", end="\r")
        found.append(measure(setting, folder))
    total = medians(found)
    if as_json:
        print_json(
            {
                **msgspec.to_builtins(total),
                "setting": msgspec.to_builtins(setting),
                "measured": MEASURED,
                "runs": msgspec.to_builtins(found),
            }
        )
        return
    _show(total)
    console.print(MEASURED)


def _show(run: Run) -> None:
    table = Table("figure", "median")
    for name, value in msgspec.to_builtins(run).items():
        if isinstance(value, dict):
            for part, ms in value.items():
                table.add_row(f"{name} {part}", f"{ms:,.2f}")
        else:
            table.add_row(name, f"{value:,.2f}" if isinstance(value, float) else f"{value:,}")
    console.print(table)
