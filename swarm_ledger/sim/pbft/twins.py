# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Runs ranges of Twins scenarios on all processor cores; a failing one is named by its number."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

from swarm_ledger.errors import Misuse
from swarm_ledger.sim.pbft.campaign import spread
from swarm_ledger.sim.pbft.scenarios import TWIN_LEADS, Scenarios
from swarm_ledger.sim.pbft.stage import Outcome, perform


@dataclass
class TwinsTotals:
    """What came of many scenarios. violations, stalled: those that failed, by number.

    took: ticks that the slowest recovery took.
    """

    scenarios: int = 0
    violations: list[Outcome] = field(default_factory=list)
    stalled: list[Outcome] = field(default_factory=list)
    commits: int = 0
    view_changes: int = 0
    evidence: int = 0
    took: int = 0
    seconds: float = 0.0

    def add(self, outcome: Outcome) -> None:
        """Count one scenario."""
        self.scenarios += 1
        if outcome.violation:
            self.violations.append(outcome)
        elif outcome.stalled:
            self.stalled.append(outcome)
        self.commits += outcome.commits
        self.view_changes += outcome.view_changes
        self.evidence += outcome.evidence
        self.took = max(self.took, outcome.took)

    @property
    def fine(self) -> bool:
        """Whether nothing went wrong in any scenario."""
        return not (self.violations or self.stalled)

    @property
    def scenarios_per_s(self) -> float:
        """Scenarios a second, over all processes."""
        return self.scenarios / self.seconds if self.seconds else 0.0

    def to_object(self) -> dict[str, object]:
        """Return the figures as they are printed with --json."""
        failed = {
            name: [
                {"scenario": one.scenario.number, "what": one.violation or one.stalled}
                for one in outcomes
            ]
            for name, outcomes in (("violations", self.violations), ("stalled", self.stalled))
        }
        return {
            "scenarios": self.scenarios,
            **failed,
            "commits": self.commits,
            "view_changes": self.view_changes,
            "evidence": self.evidence,
            "slowest_recovery": self.took,
            "scenarios_per_s": round(self.scenarios_per_s, 1),
        }


def run_range(
    first: int,
    last: int,
    rounds: int,
    *,
    leaders: tuple[int, ...] = TWIN_LEADS,
    stride: int = 1,
    jobs: int = 1,
    progress: Callable[[TwinsTotals], None] = lambda _: None,
) -> TwinsTotals:
    """Play the scenarios first to last - 1, or each stride-th of them.

    jobs: processes; 1 plays them in this one. progress: called after each few scenarios.
    Misuse if there are no such scenarios.
    """
    scenarios = Scenarios(rounds, leaders)
    if not 0 <= first < last <= scenarios.count or stride < 1:
        raise Misuse(
            f"there are no scenarios {first}:{last} of {rounds} rounds, each {stride}th.",
            remedy=f"They go from 0:{scenarios.count}.",
        )
    totals, begun = TwinsTotals(), time.monotonic()
    with closing(spread(partial(_play, scenarios), range(first, last, stride), jobs)) as played:
        for outcomes in played:
            for outcome in outcomes:
                totals.add(outcome)
            totals.seconds = time.monotonic() - begun
            progress(totals)
    return totals


def _play(scenarios: Scenarios, numbers: range) -> list[Outcome]:
    return [perform(scenarios[number]) for number in numbers]
