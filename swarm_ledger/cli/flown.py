# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How `swarm-ledger sim` flies a mission, and what it tells of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

import typer
from rich.markup import escape

from swarm_ledger.cli import FAILED
from swarm_ledger.cli.live import LiveView
from swarm_ledger.cli.output import console, print_json, progress_console
from swarm_ledger.consensus.quorum import faulty
from swarm_ledger.sim.flight import fly
from swarm_ledger.sim.mission import Mission
from swarm_ledger.sim.nursery import Nursery
from swarm_ledger.sim.outcome import Ledgers, Outcome

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


def flown(mission: Mission, nursery: Nursery | None, *, as_json: bool) -> None:
    """Fly a mission and tell how it went; typer.Exit(FAILED) where not all is as it must be.

    nursery: forks the drones of one over ZeroMQ.
    """
    if mission.transport == "memory" and mission.keys != "software":
        progress_console.print(
            f"Keys in {mission.keys} do not follow from the seed: world, views and liars repeat, "
            "the ledger does not."
        )
    if as_json:
        outcome = fly(mission, lambda _: None, nursery)
        print_json(asdict(outcome))
    else:
        with LiveView(console, mission) as view:
            outcome = fly(mission, view, nursery)
        _tell(outcome, mission)
    if not (outcome.agree and outcome.verified):
        raise typer.Exit(FAILED)


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
