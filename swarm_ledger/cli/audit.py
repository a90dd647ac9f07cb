# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger audit`: what bags prove, alone and beside one another."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from swarm_ledger.audit.bag import BagAudit, Options
from swarm_ledger.audit.findings import Finding, Place
from swarm_ledger.audit.flights import Divergence, FlightsAudit, audit_bags
from swarm_ledger.audit.page import page
from swarm_ledger.audit.unprovable import unprovable
from swarm_ledger.bags.bag import reindex as make_index
from swarm_ledger.cli import FAILED, MISUSED
from swarm_ledger.cli.output import Json, console, date, print_json
from swarm_ledger.ledger.tile_files import whole_file

_MOST_JOBS = 8
_SHOWN = 20


def audit(
    bags: Annotated[
        list[Path], typer.Argument(help="Bags: folders, or .mcap or .db3 files, whole or cut off.")
    ],
    roster: Annotated[
        Path | None, typer.Option(help="The swarm's roster folder, got elsewhere.")
    ] = None,
    root: Annotated[
        Path | None, typer.Option(help="Or the operators' root.json: rosters are in the bag.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="A file for a page with a timeline.")] = None,
    lossy: Annotated[
        bool, typer.Option("--lossy", help="Gaps and disorder in signed numbers are no fault.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="A bag that ends in the middle doesn't pass.")
    ] = False,
    jobs: Annotated[
        int, typer.Option(min=0, max=64, help="Processes for signatures; 0: one a core.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Check all that bags hold: signatures, rosters, numbers, the ledger, checkpoints, decisions.

    Exit code 0 if all holds, 1 if something was tampered with or is inconsistent, 2 if a bag
    can't be read. Needs no ROS.
    """
    processes = jobs or min(_MOST_JOBS, os.cpu_count() or 1)
    found = audit_bags(bags, Options(roster, root, lossy, strict, processes))
    if html is not None:
        with whole_file(html) as file:
            file.write(page(found))
    if as_json:
        print_json(fields(found))
    else:
        _show(found)
    if not found.holds:
        raise typer.Exit(FAILED)
    if found.unreadable:
        raise typer.Exit(MISUSED)


def reindex(
    bag: Annotated[Path, typer.Argument(help="A bag's folder.")], as_json: Json = False
) -> None:
    """Write a bag's metadata.yaml anew, after a crash: from its files, which must be MCAP."""
    count = make_index(bag)
    if as_json:
        print_json({"bag": str(bag), "messages": count})
    else:
        console.print(f"{escape(str(bag))}: {count} messages")


def fields(found: FlightsAudit) -> dict[str, Any]:
    """Return an audit for machines."""
    return {
        "clean": found.clean,
        "bags": [_bag_fields(one) for one in found.bags],
        "unreadable": [{"bag": str(path), "why": why} for path, why in found.unreadable],
        "divergences": [_divergence_fields(one) for one in found.divergences],
    }


def _bag_fields(one: BagAudit) -> dict[str, Any]:
    first = one.first
    return {
        "bag": str(one.path),
        "clean": one.clean,
        "swarm": one.swarm_id,
        "epochs": list(one.epochs),
        "root_from_bag": one.own_root,
        "messages": one.messages,
        "bytes": one.size,
        "signatures": one.signatures,
        "encrypted": one.secret,
        "truncated": one.truncated,
        "start_ns": one.span[0],
        "end_ns": one.span[1],
        "topics": {topic: count for (topic, _), count in sorted(one.topics.items())},
        "opened": dict(sorted(one.kinds.items())),
        "said": [
            {
                "signer": signer,
                "topic": topic,
                "type": said.type_name,
                "messages": said.messages,
                "bytes": said.bytes,
                "lost": said.lost,
            }
            for (signer, topic), said in sorted(one.said.items())
        ],
        "ledger": {
            "height": max(one.blocks, default=0),
            "size": max((size for size, _, _ in one.blocks.values()), default=0),
            "rebuilt": bool(one.blocks) and one.gap is None,
        },
        "checkpoints": [
            {"size": head.size, "root": head.root.hex(), "signers": list(head.signers)}
            for _, head in sorted(one.heads.items())
        ],
        "decisions": [
            {
                "number": number,
                "subject": decision.told.subject,
                "label": decision.told.label,
                "counts": dict(zip(decision.told.labels, decision.told.counts, strict=False)),
                "height": decision.told.height,
                "rests_on": decision.basis,
            }
            for number, decision in sorted(one.decisions.items())
        ],
        "images": {"votes_shown": one.shown, "votes_without": one.unshown},
        "wrong": dict(sorted(one.wrong.items())),
        "careful": dict(sorted(one.careful.items())),
        "first": _finding_fields(first) if first else None,
        "findings": [_finding_fields(each) for each in one.findings],
        "not_provable": unprovable(one),
    }


def _place_fields(place: Place) -> dict[str, Any]:
    return {
        "topic": place.topic,
        "time_ns": place.log_ns,
        "message": place.number,
        "file": place.file,
        "offset": place.offset,
    }


def _finding_fields(one: Finding) -> dict[str, Any]:
    said = {"reason": one.reason, "what": one.what, "careful": one.careful, "who": one.who}
    return {**said, **_place_fields(one.place)}


def _divergence_fields(one: Divergence) -> dict[str, Any]:
    return {
        "what": one.what,
        "sides": [
            {"bag": str(one.one), **_place_fields(one.place)},
            {"bag": str(one.other), **_place_fields(one.other_place)},
        ],
    }


def _show(found: FlightsAudit) -> None:
    for one in found.bags:
        _show_bag(one)
    for path, why in found.unreadable:
        console.print(f"[red]unreadable[/]: {escape(str(path))}: {escape(why)}")
    for each in found.divergences:
        console.print(
            f"[red]divergence[/]: {escape(each.what)}: {escape(_where(each.place))} of "
            f"{escape(str(each.one))}, {escape(_where(each.other_place))} of "
            f"{escape(str(each.other))}"
        )
    if len(found.bags) > 1 and not found.divergences:
        console.print(f"[green]agree[/]: {len(found.bags)} bags tell nothing in two ways")


def _show_bag(one: BagAudit) -> None:
    console.print(
        f"{escape(str(one.path))}: {one.messages} messages of {escape(one.swarm_id)}, "
        f"{one.signatures} of them signed, {date(one.span[0] // 1_000_000)} to "
        f"{date(one.span[1] // 1_000_000)} (UTC)"
    )
    if one.said:
        table = Table("signer", "topic", "type", "messages", "lost")
        for (signer, topic), said in sorted(one.said.items()):
            counts = str(said.messages), str(said.lost)
            table.add_row(*map(escape, (signer, topic, said.type_name)), *counts)
        console.print(table)
    if one.blocks:
        height = max(one.blocks)
        size = one.blocks[height][0]
        console.print(f"ledger, again from what was said: height {height}, {size} entries")
    for _, head in sorted(one.heads.items()):
        names = ", ".join(head.signers)
        console.print(f"checkpoint of {head.size} entries, cosigned by {escape(names)}")
    for number, decision in sorted(one.decisions.items()):
        told = decision.told
        pairs = zip(told.labels, told.counts, strict=False)
        counts_said = ", ".join(f"{label} {count}" for label, count in pairs)
        basis = _BASES[decision.basis]
        console.print(
            f"decision {number}: {escape(told.subject)}: {escape(told.label or 'none')} "
            f"({escape(counts_said)}), {basis}"
        )
    if one.shown or one.unshown:
        console.print(f"images: of {one.shown + one.unshown} votes, {one.shown} are shown")
    _show_findings(one)


_BASES = {
    "ledger": "as the votes in the bag have it",
    "proof": "as an attached proof has it",
    "votes": "no more than the votes in the bag allow",
    "": "on nobody's signature",
}


def _show_findings(one: BagAudit) -> None:
    for each in one.findings[:_SHOWN]:
        colour = "yellow" if each.careful else "red"
        where = f" ({_where(each.place)})" if each.place != Place() else ""
        console.print(f"[{colour}]{escape(each.reason)}[/]: {escape(each.what + where)}")
    more = one.wrong.total() + one.careful.total() - min(_SHOWN, len(one.findings))
    if more:
        console.print(f"and {more} more")
    for what in unprovable(one):
        console.print(f"[dim]not provable[/]: {escape(what)}")
    if one.clean:
        console.print("[green]clean[/]: all that can be checked holds")
        return
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(one.wrong.items()))
    console.print(f"[red]not clean[/]: {escape(reasons)}")


def _where(place: Place) -> str:
    if place.number < 0:
        return f"{place.file or place.topic}, at byte {place.offset}"
    when = f"{date(place.log_ns // 1_000_000)}{place.log_ns % 1_000_000:06}"
    return (
        f"{place.topic}, {when}, message {place.number}, in the record at byte {place.offset} "
        f"of {place.file}"
    )
