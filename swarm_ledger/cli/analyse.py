# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger analyse`: what liars can do to each rule, and who lied, afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from swarm_ledger.audit.ledger import open_ledger
from swarm_ledger.audit.reliability import Collected, fields
from swarm_ledger.cli.ledger_files import RosterOption, must_exist, trust_for
from swarm_ledger.cli.output import Json, console, print_json
from swarm_ledger.errors import Misuse
from swarm_ledger.sim.plot import Panel, shares
from swarm_ledger.sim.resilience.attack import STRATEGIES, Setting
from swarm_ledger.sim.resilience.committee import lot
from swarm_ledger.sim.resilience.odds import Edge, Odds, edge, sweep
from swarm_ledger.voting.rules import NUMBER_RULES, RULES

app = typer.Typer(help="What liars can do to each rule, and who lied.", no_args_is_help=True)

_MAX_RUNS = 1_000_000


@app.command()
def resilience(
    rule: Annotated[
        list[str] | None,
        typer.Option(help="A rule, more than once for several; all that choose a label."),
    ] = None,
    drones: Annotated[int, typer.Option(help="How many vote, 4 to 100.")] = 10,
    labels: Annotated[int, typer.Option(help="How many labels there are, 2 to 4.")] = 2,
    accuracy: Annotated[float, typer.Option(help="How often an honest drone is right.")] = 0.9,
    history: Annotated[
        int, typer.Option(min=0, max=1000, help="How many questions were decided before.")
    ] = 32,
    strategy: Annotated[
        list[str] | None,
        typer.Option(help="independent, colluding, adaptive, sleeper; more than once; all."),
    ] = None,
    most: Annotated[int, typer.Option(min=-1, help="How many liars at most; 2 f + 1.")] = -1,
    runs: Annotated[int, typer.Option(min=1, max=_MAX_RUNS, help="Of Monte Carlo.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of Monte Carlo.")] = 0,
    plot: Annotated[Path | None, typer.Option(help="Write the shares of wrong as SVG.")] = None,
    as_json: Json = False,
) -> None:
    """How wrong f, f + 1, ... liars make each rule.

    By the rules that drones run: exactly, where only counts matter, by seeded Monte Carlo
    otherwise, with intervals of 95 %. The truth is the first label. Numbers: see docs/voting.md.
    """
    setting = Setting(drones, labels, accuracy, history)
    names, strategies = _chosen(rule), strategy or list(STRATEGIES)
    most = min(2 * setting.faulty + 1 if most < 0 else most, drones)
    found = list(sweep(names, setting, strategies, most, runs=runs, seed=seed))
    edges = [edge(name, setting) for name in names if name in RULES]
    if plot is not None:
        plot.write_text(_plot(found, setting, strategies))
    if as_json:
        print_json(
            {
                "setting": {**asdict(setting), "faulty": setting.faulty},
                "odds": [asdict(one) for one in found],
                "edges": [asdict(one) for one in edges],
            }
        )
        return
    console.print(
        f"{drones} drones (f = {setting.faulty}), {labels} labels, honest ones right "
        f"{accuracy:.0%}, {history} questions before; right / wrong / unsettled in %"
    )
    for name in strategies:
        console.print(_table([one for one in found if one.strategy == name], names, name))
    if edges:
        console.print(_edges(edges))


def _chosen(rules: Sequence[str] | None) -> list[str]:
    known = {**RULES, **NUMBER_RULES}
    for name in rules or ():
        if name not in known:
            raise Misuse(f"unknown rule {name!r}.", remedy=f"Take {' or '.join(known)}.")
    return list(rules or RULES)


def _table(found: Sequence[Odds], names: Sequence[str], strategy: str) -> Table:
    table = Table("liars", *names, title=f"{strategy}: {STRATEGIES[strategy]}")
    for liars in sorted({one.liars for one in found}):
        row = {one.rule: one for one in found if one.liars == liars}
        table.add_row(str(liars), *(_cell(row[name]) for name in names))
    return table


def _cell(one: Odds) -> str:
    spread = "" if one.exact else f" ({100 * one.wrong_low:.1f}-{100 * one.wrong_high:.1f})"
    wrong = f"{100 * one.wrong:.1f}{spread}"
    return f"{100 * one.right:.1f} / {wrong} / {100 * one.unsettled:.1f}"


def _edges(edges: Sequence[Edge]) -> Table:
    table = Table(
        "rule", "no decision from", "wrong from", title="colluding, and honest drones all agree"
    )
    for one in edges:
        table.add_row(
            one.rule, *("never" if k is None else str(k) for k in (one.stalls, one.breaks))
        )
    return table


def _plot(found: Sequence[Odds], setting: Setting, strategies: Sequence[str]) -> str:
    panels = []
    for strategy in strategies:
        rows = [one for one in found if one.strategy == strategy]
        lines: dict[str, list[float]] = {}
        for one in rows:
            lines.setdefault(one.rule, []).append(one.wrong)
        across = sorted({one.liars for one in rows})
        mark = setting.faulty if setting.faulty <= across[-1] else None
        panels.append(Panel(strategy, across, lines, mark))
    return shares(panels, across=f"liars of {setting.drones}", up="wrong")


@app.command()
def committee(
    drones: Annotated[
        list[int] | None, typer.Option(help="How many fly; more than once for several.")
    ] = None,
    liars: Annotated[
        list[float] | None,
        typer.Option(help="Shares of them that lie; more than once for several."),
    ] = None,
    validators: Annotated[int, typer.Option(help="How many are drawn.")] = 31,
    as_json: Json = False,
) -> None:
    """How likely a committee drawn by lot has more liars than PBFT bears: exactly.

    A committee that operators name is as good as their choice; this is for one that they draw.
    """
    found = [
        lot(n, int(share * n), validators)
        for n in drones or (40, 60, 80, 100, 128)
        for share in liars or (0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
    ]
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    table = Table("drones", "liars", "validators", "bears", "more than that")
    for one in found:
        numbers = one.drones, one.liars, one.validators, one.bears
        table.add_row(*map(str, numbers), f"{one.unsafe:.2g}")
    console.print(table)


@app.command()
def reliability(
    ledgers: Annotated[list[Path], typer.Argument(metavar="LEDGER...", help="Drones' folders.")],
    roster: RosterOption = None,
    as_json: Json = False,
) -> None:
    """How reliable each voter is, by all votes at once (Dawid & Skene).

    Without taking any decision for the truth: what was true and who errs how are estimated
    together. Ledgers are replayed; several missions of one swarm tell more than one.
    """
    collected = Collected()
    for folder in ledgers:
        must_exist(folder)
        with open_ledger(folder) as store:
            collected.take(store, trust_for(folder, roster))
    found = [fields(estimate) for estimate in collected.estimates()]
    if not found:
        raise Misuse("these ledgers hold no votes on labels.", remedy="Give others.")
    if as_json:
        print_json({"estimates": found})
        return
    for estimate in found:
        table = Table("voter", "accuracy", "answered", title=", ".join(estimate["labels"]))
        for voter in estimate["voters"]:
            table.add_row(voter["name"], f"{voter['accuracy']:.3f}", str(voter["answered"]))
        console.print(table)
