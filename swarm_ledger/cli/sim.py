# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger sim`: a whole mission, from the camera image to the verified certificate."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from swarm_ledger.cli import FAILED
from swarm_ledger.cli.live import LiveView
from swarm_ledger.cli.output import Json, console, print_json, progress_console
from swarm_ledger.consensus.quorum import faulty
from swarm_ledger.sim.flight import fly
from swarm_ledger.sim.mission import Mission
from swarm_ledger.sim.outcome import Ledgers, Outcome
from swarm_ledger.sim.ros_environment import ros_environment, ros_unavailable_reason

_LEDGERS = {
    Ledgers.ONE: "[green]one ledger[/]",
    Ledgers.UNEVEN: "[yellow]ledgers fit together, but are not all at the same height yet[/]",
    Ledgers.DIFFER: "[red]ledgers differ[/]",
    Ledgers.NONE: "[red]none flew to the end[/]",
}


_LINKS = {
    "curve": "[green]encrypted[/] (ZeroMQ CURVE)",
    "plain": "[yellow]not encrypted[/]: anybody may read what is said; --secret is against that",
    "memory": "none: all drones in one process",
}


def sim(
    drones: Annotated[int, typer.Option(help="How many drones fly; at least 4.")] = 4,
    byzantine: Annotated[int, typer.Option(help="How many of them lie.")] = 1,
    target: Annotated[str, typer.Option(help="What stands there: cup or two_faces.")] = "cup",
    seed: Annotated[int, typer.Option(help="Decides the world, the views and who lies.")] = 0,
    transport: Annotated[
        str, typer.Option(help="ros, zmq, memory (simulated time), or auto: ros where it can be.")
    ] = "auto",
    keys: Annotated[
        str, typer.Option(help="Where drones' root keys live: software, pkcs11 or tpm2.")
    ] = "software",
    hardware_only: Annotated[
        bool,
        typer.Option("--hardware-only", help="Root keys sign each vote; not with software keys."),
    ] = False,
    attack: Annotated[
        str, typer.Option(help="What liars do besides lying: lie (no more), equivocate, silent.")
    ] = "lie",
    looks: Annotated[int, typer.Option(min=1, max=1000, help="Images that make one vote.")] = 5,
    timeout: Annotated[float, typer.Option(min=1, help="Give up after that many seconds.")] = 60,
    run_dir: Annotated[
        Path | None, typer.Option(help="Where ledgers and proofs go; a new folder in runs/.")
    ] = None,
    secret: Annotated[
        bool, typer.Option("--secret", help="Encrypt what drones say, for members only.")
    ] = False,
    allow_unsafe: Annotated[
        bool, typer.Option("--allow-unsafe", help="Accept more liars than PBFT tolerates.")
    ] = False,
    behaviour: Annotated[
        bool, typer.Option("--behaviour", help="Pilots fly: drones act on what was decided.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Fly a simulated swarm: look, label, sign, vote, agree, certify, verify.

    Exit code 0 if all honest ledgers agree and a stranger could verify the decision, 1 if not,
    2 for a mission that can't be flown.
    """
    chosen = _choose(transport)
    folder = run_dir or Path("runs") / f"{datetime.now():%Y%m%d-%H%M%S-%f}-{target}-{seed}"
    mission = Mission(
        run_dir=folder,
        drones=drones,
        byzantine=byzantine,
        target=target,
        seed=seed,
        transport=chosen,
        keys=keys,
        attack=attack,
        allow_unsafe=allow_unsafe,
        looks=looks,
        timeout_s=timeout,
        hardware_only=hardware_only,
        secret=secret,
        behaviour=behaviour,
    )
    if mission.transport == "memory" and mission.keys != "software":
        progress_console.print(
            f"Keys in {mission.keys} do not follow from the seed: world, views and liars repeat, "
            "the ledger does not."
        )
    if as_json:
        outcome = fly(mission, lambda _: None)
        print_json(asdict(outcome))
    else:
        with LiveView(console, mission) as view:
            outcome = fly(mission, view)
        _tell(outcome, mission)
    if not (outcome.agree and outcome.verified):
        raise typer.Exit(FAILED)


def _choose(transport: str) -> str:
    if transport != "auto":
        return transport
    if ros_environment() is not None:
        return "ros"
    progress_console.print(
        f"ROS 2 can't be used here: {ros_unavailable_reason()}\nFlying over ZeroMQ instead."
    )
    return "zmq"


def _tell(outcome: Outcome, mission: Mission) -> None:
    if outcome.decision is None:
        console.print(f"[red]No decision{_when(outcome, mission)}.[/] {escape(_why(outcome))}")
    else:
        mark = "[green]right[/]" if outcome.correct else "[red]wrong[/]"
        console.print(f"Decision: [bold]{outcome.decision}[/] ({mark}: it was {outcome.truth})")
        console.print("Votes: " + ", ".join(f"{k} {n}" for k, n in outcome.votes.items()))
    if outcome.root:
        console.print(f"Ledger: height {outcome.height}, root {outcome.root[:16]}")
    else:
        console.print("[red]No honest drone left a ledger.[/]")
    if outcome.liars:
        console.print(f"Liars: {', '.join(outcome.liars)} ({mission.attack})")
    for name in outcome.evidence:
        console.print(f"Evidence: {name} contradicted itself, as its own signatures prove")
    for name, how in outcome.lost.items():
        log = escape(f"{outcome.run_dir}/{name}.log")
        console.print(f"[yellow]Lost: {name} ({how}); see {log}[/]")
    p50, p99 = outcome.latency_ms["p50"], outcome.latency_ms["p99"]
    if p50 is not None:
        console.print(f"Latency, signature to commit: {p50:g} ms (p50), {p99:g} ms (p99)")
    if outcome.byzantine > faulty(outcome.drones):
        console.print("[red]More liars than PBFT tolerates: nothing here is promised[/]")
    console.print(f"Honest drones: {_LEDGERS[outcome.ledgers]}; {_certificate(outcome)}")
    stores = Counter(outcome.key_store.values())
    told = ", ".join(f"{count} in {store}" for store, count in sorted(stores.items()))
    votes = "; they sign each vote" if mission.hardware_only else ""
    console.print(f"Root keys: {told}{votes}")
    if not mission.secret or outcome.links != "plain":
        console.print(f"Links: {_LINKS[outcome.links]}")
    if mission.secret:
        mark = "[green]encrypted for members[/]" if outcome.secrecy else "[red]NOT encrypted[/]"
        console.print(f"Messages: {mark} (COSE_Encrypt0, secrets by HPKE)")
    console.print(f"Files: {escape(outcome.run_dir)}")


def _certificate(outcome: Outcome) -> str:
    if outcome.verified:
        return "[green]certificate verified[/] by a process with files and roster alone"
    if outcome.decision is None:
        return "[red]nothing to verify[/]"
    return f"[red]certificate NOT verified[/]: {escape(outcome.why)}"


def _when(outcome: Outcome, mission: Mission) -> str:
    """Return by when there was no decision: a swarm that is lost did not use all its time."""
    return "" if outcome.ledgers is Ledgers.NONE else f" within {mission.timeout_s:g} s"


def _why(outcome: Outcome) -> str:
    """Return what can be said about a swarm that didn't decide, and what to try."""
    tolerated = faulty(outcome.drones)
    why = outcome.why[:1].upper() + outcome.why[1:]
    if outcome.byzantine > tolerated:
        return f"{why} {outcome.drones} drones tolerate {tolerated} Byzantine ones."
    failed = len({*outcome.lost, *outcome.liars})
    if outcome.lost and failed > tolerated:
        return f"{why} {failed} drones were lost or lie; {outcome.drones} can spare {tolerated}."
    return f"{why} If this machine is busy or slow, try a longer --timeout."
