# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Bugs of Hyperledger Fabric 0.5's PBFT (hyperledger-archives/fabric), each by its number."""

from __future__ import annotations

from swarm_ledger.consensus.messages import Checkpoint, Message, Prepare, PrePrepare
from tests.known_bugs.swarm import PATIENCE_MS, Swarm
from tests.unit.consensus_desk import Desk, batch

ALL = {0, 1, 2, 3}


def test_fabric_1111_every_low_watermark_counts_not_only_those_at_the_chosen_checkpoint() -> None:
    """Fabric #1111: a new view wanted 2f + 1 low watermarks among the view changes that *name the
    chosen checkpoint* (S'), instead of among all of them (S), and so never began.

    Ours begins at the highest proven checkpoint, be it in one view change only.
    """
    desk = Desk(1)
    held = desk.prepared(0, batch(9, b"x"))
    changes = {
        0: desk.view_change(2, held, stable=8),
        2: desk.view_change(2, stable=4),
        3: desk.view_change(2),
    }
    desk.hear(2, desk.new_view(2, changes))
    assert (desk.replica.view, desk.replica.active) == (2, True)
    assert desk.replica.stable_seq == 8
    desk.submit(b"x")
    desk.hear(2, PrePrepare(2, batch(9, b"x")))
    assert desk.last(Prepare) == Prepare(2, 9, batch(9, b"x").digest())


def test_fabric_1111_a_swarm_with_three_different_checkpoints_gets_its_next_leader() -> None:
    """Fabric #1111, with a whole swarm: no two of the three that are left have the same stable
    checkpoint when their leader falls silent."""
    swarm = Swarm()

    def lost(_: int, to: int, message: Message) -> bool:
        limit = {2: 4, 3: 0}.get(to, 1 << 30)
        return isinstance(message, Checkpoint) and message.seq > limit

    swarm.lost = lost
    for height in range(1, 10):
        swarm.until_held(swarm.vote(height % 4), ALL)
    assert [node.replica.stable_seq for node in swarm.nodes] == [8, 8, 4, 0]
    swarm.fall_silent(0)
    vote = swarm.vote(3)
    swarm.until_held(vote, {1, 2, 3}, 8)
    assert all(swarm.nodes[me].replica.view > 0 for me in (1, 2, 3))
    swarm.agree()


def test_fabric_1917_a_view_change_that_was_lost_is_said_again() -> None:
    """Fabric #1917: vp1, vp2 and vp3 were linked to vp0 only. A request did not prepare, all sent
    a view change, vp0 gave up on the next view too; once the links were up nobody ever said its
    view change again, and the network halted for good.

    Ours repeats it until the view begins: the same request commits, with no new one to help.
    """
    swarm = Swarm()
    swarm.separate(1, 2, 3)
    vote = swarm.vote(0)
    swarm.run(8 * PATIENCE_MS)
    assert not swarm.holders(vote)
    views = [node.replica.view for node in swarm.nodes]
    assert min(views) >= 1
    assert views[0] > min(views)
    swarm.isolate()
    swarm.until_held(vote, ALL, 20)


def test_fabric_925_a_request_that_waited_for_a_quorum_needs_no_new_one_to_be_ordered() -> None:
    """Fabric #925: two of four peers were down. A request was queued; the two came back, and it
    lay there until somebody sent another request.

    Ours goes on by itself, whoever of the four was away.
    """
    for away in ((2, 3), (0, 1), (0, 3)):
        swarm = Swarm()
        swarm.run(100)
        for me in away:
            swarm.fall_silent(me)
        author = next(iter(ALL - set(away)))
        vote = swarm.vote(author)
        swarm.run(6 * PATIENCE_MS)
        assert not swarm.holders(vote)
        for me in away:
            swarm.start(swarm.nodes[me])
        swarm.until_held(vote, ALL, 20)


def fall_behind(swarm: Swarm, every_ms: int) -> None:
    """Have drone 3 miss three windows of blocks, and come back while the others go on."""
    swarm.isolate(3)
    for _ in range(60):
        swarm.vote(swarm.rng.randrange(3))
        swarm.run(60)
    assert swarm.heights()[3] == 0
    assert swarm.heights()[0] > 3 * swarm.options["window"]
    swarm.isolate()
    for _ in range(10_000 // every_ms):
        swarm.vote(swarm.rng.randrange(3))
        swarm.run(every_ms)
        if max(swarm.heights()) - swarm.heights()[3] <= 2:
            return
    raise AssertionError(f"still behind: {swarm.heights()}")


def test_fabric_920_a_laggard_catches_up_though_the_watermarks_move_on() -> None:
    """Fabric #920: a replica that fell behind asked for the state at a checkpoint; by the time
    it had that, the others' window had moved, what it heard was outside of its own, and it asked
    again, for ever.

    Ours takes blocks wherever the others' watermarks are by then, each for its own certificate.
    """
    swarm = Swarm()
    fall_behind(swarm, every_ms=250)
    vote = swarm.vote(3)
    swarm.fall_silent(2)
    swarm.until_held(vote, {0, 1, 3}, 8)  # which takes all three of them


OUT_OF_ORDER = "blocks beyond the own window count only in order: a far laggard drops the others"


def test_fabric_920_a_laggard_gains_on_a_busy_swarm_whose_radio_reorders() -> None:
    """Fabric #920, under load: the blocks of one answer overtake one another on their way.

    Whoever is more than a window behind must keep them until those before them are there, or it
    gets one or two blocks for each question, and never gains on a swarm that makes 16 a second.
    """
    fall_behind(Swarm(), every_ms=60)


def test_fabric_920_blocks_that_overtook_one_another_are_kept_however_far_behind() -> None:
    """The same with one replica: the answer to one question, in the order in which it came."""
    desk = Desk(1, window=8, interval=4)
    for seq in range(1, 9):
        desk.hear(2, desk.committed(0, seq, b"%d" % seq))
    for seq in (10, 12, 9, 11):
        desk.hear(2, desk.committed(0, seq, b"%d" % seq))
    assert [block.seq for block in desk.blocks] == list(range(1, 13))


def test_fabric_1331_a_restarted_peer_holds_what_the_others_hold_without_a_checkpoint() -> None:
    """Fabric #1331: a peer was stopped, missed some blocks, was started, executed what came next
    on top of what it had, and stayed different in height and state until the next checkpoint.

    Ours executes nothing over a gap, and fetches what it missed at once: no checkpoint helps here.
    """
    swarm = Swarm()
    swarm.lost = lambda _, __, message: isinstance(message, Checkpoint)
    swarm.until_held(swarm.vote(0), ALL)
    swarm.fall_silent(3)
    for author in (0, 1, 2):
        swarm.until_held(swarm.vote(author), {0, 1, 2})
    swarm.start(swarm.nodes[3])
    for author in (1, 3):
        vote = swarm.vote(author)
        swarm.until_held(vote, ALL, 4)
    assert {node.replica.stable_seq for node in swarm.nodes} == {0}
    assert not swarm.watch.views
    swarm.agree()
