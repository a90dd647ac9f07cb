# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Many seeds, on all processor cores; what comes out depends on the seeds alone."""

from __future__ import annotations

import math
import multiprocessing
import os
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice

from swarm_ledger.sim.pbft.plan import Menu, draw
from swarm_ledger.sim.pbft.run import Report, run

_AT_ONCE = 8
"""Seeds that a worker is given at a time."""


@dataclass
class Totals:
    """What came of many runs. violations, stalled: reports of those that failed, by seed."""

    runs: int = 0
    violations: list[Report] = field(default_factory=list)
    stalled: list[Report] = field(default_factory=list)
    commits: int = 0
    view_changes: int = 0
    evidence: int = 0
    epochs: int = 0
    steps: int = 0
    air_bytes: int = 0
    took: int = 0
    seconds: float = 0.0

    def add(self, report: Report) -> None:
        """Count one run."""
        self.runs += 1
        if report.violation:
            self.violations.append(report)
        elif report.stalled:
            self.stalled.append(report)
        self.commits += report.commits
        self.view_changes += report.view_changes
        self.evidence += report.evidence
        self.epochs += report.epochs - 1
        self.steps += report.steps
        self.air_bytes += report.air_bytes
        self.took = max(self.took, report.took)

    @property
    def fine(self) -> bool:
        """Whether nothing went wrong in any run."""
        return not (self.violations or self.stalled)

    @property
    def seeds_per_s(self) -> float:
        """Runs a second, over all processes."""
        return self.runs / self.seconds if self.seconds else 0.0


def cores() -> int:
    """Return how many processor cores this process may use."""
    return (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )


def simulate(
    seeds: range,
    menu: Menu,
    *,
    jobs: int,
    seconds: float = math.inf,
    progress: Callable[[Totals], None] = lambda _: None,
) -> Totals:
    """Run the plans of many seeds, as many as fit into the seconds given.

    jobs: processes; 1 runs them in this one. progress: called after each few runs.
    """
    totals, begun = Totals(), time.monotonic()
    with closing(_batches(seeds, menu, jobs)) as batches:
        for reports in batches:
            for report in reports:
                totals.add(report)
            totals.seconds = time.monotonic() - begun
            progress(totals)
            if totals.seconds >= seconds:
                break
    for failed in (totals.violations, totals.stalled):
        failed.sort(key=lambda report: report.seed)
    return totals


def _batches(seeds: range, menu: Menu, jobs: int) -> Generator[list[Report], None, None]:
    parts = (seeds[i : i + _AT_ONCE] for i in range(0, len(seeds), _AT_ONCE))
    if jobs == 1:
        for part in parts:
            yield _run_all(part, menu)
        return
    context = multiprocessing.get_context("spawn")  # a fork would copy whatever threads hold
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        waiting: list[Future[list[Report]]] = [
            pool.submit(_run_all, part, menu) for part in islice(parts, 2 * jobs)
        ]
        try:
            while waiting:
                yield waiting.pop(0).result()
                waiting += [pool.submit(_run_all, part, menu) for part in islice(parts, 1)]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _run_all(seeds: range, menu: Menu) -> list[Report]:
    return [run(draw(seed, menu)) for seed in seeds]
