# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One replica on a desk: everything else that it hears is written by hand."""

from __future__ import annotations

from typing import Any

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
    Want,
)
from swarm_ledger.consensus.ready import Decided, Evidence, Ready, Resend, journaled
from swarm_ledger.consensus.replica import Replica
from swarm_ledger.consensus.settings import Settings
from swarm_ledger.encoding import digest
from swarm_ledger.errors import PeerFault
from tests.unit.consensus_mint import Mint, checkpoint

NOW = 1_000_000
ROOT = digest(b"root")


def batch(seq: int, *bodies: bytes, time_ms: int = NOW) -> Batch:
    return Batch(seq, time_ms, tuple(digest(body) for body in bodies))


class Desk:
    """Replica `me` of n. said: own messages; again: resent; all else as it was handed out."""

    def __init__(self, me: int = 1, n: int = 4, **settings: Any) -> None:
        self.settings = Settings(tuple(range(n)), me, **settings)
        self.me, self.n, self.now, self.mint = me, n, NOW, Mint()
        self.replica = Replica(self.settings, self.mint.open, now_ms=NOW)
        self.said: list[Message] = []
        self.again: list[Resend] = []
        self.blocks: list[Decided] = []
        self.evidence: list[Evidence] = []
        self.bodies: list[bytes] = []
        self.journal: dict[tuple[int, int, int, int], bytes] = {}
        self.faults: list[tuple[int, PeerFault]] = []
        self.served: list[tuple[int, int]] = []
        self.changes: dict[bytes, bytes] = {}
        """View changes that somebody hands over when asked for them, by digest."""

    def hear(self, sender: int, *messages: Message) -> None:
        for message in messages:
            self.replica.step(self.mint.sign(sender, message))
            self.pump()

    def refuses(self, sender: int, message: Message) -> str:
        """Return the reason for which a message is refused."""
        try:
            self.hear(sender, message)
        except PeerFault as fault:
            self.pump()
            return fault.reason
        raise AssertionError(f"accepted {message}")

    def submit(self, *bodies: bytes, author: int = 3) -> list[bool]:
        taken = [self.replica.submit(body, author, self.now) for body in bodies]
        self.pump()
        return taken

    def wait(self, ms: int, step: int = 50) -> None:
        for _ in range(0, ms, step):
            self.now += step
            self.replica.tick(self.now)
            self.pump()

    def pump(self) -> None:
        while ready := self.replica.ready():
            self._handle(ready)

    def _handle(self, ready: Ready) -> None:
        own = [self.mint.sign(self.me, out.message) for out in ready.send]
        kept = [s for s, out in zip(own, ready.send, strict=True) if out.kept]
        for record in [*ready.journal, *map(journaled, kept)]:
            self.journal[record.seq, record.view, record.tag, record.sender] = record.raw
        self.said += [signed.message for signed in own]
        self.again += ready.resend
        self.bodies += ready.bodies
        self.evidence += ready.evidence
        self.faults += ready.faults
        self.served += [(serve.to, serve.seq) for serve in ready.serve]
        for decided in ready.apply:
            self.blocks.append(decided)
            self.replica.applied(decided)
        for signed, out in zip(own, ready.send, strict=True):
            if out.to is None:
                self.replica.step(signed)
            if isinstance(out.message, Want):
                for raw in [self.changes[k] for k in out.message.requests if k in self.changes]:
                    self.replica.step(self.mint.open(raw))

    def last(self, form: type[Any]) -> Any:
        found = self.all(form)
        return found[-1] if found else None

    def all(self, form: type[Any]) -> list[Any]:
        return [message for message in self.said if isinstance(message, form)]

    def restarted(self) -> Desk:
        """The same drone after a power failure: only journal and ledger are left."""
        again = Desk(self.me, self.n)
        again.restart_from(self)
        return again

    def restart_from(self, old: Desk) -> None:
        self.settings, self.mint, self.now = old.settings, old.mint, old.now
        self.replica = Replica(self.settings, self.mint.open, now_ms=self.now)
        self.blocks, self.journal = list(old.blocks), dict(old.journal)
        self.replica.restore(
            [self.mint.open(raw) for raw in self.journal.values()],
            applied=len(self.blocks),
            time_ms=max((block.time_ms for block in self.blocks), default=0),
            recent=[digest(body) for block in self.blocks for body in block.bodies],
        )
        self.pump()

    # what others write

    def prepared(self, view: int, what: Batch, *, by: tuple[int, ...] | None = None) -> Prepared:
        """A prepared certificate, by those replicas or by as many backups as are needed."""
        leader = view % self.n
        backups = [i for i in range(self.n) if i != leader][: self.settings.quorum - 1]
        seal = self.mint.seal
        prepare = Prepare(view, what.seq, what.digest())
        return Prepared(
            seal(leader, PrePrepare(view, what)),
            tuple(seal(i, prepare) for i in (backups if by is None else by)),
        )

    def stable(self, seq: int, root: bytes = ROOT) -> tuple[bytes, ...]:
        return tuple(self.mint.seal(i, checkpoint(seq, root)) for i in range(self.settings.quorum))

    def view_change(self, view: int, *prepared: Prepared, stable: int = 0) -> ViewChange:
        return ViewChange(view, stable, self.stable(stable) if stable else (), prepared)

    def new_view(self, view: int, changes: dict[int, ViewChange] | None = None) -> NewView:
        """A new view on these view changes, and empty ones of as many others as are needed."""
        changes = dict(changes or {})
        for other in range(self.n):
            if len(changes) < self.settings.quorum:
                changes.setdefault(other, self.view_change(view))
        raws = [self.mint.seal(i, change) for i, change in sorted(changes.items())]
        self.changes.update((digest(raw), raw) for raw in raws)
        return NewView(view, tuple(map(digest, raws)))

    def committed(self, view: int, seq: int, *bodies: bytes) -> Committed:
        what = batch(seq, *bodies)
        commit = Commit(view, seq, what.digest())
        raws = tuple(self.mint.seal(i, commit) for i in range(self.settings.quorum))
        return Committed(seq, what.time_ms, bodies, raws)

    def commit(self, view: int, what: Batch) -> None:
        """Have everybody agree on a batch, whose bodies are here."""
        leader, votes = view % self.n, (view, what.seq, what.digest())
        others = [i for i in range(self.n) if i != self.me]
        if leader != self.me:
            self.hear(leader, PrePrepare(view, what))
        for other in others:
            if other != leader:
                self.hear(other, Prepare(*votes))
        for other in others:
            self.hear(other, Commit(*votes))

    def signed(self, sender: int, message: Message) -> Signed[Message]:
        return self.mint.sign(sender, message)


__all__ = ["NOW", "ROOT", "Checkpoint", "Desk", "batch"]
