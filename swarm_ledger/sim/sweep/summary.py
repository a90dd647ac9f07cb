# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a sweep's rows say together: the share of right runs with its interval, and the time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

import msgspec

from swarm_ledger.errors import Misuse
from swarm_ledger.sim.accuracy import RIGHT
from swarm_ledger.sim.sweep.experiments import Row
from swarm_ledger.sim.sweep.plan import Plan

_Z = 1.959963984540054
_SINGLES = ("one drone, mean", "one drone, best")


class CellSummary(msgspec.Struct, frozen=True):
    """E_N: share of runs in which every honest robot was right, with Wilson's 95 % interval.

    T_median_s: median time of those, None if there are none. undecided: share of runs without an
    answer; wrong: with a wrong one. single_mean, single_best: the share of right answers of the
    honest drones by themselves, in the mean and of the best of them, where rows tell: the best is
    chosen afterwards, and so is luckier than any drone is good.
    """

    parameters: Row
    E_N: float
    low: float
    high: float
    T_median_s: float | None
    undecided: float
    wrong: float
    runs: int
    single_mean: float | None = None
    single_best: float | None = None


def wilson(right: int, runs: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927)."""
    share, square = right / runs, _Z * _Z / runs
    middle = share + square / 2
    half = _Z * (share * (1 - share) / runs + square / (4 * runs)) ** 0.5
    low, high = (middle - half) / (1 + square), (middle + half) / (1 + square)
    return (low if right else 0.0), (high if right < runs else 1.0)


def summarise(parameters: Row, rows: Sequence[Row]) -> CellSummary:
    """Return what the runs of one cell say together."""
    runs = len(rows)
    right = [row["seconds"] for row in rows if row["right"]]
    undecided = sum(bool(row["undecided"]) for row in rows)
    low, high = wilson(len(right), runs)
    return CellSummary(
        parameters,
        len(right) / runs,
        low,
        high,
        float(median(right)) if right else None,
        undecided / runs,
        (runs - len(right) - undecided) / runs,
        runs,
        *_singles(rows),
    )


def _singles(rows: Sequence[Row]) -> tuple[float | None, float | None]:
    by_drone: dict[str, list[bool]] = {}
    for row in rows:
        for drone, verdict in row.get("said", {}).items():
            by_drone.setdefault(drone, []).append(verdict == RIGHT)
    if not by_drone:
        return None, None
    all_said = [right for said in by_drone.values() for right in said]
    best = max(sum(said) / len(said) for said in by_drone.values())
    return sum(all_said) / len(all_said), best


def cells(plan: Plan, rows: Iterable[Row]) -> list[CellSummary]:
    """Return the summary of each cell, in the plan's order."""
    by_cell: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        by_cell.setdefault(tuple(row[name] for name in plan.grid), []).append(row)
    return [
        summarise(parameters, found)
        for parameters in plan.cells()
        if (found := by_cell.get(tuple(parameters.values())))
    ]


def listing(summaries: Sequence[CellSummary]) -> str:
    """Return a Markdown table with a line for each cell, and all that is known of it."""
    names = list(summaries[0].parameters) if summaries else []
    head = [*names, "E_N", "95 %", "T, s", "undecided", "wrong", "runs"]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for one in summaries:
        fields = [
            *(str(one.parameters[name]) for name in names),
            f"{one.E_N:.2f}",
            f"{one.low:.2f}-{one.high:.2f}",
            "" if one.T_median_s is None else f"{one.T_median_s:.0f}",
            f"{one.undecided:.2f}",
            f"{one.wrong:.2f}",
            str(one.runs),
        ]
        lines.append(f"| {' | '.join(fields)} |")
    return "\n".join(lines) + "\n"


def table(summaries: Sequence[CellSummary], across: str) -> str:
    """Return a Markdown table of E_N / T; across: the parameter whose values are the columns."""
    if not summaries or across not in summaries[0].parameters:
        raise Misuse(f"the sweep has no parameter {across!r} to make columns of.")
    columns = list(dict.fromkeys(one.parameters[across] for one in summaries))
    rest = [name for name in summaries[0].parameters if name != across]
    rows: dict[tuple[object, ...], dict[object, CellSummary]] = {}
    for one in summaries:
        key = tuple(one.parameters[name] for name in rest)
        rows.setdefault(key, {})[one.parameters[across]] = one
    singles = summaries[0].single_mean is not None
    head = [*rest, *(f"{across} {value}" for value in columns), *_SINGLES[: 2 * singles]]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for key, found in rows.items():
        cells_ = [*map(str, key), *(_cell(found.get(value)) for value in columns)]
        if singles:
            mean = [one.single_mean or 0.0 for one in found.values()]
            best = [one.single_best or 0.0 for one in found.values()]
            cells_ += [f"{sum(mean) / len(mean):.2f}", f"{sum(best) / len(best):.2f}"]
        lines.append(f"| {' | '.join(cells_)} |")
    return "\n".join(lines) + "\n"


def _cell(one: CellSummary | None) -> str:
    if one is None:
        return ""
    share = f"{one.E_N:.2f}"
    if one.single_mean is not None:
        return f"{share} ({one.low:.2f}-{one.high:.2f}), {one.wrong:.2f} wrong"
    return share if one.T_median_s is None else f"{share}/{one.T_median_s:.0f}"
