# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Many seeds at once, failing runs made small, and traces that a person can read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from swarm_ledger.consensus.messages import Signed
from swarm_ledger.consensus.ready import Ready
from swarm_ledger.sim.pbft.campaign import Totals, simulate
from swarm_ledger.sim.pbft.network import CALM, Weather
from swarm_ledger.sim.pbft.node import Node
from swarm_ledger.sim.pbft.plan import Action, Menu, Plan, draw
from swarm_ledger.sim.pbft.run import run
from swarm_ledger.sim.pbft.shrink import shrink
from swarm_ledger.sim.pbft.trace import Trace

MENU = Menu(drones=4, steps=300)


class SendsFirst(Node):
    """Persists only after it has sent: a crash in between makes it contradict itself."""

    def effects(
        self, version: int, ready: Ready, own: list[tuple[int | None, Signed[object]]]
    ) -> None:
        self.send(version, ready, own)  # type: ignore[arg-type]
        self.persist(version, ready, own)  # type: ignore[arg-type]


def figures(totals: Totals) -> dict[str, object]:
    return {name: value for name, value in vars(totals).items() if name != "seconds"}


def test_results_depend_on_the_seeds_and_not_on_the_processes() -> None:
    alone, together = (simulate(range(3, 23), MENU, jobs=jobs) for jobs in (1, 2))
    assert figures(alone) == figures(together)
    assert alone.runs == 20
    assert alone.fine
    assert alone.seeds_per_s > 0


def test_no_run_begins_after_the_time_given() -> None:
    totals = simulate(range(10_000), MENU, jobs=1, seconds=0.0)
    assert 0 < totals.runs < 100


def test_totals_tell_violations_from_stalls() -> None:
    fine = run(draw(1, MENU))
    broken = replace(fine, violation="two batches")
    stuck = replace(fine, stalled="no progress")
    totals = Totals()
    for report in (fine, broken, stuck):
        totals.add(report)
    assert (totals.runs, totals.violations, totals.stalled) == (3, [broken], [stuck])
    assert not totals.fine


@pytest.fixture(scope="module")
def failing() -> Plan:
    for seed in range(200):
        plan = draw(seed, MENU)
        if run(plan, honest=SendsFirst).violation:
            return plan
    pytest.fail("200 seeds did not catch a drone that sends before it persists")


def test_a_failing_run_is_made_small(failing: Plan) -> None:
    small = shrink(failing, lambda plan: bool(run(plan, honest=SendsFirst).violation))
    assert run(small, honest=SendsFirst).violation
    assert len(small.actions) < len(failing.actions) // 2
    assert len(small.actions) <= 8
    kinds = {action.kind for action in small.actions}
    assert kinds & {"crash", "crash the leader", "blackout"}


def test_shrinking_leaves_out_what_does_not_matter() -> None:
    actions = tuple(Action("vote", 0, (number,)) for number in range(50))
    plan = Plan(1, 4, 0, ((1, "silent"), (2, "slow")), Weather(loss=0.5), (5, 5, 5, 5), actions)
    tried = 0

    def fails(candidate: Plan) -> bool:
        nonlocal tried
        tried += 1
        return {17, 31} <= {action.numbers[0] for action in candidate.actions}

    small = shrink(plan, fails)
    assert [action.numbers for action in small.actions] == [(17,), (31,)]
    assert (small.liars, small.weather, small.skews) == ((), CALM, ())
    assert tried < 400


def test_shrinking_stops_after_the_runs_given() -> None:
    plan, tried = draw(1, MENU), []
    assert shrink(plan, lambda candidate: bool(tried.append(candidate)), runs=5) == plan
    assert len(tried) == 5


def test_a_trace_reads_like_a_story() -> None:
    plan, trace = draw(3, MENU), Trace()
    report = run(plan, trace=trace)
    text = "\n".join(trace.lines)
    for words in ("** vote(", "hears vote ", "from 0: pre-prepare, view 0, 1 ", ": commit 1 "):
        assert words in text
    assert "tick" not in text
    assert report == run(plan)  # watching changes nothing
