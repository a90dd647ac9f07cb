# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How members hand each other their secrets: shown to all now and then, and to whoever asks."""

from __future__ import annotations

from collections.abc import Iterator

from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, introduce
from swarm_ledger.identity.secrecy import Circle, KeyId, Lacking, parse_lacking, parse_shares
from swarm_ledger.runtime.engine import Engine
from swarm_ledger.runtime.epochs import Seat
from swarm_ledger.transport import Transport
from swarm_ledger.transport.secret import Secrets

_SHOW_AGAIN_MS = 5_000
_ASK_AGAIN_MS = 500


class Sharing:
    """One drone's part in it. Whoever asks, or has us asked, costs one answer in half a second.

    secrets: our own and others', of all epochs.
    """

    def __init__(self, engine: Engine, secrets: Secrets, transport: Transport) -> None:
        self._engine, self._secrets, self._transport = engine, secrets, transport
        self._shown: dict[int, tuple[KeyId, int]] = {}
        self._asked: dict[tuple[int, int], int] = {}
        self._answered: dict[tuple[int, int], int] = {}

    @property
    def standing(self) -> str:
        """Whether we share secrets in the present epoch: "on", or "mute" where we do not."""
        return "on" if self._circle(self._engine.current.seat) else "mute"

    def _circle(self, seat: Seat) -> Circle | None:
        return self._secrets.circle(seat.roster.version) if seat.identity else None

    def _speaking(self) -> Iterator[tuple[Seat, Circle]]:
        epochs = self._engine.epochs
        for seat in (epochs.current.seat, *epochs.ahead[-1:]):
            circle = self._circle(seat)
            if circle is not None:
                yield seat, circle

    def tick(self) -> None:
        """Show what is new, and all now and then; ask for what we lack."""
        self.show()
        self._ask()

    def show(self) -> None:
        """Show a secret that is new at once, soon again, as somebody may just begin to listen, and
        from then on now and then.
        """
        now_ms, before = self._engine.now_ms, self._shown
        self._shown = {v: last for v, last in before.items() if self._secrets.circle(v)}
        for seat, circle in self._speaking():
            shown, due_ms = self._shown.get(circle.version, (None, 0))
            if shown != circle.key_id or now_ms >= due_ms:
                pause_ms = _SHOW_AGAIN_MS if shown == circle.key_id else _ASK_AGAIN_MS
                self._shown[circle.version] = circle.key_id, now_ms + pause_ms
                readers = [
                    member.index
                    for member in seat.roster.members
                    if member.valid_at(now_ms // 1000)
                ]
                self._say(seat, Kind.SHARES, circle.hand_out(readers))

    def _ask(self) -> None:
        lacking, self._secrets.lacking = self._secrets.lacking, set()
        for version, sender in sorted(lacking):
            seat = self._seat(version)
            if seat is not None and seat.identity and self._due(self._asked, (version, sender)):
                self._say(seat, Kind.LACKING, encode(Lacking(sender)), sender)

    def hear(self, raw: bytes) -> None:
        """Take in the secret that a member hands out; PeerFault if that is not as it must be."""
        seat, opened = self._engine.open_fresh(raw)
        circle = self._secrets.circle(seat.roster.version)
        if circle is not None:
            circle.take(opened.author.index, parse_shares(opened.payload))

    def hear_lacking(self, raw: bytes) -> None:
        """Answer a member that lacks our secret; PeerFault if it is none."""
        seat, opened = self._engine.open_fresh(raw)
        circle, asks = self._circle(seat), opened.author.index
        if circle is None or parse_lacking(opened.payload).sender != circle.me:
            return
        if self._due(self._answered, (circle.version, asks)):
            self._say(seat, Kind.SHARES, circle.hand_out([asks]), asks)

    def _seat(self, version: int) -> Seat | None:
        seats = self._engine.epochs.seats()
        return next((seat for seat in seats if seat.roster.version == version), None)

    def _due(self, last: dict[tuple[int, int], int], what: tuple[int, int]) -> bool:
        """Whether it is long enough ago; what belongs to epochs that are forgotten goes."""
        now_ms = self._engine.now_ms
        if now_ms - last.get(what, -_ASK_AGAIN_MS) < _ASK_AGAIN_MS:
            return False
        for version, member in list(last):
            if self._secrets.circle(version) is None:
                del last[version, member]
        last[what] = now_ms
        return True

    def _say(self, seat: Seat, kind: Kind, payload: bytes, to: int | None = None) -> None:
        if seat.identity is None:
            return
        raw = introduce(seat.identity.delegation, seat.identity.seal(kind, payload))
        if to is None:
            self._transport.broadcast(raw)
        else:
            self._transport.send(to, raw)
