# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Stories with a name. Those of tests/mutants/scenarios.py also show bugs; here they end well."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from types import FunctionType

import pytest

from swarm_ledger.sim.pbft.cluster import OPTIONS, Cluster
from swarm_ledger.sim.pbft.forgers import LIARS
from swarm_ledger.sim.pbft.network import Weather
from swarm_ledger.sim.pbft.plan import POINTS
from tests.mutants import scenarios
from tests.mutants.scenarios import expect_held, expect_progress, expect_views

WAIT_MS = OPTIONS["request_timeout_ms"]
STORIES = [
    story
    for name, story in vars(scenarios).items()
    if story.__class__ is FunctionType
    and story.__module__ == scenarios.__name__
    and name[0] != "_"
    and not signature(story).parameters
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_story(story: Callable[[], None]) -> None:
    story()


def test_a_quiet_swarm_commits_one_vote_at_once_in_view_0() -> None:
    cluster = Cluster(4, 1)
    vote = cluster.vote(2)
    cluster.run(150)
    assert [node.disk.content.blocks[0].bodies for node in cluster.nodes] == [(vote,)] * 4
    expect_views(cluster)


@pytest.mark.parametrize("n", [4, 5, 6, 7, 10])
def test_leaders_that_fall_silent_one_after_another_are_replaced(n: int) -> None:
    f = (n - 1) // 3
    cluster = Cluster(n, 2, liars=dict.fromkeys(range(f), LIARS["silent"]))
    vote = cluster.vote(n - 1)
    cluster.run(WAIT_MS * (2 ** (f + 1) + 1))
    expect_held(cluster, vote)
    expect_views(cluster, *range(1, f + 1))


@pytest.mark.parametrize("point", POINTS)
def test_the_whole_swarm_loses_power_and_returns(point: str) -> None:
    for seed in range(3):
        cluster = Cluster(4, seed, weather=Weather(loss=0.1))
        for node in cluster.nodes:
            cluster.vote(0)
            cluster.vote(1)
            cluster.run(30)
            node.doom = point
            cluster.at(400, "up again", node.me)
        cluster.run(1_000)
        expect_progress(cluster)


@pytest.mark.parametrize("liar", ["usurper", "flooder", "equivocator"])
def test_liars_who_lead_after_a_blackout_lose_nothing_that_committed(liar: str) -> None:
    for seed in range(3):
        cluster = Cluster(4, seed, liars={1: LIARS[liar]}, weather=Weather(loss=0.2))
        for _ in range(6):
            cluster.vote(0)
            cluster.vote(2)
            cluster.run(120)
            for node in cluster.honest:
                node.doom = "before sending"
                cluster.at(300, "up again", node.me)
            cluster.run(700)
        expect_progress(cluster)
