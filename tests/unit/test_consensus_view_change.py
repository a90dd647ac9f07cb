# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""View changes: what a certificate must prove, what a new view must begin with, who moves when."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from swarm_ledger.consensus.certificates import carried_over, check_view_change
from swarm_ledger.consensus.messages import (
    Batch,
    Commit,
    NewView,
    Prepare,
    Prepared,
    PrePrepare,
    Signed,
    Status,
    ViewChange,
    Want,
)
from swarm_ledger.encoding import digest
from tests.unit.consensus_desk import NOW, Desk, batch
from tests.unit.consensus_mint import forge

X, Y = batch(1, b"x"), batch(1, b"y")


def _carried(desk: Desk, *changes: ViewChange) -> tuple[int, tuple[Batch, ...]]:
    checked = [
        check_view_change(Signed(i, change, b"raw"), desk.settings, desk.mint.open)
        for i, change in enumerate(changes)
    ]
    return carried_over(checked)


def test_the_highest_view_that_prepared_wins_whoever_shows_it() -> None:
    """A known bug of others: the prepared set is not bound to the highest view."""
    desk = Desk()
    low, high = desk.prepared(0, X), desk.prepared(2, Y)
    for order in ((low, high), (high, low)):
        changes = [desk.view_change(3, one) for one in order]
        assert _carried(desk, *changes, desk.view_change(3)) == (0, (Y,))


def test_gaps_are_filled_with_null_batches_and_what_is_stable_is_left_out() -> None:
    desk = Desk()
    changes = (
        desk.view_change(1, desk.prepared(0, batch(4, b"p")), stable=0),
        desk.view_change(1, desk.prepared(0, batch(6, b"q")), stable=4),
    )
    assert _carried(desk, *changes) == (4, (Batch(5, 0, ()), batch(6, b"q")))


CHEATS: dict[str, Callable[[Desk], ViewChange]] = {
    "one signer twice": lambda d: d.view_change(3, d.prepared(0, X, by=(2, 2))),
    "the leader as a backup": lambda d: d.view_change(3, d.prepared(0, X, by=(0, 2))),
    "too few": lambda d: d.view_change(3, d.prepared(0, X, by=(2,))),
    "prepares of another view": lambda d: d.view_change(
        3, Prepared(d.prepared(0, X).pre_prepare, d.prepared(1, X, by=(2, 3)).prepares)
    ),
    "prepares of another batch": lambda d: d.view_change(
        3, Prepared(d.prepared(0, X).pre_prepare, d.prepared(0, Y).prepares)
    ),
    "not its leader's pre-prepare": lambda d: d.view_change(
        3, Prepared(d.mint.seal(1, PrePrepare(0, X)), d.prepared(0, X).prepares)
    ),
    "a view that had not begun": lambda d: d.view_change(3, d.prepared(3, X)),
    "one number twice": lambda d: d.view_change(3, d.prepared(0, X), d.prepared(1, X)),
    "beyond the high watermark": lambda d: d.view_change(3, d.prepared(0, batch(129, b"z"))),
    "under its own checkpoint": lambda d: d.view_change(3, d.prepared(0, X), stable=4),
    "no proof for its checkpoint": lambda d: ViewChange(3, 4, (), ()),
    "a proof for another checkpoint": lambda d: ViewChange(3, 8, d.stable(4), ()),
    "a proof for genesis": lambda d: ViewChange(3, 0, d.stable(4), ()),
    "one cosigner three times": lambda d: ViewChange(3, 4, (d.stable(4)[0],) * 3, ()),
    "two roots": lambda d: ViewChange(3, 4, (*d.stable(4)[:2], d.stable(4, bytes(32))[2]), ()),
    "a forged signature": lambda d: d.view_change(
        3, Prepared(forge(0, PrePrepare(0, X)), d.prepared(0, X).prepares)
    ),
    "garbage": lambda d: d.view_change(3, Prepared(b"\xff", (b"", b"\x00"))),
    "another kind of message": lambda d: d.view_change(
        3, Prepared(d.mint.seal(0, Prepare(0, 1, X.digest())), d.prepared(0, X).prepares)
    ),
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_view_change_with(cheat: str) -> None:
    desk = Desk()
    change = CHEATS[cheat](desk)
    assert desk.refuses(2, change)
    # Nor does it get in as a part of a new view.
    assert desk.refuses(3, desk.new_view(3, {2: change}))
    assert desk.replica.leader != 3 or not desk.replica.active


def test_new_view_needs_a_quorum_of_different_replicas_for_that_view() -> None:
    desk = Desk()
    keys = desk.new_view(3).view_changes
    for wrong in (keys[:2], (keys[0],) * 3, ()):
        assert desk.refuses(3, NewView(3, wrong)) == "bad_new_view"
    assert desk.refuses(2, desk.new_view(3)) == "not_leader"
    assert desk.replica.view == 0
    desk.hear(3, NewView(3, keys))
    assert (desk.replica.view, desk.replica.active) == (3, True)


def test_new_view_on_view_changes_for_another_view_or_of_one_signer_twice() -> None:
    for view, sender in ((7, 2), (3, 0)):
        desk = Desk()
        keys = desk.new_view(3).view_changes
        other = desk.mint.seal(sender, desk.view_change(view, desk.prepared(0, X)))
        desk.changes[digest(other)] = other
        desk.hear(3, NewView(3, (*keys[:2], digest(other))))
        assert [(sender, fault.reason) for sender, fault in desk.faults] == [
            (3, "bad_new_view" if view == 7 else "bad_certificate")
        ]
        assert not (desk.replica.view == 3 and desk.replica.active)


def test_new_view_waits_for_the_view_changes_that_it_names() -> None:
    """They may come from anybody, later, and after their senders went on to other views."""
    desk = Desk()
    view = desk.new_view(
        3, {0: desk.view_change(3), 2: desk.view_change(3), 3: desk.view_change(3)}
    )
    raws, desk.changes = desk.changes, {}
    desk.hear(3, view)
    assert desk.last(Want).requests == view.view_changes
    desk.hear(2, desk.view_change(4))
    assert desk.replica.view == 0
    for raw in raws.values():
        desk.replica.step(desk.mint.open(raw))
        desk.pump()
    assert (desk.replica.view, desk.replica.active) == (3, True)


def test_a_view_that_was_left_is_not_entered_when_what_it_lacked_comes() -> None:
    """Found by simulation: who asked for view 2 went back into view 1, and voted there."""
    desk = Desk()
    view = desk.new_view(3, {other: desk.view_change(3) for other in (0, 2, 3)})
    raws, desk.changes = desk.changes, {}
    desk.hear(3, view)
    for other in (0, 2):
        desk.hear(other, desk.view_change(6))
    assert desk.replica.view == 6
    for raw in raws.values():
        desk.replica.step(desk.mint.open(raw))
        desk.pump()
    assert (desk.replica.view, desk.replica.active) == (6, False)


def test_view_changes_are_shown_to_those_who_ask_for_them() -> None:
    desk = Desk()
    view = desk.new_view(3)
    desk.hear(3, view)
    desk.again.clear()
    desk.hear(0, Want((*view.view_changes, bytes(32))))
    assert {digest(resend.raw) for resend in desk.again} == set(view.view_changes)


def test_two_new_views_of_one_leader_are_evidence() -> None:
    for entered in (True, False):
        desk = Desk()
        first = desk.new_view(3)
        if not entered:
            desk.changes = {}
        desk.hear(3, first, desk.new_view(3, {0: desk.view_change(3, desk.prepared(0, X))}))
        assert [evidence.culprit for evidence in desk.evidence] == [3]


def test_f_plus_1_ahead_are_followed_to_the_least_of_their_views() -> None:
    desk = Desk(n=7)
    for sender, view in ((2, 1_000_000), (3, 5)):
        desk.hear(sender, desk.view_change(view))
        assert desk.replica.view == 0
    desk.hear(4, desk.view_change(9))
    assert (desk.replica.view, desk.replica.active) == (5, False)


def test_a_leader_that_leaves_its_view_is_followed_into_the_next() -> None:
    desk = Desk()
    desk.hear(0, desk.view_change(1))
    assert (desk.replica.view, desk.replica.active) == (1, False)
    assert len(desk.all(ViewChange)) == 1


def test_a_leader_that_asks_for_a_later_view_than_the_next_is_one_of_f_plus_1() -> None:
    desk = Desk()
    desk.hear(0, desk.view_change(2))
    assert (desk.replica.view, desk.replica.active) == (0, True)


def test_whoever_only_follows_asks_for_no_view() -> None:
    desk = Desk(mute=True)
    for other in (0, 2, 3):
        desk.hear(other, desk.view_change(1))
    assert not desk.all(ViewChange)
    assert desk.replica.view == 0


def test_one_liar_alone_moves_nobody_however_often_it_tries() -> None:
    desk = Desk()
    for view in range(1, 200):
        desk.hear(2, desk.view_change(view))
    desk.wait(10_000)
    assert desk.replica.view == 0
    assert not desk.all(ViewChange)


def test_patience_doubles_and_is_short_again_once_a_leader_delivers() -> None:
    desk = Desk()
    desk.submit(b"x")
    desk.wait(2_100)
    assert desk.replica.view == 1
    for view, patience in ((1, 4_000), (2, 8_000), (3, 16_000)):
        for other in (2, 3):
            desk.hear(other, desk.view_change(view))
        desk.wait(patience - 100)
        assert desk.replica.view == view
        desk.wait(200)
        assert desk.replica.view == view + 1
    desk.hear(0, desk.new_view(4))
    desk.commit(4, batch(1, b"x", time_ms=desk.now))
    desk.submit(b"y")
    desk.wait(2_100)
    assert desk.replica.view == 5


def test_a_trickle_of_other_messages_buys_a_slow_leader_no_time() -> None:
    desk = Desk()
    desk.submit(b"x", b"y")
    for _ in range(20):
        desk.hear(0, Status(0, 0, 0))
        desk.hear(2, Prepare(0, 1, X.digest()))
        desk.wait(110)
    assert desk.replica.view == 1


def test_those_who_gave_up_and_went_on_count_against_patience_too() -> None:
    """Their view change for this view may be lost for ever; waiting for it is a deadlock."""
    desk = Desk()
    desk.submit(b"x")
    desk.wait(2_100)
    desk.hear(3, desk.view_change(1))
    desk.hear(2, desk.view_change(2))
    desk.wait(4_200)
    assert desk.replica.view == 2


def test_a_leader_opens_its_view_also_when_the_last_view_change_comes_late() -> None:
    desk = Desk(1)
    desk.submit(b"x")
    desk.wait(2_100)
    desk.hear(2, desk.view_change(1))
    desk.hear(3, desk.view_change(2))
    assert not desk.all(NewView)
    desk.hear(0, desk.view_change(1))
    assert desk.replica.active
    assert len(desk.all(NewView)) == 1
    assert desk.last(PrePrepare).view == 1


def test_silent_leader_of_a_later_view_is_suspected_though_all_it_inherits_is_applied() -> None:
    desk = Desk()
    desk.submit(b"x")
    desk.commit(0, X)
    desk.hear(2, desk.new_view(2, {0: desk.view_change(2, desk.prepared(0, X))}))
    desk.wait(3_000)
    assert desk.replica.view == 2
    desk.submit(b"y")
    desk.wait(2_200)
    assert desk.replica.view == 3


def test_leader_that_does_not_finish_what_it_inherits_is_suspected() -> None:
    desk = Desk()
    desk.hear(2, desk.new_view(2, {0: desk.view_change(2, desk.prepared(0, X))}))
    desk.wait(2_200)
    assert desk.replica.view == 3


def test_nobody_vouches_for_another_batch_where_one_was_committed() -> None:
    """Else a new leader replaces it, for replicas that lag, with the help of those that don't."""
    desk = Desk()
    desk.submit(b"x", b"y")
    desk.commit(0, X)
    desk.hear(2, desk.new_view(2, {0: desk.view_change(2, desk.prepared(0, X))}))
    assert desk.refuses(2, PrePrepare(2, Y)) == "bad_new_view"
    assert not any(vote.digest == Y.digest() for vote in desk.all(Prepare))
    desk.hear(2, PrePrepare(2, X))
    assert desk.last(Prepare) == Prepare(2, 1, X.digest())
    assert len(desk.blocks) == 1


def test_a_block_that_was_fetched_binds_as_one_that_was_voted_for() -> None:
    desk = Desk()
    desk.submit(b"x", b"y")
    desk.hear(2, desk.committed(0, 1, b"x"))
    assert desk.refuses(0, PrePrepare(0, Y)) == "bad_proposal"


def test_a_block_that_only_the_ledger_knows_binds_in_later_views_too() -> None:
    desk = Desk()
    desk.submit(b"x", b"y")
    desk.hear(2, desk.committed(0, 1, b"x"))
    later = desk.restarted()
    later.submit(b"y")
    later.hear(2, later.new_view(2, {}))
    later.hear(2, PrePrepare(2, Y), PrePrepare(2, batch(2, b"y")))
    assert later.all(Prepare) == [Prepare(2, 2, batch(2, b"y").digest())]


def test_new_leader_must_begin_with_what_may_have_committed() -> None:
    desk = Desk()
    desk.submit(b"x", b"y")
    desk.hear(2, desk.new_view(2, {3: desk.view_change(2, desk.prepared(0, X))}))
    for other in (Y, Batch(1, 0, ()), batch(1, b"x", time_ms=NOW + 1)):
        assert desk.refuses(2, PrePrepare(2, other)) == "bad_new_view"
    desk.commit(2, X)
    assert desk.blocks[0].bodies == (b"x",)


def test_what_two_views_ordered_twice_stops_nobody() -> None:
    """The state machine counts it once; consensus must get past it, with the body from peers."""
    desk = Desk()
    desk.submit(b"x")
    desk.commit(0, X)
    again = batch(2, b"x")
    certificates = (desk.prepared(0, X), desk.prepared(1, again))
    desk.hear(2, desk.new_view(2, {3: desk.view_change(2, *certificates)}))
    desk.hear(2, PrePrepare(2, X), PrePrepare(2, again))
    desk.submit(b"x")
    desk.commit(2, again)
    assert [block.seq for block in desk.blocks] == [1, 2]
    assert desk.replica.pending == 0


def test_view_change_shows_what_was_prepared_and_survives_the_next_view() -> None:
    desk = Desk()
    desk.submit(b"x")
    desk.hear(0, PrePrepare(0, X))
    desk.hear(2, Prepare(0, 1, X.digest()))
    assert desk.last(Commit)
    desk.wait(2_100)
    for view in (1, 2):
        change = desk.last(ViewChange)
        assert change.view == view
        assert _carried(desk, change) == (0, (X,))
        for other in (2, 3):
            desk.hear(other, desk.view_change(view + 1))


def test_messages_that_overtake_the_new_view_wait_for_it_within_bounds() -> None:
    desk = Desk()
    desk.submit(b"x")
    for view in range(3, 500):
        desk.hear(3, Commit(view, 1, X.digest()))
    desk.hear(2, PrePrepare(2, X))
    desk.hear(0, Prepare(2, 1, X.digest()), Commit(2, 1, X.digest()))
    desk.hear(2, desk.new_view(2))
    assert desk.last(Commit) == Commit(2, 1, X.digest())


def test_large_answers_are_not_repeated_faster_than_anyone_needs_them() -> None:
    """Else a replayed old view change makes every replica flood its author with new views."""
    desk = Desk()
    desk.hear(2, desk.new_view(2))
    for _ in range(50):
        desk.hear(3, desk.view_change(1), Status(0, 0, 0))
    assert len(desk.again) == 1
    desk.wait(300)
    desk.hear(3, Status(1, 0, 0))
    assert len([r for r in desk.again if r.to == 3]) == 2


def test_a_second_signature_over_the_same_view_change_is_no_evidence() -> None:
    """With malleable signatures anybody could make one."""
    desk = Desk()
    signed = desk.signed(2, desk.view_change(1))
    desk.replica.step(signed)
    desk.replica.step(Signed(2, signed.message, signed.raw + b"malleated"))
    desk.hear(2, desk.view_change(1, desk.prepared(0, X)))
    assert [e.second == signed.raw + b"malleated" for e in desk.evidence] == [False]
