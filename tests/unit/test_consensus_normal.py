# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The normal case, one replica at a time: what it says, what it refuses, what it never does."""

from __future__ import annotations

from typing import Any

import pytest

from swarm_ledger.consensus.messages import (
    BINDING,
    MAX_REQUEST_BYTES,
    Batch,
    Checkpoint,
    Commit,
    Fetch,
    Prepare,
    PrePrepare,
    Status,
    ViewChange,
    Want,
)
from swarm_ledger.consensus.replica import Replica
from swarm_ledger.consensus.settings import Settings
from swarm_ledger.encoding import digest
from swarm_ledger.errors import Misuse
from tests.unit.consensus_desk import NOW, ROOT, Desk, batch
from tests.unit.consensus_mint import checkpoint


def test_a_backup_prepares_commits_and_decides() -> None:
    desk, what = Desk(), batch(1, b"a", b"b")
    desk.submit(b"a", b"b")
    desk.hear(0, PrePrepare(0, what))
    assert desk.said == [Prepare(0, 1, what.digest())]
    desk.hear(2, Prepare(0, 1, what.digest()))
    assert desk.last(Commit) == Commit(0, 1, what.digest())
    desk.hear(2, Commit(0, 1, what.digest()))
    assert not desk.blocks
    desk.hear(3, Commit(0, 1, what.digest()))
    (block,) = desk.blocks
    assert (block.seq, block.bodies, len(block.commits)) == (1, (b"a", b"b"), 3)
    assert desk.replica.pending == 0


def test_a_leader_proposes_at_once_when_idle_and_fills_batches_when_busy() -> None:
    desk = Desk(0, batch_delay_ms=10)
    desk.submit(b"first", b"second", b"third")
    assert desk.last(PrePrepare).batch.requests == (digest(b"first"),)
    desk.wait(50)
    assert desk.last(PrePrepare).batch.requests == (digest(b"second"), digest(b"third"))
    assert not desk.all(Prepare)


def _agree(desk: Desk, seq: int) -> None:
    (proposal,) = [p for p in desk.all(PrePrepare) if p.batch.seq == seq]
    for phase in (Prepare, Commit):
        for sender in (1, 2, 3):
            desk.hear(sender, phase(0, seq, proposal.batch.digest()))


def test_after_a_block_of_many_a_leader_waits_for_those_whom_it_set_free() -> None:
    desk = Desk(0, linger_ms=4)
    desk.submit(b"first", *(b"%d" % i for i in range(8)))
    _agree(desk, 1)
    assert len(desk.last(PrePrepare).batch.requests) == 8, "after a block of one there is no wait"
    desk.submit(b"next")
    _agree(desk, 2)
    desk.wait(2, step=1)
    assert desk.last(PrePrepare).batch.seq == 2
    desk.submit(b"one more")
    desk.wait(2, step=1)
    assert desk.last(PrePrepare).batch.requests == (digest(b"next"), digest(b"one more"))


@pytest.mark.parametrize(("took_ms", "gathers_ms"), [(0, 10), (15, 15), (1_000, 20)])
def test_a_busy_leader_gathers_as_long_as_agreement_takes_within_bounds(
    took_ms: int, gathers_ms: int
) -> None:
    desk = Desk(0, batch_delay_ms=10)
    desk.submit(b"first")
    desk.now += took_ms
    desk.replica.tick(desk.now)
    _agree(desk, 1)
    desk.submit(b"second", b"third")
    assert desk.last(PrePrepare).batch.requests == (digest(b"second"),)
    desk.wait(gathers_ms - 1, step=1)
    assert desk.last(PrePrepare).batch.seq == 2
    desk.wait(1, step=1)
    assert desk.last(PrePrepare).batch.requests == (digest(b"third"),)


def test_a_leader_that_gathers_proposes_once_it_has_as_many_as_there_are_members() -> None:
    desk = Desk(0, gather_ms=500)
    desk.submit(b"a", b"b", b"c")
    desk.wait(100)
    assert not desk.all(PrePrepare)
    desk.submit(b"d")
    assert len(desk.last(PrePrepare).batch.requests) == 4


def test_a_leader_keeps_to_its_pipeline_and_the_high_watermark() -> None:
    desk = Desk(0, pipeline=2, max_batch=1)
    desk.submit(*(b"%d" % i for i in range(9)))
    desk.wait(100)
    assert [p.batch.seq for p in desk.all(PrePrepare)] == [1, 2]
    high = Desk(1, window=8, interval=4)
    high.submit(b"a")
    high.hear(0, PrePrepare(0, batch(9, b"a")))
    assert not high.said


@pytest.mark.parametrize("ahead", [0, 999])
def test_after_quiet_times_a_request_is_passed_on_as_soon_as_ever(ahead: int) -> None:
    """Nor does it help a liar to be said to be ahead: what is lost is said again promptly."""
    desk = Desk(1)
    desk.hear(3, Status(0, ahead, 0))
    desk.wait(20_000)
    desk.submit(b"a")
    desk.wait(1_000)
    assert [resend.raw for resend in desk.again] == [b"a"]


@pytest.mark.parametrize("off_ms", [-10_000, 0, 500])
def test_a_clock_may_be_late_by_more_than_it_may_be_early(off_ms: int) -> None:
    """A leader ahead of the others would close questions before they are answered."""
    desk = Desk(1)
    desk.submit(b"a")
    desk.hear(0, PrePrepare(0, batch(1, b"a", time_ms=NOW + off_ms)))
    assert desk.last(Prepare).seq == 1


@pytest.mark.parametrize(
    ("message", "sender", "reason"),
    [
        (PrePrepare(0, batch(1, b"a")), 2, "not_leader"),
        (Prepare(0, 1, bytes(32)), 0, "not_backup"),
        (PrePrepare(0, batch(1)), 0, "bad_proposal"),
        (PrePrepare(0, batch(1, b"a", b"a")), 0, "bad_proposal"),
        (PrePrepare(0, Batch(1, 0, ())), 0, "bad_proposal"),
        (PrePrepare(0, batch(1, b"a", time_ms=NOW + 501)), 0, "bad_clock"),
        (PrePrepare(0, batch(1, b"a", time_ms=NOW - 10_001)), 0, "bad_clock"),
        (PrePrepare(0, batch(1, *(b"%d" % i for i in range(101)))), 0, "bad_proposal"),
    ],
)
def test_refused(message: PrePrepare | Prepare, sender: int, reason: str) -> None:
    desk = Desk()
    desk.submit(b"a")
    assert desk.refuses(sender, message) == reason
    assert not desk.said


def test_one_voter_counted_twice_is_no_quorum() -> None:
    desk, what = Desk(n=7), batch(1, b"a")
    desk.submit(b"a")
    desk.hear(0, PrePrepare(0, what))
    for _ in range(9):
        desk.hear(2, Prepare(0, 1, what.digest()))
        desk.hear(2, Commit(0, 1, what.digest()))
    assert not desk.all(Commit)
    assert not desk.blocks


def test_replay_from_another_view_counts_for_nothing() -> None:
    desk, what = Desk(), batch(1, b"a")
    desk.submit(b"a")
    desk.hear(2, desk.new_view(2))
    desk.hear(2, PrePrepare(2, what))
    for voter in (0, 3):
        desk.hear(voter, Prepare(1, 1, what.digest()), Commit(1, 1, what.digest()))
        desk.hear(voter, Commit(0, 1, what.digest()))
    assert not desk.all(Commit)
    assert not desk.blocks


def test_blocks_are_handed_out_in_order_without_a_gap() -> None:
    desk = Desk()
    desk.submit(b"a", b"b", b"c")
    desk.commit(0, batch(3, b"c"))
    desk.commit(0, batch(2, b"b"))
    assert not desk.blocks
    desk.commit(0, batch(1, b"a"))
    assert [block.seq for block in desk.blocks] == [1, 2, 3]


def test_a_request_that_another_batch_in_flight_orders_is_refused() -> None:
    """Ordered twice by one leader, its body would be gone when the second one needs it."""
    desk = Desk()
    desk.submit(b"a", b"b")
    desk.hear(0, PrePrepare(0, batch(1, b"a")))
    assert desk.refuses(0, PrePrepare(0, batch(2, b"b", b"a"))) == "bad_proposal"
    desk.commit(0, batch(1, b"a"))
    assert desk.refuses(0, PrePrepare(0, batch(2, b"a"))) == "bad_proposal"
    assert desk.submit(b"a") == [False]


def test_nobody_prepares_what_it_has_not_got_and_asks_for_it() -> None:
    desk = Desk()
    desk.hear(0, PrePrepare(0, batch(1, b"a")))
    assert desk.said == [Want((digest(b"a"),))]
    desk.submit(b"a")
    assert desk.last(Prepare) is not None


def test_a_full_quota_does_not_keep_out_what_a_slot_waits_for() -> None:
    """One author who fills every pool with different requests would stop every leader."""
    desk = Desk(quota=2)
    assert desk.submit(b"x", b"y", b"z") == [True, True, False]
    what = batch(1, b"z")
    desk.hear(0, PrePrepare(0, what))
    assert desk.submit(b"z") == [True]
    desk.commit(0, what)
    assert desk.blocks[0].bodies == (b"z",)


def test_bodies_that_could_never_be_handed_on_are_not_taken() -> None:
    desk = Desk(0)
    assert desk.submit(b"", b"x" * (MAX_REQUEST_BYTES + 1)) == [False, False]
    assert desk.submit(b"x" * MAX_REQUEST_BYTES) == [True]


def test_a_batch_stays_small_enough_to_be_handed_on() -> None:
    """A lagging replica gets a block as one message; one that is too large would lock it out."""
    desk = Desk(0, quota=64)
    bodies = [b"%02d" % i * (MAX_REQUEST_BYTES // 2) for i in range(60)]
    desk.submit(*bodies[:1])
    desk.submit(*bodies[1:])
    desk.wait(50)
    assert 20 < len(desk.last(PrePrepare).batch.requests) < 40
    backup = Desk(1)
    backup.submit(*bodies)
    backup.hear(0, PrePrepare(0, batch(1, *bodies)))
    assert not backup.all(Prepare)


def test_equivocation_becomes_evidence_once_a_view() -> None:
    desk = Desk()
    desk.submit(b"a", b"b")
    desk.hear(0, PrePrepare(0, batch(1, b"a")))
    for i in range(50):
        desk.hear(0, PrePrepare(0, batch(1, b"b", time_ms=NOW + i)))
        desk.hear(2, Commit(0, 1, digest(b"%d" % i)), Prepare(0, 1, digest(b"%d" % i)))
    assert sorted(e.culprit for e in desk.evidence) == [0, 2]
    for item in desk.evidence:
        first, second = desk.mint.open(item.first), desk.mint.open(item.second)
        assert first.sender == second.sender == item.culprit
        assert first.message != second.message


def test_votes_in_different_views_are_no_equivocation() -> None:
    desk = Desk()
    desk.submit(b"a", b"b")
    desk.hear(2, Prepare(0, 1, digest(b"x")), Commit(0, 1, digest(b"x")))
    desk.hear(3, desk.new_view(3))
    desk.hear(2, Prepare(3, 1, digest(b"y")), Commit(3, 1, digest(b"y")))
    assert not desk.evidence


def test_checkpoints_with_another_root_are_evidence_and_another_time_is_not() -> None:
    desk = Desk()
    desk.submit(b"a")
    desk.commit(0, batch(1, b"a"))
    desk.hear(2, checkpoint(1, ROOT), Checkpoint(1, 1, ROOT, bytes(72)))
    assert not desk.evidence
    desk.hear(2, checkpoint(1, digest(b"another")))
    assert [e.culprit for e in desk.evidence] == [2]


def test_checkpoint_over_blocks_not_applied_is_misuse() -> None:
    desk = Desk()
    with pytest.raises(Misuse):
        desk.replica.checkpoint(checkpoint(1, ROOT))


def test_own_old_checkpoint_played_back_does_not_replace_the_latest() -> None:
    desk = Desk()
    desk.submit(b"a", b"b")
    for seq, body in ((1, b"a"), (2, b"b")):
        desk.commit(0, batch(seq, body))
        desk.replica.checkpoint(checkpoint(seq, ROOT))
        desk.pump()
    old = desk.signed(1, desk.all(Checkpoint)[0])
    desk.replica.step(old)
    desk.wait(1_100)
    assert old.raw not in {resend.raw for resend in desk.again}
    assert not desk.replica.checkpoint_due


def test_time_runs_backwards_without_harm() -> None:
    desk = Desk()
    desk.replica.tick(NOW - 5_000)
    desk.replica.tick(0)
    assert not desk.replica.ready()


def test_strangers_may_ask_for_blocks_and_bind_nobody() -> None:
    desk = Desk()
    desk.submit(b"a")
    desk.commit(0, batch(1, b"a"))
    desk.hear(9, Status(0, 0, 0), Fetch(1))
    assert desk.served == [(9, 1)]
    for message in (
        PrePrepare(0, batch(2, b"b")),
        Prepare(0, 2, ROOT),
        Commit(0, 2, ROOT),
        checkpoint(1, ROOT),
        desk.view_change(1),
        desk.new_view(1),
    ):
        assert desk.refuses(9, message) == "not_a_member"


@pytest.mark.parametrize(
    "wrong",
    [
        {"members": (0, 1, 2)},
        {"members": (0, 1, 2, 2)},
        {"base": -1},
        {"interval": 65},
        {"window": 257},
        {"pipeline": 0},
        {"linger_ms": -1},
        {"quota": 0},
    ],
)
def test_settings_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(Misuse, match="consensus settings"):
        Settings(**{"members": (0, 1, 2, 3), "me": 0, **wrong})


def test_fresh_replica_has_nothing_to_do() -> None:
    replica = Replica(Settings((0, 1, 2, 3), 0), Desk().mint.open, now_ms=NOW)
    assert not replica.ready()
    assert (replica.view, replica.leader, replica.active) == (0, 0, True)


# who follows for a while, and what is given up


def test_a_mute_replica_binds_itself_to_nothing_and_then_to_all_that_is_under_way() -> None:
    """It counts the others' votes all the same, and says its own as soon as it may."""
    desk = Desk(mute=True)
    desk.submit(b"a", b"b")
    desk.commit(0, batch(1, b"a"))
    desk.hear(0, PrePrepare(0, batch(2, b"b")))
    desk.hear(2, Prepare(0, 2, batch(2, b"b").digest()))
    desk.wait(5_000)
    assert [block.seq for block in desk.blocks] == [1]
    assert not any(isinstance(message, BINDING) for message in desk.said)
    desk.replica.set_mute(mute=False)
    desk.pump()
    digest_2 = batch(2, b"b").digest()
    assert Prepare(0, 2, digest_2) in desk.said
    assert Commit(0, 2, digest_2) in desk.said


def test_a_mute_leader_proposes_once_it_may() -> None:
    desk = Desk(me=0, mute=True)
    desk.submit(b"a")
    desk.wait(500)
    assert desk.all(PrePrepare) == []
    desk.replica.set_mute(mute=False)
    desk.pump()
    assert [message.batch.requests for message in desk.all(PrePrepare)] == [(digest(b"a"),)]
    desk.replica.set_mute(mute=True)
    desk.submit(b"b")
    desk.wait(5_000)
    assert len(desk.all(PrePrepare)) == 1
    assert desk.all(ViewChange) == []


def test_what_is_given_up_blames_nobody_and_may_come_again() -> None:
    desk = Desk(quota=2)
    assert desk.submit(b"a", b"b") == [True, True]
    assert desk.submit(b"c") == [False]
    assert desk.replica.withdraw(lambda body: body == b"a") == [digest(b"a")]
    assert desk.replica.pending == 1
    assert desk.submit(b"c") == [True], "its author has room again"
    desk.replica.withdraw(lambda _: True)
    desk.wait(10_000)
    assert desk.all(ViewChange) == []
    assert desk.submit(b"a") == [True]


def test_what_an_open_slot_orders_is_not_given_up() -> None:
    desk = Desk()
    desk.submit(b"a", b"b")
    desk.hear(0, PrePrepare(0, batch(1, b"a")))
    assert desk.replica.withdraw(lambda _: True) == [digest(b"b")]
    desk.commit(0, batch(1, b"a"))
    assert [block.bodies for block in desk.blocks] == [(b"a",)]


def test_during_a_view_change_nothing_is_given_up() -> None:
    """What was prepared may be in what the next view begins with."""
    desk = Desk()
    desk.submit(b"a")
    desk.wait(desk.settings.request_timeout_ms + 100)
    assert not desk.replica.active
    assert desk.replica.withdraw(lambda _: True) == []
    assert desk.replica.pending == 1


def test_a_body_is_supplied_only_to_a_slot_that_waits_for_it() -> None:
    desk = Desk()
    assert not desk.replica.supply(b"a", desk.now)
    desk.hear(0, PrePrepare(0, batch(1, b"a")))
    assert not desk.replica.supply(b"b", desk.now)
    assert desk.all(Prepare) == []
    assert desk.replica.supply(b"a", desk.now)
    desk.pump()
    assert [message.seq for message in desk.all(Prepare)] == [1]
    assert desk.replica.pending == 0


def test_the_ledgers_own_time_is_never_too_far_ahead() -> None:
    """Found by simulation, seed 20744: clocks jumped an hour ahead, and back. All refused every
    proposal, as no honest leader goes back behind the ledger's time."""
    hour = 3_600_000
    desk = Desk()
    desk.now += hour
    desk.replica.tick(desk.now)
    desk.submit(b"a", b"b", b"c")
    desk.commit(0, batch(1, b"a", time_ms=NOW + hour))
    desk.now = NOW + 1_000
    desk.replica.tick(desk.now)
    assert desk.refuses(0, PrePrepare(0, batch(2, b"b", time_ms=NOW + hour + 1))) == "bad_clock"
    desk.commit(0, batch(2, b"b", time_ms=NOW + hour))
    assert [block.seq for block in desk.blocks] == [1, 2]
    desk.now = NOW + 2 * hour
    desk.replica.tick(desk.now)
    assert desk.refuses(0, PrePrepare(0, batch(3, b"c", time_ms=NOW + hour))) == "bad_clock"
