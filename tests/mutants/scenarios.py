# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Small stories with a name, for what the default menu can hardly reach; each fails by itself."""

from __future__ import annotations

from swarm_ledger.sim.pbft.cluster import OPTIONS, Cluster
from swarm_ledger.sim.pbft.liars import Equivocator, Omitter, Silent, Slow
from swarm_ledger.sim.pbft.network import Weather
from swarm_ledger.sim.pbft.node import Node
from swarm_ledger.sim.pbft.run import BOUND, demand_progress

WAIT_MS = OPTIONS["request_timeout_ms"]
HOUR_MS = 3_600_000


def bodies(node: Node) -> set[bytes]:
    """Return all requests on a drone's ledger."""
    return {body for block in node.disk.content.blocks for body in block.bodies}


def expect_held(cluster: Cluster, *votes: bytes) -> None:
    for node in cluster.honest:
        missing = set(votes) - bodies(node)
        assert not missing, f"{node.me} lacks {len(missing)} votes"


def expect_views(cluster: Cluster, *views: int) -> None:
    seen = sorted({view for _, view in cluster.watch.views})
    assert seen == sorted(views), f"views {seen} were asked for, not {sorted(views)}"


def expect_progress(cluster: Cluster) -> None:
    took = demand_progress(cluster)
    assert took <= BOUND, f"no progress in {BOUND} time-outs"


def cut_off(cluster: Cluster, me: int) -> None:
    others = range(len(cluster.nodes))
    cluster.air.cut = {(me, other) for other in others} | {(other, me) for other in others}


# leaders


def a_leader_that_leaves_out_one_voter_is_replaced() -> None:
    """Not by time alone: votes of the others keep coming, and are committed all the while."""
    cluster = Cluster(4, 3, liars={0: Omitter}, options={"request_timeout_ms": 60_000})
    vote = cluster.vote(0)
    for _ in range(30):
        cluster.vote(1)
        cluster.run(80)
    cluster.run(300)
    expect_views(cluster, 1)
    expect_held(cluster, vote)


class Leisurely(Slow):
    share = 0.3


def _a_slow_leader_is_replaced(kind: type[Slow]) -> None:
    cluster = Cluster(4, 3, liars={0: kind})
    for _ in range(40):
        cluster.vote(1)
        cluster.run(WAIT_MS)
    expect_views(cluster, 1)


def a_slow_leader_is_replaced() -> None:
    _a_slow_leader_is_replaced(Leisurely)


def a_leader_just_under_the_time_out_is_replaced() -> None:
    _a_slow_leader_is_replaced(Slow)


def an_honest_leader_that_missed_a_request_stays() -> None:
    """A request that only one replica has is passed on while the others' go through."""
    cluster = Cluster(4, 4)
    lonely = cluster.vote(1, to=[2])
    for _ in range(40):
        cluster.vote(3)
        cluster.run(30)
    expect_views(cluster)
    expect_held(cluster, lonely)


def catching_up_is_not_mistaken_for_being_left_out() -> None:
    cluster = Cluster(4, 5)
    cut_off(cluster, 3)
    for _ in range(25):
        cluster.vote(1, to=[0, 1, 2])
        cluster.run(40)
    cluster.vote(2, to=[3])
    cluster.heal()
    cluster.run(1_500)
    expect_views(cluster)
    assert len({node.ledger.height for node in cluster.nodes}) == 1


def an_equivocating_leader_is_named() -> None:
    cluster = Cluster(4, 6, liars={0: Equivocator})
    for _ in range(30):
        cluster.vote(1)
        cluster.vote(2)
        cluster.run(60)
    expect_progress(cluster)
    assert cluster.watch.accused == {0}, f"{cluster.watch.accused} are accused"
    assert all(node.ledger.convicted == {0} for node in cluster.honest)


def an_author_who_fills_the_pools_stops_nobody() -> None:
    """Each replica's quota for author 3 is full with other requests than the leader's."""
    cluster = Cluster(4, 7, liars={3: Silent}, options={"quota": 4})
    for replica in (0, 1, 2):
        for _ in range(4):
            cluster.vote(3, to=[replica])
    cluster.run(60)
    vote = cluster.vote(1)
    cluster.run(4 * WAIT_MS)
    expect_held(cluster, vote)


# time


def _fail_views(cluster: Cluster, number: int) -> None:
    """Let messages take so long that view after view fails; end where drone 0 is to lead."""
    cluster.air.weather = Weather(delay_ms=400 * WAIT_MS)
    cluster.vote(1)
    one = cluster.honest[-1].replica
    for _ in range(2_000):
        cluster.run(WAIT_MS)
        if one._state.attempts >= number and one.leader == 0 and not one.active:
            return
    raise AssertionError("too few views failed")


def time_outs_outgrow_a_slow_network() -> None:
    cluster = Cluster(4, 10, weather=Weather(delay_ms=2 * WAIT_MS))
    vote = cluster.vote(1)
    cluster.run(60 * WAIT_MS)
    expect_held(cluster, vote)


def many_failed_views_are_made_up_for() -> None:
    """Patience has an end: a silent leader costs a healed swarm no more than 16 time-outs."""
    cluster = Cluster(4, 11, liars={0: Silent})
    _fail_views(cluster, 8)
    expect_progress(cluster)


def many_failed_views_are_forgotten() -> None:
    """Once a leader delivers, the next one is suspected as soon as ever."""
    cluster = Cluster(4, 12)
    _fail_views(cluster, 5)
    expect_progress(cluster)
    leader = cluster.nodes[0].replica.leader
    cut_off(cluster, leader)
    others = [node for node in cluster.nodes if node.me != leader]
    vote = cluster.vote(others[0].me)
    cluster.run(5 * WAIT_MS)
    assert all(vote in bodies(node) for node in others), "the leader was not replaced in time"


def clocks_that_jump_ahead_cost_no_leader() -> None:
    cluster = Cluster(4, 13, options={"request_timeout_ms": 8 * WAIT_MS})
    vote = cluster.vote(1)
    cluster.run(3)
    for node in cluster.nodes:
        node.clock.correct(cluster.now, HOUR_MS)
    cluster.run(WAIT_MS)
    expect_views(cluster)
    expect_held(cluster, vote)


def clocks_that_were_set_back_do_not_keep_a_silent_leader() -> None:
    cluster = Cluster(4, 14, liars={0: Silent})
    cluster.run(WAIT_MS)
    for node in cluster.nodes:
        node.clock.correct(cluster.now, -HOUR_MS // 4)
    vote = cluster.vote(1)
    cluster.run(4 * WAIT_MS)
    expect_held(cluster, vote)


# restarts and partitions


def a_blackout_in_the_middle_of_a_view_change() -> None:
    """A restarted replica counts its own view change: nobody else can make up the quorum."""
    cluster = Cluster(4, 8, liars={0: Silent})
    cluster.vote(1)
    cluster.air.cut = {(a, b) for a in range(4) for b in range(4)}
    cluster.run(2 * WAIT_MS)
    expect_views(cluster, 1)
    for node in cluster.honest:
        cluster.crash(node)
    expect_progress(cluster)
    expect_views(cluster, 1)


def view_changes_that_crossed_a_partition_meet_again() -> None:
    """One replica hears a quorum, gives up, goes on; the others never heard it: no deadlock."""
    cluster = Cluster(4, 9, liars={0: Silent})
    cluster.vote(3)
    cluster.air.cut = {(2, 1), (2, 3)}
    cluster.run(8 * WAIT_MS)
    assert cluster.nodes[2].replica.view > cluster.nodes[3].replica.view
    expect_progress(cluster)


def a_quiet_swarm_s_last_blocks_become_stable() -> None:
    cluster = Cluster(4, 15)
    cluster.vote(1)
    cluster.run(3 * WAIT_MS)
    assert {node.replica.stable_seq for node in cluster.nodes} == {1}


# epochs


def what_waits_when_an_epoch_ends_is_ordered_in_the_next() -> None:
    cluster = Cluster(4, 16, spares=1)
    cluster.enrol((0, 1, 2, 3, 4))
    votes = [cluster.vote(author) for author in (0, 1, 2, 3) for _ in range(4)]
    cluster.run(8 * WAIT_MS)
    assert [version for version, _ in cluster.watch.epochs] == [1, 2]
    expect_held(cluster, *votes)


def whoever_missed_the_end_of_an_epoch_is_shown_it() -> None:
    cluster = Cluster(4, 17, spares=1)
    cut_off(cluster, 3)
    roster = cluster.enrol((0, 1, 2, 3, 4))
    cluster.nodes[3].paused = True
    cluster.run(6 * WAIT_MS)
    cluster.nodes[3].paused = False
    cluster.air.cut = set()
    vote = cluster.vote(1)
    cluster.run(6 * WAIT_MS)
    expect_held(cluster, roster, vote)


def the_end_of_an_epoch_becomes_stable() -> None:
    cluster = Cluster(4, 18, spares=1)
    cluster.enrol((0, 1, 2, 3, 4))
    while cluster.nodes[0].epoch.version == 1:
        cluster.run(1)
    cluster.air.weather = Weather(loss=0.9)
    cluster.run(2 * WAIT_MS)
    cluster.heal()
    cluster.run(8 * WAIT_MS)
    for node in cluster.nodes[:4]:
        end = node.epoch.base
        stable = max(node.retired[1].stable_seq, node.replica.stable_seq)
        assert stable >= end, f"{node.me} can't prove the end of its epoch"
