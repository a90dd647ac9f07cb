# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How drones get to know one another: each shows its session, and answers who is new to it."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

from msgspec import Meta

from swarm_ledger.encoding import Count, Record, decode, encode
from swarm_ledger.envelope import Kind, delegation_of
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity.cose import KID_BYTES
from swarm_ledger.identity.roster import Role
from swarm_ledger.identity.session import Session
from swarm_ledger.runtime.chronicle import Emit
from swarm_ledger.runtime.engine import Engine
from swarm_ledger.runtime.epochs import Seat
from swarm_ledger.runtime.rhythm import Rhythm
from swarm_ledger.transport import Transport


class Welcome(Record, frozen=True):
    """Answers a session. session: its key identifier, so that no older answer passes for this one.

    height: of the sender's ledger.
    """

    session: Annotated[bytes, Meta(min_length=KID_BYTES, max_length=KID_BYTES)]
    height: Count


class Greeting:
    """Introduces one drone, to the others and to the ledger."""

    def __init__(self, engine: Engine, transport: Transport, emit: Emit, rhythm: Rhythm) -> None:
        self._engine, self._transport, self._emit = engine, transport, emit
        self._rhythm = rhythm
        self._hello_ms = self._pause_ms = 0
        self._answered: dict[int, int] = {}

    @property
    def met(self) -> int:
        """How many validators' sessions are known here, our own included."""
        seat = self._engine.current.seat
        return len(seat.doorman.met().intersection(seat.roster.validators))

    def begin(self) -> None:
        """Begin in an epoch: have our session ordered, where we are a member."""
        self._answered.clear()
        self._pause_ms = 0
        epoch, identity = self._engine.current, self._engine.current.seat.identity
        if identity is not None:
            with suppress(PeerFault):  # one too many: then nobody hears us, which is our own fault
                epoch.seat.doorman.lobby.add_session(identity.delegation)
            if not epoch.seat.known:
                index, now_ms = identity.member.index, self._engine.now_ms
                epoch.replica.submit(identity.delegation, index, now_ms)

    def tick(self) -> None:
        """Show our session: often at first while somebody is missing, and now and then."""
        now_ms, rhythm = self._engine.steady_ms, self._rhythm
        few = self.met < len(self._engine.current.seat.roster.validators)
        alone = few or not self._engine.memory.whole
        if not alone:
            self._pause_ms = 0
        pause_ms = max(self._pause_ms, rhythm.hello_ms) if alone else rhythm.hello_again_ms
        if now_ms - self._hello_ms >= pause_ms:
            self._hello_ms = now_ms
            self._engine.introduce()
            longer_ms = max(2 * self._pause_ms, rhythm.hello_ms)
            self._pause_ms = min(longer_ms, rhythm.hello_again_ms)

    def hear(self, seat: Seat, session: Session) -> None:
        """Take note of somebody's session where it belongs; PeerFault if it is one too many."""
        member, now_ms = session.member, self._engine.steady_ms
        here, me = seat is self._engine.current.seat, seat.identity
        known = session in seat.doorman.sessions()
        new = here and member.index not in seat.doorman.met()
        seat.doorman.lobby.add_session(delegation_of(session))
        if member.index not in seat.roster.flying or (me is not None and member == me.member):
            return
        orders = Role.VALIDATOR in member.roles
        if new and orders:
            self._pause_ms = 0  # whoever else is missing may be near now
        if here and not known and orders:
            self._emit("met", {"peer": member.name, "key_store": member.key_store.label})
        if not seat.orders and not orders:
            return
        rhythm = self._rhythm
        settled = known and seat.doorman.ledger.knows(member, session.kid)
        pause_ms = rhythm.answer_known_ms if settled else rhythm.answer_ms
        if me is not None and now_ms - self._answered.get(member.index, -pause_ms) >= pause_ms:
            self._answered[member.index] = now_ms
            self._transport.send(member.index, me.delegation)
            if seat.orders and orders:
                height = self._engine.keeper.store.height
                welcome = encode(Welcome(session.kid, height))
                with self._engine.within(seat):
                    self._transport.send(member.index, me.seal(Kind.WELCOME, welcome))

    def hear_welcome(self, raw: bytes) -> None:
        """Take note of how long a member's ledger is; PeerFault if it does not answer us."""
        seat, opened = self._engine.epochs.open(raw)
        welcome: Welcome = decode(opened.payload, Welcome, limit=64)
        me = seat.identity
        if me is None or welcome.session != me.session_kid:
            raise PeerFault("replayed", f"{opened.author.name} welcomes somebody else.")
        if seat is self._engine.current.seat and opened.author != me.member:
            self._engine.memory.claim(opened.author.index, welcome.height)
