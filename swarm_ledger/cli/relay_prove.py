# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger relay prove` and `relay check`: where one recorded message comes from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from swarm_ledger.audit.provenance import MAX_PROVENANCE_BYTES, Proven, check_provenance
from swarm_ledger.audit.trace import Choice, trace
from swarm_ledger.cli import FAILED
from swarm_ledger.cli.ledger_files import open_existing
from swarm_ledger.cli.output import Json, console, date, print_json
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity.trust import load_trust
from swarm_ledger.ledger.tile_files import whole_file
from swarm_ledger.relay.statement import number_of, run_of
from swarm_ledger.relay.verifier import Verified

_POSIX = re.compile(r"(\d{1,10})(?:\.(\d{1,6}))?", re.ASCII)
_FORMS = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f")

Roster = Annotated[Path, typer.Option(help="The roster folder.")]


def prove(
    bag: Annotated[Path, typer.Argument(help="A rosbag2 folder, or an .mcap or .db3 file.")],
    topic: Annotated[str, typer.Option(help="The message's topic.")],
    ledger: Annotated[Path, typer.Option(help="A drone's folder, or its ledger.db.")],
    roster: Roster,
    at: Annotated[
        str | None, typer.Option(help="Its stamp, UTC or POSIX seconds; the nearest is taken.")
    ] = None,
    sequence: Annotated[
        int | None, typer.Option(min=1, help="Or its sequence number, as signed.")
    ] = None,
    signer: Annotated[str, typer.Option(help="Who signed it, if several did on that topic.")] = "",
    out: Annotated[Path | None, typer.Option(help="A file to write the proof to.")] = None,
    as_json: Json = False,
) -> None:
    """Tell whether, when and by whom one recorded message was anchored, with the proof.

    Exit code 0 if it was, 1 if it was not, or doesn't hold.
    """
    choice = Choice(topic, signer, sequence, _micros(at) if at is not None else None)
    trust = load_trust(roster)
    with _told_as_json(as_json), open_existing(ledger) as store:
        found = trace(bag, store, trust, choice)
    if out is not None and found.proven is not None:
        with whole_file(out) as file:
            file.write(found.proof)
    if as_json:
        print_json(
            {
                **_fields(found.verified, found.proven),
                "why": found.why,
                "proof": str(out) if out and found.proven else None,
            }
        )
    else:
        _show(found.verified, found.proven)
        if found.proven is None:
            console.print(f"[yellow]not anchored[/]: {escape(found.why)}")
        elif out is not None:
            console.print(f"proof: {escape(str(out))}")
    if found.proven is None:
        raise typer.Exit(FAILED)


def check(
    proof: Annotated[Path, typer.Argument(help="A file that `relay prove` wrote.")],
    roster: Roster,
    as_json: Json = False,
) -> None:
    """Verify such a proof offline, by the roster alone: no bag, no ledger, no policy."""
    trust = load_trust(roster)
    with _told_as_json(as_json):
        proven = check_provenance(_read(proof), trust)
    if as_json:
        print_json(_fields(proven.verified, proven))
    else:
        _show(proven.verified, proven)


@contextmanager
def _told_as_json(as_json: bool) -> Iterator[None]:
    """Let machines read what doesn't hold, too."""
    try:
        yield
    except NotVerified as error:
        if as_json:
            print_json({"verified": False, "error": error.what, "where": error.where})
            raise typer.Exit(FAILED) from error
        raise


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_PROVENANCE_BYTES + 1)
    except OSError as error:
        raise Misuse(f"cannot read {path}: {error.strerror}.") from error


def _micros(text: str) -> int:
    """Return POSIX microseconds."""
    posix = _POSIX.fullmatch(text)
    if posix:
        return int(posix[1]) * 1_000_000 + int((posix[2] or "").ljust(6, "0"))
    for form in _FORMS:
        try:
            when = datetime.strptime(text.removesuffix("Z"), form).replace(tzinfo=timezone.utc)
        except ValueError:
            continue
        return int(when.replace(microsecond=0).timestamp()) * 1_000_000 + when.microsecond
    raise Misuse(
        f"{text!r} is no time.", remedy="Try 2030-01-01T12:00:00.5, in UTC, or POSIX seconds."
    )


def _fields(verified: Verified, proven: Proven | None) -> dict[str, Any]:
    statement, author = verified.statement, verified.author
    return {
        "verified": True,
        "anchored": proven is not None,
        "signer": author.name,
        "id": author.drone_id,
        "key_store": author.key_store.label,
        "topic": statement.topic,
        "type": statement.type_name,
        "sequence": statement.sequence,
        "stamp_us": statement.stamp_us,
        "sha256": statement.sha256.hex(),
        "anchor": {
            "index": proven.index,
            "height": proven.height,
            "time_ms": proven.time_ms,
            "sequence": proven.anchor.sequence,
            "leaves": proven.anchor.size,
        }
        if proven
        else None,
        "size": proven.size if proven else 0,
        "cosigned_by": list(proven.signers) if proven else [],
    }


def _show(verified: Verified, proven: Proven | None) -> None:
    statement = verified.statement
    micros = statement.stamp_us % 1_000
    number = f"number {number_of(statement.sequence)} of run {run_of(statement.sequence)}"
    console.print(
        f"[green]verified[/]: signed by {escape(verified.author.name)} "
        f"({verified.author.key_store.label} key): "
        f"{escape(statement.topic)}, {escape(statement.type_name)}, "
        f"{number} ({statement.sequence}), at {date(statement.stamp_us // 1_000)}{micros:03} "
        "by its own clock"
    )
    if proven is not None:
        console.print(
            f"[green]anchored[/] at the latest at {date(proven.time_ms)} (UTC, ledger time): "
            f"height {proven.height}, entry {proven.index} of {proven.size}, cosigned by "
            f"{escape(', '.join(proven.signers))}"
        )
