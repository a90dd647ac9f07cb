# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Guards against equivocation that did not survive a restart."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import combinations
from typing import NoReturn

import msgspec
import pytest

from swarm_ledger.consensus.evidence import contradiction
from swarm_ledger.consensus.messages import (
    Batch,
    Checkpoint,
    Commit,
    Message,
    NewView,
    Prepare,
    PrePrepare,
    ViewChange,
)
from swarm_ledger.consensus.ready import Ready
from swarm_ledger.encoding import digest
from swarm_ledger.errors import PeerFault
from swarm_ledger.sim.pbft.liars import Liar, Own
from swarm_ledger.sim.pbft.plan import POINTS
from tests.known_bugs.swarm import PATIENCE_MS, Swarm
from tests.lab import Lab
from tests.unit.consensus_desk import Desk, batch

X, Y = batch(1, b"x"), batch(1, b"y")
Step = Callable[[Desk], None]


def hears(sender: int, *messages: Message) -> Step:
    return lambda desk: desk.hear(sender, *messages)


LIFE: tuple[Step, ...] = (
    lambda desk: None,
    hears(0, PrePrepare(0, X)),
    hears(2, Prepare(0, 1, X.digest())),
    lambda desk: desk.wait(2_100),
    lambda desk: desk.hear(2, desk.view_change(1)),
    lambda desk: desk.hear(3, desk.view_change(1)),
    hears(3, Prepare(1, 1, X.digest())),
    hears(2, Prepare(1, 1, X.digest())),
)
"""Drone 1 prepares, commits, asks for view 1, opens it, proposes in it, and commits in it."""

OTHER_LIFE: tuple[Step, ...] = (
    hears(0, PrePrepare(0, Y)),
    hears(2, Prepare(0, 1, Y.digest())),
    hears(3, Prepare(0, 1, Y.digest())),
    lambda desk: desk.wait(2_100),
    lambda desk: desk.hear(0, desk.view_change(1, desk.prepared(0, Y))),
    lambda desk: desk.hear(3, desk.view_change(1)),
    lambda desk: desk.wait(300),
    hears(0, Prepare(1, 1, Y.digest())),
    hears(2, Prepare(1, 1, Y.digest())),
)
"""What others tell it after the restart: at each place something else."""


def play(desk: Desk, steps: Iterable[Step]) -> None:
    for step in steps:
        with suppress(PeerFault):
            step(desk)
        desk.pump()


@pytest.mark.parametrize("died_after", range(1, len(LIFE) + 1))
def test_malachite_864_a_replayed_log_and_new_messages_make_no_second_statement(
    died_after: int,
) -> None:
    """Malachite #864: after a restart a node took in new messages before, and beside, its replayed
    log: it voted for another value, then broadcast the replayed vote as well.

    Ours puts its log back before it hears anything, says nothing anew while doing so, and then
    never contradicts it, nor what it said and did not write down: whenever it died, whatever it
    hears. It may commit to what a quorum prepared where it had prepared something else itself.
    """
    desk = Desk(1)
    desk.submit(b"x", b"y")
    play(desk, LIFE[:died_after])
    again = desk.restarted()
    replayed = list(again.said)
    assert all(any(message == one for one in desk.said) for message in replayed)
    again.submit(b"y", b"x")
    play(again, OTHER_LIFE)
    third = again.restarted()
    third.submit(b"y")
    play(third, OTHER_LIFE)
    said = [*desk.said, *again.said, *third.said]
    assert [what for a, b in combinations(said, 2) if (what := contradiction(a, b))] == []


def test_malachite_864_that_life_says_everything_that_binds() -> None:
    """Else the test above would hold for a drone that is silent."""
    desk = Desk(1)
    desk.submit(b"x", b"y")
    play(desk, LIFE)
    kinds = [type(message) for message in desk.said]
    for kind, times in ((Prepare, 1), (ViewChange, 1), (NewView, 1), (PrePrepare, 1), (Commit, 2)):
        assert kinds.count(kind) == times


class TwoFaced(Liar):
    """Leads with one batch, and proposes another one in its place a little later, to all."""

    at, later_ms = 1, PATIENCE_MS // 2

    def send(self, version: int, ready: Ready, own: Own) -> None:
        super().send(version, ready, own)
        for _, signed in own:
            if isinstance(signed.message, PrePrepare) and signed.message.batch.seq == self.at:
                what = signed.message.batch
                other = Batch(what.seq, what.time_ms + 1, what.requests)
                second = self.world.mint.seal(
                    version, self.me, PrePrepare(signed.message.view, other)
                )
                self.world.at(self.later_ms, "post", self.me, second.raw)


class TwoFacedLater(TwoFaced):
    """The same in the place of its second batch, before anybody says anything again."""

    at, later_ms = 2, PATIENCE_MS // 4


def survive_losing_power(swarm: Swarm, seq: int, point: str) -> None:
    """Have each drone lose power when it is proposed that block; in the end all must agree."""
    doomed: set[int] = set()

    def doom(_: int, to: int, message: Message) -> bool:
        if isinstance(message, PrePrepare) and message.batch.seq == seq and to not in doomed:
            doomed.add(to)
            swarm.nodes[to].doom = point
            swarm.at(100, "up again", to)
        return False

    swarm.lost = doom
    vote = swarm.vote(2)
    swarm.run(3 * PATIENCE_MS)
    assert doomed == {1, 2, 3}
    swarm.heal()
    swarm.until_held(vote, {1, 2, 3})
    swarm.agree()


def test_telcoin_964_what_is_not_written_down_is_not_said_again() -> None:
    """As below, at a block whose prepare no journal holds: all three have sent it by then."""
    swarm = Swarm(liars={0: TwoFacedLater})
    first = swarm.vote(1)
    swarm.until_held(first, {1, 2, 3})
    survive_losing_power(swarm, 2, "after sending")


@pytest.mark.parametrize("point", POINTS)
def test_telcoin_964_guards_are_durable_before_anything_is_sent(point: str) -> None:
    """Telcoin #964 (and amnesia in general): the records that kept a node from voting twice were
    written behind its back; after a crash between vote and write an honest node signed two.

    Here all three honest drones lose power around their first prepare, and hear another proposal
    when they are back. The checkers look at every statement that was ever sent.
    """
    survive_losing_power(Swarm(liars={0: TwoFaced}), 1, point)


def test_telcoin_964_a_drone_that_cannot_write_says_nothing(lab: Callable[..., Lab]) -> None:
    """Telcoin #964's sequel (#975): the write failed (a full disk), the error was logged, and the
    vote was sent all the same.

    Ours stops: nothing that it would have to remember leaves a drone whose journal cannot be
    written. With room on its disk again it goes on, and contradicts nothing.
    """
    swarm = lab()
    for member in range(4):
        swarm.start(member)
    swarm.run(60)

    def full(_: object) -> NoReturn:
        raise sqlite3.OperationalError("database or disk is full")

    victim = swarm.drones[1]
    victim.keeper.store.journal_append = full  # type: ignore[assignment, method-assign]
    before = len(list(swarm.statements()))
    with pytest.raises(sqlite3.OperationalError):
        swarm.run(5_000)
    later = list(swarm.statements())[before:]
    to_keep = (Commit, Checkpoint, ViewChange, NewView)
    assert [m for name, _, m in later if name == "drone_2" and isinstance(m, to_keep)] == []
    del swarm.drones[1]
    swarm.run(1_000)
    victim.keeper.store.close()
    swarm.start(1)
    swarm.until_decided()
    again = msgspec.structs.replace(swarm.crew.question, nonce=bytes([1]) * 16)
    swarm.drones[0].submit(swarm.crew.asked(again), swarm.now_ms)
    swarm.until(swarm.drones[0].keeper.store.height + 1)
    swarm.assert_no_contradiction()
    spoke = {name for name, _, m in swarm.statements() if isinstance(m, to_keep)}
    assert "drone_2" in spoke
    assert len({digest(d.keeper.store.root()) for d in swarm.drones.values()}) == 1
