# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Drones that lie. Each runs the engine and bends what it says; they share what they overhear."""

from __future__ import annotations

from contextlib import suppress

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
from swarm_ledger.consensus.ready import Ready
from swarm_ledger.encoding import digest
from swarm_ledger.errors import PeerFault
from tests.sim.fakes import author_of, forge, request
from tests.sim.node import Node


class Liar(Node):
    honest = False

    def tell(self, message: Message, to: int | None = None) -> bytes:
        raw = self.world.mint.seal(self.me, message)
        self.world.post(self.me, to, raw)
        return raw

    def some_raw(self) -> bytes:
        return self.world.rng.choice(self.world.heard or [b"nothing yet"])


class Silent(Liar):
    """Hears and never speaks."""

    def send(self, ready: Ready, own: list[tuple[int | None, Signed[Message]]]) -> None:
        return


class Equivocator(Liar):
    """As a leader, proposes two batches; always, votes for everything."""

    def alternative(self, batch: Batch) -> Batch:
        requests = batch.requests[::-1] if len(batch.requests) > 1 else batch.requests
        return Batch(batch.seq, batch.time_ms + 1, requests)

    def send(self, ready: Ready, own: list[tuple[int | None, Signed[Message]]]) -> None:
        super().send(Ready(resend=ready.resend), [])
        n, rng = self.settings.n, self.world.rng
        for to, signed in own:
            message = signed.message
            if isinstance(message, PrePrepare):
                other = PrePrepare(message.view, self.alternative(message.batch))
                raw = self.world.mint.seal(self.me, other)
                victims = {rng.randrange(n)} if rng.random() < 0.5 else set(range(0, n, 2))
                for peer in range(n):
                    self.world.post(self.me, peer, raw if peer in victims else signed.raw)
                    if rng.random() < 0.1:
                        self.world.post(self.me, peer, raw)
            else:
                self.world.post(self.me, to, signed.raw)

    def step(self, signed: Signed[Message]) -> None:
        message = signed.message
        if isinstance(message, PrePrepare) and signed.sender != self.me:
            self._vote(message.view, message.batch.seq, message.batch.digest())
        elif isinstance(message, Prepare) and signed.sender != self.me:
            self._vote(message.view, message.seq, message.digest)
        super().step(signed)

    def _vote(self, view: int, seq: int, digest_: bytes) -> None:
        if self.settings.leader(view) != self.me:
            self.tell(Prepare(view, seq, digest_))
        self.tell(Commit(view, seq, digest_))


class Usurper(Equivocator):
    """As a leader, contradicts what its new view must begin with, and what is committed."""

    def alternative(self, batch: Batch) -> Batch:
        state = self.replica._state
        keys = [key for key, _ in state.pool.waiting(but=())][: self.settings.max_batch]
        seq = self.world.rng.choice([batch.seq, batch.seq, max(1, state.applied), batch.seq + 1])
        return Batch(seq, self.now, tuple(keys) or batch.requests)

    def tick(self) -> None:
        super().tick()
        state = self.replica._state
        if state.leading and self.world.rng.random() < 0.2:
            high = state.stable + self.settings.window
            seq = self.world.rng.choice([high, high + 1, state.applied, state.stable + 1])
            keys = tuple(key for key, _ in state.pool.waiting(but=()))
            self.tell(PrePrepare(state.view, Batch(seq, self.now, keys[:2] or (b"?" * 32,))))


class Omitter(Liar):
    """Leaves out the votes of replica 0, whoever leads it."""

    def submit(self, body: bytes) -> None:
        with suppress(PeerFault):
            if author_of(body) == 0:
                return
        super().submit(body)


class Forger(Liar):
    """Makes certificates of one signer, of several views, of nothing; lies about its ledger."""

    def tick(self) -> None:
        super().tick()
        rng, state = self.world.rng, self.replica._state
        if rng.random() < 0.3:
            forgeries = (self._committed, self._view_change, self._new_view, self._root)
            rng.choice(forgeries)(state.view + rng.randint(0, 2), state.applied + 1)

    def _batch(self, seq: int) -> tuple[Batch, tuple[bytes, ...]]:
        body = request(self.me, -seq - 1 - self.world.rng.randrange(3))
        return Batch(seq, self.now, (digest(body),)), (body,)

    def _committed(self, view: int, seq: int) -> None:
        seq = max(1, seq - self.world.rng.randrange(3))
        batch, bodies = self._batch(seq)
        own = self.world.mint.seal(self.me, Commit(view, seq, batch.digest()))
        quorum, other = self.settings.quorum, (self.me + 1) % self.settings.n
        commits = self.world.rng.choice(
            (
                (own,) * quorum,
                (own, *(forge(i, Commit(view, seq, batch.digest())) for i in range(quorum))),
                (own, self.world.mint.seal(self.me, Commit(view + 1, seq, batch.digest()))) * 2,
                (own, self.some_raw(), forge(other, Commit(view, seq, batch.digest()))),
                (),
            )
        )
        self.tell(Committed(seq, batch.time_ms, bodies, commits))

    def _prepared(self, view: int, seq: int) -> Prepared:
        """A certificate for a view that it led, prepared by nobody but itself."""
        n = self.settings.n
        led = max(0, view - 1 - (view - 1 - self.me) % n)
        batch, _ = self._batch(seq)
        seal = self.world.mint.seal
        vote = seal(self.me, Prepare(led, seq, batch.digest()))
        pre_prepare = seal(self.me, PrePrepare(led, batch))
        return Prepared(pre_prepare, (vote,) * (self.settings.quorum - 1))

    def _view_change(self, view: int, seq: int) -> None:
        state = self.replica._state
        proof = tuple(vote.raw for vote in state.stable_proof)
        shapes = (
            ViewChange(view, state.stable, proof, (self._prepared(view, state.stable + 1),)),
            ViewChange(view, state.stable, proof, ()),
            ViewChange(view, seq + 5, proof, ()),
            ViewChange(view, 0, (), ()),
        )
        self.tell(self.world.rng.choice(shapes))

    def _new_view(self, view: int, seq: int) -> None:
        view += (self.me - view) % self.settings.n
        state = self.replica._state
        own = self.world.mint.seal(self.me, ViewChange(view, 0, (), ()))
        others = [
            change.signed.raw
            for change in state.view_changes.values()
            if change.signed.message.view == view
        ]
        forged = [forge(i, ViewChange(view, 0, (), ())) for i in range(self.settings.n)]
        shapes = ((own,) * self.settings.quorum, (own, *others), tuple(forged), ())
        raws = self.world.rng.choice(shapes)
        self.tell(NewView(view, tuple(map(digest, raws))))
        for raw in raws:
            self.world.post(self.me, None, raw)

    def _root(self, view: int, seq: int) -> None:
        root = digest(b"another world")
        self.tell(Checkpoint(seq + self.world.rng.randint(-1, 40), seq, root, bytes(72)))


class Flooder(Liar):
    """Replays what anybody said, spams view changes and far views, asks for everything."""

    def tick(self) -> None:
        super().tick()
        rng, n, state = self.world.rng, self.settings.n, self.replica._state
        far = state.view + rng.choice((1, 2, n, 1_000_000))
        for _ in range(3):
            self.world.post(self.me, rng.randrange(n), self.some_raw())
        self.world.post(self.me, None, rng.randbytes(20))
        shapes: tuple[Message, ...] = (
            ViewChange(far, 0, (), ()),
            Prepare(far, rng.randrange(1 << 40), bytes(32)),
            Commit(state.view, state.stable + rng.randint(1, 40), rng.randbytes(32)),
            Status(far, 1 << 50, 1 << 50),
            Status(0, 0, 0),
            Fetch(rng.choice((0, 1, state.applied, 1 << 50))),
            Want((rng.randbytes(32), bytes(32))),
        )
        self.tell(rng.choice(shapes))
        for _ in range(3):
            self.tell(Commit(far, rng.randrange(1 << 40), bytes(32)))
        body = request(self.me, 1_000_000 + rng.randrange(1_000))
        self.world.watch.submitted(body)
        self.world.post(self.me, rng.randrange(n), body)


LIARS: tuple[type[Liar], ...] = (Silent, Equivocator, Usurper, Omitter, Forger, Flooder)
