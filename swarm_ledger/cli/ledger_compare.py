# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger ledger compare`: one log, or a fork, and who signed both sides of it."""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import Progress

from swarm_ledger.audit.compare import Behind, Comparison, Fork, Judged, compare_ledgers
from swarm_ledger.audit.culprits import Certificate, Contradiction, Culprit
from swarm_ledger.audit.sources import is_tiles
from swarm_ledger.cli import FAILED
from swarm_ledger.cli.ledger_files import RosterOption, find_trust, must_exist
from swarm_ledger.cli.output import Json, console, print_json, progress_console
from swarm_ledger.errors import Misuse
from swarm_ledger.identity.trust import Trust
from swarm_ledger.runtime.fleet import LEDGER

_OF_TWO_SWARMS = "these ledgers come with different rosters, so that they are of different swarms."


def compare(
    ledgers: Annotated[
        list[Path],
        typer.Argument(help="Drones' folders, ledger.db files, or folders of exported tiles."),
    ],
    roster: RosterOption = None,
    as_json: Json = False,
) -> None:
    """Check ledgers one by one and against one another; exit 1 for a fork, with who signed both.

    A ledger that doesn't verify is named, and the others are compared all the same.
    """
    for path in ledgers:
        must_exist(path)
        if path.is_dir() and not (path / LEDGER).exists() and not is_tiles(path):
            raise Misuse(
                f"{path} holds neither {LEDGER} nor tiles.", remedy="Name a drone's folder."
            )
    trusted = _trust(ledgers, roster)
    with Progress(
        console=progress_console, transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task("replaying", total=None)

        def advance(path: Path, at: int, of: int) -> None:
            bar.update(task, description=escape(f"replaying {path}"), completed=at, total=of)

        found = compare_ledgers(ledgers, trusted, advance)
    if as_json:
        print_json(_fields(found))
    else:
        for line in _lines(found):
            console.print(line)
    if not found.consistent:
        raise typer.Exit(FAILED)


def _trust(ledgers: list[Path], named: Path | None) -> Trust:
    """Return the roster that was named, or the one that lies at the ledgers, if all agree."""
    found = [trust for path in ledgers if (trust := find_trust(path, named)) is not None]
    if not found:
        raise Misuse(
            "no roster in or next to any of these ledgers.", remedy="Name one with --roster."
        )
    if len({(trust.genesis.raw, trust.roots.said[0]) for trust in found}) > 1:
        raise Misuse(_OF_TWO_SWARMS, remedy="Name the roster that you trust with --roster.")
    return found[0]


def _fields(found: Comparison) -> dict[str, Any]:
    culprits = {
        culprit.member.name
        for fork in found.forks
        for culprit in fork.statements.culprits.values()
    }
    return {
        "consistent": found.consistent,
        "forked": found.forked,
        "culprits": sorted(culprits),
        "ledgers": [_ledger(one) for one in found.ledgers],
        "forks": [_fork(fork) for fork in found.forks],
        "untold": [
            {"ledgers": list(map(str, one.ledgers)), "forked": one.forked, "why": one.why}
            for one in found.untold
        ],
    }


def _ledger(one: Judged) -> dict[str, Any]:
    if one.verdict is None:
        return {
            "ledger": str(one.path),
            "verified": False,
            "error": one.error,
            "where": one.where,
        }
    return {
        "ledger": str(one.path),
        "verified": True,
        "height": one.verdict.height,
        "size": one.verdict.size,
        "root": one.verdict.root.hex(),
        "covered": one.verdict.covered,
        "base": one.verdict.base,
        "behind": _behind(one.behind) if one.behind else None,
    }


def _behind(behind: Behind) -> dict[str, Any]:
    return {
        "ledger": str(behind.of),
        "blocks": behind.blocks,
        "entries": behind.entries,
        "size": behind.size,
        "root": behind.root.hex(),
        "proof": [node.hex() for node in behind.proof],
    }


def _fork(fork: Fork) -> dict[str, Any]:
    said = fork.statements
    return {
        "height": fork.height,
        "size": fork.size,
        "epoch": fork.epoch,
        "members": fork.members,
        "faulty": fork.faulty,
        "sides": [
            {"ledgers": [str(path) for path in paths], "commits": _certificate(certificate)}
            for paths, certificate in zip(fork.sides, said.certificates, strict=True)
        ],
        "checkpoints": _contradiction(said.checkpoints),
        "culprits": [_culprit(culprit) for culprit in _by_place(fork)],
        "not_accused": [member.name for member in said.not_accused],
    }


def _by_place(fork: Fork) -> list[Culprit]:
    culprits = fork.statements.culprits.values()
    return sorted(culprits, key=lambda culprit: (culprit.epoch, culprit.member.index))


def _certificate(certificate: Certificate | None) -> dict[str, Any] | None:
    if certificate is None:
        return None
    return {
        "view": certificate.view,
        "batch": certificate.batch.hex(),
        "signers": list(certificate.signers),
        "sealed": [b64encode(raw).decode() for raw in certificate.commits],
    }


def _contradiction(found: Contradiction | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "sizes": list(found.sizes),
        "notes": [note.decode() for note in found.notes],
        "other_root": found.other_root.hex(),
        "proof": [node.hex() for node in found.proof],
    }


def _culprit(culprit: Culprit) -> dict[str, Any]:
    return {
        "name": culprit.member.name,
        "id": culprit.member.drone_id,
        "epoch": culprit.epoch,
        "about": culprit.about,
        "evidence": b64encode(culprit.evidence).decode(),
        "checkpoints": _contradiction(culprit.checkpoints),
    }


def _why(one: Judged) -> str:
    return f"{one.where}: {one.error}" if one.where else one.error


def _lines(found: Comparison) -> Iterator[str]:
    for one in found.ledgers:
        name = escape(str(one.path))
        if one.verdict is None:
            yield f"[red]does not hold[/]: {name}: {escape(_why(one))}"
            continue
        verdict = one.verdict
        yield (
            f"[green]verified[/]: {name}: height {verdict.height}, {verdict.size} entries, "
            f"{verdict.covered} of them under a cosigned checkpoint{_distance(one.behind)}"
        )
    for fork in found.forks:
        yield from _fork_lines(fork)
    for untold in found.untold:
        names = escape(" and ".join(map(str, untold.ledgers)))
        mark = "[red]forked[/]" if untold.forked else "[yellow]can't be told[/]"
        yield f"{mark}: {names}: {escape(untold.why)}"
    if found.consistent:
        yield "[green]consistent[/]: these ledgers are one log"
    elif not found.forks and not found.untold and any(one.verdict for one in found.ledgers):
        yield "the ledgers that hold are one log"


def _distance(behind: Behind | None) -> str:
    if behind is None:
        return ""
    if not behind.entries:
        return f"; the same as {escape(str(behind.of))}"
    return f"; {behind.blocks} blocks ({behind.entries} entries) behind {escape(str(behind.of))}"


def _fork_lines(fork: Fork) -> Iterator[str]:
    said = fork.statements
    yield (
        f"[red]forked[/] from height {fork.height} on, in epoch {fork.epoch}: more than "
        f"{fork.faulty} of {fork.members} validators lied"
    )
    for paths, certificate in zip(fork.sides, said.certificates, strict=True):
        names = escape(", ".join(map(str, paths)))
        if certificate is None:
            yield f"  {names}: tiles, without commits"
            continue
        yield (
            f"  {names}: {certificate.batch.hex()[:16]} committed in view {certificate.view} by "
            f"{escape(', '.join(certificate.signers))}"
        )
    for culprit in _by_place(fork):
        about = [culprit.about] if culprit.about else []
        if culprit.checkpoints:
            sizes = " and ".join(map(str, culprit.checkpoints.sizes))
            about.append(f"the checkpoints of {sizes} entries")
        yield (
            f"  [red]culprit[/]: {escape(culprit.member.name)} ({culprit.member.drone_id}) signed "
            f"both: {escape(', '.join(about))}"
        )
    if said.not_accused:
        names = escape(", ".join(member.name for member in said.not_accused))
        yield f"  not accused, as honest members may commit so in two views: {names}"
    if not said.culprits:
        yield "  nobody can be accused: no member is proven to have contradicted itself"
