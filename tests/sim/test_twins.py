# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Twins: every way in which a network can come between two instances with one key.

SWARM_TWINS=0:50625 runs all scenarios of four rounds; by default there are some of all parts.
"""

from __future__ import annotations

import os
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_ledger.consensus import normal, replica, state
from swarm_ledger.consensus.messages import Commit, Prepare, PrePrepare, Signed
from swarm_ledger.errors import Misuse
from swarm_ledger.sim.pbft.scenarios import (
    ANYBODY_LEADS,
    INSTANCES,
    MEMBERS,
    TWIN,
    TWIN_LEADS,
    Round,
    Scenarios,
)
from swarm_ledger.sim.pbft.stage import BOUND, Outcome, Stage, perform
from swarm_ledger.sim.pbft.trace import Trace
from swarm_ledger.sim.pbft.twins import TwinsTotals, run_range
from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutation import planted

FOUR = Scenarios(4)
FIRST, LAST = map(int, os.environ.get("SWARM_TWINS", f"0:{FOUR.count}").split(":"))
STRIDE = 1 if "SWARM_TWINS" in os.environ else 997
APART = Round(TWIN, (0, 0, 0, 1, 1))
"""0, 1 and 2 make a quorum; 3 is alone with the twin."""

# the scenarios


def test_there_are_as_many_as_the_paper_counts() -> None:
    assert [Scenarios(rounds).count for rounds in (4, 5)] == [50_625, 759_375]
    assert Scenarios(4, ANYBODY_LEADS).count == 60**4


def test_one_round_goes_in_every_way_once_and_splits_always() -> None:
    (ways,) = zip(*(scenario.rounds for scenario in Scenarios(1, ANYBODY_LEADS)))  # noqa: B905
    assert len(set(ways)) == len(ways) == 60
    for way in ways:
        assert set(way.sides) == {0, 1}
        assert len(way.sides) == INSTANCES
    unnamed = {frozenset((way.sides, tuple(1 - side for side in way.sides))) for way in ways}
    assert len(unnamed) == 15, "a split stands twice, with its sets exchanged"
    assert {way.leader for way in ways} == set(range(MEMBERS))


def test_every_number_of_two_rounds_names_one_scenario_in_order() -> None:
    for scenarios in (Scenarios(2), Scenarios(2, (0, 3))):
        listed = list(scenarios)
        assert [one.number for one in listed] == list(range(scenarios.count))
        assert len({one.rounds for one in listed}) == scenarios.count
        assert [scenarios.number(one.rounds) for one in listed] == list(range(scenarios.count))
        ways = [one.rounds for one in Scenarios(1, scenarios.leaders)]
        assert [one.rounds[:1] for one in listed] == [w for w in ways for _ in ways]


@given(st.data(), st.integers(1, 12), st.sampled_from([TWIN_LEADS, ANYBODY_LEADS, (2, 1)]))
def test_numbers_and_scenarios_are_one_to_one(
    data: st.DataObject, rounds: int, leaders: tuple[int, ...]
) -> None:
    scenarios = Scenarios(rounds, leaders)
    number = data.draw(st.integers(0, scenarios.count - 1))
    scenario = scenarios[number]
    assert scenario.number == scenarios.number(scenario.rounds) == number
    assert len(scenario.rounds) == rounds


@pytest.mark.parametrize(("rounds", "leaders"), [(0, (0,)), (4, ()), (4, (4,)), (4, (0, 0))])
def test_scenarios_that_there_are_none_of(rounds: int, leaders: tuple[int, ...]) -> None:
    with pytest.raises(Misuse):
        Scenarios(rounds, leaders)


@pytest.mark.parametrize("number", [-1, 15])
def test_numbers_that_name_no_scenario(number: int) -> None:
    with pytest.raises(Misuse, match="from 0 to 14"):
        Scenarios(1)[number]


# the stage


class Ears:
    """Notes which instance hears which message."""

    def __init__(self) -> None:
        self.stage = Stage(on_event=self._note)
        self.heard: list[tuple[int, Signed[Any]]] = []

    def _note(self, _now_ms: int, _kind: str, instance: int, raw: bytes) -> None:
        if raw[:1] == b"s":
            self.heard.append((instance, self.stage.mint.open(raw).signed))

    def of(self, form: type[Any]) -> set[tuple[int, int]]:
        """Who said one to whom."""
        return {(s.sender, one) for one, s in self.heard if isinstance(s.message, form)}


def test_a_message_passes_within_its_set_only() -> None:
    ears = Ears()
    ears.stage.play(APART)
    assert ears.of(PrePrepare) == {(0, 1), (0, 2), (0, 3)}
    assert ears.of(Prepare) == {(1, 0), (1, 2), (2, 0), (2, 1), (3, 4)}
    batches = {s.message.batch for _, s in ears.heard if isinstance(s.message, PrePrepare)}
    assert len(batches) == 2, "the instances propose different things"


def test_commits_arrive_a_round_later_where_the_next_split_lets_them() -> None:
    ears = Ears()
    ears.stage.play(APART)
    assert ears.of(Prepare)
    assert not ears.of(Commit)
    ears.stage.play(Round(TWIN, (0, 1, 0, 1, 0)))
    assert ears.of(Commit) == {(0, 2), (0, 4), (2, 0), (2, 4), (1, 3)}
    assert ears.stage.nodes[0].ledger.height == 0, "two commits are no quorum"


def test_each_round_is_led_by_whom_the_scenario_names() -> None:
    stage = Stage()
    views = []
    for leader in (2, 0, 0, 3, 1):
        stage.play(Round(leader, (0, 0, 0, 0, 1)))
        (view,) = {n.replica.view for n in stage.nodes[:4] if n.replica.active} or {-1}
        views.append(view)
        assert stage.nodes[1].replica.leader == leader
    assert views == sorted(set(views)), "no view is led in two rounds"
    assert views == [2, 4, 8, 11, 13]


def test_a_round_whose_leader_is_cut_off_ends() -> None:
    stage = Stage()
    stage.play(Round(TWIN, (0, 1, 1, 1, 0)))
    stage.play(Round(TWIN, (0, 1, 1, 1, 0)))
    assert stage.nodes[1].replica.view <= 2 * MEMBERS
    assert stage.demand_progress() <= BOUND


# what holds


def test_scenarios_hold() -> None:
    totals = run_range(FIRST, LAST, 4, stride=STRIDE)
    assert totals.fine, str((*totals.violations, *totals.stalled)[0])
    assert totals.scenarios == len(range(FIRST, LAST, STRIDE))
    assert totals.commits > totals.scenarios, "something is committed in every one of them"
    assert totals.view_changes > totals.scenarios
    assert 0 < totals.evidence < totals.scenarios, "twins that never meet are not found out"


def test_scenarios_that_anybody_leads_hold() -> None:
    count = Scenarios(4, ANYBODY_LEADS).count
    totals = run_range(0, count, 4, leaders=ANYBODY_LEADS, stride=count // 30)
    assert totals.fine, str((*totals.violations, *totals.stalled)[0])


def test_long_scenarios_hold() -> None:
    count = Scenarios(11).count
    totals = run_range(0, count, 11, stride=count // 10)
    assert totals.fine, str((*totals.violations, *totals.stalled)[0])


def test_accusations_left_over_from_a_conviction_stop_nobody() -> None:
    """Whoever had thrown them away for being no news could not prepare what a leader ordered."""
    outcome = perform(FOUR[1_999])
    assert outcome.fine, str(outcome)


def test_the_twin_is_convicted_by_whoever_hears_both_instances() -> None:
    stage = Stage()
    stage.play(APART)
    stage.play(Round(TWIN, (0, 0, 1, 0, 0)))
    stage.demand_progress()
    assert stage.watch.accused == {TWIN}
    assert [node.ledger.convicted for node in stage.honest] == [{TWIN}] * 3


def test_results_depend_on_the_numbers_and_not_on_the_processes() -> None:
    def figures(jobs: int) -> dict[str, object]:
        totals = run_range(1_000, 1_060, 4, stride=3, jobs=jobs)
        return {key: value for key, value in vars(totals).items() if key != "seconds"}

    assert figures(1) == figures(2)


def test_progress_is_told() -> None:
    seen: list[int] = []
    run_range(0, 20, 2, progress=lambda totals: seen.append(totals.scenarios))
    assert seen[-1] == 20
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    ("first", "last", "stride"), [(0, 226, 1), (5, 5, 1), (-1, 4, 1), (0, 4, 0)]
)
def test_ranges_that_there_are_not(first: int, last: int, stride: int) -> None:
    with pytest.raises(Misuse, match="no scenarios"):
        run_range(first, last, 2, stride=stride)


# what is caught


def _votes_again(patch: pytest.MonkeyPatch) -> None:
    """A replica prepares whatever its leader proposes last."""
    real = normal.on_pre_prepare

    def forgetful(state_: state.State, signed: Signed[Any]) -> None:
        batch = signed.message.batch
        slot = state_.slots.get(batch.seq)
        if slot is not None and slot.pre_prepare is not None and slot.digest != batch.digest():
            slot.pre_prepare, slot.prepare_sent, slot.commit_sent = None, False, False
        real(state_, signed)

    patch.setitem(replica._HANDLERS, PrePrepare, forgetful)


CAUGHT = (
    "a new view ignores prepared certificates",
    "quorum one too small",
    "prepares are kept across views",
    "commits are kept across views",
)
BUGS = {bug.name: bug for bugs in MUTANTS.values() for bug in bugs}


def caught() -> bool:
    outcomes = (perform(FOUR[number]) for number in range(17, FOUR.count, 241))
    return any(outcome.violation for outcome in islice(outcomes, 60))


@pytest.mark.parametrize("name", CAUGHT)
def test_a_bug_is_caught(name: str) -> None:
    with planted(BUGS[name]):
        assert caught()


def test_who_votes_for_a_second_proposal_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    _votes_again(monkeypatch)
    assert caught()


def test_a_failing_scenario_is_told_so_that_it_can_be_read() -> None:
    with planted(BUGS["prepares are kept across views"]):
        totals = run_range(17, 18, 4)
    (failed,) = totals.violations
    assert str(failed) == (
        "scenario 17 of 4 rounds\n"
        "  round 0: 0 leads; 0 | 1 2 3 0'\n"
        "  round 1: 0 leads; 0 | 1 2 3 0'\n"
        "  round 2: 0 leads; 0 1 | 2 3 0'\n"
        "  round 3: 0 leads; 0 2 | 1 3 0'\n"
        "  1 commits 1 without a prepared certificate"
    )
    assert totals.to_object()["violations"] == [
        {"scenario": 17, "what": "1 commits 1 without a prepared certificate"}
    ]
    assert not totals.fine


def test_a_crash_of_the_engine_is_a_finding_with_a_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(normal, "advance", lambda *_: {}["nothing"])
    outcome = perform(FOUR[3])
    assert outcome.violation == "KeyError('nothing')"
    assert outcome.scenario.number == 3


def test_a_swarm_that_does_not_go_on_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(normal, "propose", lambda _: None)
    outcome = perform(Scenarios(1)[0])
    totals = TwinsTotals()
    totals.add(outcome)
    assert (totals.violations, totals.stalled) == ([], [outcome])
    assert outcome.took == BOUND + 1
    assert "no progress in 12 ticks: 0: height 0 view" in str(outcome)


def test_a_scenario_can_be_traced() -> None:
    trace = Trace()
    outcome: Outcome = perform(Scenarios(1)[0], on_event=trace)
    assert outcome.fine
    assert any("hears vote" in line for line in trace.lines)
