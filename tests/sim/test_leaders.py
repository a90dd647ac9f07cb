# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Which leaders are replaced: slow ones within the time-out; not those who were unlucky."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from swarm_ledger.sim.pbft.cluster import Cluster
from swarm_ledger.sim.pbft.forgers import LIARS
from swarm_ledger.sim.pbft.network import Weather
from swarm_ledger.sim.pbft.run import demand_progress


def holds(cluster: Cluster, me: int, body: bytes) -> bool:
    return any(body in block.bodies for block in cluster.nodes[me].disk.content.blocks)


def pace(cluster: Cluster, me: int) -> int:
    return cluster.nodes[me].replica._state.pace.strikes


@pytest.mark.parametrize("n", [4, 7])
def test_a_leader_that_is_just_quicker_than_the_time_out_is_replaced(n: int) -> None:
    cluster = Cluster(n, 3, liars={0: LIARS["slow"]})
    for number in range(60):
        cluster.vote(1 + number % (n - 1))
        cluster.run(100)
    assert cluster.watch.views == {(1, 1)}
    assert demand_progress(cluster) <= 2


def test_a_slow_leader_within_the_time_out_cost_no_time_out() -> None:
    """Patience with the next leader is what it was: nobody was silent."""
    cluster = Cluster(4, 3, liars={0: LIARS["slow"]})
    for number in range(60):
        cluster.vote(1 + number % 3)
        cluster.run(100)
    state = cluster.nodes[1].replica._state
    assert state.timeout_ms == state.settings.request_timeout_ms


@pytest.mark.parametrize(
    "weather",
    [
        Weather(delay_ms=5),
        Weather(delay_ms=100),
        Weather(delay_ms=50, late=0.1, twice=0.1),
        Weather(delay_ms=50, loss=0.3),
        Weather(delay_ms=20, slow=(0, 2)),
    ],
    ids=str,
)
def test_a_fair_leader_is_not_called_slow_whatever_the_network(weather: Weather) -> None:
    cluster = Cluster(4, 5, weather=weather, options={"request_timeout_ms": 4_000})
    for number in range(200):
        cluster.vote(number % 4)
        cluster.run(30)
    assert [pace(cluster, me) for me in range(4)] == [0] * 4
    assert not cluster.watch.views


def busy(cluster: Cluster, votes: int, authors: Callable[[int], int]) -> None:
    for number in range(votes):
        cluster.vote(authors(number))
        cluster.run(10)


def test_a_request_whose_broadcast_was_lost_deposes_nobody() -> None:
    """Many blocks pass it over before the first relay by time; the leader has to be shown it."""
    cluster = Cluster(4, 7, options={"request_timeout_ms": 60_000, "max_batch": 1})
    busy(cluster, 5, lambda number: number % 3)
    lonely = cluster.vote(3, to=[3])
    busy(cluster, 100, lambda number: number % 3)
    cluster.run(200)
    assert not cluster.watch.views
    assert all(holds(cluster, me, lonely) for me in range(4))


def test_a_leader_that_was_shown_a_request_and_leaves_it_out_is_replaced() -> None:
    cluster = Cluster(
        4, 7, liars={1: LIARS["omitter"]}, options={"request_timeout_ms": 60_000, "max_batch": 1}
    )
    cluster.nodes[0].doom = "before sending"
    cluster.vote(2)
    cluster.run(100)  # the leader of view 0 is away: view 1 is led by the one that omits
    for node in cluster.honest[1:]:
        node.replica._state.pool.restart_clocks(0)
    cluster.run(70_000)
    assert cluster.nodes[2].replica.view == 1
    cluster.start(cluster.nodes[0])
    cluster.run(500)
    omitted = cluster.vote(0)
    busy(cluster, 60, lambda number: 2 + number % 2)
    cluster.run(500)
    assert cluster.nodes[2].replica.view > 1
    assert all(holds(cluster, me, omitted) for me in (0, 2, 3))
