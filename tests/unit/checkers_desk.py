# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A swarm that does nothing by itself, for tests of those who watch it. Drone 3 lies."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from swarm_ledger.consensus.messages import (
    Batch,
    Commit,
    Message,
    Prepare,
    Prepared,
    PrePrepare,
    Signed,
)
from swarm_ledger.consensus.ready import Decided, journaled
from swarm_ledger.encoding import digest
from swarm_ledger.sim.pbft.checkers import Violation
from swarm_ledger.sim.pbft.cluster import START_MS, Cluster
from swarm_ledger.sim.pbft.disk import Transaction
from swarm_ledger.sim.pbft.liars import Silent

ROOT, OTHER_ROOT = digest(b"root"), digest(b"another")


class Desk:
    """A swarm that does nothing by itself; the test says what its drones say and do."""

    def __init__(self) -> None:
        self.cluster = Cluster(4, 1, spares=1, liars={3: Silent})
        self.watch, self.nodes = self.cluster.watch, self.cluster.nodes
        self.body = self.cluster.vote(0)

    def seal(self, sender: int, message: Message, version: int = 1) -> Signed[Message]:
        return self.cluster.mint.seal(version, sender, message)

    def say(self, sender: int, *messages: Message, version: int = 1) -> None:
        for message in messages:
            self.watch.said(self.nodes[sender], version, self.seal(sender, message, version))

    def kept(self, sender: int, message: Message, version: int = 1) -> None:
        """A drone has it on its disk, loses power before it says it, and begins again."""
        record = journaled(self.seal(sender, message, version))
        key = (version, record.seq, record.view, record.tag, record.sender)
        disk = self.nodes[sender].disk
        disk.write(Transaction(journal=((key, record.raw),)))
        disk.sync()
        self.watch.started(self.nodes[sender])

    def batch(self, seq: int = 1, *bodies: bytes, time_ms: int = START_MS) -> Batch:
        return Batch(seq, time_ms, tuple(map(digest, bodies or (self.body,))))

    def prepared(self, batch: Batch, view: int = 0, by: tuple[int, ...] = (1, 2)) -> Prepared:
        leader = self.watch.leader(1, view)
        pre_prepare = self.seal(leader, PrePrepare(view, batch))
        votes = [self.seal(i, Prepare(view, batch.seq, batch.digest())) for i in by]
        return Prepared(pre_prepare.raw, tuple(vote.raw for vote in votes))

    def decided(
        self,
        batch: Batch,
        *bodies: bytes,
        by: tuple[int, ...] = (0, 1, 2),
        views: tuple[int, ...] = (0, 0, 0),
        version: int = 1,
    ) -> Decided:
        commits = [
            self.seal(i, Commit(view, batch.seq, batch.digest()), version).raw
            for i, view in zip(by, views, strict=True)
        ]
        return Decided(batch.seq, batch.time_ms, bodies or (self.body,), tuple(commits))

    def apply(self, me: int, decided: Decided) -> None:
        self.nodes[me].ledger.apply(decided)
        self.watch.applied(self.nodes[me], decided)


def finds(what: str, act: Callable[[], object]) -> None:
    with pytest.raises(Violation, match=what):
        act()
