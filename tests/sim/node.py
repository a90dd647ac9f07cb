# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""An honest drone around one pure replica: a disk that survives crashes, and all effects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from swarm_ledger.consensus.messages import Committed, Message, Signed
from swarm_ledger.consensus.ready import Decided, Ready, journaled
from swarm_ledger.consensus.replica import Replica
from swarm_ledger.consensus.settings import Settings
from swarm_ledger.encoding import digest, encode
from swarm_ledger.errors import PeerFault
from tests.sim.fakes import author_of, checkpoint

if TYPE_CHECKING:
    from tests.sim.cluster import Cluster

SERVED = 8


class Crash(Exception):  # noqa: N818  - an event
    """The drone lost power here."""


@dataclass
class Disk:
    journal: dict[tuple[int, int, int, int], bytes] = field(default_factory=dict)
    bodies: dict[bytes, bytes] = field(default_factory=dict)
    blocks: list[Decided] = field(default_factory=list)
    roots: list[bytes] = field(default_factory=lambda: [digest(b"genesis")])


class Node:
    """Drives a replica as the runtime does: persist, send, apply, then hear itself."""

    honest = True

    def __init__(self, world: Cluster, settings: Settings) -> None:
        self.world, self.settings, self.me = world, settings, settings.me
        self.disk = Disk()
        self.skew_ms = 0
        self.doom: str | None = None
        """Where in the next Ready that has something to lose the power fails."""
        self.up = False
        self.replica = Replica(settings, world.mint.open, now_ms=0)

    @property
    def now(self) -> int:
        return self.world.now + self.skew_ms

    def start(self) -> None:
        """Begin, or begin again, with what the disk kept."""
        disk, mint = self.disk, self.world.mint
        self.up, self.doom = True, None
        self.replica = Replica(self.settings, mint.open, now_ms=self.now)
        if disk.journal or disk.blocks:
            self.replica.restore(
                [mint.open(raw) for raw in disk.journal.values()],
                applied=len(disk.blocks),
                time_ms=max((block.time_ms for block in disk.blocks), default=0),
                recent=[digest(body) for block in disk.blocks for body in block.bodies],
            )
        for body in list(disk.bodies.values()):
            self.replica.submit(body, author_of(body), self.now)
        self.pump()

    def receive(self, raw: bytes) -> None:
        try:
            self.step(self.world.mint.open(raw))
        except PeerFault:
            self.world.faults += 1
        self.pump()

    def step(self, signed: Signed[Message]) -> None:
        self.replica.step(signed)

    def submit(self, body: bytes) -> None:
        try:
            self.replica.submit(body, author_of(body), self.now)
        except PeerFault:
            self.world.faults += 1
        self.pump()

    def tick(self) -> None:
        self.replica.tick(self.now)
        if self.replica.checkpoint_due:
            self._checkpoint()
        self.pump()

    def pump(self) -> None:
        while ready := self.replica.ready():
            own = self.seal(ready)
            self.effects(ready, own)
            for decided in ready.apply:
                self._apply(decided)
            for stable in ready.stable:
                self.world.watch.stable(self, stable)
                for key in [key for key in self.disk.journal if key[0] < stable.checkpoint.seq]:
                    del self.disk.journal[key]
            for evidence in ready.evidence:
                self.world.watch.evidence(self, evidence)
            for serve in ready.serve:
                for block in self.disk.blocks[serve.seq - 1 :][:SERVED]:
                    message = Committed(block.seq, block.time_ms, block.bodies, block.commits)
                    self.world.post(self.me, serve.to, self.world.mint.seal(self.me, message))
            for to, signed in own:
                if to is None:
                    self._hear_itself(signed)

    def seal(self, ready: Ready) -> list[tuple[int | None, Signed[Message]]]:
        return [(out.to, self.world.mint.sign(self.me, out.message)) for out in ready.send]

    def effects(self, ready: Ready, own: list[tuple[int | None, Signed[Message]]]) -> None:
        """Persist before anything is sent."""
        self.persist(ready, own)
        self.send(ready, own)

    def persist(self, ready: Ready, own: list[tuple[int | None, Signed[Message]]]) -> None:
        binding = [s for s, out in zip(own, ready.send, strict=True) if out.binding]
        records = [*ready.journal, *(journaled(signed) for _, signed in binding)]
        if records:
            self.power("before the journal")
        for record in records:
            self.disk.journal[record.seq, record.view, record.tag, record.sender] = record.raw
        self.disk.bodies.update((digest(body), body) for body in ready.bodies)
        if records:
            self.power("before sending")

    def send(self, ready: Ready, own: list[tuple[int | None, Signed[Message]]]) -> None:
        for to, signed in own:
            if self.honest:
                self.world.watch.said(self, signed)
            self.world.post(self.me, to, signed.raw)
        for resend in ready.resend:
            self.world.post(self.me, resend.to, resend.raw)
        if own:
            self.power("after sending")

    def power(self, point: str) -> None:
        if self.doom == point:
            raise Crash

    def _hear_itself(self, signed: Signed[Message]) -> None:
        try:
            self.step(signed)
        except PeerFault as fault:
            if self.honest:
                self.world.watch.violation(f"{self.me} finds fault with itself: {fault}")

    def _apply(self, decided: Decided) -> None:
        if self.honest:
            self.world.watch.applied(self, decided)
        disk = self.disk
        block = encode([decided.seq, decided.time_ms, list(decided.bodies)])
        disk.roots.append(digest(disk.roots[-1] + block))
        disk.blocks.append(decided)
        for body in decided.bodies:
            disk.bodies.pop(digest(body), None)
        self.power("before applying")
        self.replica.applied(decided)
        if decided.seq % self.settings.interval == 0:
            self._checkpoint()

    def _checkpoint(self) -> None:
        seq = self.replica.applied_seq
        self.replica.checkpoint(checkpoint(seq, self.disk.roots[seq], self.world.rng))
