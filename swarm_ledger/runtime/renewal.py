# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Replaces sessions before they run out, without a pause.

The next delegation is ordered while the present session still counts; the drone goes over to it
once the ledger holds it. Where the ledger can't take it in, as in a swarm that is cut apart, it
goes over all the same shortly before the end, and its messages carry the delegation.
"""

from __future__ import annotations

from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.runtime.chronicle import Emit
from swarm_ledger.runtime.engine import Engine
from swarm_ledger.runtime.epochs import Seat
from swarm_ledger.runtime.identity import Identity, Keys

_LOOK_MS = 1_000
_AGAIN_MS = 60_000
_LAST = 8
"""The last eighth of a session is not waited for."""


class Renewal:
    """Renews the sessions of one drone, those of epochs that are over or ahead as well."""

    def __init__(self, engine: Engine, keys: Keys, emit: Emit) -> None:
        self._engine, self._keys, self._emit = engine, keys, emit
        self._due_ms = 0

    def tick(self) -> None:
        """Look, now and then, whether a session has to be replaced."""
        now_ms, steady_ms = self._engine.now_ms, self._engine.steady_ms
        if steady_ms < self._due_ms:
            return
        self._due_ms = steady_ms + _LOOK_MS
        for seat in self._engine.epochs.seats():
            if seat.identity is None:
                continue
            try:
                self._begin(seat, seat.identity, now_ms)
            except (Misuse, PeerFault) as error:
                # Such as a token that was taken out: the present session goes on.
                self._due_ms = steady_ms + _AGAIN_MS
                self._emit("session_not_renewed", {"what": error.explain()})
            self._go_over(seat, seat.identity, now_ms // 1000)

    def _begin(self, seat: Seat, held: Identity, now_ms: int) -> None:
        if seat.following is not None:
            return
        following = self._keys.renew(held, now_ms // 1000)
        if following is None:
            return
        seat.doorman.lobby.add_session(following.delegation)
        seat.following = following
        current = self._engine.current
        if seat is current.seat:
            current.replica.submit(following.delegation, following.member.index, now_ms)
            self._engine.introduce()

    def _go_over(self, seat: Seat, held: Identity, now_s: int) -> None:
        following = seat.following
        if following is None:
            return
        there = seat.doorman.ledger.knows(following.member, following.session_kid)
        last = now_s >= held.expires - (held.expires - held.not_before) // _LAST
        if there or last or not seat.known:
            seat.identity, seat.following, seat.renewed = following, None, True
            fields = {"epoch": seat.roster.version, "expires_s": following.expires}
            self._emit("session", fields)
