# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger relay`: what recorded signed messages prove."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from swarm_ledger.audit.anchors import AnchorReport, Anchors, Shown
from swarm_ledger.audit.ledger import Held, open_ledger, verify_ledger
from swarm_ledger.audit.relay import BagReport, check_bag
from swarm_ledger.cli import FAILED
from swarm_ledger.cli.lazy import lazily
from swarm_ledger.cli.output import Json, console, date, print_json
from swarm_ledger.errors import NotVerified
from swarm_ledger.identity.trust import Trust, load_trust
from swarm_ledger.ledger.tile_files import check_whole

app = typer.Typer(
    help="Check signed messages that were recorded.",
    no_args_is_help=True,
    cls=lazily({"prove": "relay_prove:prove", "check": "relay_prove:check"}),
)


@app.callback()
def relay() -> None:
    """Check signed messages that were recorded."""


@app.command()
def verify(
    bag: Annotated[Path, typer.Argument(help="A rosbag2 folder, or an .mcap or .db3 file.")],
    roster: Annotated[Path, typer.Option(help="The roster folder.")],
    ledger: Annotated[
        Path | None,
        typer.Option(help="A drone's folder, or its ledger.db: also check what it anchors."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify every signed message of a bag offline: who said it, unchanged, once.

    With a ledger, also since when each exists, and what is missing though it was anchored.
    """
    trust = load_trust(roster)
    if ledger is None:
        report, held = check_bag(bag, trust), None
    else:
        anchors = Anchors(_anchored(ledger, trust, as_json))
        report = check_bag(bag, trust, anchors.hear)
        held = anchors.report()
    if as_json:
        print_json(_fields(report) | (_anchor_fields(held) if held else {}))
    else:
        _show(report)
        if held is not None:
            _show_anchors(held)
    if not report.holds or (held is not None and not held.whole):
        raise typer.Exit(FAILED)


def _anchored(ledger: Path, trust: Trust, as_json: bool) -> list[Held]:
    """Verify the ledger itself, which all that it says about a bag rests on."""
    anchors: list[Held] = []
    try:
        with open_ledger(ledger) as store:
            check_whole(store, "anchors")
            verify_ledger(store, trust, anchored=anchors.append)
            return anchors
    except NotVerified as error:
        if as_json:
            print_json({"verified": False, "error": error.what, "where": f"ledger: {error.where}"})
            raise typer.Exit(FAILED) from error
        raise


def _anchor_fields(report: AnchorReport) -> dict[str, Any]:
    anchors = [
        {
            **_place(held),
            "signer": held.author.name,
            "sequence": held.anchor.sequence,
            "leaves": held.anchor.size,
            "shown": shown.value,
        }
        for held, shown in report.anchors
    ]
    topics = [
        {
            "signer": signer,
            "topic": topic,
            "recorded": one.recorded,
            "anchored": one.anchored,
            "unproven": one.unproven,
            "contradicted": one.contradicted,
            "not_anchored": one.open,
            "missing": {"middle": one.middle, "end": one.end},
            "earlier": one.earlier,
            "first": _place(one.first) if one.first else None,
            "last": _place(one.last) if one.last else None,
        }
        for (signer, topic), one in sorted(report.topics.items())
    ]
    return {"whole": report.whole, "anchors": anchors, "topics": topics}


def _place(held: Held) -> dict[str, Any]:
    return {"index": held.index, "height": held.height, "time_ms": held.time_ms}


def _show_anchors(report: AnchorReport) -> None:
    table = Table("signer", "topic", "anchored", "not", "missing", "at the latest at (UTC)")
    for (signer, topic), one in sorted(report.topics.items()):
        missing = one.middle + one.end
        when = f"height {one.last.height}, {date(one.last.time_ms)}" if one.last else ""
        rest = str(one.recorded - one.anchored)
        table.add_row(escape(signer), escape(topic), str(one.anchored), rest, str(missing), when)
    console.print(table)
    for (signer, topic), one in sorted(report.topics.items()):
        for count, what in (
            (one.middle, "were anchored and are missing in the middle"),
            (one.end, "were anchored and are missing at the end"),
            (one.contradicted, "are not those that were anchored under their numbers"),
            (one.unproven, "may be anchored: too much of the same time is missing to show it"),
            (one.open, "are not anchored"),
            (one.earlier, "were anchored before the recording began"),
        ):
            if count:
                console.print(escape(f"{signer} {topic}: {count} messages {what}"))
    others = [held for held, shown in report.anchors if shown is Shown.OTHER]
    for held in others:
        console.print(
            escape(f"{held.author.name}: anchor {held.anchor.sequence} has a root of its own")
        )
    colour, said = ("green", "nothing") if report.whole else ("red", "something")
    console.print(
        f"[{colour}]{said} that was anchored is missing[/] since the recording began, "
        f"by {len(report.anchors)} anchors"
    )


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
