# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Restarts and catching up: nothing unsaid, nothing taken on trust."""

from __future__ import annotations

import pytest

from swarm_ledger.consensus.messages import (
    Batch,
    Commit,
    Committed,
    Fetch,
    NewView,
    Prepare,
    PrePrepare,
    Status,
    ViewChange,
    Want,
)
from swarm_ledger.consensus.ready import Ready, journaled
from swarm_ledger.encoding import digest
from swarm_ledger.errors import Misuse
from tests.unit.consensus_desk import ROOT, Desk, batch
from tests.unit.consensus_mint import checkpoint, forge

X, Y = batch(1, b"x"), batch(1, b"y")


def test_amnesia_a_restart_remembers_its_prepare() -> None:
    desk = Desk()
    desk.submit(b"x", b"y")
    desk.hear(0, PrePrepare(0, X))
    again = desk.restarted()
    again.submit(b"x", b"y")
    again.hear(0, PrePrepare(0, Y))
    assert not again.all(Prepare)


def test_only_the_first_proposal_of_a_view_that_is_vouched_for_is_written_down() -> None:
    desk = Desk()
    desk.submit(b"x", b"y")
    desk.hear(0, PrePrepare(0, X))
    (record,) = desk.journal.values()
    assert desk.mint.open(record).message == Prepare(0, 1, X.digest())
    desk.hear(0, PrePrepare(0, batch(2, b"y")))
    assert len(desk.all(Prepare)) == 2
    assert list(desk.journal.values()) == [record]
    desk.hear(2, desk.new_view(2, {}))
    desk.hear(2, PrePrepare(2, X))
    kept = [desk.mint.open(raw).message for raw in desk.journal.values()]
    assert Prepare(2, 1, X.digest()) in kept


def test_what_is_committed_to_is_written_down_with_its_bodies() -> None:
    desk = Desk()
    desk.submit(b"x")
    desk.hear(0, PrePrepare(0, X))
    assert not desk.bodies
    desk.hear(2, Prepare(0, 1, X.digest()))
    assert desk.last(Commit) == Commit(0, 1, X.digest())
    assert desk.bodies == [b"x"]
    kept = [desk.mint.open(raw).message for raw in desk.journal.values()]
    assert {type(message) for message in kept} == {PrePrepare, Prepare, Commit}


def test_a_restart_vouches_for_nothing_more_in_its_view_but_commits_and_goes_on_in_the_next() -> (
    None
):
    desk = Desk()
    desk.submit(b"x", b"y", b"z")
    desk.commit(0, X)
    desk.hear(0, PrePrepare(0, batch(2, b"y")))  # nothing on disk tells of that
    again = desk.restarted()
    again.submit(b"y", b"z")
    other = batch(2, b"z")
    again.hear(0, PrePrepare(0, other))
    assert not again.all(Prepare)
    again.hear(2, Prepare(0, 2, other.digest()))
    again.hear(3, Prepare(0, 2, other.digest()))
    assert again.last(Commit) == Commit(0, 2, other.digest())
    again.hear(2, again.new_view(2, {}))
    again.hear(2, PrePrepare(2, batch(2, b"y")))
    assert again.last(Prepare) == Prepare(2, 2, batch(2, b"y").digest())


def test_a_restart_in_a_view_change_vouches_in_the_view_that_it_asked_for() -> None:
    desk = Desk(3)
    desk.submit(b"x")
    desk.wait(2_100)
    again = desk.restarted()
    again.submit(b"x")
    again.hear(1, again.new_view(1, {}))
    again.hear(1, PrePrepare(1, X))
    assert again.last(Prepare) == Prepare(1, 1, X.digest())


def test_a_leader_restarted_proposes_nothing_and_leaves_its_view() -> None:
    desk = Desk(0)
    desk.submit(b"x")
    again = desk.restarted()
    again.submit(b"y")
    again.wait(50)
    assert not again.all(PrePrepare)
    assert again.all(ViewChange) == [ViewChange(1, 0, (), ())]
    for other in (2, 3):
        again.hear(other, again.view_change(1))
    again.hear(1, again.new_view(1, {}))
    again.hear(1, PrePrepare(1, batch(1, b"y")))
    assert again.all(Prepare)


def test_a_leader_that_was_mute_when_it_restarted_leaves_its_view_when_it_may_speak() -> None:
    desk = Desk(0)
    desk.submit(b"x")
    again = desk.restarted()
    again.replica.set_mute(mute=True)
    again.submit(b"y")
    again.wait(50)
    assert not again.said
    again.replica.set_mute(mute=False)
    again.wait(50)
    assert not again.all(PrePrepare)
    assert len(again.all(ViewChange)) == 1


def test_whoever_never_said_anything_may_lead_after_a_restart() -> None:
    again = Desk(0).restarted()
    again.submit(b"x")
    assert again.all(PrePrepare)


def test_a_restart_commits_to_nothing_else_however_many_lie() -> None:
    desk = Desk()
    desk.submit(b"x", b"y")
    desk.hear(0, PrePrepare(0, X))
    desk.hear(2, Prepare(0, 1, X.digest()))
    again = desk.restarted()
    again.submit(b"x", b"y")
    again.hear(0, PrePrepare(0, Y))
    again.hear(2, Prepare(0, 1, Y.digest()))
    again.hear(3, Prepare(0, 1, Y.digest()))
    assert not again.all(Commit)
    assert {evidence.culprit for evidence in again.evidence} == {0, 2}


def test_a_ledger_without_a_journal_tells_that_we_took_part() -> None:
    desk = Desk()
    desk.submit(b"x", b"y")
    desk.commit(0, X)
    desk.journal.clear()
    again = desk.restarted()
    again.submit(b"y")
    again.hear(0, PrePrepare(0, batch(2, b"y")))
    assert not again.all(Prepare)


def test_a_restart_shows_the_certificate_that_it_committed_on() -> None:
    desk = Desk()
    desk.submit(b"x")
    desk.hear(0, PrePrepare(0, X))
    desk.hear(2, Prepare(0, 1, X.digest()))
    again = desk.restarted()
    for other in (2, 3):
        again.hear(other, again.view_change(1))
    (wire,) = again.last(ViewChange).prepared
    assert again.mint.open(wire.pre_prepare).message == PrePrepare(0, X)


def test_a_restart_remembers_what_its_view_must_begin_with() -> None:
    """Else the leader, if it lies, replaces a committed batch with the help of the restarted."""
    desk = Desk()
    desk.hear(2, desk.new_view(2, {3: desk.view_change(2, desk.prepared(0, X))}))
    again = desk.restarted()
    again.submit(b"x", b"y")
    assert again.refuses(2, PrePrepare(2, Y)) == "bad_new_view"
    again.commit(2, X)
    assert again.blocks[0].bodies == (b"x",)


def test_a_leader_restarted_before_its_view_begins_leaves_it() -> None:
    desk = Desk(1)
    view = desk.new_view(1, {3: desk.view_change(1, desk.prepared(0, X))})
    desk.replica.step(desk.signed(1, view))
    for raw in desk.changes.values():
        desk.replica.step(desk.mint.open(raw))
    journal = desk.replica.ready().journal
    desk.journal = {(r.seq, r.view, r.tag, r.sender): r.raw for r in journal}
    again = desk.restarted()
    again.submit(b"y")
    again.wait(50)
    assert not again.all(PrePrepare)
    (left,) = again.all(ViewChange)
    assert left.view == 2


def test_a_restart_in_the_middle_of_a_view_change_counts_itself() -> None:
    desk = Desk(1)
    desk.submit(b"x")
    desk.wait(2_100)
    again = desk.restarted()
    assert (again.replica.view, again.replica.active) == (1, False)
    for other in (2, 3):
        again.hear(other, again.view_change(1))
    assert len(again.all(NewView)) == 1
    assert again.replica.active
    assert not again.all(ViewChange)


def test_a_restart_remembers_the_stable_checkpoint() -> None:
    desk = Desk()
    desk.submit(b"x")
    desk.commit(0, X)
    for other in (0, 2, 3):
        desk.hear(other, checkpoint(1, ROOT))
    again = desk.restarted()
    assert again.replica.stable_seq == 1
    for other in (2, 3):
        again.hear(other, again.view_change(1))
    change = again.last(ViewChange)
    assert (change.stable, len(change.proof)) == (1, 3)


def test_restore_comes_first() -> None:
    desk = Desk()
    desk.submit(b"x")
    desk.commit(0, X)
    with pytest.raises(Misuse):
        desk.replica.restore([], applied=0, time_ms=0, recent=[])


def test_what_was_applied_is_remembered_and_not_taken_again() -> None:
    desk = Desk()
    desk.submit(b"x")
    desk.commit(0, X)
    again = desk.restarted()
    assert again.submit(b"x") == [False]


def _lies(desk: Desk) -> dict[str, Committed]:
    good = desk.committed(0, 1, b"x")
    commit = Commit(0, 1, X.digest())
    other_view = desk.mint.seal(2, Commit(1, 1, X.digest()))
    return {
        "one signer three times": Committed(1, good.time_ms, (b"x",), good.commits[:1] * 3),
        "too few": Committed(1, good.time_ms, (b"x",), good.commits[:2]),
        "of two views": Committed(1, good.time_ms, (b"x",), (*good.commits[:2], other_view)),
        "another body": Committed(1, good.time_ms, (b"y",), good.commits),
        "another time": Committed(1, good.time_ms + 1, (b"x",), good.commits),
        "forged": Committed(1, good.time_ms, (b"x",), (*good.commits[:2], forge(2, commit))),
        "nothing": Committed(1, 0, (), ()),
        "prepares": Committed(
            1,
            good.time_ms,
            (b"x",),
            tuple(desk.mint.seal(i, Prepare(0, 1, X.digest())) for i in (1, 2, 3)),
        ),
    }


@pytest.mark.parametrize("lie", list(_lies(Desk())))
def test_blocks_handed_over_with_a_certificate(lie: str) -> None:
    desk = Desk()
    assert desk.refuses(2, _lies(desk)[lie]) == (
        "bad_signature" if lie == "forged" else "bad_certificate"
    )
    assert not desk.blocks


def test_blocks_are_taken_in_any_order_and_applied_in_one() -> None:
    desk = Desk()
    for seq in (3, 2, 5, 1, 1, 40):
        desk.hear(2, desk.committed(0, seq, b"%d" % seq))
    assert [block.seq for block in desk.blocks] == [1, 2, 3]


def test_far_behind_with_a_stable_checkpoint_out_of_order_blocks_are_kept() -> None:
    desk = Desk()
    for other in (0, 2, 3):
        desk.hear(other, checkpoint(100, ROOT))
    assert desk.replica.stable_seq == 100
    for seq in (4, 3, 2, 1):
        desk.hear(2, desk.committed(0, seq, b"%d" % seq))
    assert [block.seq for block in desk.blocks] == [1, 2, 3, 4]


def test_whoever_is_behind_asks_those_who_claim_more_in_turn() -> None:
    desk = Desk()
    desk.hear(2, Status(0, 1 << 50, 0))
    desk.hear(3, Status(0, 5, 0))
    asked = []
    desk.replica.tick(desk.now + 300)
    for _ in range(4):
        desk.now += 300
        desk.replica.tick(desk.now)
        asked += [out.to for out in desk.replica.ready().send if isinstance(out.message, Fetch)]
    assert set(asked) == {2, 3}


def test_fetch_is_answered_once_a_tick_and_never_before_the_first_block() -> None:
    desk = Desk()
    desk.submit(b"x")
    desk.commit(0, X)
    assert desk.refuses(2, Fetch(0)) == "bad_fetch"
    desk.hear(2, *[Fetch(1)] * 20, Fetch(2), Fetch(1 << 40))
    assert desk.served == [(2, 1)]


def test_bodies_are_given_to_those_who_want_them_also_after_they_are_applied() -> None:
    desk = Desk()
    desk.submit(b"x")
    desk.commit(0, X)
    desk.again.clear()
    desk.hear(3, Want((digest(b"x"), digest(b"unknown"))))
    assert [(resend.raw, resend.to) for resend in desk.again] == [(b"x", 3)]
    desk.hear(3, *[Want((digest(b"x"),))] * 200)
    assert [(resend.raw, resend.to) for resend in desk.again] == [(b"x", 3)] * 8
    desk.replica.tick(desk.now + 1)
    desk.hear(3, Want((digest(b"x"),)))
    assert len(desk.again) == 9


def test_wants_that_nobody_can_meet_do_not_keep_a_laggard_from_blocks() -> None:
    """Links that keep order bring its Wants first, and its Fetch last, each time."""
    desk = Desk()
    desk.submit(b"x")
    desk.commit(0, X)
    desk.hear(2, *(Want((digest(bytes([n])),)) for n in range(100)), Fetch(1))
    assert desk.served == [(2, 1)]


def test_what_open_slots_lack_is_wanted_at_once() -> None:
    desk = Desk()
    lacking = [batch(seq, bytes([seq])) for seq in range(1, 11)]
    desk.hear(0, *(PrePrepare(0, one) for one in lacking))
    desk.replica.ready()
    desk.now += 2_000
    desk.replica.tick(desk.now)
    said = [out for out in desk.replica.ready().send if isinstance(out.message, Want)]
    assert [(out.to, out.message) for out in said] == [
        (None, Want(tuple(one.requests[0] for one in lacking[:8])))
    ]


def test_watermark_window_moves_on_after_a_lost_checkpoint_message() -> None:
    desk = Desk()
    desk.submit(b"x")
    desk.commit(0, X)
    desk.replica.checkpoint(checkpoint(1, ROOT))
    desk.pump()
    (own,) = [raw for key, raw in desk.journal.items() if key[2] == 4]
    desk.wait(1_200)
    assert own in {resend.raw for resend in desk.again}


def test_numbers_used_up_by_a_leader_that_jumps_to_the_high_mark() -> None:
    """The next leader fills the gap with null batches, and all can go on."""
    desk, high = Desk(), batch(128, b"x")
    desk.submit(b"x")
    changes = {3: desk.view_change(2, desk.prepared(0, high))}
    desk.hear(2, desk.new_view(2, changes))
    for seq in range(1, 128):
        desk.commit(2, Batch(seq, 0, ()))
    desk.commit(2, high)
    assert len(desk.blocks) == 128
    assert desk.blocks[-1].bodies == (b"x",)


def test_checkpoint_votes_stay_bounded_while_blocks_are_fetched_and_none_becomes_stable() -> None:
    desk = Desk(window=8, interval=4)
    for seq in range(1, 60):
        desk.hear(2, desk.committed(0, seq, b"%d" % seq))
        desk.hear(3, checkpoint(seq, ROOT), checkpoint(seq + 8, ROOT))
        assert len(desk.replica._state.checkpoints) <= 16
    assert len(desk.blocks) == 59
    for other in (0, 2, 3):
        desk.hear(other, checkpoint(59, ROOT))
    assert desk.replica.stable_seq == 59


def test_state_transfer_keeps_to_whoever_delivers_and_is_not_halved_by_a_liar() -> None:
    """A known bug of others: whoever lags chases a moving watermark."""
    desk = Desk()
    desk.hear(2, Status(0, 1 << 50, 0))
    asked, height = [], 0
    for _ in range(12):
        desk.hear(3, Status(0, height + 100, 0))
        desk.now += 300
        desk.replica.tick(desk.now)
        ready = desk.replica.ready()
        asked += [out.to for out in ready.send if isinstance(out.message, Fetch)]
        if asked[-1:] == [3]:
            for seq in range(height + 1, height + 11):
                desk.hear(3, desk.committed(0, seq, b"%d" % seq))
            height += 10
    assert asked.count(2) <= 2
    assert len(desk.blocks) == height >= 90


class DiesOpening(Desk):
    """Loses power once it has sent a new view, before it enters that view itself."""

    def _handle(self, ready: Ready) -> None:
        if any(isinstance(out.message, NewView) for out in ready.send):
            own = [self.mint.sign(self.me, out.message) for out in ready.send]
            for record in [*ready.journal, *map(journaled, own)]:
                self.journal[record.seq, record.view, record.tag, record.sender] = record.raw
            return
        super()._handle(ready)


def test_a_leader_restarted_begins_its_view_no_lower_than_the_view_change_allows() -> None:
    desk = DiesOpening(1)
    for other in (0, 2, 3):
        desk.hear(other, desk.view_change(1, stable=4))
    again = desk.restarted()
    assert (again.replica.view, again.replica.active) == (1, True)
    again.submit(b"x")
    again.wait(100)
    assert all(proposal.batch.seq > 4 for proposal in again.all(PrePrepare))


def test_what_can_not_get_through_is_passed_on_ever_less_often() -> None:
    desk = Desk(me=2, request_timeout_ms=1_000, resend_ms=100)
    desk.submit(b"lost")
    desk.wait(900)
    assert [resend.to for resend in desk.again if resend.raw == b"lost"] == [0, None]
    desk.wait(20_000)  # nobody else asks for another view
    often = [resend for resend in desk.again if resend.raw == b"lost"]
    assert 6 <= len(often) <= 10
    desk.wait(9_000)
    assert len(often) < len([resend for resend in desk.again if resend.raw == b"lost"])
