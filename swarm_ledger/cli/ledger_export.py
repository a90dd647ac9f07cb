# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger ledger export`: tiles for strangers, records for analysts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import Progress

from swarm_ledger.audit.records import EntryRecord, records_of, write_jsonl, write_parquet
from swarm_ledger.cli.ledger_files import LedgerArgument, RosterOption, open_existing, trust_for
from swarm_ledger.cli.output import Json, console, print_json, progress_console
from swarm_ledger.errors import Misuse
from swarm_ledger.identity.trust import Trust
from swarm_ledger.ledger.store import Store
from swarm_ledger.ledger.tile_files import certified, whole_file, write_tiles
from swarm_ledger.light_client.policies import policy_file
from swarm_ledger.runtime.export import sessions_in

Write = Callable[[Iterator[EntryRecord], Path], int]


def export(
    ledger: LedgerArgument,
    tiles: Annotated[
        Path | None, typer.Option(help="A folder of tlog-tiles; continued if it is there.")
    ] = None,
    jsonl: Annotated[
        Path | None, typer.Option(help="A file with a JSON object for each entry.")
    ] = None,
    parquet: Annotated[
        Path | None, typer.Option(help="The same as a Parquet file; needs pyarrow.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="A file: whose cosignatures the latest checkpoint needs.")
    ] = None,
    roster: RosterOption = None,
    as_json: Json = False,
) -> None:
    """Write a ledger for others to read. Tiles need no roster; all else does."""
    if not (tiles or jsonl or parquet or policy):
        raise Misuse(
            "nothing is to be exported.", remedy="Try --tiles, --jsonl, --parquet or --policy."
        )
    result: dict[str, Any] = {}
    with open_existing(ledger) as store, store.database.snapshot():
        store.refresh()
        if tiles:
            written = write_tiles(store, tiles)
            result["tiles"] = {
                "folder": str(tiles),
                "size": written.size,
                "before": written.before,
                "files": written.tiles,
                "bytes": written.bytes,
            }
            console_line = f"{written.tiles} new tiles, {written.bytes} bytes, {tiles}"
            _tell(as_json, f"{console_line}: {written.size} entries, {written.before} before")
        if jsonl or parquet or policy:
            trust = trust_for(ledger, roster)
        if policy:
            size = certified(store)[0].size
            with whole_file(policy) as file:
                file.write(policy_file(sessions_in(store, trust, entry=size - 1)))
            result["policy"] = str(policy)
            _tell(as_json, f"the policy for the checkpoint of {size} entries: {policy}")
        records: list[tuple[str, Path | None, Write]] = [
            ("jsonl", jsonl, write_jsonl),
            ("parquet", parquet, write_parquet),
        ]
        for name, path, write in records:
            if path:
                entries = _records(store, trust, path, write)
                result[name] = {"file": str(path), "entries": entries}
                _tell(as_json, f"{entries} entries: {path}")
    if as_json:
        print_json(result)


def _tell(as_json: bool, line: str) -> None:
    if not as_json:
        console.print(escape(line))


def _records(store: Store, trust: Trust, path: Path, write: Write) -> int:
    with Progress(
        console=progress_console, transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task(escape(f"writing {path}"), total=None)

        def advance(at: int, of: int) -> None:
            bar.update(task, completed=at, total=of)

        return write(records_of(store, trust, advance), path)
