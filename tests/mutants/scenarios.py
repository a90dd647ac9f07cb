# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Small stories with a name, for what the default menu can hardly reach; each fails by itself."""

from __future__ import annotations

from swarm_ledger.consensus.messages import (
    Batch,
    Checkpoint,
    Message,
    Prepare,
    PrePrepare,
    Signed,
    Want,
)
from swarm_ledger.consensus.replica import Replica
from swarm_ledger.encoding import digest
from swarm_ledger.sim.pbft.cluster import OPTIONS, Cluster
from swarm_ledger.sim.pbft.liars import Equivocator, Liar, Omitter, Silent, Slow
from swarm_ledger.sim.pbft.network import CALM, Weather
from swarm_ledger.sim.pbft.node import Node
from swarm_ledger.sim.pbft.requests import Evidence
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


def two_statements_of_two_members_convict_nobody() -> None:
    cluster = Cluster(4, 21, liars={3: Silent})
    said = [
        cluster.mint.seal(1, member, Prepare(0, 9, bytes([member]) * 32)).raw for member in (1, 2)
    ]
    cluster.post(3, None, Evidence(*said).encode())
    cluster.vote(1)
    cluster.run(WAIT_MS)
    for node in cluster.honest:
        cluster.watch.verdicts(node)


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


class Reticent(Liar):
    """Opens its view, and hands over nothing that this rests on."""

    def step(self, replica: Replica, signed: Signed[Message]) -> None:
        if not isinstance(signed.message, Want):
            super().step(replica, signed)


def a_new_view_s_view_changes_come_from_others_than_its_leader() -> None:
    cluster = Cluster(4, 20, liars={1: Reticent})
    cluster.air.cut = {(2, 3)}
    cluster.crash(cluster.nodes[0])
    cluster.vote(2)
    while cluster.nodes[2].replica.view != 1 or not cluster.nodes[2].replica.active:
        cluster.run(10)
    cluster.air.cut = set()
    cluster.run(WAIT_MS // 2)
    replica = cluster.nodes[3].replica
    assert (replica.view, replica.active) == (1, True), "one never came to view 1"


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
    cluster = Cluster(4, 16, spares=1, options={"pipeline": 1, "max_batch": 1})
    cluster.enrol((0, 1, 2, 3, 4))
    cluster.run(21)  # the roster is in flight, and everything else waits behind it
    cluster.air.weather = Weather(delay_ms=1)
    votes = [cluster.vote(author) for author in (0, 1, 2, 3) for _ in range(4)]
    cluster.air.weather = CALM
    cluster.run(2)
    assert {node.epoch.version for node in cluster.nodes} == {1}
    assert all(node.replica.pending >= len(votes) for node in cluster.nodes)
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


def whoever_missed_more_epochs_than_are_answered_for_asks_as_a_member_of_a_later_one() -> None:
    cluster = Cluster(5, 17, spares=1)
    cut_off(cluster, 3)
    cluster.nodes[3].paused = True
    rosters = []
    for again in range(5):
        rosters.append(cluster.enrol((0, 1, 2, 3, 4, 5)[: 6 - again % 2]))
        cluster.run(6 * WAIT_MS)
    assert 1 not in cluster.nodes[0].retired
    cluster.nodes[3].paused = False
    cluster.air.cut = set()
    cluster.announce(cluster.newest)
    vote = cluster.vote(1)
    cluster.run(10 * WAIT_MS)
    expect_held(cluster, *rosters, vote)


def _end_an_epoch(*, lost: bool) -> set[int]:
    """End the first epoch after block 1, and return which drones can prove that in the end.

    lost: for a while no vote for it arrives.
    """
    cluster = Cluster(4, 18, spares=1)
    post = cluster.post

    def without_votes(sender: int, to: int | None, raw: bytes) -> None:
        request = raw[:1] in (b"v", b"r", b"e")
        if request or not isinstance(cluster.mint.open(raw).signed.message, Checkpoint):
            post(sender, to, raw)

    if lost:
        cluster.post = without_votes  # type: ignore[method-assign]
    cluster.enrol((0, 1, 2, 3, 4))
    cluster.run(4 * WAIT_MS)
    cluster.post = post  # type: ignore[method-assign]
    cluster.run(40 * WAIT_MS)
    assert {node.epoch.base for node in cluster.nodes} == {1}
    return {node.me for node in cluster.nodes[:4] if node.retired[1].stable_seq == 1}


def the_end_of_an_epoch_becomes_stable() -> None:
    assert _end_an_epoch(lost=False) == {0, 1, 2, 3}


def votes_for_the_end_of_an_epoch_are_sent_again() -> None:
    assert _end_an_epoch(lost=True)


def whoever_missed_votes_for_the_end_of_an_epoch_is_shown_them() -> None:
    assert _end_an_epoch(lost=True) == {0, 1, 2, 3}, "who had a quorum fell silent"


def an_epoch_may_begin_beyond_the_first_window() -> None:
    cluster = Cluster(4, 19, spares=1, options={"max_batch": 1})
    for _ in range(2 * OPTIONS["window"]):
        cluster.vote(1)
        cluster.run(60)
    cluster.enrol((0, 1, 2, 3, 4))
    expect_progress(cluster)
    assert cluster.nodes[0].epoch.base > OPTIONS["window"]


# proposals of a leader that is not one of ours


def _propose(cluster: Cluster, sender: int, seq: int, *requests: bytes) -> None:
    batch = Batch(seq, cluster.now, tuple(map(digest, requests)))
    raw = cluster.mint.seal(1, sender, PrePrepare(0, batch)).raw
    for node in cluster.honest:
        cluster.at(1, "raw", node.me, raw)


def only_the_leader_proposes() -> None:
    cluster = Cluster(4, 22, liars={3: Silent})
    cluster.crash(cluster.nodes[0])
    vote = cluster.vote(1)
    cluster.run(30)
    _propose(cluster, 3, 1, vote)
    cluster.run(100)
    assert not cluster.watch.blocks


def _led_by_a_puppet(*batches: tuple[int, ...]) -> None:
    """Its leader says only what stands here: for each batch, which votes it orders."""
    cluster = Cluster(4, 23, liars={0: Silent})
    votes = [cluster.vote(1) for _ in range(2)]
    cluster.run(30)
    for seq, which in enumerate(batches, 1):
        _propose(cluster, 0, seq, *(votes[one] for one in which))
        if which != batches[-1]:
            cluster.run(150)
    cluster.run(150)


def a_leader_orders_no_request_twice() -> None:
    """Two batches at once, so that neither is applied when the other one comes."""
    cluster = Cluster(4, 24, liars={0: Silent})
    vote = cluster.vote(1)
    cluster.run(30)
    for seq in (1, 2):
        _propose(cluster, 0, seq, vote)
    cluster.run(150)


def no_batch_names_a_request_twice() -> None:
    _led_by_a_puppet((0, 0))


def a_leader_orders_nothing_again_that_was_applied() -> None:
    _led_by_a_puppet((0,), (1, 0))
