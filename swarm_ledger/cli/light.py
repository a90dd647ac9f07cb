# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger light`: one entry, verified from root.json alone, whoever it comes from."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from swarm_ledger.audit.ledger import open_ledger
from swarm_ledger.cli import FAILED
from swarm_ledger.cli.ledger_files import RosterOption, must_exist, trust_for
from swarm_ledger.cli.output import Json, console, print_json
from swarm_ledger.cli.verify import explain, read
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.ledger.tile_files import read_bounded
from swarm_ledger.light_client.follower import Forked
from swarm_ledger.light_client.messages import (
    MAX_ANSWER_BYTES,
    ByIndex,
    ByNumber,
    ByQuestion,
    Newest,
    Wanted,
)
from swarm_ledger.runtime.following import Carrier, Verified, ask
from swarm_ledger.runtime.light import Prover
from swarm_ledger.transport.asking import carrier

_SQLITE = b"SQLite format 3\0"


def light(
    source: Annotated[
        str,
        typer.Argument(
            help="tcp://HOST:PORT or http://HOST:PORT/ of a `ledger serve`, a drone's folder or "
            "its ledger.db, or a file that `ledger prove` made for it."
        ),
    ],
    root: Annotated[
        Path, typer.Option(help="root.json: the operators' keys, all that is trusted.")
    ],
    state: Annotated[Path, typer.Option(help="What the client remembers; made at the first run.")],
    question: Annotated[str, typer.Option(help="The decision on the question with that id.")] = "",
    decision: Annotated[int, typer.Option(min=0, help="The decision with that number.")] = 0,
    index: Annotated[int, typer.Option(min=-1, help="The entry at that place, from 0.")] = -1,
    roster: RosterOption = None,
    as_json: Json = False,
) -> None:
    """Verify an entry, or else the newest decision, trusting root.json and what was seen before.

    Follows changes of the roster. Refuses forks, rollbacks and rosters that have expired.
    """
    wanted = _wanted(question, decision, index)
    carry = _carrier(source, roster)
    try:
        verified = ask(carry, read(root), state, wanted, now())
        meaning = explain(verified.entry)
    except NotVerified as error:
        if as_json:
            failure = {"verified": False, "error": error.what, "where": error.where}
            evidence = error.kept if isinstance(error, Forked) else ""
            print_json({**failure, "evidence": evidence or None})
            raise typer.Exit(FAILED) from error
        raise
    result = fields(verified, meaning)
    if as_json:
        print_json(result)
        return
    console.print(f"[green]verified[/]: {escape(meaning.get('text', meaning['kind']))}")
    console.print(
        f"entry {result['index']} of {result['size']} in {escape(result['origin'])}, cosigned by "
        f"{escape(', '.join(result['signers']))}"
    )
    console.print(
        f"roster version {result['epoch']}, which expires on {result['expires']}; "
        f"{result['size'] - verified.known} entries more than at the last time"
    )


def now() -> datetime:
    """Return the time by which rosters have expired or not."""
    return datetime.now(timezone.utc)


def fields(verified: Verified, meaning: dict[str, Any]) -> dict[str, Any]:
    """Return what was verified, as one object."""
    head, entry = verified.head, verified.entry
    return {
        "verified": True,
        "origin": entry.checkpoint.origin,
        "index": entry.index,
        "size": entry.size,
        "known": verified.known,
        "root": entry.checkpoint.root.hex(),
        "epoch": head.epoch,
        "expires": f"{head.proven.expires:%Y-%m-%dT%H:%M:%SZ}",
        "cosigned_s": head.cosigned_s,
        "signers": list(entry.signers),
        **meaning,
    }


def _wanted(question: str, decision: int, index: int) -> Wanted:
    if bool(question) + bool(decision) + (index >= 0) > 1:
        raise Misuse("name one of --question, --decision and --index.")
    if question:
        if not re.fullmatch(r"[0-9a-fA-F]{64}", question, re.ASCII):
            raise Misuse("a question's id is 64 hexadecimal digits.")
        return ByQuestion(bytes.fromhex(question))
    if decision >= 2**53 or index >= 2**63:
        raise Misuse("no ledger has as many entries.")
    if decision:
        return ByNumber(decision)
    return ByIndex(index) if index >= 0 else Newest()


def _carrier(source: str, roster: Path | None) -> Carrier:
    if "://" in source:
        if roster is not None:
            raise Misuse("--roster goes with a drone's ledger, not with a server.")
        return carrier(source)
    path = Path(source)
    must_exist(path)
    if path.is_dir() or _begins(path, _SQLITE):
        return Prover(lambda: open_ledger(path), trust_for(path, roster)).answer
    if roster is not None:
        raise Misuse("--roster goes with a drone's ledger, not with a file of an answer.")
    return lambda _request: read_bounded(path, MAX_ANSWER_BYTES, "answer")


def _begins(path: Path, with_: bytes) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(with_)) == with_
