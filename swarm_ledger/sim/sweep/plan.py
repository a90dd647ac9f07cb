# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a sweep's file asks for: an experiment, its grid, how many runs, and from which seed.

experiment: dynamics
seed: 7
runs: 50
grid:
  dynamic: [dmvd, dc, dmmd]
  byzantine: [0, 1, 2]
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from swarm_ledger.encoding import digest
from swarm_ledger.errors import Misuse
from swarm_ledger.sim.sweep.experiments import EXPERIMENTS, Cell, Row, cell_of

MAX_CELLS = 10_000
_MAX_BYTES = 1 << 16

Value = str | int | bool


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sweep. grid: values by parameter; each combination is a cell, run `runs` times.

    seed: of the whole; run 7 of a cell is the same with more runs, more cells, elsewhere, again.
    """

    experiment: str
    runs: Annotated[int, Meta(ge=1, le=100_000)]
    grid: dict[str, Annotated[list[Value], Meta(min_length=1)]]
    seed: Annotated[int, Meta(ge=0, lt=2**53)] = 0

    def cells(self) -> Iterator[dict[str, Any]]:
        """Iterate over the parameters of each cell, the last one in the file varying fastest."""
        for values in product(*self.grid.values()):
            yield dict(zip(self.grid, values, strict=True))

    def check(self) -> None:
        """Raise Misuse unless there is such an experiment, and each cell can be run."""
        if self.experiment not in EXPERIMENTS:
            known = " or ".join(sorted(EXPERIMENTS))
            raise Misuse(f"there is no experiment {self.experiment!r}.", remedy=f"Take {known}.")
        cells = prod(len(values) for values in self.grid.values())
        if not 0 < cells <= MAX_CELLS or not self.grid:
            raise Misuse(f"a sweep of {cells} cells.", remedy=f"Take 1 to {MAX_CELLS}.")
        for parameters in self.cells():
            cell_of(self.experiment, parameters)


class Task(msgspec.Struct, frozen=True):
    """Some runs of a cell, carried out together. They need nothing but this."""

    experiment: str
    parameters: dict[str, Any]
    seed: int
    first: int
    count: int

    @property
    def name(self) -> str:
        """What its results are filed under: the same for the same task, wherever it is planned."""
        return digest(msgspec.json.encode(self, order="deterministic")).hex()[:32]

    def cell(self) -> Cell:
        """Return its cell."""
        return cell_of(self.experiment, self.parameters)


def perform(task: Task) -> list[Row]:
    """Carry out a task, in whatever process."""
    rows = task.cell().run(task.seed, range(task.first, task.first + task.count))
    return [{**task.parameters, **row} for row in rows]


def load_plan(path: Path) -> Plan:
    """Read and check a sweep's file; Misuse that says what is wrong."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise Misuse(f"cannot read {path}: {error.strerror}.") from error
    if len(raw) > _MAX_BYTES:
        raise Misuse(f"{path} is larger than any sweep's file.")
    try:
        plan = msgspec.yaml.decode(raw, type=Plan)
    except msgspec.MsgspecError as error:
        raise Misuse(f"{path} is no sweep: {error}.", remedy="See docs/arena.md.") from error
    plan.check()
    return plan


def tasks(plan: Plan) -> list[Task]:
    """Return all tasks of a plan: the first runs of each cell come first.

    So a sweep that is stopped early has something of all cells.
    """
    step = EXPERIMENTS[plan.experiment].at_once
    return [
        Task(plan.experiment, parameters, plan.seed, first, min(step, plan.runs - first))
        for first in range(0, plan.runs, step)
        for parameters in plan.cells()
    ]
