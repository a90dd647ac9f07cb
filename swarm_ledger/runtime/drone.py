# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One member of the swarm at work: the only place where consensus has effects.

A Drone is driven from outside, by one thread: receive_all() for what arrived, tick() every few
dozen milliseconds, look() for each image. Time is an argument, POSIX milliseconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from swarm_ledger.consensus.messages import MAX_REQUEST_BYTES, Message, Signed
from swarm_ledger.consensus.ready import Decided, Ready, Serve, Stable, journaled
from swarm_ledger.consensus.replica import Replica
from swarm_ledger.consensus.settings import Settings
from swarm_ledger.consensus.sync import BLOCKS_AT_ONCE
from swarm_ledger.encoding import digest, encode
from swarm_ledger.envelope import Kind, carry, kind_of
from swarm_ledger.errors import NotVerified, PeerFault
from swarm_ledger.identity.roster import Member, Role
from swarm_ledger.ledger.store import JournalRecord, Store
from swarm_ledger.runtime.chronicle import describe
from swarm_ledger.runtime.doorman import Doorman
from swarm_ledger.runtime.evidence import Docket, accusation
from swarm_ledger.runtime.identity import Identity
from swarm_ledger.runtime.keeper import START_ANEW, Keeper
from swarm_ledger.runtime.machine import Applied, Machine, Tick, read_request
from swarm_ledger.runtime.voter import Look, Voter
from swarm_ledger.transport import Transport
from swarm_ledger.voting.observation import Observation, parse_observation

Emit = Callable[[str, dict[str, Any]], None]
"""Receives events: a name, and fields that JSON can hold."""

_HELLO_MS = 500
_HELLO_AGAIN_MS = 5_000
_MEET_MS = 5_000
_TICK_MS = 1_000
_SERVED_BYTES = 1 << 19
_NOBODY = -1


class Drone:
    """A validator and voter. settings.me must be its roster index.

    store: its ledger, empty or from an earlier run, which it then continues. looks: images that
    make a vote. question: a sealed one, asked as soon as the swarm has met.
    Raises NotVerified where that ledger is another swarm's, or contradicts what a quorum cosigned.
    """

    def __init__(
        self,
        identity: Identity,
        store: Store,
        transport: Transport,
        settings: Settings,
        *,
        now_ms: int,
        emit: Emit,
        looks: int = 5,
        question: bytes | None = None,
    ) -> None:
        self.identity, self.settings = identity, settings
        self.faults: Counter[str] = Counter()
        self._transport, self._emit = transport, emit
        self._doorman = Doorman(identity.roster)
        self.keeper = Keeper(identity, store, self._doorman, settings.quorum)
        self._replica = Replica(settings, self._doorman.open_consensus, now_ms=now_ms)
        self._voter, self._docket = Voter(looks), Docket()
        self._now_ms = now_ms
        self._answered: dict[int, int] = {}
        self._hello_ms = self._tick_ms = self._accused_ms = 0
        self._start_ms, self._question = now_ms, question
        self._sealed: dict[bytes, int] = {}
        self._restore()
        self._receive(identity.delegation)
        self._transport.broadcast(identity.delegation)
        self._drain()

    # what the world does to us

    def receive(self, raw: bytes, now_ms: int) -> None:
        """Take in one message."""
        self.receive_all((raw,), now_ms)

    def receive_all(self, raws: Iterable[bytes], now_ms: int) -> None:
        """Take in what arrived, in order; whatever is wrong with it is counted, not raised.

        What follows from all of it is carried out at the end: one write to disk for what binds us.
        """
        self._now_ms = max(self._now_ms, now_ms)
        for raw in raws:
            try:
                self._receive_ahead(raw)
            except PeerFault as fault:
                self._fault(fault)
        self._drain()

    def submit(self, raw: bytes, now_ms: int) -> None:
        """Have sealed bytes ordered, such as an operator's question; PeerFault if they are bad."""
        self._now_ms = max(self._now_ms, now_ms)
        self._receive(raw)
        self._transport.broadcast(raw)
        self._drain()

    def look(self, look: Look) -> None:
        """Take in one judged image; when there are enough of them, vote."""
        self._voter.look(look, self.machine.tally.open_questions())

    def tick(self, now_ms: int) -> None:
        """Let time pass."""
        self._now_ms = max(self._now_ms, now_ms)
        self._greet()
        self._ask()
        self._vote()
        self._pass_deadlines()
        self._prosecute()
        self._replica.tick(self._now_ms)
        if self._replica.checkpoint_due:
            self._checkpoint()
        self._drain()

    # what can be seen from outside

    @property
    def machine(self) -> Machine:
        """The state behind the ledger."""
        return self.keeper.machine

    @property
    def curious(self) -> bool:
        """Whether another look would help: a question is open on which we have not voted."""
        return self._voter.curious(self.machine.tally.open_questions())

    @property
    def met(self) -> int:
        """How many validators' sessions are known here, our own included."""
        known = {session.member.index for session in self._doorman.lobby.sessions()}
        return len(known.intersection(self.identity.roster.validators))

    def status(self) -> dict[str, Any]:
        """Where this drone is, for screens and logs."""
        replica, roster = self._replica, self.identity.roster
        return {
            "drone": self.identity.member.name,
            "view": replica.view,
            "leader": roster.members[replica.leader].name,
            "height": self.keeper.store.height,
            "size": self.keeper.store.size,
            "root": self.keeper.store.root().hex(),
            "stable": replica.stable_seq,
            "pending": replica.pending,
            "met": self.met,
            "key_store": self.identity.member.key_store.label,
        }

    # taking in

    def _receive_ahead(self, raw: bytes) -> None:
        """Take a message in before what follows from earlier ones is carried out, if possible."""
        try:
            self._receive(raw)
        except PeerFault as fault:
            if fault.reason != "unknown_key":
                raise
            self._drain()  # a block that is about to be applied may hold the session
            self._receive(raw)

    def _receive(self, raw: bytes) -> None:
        kind = kind_of(raw)
        if kind is Kind.SESSION:
            self._meet(raw)
        elif kind in (Kind.CONSENSUS, Kind.CARRIED):
            self._doorman.open_fresh(raw, self._now_ms // 1000)
            signed = self._doorman.open_consensus(raw)
            if signed.sender != self.settings.me:
                self._replica.step(signed)
        elif kind is Kind.EVIDENCE:
            culprit = self._doorman.examine(raw).culprit.index
            if culprit not in self.machine.convicted:
                self._replica.submit(raw, culprit, self._now_ms)
            else:  # no news, unless it was ordered before the culprit was convicted
                self._replica.supply(raw, self._now_ms)
        else:
            opened = self._doorman.open_fresh(raw, self._now_ms // 1000)
            content = read_request(opened)
            self._replica.submit(raw, opened.author.index, self._now_ms)
            if isinstance(content, Observation):
                self._hear(opened.author, content, raw)

    def _meet(self, raw: bytes) -> None:
        known = self._doorman.lobby.sessions()
        session = self._doorman.lobby.add_session(raw)
        member = session.member
        self._replica.submit(raw, member.index, self._now_ms)
        if member == self.identity.member or Role.VALIDATOR not in member.roles:
            return
        if session not in known:
            self._emit("met", {"peer": member.name, "key_store": member.key_store.label})
        if self._now_ms - self._answered.get(member.index, -_HELLO_MS) >= _HELLO_MS:
            self._answered[member.index] = self._now_ms
            self._transport.send(member.index, self.identity.delegation)

    def _fault(self, fault: PeerFault) -> None:
        self.faults[fault.reason] += 1
        if self.faults[fault.reason] == 1:
            self._emit("fault", {"reason": fault.reason, "what": fault.what})

    # acting by ourselves

    def _greet(self) -> None:
        every = _HELLO_MS if self.met < self.settings.n else _HELLO_AGAIN_MS
        if self._now_ms - self._hello_ms >= every:
            self._hello_ms = self._now_ms
            self._transport.broadcast(self.identity.delegation)

    def _ask(self) -> None:
        """Ask the first question when all have met, or enough of them and nobody else comes."""
        waited = self._now_ms - self._start_ms >= _MEET_MS
        if self._question is None or self.met < (
            self.settings.quorum if waited else self.settings.n
        ):
            return
        question, self._question = self._question, None
        self.submit(question, self._now_ms)

    def _vote(self) -> None:
        if not self.keeper.speaks:
            return
        for question in self.machine.tally.open_questions():
            observation = self._voter.due(question, self._now_ms)
            if observation is not None:
                raw = self.identity.seal(Kind.VOTE, encode(observation))
                # On disk before it is sent: after a restart another look would contradict it.
                self.keeper.store.pending_put(digest(raw), raw)
                self._sealed[digest(raw)] = self._now_ms
                self.submit(raw, self._now_ms)

    def _pass_deadlines(self) -> None:
        """Ask for a block when a question's time is up; the leader first, the others after it."""
        order = self.settings.members
        rank = (order.index(self.settings.me) - order.index(self._replica.leader)) % len(order)
        patience = rank * self.settings.resend_ms
        due = any(
            question.deadline_ms + patience <= self._now_ms
            for question in self.machine.tally.open_questions()
        )
        if due and self._now_ms - self._tick_ms >= _TICK_MS:
            self._tick_ms = self._now_ms
            self.submit(self.identity.seal(Kind.TICK, encode(Tick(self._now_ms))), self._now_ms)

    # against liars

    def _hear(self, author: Member, vote: Observation, raw: bytes) -> None:
        """Take note of a vote; its author may have told others, or us, something else."""
        against = self._docket.hear(author, vote, raw)
        if against is not None:
            self._accuse(author.index, against)

    def _accuse(self, culprit: int, against: bytes) -> None:
        """Report a contradiction once, and have it ordered if it is not too large for an entry."""
        if culprit in self.machine.convicted or not self._docket.accuse(culprit, against):
            return
        self._accused_ms = 0
        self._emit("evidence", {"culprit": self.identity.roster.members[culprit].name})
        if len(against) > MAX_REQUEST_BYTES:
            self._docket.close(culprit)

    def _prosecute(self) -> None:
        """Hand in what we have against others, until they are convicted.

        It may have to wait: for the culprit's session to be on the ledger, or for room in the
        pool, as it counts against the culprit's own quota.
        """
        if self._now_ms - self._accused_ms < self.settings.resend_ms:
            return
        self._accused_ms = self._now_ms
        for culprit, against in self._docket.cases():
            if culprit in self.machine.convicted:
                self._docket.close(culprit)
                continue
            with suppress(PeerFault):
                self._doorman.examine(against)
                if self._replica.submit(against, culprit, self._now_ms):
                    self._transport.broadcast(against)

    # carrying out what consensus says

    def _drain(self) -> None:
        while ready := self._replica.ready():
            own = self._persist(ready)
            for to, raw in own:
                self._send(to, raw)
            for resend in ready.resend:
                self._send(resend.to, resend.raw)
            for _, fault in ready.faults:
                self._fault(fault)
            for evidence in ready.evidence:
                against = accusation(evidence.first, evidence.second)
                self._accuse(evidence.culprit, against)
            for decided in ready.apply:
                self._apply(decided)
            self._certify(ready.stable[-1] if ready.stable else None)
            for serve in ready.serve:
                self._serve(serve)
            for to, raw in own:
                if to is None:
                    self._loop_back(raw)

    def _persist(self, ready: Ready) -> list[tuple[int | None, bytes]]:
        """Seal what we say, and have on disk what binds us, before any of it is sent."""
        records = list(ready.journal)
        own: list[tuple[int | None, bytes]] = []
        for outgoing in ready.send:
            raw = self._seal(outgoing.message)
            own.append((outgoing.to, raw))
            if outgoing.binding:
                signed: Signed[Message] = Signed(self.settings.me, outgoing.message, raw)
                records.append(journaled(signed))
        if records or ready.bodies:
            with self.keeper.store.transaction():
                self.keeper.store.journal_append(
                    JournalRecord(r.seq, r.view, str(r.tag), r.raw, str(r.sender)) for r in records
                )
                for body in ready.bodies:
                    self.keeper.store.pending_put(digest(body), body)
        return own

    def _seal(self, message: Message) -> bytes:
        sealed = self.identity.seal(Kind.CONSENSUS, encode(message))
        return sealed if self.keeper.speaks else carry(self.identity.delegation, sealed)

    def _loop_back(self, raw: bytes) -> None:
        try:
            self._replica.step(self._doorman.open_consensus(raw))
        except PeerFault as fault:
            self._fault(fault)

    def _send(self, replica: int | None, raw: bytes) -> None:
        if replica is None:
            self._transport.broadcast(raw)
        elif replica != self.settings.me:
            self._transport.send(replica, raw)

    def _apply(self, decided: Decided) -> None:
        applied = self.keeper.append(decided)
        self._replica.applied(decided)
        self._learn(applied)
        self._report(applied)
        if applied.decisions or decided.seq % self.settings.interval == 0:
            self._checkpoint()

    def _checkpoint(self) -> None:
        if self.keeper.speaks:
            self._replica.checkpoint(self.keeper.claim(self._now_ms // 1000))

    def _certify(self, stable: Stable | None) -> None:
        certified = self.keeper.certify(stable)
        if certified is not None:
            root = certified.root.hex()
            self._emit(
                "checkpoint", {"height": certified.seq, "size": certified.size, "root": root}
            )

    def _serve(self, serve: Serve) -> None:
        left = _SERVED_BYTES
        for message in self.keeper.blocks(serve.seq, serve.seq + BLOCKS_AT_ONCE - 1):
            raw = self._seal(message)
            left -= len(raw)
            if left < 0 and message.seq > serve.seq:
                return
            self._send(serve.to, raw)

    # starting again

    def _restore(self) -> None:
        recent: list[bytes] = []
        for applied in self.keeper.replay():
            recent += (digest(receipt.body) for receipt in applied.receipts)
            self._learn(applied)
        try:
            journal = [
                self._doorman.open_consensus(record.data)
                for record in self.keeper.store.journal_read()
            ]
        except PeerFault as fault:
            raise NotVerified(
                f"a record is damaged ({fault.what})",
                where="journal",
                remedy=START_ANEW,
            ) from fault
        self._replica.restore(
            journal,
            applied=self.keeper.store.height,
            time_ms=self.machine.time_ms,
            recent=recent,
        )
        for _, body in self.keeper.store.pending_read():
            self._resume(body)
        self.keeper.recover(journal)
        self._certify(None)

    def _resume(self, body: bytes) -> None:
        """Take back a request that bound us before a restart, whatever has expired since."""
        author = _NOBODY
        with suppress(PeerFault):
            kind = kind_of(body)
            if kind is Kind.SESSION:
                author = self._doorman.lobby.add_session(body).member.index
            elif kind is Kind.EVIDENCE:
                author = self._doorman.examine(body).culprit.index
            else:
                opened = self._doorman.open(body)
                author = opened.author.index
                if opened.kind is Kind.VOTE and opened.author == self.identity.member:
                    self._voter.voted(parse_observation(opened.payload).question)
        self._replica.submit(body, author, self._now_ms)

    def _learn(self, applied: Applied) -> None:
        """Take from a block what concerns us: sessions, and the votes that we cast."""
        for receipt in applied.receipts:
            if receipt.result == "session":
                with suppress(PeerFault):  # the lobby may be full of what the ledger never held
                    self._doorman.lobby.add_session(receipt.body)
            content = receipt.content
            if isinstance(content, Observation) and receipt.author is not None:
                if receipt.author == self.identity.member:
                    self._voter.voted(content.question)
                self._hear(receipt.author, content, receipt.body)

    def _report(self, applied: Applied) -> None:
        for receipt in applied.receipts:
            sealed_ms = self._sealed.pop(digest(receipt.body), None)
            if sealed_ms is not None:
                self._emit("committed", {"latency_ms": self._now_ms - sealed_ms})
        for name, fields in describe(applied, self.machine):
            self._emit(name, {"view": self._replica.view, **fields})
