# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Many seeds: faults, liars, crashes, then healing. SWARM_SEEDS=0:1000 runs others."""

from __future__ import annotations

import os

import pytest

from tests.sim.checkers import Violation
from tests.sim.cluster import SETTINGS, Cluster, Weather
from tests.sim.liars import Equivocator, Flooder, Liar, Omitter, Silent, Usurper
from tests.sim.scenario import BOUND, POINTS, demand_progress, run

FIRST, LAST = map(int, os.environ.get("SWARM_SEEDS", "0:60").split(":"))
WAIT_MS = SETTINGS["request_timeout_ms"]


@pytest.mark.parametrize("block", range(FIRST, LAST, 10))
def test_seeds(block: int) -> None:
    for seed in range(block, min(block + 10, LAST)):
        try:
            _, took = run(seed)
        except Violation as violation:
            pytest.fail(f"seed {seed}: {violation}")
        assert took <= BOUND


def test_same_seed_same_trace() -> None:
    traces = {run(seed)[0].trace for seed in (3, 3, 4)}
    assert len(traces) == 2


def test_a_quiet_swarm_commits_one_vote_at_once_in_view_0() -> None:
    cluster = Cluster(4, 1)
    vote = cluster.vote()
    cluster.run(150)
    assert [node.disk.blocks[0].bodies for node in cluster.nodes] == [(vote,)] * 4
    assert not cluster.watch.views


@pytest.mark.parametrize("n", [4, 5, 6, 7, 10])
def test_leaders_that_fall_silent_one_after_another_are_replaced(n: int) -> None:
    f = (n - 1) // 3
    cluster = Cluster(n, 2, liars=dict.fromkeys(range(f), Silent))
    vote = cluster.vote(n - 1)
    cluster.run(WAIT_MS * (2 ** (f + 1) + 1))
    assert all(vote in node.disk.blocks[0].bodies for node in cluster.honest)
    assert max(cluster.watch.views) == f


def test_a_leader_that_leaves_out_one_voter_is_replaced() -> None:
    """Not by time alone: votes of the others keep coming, and are committed all the while."""
    cluster = Cluster(4, 3, liars={0: Omitter}, request_timeout_ms=60_000)
    vote = cluster.vote(0)
    for _ in range(30):
        cluster.vote(1)
        cluster.run(80)
    cluster.run(300)
    assert cluster.watch.views == {1}
    assert all(any(vote in block.bodies for block in node.disk.blocks) for node in cluster.honest)


def test_an_honest_leader_that_missed_a_request_under_load_stays() -> None:
    """A request that only one replica has is passed on while the others' go through."""
    cluster = Cluster(4, 4)
    lonely = cluster.vote(1, to=[2])
    for _ in range(40):
        cluster.vote(3)
        cluster.run(30)
    assert not cluster.watch.views
    assert any(lonely in block.bodies for block in cluster.nodes[0].disk.blocks)


def test_catching_up_is_not_mistaken_for_being_left_out() -> None:
    cluster = Cluster(4, 5)
    cluster.cut = {(other, 3) for other in range(3)} | {(3, other) for other in range(3)}
    for _ in range(25):
        cluster.vote(1, to=[0, 1, 2])
        cluster.run(40)
    cluster.vote(2, to=[3])
    cluster.heal()
    cluster.run(1_500)
    assert not cluster.watch.views
    assert len({len(node.disk.blocks) for node in cluster.nodes}) == 1


def test_equivocating_leader_is_named_and_nobody_else() -> None:
    cluster = Cluster(4, 6, liars={0: Equivocator})
    for _ in range(30):
        cluster.vote()
        cluster.vote()
        cluster.run(60)
    demand_progress(cluster, cluster.rng)
    assert cluster.watch.accused == {0}


def test_an_author_who_fills_the_pools_with_different_requests_stops_nobody() -> None:
    """Each replica's quota for author 3 is full with other requests than the leader's."""
    cluster = Cluster(4, 7, liars={3: Silent}, quota=4)
    for replica in (0, 1, 2):
        for _ in range(4):
            cluster.vote(3, to=[replica])
    cluster.run(60)
    vote = cluster.vote(1)
    cluster.run(4 * WAIT_MS)
    assert all(any(vote in block.bodies for block in node.disk.blocks) for node in cluster.honest)


@pytest.mark.parametrize("point", POINTS)
def test_the_whole_swarm_loses_power_and_returns(point: str) -> None:
    for seed in range(3):
        cluster = Cluster(4, seed, weather=Weather(loss=0.1))
        for node in cluster.nodes:
            cluster.vote()
            cluster.vote()
            cluster.run(30)
            cluster.crash_soon(node.me, point, 400)
        cluster.run(1_000)
        demand_progress(cluster, cluster.rng)


def test_blackout_in_the_middle_of_a_view_change() -> None:
    """A restarted replica counts its own view change: nobody else can make up the quorum."""
    cluster = Cluster(4, 8, liars={0: Silent})
    cluster.vote(1)
    cluster.cut = {(a, b) for a in range(4) for b in range(4)}
    cluster.run(2 * WAIT_MS)
    assert cluster.watch.views == {1}
    for node in cluster.honest:
        node.up = False
    demand_progress(cluster, cluster.rng)
    assert max(cluster.watch.views) == 1


def test_view_changes_that_crossed_a_partition_meet_again() -> None:
    """One replica hears a quorum, gives up, goes on; the others never heard it: no deadlock."""
    cluster = Cluster(4, 9, liars={0: Silent})
    cluster.nodes[2].skew_ms = 3
    cluster.vote(3)
    cluster.cut = {(2, 1), (2, 3)}
    cluster.run(8 * WAIT_MS)
    assert cluster.nodes[2].replica.view > cluster.nodes[3].replica.view
    demand_progress(cluster, cluster.rng)


@pytest.mark.parametrize("liar", [Usurper, Flooder, Equivocator])
def test_liars_who_lead_after_a_blackout_lose_nothing_that_committed(liar: type[Liar]) -> None:
    for seed in range(3):
        cluster = Cluster(4, seed, liars={1: liar}, weather=Weather(loss=0.2))
        for _ in range(6):
            cluster.vote()
            cluster.vote()
            cluster.run(120)
            for node in cluster.honest:
                cluster.crash_soon(node.me, "before sending", 300)
            cluster.run(700)
        demand_progress(cluster, cluster.rng)
