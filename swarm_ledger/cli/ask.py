# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger ask`: an operator asks a flying swarm over ZeroMQ, and gets a verified answer."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from swarm_ledger.audit.ledger import open_ledger
from swarm_ledger.cli import FAILED
from swarm_ledger.cli.output import Json, console, print_json, progress_console
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity.channel import ChannelKeys
from swarm_ledger.identity.trust import read_file
from swarm_ledger.identity.tuf import ROOT
from swarm_ledger.ledger.tile_files import whole_file
from swarm_ledger.runtime.asker import Answered, Asked, Asker, Code
from swarm_ledger.runtime.fleet import LEDGER, Fleet, wall_clock_ms
from swarm_ledger.runtime.following import Carrier, Follower
from swarm_ledger.runtime.goal import Goal
from swarm_ledger.runtime.light import Prover
from swarm_ledger.runtime.pursuit import Pursuit
from swarm_ledger.signers import open_signer
from swarm_ledger.transport.asking import carrier
from swarm_ledger.transport.caller import Caller
from swarm_ledger.transport.curve import Curve

_EVERY_MS = 250
_PATIENCE_S = 5.0
_STEP_S = 0.05
_TELL_S = 1.0
_WRONG = (Code.BAD_GOAL, Code.NOT_OPERATOR, Code.BUSY)


def ask(
    subject: Annotated[str, typer.Argument(help="What it is about, up to 64 characters.")],
    fleet: Annotated[Path, typer.Option(help="The fleet file, with each drone's endpoint.")],
    operator: Annotated[str, typer.Option(help="The operator's key: its URI.")],
    labels: Annotated[str, typer.Option(help="Possible answers, such as cup,two_faces.")],
    deadline: Annotated[float, typer.Option(help="Seconds for the vote.")] = 30.0,
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            help="Who proves the decision: tcp:// or http:// of a `ledger serve`, or a drone's "
            "folder; the drones' folders otherwise.",
        ),
    ] = None,
    channel: Annotated[
        Path | None,
        typer.Option(help="Channel keys of a member, where links are encrypted."),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(help="What is remembered; ask.state beside the fleet file otherwise."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The proof; decision-N.tlog-proof otherwise.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask a flying swarm, and wait for the decision with its proof."""
    flying = Fleet.load(fleet)
    goal = Goal(subject, tuple(labels.split(",")), round(deadline * 1000))
    carriers = _carriers(flying, source or [])
    root = read_file(flying.folder / flying.file.roster / ROOT)
    signer = open_signer(operator)
    with (
        closing(Follower(root, state or flying.folder / "ask.state")) as follower,
        closing(Caller(flying.endpoints(), _curve(flying, channel))) as caller,
    ):
        pursuit = Pursuit(follower, list(carriers), every_ms=_EVERY_MS, patience_ms=60_000)
        asker = Asker(
            flying.trust,
            pursuit,
            signer,
            caller.broadcast,
            now_ms=wall_clock_ms(),
            secret=flying.file.secrecy,
            hears=False,
        )
        begun = asker.ask(goal, wall_clock_ms())
        answered = begun if isinstance(begun, Answered) else _follow(asker, begun, carriers)
    if answered.code in _WRONG or isinstance(begun, Answered):
        raise Misuse(answered.said)
    _tell(begun, answered, out, as_json)
    if answered.settled is None or answered.settled.answer is None:
        raise typer.Exit(FAILED)


def _carriers(fleet: Fleet, sources: list[str]) -> dict[str, Carrier]:
    """Return who is to be asked for proofs, by name, and how."""
    if not sources:
        homes = (fleet.folder / entry.folder for entry in fleet.file.drones)
        sources = [str(home) for home in homes if (home / LEDGER).exists()]
    if not sources:
        raise Misuse(
            "none of the drones' folders is here, so nobody can prove the decision.",
            remedy="Run `ledger serve` beside some drones, and name them: --from tcp://HOST:PORT.",
        )
    found: dict[str, Carrier] = {}
    for name in sources:
        if "://" in name:
            found[name] = carrier(name, _PATIENCE_S)
        else:
            path = Path(name)
            found[name] = Prover(lambda path=path: open_ledger(path), fleet.trust).answer  # type: ignore[misc]
    return found


def _curve(fleet: Fleet, channel: Path | None) -> Curve | None:
    roster = fleet.trust.newest
    if not roster.has_channels:
        return None
    if channel is None:
        raise Misuse(
            "the drones' links are encrypted, and let members in only.",
            remedy="Give the channel keys of a member, such as an observer's: --channel FILE.",
        )
    return Curve.among(ChannelKeys.load(channel), [roster])


def _follow(asker: Asker, asked: Asked, carriers: dict[str, Carrier]) -> Answered:
    """Ask until there is an answer, and tell meanwhile how it goes."""
    told_s = 0.0
    while asked.answered is None:
        asker.tick(wall_clock_ms())
        inquiry = asker.next(_steady_ms())
        if inquiry is None:
            time.sleep(_STEP_S)
        else:
            try:
                raw = carriers[inquiry.source](inquiry.request)
                asker.take(inquiry, raw, wall_clock_ms(), _steady_ms())
            except NotVerified as error:
                asker.pursuit.fail(inquiry, error.what, _steady_ms())
        if time.monotonic() - told_s >= _TELL_S:
            told_s = time.monotonic()
            progress_console.print(f"asked; {escape(asker.pursuit.said)}")
    return asked.answered


def _tell(asked: Asked, answered: Answered, out: Path | None, as_json: bool) -> None:
    settled = answered.settled
    found: dict[str, Any] = {"code": answered.code.name.lower(), "error": answered.said or None}
    found["question"] = asked.question_id.hex()
    if settled is not None:
        decision = settled.decision
        file = out or Path(f"decision-{decision.number}.tlog-proof")
        with whole_file(file) as written:
            written.write(answered.proof)
        found |= {
            "outcome": decision.outcome.name.lower(),
            "label": settled.answer,
            "votes": settled.votes,
            "number": decision.number,
            "height": decision.height,
            "index": answered.index,
            "proof": str(file),
        }
    if as_json:
        print_json(found)
    elif settled is None:
        console.print(f"[red]not verified[/]: {escape(answered.said)}")
    else:
        console.print(f"[green]verified[/]: {escape(settled.text)}")
        console.print(f"proof: {escape(found['proof'])}")


def _steady_ms() -> int:
    return time.monotonic_ns() // 1_000_000
