# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""An honest simulated drone: real replicas, one after another epoch, on a simulated disk.

It does what runtime/ does on a real drone, in the same order: persist, send, apply, hear itself.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from swarm_ledger.consensus.certificates import Open
from swarm_ledger.consensus.messages import Checkpoint, Committed, Fetch, Message, Signed, Status
from swarm_ledger.consensus.ready import Decided, Ready, Serve, Stable, journaled
from swarm_ledger.consensus.ready import Evidence as Contradiction
from swarm_ledger.consensus.replica import Replica
from swarm_ledger.consensus.settings import Settings
from swarm_ledger.encoding import digest
from swarm_ledger.errors import PeerFault
from swarm_ledger.sim.pbft.clock import Clock
from swarm_ledger.sim.pbft.disk import Disk, DiskFull, JournalKey, Transaction
from swarm_ledger.sim.pbft.ledger import Epoch, Ledger
from swarm_ledger.sim.pbft.requests import OPERATOR, Evidence, Roster, Vote

if TYPE_CHECKING:
    from swarm_ledger.sim.pbft.cluster import Cluster

SERVED = 8
_RETIRED = 3


class Crash(Exception):  # noqa: N818  - an event
    """The drone lost power here."""


class Node:
    """One drone. me: its identifier; home: the newest roster version that its operator gave it.

    doom: where in the next work that has something to lose the power fails.
    mute_below: in epochs before this one it may have said what it forgot.
    """

    honest = True

    def __init__(self, world: Cluster, me: int) -> None:
        self.world, self.me = world, me
        self.rng = random.Random(f"{world.seed} node {me}")  # noqa: S311 - a simulation
        self.disk, self.clock = Disk(), Clock()
        self.doom: str | None = None
        self.up = self.paused = False
        self.home = 1
        self.mute_below = 0
        self.skew_ms = 0
        self.start()

    # what it is made of

    @property
    def now(self) -> int:
        """What its clock shows."""
        return self.clock.read(self.world.now)

    @property
    def epoch(self) -> Epoch:
        """The roster in force after its last block."""
        return self.ledger.epoch

    @property
    def speaks(self) -> bool:
        """Whether it takes part in the epoch that it has reached."""
        return self.replica.settings.speaks

    def _replica(self, epoch: Epoch) -> Replica:
        settings = Settings(
            epoch.members,
            self.me,
            epoch.base,
            epoch.version < self.mute_below,
            **self.world.options,
        )
        return self.engine(settings, self.opener(epoch.version))

    def engine(self, settings: Settings, open_: Open) -> Replica:
        """Return a fresh replica; mutants return a broken one."""
        return Replica(settings, open_, now_ms=self.now)

    def opener(self, version: int) -> Open:
        """Return what opens messages inside certificates of one epoch."""
        mint = self.world.mint

        def open_(raw: bytes) -> Signed[Message]:
            sealed = mint.open(raw)
            if sealed.version != version:
                raise PeerFault("stale_epoch", f"signed under roster {sealed.version}.")
            return sealed.signed

        return open_

    def start(self) -> None:
        """Begin, or begin again, with what the disk kept."""
        world, content = self.world, self.disk.content
        self.up, self.doom, self.paused = True, None, False
        self.ledger = Ledger.replay(world.genesis, world.office, content.blocks)
        self.retired: dict[int, Replica] = {}
        self.heard: dict[int, int] = {}
        for epoch in self.ledger.epochs[-1 - _RETIRED : -1]:
            self._restore_retired(epoch)
        self.replica = self._replica(self.epoch)
        self._restore(self.replica, self.epoch.version, content.journal)
        self._resubmit(list(content.bodies.values()))
        self._pump()

    def _restore(self, replica: Replica, version: int, journal: dict[JournalKey, bytes]) -> None:
        opened = [self.world.mint.open(raw) for raw in journal.values()]
        replica.restore(
            [sealed.signed for sealed in opened if sealed.version == version],
            applied=self.ledger.height,
            time_ms=self.ledger.time_ms,
            recent=self.ledger.recent,
        )

    def _restore_retired(self, epoch: Epoch) -> None:
        end = self.ledger.end_of(epoch)
        replica = self._replica(epoch)
        votes = [
            sealed.signed
            for sealed in map(self.world.mint.open, self.disk.content.journal.values())
            if sealed.version == epoch.version and isinstance(sealed.signed.message, Checkpoint)
        ]
        replica.restore(votes, applied=end or epoch.base, time_ms=0, recent=())
        replica.retire()
        self.retired[epoch.version] = replica

    # what the world does to it

    def receive(self, raw: bytes) -> None:
        """Take in bytes from the network; what is wrong with them is counted."""
        try:
            if raw[:1] in (b"v", b"r", b"e"):
                self._submit(raw)
            else:
                self._hear(raw)
        except PeerFault as fault:
            self.world.faults[fault.reason] += 1
        self._pump()

    def _hear(self, raw: bytes) -> None:
        sealed = self.world.mint.open(raw)
        version, signed = sealed.version, sealed.signed
        members = self.members_of(version)
        if members is None or signed.sender not in members:
            raise PeerFault("unknown_key", f"nobody known under roster {version}.")
        self.heard[signed.sender] = version
        if version == self.epoch.version:
            self.step(self.replica, signed)
        elif version in self.retired:
            self.step(self.retired[version], signed)
        elif version > self.epoch.version and isinstance(signed.message, (Status, Committed)):
            self.step(self.replica, signed)  # we lag, and the operator told us of that roster
        elif isinstance(signed.message, Fetch) and version < self.epoch.version:
            raise PeerFault("stale_epoch", "too far behind to be served.")

    def members_of(self, version: int) -> tuple[int, ...] | None:
        """Return the members of a roster version that this drone knows of, or None."""
        for epoch in reversed(self.ledger.epochs):
            if epoch.version == version:
                return epoch.members
        known = self.world.rosters.get(version) if version <= self.home else None
        return known.members if known else None

    def step(self, replica: Replica, signed: Signed[Message]) -> None:
        """Hand a message to the engine."""
        replica.step(signed)

    def _submit(self, body: bytes) -> None:
        request = self.world.office.read(body)
        if isinstance(request, Vote):
            author = request.author
        elif isinstance(request, Roster):
            author = OPERATOR
            if self.me in request.members:
                self.home = max(self.home, request.version)
        else:
            author, version = self.world.office.culprit(request)
            if version != self.epoch.version:
                raise PeerFault("no_news", "evidence of what is over.")
        if author not in (*self.epoch.members, OPERATOR):
            raise PeerFault("not_a_member", f"{author} is not a member.")
        self.replica.submit(body, author, self.now)

    def tick(self) -> None:
        """Let time pass."""
        for replica in (*self.retired.values(), self.replica):
            replica.tick(self.now)
        if self.replica.checkpoint_due:
            self._checkpoint()
        self._pump()

    # what it does

    def _pump(self) -> None:
        while True:
            while self.replica.busy:
                self._carry_out(self.epoch.version, self.replica, self.replica.ready())
            for version, replica in self.retired.items():
                if replica.busy:
                    self._carry_out(version, replica, replica.ready())
                    break
            else:
                return

    def _carry_out(self, version: int, replica: Replica, ready: Ready) -> None:
        own = self.seal(version, ready)
        self.effects(version, ready, own)
        for _, fault in ready.faults:
            self.world.faults[fault.reason] += 1
        for stable in ready.stable:
            self._stable(version, stable)
        for evidence in ready.evidence:
            self._accuse(version, evidence)
        for serve in ready.serve:
            self._serve(version, serve)
        for decided in ready.apply:
            if replica is not self.replica:
                break  # behind the end of its epoch: void
            self._apply(decided)
        for to, signed in own:
            if to is None:
                self._hear_itself(replica, signed)

    def seal(self, version: int, ready: Ready) -> list[tuple[int | None, Signed[Message]]]:
        """Seal what is to be said: as a member of that epoch, or else of those it is to join.

        It can't know which of the rosters that its operator gave it are in force by now. Whoever
        spoke to it from a later one is answered there: its own may be forgotten.
        """
        under: Iterable[int] = (version,)
        if not self._belongs(version):
            under = filter(self._belongs, range(max(1, self.home - _RETIRED), self.home + 1))
        usual, mint = tuple(under), self.world.mint
        own: list[tuple[int | None, Signed[Message]]] = []
        for out in ready.send:
            there = self.heard.get(out.to, version) if out.to is not None else version
            answered = there > self.epoch.version == version and not out.binding
            for each in (there,) if answered and self._belongs(there) else usual:
                own.append((out.to, mint.seal(each, self.me, out.message)))
        return own

    def _belongs(self, version: int) -> bool:
        return self.me in (self.members_of(version) or ())

    def effects(
        self, version: int, ready: Ready, own: list[tuple[int | None, Signed[Message]]]
    ) -> None:
        """Persist before anything is sent."""
        self.persist(version, ready, own)
        self.send(version, ready, own)

    def persist(
        self, version: int, ready: Ready, own: list[tuple[int | None, Signed[Message]]]
    ) -> None:
        """Have on disk what binds us."""
        kept = [journaled(signed) for (_, signed), out in zip(own, ready.send) if out.kept]  # noqa: B905
        records = tuple(
            ((version, r.seq, r.view, r.tag, r.sender), r.raw) for r in (*ready.journal, *kept)
        )
        if records or ready.bodies:
            self.power("before the journal")
            bodies = tuple((digest(body), body) for body in ready.bodies)
            self.write(Transaction(journal=records, bodies=bodies))
            self.power("before sending")

    def write(self, transaction: Transaction) -> None:
        """Write and sync."""
        self.disk.write(transaction)
        self.power("before the sync")
        self.sync()

    def sync(self) -> None:
        """Make it safe; one mutant forgets to."""
        self.disk.sync()

    def send(
        self, version: int, ready: Ready, own: list[tuple[int | None, Signed[Message]]]
    ) -> None:
        """Send what was sealed, and again what is repeated."""
        for to, signed in own:
            if self.honest:
                self.world.watch.said(self, version, signed)
            self.world.post(self.me, to, signed.raw)
        for resend in ready.resend:
            self.world.post(self.me, resend.to, resend.raw)
        if own:
            self.power("after sending")

    def power(self, point: str) -> None:
        """The power fails here, if it is to."""
        if self.doom == point:
            raise Crash

    def _hear_itself(self, replica: Replica, signed: Signed[Message]) -> None:
        try:
            self.step(replica, signed)
        except PeerFault as fault:
            if self.honest:
                self.world.watch.violation(f"{self.me} finds fault with itself: {fault}")

    def _apply(self, decided: Decided) -> None:
        before = self.epoch
        self.ledger.apply(decided)
        if self.honest:
            self.world.watch.applied(self, decided)
        switched = self.epoch is not before
        self.power("before the block")
        self.write(
            Transaction(
                block=decided,
                done=tuple(map(digest, decided.bodies)),
                purge=(before.version, decided.seq) if switched else None,
            )
        )
        if self.honest:
            self.world.watch.kept(self, decided.seq)
        self.power("before applying")
        self.replica.applied(decided)
        if switched or decided.seq % self.replica.settings.interval == 0:
            self._checkpoint()
        if switched:
            self._switch(before)

    def _switch(self, before: Epoch) -> None:
        """The block ended its epoch: the next replica goes on behind it."""
        waiting = self.replica.retire()
        self.retired[before.version] = self.replica
        for version in sorted(self.retired)[:-_RETIRED]:
            del self.retired[version]
        self.home = max(self.home, self.epoch.version)
        self.replica = self._replica(self.epoch)
        self._restore(self.replica, self.epoch.version, {})
        self._resubmit([pending.body for pending in waiting])

    def _resubmit(self, bodies: Iterable[bytes]) -> None:
        """Take up what was waiting, but for what a new roster made void."""
        for body in bodies:
            with suppress(PeerFault):
                self._submit(body)

    def _checkpoint(self) -> None:
        if self.replica.settings.speaks:
            self.replica.checkpoint(self.claim())

    def claim(self) -> Checkpoint:
        """Vouch for the ledger as it is."""
        seq = self.replica.applied_seq
        return Checkpoint(seq, seq, self.ledger.roots[seq], self.rng.randbytes(72))

    def _stable(self, version: int, stable: Stable) -> None:
        if self.honest:
            self.world.watch.stable(self, version, stable)
        if version == self.epoch.version:
            self.write(Transaction(stable=stable.checkpoint.seq))

    def _accuse(self, version: int, evidence: Contradiction) -> None:
        if self.honest:
            self.world.watch.evidence(self, version, evidence)
        if evidence.culprit in self.ledger.convicted:
            return  # others' accusations are taken all the same: a leader may have ordered them
        body = Evidence(evidence.first, evidence.second).encode()
        self.world.post(self.me, None, body)
        try:
            self._submit(body)
        except PeerFault:
            return  # it is on the ledger already

    def _serve(self, version: int, serve: Serve) -> None:
        if self.me not in (self.members_of(version) or ()):
            return
        blocks = self.disk.content.blocks
        if serve.seq > len(blocks):
            return
        end = self.ledger.end_of(self.ledger.epoch_of(serve.seq)) or len(blocks)
        for block in blocks[serve.seq - 1 : min(end, serve.seq - 1 + SERVED)]:
            message = Committed(block.seq, block.time_ms, block.bodies, block.commits)
            self.world.post(self.me, serve.to, self.world.mint.seal(version, self.me, message).raw)


__all__ = ["Crash", "DiskFull", "Node"]
