# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Each checker of what drones say fires when it must, and says what it saw."""

from __future__ import annotations

import pytest

from swarm_ledger.consensus.messages import (
    Batch,
    Checkpoint,
    Commit,
    Message,
    NewView,
    Prepare,
    PrePrepare,
    Status,
    ViewChange,
)
from swarm_ledger.sim.pbft.cluster import START_MS
from swarm_ledger.sim.pbft.ledger import Epoch
from tests.unit.checkers_desk import OTHER_ROOT, ROOT, Desk, finds


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_nothing_is_wrong_with_a_vote_that_all_agree_on(desk: Desk) -> None:
    batch = desk.batch()
    desk.prepared(batch)
    desk.say(0, PrePrepare(0, batch))
    for backup in (1, 2):
        desk.say(backup, Prepare(0, 1, batch.digest()))
    for me in (0, 1, 2):
        desk.say(me, Commit(0, 1, batch.digest()))
    for me in (0, 1, 2):
        desk.apply(me, desk.decided(batch))
        desk.say(me, Checkpoint(1, 1, desk.nodes[me].ledger.roots[1], bytes(72)))
        desk.watch.verdicts(desk.nodes[me])
        desk.watch.bounds(desk.nodes[me])
    assert desk.watch.commits == 1


CHANGE = ViewChange(1, 0, (), ())


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (PrePrepare(0, Batch(1, 5, ())), PrePrepare(0, Batch(1, 6, ()))),
        (Prepare(0, 1, ROOT), Prepare(0, 1, OTHER_ROOT)),
        (Checkpoint(0, 0, ROOT, bytes(72)), Checkpoint(0, 0, OTHER_ROOT, bytes(72))),
        (CHANGE, ViewChange(1, 4, (), ())),
        (NewView(1, (ROOT,)), NewView(1, (OTHER_ROOT,))),
    ],
    ids=lambda message: type(message).__name__,
)
def test_nobody_contradicts_itself(desk: Desk, first: Message, second: Message) -> None:
    desk.say(0, first, first)
    finds("0 contradicts what it said", lambda: desk.say(0, second))


def test_two_commits_for_one_number_contradict_each_other(desk: Desk) -> None:
    one, other = desk.batch(), desk.batch(time_ms=START_MS + 1)
    for batch in (one, other):
        desk.prepared(batch)
    desk.say(1, Commit(0, 1, one.digest()))
    finds("1 contradicts", lambda: desk.say(1, Commit(0, 1, other.digest())))


def test_nobody_speaks_in_a_view_that_it_left(desk: Desk) -> None:
    desk.say(1, CHANGE)
    finds("1 speaks in view 0 after it left it", lambda: desk.say(1, Prepare(0, 1, ROOT)))


@pytest.mark.parametrize("missing", ["pre-prepare", "prepare"])
def test_commits_need_a_prepared_certificate(desk: Desk, missing: str) -> None:
    batch = desk.batch()
    if missing == "prepare":
        desk.prepared(batch, by=(1,))
    else:
        for backup in (1, 2, 3):
            desk.seal(backup, Prepare(0, 1, batch.digest()))
    finds(
        "commits 1 without a prepared certificate",
        lambda: desk.say(1, Commit(0, 1, batch.digest())),
    )


def test_two_batches_may_not_commit_at_one_number(desk: Desk) -> None:
    one, other = desk.batch(), desk.batch(time_ms=START_MS + 1)
    for batch in (one, other):
        desk.prepared(batch)
    desk.say(0, Commit(0, 1, one.digest()))
    desk.say(1, Commit(0, 1, one.digest()))  # with the liar's, a quorum
    desk.kept(1, Commit(0, 1, other.digest()))
    finds("two batches may commit at 1", lambda: desk.say(2, Commit(0, 1, other.digest())))


def test_what_may_have_committed_is_proposed_again(desk: Desk) -> None:
    one, other = desk.batch(), desk.batch(time_ms=START_MS + 1)
    desk.prepared(one)
    desk.say(0, Commit(0, 1, one.digest()))
    desk.say(1, Commit(0, 1, one.digest()))
    desk.say(2, Prepare(1, 1, one.digest()))
    finds("may have committed in view 0, lost in 2", lambda: desk.say(2, PrePrepare(2, other)))
    finds("lost in 3", lambda: desk.say(1, Prepare(3, 1, other.digest())))


def test_a_commit_that_a_crash_kept_back_counts(desk: Desk) -> None:
    one, other = desk.batch(), desk.batch(time_ms=START_MS + 1)
    desk.prepared(one)
    desk.say(0, Commit(0, 1, one.digest()))
    desk.kept(1, Commit(0, 1, one.digest()))
    finds("may have committed in view 0", lambda: desk.say(2, Prepare(1, 1, other.digest())))


def test_a_commit_that_was_lost_with_the_power_does_not_count(desk: Desk) -> None:
    one, other = desk.batch(), desk.batch(time_ms=START_MS + 1)
    desk.prepared(one)
    desk.say(0, Commit(0, 1, one.digest()))
    desk.seal(1, Commit(0, 1, one.digest()))
    desk.say(2, Prepare(1, 1, other.digest()))


def test_a_view_change_shows_what_its_sender_prepared(desk: Desk) -> None:
    batch = desk.batch()
    shown = desk.prepared(batch)
    desk.say(1, Commit(0, 1, batch.digest()))
    desk.say(2, Commit(0, 1, batch.digest()))
    desk.say(1, ViewChange(1, 0, (), (shown,)))
    finds("2 hides that it prepared 1 in view 0", lambda: desk.say(2, CHANGE))


def test_nobody_leaps_at_the_word_of_liars(desk: Desk) -> None:
    desk.seal(3, ViewChange(9, 0, (), ()))
    desk.say(1, CHANGE)
    desk.say(2, ViewChange(2, 0, (), ()))
    finds("1 leaps to view 9", lambda: desk.say(1, ViewChange(9, 0, (), ())))


def test_a_view_change_that_a_crash_kept_back_counts(desk: Desk) -> None:
    desk.seal(1, CHANGE)
    desk.say(2, ViewChange(2, 0, (), ()))


def test_nothing_is_cosigned_before_it_is_applied(desk: Desk) -> None:
    finds("1 cosigned 4", lambda: desk.say(1, Checkpoint(4, 4, ROOT, bytes(72))))


def test_who_is_no_member_says_nothing_that_binds(desk: Desk) -> None:
    desk.say(4, Status(0, 0, 0))
    finds("in which it is no member", lambda: desk.say(4, Prepare(0, 1, ROOT)))


def test_who_forgot_what_it_said_says_nothing_that_binds(desk: Desk) -> None:
    desk.nodes[1].mute_below = 2
    desk.say(1, Status(0, 0, 0))
    finds("may have forgotten", lambda: desk.say(1, Prepare(0, 1, ROOT)))


def test_in_an_epoch_that_is_over_only_its_end_is_vouched_for(desk: Desk) -> None:
    desk.nodes[1].ledger.epochs.append(Epoch(2, (0, 1, 2, 3), 0))
    desk.say(1, Checkpoint(0, 0, ROOT, bytes(72)))
    finds("under roster 1, which is over", lambda: desk.say(1, Prepare(0, 1, ROOT)))
