# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Each checker of what drones do fires when it must, and says what it saw."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import pytest

from swarm_ledger.consensus.messages import (
    Checkpoint,
    Commit,
    Message,
    Prepare,
    Status,
)
from swarm_ledger.consensus.ready import Evidence, Stable
from swarm_ledger.consensus.state import Slot
from swarm_ledger.encoding import digest
from swarm_ledger.sim.pbft.cluster import START_MS
from swarm_ledger.sim.pbft.disk import Transaction
from tests.unit.checkers_desk import OTHER_ROOT, ROOT, Desk, finds


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_blocks_are_applied_without_a_gap(desk: Desk) -> None:
    finds("1 applies 2 after 0", lambda: desk.apply(1, desk.decided(desk.batch(2))))


def test_all_apply_the_same(desk: Desk) -> None:
    desk.apply(0, desk.decided(desk.batch()))
    other = desk.batch(time_ms=START_MS + 1)
    finds("two batches are applied at 1", lambda: desk.apply(1, desk.decided(other)))


def test_all_come_to_the_same_state(desk: Desk) -> None:
    decided = desk.decided(desk.batch())
    desk.apply(0, decided)
    desk.nodes[1].ledger.roots[0] = OTHER_ROOT
    finds("1 has another state at 1", lambda: desk.apply(1, decided))


def test_a_block_holds_what_was_submitted_once(desk: Desk) -> None:
    made_up = desk.batch(1, b"vote 9 9 9")
    finds("nobody submitted", lambda: desk.apply(0, desk.decided(made_up, b"vote 9 9 9")))
    desk = Desk()
    twice = desk.batch(1, desk.body, desk.body)
    finds("a request twice", lambda: desk.apply(0, desk.decided(twice, desk.body, desk.body)))


def test_one_view_orders_a_request_once_and_a_later_one_may_again(desk: Desk) -> None:
    first, again = desk.batch(1), desk.batch(2)
    desk.prepared(first, 0)
    desk.prepared(again, 1)
    for seq, batch in enumerate((first, again), 1):
        desk.apply(0, desk.decided(batch, views=(seq - 1,) * 3))
    desk = Desk()
    for batch in (first := desk.batch(1), again := desk.batch(2)):
        desk.prepared(batch, 0)
    desk.apply(0, desk.decided(first))
    finds("one view orders a request at 1 and 2", lambda: desk.apply(0, desk.decided(again)))


@pytest.mark.parametrize(
    ("what", "commits"),
    [
        ("without a quorum", {"by": (0, 1), "views": (0, 0)}),
        ("without a quorum", {"by": (0, 1, 1)}),
        ("without a quorum", {"by": (0, 1, 4)}),
        ("with commits of several views", {"views": (0, 0, 1)}),
        ("with commits of another epoch", {"version": 2}),
    ],
)
def test_a_block_is_certified(desk: Desk, what: str, commits: dict[str, tuple[int, ...]]) -> None:
    finds(what, lambda: desk.apply(0, desk.decided(desk.batch(), **commits)))  # type: ignore[arg-type]


def test_a_block_is_certified_by_commits_for_itself(desk: Desk) -> None:
    other = desk.decided(desk.batch(time_ms=START_MS + 1))
    decided = replace(desk.decided(desk.batch()), commits=other.commits)
    finds("with commits of something else", lambda: desk.apply(0, decided))


def test_a_new_epoch_s_blocks_need_its_own_quorum(desk: Desk) -> None:
    body = desk.cluster.enrol((0, 1, 2, 3, 4))
    desk.apply(0, desk.decided(desk.batch(1, body), body))
    assert desk.watch.epochs == [(1, 0), (2, 1)]
    finds("of another epoch", lambda: desk.apply(0, desk.decided(desk.batch(2))))


def test_the_ledger_s_time_is_no_further_than_some_clock_and_what_is_allowed(desk: Desk) -> None:
    latest = max(node.clock.furthest_ms for node in desk.cluster.honest)
    allowed = desk.nodes[0].replica.settings.max_ahead_ms
    desk.apply(0, desk.decided(desk.batch(time_ms=latest + allowed)))
    body = desk.cluster.vote(1)
    ahead = desk.batch(2, body, time_ms=latest + allowed + 1)
    finds("ahead of all", lambda: desk.apply(0, desk.decided(ahead, body)))


def test_nothing_that_was_kept_is_lost(desk: Desk) -> None:
    decided = desk.decided(desk.batch())
    desk.watch.kept(desk.nodes[1], 1)
    finds("1 lost blocks: 0 of 1 are left", lambda: desk.watch.started(desk.nodes[1]))
    desk.nodes[1].disk.write(Transaction(block=decided))
    desk.watch.started(desk.nodes[1])


def test_a_stable_checkpoint_has_a_quorum_over_one_root(desk: Desk) -> None:
    claim = Checkpoint(4, 4, ROOT, bytes(72))
    votes = [desk.seal(i, claim) for i in (0, 1)]
    desk.seal(2, replace_root(claim))
    desk.seal(4, claim)  # no member
    stable = Stable(claim, ())
    finds("holds 4 stable without a quorum", lambda: desk.watch.stable(desk.nodes[0], 1, stable))
    votes.append(desk.seal(3, claim))
    desk.watch.stable(desk.nodes[0], 1, stable)


def replace_root(claim: Checkpoint) -> Checkpoint:
    return Checkpoint(claim.seq, claim.size, OTHER_ROOT, claim.cosignature)


def test_a_stable_root_is_the_ledger_s(desk: Desk) -> None:
    desk.apply(0, desk.decided(desk.batch()))
    claim = Checkpoint(1, 1, OTHER_ROOT, bytes(72))
    for member in (1, 2, 3):
        desk.seal(member, claim)
    finds("not the ledger's", lambda: desk.watch.stable(desk.nodes[0], 1, Stable(claim, ())))


# evidence


def accusation(desk: Desk, culprit: int, *said: Message, by: int | None = None) -> Evidence:
    signer = culprit if by is None else by
    return Evidence(culprit, *(desk.seal(signer, message).raw for message in said))


A, B = Prepare(0, 1, ROOT), Prepare(0, 1, OTHER_ROOT)


def test_evidence_names_those_who_lied(desk: Desk) -> None:
    node, watch = desk.nodes[0], desk.watch
    watch.evidence(node, 1, accusation(desk, 3, A, B))
    assert watch.accused == {3}
    for what, evidence, version in (
        ("accuses 1, who is honest", accusation(desk, 1, A, B), 1),
        ("its culprit did not sign", accusation(desk, 3, A, B, by=2), 1),
        ("evidence of nothing", accusation(desk, 3, A, A), 1),
        ("evidence of nothing", accusation(desk, 3, A, Commit(0, 1, OTHER_ROOT)), 1),
        ("several epochs", accusation(desk, 3, A, B), 2),
    ):
        finds(what, lambda e=evidence, v=version: watch.evidence(node, v, e))


def test_the_ledger_convicts_those_who_lied(desk: Desk) -> None:
    ledger = desk.nodes[0].ledger
    ledger.convicted.add(3)
    desk.watch.verdicts(desk.nodes[0])
    ledger.convicted.add(1)
    finds("the ledger convicts 1, who is honest", lambda: desk.watch.verdicts(desk.nodes[0]))


# bounds


def test_what_a_replica_holds_is_bounded(desk: Desk) -> None:
    node = desk.nodes[0]
    state, settings = node.replica._state, node.replica.settings
    desk.watch.bounds(node)
    signed = desk.seal(1, Prepare(7, 1, ROOT))
    for what, fill, empty in (
        (
            "slots",
            lambda: state.slots.update({-seq: Slot() for seq in range(2 * settings.window + 1)}),
            state.slots.clear,
        ),
        (
            "checkpoints",
            lambda: state.checkpoints.update({s: {} for s in range(2 * settings.window + 1)}),
            state.checkpoints.clear,
        ),
        (
            "early",
            lambda: state.early.update({1: deque([signed] * 65)}),
            state.early.clear,
        ),
        (
            "peers",
            lambda: state.peers.update(dict.fromkeys(range(6), Status(0, 0, 0))),
            state.peers.clear,
        ),
        (
            "retired",
            lambda: node.retired.update(dict.fromkeys(range(4), node.replica)),
            node.retired.clear,
        ),
    ):
        fill()
        finds(f"0 holds .* {what}, more than", lambda: desk.watch.bounds(node))
        empty()
        desk.watch.bounds(node)


def test_each_author_has_a_quota(desk: Desk) -> None:
    node = desk.nodes[0]
    pool = node.replica._state.pool
    pool._quota = 1_000
    for number in range(node.replica.settings.quota + 1):
        pool.add(digest(b"%d" % number), b"%d" % number, 2, node.now)
    finds("requests of one author, more than", lambda: desk.watch.bounds(node))


def test_no_slot_opens_beyond_the_high_watermark(desk: Desk) -> None:
    node = desk.nodes[0]
    node.replica._state.slots[node.replica.settings.window + 1] = Slot()
    finds("beyond its high watermark", lambda: desk.watch.bounds(node))
