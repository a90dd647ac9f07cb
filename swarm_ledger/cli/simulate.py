# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger simulate`: the consensus engine under faults, liars and checkers, seed by seed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from swarm_ledger.cli import FAILED
from swarm_ledger.cli.output import Json, console, print_json, progress_console
from swarm_ledger.errors import Misuse
from swarm_ledger.sim.pbft.campaign import Totals, cores
from swarm_ledger.sim.pbft.campaign import simulate as run_all
from swarm_ledger.sim.pbft.plan import FAULTS, Menu, Plan, draw
from swarm_ledger.sim.pbft.run import Report, run
from swarm_ledger.sim.pbft.shrink import shrink
from swarm_ledger.sim.pbft.trace import Trace

PROFILES = ("mesh", "radio")
_SHOWN = 40
_SEEDS = re.compile(r"(\d{1,15})(?::(\d{1,15}))?")


def simulate(
    seeds: Annotated[str, typer.Option(help="FIRST:END, or one seed.")] = "0:200",
    drones: Annotated[int | None, typer.Option(help="How many; by default 4 to 10.")] = None,
    byzantine: Annotated[
        int | None, typer.Option(help="How many of them lie; by default up to all tolerated.")
    ] = None,
    faults: Annotated[str, typer.Option(help=f"Some of: {','.join(FAULTS)}; or none.")] = ",".join(
        FAULTS
    ),
    steps: Annotated[int, typer.Option(help="Events in each run until the faults end.")] = 1_000,
    profile: Annotated[
        str, typer.Option(help="mesh, or radio: one slow channel that all share.")
    ] = "mesh",
    jobs: Annotated[
        int | None, typer.Option(min=1, max=256, help="Processes; by default one a core.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Begin no more runs after that long.")
    ] = None,
    trace: Annotated[
        Path | None, typer.Option(help="Write down what happened in a single seed's run.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Simulate the consensus engine: faults, liars, checkers after every step, then progress.

    Exit code 0 if nothing was violated and every healed swarm went on, 1 if not, 2 for what can't
    be simulated. A failing seed is made small, and shown with the command that repeats it.
    """
    chosen, menu = _seeds(seeds), _menu(drones, byzantine, faults, steps, profile)
    if trace is not None:
        if len(chosen) != 1:
            raise Misuse(
                "--trace writes down one run.", remedy="Give one seed, such as --seeds 7."
            )
        _write(trace, _told(draw(chosen[0], menu)))
    with _bar(len(chosen), as_json) as progress:
        totals = run_all(
            chosen,
            menu,
            jobs=jobs or min(cores(), len(chosen)),
            seconds=60 * minutes if minutes else math.inf,
            progress=progress,
        )
    commands = _Commands(drones, byzantine, faults, steps, profile)
    if as_json:
        print_json(_object(totals, commands))
    else:
        _tell(totals, menu, commands)
    if not totals.fine:
        raise typer.Exit(FAILED)


class _Commands:
    """Writes the command that repeats one seed's run."""

    def __init__(
        self, drones: int | None, byzantine: int | None, faults: str, steps: int, profile: str
    ) -> None:
        self._options = "".join(
            f" --{name} {value}"
            for name, value, default in (
                ("drones", drones, None),
                ("byzantine", byzantine, None),
                ("faults", faults, ",".join(FAULTS)),
                ("steps", steps, 1_000),
                ("profile", profile, "mesh"),
            )
            if value != default
        )

    def repeat(self, seed: int) -> str:
        return f"swarm-ledger simulate --seeds {seed}{self._options} --trace trace-{seed}.txt"


def _seeds(text: str) -> range:
    match = _SEEDS.fullmatch(text)
    first = int(match[1]) if match else 0
    end = int(match[2] or first + 1) if match else 0
    if end <= first:
        raise Misuse(
            f"{text!r} names no seeds.", remedy="Give FIRST:END, such as 0:500, or one number."
        )
    return range(first, end)


def _menu(
    drones: int | None, byzantine: int | None, faults: str, steps: int, profile: str
) -> Menu:
    if profile not in PROFILES:
        raise Misuse(f"unknown profile {profile!r}.", remedy=f"Take {' or '.join(PROFILES)}.")
    listed = () if faults == "none" else tuple(faults.split(","))
    return Menu(drones, byzantine, listed, steps, radio=profile == "radio")


@contextmanager
def _bar(total: int, quiet: bool) -> Iterator[Any]:
    if quiet or not progress_console.is_terminal:
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=progress_console) as bar:
        task = bar.add_task("seeds", total=total)

        def progress(totals: Totals) -> None:
            failed = len(totals.violations) + len(totals.stalled)
            text = f"{totals.seeds_per_s:.0f} seeds/s, {failed} failed"
            bar.update(task, completed=totals.runs, description=text)

        yield progress


def _object(totals: Totals, commands: _Commands) -> dict[str, Any]:
    def failed(reports: list[Report]) -> list[dict[str, Any]]:
        return [
            {
                "seed": report.seed,
                "drones": report.n,
                "what": report.violation or report.stalled,
                "repeat": commands.repeat(report.seed),
            }
            for report in reports
        ]

    return {
        "runs": totals.runs,
        "violations": failed(totals.violations),
        "stalled": failed(totals.stalled),
        "commits": totals.commits,
        "view_changes": totals.view_changes,
        "evidence": totals.evidence,
        "roster_changes": totals.epochs,
        "steps": totals.steps,
        "air_bytes": totals.air_bytes,
        "slowest_recovery": totals.took,
        "seeds_per_s": round(totals.seeds_per_s, 1),
    }


def _tell(totals: Totals, menu: Menu, commands: _Commands) -> None:
    console.print(
        f"{totals.runs} runs, {totals.steps:,} steps, {totals.seeds_per_s:.1f} seeds a second"
    )
    console.print(
        f"{totals.commits:,} requests committed, {totals.view_changes:,} view changes, "
        f"{totals.epochs:,} roster changes, {totals.evidence:,} drones convicted"
    )
    if totals.air_bytes and menu.radio:
        each = totals.air_bytes // max(1, totals.commits)
        console.print(f"{totals.air_bytes:,} bytes on the air, {each:,} for each request")
    if totals.fine:
        slowest = f"the slowest recovery took {totals.took} request time-outs"
        console.print(f"[green]No invariant violated, no healed swarm stalled[/]; {slowest}")
        return
    for report in (*totals.violations, *totals.stalled):
        what = report.violation or report.stalled
        console.print(f"[red]Seed {report.seed}, {report.n} drones[/]: {escape(what)}")
        console.print(f"  {escape(commands.repeat(report.seed))}")
    first = (*totals.violations, *totals.stalled)[0]
    console.print(f"Making seed {first.seed} small ...")
    lines = _told(_shrunk(draw(first.seed, menu), first))
    for line in lines[-_SHOWN:]:
        console.print(escape(line))


def _shrunk(plan: Plan, report: Report) -> Plan:
    def fails(candidate: Plan) -> bool:
        again = run(candidate)
        return bool(again.violation) if report.violation else bool(again.stalled)

    return shrink(plan, fails)


def _told(plan: Plan) -> list[str]:
    """Return a run as lines: the plan, what happened, and how it ended."""
    trace = Trace()
    report = run(plan, trace=trace)
    liars = ", ".join(f"{me} ({kind})" for me, kind in plan.liars) or "nobody"
    end = report.violation or report.stalled or f"all held; recovery took {report.took} time-outs"
    return [
        f"seed {plan.seed}: {plan.n} drones and {plan.spares} spare ones; {liars} lies",
        f"{plan.weather}",
        *trace.lines,
        end,
    ]


def _write(path: Path, lines: list[str]) -> None:
    try:
        path.write_text("".join(f"{line}\n" for line in lines))
    except OSError as error:
        raise Misuse(f"cannot write {path}: {error.strerror}.") from error
