# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Drones that lie. Each runs the engine and bends what it says; they share what they overhear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swarm_ledger.consensus.messages import (
    Batch,
    Commit,
    Fetch,
    Message,
    Prepare,
    PrePrepare,
    Signed,
    Status,
    ViewChange,
    Want,
)
from swarm_ledger.consensus.ready import Ready
from swarm_ledger.consensus.replica import Replica
from swarm_ledger.errors import PeerFault
from swarm_ledger.sim.pbft.node import Node
from swarm_ledger.sim.pbft.requests import Vote

if TYPE_CHECKING:
    from swarm_ledger.sim.pbft.cluster import Cluster

Own = list[tuple[int | None, Signed[Message]]]


class Liar(Node):
    """Bends the rules; is never watched."""

    honest = False

    def tell(self, message: Message, to: int | None = None) -> bytes:
        """Seal and send anything."""
        raw = self.world.mint.seal(self.epoch.version, self.me, message).raw
        self.world.post(self.me, to, raw)
        return raw

    def some_raw(self) -> bytes:
        """Return something that was said lately, by whomever, in whatever view and epoch."""
        return self.rng.choice(self.world.heard or [b"s0"])


class Silent(Liar):
    """Hears and never speaks."""

    def send(self, version: int, ready: Ready, own: Own) -> None:
        """Say nothing."""


class Slow(Liar):
    """As a leader, orders everything just before the others lose patience.

    share: of their patience that it takes.
    """

    share = 0.8

    def send(self, version: int, ready: Ready, own: Own) -> None:
        """Hold back the pre-prepares, and repeat none."""
        late = int(self.replica.settings.request_timeout_ms * self.share)
        for _, signed in own:
            if isinstance(signed.message, PrePrepare):
                self.world.at(late, "post", self.me, signed.raw)
        prompt = [(to, one) for to, one in own if not isinstance(one.message, PrePrepare)]
        again = [one for one in ready.resend if not self._proposes(one.raw)]
        super().send(version, Ready(resend=again), prompt)

    def _proposes(self, raw: bytes) -> bool:
        try:
            return isinstance(self.world.mint.open(raw).signed.message, PrePrepare)
        except PeerFault:
            return False  # a request


class Equivocator(Liar):
    """As a leader, proposes two batches; always, votes for everything, and votes twice."""

    def __init__(self, world: Cluster, me: int) -> None:
        self._voted: set[tuple[int, int, bytes]] = set()
        super().__init__(world, me)

    def alternative(self, batch: Batch) -> Batch:
        """Return what to propose to the other half."""
        requests = batch.requests[::-1] if len(batch.requests) > 1 else batch.requests
        return Batch(batch.seq, batch.time_ms + 1, requests)

    def send(self, version: int, ready: Ready, own: Own) -> None:
        """Send one pre-prepare to some, and another one to the rest."""
        super().send(version, Ready(resend=ready.resend), [])
        members, rng = self.epoch.members, self.rng
        for to, signed in own:
            message = signed.message
            if isinstance(message, PrePrepare):
                other = PrePrepare(message.view, self.alternative(message.batch))
                raw = self.world.mint.seal(version, self.me, other).raw
                victims = {rng.choice(members)} if rng.random() < 0.5 else set(members[::2])
                for peer in range(len(self.world.nodes)):
                    self.world.post(self.me, peer, raw if peer in victims else signed.raw)
                    if rng.random() < 0.1:
                        self.world.post(self.me, peer, raw)
            else:
                self.world.post(self.me, to, signed.raw)

    def step(self, replica: Replica, signed: Signed[Message]) -> None:
        """Vote for whatever anybody proposes or votes for."""
        message = signed.message
        if isinstance(message, PrePrepare) and signed.sender != self.me:
            self._vote(message.view, message.batch.seq, message.batch.digest())
        elif isinstance(message, Prepare) and signed.sender != self.me:
            self._vote(message.view, message.seq, message.digest)
        super().step(replica, signed)

    def _vote(self, view: int, seq: int, digest_: bytes) -> None:
        """Vote once for each: liars who answer each other's votes would talk of nothing else."""
        if (view, seq, digest_) in self._voted:
            return
        self._voted.add((view, seq, digest_))
        if self.replica.settings.leader(view) != self.me:
            self.tell(Prepare(view, seq, digest_))
        self.tell(Commit(view, seq, digest_))

    def tick(self) -> None:
        """Now and then, cast two votes on one question."""
        super().tick()
        if self.rng.random() < 0.02:
            question, everybody = -1 - self.rng.randrange(1 << 30), range(len(self.world.nodes))
            for choice in (0, 1):
                to = [other for other in everybody if other % 2 == choice]
                self.world.cast(Vote(self.me, question, choice), to)


class Usurper(Equivocator):
    """As a leader, contradicts what its new view must begin with, and what is committed."""

    def alternative(self, batch: Batch) -> Batch:
        """Return a batch for another number, or of other requests."""
        state = self.replica._state
        keys = [key for key, _ in state.pool.waiting(but=())][: self.replica.settings.max_batch]
        seq = self.rng.choice([batch.seq, batch.seq, max(1, state.applied), batch.seq + 1])
        return Batch(seq, max(self.now, 0), tuple(keys) or batch.requests)

    def tick(self) -> None:
        """As a leader, use up numbers at the high watermark."""
        super().tick()
        state = self.replica._state
        if state.leading and self.rng.random() < 0.2:
            high = state.stable + self.replica.settings.window
            seq = self.rng.choice([high, high + 1, state.applied, state.stable + 1])
            keys = tuple(key for key, _ in state.pool.waiting(but=()))
            batch = Batch(seq, max(self.now, 0), keys[:2] or (b"?" * 32,))
            self.tell(PrePrepare(state.view, batch))


class Omitter(Liar):
    """Leaves out the votes of one member, whoever leads."""

    def _submit(self, body: bytes) -> None:
        request = self.world.office.read(body)
        if isinstance(request, Vote) and request.author == min(self.epoch.members):
            raise PeerFault("omitted", "as if it had never come.")
        super()._submit(body)


class Flooder(Liar):
    """Replays what anybody said, spams view changes and far views, asks for everything."""

    def tick(self) -> None:
        """Send a handful of garbage."""
        super().tick()
        rng, n, state = self.rng, len(self.world.nodes), self.replica._state
        far = state.view + rng.choice((1, 2, n, 1_000_000))
        for _ in range(3):
            self.world.post(self.me, rng.randrange(n), self.some_raw())
        self.world.post(self.me, None, rng.randbytes(20))
        shapes: tuple[Message, ...] = (
            ViewChange(far, self.epoch.base, (), ()),
            Prepare(far, rng.randrange(1 << 40), bytes(32)),
            Commit(state.view, state.stable + rng.randint(1, 40), rng.randbytes(32)),
            Status(far, 1 << 50, 1 << 50),
            Status(0, 0, 0),
            Fetch(rng.choice((0, 1, state.applied, 1 << 50))),
            Want((rng.randbytes(32), bytes(32))),
        )
        self.tell(rng.choice(shapes))
        self.tell(Commit(far, rng.randrange(1 << 40), bytes(32)))
        self.world.cast(Vote(self.me, -rng.randrange(1, 1_000), 0), [rng.randrange(n)])


class Twin(Liar):
    """Two drones with one key, each of which hears a part of what is said.

    Either would be honest alone. Which one hears a message changes with time, so that they end up
    on the two sides of what the others disagree about.
    """

    other: Liar | None = None

    def receive(self, raw: bytes) -> None:
        """Give it to one of the two, or to both."""
        if self.other is None:
            self.other = Liar(self.world, self.me)
        side = self.world.now // 700 + len(raw) + raw[-1]
        if side % 3 != 1:
            super().receive(raw)
        if side % 3 != 0:
            self.other.receive(raw)

    def tick(self) -> None:
        """Let time pass for both."""
        super().tick()
        if self.other is not None:
            self.other.tick()
