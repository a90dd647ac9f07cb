# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""View changes that lost a decision, chose a wrong one, or never came to an end."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from swarm_ledger.consensus.messages import (
    Batch,
    Commit,
    Committed,
    Message,
    NewView,
    Prepare,
    Prepared,
    PrePrepare,
    ViewChange,
)
from swarm_ledger.consensus.state import MAX_DOUBLINGS
from tests.known_bugs.swarm import PATIENCE_MS, Swarm
from tests.unit.consensus_desk import Desk, batch
from tests.unit.consensus_mint import forge

ALL = {0, 1, 2, 3}
X, Y = batch(1, b"x"), batch(1, b"y")


# quorums


@pytest.mark.parametrize("n", [5, 6, 8, 9])
def test_2f_plus_1_do_not_prepare_where_n_is_not_3f_plus_1(n: int) -> None:
    """A known bug of others: a quorum of 2f + 1 for every n. With n = 5, 6, 8 or 9 two of them
    share no honest replica: n = 6 falls into two halves that both decide."""
    desk = Desk(1, n)
    desk.submit(b"x")
    desk.hear(0, PrePrepare(0, X))
    others = range(2, n)
    wrong = 2 * ((n - 1) // 3) + 1
    for other in others[: wrong - 2]:  # with the leader's pre-prepare and our own: 2f + 1
        desk.hear(other, Prepare(0, 1, X.digest()))
    assert not desk.all(Commit)
    for other in others[wrong - 2 : desk.settings.quorum - 2]:
        desk.hear(other, Prepare(0, 1, X.digest()))
    assert desk.all(Commit)
    for other in others[: wrong - 1]:
        desk.hear(other, Commit(0, 1, X.digest()))
    assert not desk.blocks
    for other in others[wrong - 1 : desk.settings.quorum - 1]:
        desk.hear(other, Commit(0, 1, X.digest()))
    assert desk.blocks


def test_two_halves_of_six_decide_nothing() -> None:
    """The same, as a swarm: n = 6 in two halves of 2f + 1 = 3."""
    swarm = Swarm(6)
    swarm.air.cut = {(a, b) for a in range(6) for b in range(6) if (a < 3) != (b < 3)}
    votes = [swarm.vote(0, to=[0, 1, 2]), swarm.vote(5, to=[3, 4, 5])]
    swarm.run(8 * PATIENCE_MS)
    assert not any(map(swarm.holders, votes))
    swarm.isolate()
    for vote in votes:
        swarm.until_held(vote, set(range(6)))


# what a new view begins with


def test_zyzzyva_the_older_of_two_certificates_never_replaces_what_a_later_view_decided() -> None:
    """Zyzzyva (arXiv 1712.01367, 2): a commit certificate of an old view was preferred to what a
    later view had decided on its fast track, and a decided request was replaced.

    Here view 0 prepares one batch at drone 3 only; view 1, without drone 3, commits another one at
    drone 1 only; view 2 is opened without drone 1, and both certificates are shown in it.
    """
    swarm = Swarm()

    def lost(_: int, to: int, message: Message) -> bool:
        if isinstance(message, Prepare):
            return message.view == 0 and to != 3
        return isinstance(message, Commit) and to != 1

    swarm.lost = lost
    vote = swarm.vote(3)
    swarm.run(200)
    in_view_0 = swarm.nodes[3].replica._state.slots[1].prepared
    swarm.isolate(3)
    swarm.until_held(vote, {1}, 4)
    decided = swarm.nodes[1].disk.content.blocks[0].batch()
    assert in_view_0 is not None
    assert in_view_0.batch != decided
    swarm.isolate(1)
    swarm.lost = lambda *_: False
    swarm.until_held(vote, {0, 2, 3}, 20)
    assert {n.disk.content.blocks[0].batch() for n in swarm.nodes} == {decided}


def test_fab_no_quorum_of_view_changes_leaves_a_leader_without_a_choice() -> None:
    """FaB (arXiv 1712.01367, 3): "overly safe", its rule could find two values in the answers that
    each might be decided, vouched for neither, and the new leader was stuck for good.

    Ours: whatever view 0 and view 1 prepared at whomever, each quorum of honest view changes opens
    view 2, with the batch of the highest view that anybody shows, or with none.
    """
    choices: tuple[tuple[int, Batch] | None, ...] = (None, (0, X), (1, Y))
    for shown in product(choices, repeat=4):
        for quorum in combinations(range(4), 3):
            desk = Desk(0)
            seen = {other: one for other in quorum if (one := shown[other])}
            changes = {other: desk.view_change(2) for other in quorum}
            for other, (view, what) in seen.items():
                changes[other] = desk.view_change(2, desk.prepared(view, what))
            desk.hear(2, desk.new_view(2, changes))
            assert (desk.replica.view, desk.replica.active) == (2, True), shown
            wanted = max(seen.values(), key=lambda one: one[0])[1] if seen else None
            assert desk.replica._state.expected.get(1) == wanted, shown


def test_concord_50_an_invalid_prepared_certificate_hides_no_valid_one() -> None:
    """concord-bft #50: a view change with an invalid prepared certificate, sent by a liar, made
    the new leader ignore the valid ones in the others' view changes: a decision could be lost.

    Ours refuses the liar's whole message, and goes on with those of others.
    """
    desk = Desk(3)
    said = desk.mint.seal(1, PrePrepare(1, Y))
    valid = desk.prepared(1, Y)
    invalid = (
        Prepared(said, valid.prepares[:1]),
        Prepared(said, desk.prepared(1, X).prepares),
        Prepared(said, desk.prepared(0, Y).prepares),
        desk.prepared(1, Y, by=(1, 2)),
        desk.prepared(1, Y, by=(2, 2)),
        Prepared(desk.mint.seal(2, PrePrepare(1, Y)), valid.prepares),
        Prepared(said, (valid.prepares[0], forge(2, Prepare(1, 1, Y.digest())))),
    )
    for certificate in invalid:
        desk = Desk(3)
        desk.submit(b"x", b"y")
        assert desk.refuses(1, desk.view_change(3, certificate)) in (
            "bad_certificate",
            "bad_signature",
        )
        desk.hear(0, desk.view_change(3, desk.prepared(0, X)))
        desk.hear(2, desk.view_change(3))
        assert len(desk.all(NewView)) == 1
        assert desk.last(PrePrepare) == PrePrepare(3, X)


def test_neo_dbft_2_commits_split_over_three_views_come_together() -> None:
    """Neo dBFT 2.0 (neo-modules #792): whoever had sent a commit was locked in its view. With one
    commit in view 0, one in view 1 and two on their way to view 2, nobody could ever go on.

    Ours leaves its view also after a commit, and takes the certificate along.
    """
    swarm = Swarm()

    def lost(_: int, to: int, message: Message) -> bool:
        if isinstance(message, Prepare):
            return to != {0: 2, 1: 3}.get(message.view)
        if isinstance(message, (ViewChange, NewView)):  # those two do not hear that it was left
            return to == 2 or (to == 3 and message.view >= 2)
        return False

    swarm.lost = lost
    vote = swarm.vote(0)
    swarm.until(lambda: 1 in {v for v, _ in _commits(swarm, 3)}, 20)
    swarm.until(lambda: all(swarm.nodes[me].replica.view >= 2 for me in (0, 1)), 40)
    assert _commits(swarm, 2) == {(0, 1)}
    assert _commits(swarm, 3) == {(1, 1)}
    assert not _commits(swarm, 0) | _commits(swarm, 1)
    assert not swarm.holders(vote)
    swarm.lost = lambda *_: False
    swarm.until_held(vote, ALL, 40)


def _commits(swarm: Swarm, me: int) -> set[tuple[int, int]]:
    """The views and numbers in which a drone has sent a commit."""
    own = swarm.watch._said
    return {
        (int(str(key[3])), int(str(key[4]))) for key in own if key[0] == me and key[2] == "commit"
    }


def test_duplicate_execution_what_one_drone_applied_before_the_view_change_is_applied_once() -> (
    None
):
    """A known bug of others: a batch that committed at one replica only is ordered again by the
    next view, and that replica executes it twice; or executes it under another number."""
    swarm = Swarm()
    swarm.lost = lambda _, to, message: isinstance(message, Commit) and to != 1
    vote = swarm.vote(1)
    swarm.until_held(vote, {1}, 2)
    swarm.fall_silent(0)
    swarm.lost = lambda _, __, message: isinstance(message, Committed)
    last = swarm.vote(2)
    swarm.until_held(last, {1, 2, 3}, 20)
    for me in (1, 2, 3):
        bodies = [body for b in swarm.nodes[me].disk.content.blocks for body in b.bodies]
        assert sorted(bodies) == sorted((vote, last))
    swarm.agree()


def test_a_vote_lost_with_its_batch_is_ordered_by_the_next_leader() -> None:
    """A known bug of others: requests count as assigned once a batch names them; the batch dies
    with its view, and they are never ordered, as no later leader takes them up.

    Its author is gone too, so that nobody says the vote again.
    """
    swarm = Swarm(7)
    swarm.lost = lambda _, __, message: isinstance(message, Prepare) and message.view == 0
    votes = [swarm.vote(0) for _ in range(6)]
    swarm.run(200)
    assert all(len(node.replica._state.in_flight) >= 4 for node in swarm.nodes)
    swarm.fall_silent(0)
    for vote in votes:
        swarm.until_held(vote, set(range(1, 7)), 20)
    swarm.agree()


# views that never begin


def test_a_leader_opens_no_view_before_a_quorum_and_nobody_moves_on_alone() -> None:
    """A known bug of others: replicas give up on a view before the others have even left the last
    one, and each time-out drives them further apart: a livelock.

    Ours waits in the view that it asked for until a quorum has left, however long that takes.
    """
    for heard in ((), (2,)):
        desk = Desk(1)
        desk.submit(b"x")
        desk.wait(2_100)
        assert (desk.replica.view, desk.replica.active) == (1, False)
        for other in heard:
            desk.hear(other, desk.view_change(1))
        desk.wait(200_000, step=1_000)
        assert (desk.replica.view, desk.replica.active) == (1, False)
        assert desk.all(ViewChange) == [desk.view_change(1)]


def test_goquorum_1664_patience_ends_at_a_cap_and_never_overflows() -> None:
    """GoQuorum #1664: the round timer doubled each round and was cut to its cap afterwards; after
    33 rounds the doubling overflowed, the timer became negative, and round changes stormed so that
    the network did not even recover when all were back.

    Ours: the wait never gets shorter, nor longer than 16 time-outs, however many views fail.
    """
    desk = Desk()
    waits = []
    for attempts in [*range(140), 1 << 20, 1 << 40]:
        desk.replica._state.attempts = attempts
        waits.append(desk.replica._state.timeout_ms)
    assert waits == sorted(waits)
    assert max(waits) == desk.settings.request_timeout_ms << MAX_DOUBLINGS


def test_goquorum_1664_no_storm_of_view_changes_and_a_swarm_that_recovers_from_a_long_night() -> (
    None
):
    """GoQuorum #1664, with a whole swarm: 40 views in a row fail, then messages arrive again."""
    swarm = Swarm()
    swarm.lost = lambda _, __, message: isinstance(message, (PrePrepare, NewView))
    vote = swarm.vote(0)
    swarm.until(lambda: min(node.replica.view for node in swarm.nodes) >= 40, 1_000)
    views, cap = len(swarm.watch.views), 1 << MAX_DOUBLINGS
    swarm.run(10 * cap * PATIENCE_MS)
    assert 8 <= len(swarm.watch.views) - views <= 12
    swarm.lost = lambda *_: False
    assert swarm.until_held(vote, ALL, 3 * cap) <= 3 * cap


def test_celo_706_those_behind_reach_whoever_is_two_views_ahead_though_patience_is_capped() -> (
    None
):
    """Celo #706: with F down, one validator waiting for round N + 2 and 2F for round N, all timers
    at their cap, the 2F never caught up with the one, and no round had a quorum again.

    Ours: one that went on counts against the patience of those behind, and it waits for them.
    """
    swarm = Swarm()
    swarm.fall_silent(0)
    swarm.lost = lambda _, __, message: isinstance(message, NewView)
    vote = swarm.vote(1)
    ahead = swarm.nodes[3].replica
    swarm.until(lambda: ahead.view >= 7, 200)  # patience is at its cap by then
    swarm.lost = lambda sender, to, message: (
        isinstance(message, NewView) or (isinstance(message, ViewChange) and sender == 3)
    )
    swarm.until(lambda: ahead.view >= swarm.nodes[1].replica.view + 1, 100)
    behind = {swarm.nodes[me].replica.view for me in (1, 2)}
    swarm.lost = lambda *_: False
    assert max(behind) < ahead.view
    swarm.until_held(vote, {1, 2, 3}, 4 << MAX_DOUBLINGS)


def test_bft_smart_19_one_drone_cut_off_at_the_worst_moments_stops_nobody() -> None:
    """BFT-SMaRt #19: a scheduler that cut off one node at a time, and chose whom by watching for
    the next view change, brought the others to a livelock: no progress with n - f connected.

    Here it isolates each new leader once its view is asked for; then it stays with the last one.
    """
    for rounds in range(1, 6):
        swarm = Swarm()
        vote = swarm.vote(3)
        victim = 0
        swarm.isolate(victim)
        for _ in range(rounds):
            view = max(node.replica.view for node in swarm.nodes)
            swarm.until(lambda: any(n.replica.view > view for n in swarm.nodes), 40)  # noqa: B023
            victim = (view + 1) % 4
            swarm.isolate(victim)
            if swarm.holders(vote):
                break
        swarm.until_held(vote, ALL - {victim}, 60)
        swarm.isolate()
        swarm.until_held(vote, ALL, 20)
        swarm.agree()
