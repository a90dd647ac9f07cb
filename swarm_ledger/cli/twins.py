# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger twins`: four drones, one of them twice, through every split of every round."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from swarm_ledger.cli import FAILED
from swarm_ledger.cli.output import Json, console, print_json
from swarm_ledger.cli.simulate import numbers, progress_bar
from swarm_ledger.sim.pbft.campaign import cores
from swarm_ledger.sim.pbft.scenarios import Scenarios
from swarm_ledger.sim.pbft.twins import TwinsTotals, run_range


def twins(
    scenarios: Annotated[
        str, typer.Option(help="FIRST:END, or one of them; by default all of these rounds.")
    ] = "",
    rounds: Annotated[int, typer.Option(min=1, max=12, help="Rounds of a scenario.")] = 4,
    stride: Annotated[int, typer.Option(min=1, help="Play only each so manieth.")] = 1,
    jobs: Annotated[
        int | None, typer.Option(min=1, max=256, help="Processes; by default one a core.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Play Twins scenarios (Bano et al. 2021): four drones, one of them twice with one key.

    Exit code 0 if nothing was violated and every healed swarm went on, 1 if not, 2 for scenarios
    that there are not. A failing one is shown round by round.
    """
    chosen = numbers(scenarios, "scenarios") if scenarios else range(Scenarios(rounds).count)
    total = len(range(chosen.start, chosen.stop, stride))
    with progress_bar("scenarios", total, as_json) as report:

        def progress(totals: TwinsTotals) -> None:
            failed = len(totals.violations) + len(totals.stalled)
            report(totals.scenarios, f"{totals.scenarios_per_s:.0f} scenarios/s, {failed} failed")

        totals = run_range(
            chosen.start,
            chosen.stop,
            rounds,
            stride=stride,
            jobs=jobs or min(cores(), total),
            progress=progress,
        )
    if as_json:
        print_json(totals.to_object())
    else:
        _tell(totals)
    if not totals.fine:
        raise typer.Exit(FAILED)


def _tell(totals: TwinsTotals) -> None:
    console.print(f"{totals.scenarios:,} scenarios, {totals.scenarios_per_s:.0f} a second")
    console.print(
        f"{totals.commits:,} requests committed, {totals.view_changes:,} view changes, "
        f"the twin convicted in {totals.evidence:,}"
    )
    for outcome in (*totals.violations, *totals.stalled):
        console.print(escape(str(outcome)))
    if totals.fine:
        console.print("[green]No invariant violated, no healed swarm stalled[/]")
