# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Carries out what consensus says, in this order: persist, send, apply, certify, serve.

Each epoch has a replica of its own. The block that holds the next roster is the last of its
epoch: its replica vouches for it and retires, and another one goes on from there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from swarm_ledger.consensus.messages import Checkpoint, Committed, Message, Signed, Status
from swarm_ledger.consensus.pool import REMEMBERED
from swarm_ledger.consensus.ready import Decided, Evidence, Ready, Serve, journaled
from swarm_ledger.consensus.settings import Settings
from swarm_ledger.consensus.spare import first_about
from swarm_ledger.consensus.sync import BLOCKS_AT_ONCE
from swarm_ledger.encoding import digest
from swarm_ledger.envelope import Opened, Opener
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.identity.roster import Roster
from swarm_ledger.identity.trust import Trust
from swarm_ledger.ledger.scratch import JournalRecord
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.chronicle import Emit
from swarm_ledger.runtime.epochs import Epoch, Epochs, Seat
from swarm_ledger.runtime.founding import Founding
from swarm_ledger.runtime.handover import Handed
from swarm_ledger.runtime.identity import Keys
from swarm_ledger.runtime.keeper import Keeper
from swarm_ledger.runtime.machine import Applied, Machine, Receipt
from swarm_ledger.runtime.memory import Memory
from swarm_ledger.transport import Transport
from swarm_ledger.transport.secret import Secrets

AFTER_A_LOST_DISK = (
    "This drone signed things that its disk does not hold any more. It follows, and takes part "
    "again from the next roster version on: have one signed and ordered. A swarm that starts anew "
    "needs a new roster too: what was signed under this one still counts."
)

_OWN_FAULTS = ("malformed", "not_leader", "not_backup", "bad_certificate", "bad_fetch")
"""What a statement is wrong by in itself; the rest can be made of an honest one by delay."""

_SERVED_BYTES = 1 << 19
_NOT_A_MEMBER = -1


class Owner(Protocol):
    """Whoever an engine works for."""

    def on_applied(self, applied: Applied) -> None:
        """A block is new in the ledger."""

    def on_turn(self, waiting: Iterable[bytes]) -> None:
        """Another epoch has begun. waiting: requests that the old one left."""

    def on_evidence(self, evidence: Evidence, epoch: Epoch) -> None:
        """A member contradicted itself."""

    def on_lagging(self, seat: Seat, member: int) -> None:
        """A member asks for blocks that were pruned here. seat: in which to answer it."""

    def on_fault(self, fault: PeerFault) -> None:
        """A peer broke a rule."""


class Engine:
    """The replicas of one drone with their ledger, journal and radio.

    settings: the protocol's parameters; members, me and base are each epoch's own. now_ms: our
    clock as it is, which may be set; steady_ms: it never goes back, for what is waited for.
    secrets: those by which the transport conceals what is said on it, if it does. max_bytes: the
    ledger's budget, 0 for none. Raises NotVerified where the ledger is another swarm's, or
    contradicts what a quorum cosigned.
    """

    def __init__(
        self,
        keys: Keys,
        trust: Trust,
        store: Store,
        transport: Transport,
        settings: Settings,
        *,
        owner: Owner,
        now_ms: int,
        emit: Emit,
        secrets: Secrets | None = None,
        max_bytes: int = 0,
    ) -> None:
        self.now_ms = self.steady_ms = now_ms
        self.secrets = secrets
        self._owner, self._transport, self._emit = owner, transport, emit
        self._interval, self.trust = settings.interval, trust
        self._keys, self._settings, self._max_bytes = keys, settings, max_bytes
        if store.height < 0:
            keys.lose()  # before there is a ledger again: a crash must not hide that it was gone
        self._set_up(store)
        self.epochs: Epochs

    def _set_up(self, store: Store) -> None:
        self.keeper = Keeper(store, self.trust, self._emit, self._max_bytes)
        self.memory = Memory(self._keys)
        self._founding = Founding(self._keys, self.keeper, self.memory, self._settings)
        self._left: list[bytes] = []
        self._trouble: Misuse | None = None

    def set_time(self, now_ms: int) -> None:
        """Take our clock as it is."""
        self.steady_ms += max(0, now_ms - self.now_ms)
        self.now_ms = now_ms

    def start(self) -> Iterator[Applied]:
        """Replay the ledger's end, block by block, then go on from there: before anything else."""
        self.keeper.resume(lambda why: self._emit("snapshot_damaged", {"what": why.explain()}))
        recent = deque(self.keeper.requests_before(), REMEMBERED)
        for era in self.machine.members.eras:
            self.memory.recall(era)
        for applied in self.keeper.replay():
            recent += (digest(receipt.body) for receipt in applied.receipts)
            self.memory.recollect(applied, self.machine.members.at(applied.height))
            yield applied
        self.epochs = self._founding.restore(list(recent), self.now_ms)
        self._warn()
        current = self.current
        self.memory.begin(current.replica, whole=current.seat.known, now_ms=self.steady_ms)
        for later in self.trust.versions:
            self.expect(later.roster, wait=True)
        self._settle()

    def adopt(self, handed: Handed, machine: Machine) -> Iterator[Applied]:
        """Go on from another member's state, in place of our own ledger; then as start() does.

        It was judged: machine is what it leads to.
        """
        store, before = self.keeper.store, self.keeper.store.height
        self.keeper.adopt(handed, machine)
        self._set_up(store)
        self._emit(
            "state_adopted", {"height": store.height, "base": store.base, "before": max(0, before)}
        )
        yield from self.start()

    def expect(self, roster: Roster, *, wait: bool = False) -> None:
        """Take a place under a roster that may be ordered later, if it is the newest we know.

        wait: for a token to sign, before the loop runs; else we take it when we hear of it again.
        """
        known = (self.current.seat, *self.epochs.ahead)
        newest = max(seat.roster.version for seat in known)
        if roster.version > newest and (wait or self._founding.ready(roster, self.now_ms)):
            seat = self._founding.seat(roster, Opener(roster), self.now_ms)
            self.epochs.ahead.append(seat)
            self._settle()

    @property
    def current(self) -> Epoch:
        """The epoch at work."""
        return self.epochs.current

    def needless(self, message: Message) -> bool:
        """Whether a statement of ours, if unsent, is of no use any more.

        That is for the epoch to say that its block belongs to: the next one knows neither who
        vouched for the end of the last, nor its views.
        """
        first = first_about(message)
        if first is None:
            return False
        epoch = next((epoch for epoch in self.epochs if epoch.base < first), None)
        return epoch is not None and epoch.replica.needless(message)

    @property
    def machine(self) -> Machine:
        """The state behind the ledger."""
        return self.keeper.machine

    @property
    def forgetful(self) -> bool:
        """Whether we may have forgotten what we said in the epoch at work: then we only follow."""
        return self.memory.lacks(self.current.seat.roster)

    @property
    def waiting(self) -> bool:
        """Whether our root key has yet to sign for the epoch at work: then we say nothing."""
        return self._founding.waiting

    @property
    def speaks(self) -> bool:
        """Whether we take part in the epoch at work, and others know us from the ledger."""
        return self.current.replica.settings.speaks and self.current.seat.known

    @property
    def votes(self) -> bool:
        """Whether our votes count: we are in our place, known, and remember what we said."""
        settings = self.current.replica.settings
        ready = settings.speaks or settings.me not in settings.members
        return ready and self.current.seat.known and not self.forgetful

    def hear(self, seat: Seat, signed: Signed[Message]) -> None:
        """Take in a consensus message where it belongs.

        From an epoch that is ahead, blocks help, and to know that there are some: their
        certificates are checked here whoever hands them over.
        """
        self.epochs.heard[signed.sender] = seat
        epoch = self.epochs.of(seat)
        if epoch is None and isinstance(signed.message, (Status, Committed)):
            epoch = self.current
        own = seat.identity.member.index if seat.identity else _NOT_A_MEMBER
        if epoch is None or signed.sender == own:
            return
        try:
            epoch.replica.step(signed)
        except PeerFault as fault:
            if epoch.seat is not seat:
                raise
            raise _attributed(fault, seat.roster, signed.sender) from fault

    def open_fresh(self, raw: bytes) -> tuple[Seat, Opened]:
        """Open an envelope whose author and session are valid by our clock; PeerFault if not."""
        seat, opened = self.epochs.open(raw)
        opened.check_fresh(self.now_ms // 1000)
        return seat, opened

    def tick(self, now_ms: int) -> None:
        """Let time pass."""
        replica = self.current.replica
        if self.waiting:
            self._take_seat()
        else:
            self.memory.tick(replica, self.current.seat, self.steady_ms)
        replica.tick(now_ms)
        if replica.checkpoint_due:
            self._checkpoint()
        for epoch in self.epochs.retired:
            epoch.replica.tick(now_ms, covered=replica.stable_seq > epoch.replica.applied_seq)
        self.keeper.tick()

    def introduce(self, to: int | None = None) -> None:
        """Show our session in the epoch at work, and in the newest one that is ahead of it.

        And the one that is to follow, if any.
        """
        for seat in (self.current.seat, *self.epochs.ahead[-1:]):
            for identity in (seat.identity, seat.following):
                if identity is None:
                    continue
                if to is None:
                    self._transport.broadcast(identity.delegation)
                else:
                    self._transport.send(to, identity.delegation)

    def drain(self) -> bool:
        """Do all that has to be done; return whether there was anything."""
        worked, busy = False, True
        while busy:
            busy = False
            for epoch in list(self.epochs):
                if epoch.replica.busy:
                    busy = worked = True
                    self._carry_out(epoch, epoch.replica.ready())
        return worked

    def _carry_out(self, epoch: Epoch, ready: Ready) -> None:
        own = self._persist(epoch, ready)
        for to, signed in own:
            self._send(epoch, to, signed.raw)
        for resend in ready.resend:
            self._send(epoch, resend.to, epoch.seat.again(resend.raw))
        for sender, fault in ready.faults:
            self._owner.on_fault(_attributed(fault, epoch.seat.roster, sender))
        for evidence in ready.evidence:
            self._owner.on_evidence(evidence, epoch)
        for decided in ready.apply:
            self._apply(epoch, decided)
            if epoch is not self.current:
                break  # what was agreed on behind an epoch's last block is void
        epoch.stable = ready.stable[-1] if ready.stable else epoch.stable
        self._certify(epoch)
        for serve in ready.serve:
            self._serve(epoch, serve)
        for to, signed in own:
            if to is None:
                self._loop_back(epoch, signed)

    def _persist(self, epoch: Epoch, ready: Ready) -> list[tuple[int | None, Signed[Message]]]:
        """Seal what we say, and have on disk what binds us, before any of it is sent."""
        records = list(ready.journal)
        own: list[tuple[int | None, Signed[Message]]] = []
        me = epoch.replica.settings.me
        for outgoing in ready.send:
            bound = outgoing.binding
            seat = epoch.seat if bound else self.epochs.voice(epoch, outgoing.to)
            signed: Signed[Message] = Signed(me, outgoing.message, seat.seal(outgoing.message))
            own.append((outgoing.to, signed))
            if outgoing.kept:
                records.append(journaled(signed))
        if records or ready.bodies:
            store = self.keeper.store
            with store.transaction():
                store.journal_append(
                    JournalRecord(r.seq, r.view, str(r.tag), r.raw, str(r.sender)) for r in records
                )
                store.pending_put_all([(digest(body), body) for body in ready.bodies])
        return own

    def _loop_back(self, epoch: Epoch, signed: Signed[Message]) -> None:
        """Hear what we said, which nobody needs to verify: we have just sealed it."""
        if not signed.raw or self.epochs.voice(epoch, None) is not epoch.seat:
            return
        epoch.seat.doorman.remember(signed)
        try:
            epoch.replica.step(signed)
        except PeerFault as fault:
            self._owner.on_fault(fault)

    def _send(self, epoch: Epoch, to: int | None, raw: bytes) -> None:
        seat = self.epochs.voice(epoch, to)
        if not raw or (self.secrets is not None and seat.identity is None):
            return
        with self.within(seat):
            if to is None:
                self._transport.broadcast(raw)
            elif to != epoch.replica.settings.me:
                self._transport.send(to, raw)

    def within(self, seat: Seat) -> AbstractContextManager[None]:
        """Speak among the members of that roster version meanwhile, so that they understand."""
        return self.secrets.within(_tongue(seat)) if self.secrets else nullcontext()

    def _settle(self) -> None:
        """Keep the secrets of the epochs that we have to do with, and speak in the present one."""
        if self.secrets is not None:
            rosters = (seat.roster for seat in self.epochs.seats())
            self.secrets.settle(rosters, _tongue(self.epochs.voice(self.current, None)))

    def _apply(self, epoch: Epoch, decided: Decided) -> None:
        applied = self.keeper.append(decided)
        epoch.replica.applied(decided)
        if self.memory.recollect(applied, self.machine.members.at(decided.seq)):
            epoch.replica.set_mute(mute=True)
            self._warn()
        self._owner.on_applied(applied)
        if applied.roster is not None:
            self._turn(epoch, applied.receipts)
        elif applied.decisions or decided.seq % self._interval == 0:
            self._checkpoint()

    def _checkpoint(self) -> None:
        epoch = self.current
        if self.speaks:
            epoch.replica.checkpoint(self._claim(epoch.seat, self.keeper.store.height))

    def _claim(self, seat: Seat, height: int) -> Checkpoint:
        return self.keeper.claim(seat, height, self.now_ms // 1000)

    def _certify(self, epoch: Epoch) -> None:
        certified = self.keeper.certify(epoch, over=epoch is not self.current)
        if certified is not None:
            self._tell_certified(certified.seq, certified.size, certified.root)

    def take_certificate(self, height: int, note: bytes) -> None:
        """Keep a checkpoint's certificate that a validator handed over; PeerFault if it is bad."""
        latest = self.keeper.store.latest_checkpoint()
        known = latest.height if latest is not None else 0
        if known < height <= self.keeper.store.height:
            stated = self.keeper.take_certificate(height, note)
            self.current.replica.cover(height)
            self._tell_certified(height, stated.size, stated.root)

    def _tell_certified(self, height: int, size: int, root: bytes) -> None:
        self._emit("checkpoint", {"height": height, "size": size, "root": root.hex()})

    def _serve(self, epoch: Epoch, serve: Serve) -> None:
        if serve.seq < self.keeper.store.base:
            self._owner.on_lagging(self.epochs.voice(epoch, serve.to), serve.to)
            return
        for raw in self.sealed_blocks(epoch.seat, serve.seq):
            self._send(epoch, serve.to, raw)

    def sealed_blocks(self, seat: Seat, first: int) -> Iterator[bytes]:
        """Return some blocks, from one on, sealed from that seat; a bounded number of bytes."""
        left = _SERVED_BYTES
        for message in self.keeper.blocks(first, first + BLOCKS_AT_ONCE - 1):
            raw = seat.seal(message)
            left -= len(raw)
            if left < 0 and message.seq > first:
                return
            yield raw

    # from one epoch to the next

    def _turn(self, old: Epoch, last: Iterable[Receipt]) -> None:
        """Vouch for the last block of an epoch, and begin the next where it ends."""
        height = self.keeper.store.height
        old.replica.ready()  # what was queued is behind the end, where nothing is said any more
        if self.speaks:
            old.replica.checkpoint(self._claim(old.seat, height))
        waiting = [pending.body for pending in old.replica.retire()]
        epoch = self._founding.next((digest(receipt.body) for receipt in last), self.now_ms)
        self._emit("epoch", {"version": epoch.seat.roster.version, "height": height})
        whole = old.seat.known and self.memory.whole
        self.epochs.turn(epoch)
        self._settle()
        self._warn()
        self.memory.begin(epoch.replica, whole=whole, now_ms=self.steady_ms)
        self._left += waiting
        if self.waiting:
            epoch.replica.set_mute(mute=True)
        else:
            self._arrive()

    def _take_seat(self) -> None:
        """Take part in the epoch at work as soon as our root key has signed for it."""
        epoch = self.current
        identity = self._founding.identity(epoch.seat.roster, self.now_ms)
        trouble = self._founding.trouble
        if trouble is not None and trouble is not self._trouble:
            self._emit("key", {"what": trouble.what, "remedy": trouble.remedy})
        self._trouble = trouble
        if self.waiting:
            return
        epoch.seat.identity = identity
        self._settle()
        epoch.replica.set_mute(mute=self.forgetful or not self.memory.whole)
        self._arrive()

    def _arrive(self) -> None:
        """Introduce ourselves in the epoch at work. What an old one left has waited for that: our
        own votes among it are sealed anew.
        """
        left, self._left = self._left, []
        self.introduce()
        self._owner.on_turn(left)

    def _warn(self) -> None:
        if self.forgetful and self.current.seat.identity is not None:
            version = self.current.seat.roster.version
            self._emit("lost_disk", {"version": version, "remedy": AFTER_A_LOST_DISK})


def _attributed(fault: PeerFault, roster: Roster, sender: int) -> PeerFault:
    return fault.by(roster.members[sender].name) if fault.reason in _OWN_FAULTS else fault


def _tongue(seat: Seat) -> int | None:
    """Return under whose secrets to speak from a seat: none while we have no session there."""
    return seat.roster.version if seat.identity is not None else None
