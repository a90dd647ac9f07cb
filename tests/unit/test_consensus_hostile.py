# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Whatever a peer that signs properly may say: a PeerFault at most, and bounded memory."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm_ledger.consensus.messages import (
    Batch,
    Checkpoint,
    Commit,
    Committed,
    Fetch,
    Message,
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
from swarm_ledger.errors import PeerFault
from tests.unit.consensus_desk import NOW, Desk, batch
from tests.unit.consensus_mint import forge

EDGES = (0, 1, 2, 3, 5, 127, 128, 129, 2**53 - 1)


class Chaos:
    """Random messages around the edges of every field, with true, forged and garbled parts."""

    def __init__(self, seed: int, desk: Desk) -> None:
        self.rng, self.desk = random.Random(seed), desk
        self.raws = [b"\x00", b"\xff" * 40]

    def edge(self) -> int:
        return self.rng.choice(EDGES)

    def batch(self) -> Batch:
        bodies = self.rng.sample([b"a", b"b", b"c", b"unseen"], self.rng.randint(0, 3))
        return batch(self.edge(), *bodies, time_ms=self.rng.choice((0, NOW, 2**53 - 1)))

    def root(self) -> bytes:
        return self.rng.choice((bytes(32), self.batch().digest(), digest(b"a")))

    def some(self) -> tuple[bytes, ...]:
        return tuple(self.rng.choice(self.raws) for _ in range(self.rng.randint(0, 5)))

    def view_change(self) -> ViewChange:
        view = self.edge()
        shown = (
            self.desk.prepared(max(0, view - 1), self.batch()),
            Prepared(self.rng.choice(self.raws), self.some()),
        )
        return ViewChange(view, self.edge(), self.some(), shown[: self.rng.randint(0, 2)])

    def message(self) -> Message:
        kinds: tuple[Callable[[], Message], ...] = (
            lambda: PrePrepare(self.edge(), self.batch()),
            lambda: Prepare(self.edge(), self.edge(), self.root()),
            lambda: Commit(self.edge(), self.edge(), self.root()),
            lambda: Checkpoint(self.edge(), self.edge(), self.root(), bytes(72)),
            self.view_change,
            lambda: NewView(self.edge(), (self.root(), self.root(), self.root())),
            lambda: self.desk.new_view(self.rng.choice((1, 2, 3, 7))),
            lambda: Status(self.edge(), self.edge(), self.edge()),
            lambda: Fetch(self.edge()),
            lambda: Want((self.root(), self.root())),
            lambda: Committed(self.edge(), NOW, (b"a",), self.some()),
            lambda: self.desk.committed(0, self.rng.choice((1, 2, 3)), b"a"),
        )
        return self.rng.choice(kinds)()


@settings(max_examples=40)
@given(st.integers(0, 2**32))
def test_no_message_makes_a_replica_raise_anything_but_a_fault(seed: int) -> None:
    desk = Desk(1)
    desk.submit(b"a", b"b", b"c")
    chaos = Chaos(seed, desk)
    for _ in range(60):
        sender, message = chaos.rng.randrange(4), chaos.message()
        chaos.raws += (desk.mint.seal(sender, message), forge(sender, message))
        try:
            desk.hear(sender, message)
        except PeerFault:
            desk.pump()
        if chaos.rng.random() < 0.3:
            desk.wait(chaos.rng.choice((50, 600)))
    assert [block.seq for block in desk.blocks] == list(range(1, len(desk.blocks) + 1))


def test_a_flooding_peer_fills_its_own_quota_and_nothing_else() -> None:
    desk = Desk(1)
    for i in range(3_000):
        noise: tuple[Message, ...] = (
            Commit(i, i, digest(b"%d" % i)),
            Prepare(i + 1, i, digest(b"%d" % i)),
            ViewChange(i, 0, (), ()),
            Checkpoint(i, i, digest(b"%d" % i), bytes(72)),
            Status(i, 1 << 50, 1 << 50),
            Want((digest(b"%d" % i),)),
        )
        for message in noise:
            try:
                desk.hear(3, message)
            except PeerFault:
                desk.pump()
        desk.submit(b"%d" % i, author=3)
    state = desk.replica._state
    window = desk.settings.window
    assert len(state.slots) <= window
    assert len(state.checkpoints) <= window
    assert sum(map(len, state.early.values())) <= 64
    assert len(state.pool) <= desk.settings.quota
    assert len(state.view_changes) <= 1
    assert len(desk.evidence) <= 1
    assert desk.submit(b"an honest vote", author=2) == [True]


def test_a_flood_of_view_changes_is_not_all_checked() -> None:
    """Each could hold hundreds of signatures: one in half a resend is looked into."""
    desk = Desk()
    checked = 0
    real = desk.mint.open

    def count(raw: bytes) -> Signed[Message]:
        nonlocal checked
        checked += 1
        return real(raw)

    desk.replica._state.open = count
    shown = desk.prepared(0, batch(1, b"x"))
    for view in range(5, 105):
        desk.hear(2, desk.view_change(view, shown))
    assert checked == 1 + len(shown.prepares)
    desk.wait(desk.settings.resend_ms)
    desk.hear(2, desk.view_change(200, shown))
    assert checked == 2 * (1 + len(shown.prepares))


def test_what_no_honest_member_could_show_is_refused_before_it_is_checked() -> None:
    desk = Desk(window=4, interval=2, pipeline=1)
    desk.replica._state.open = lambda raw: pytest.fail("looked into it")
    certificates = [desk.prepared(0, batch(seq, b"x")) for seq in range(1, 6)]
    long = Prepared(certificates[0].pre_prepare, certificates[0].prepares * 3)
    for change in (desk.view_change(1, *certificates), desk.view_change(1, long)):
        assert desk.refuses(2, change) == "bad_certificate"
        desk.wait(desk.settings.resend_ms)
