# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Checkpoints and watermarks: windows that got stuck, state without its certificate."""

from __future__ import annotations

from swarm_ledger.consensus.certificates import check_view_change
from swarm_ledger.consensus.messages import (
    Batch,
    Checkpoint,
    PrePrepare,
    Signed,
    ViewChange,
)
from swarm_ledger.consensus.ready import Ready
from swarm_ledger.sim.pbft.liars import Liar, Own
from tests.known_bugs.swarm import PATIENCE_MS, Swarm
from tests.unit.consensus_desk import ROOT, Desk
from tests.unit.consensus_mint import checkpoint

ALL = {0, 1, 2, 3}


def test_a_window_that_is_used_up_opens_again_once_checkpoints_arrive() -> None:
    """A known bug of others: checkpoint messages are sent once; if they are lost, the window never
    moves, and the swarm stands still at its high watermark.

    Ours says its checkpoint again until it is stable: nothing else is needed to go on.
    """
    swarm = Swarm(interval=8)
    window = swarm.options["window"]
    swarm.lost = lambda _, __, message: isinstance(message, Checkpoint)
    votes = []
    for number in range(window + 4):
        votes.append(swarm.vote(number % 4))
        swarm.run(100)
    swarm.run(6 * PATIENCE_MS)
    assert set(swarm.heights()) == {window}
    assert not swarm.holders(votes[-1])
    swarm.lost = lambda *_: False
    swarm.until_held(votes[-1], ALL, 20)
    swarm.agree()


class Jumper(Liar):
    """Leads view 0 with one batch, at the high watermark, and says nothing more."""

    def send(self, version: int, ready: Ready, own: Own) -> None:
        proposals = [s.message for _, s in own if isinstance(s.message, PrePrepare)]
        high = self.replica.settings.window
        for said in proposals[:1]:
            what = said.batch
            if what.seq == 1:
                self.tell(PrePrepare(0, Batch(high, what.time_ms, what.requests)))


def test_a_leader_that_jumps_to_the_high_mark_uses_up_no_numbers() -> None:
    """A known bug of others: a faulty leader proposes at the high watermark and leaves the numbers
    below empty; they are never filled, and no checkpoint can move the window.

    Ours: the jump prepares, the next leader fills the gap with null batches, and the vote stands.
    """
    swarm = Swarm(liars={0: Jumper})
    window = swarm.options["window"]
    vote = swarm.vote(1)
    swarm.until_held(vote, {1, 2, 3}, 20)
    blocks = swarm.nodes[1].disk.content.blocks
    assert [len(block.bodies) for block in blocks[:window]] == [0] * (window - 1) + [1]
    swarm.until_held(swarm.vote(2), {1, 2, 3}, 20)
    swarm.agree()


def test_whoever_fetched_the_state_holds_its_certificate_too_and_can_change_views() -> None:
    """A known bug of others: a replica that got its state from others had no proof of the stable
    checkpoint. Its view change was refused, or reached back further than the others' windows, and
    where it was needed for a quorum the next view never began.

    Here drone 3 missed more than a window; then it is one of the three that are left.
    """
    for restarted in (False, True):
        swarm = Swarm()
        swarm.isolate(3)
        for _ in range(20):
            swarm.until_held(swarm.vote(1, to=[0, 1, 2]), {0, 1, 2})
        swarm.run(PATIENCE_MS)
        late = swarm.nodes[3]
        assert late.ledger.height == 0
        swarm.isolate()
        swarm.until(lambda: late.ledger.height == 20, 20)  # noqa: B023
        swarm.run(PATIENCE_MS)
        assert late.replica.stable_seq == swarm.nodes[0].replica.stable_seq
        if restarted:
            swarm.fall_silent(3)
            swarm.start(late)
            assert late.replica.stable_seq == swarm.nodes[1].replica.stable_seq
        swarm.fall_silent(0)
        vote = swarm.vote(3)
        swarm.until_held(vote, {1, 2, 3}, 20)
        swarm.agree()


def test_a_view_change_after_a_state_transfer_proves_its_checkpoint() -> None:
    """The same, to the letter: what it shows is checked as the others will check it."""
    desk = Desk(1)
    for sender in (0, 2, 3):
        desk.hear(sender, checkpoint(2, ROOT))
    for seq in (1, 2):
        desk.hear(2, desk.committed(0, seq, b"%d" % seq))
    desk.submit(b"x")
    desk.wait(2_100)
    said = desk.last(ViewChange)
    signed = Signed(1, said, desk.mint.seal(1, said))
    checked = check_view_change(signed, desk.settings, desk.mint.open)
    assert checked.stable == 2
    assert {vote.sender for vote in checked.proof} == {0, 2, 3}
