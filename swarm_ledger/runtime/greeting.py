# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How drones get to know one another: each shows its session, and answers who is new to it."""

from __future__ import annotations

from swarm_ledger.identity.roster import Role
from swarm_ledger.runtime.engine import Emit, Engine
from swarm_ledger.transport import Transport

_HELLO_MS = 500
_HELLO_AGAIN_MS = 5_000


class Greeting:
    """Introduces one drone, to the others and to the ledger."""

    def __init__(self, engine: Engine, transport: Transport, emit: Emit) -> None:
        self._engine, self._transport, self._emit = engine, transport, emit
        self._hello_ms = 0
        self._answered: dict[int, int] = {}

    @property
    def met(self) -> int:
        """How many validators' sessions are known here, our own included."""
        seat = self._engine.current.seat
        known = {session.member.index for session in seat.doorman.sessions()}
        return len(known.intersection(seat.roster.validators))

    def begin(self) -> None:
        """Begin in an epoch: have our session ordered, where we are a member."""
        self._answered.clear()
        epoch, identity = self._engine.current, self._engine.current.seat.identity
        if identity is not None:
            epoch.seat.doorman.lobby.add_session(identity.delegation)
            self._order(identity.delegation, identity.member.index)

    def tick(self) -> None:
        """Show our session: often as long as somebody is missing, and now and then."""
        now_ms = self._engine.now_ms
        alone = self.met < len(self._engine.current.seat.roster.validators)
        if now_ms - self._hello_ms >= (_HELLO_MS if alone else _HELLO_AGAIN_MS):
            self._hello_ms = now_ms
            self._engine.introduce()

    def hear(self, raw: bytes) -> None:
        """Take in somebody's session; PeerFault where it belongs nowhere."""
        route, now_ms = self._engine.epochs.route, self._engine.now_ms
        seat, session = route(lambda seat: seat.doorman.lobby.delegated(raw))
        session.check_not_over(now_ms // 1000)
        member, me = session.member, seat.identity
        here, known = seat is self._engine.current.seat, session in seat.doorman.sessions()
        if here:  # before we look for room: others may have room for it, and not for what we noted
            self._order(raw, member.index)
        seat.doorman.lobby.add_session(raw)
        if Role.VALIDATOR not in member.roles or (me is not None and member == me.member):
            return
        if here and not known:
            self._emit("met", {"peer": member.name, "key_store": member.key_store.label})
        if me is not None and now_ms - self._answered.get(member.index, -_HELLO_MS) >= _HELLO_MS:
            self._answered[member.index] = now_ms
            self._transport.send(member.index, me.delegation)

    def _order(self, delegation: bytes, author: int) -> None:
        self._engine.current.replica.submit(delegation, author, self._engine.now_ms)
