# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger bench perception`: our swarm on the field's published yardstick."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from swarm_ledger.cli.output import Json, console, print_json
from swarm_ledger.cli.simulate import progress_bar
from swarm_ledger.sim.arena.floor import ROBOTS
from swarm_ledger.sim.arena.growth import Growth, growth
from swarm_ledger.sim.arena.liars import MIXED
from swarm_ledger.sim.arena.swarm import DURATION_S
from swarm_ledger.sim.sweep.plan import Plan
from swarm_ledger.sim.sweep.results import Results
from swarm_ledger.sim.sweep.run import local, sweep
from swarm_ledger.sim.sweep.summary import CellSummary, cells

_GROWTH_BLOCKS = 16


def perception(
    rule: Annotated[str, typer.Option(help="By which rule the question is settled.")] = "majority",
    byzantine: Annotated[int, typer.Option(help=f"Liars among the {ROBOTS} robots.")] = 0,
    black: Annotated[int, typer.Option(help="Percent of the tiles that are black.")] = 34,
    attack: Annotated[
        str, typer.Option(help="What liars do: black, equivocate, sybil, silent, copy, mixed.")
    ] = MIXED,
    runs: Annotated[int, typer.Option(min=1, help="How many runs.")] = 50,
    seed: Annotated[int, typer.Option(min=0, help="Of the whole series.")] = 0,
    duration: Annotated[
        int, typer.Option(help="Seconds after which the question is closed.")
    ] = DURATION_S,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Processes side by side.")] = 1,
    as_json: Json = False,
) -> None:
    """Fly 20 robots over black and white tiles until their ledgers say which are more.

    E_N is the share of runs in which every honest robot ends on the right colour, T_median_s the
    median time of those (Strobel et al. 2018). Real ledgers and signatures; robots hear only who
    is within 22 cm. `swarm-ledger sweep` makes tables of it.
    """
    grid: dict[str, list[Any]] = {
        "rule": [rule],
        "byzantine": [byzantine],
        "black": [black],
        "attack": [attack],
        "duration_s": [duration],
    }
    plan = Plan("swarm", runs, grid, seed)
    plan.check()
    with ExitStack() as stack:
        report = stack.enter_context(progress_bar("runs", runs, as_json))
        folder = stack.enter_context(TemporaryDirectory())
        pool = stack.enter_context(local(jobs))
        rows = sweep(plan, Results(Path(folder)), pool, lambda done, _: report(done, ""))
    found, grown = cells(plan, rows)[0], growth(_GROWTH_BLOCKS)
    if as_json:
        print_json(_object(found, grown))
    else:
        _tell(found, grown)


def _object(found: CellSummary, grown: Growth) -> dict[str, Any]:
    return {
        **found.parameters,
        "E_N": found.E_N,
        "E_N_interval": [found.low, found.high],
        "T_median_s": found.T_median_s,
        "undecided": found.undecided,
        "wrong": found.wrong,
        "runs": found.runs,
        "ledger_bytes_per_hour": grown.file,
        "ledger_content_bytes_per_hour": grown.content,
        "ledger_deflated_bytes_per_hour": grown.deflated,
    }


def _tell(found: CellSummary, grown: Growth) -> None:
    time = "" if found.T_median_s is None else f", T {found.T_median_s:.0f} s (median)"
    console.print(f"E_N {found.E_N:.2f} ({found.low:.2f} to {found.high:.2f}){time}")
    console.print(f"undecided {found.undecided:.2f}, wrong {found.wrong:.2f} of {found.runs} runs")
    console.print(
        f"ledger, at 1.78 votes a second: {grown.file / 1e6:.2f} MB an hour on disk, "
        f"{grown.content / 1e6:.2f} of it entries and certificates, {grown.deflated / 1e6:.2f} "
        "deflated"
    )
