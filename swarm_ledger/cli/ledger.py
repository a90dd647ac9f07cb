# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger ledger`: show, verify and prove what a drone's ledger holds."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from swarm_ledger.audit.ledger import Verdict, open_ledger, verify_ledger
from swarm_ledger.cli.lazy import lazily
from swarm_ledger.cli.ledger_files import (
    LedgerArgument,
    RosterOption,
    find_trust,
    must_exist,
    open_existing,
    refusing,
    replaying,
    trust_for,
)
from swarm_ledger.cli.output import (
    Json,
    console,
    date,
    print_json,
    print_json_with,
)
from swarm_ledger.envelope import kind_of
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.blocks import split_block
from swarm_ledger.runtime.chronicle import conviction_fields, decision_fields
from swarm_ledger.runtime.export import decisions_in, find_decision
from swarm_ledger.runtime.export import prove as prove_entry
from swarm_ledger.runtime.light import Prover, export_answer
from swarm_ledger.runtime.membership import Conviction
from swarm_ledger.runtime.snapshot import members_in

app = typer.Typer(
    help="What drones' ledgers hold: show, verify, prove, compare, export, serve, mend.",
    no_args_is_help=True,
    cls=lazily(
        {
            "compare": "ledger_compare:compare",
            "export": "ledger_export:export",
            "reindex": "ledger_reindex:reindex",
            "reputation": "ledger_reputation:reputation",
            "rules": "ledger_rules:rules",
            "serve": "ledger_serve:serve",
        }
    ),
)


@app.command()
def show(
    folder: LedgerArgument,
    last: Annotated[int, typer.Option(min=1, help="How many blocks, from the newest.")] = 20,
    roster: RosterOption = None,
    as_json: Json = False,
) -> None:
    """Show the newest blocks, and who was convicted by evidence, where the roster is at hand.

    Blocks are not verified: that is what `ledger verify` is for.
    """
    with open_existing(folder) as store:
        blocks = [
            _block(store, h)
            for h in range(max(store.base, store.height - last + 1), store.height + 1)
        ]
        checkpoint = store.latest_checkpoint()
        file, _, wal = store.database.bytes()
        result: dict[str, Any] = {
            "height": store.height,
            "size": store.size,
            "root": store.root().hex(),
            "covered": checkpoint.size if checkpoint else 0,
            "base": store.base,
            "bytes": file + wal,
            "blocks": blocks,
            "convictions": _convictions(store, folder, roster),
        }
    if as_json:
        print_json(result)
        return
    table = Table("height", "entries", "ledger time (UTC)", "what")
    for block in blocks:
        what = ", ".join(f"{kind} {n}" for kind, n in block["kinds"].items())
        table.add_row(str(block["height"]), str(block["entries"]), date(block["time_ms"]), what)
    console.print(table)
    for conviction in result["convictions"]:
        console.print(escape(conviction["text"]))
    console.print(
        f"{result['size']} entries, {result['covered']} of them under a cosigned checkpoint, "
        f"root {store_root(result)}; {result['bytes']:,} bytes{_pruned(result['base'])}"
    )


def _pruned(base: int) -> str:
    return f", pruned below height {base}" if base else ""


def _convictions(store: Store, folder: Path, named: Path | None) -> list[dict[str, Any]]:
    """Return whom the ledger convicts; [] without a roster, which has their names and keys."""
    try:
        roster = find_trust(folder, named)
    except NotVerified:
        if named is not None:
            raise
        return []  # showing a ledger must not fail by what happens to lie next to it
    return [_told(one) for one in members_in(store, roster).convictions] if roster else []


def _told(conviction: Conviction) -> dict[str, Any]:
    return conviction_fields(conviction.culprit.name, conviction.about, conviction.height)


def store_root(result: dict[str, Any]) -> str:
    """Return a root short enough for a line."""
    return str(result["root"])[:16]


def _block(store: Store, height: int) -> dict[str, Any]:
    entries = store.block(height).entries
    kinds: dict[str, int] = {}
    for entry in entries:
        name = kind_of(entry).name.lower()
        kinds[name] = kinds.get(name, 0) + 1
    time_ms = split_block(entries)[0].time_ms if height else 0
    return {"height": height, "entries": len(entries), "time_ms": time_ms, "kinds": kinds}


@app.command()
def verify(folder: LedgerArgument, roster: RosterOption = None, as_json: Json = False) -> None:
    """Check a ledger from its file and the roster alone; exit 1 names the height that fails."""
    must_exist(folder)
    trusted = trust_for(folder, roster)
    with ExitStack() as stack:
        with refusing(as_json):
            store = stack.enter_context(open_ledger(folder))
            with replaying() as advance:
                verdict = verify_ledger(store, trusted, advance)
        _tell_verdict(verdict, store, as_json)


def _tell_verdict(verdict: Verdict, store: Store, as_json: bool) -> None:
    """Tell what holds. Decisions are read once more: there may be more than memory holds."""
    decisions = (decision_fields(settled) for settled in decisions_in(store))
    convictions = [_told(conviction) for conviction in verdict.convictions]
    if as_json:
        found = {
            "verified": True,
            "height": verdict.height,
            "size": verdict.size,
            "root": verdict.root.hex(),
            "checkpoints": verdict.checkpoints,
            "covered": verdict.covered,
            "base": verdict.base,
            "start": verdict.start,
            "convictions": convictions,
        }
        print_json_with(found, "decisions", decisions)
        return
    beginning = f"from height {verdict.start} (blocks before {verdict.base} were pruned), " * bool(
        verdict.base
    )
    console.print(
        f"[green]verified[/]: {beginning}height {verdict.height}, {verdict.size} entries, "
        f"{verdict.covered} of them under {verdict.checkpoints} cosigned checkpoints"
    )
    for told in chain(decisions, convictions):
        console.print(escape(told["text"]))


@app.command()
def prove(
    folder: LedgerArgument,
    decision: Annotated[int, typer.Option(min=0, help="Number of the decision, from 1.")] = 0,
    entry: Annotated[int, typer.Option(min=-1, help="Or the index of any entry, from 0.")] = -1,
    light: Annotated[
        bool, typer.Option("--light", help="For `light`, which needs only root.json besides.")
    ] = False,
    since: Annotated[
        int, typer.Option(min=0, help="With --light: go on from a checkpoint of that size.")
    ] = 0,
    roster: RosterOption = None,
) -> None:
    """Print the proof of a decision or an entry, in tlog-proof form, on stdout."""
    if bool(decision) == (entry >= 0):
        raise Misuse("name either --decision or --entry.", remedy="Try --decision 1.")
    if not light and (since or roster):
        raise Misuse("--since and --roster go with --light.", remedy="Add --light.")
    with open_existing(folder) as store:
        if entry >= store.size:
            raise Misuse(
                f"there is no entry {entry} in a ledger of {store.size}.",
                remedy="They are counted from 0.",
            )
        index = find_decision(store, decision)[0] if decision else entry
        proof = prove_entry(store, index) if not light else b""
    if light:
        trust = trust_for(folder, roster)
        proof = export_answer(Prover(lambda: open_ledger(folder), trust), index, since)
    sys.stdout.buffer.write(proof)
    sys.stdout.buffer.flush()
