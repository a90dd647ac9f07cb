# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Liars who make things up: certificates that prove nothing, and messages changed in one field."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress

import msgspec

from swarm_ledger.consensus.messages import (
    Batch,
    Checkpoint,
    Commit,
    Committed,
    Message,
    NewView,
    Prepare,
    Prepared,
    PrePrepare,
    Signed,
    ViewChange,
)
from swarm_ledger.consensus.ready import Ready
from swarm_ledger.encoding import digest
from swarm_ledger.errors import PeerFault
from swarm_ledger.sim.pbft.liars import (
    Equivocator,
    Flooder,
    Liar,
    Omitter,
    Own,
    Silent,
    Slow,
    Twin,
    Usurper,
)
from swarm_ledger.sim.pbft.node import Node
from swarm_ledger.sim.pbft.requests import Evidence, Vote


def _later(batch: Batch) -> Batch:
    return msgspec.structs.replace(batch, time_ms=batch.time_ms + 1)


class Forger(Liar):
    """Makes certificates of too few signers, of several views, of nothing; lies about its ledger.

    It holds the keys of all who lie with it.
    """

    def tick(self) -> None:
        """Now and then, forge something."""
        super().tick()
        state = self.replica._state
        if self.rng.random() < 0.3:
            forgeries = (
                self._committed,
                self._gathered,
                self._view_change,
                self._new_view,
                self._root,
                self._evidence,
            )
            self.rng.choice(forgeries)(state.view + self.rng.randint(0, 2), state.applied + 1)

    def _seal(self, message: Message, by: int | None = None) -> bytes:
        sender = self.me if by is None else by
        return self.world.mint.seal(self.epoch.version, sender, message).raw

    def _accomplices(self) -> list[int]:
        return [node.me for node in self.world.nodes if not node.honest]

    def _batch(self, seq: int) -> tuple[Batch, tuple[bytes, ...]]:
        body = Vote(self.me, -seq - 1 - self.rng.randrange(3), 1).encode()
        return Batch(seq, max(self.now, 0), (digest(body),)), (body,)

    def _committed(self, view: int, seq: int) -> None:
        seq = max(1, seq - self.rng.randrange(3))
        batch, bodies = self._batch(seq)
        commit, quorum = Commit(view, seq, batch.digest()), self.replica.settings.quorum
        own = self._seal(commit)
        commits = self.rng.choice(
            (
                (own,) * quorum,
                tuple(self._seal(commit, liar) for liar in self._accomplices()),
                (own, *(b"s1.%d.99999999" % i for i in range(quorum))),
                (own, *(self._seal(commit, stranger) for stranger in range(100, 100 + quorum))),
                (own, self._seal(Commit(view + 1, seq, batch.digest()))) * 2,
                (own, self.some_raw(), self.some_raw()),
                (),
            )
        )
        self.tell(Committed(seq, batch.time_ms, bodies, commits))

    def _gathered(self, view: int, seq: int) -> None:
        """Hand over a block with all commits for it that were ever heard, whatever their view and
        epoch; also one that its epoch's end made void."""
        batches: dict[bytes, Batch] = {}
        commits: dict[bytes, dict[int, bytes]] = defaultdict(dict)
        for raw in self.world.heard:
            with suppress(PeerFault):
                signed = self.world.mint.open(raw).signed
                message = signed.message
                if isinstance(message, PrePrepare) and message.batch.seq == seq:
                    batches[message.batch.digest()] = message.batch
                elif isinstance(message, Commit) and message.seq == seq:
                    commits[message.digest][signed.sender] = raw
        bodies = {digest(body): body for body in self.world.watch.votes}
        for key, batch in batches.items():
            known = all(request in bodies for request in batch.requests)
            if known and len(commits[key]) >= self.replica.settings.quorum:
                wanted = tuple(bodies[request] for request in batch.requests)
                votes = tuple(commits[key].values())
                self.tell(Committed(seq, batch.time_ms, wanted, votes))

    def _twisted(self) -> tuple[Prepared, ...]:
        """What others prepared when it led, with a pre-prepare of something else."""
        led = [
            slot.prepared
            for _, slot in sorted(self.replica._state.slots.items())
            if slot.prepared is not None and slot.prepared.pre_prepare.sender == self.me
        ]
        return tuple(
            Prepared(
                self._seal(PrePrepare(one.view, _later(one.batch))),
                tuple(signed.raw for signed in one.prepares),
            )
            for one in led
        )

    def _prepared(self, view: int, seq: int) -> Prepared:
        """A certificate for a view that it led, prepared by nobody but liars."""
        members = self.epoch.members
        place = members.index(self.me) if self.me in members else 0
        led = max(0, view - 1 - (view - 1 - place) % len(members))
        batch, _ = self._batch(seq)
        vote = Prepare(led, seq, batch.digest())
        quorum, liars = self.replica.settings.quorum, self._accomplices()
        votes = [self._seal(vote, liars[i % len(liars)]) for i in range(quorum - 1)]
        return Prepared(self._seal(PrePrepare(led, batch)), tuple(votes))

    def _view_change(self, view: int, seq: int) -> None:
        state = self.replica._state
        proof = tuple(vote.raw for vote in state.stable_proof)
        shapes = (
            ViewChange(view, state.stable, proof, (self._prepared(view, state.stable + 1),)),
            ViewChange(view, state.stable, proof, self._twisted()),
            ViewChange(view, seq + 5, proof, ()),
            ViewChange(view, self.epoch.base, (), ()),
        )
        self.tell(self.rng.choice(shapes))

    def _new_view(self, view: int, seq: int) -> None:
        settings, state = self.replica.settings, self.replica._state
        if self.me not in settings.members:
            return
        view += (settings.members.index(self.me) - view) % settings.n
        empty = ViewChange(view, self.epoch.base, (), ())
        own = self._seal(empty)
        others = [
            change.signed.raw
            for change in state.view_changes.values()
            if change.signed.message.view == view
        ]
        liars = [self._seal(empty, liar) for liar in self._accomplices()]
        shapes = ((own,) * settings.quorum, (own, *others), (*liars, *others), ())
        raws = self.rng.choice(shapes)
        self.tell(NewView(view, tuple(map(digest, raws))))
        for raw in raws:
            self.world.post(self.me, None, raw)

    def _root(self, view: int, seq: int) -> None:
        root = digest(b"another world")
        seq = max(0, seq + self.rng.randint(-1, 40))
        for liar in self._accomplices():
            self.world.post(self.me, None, self._seal(Checkpoint(seq, seq, root, bytes(72)), liar))

    def _evidence(self, view: int, seq: int) -> None:
        """Accuse somebody of two statements that do not contradict each other."""
        said: dict[tuple[object, ...], bytes] = {}
        for _ in range(20):
            raw = self.some_raw()
            with suppress(PeerFault):
                sealed = self.world.mint.open(raw)
                about = sealed.version, sealed.signed.sender, type(sealed.signed.message)
                if said.setdefault(about, raw) != raw:
                    self.world.post(self.me, None, Evidence(said[about], raw).encode())
                    return


class Mutator(Liar):
    """Says what an honest drone says, now and then with one field changed, and also to some only.

    (Byzantine fuzzing: Winter et al., ByzzFuzz, 2023.)
    """

    def send(self, version: int, ready: Ready, own: Own) -> None:
        """Change some messages; tell different things to different peers."""
        super().send(version, Ready(resend=ready.resend), [])
        for to, signed in own:
            peers = range(len(self.world.nodes)) if to is None else [to]
            if self.rng.random() < 0.7:
                self.world.post(self.me, to, signed.raw)
                continue
            changed = self._changed(signed)
            raw = self.world.mint.seal(version, self.me, changed).raw
            for peer in peers:
                self.world.post(self.me, peer, raw if self.rng.random() < 0.5 else signed.raw)

    def _changed(self, signed: Signed[Message]) -> Message:
        message, rng = signed.message, self.rng
        fields = [name for name in message.__struct_fields__ if name != "cosignature"]
        name = rng.choice(fields)
        value = getattr(message, name)
        if isinstance(value, int):
            value = max(0, value + rng.choice((-1, 1)))
        elif isinstance(value, Batch):
            seq = max(1, value.seq + rng.choice((-1, 0, 1)))
            time_ms = max(0, value.time_ms + rng.choice((-20_000, -1, 0, 0, 5_000)))
            value = msgspec.structs.replace(value, seq=seq, time_ms=time_ms)
        elif isinstance(value, bytes):
            value = rng.randbytes(32)
        elif isinstance(value, tuple) and value:
            gone = rng.randrange(len(value))
            value = (*value[:gone], *value[gone + 1 :])
        return msgspec.structs.replace(message, **{name: value})


LIARS: dict[str, type[Node]] = {
    "silent": Silent,
    "slow": Slow,
    "equivocator": Equivocator,
    "usurper": Usurper,
    "omitter": Omitter,
    "forger": Forger,
    "flooder": Flooder,
    "mutator": Mutator,
    "twin": Twin,
}
"""Every kind, by the word that stands for it in plans and options."""
