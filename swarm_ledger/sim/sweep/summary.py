# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a sweep's rows say together: the share of right runs with its interval, and the time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

import msgspec

from swarm_ledger.errors import Misuse
from swarm_ledger.sim.accuracy import RIGHT
from swarm_ledger.sim.sweep.experiments import Row
from swarm_ledger.sim.sweep.plan import Plan

_Z = 1.959963984540054


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


def table(summaries: Sequence[CellSummary], across: str) -> str:
    """Return a Markdown table of E_N / T; across: the parameter whose values are the columns."""
    if not summaries or across not in summaries[0].parameters:
        raise Misuse(f"the sweep has no parameter {across!r} to make columns of.")
    columns = list(dict.fromkeys(one.parameters[across] for one in summaries))
    rest = [name for name in summaries[0].parameters if name != across]
    rows: dict[tuple[object, ...], dict[object, str]] = {}
    for one in summaries:
        key = tuple(one.parameters[name] for name in rest)
        rows.setdefault(key, {})[one.parameters[across]] = _cell(one)
    head = [*rest, *(f"{across} {value}" for value in columns)]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for key, found in rows.items():
        cells_ = [*map(str, key), *(found.get(value, "") for value in columns)]
        lines.append(f"| {' | '.join(cells_)} |")
    return "\n".join(lines) + "\n"


def _cell(one: CellSummary) -> str:
    share = f"{one.E_N:.2f}"
    if one.single_mean is not None:
        return f"{share} ({one.low:.2f}-{one.high:.2f}); one {one.single_mean:.2f}"
    return share if one.T_median_s is None else f"{share}/{one.T_median_s:.0f}"


def plot(summaries: Sequence[CellSummary], along: str, path: Path) -> None:
    """Draw E_N along a parameter, a line for each combination of the others, as SVG."""
    if not summaries or along not in summaries[0].parameters:
        raise Misuse(f"the sweep has no parameter {along!r} to plot along.")
    try:
        import matplotlib  # noqa: PLC0415  - an extra

        matplotlib.use("svg")
        from matplotlib import pyplot  # noqa: PLC0415
    except ImportError as error:
        raise Misuse("a plot needs matplotlib.", remedy="pip install matplotlib.") from error
    lines: dict[str, list[CellSummary]] = {}
    for one in summaries:
        others = (f"{k} {v}" for k, v in one.parameters.items() if k != along)
        lines.setdefault(", ".join(others), []).append(one)
    matplotlib.rcParams["svg.hashsalt"] = "swarm_ledger"
    figure, axes = pyplot.subplots(figsize=(7, 4))
    for name, found in lines.items():
        places = [one.parameters[along] for one in found]
        axes.plot(places, [one.E_N for one in found], marker="o", label=name)
        lows, highs = [one.low for one in found], [one.high for one in found]
        axes.fill_between(places, lows, highs, alpha=0.15)
        for which in ("single_mean", "single_best"):
            shares = [share for one in found if (share := getattr(one, which)) is not None]
            if len(shares) == len(found):
                axes.plot(places, shares, linestyle=":", label=f"{which}, {name}")
    axes.set(xlabel=along, ylabel="E_N", ylim=(-0.02, 1.02))
    axes.legend()
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, format="svg", metadata={"Date": None})
    pyplot.close(figure)
