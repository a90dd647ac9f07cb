# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger doctor`: what is here, what is missing or wrong, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from swarm_ledger.cli.doctor.drone import look_at_drone
from swarm_ledger.cli.doctor.finding import BAD
from swarm_ledger.cli.doctor.machine import look_at_machine
from swarm_ledger.cli.output import Json, console, print_json
from swarm_ledger.errors import Misuse

_FAILED = 1
_MARKS = {
    "ok": "[green]ok[/]",
    "missing": "[yellow]missing[/]",
    "warn": "[yellow]warn[/]",
    "bad": "[red]bad[/]",
}


def doctor(
    fleet: Annotated[
        Path | None, typer.Option("--fleet", help="The fleet file, to look at one of its drones.")
    ] = None,
    drone: Annotated[
        str, typer.Option("--drone", help="The drone of the fleet file that this machine is.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Say what is here (ROS 2, clocks, key stores, ...), what is missing, and how to get it.

    With a fleet file and a drone also whether that drone can fly from here: exit code 0 if so, 1
    if anything is bad.
    """
    if (fleet is None) != (not drone):
        raise Misuse("--fleet and --drone belong together.", remedy="Give both, or neither.")
    findings = look_at_machine()
    if fleet is not None:
        findings += look_at_drone(fleet, drone)
    if as_json:
        print_json({"findings": [asdict(finding) for finding in findings]})
    else:
        table = Table("what", "", "found", "what to do")
        for finding in findings:
            table.add_row(
                finding.what, _MARKS[finding.state], escape(finding.found), escape(finding.remedy)
            )
        console.print(table)
    if fleet is not None and any(finding.state == BAD for finding in findings):
        raise typer.Exit(_FAILED)
