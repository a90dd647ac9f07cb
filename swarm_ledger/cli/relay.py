# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger relay`: what recorded signed messages prove."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from swarm_ledger.audit.relay import BagReport, check_bag
from swarm_ledger.cli import FAILED
from swarm_ledger.cli.output import Json, console, print_json
from swarm_ledger.identity.trust import load_trust

app = typer.Typer(help="Check signed messages that were recorded.", no_args_is_help=True)


@app.callback()
def relay() -> None:
    """Check signed messages that were recorded."""


@app.command()
def verify(
    bag: Annotated[Path, typer.Argument(help="A rosbag2 folder, or an .mcap or .db3 file.")],
    roster: Annotated[Path, typer.Option(help="The roster folder.")],
    as_json: Json = False,
) -> None:
    """Verify every signed message of a bag offline: who said it, unchanged, once."""
    report = check_bag(bag, load_trust(roster))
    if as_json:
        print_json(_fields(report))
    else:
        _show(report)
    if not report.holds:
        raise typer.Exit(FAILED)


def _fields(report: BagReport) -> dict[str, Any]:
    said = [
        {
            "signer": signer,
            "topic": topic,
            "type": one.type_name,
            "messages": one.messages,
            "bytes": one.bytes,
            "lost": one.lost,
        }
        for (signer, topic), one in sorted(report.said.items())
    ]
    return {
        "verified": report.holds,
        "messages": report.messages,
        "accepted": report.accepted,
        "rejected": dict(report.rejected),
        "said": said,
        "first": report.first,
    }


def _show(report: BagReport) -> None:
    table = Table("signer", "topic", "type", "messages", "lost")
    for (signer, topic), one in sorted(report.said.items()):
        counts = str(one.messages), str(one.lost)
        table.add_row(*map(escape, (signer, topic, one.type_name)), *counts)
    console.print(table)
    if report.holds:
        console.print(f"[green]verified[/]: all {report.messages} signed messages hold")
        return
    reasons = ", ".join(f"{count} {reason}" for reason, count in report.rejected.items())
    console.print(
        f"[red]not verified[/]: {report.rejected.total()} of {report.messages} signed messages "
        f"don't hold ({reasons})"
    )
    if report.first is not None:
        first = report.first
        at = f"signed message {first.position}, on {first.bag_topic} at {first.recorded_ns} ns"
        console.print(escape(f"the first: {at}: {first.reason}, {first.what}"))
