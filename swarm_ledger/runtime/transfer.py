# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How a drone gets a state where its next block was pruned by all whom it can ask.

Who is asked for blocks that it pruned answers with the first piece of its newest state instead.
Whoever gets no blocks from anybody for a while then takes one peer's state, piece by piece; one
that does not hold, or does not come, costs that peer its turn. Nothing is kept of a broken one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from msgspec import Meta

from swarm_ledger.encoding import Count, Record, decode, encode
from swarm_ledger.envelope import Kind, introduce
from swarm_ledger.errors import PeerFault
from swarm_ledger.runtime.chronicle import Emit
from swarm_ledger.runtime.engine import Engine
from swarm_ledger.runtime.epochs import Seat
from swarm_ledger.runtime.handover import MAX_STATE_BYTES, Handed, judge, pack
from swarm_ledger.runtime.machine import Machine
from swarm_ledger.runtime.numbered import Numbered, Numbers
from swarm_ledger.transport import Transport

PIECE_BYTES = 1 << 16
PATIENCE_MS = 1_000
"""How long blocks are hoped for, in spite of an offer; and how long the next piece is."""

_AGAIN_MS = 250
_PAUSE_MS = 5
"""Between two pieces for one member: who asks sooner gets the next one then."""

_PACK_MS = 10_000
_NEVER_MS = -(2**53)

_Size = Annotated[int, Meta(ge=1, le=MAX_STATE_BYTES)]


class Lagging(Record, frozen=True):
    """Asks for a piece of the state after a block, from a place on.

    number: larger each time that the session asks.
    """

    height: Count
    offset: Count
    number: Count


class Piece(Record, frozen=True):
    """A piece of the state after a block, which has so many bytes in all; not empty."""

    height: Count
    size: _Size
    offset: Count
    data: Annotated[bytes, Meta(min_length=1, max_length=PIECE_BYTES)]


def parse_lagging(payload: bytes) -> Lagging:
    """Parse a sealed Kind.LAGGING message's payload; PeerFault if it is none."""
    lagging: Lagging = decode(payload, Lagging, limit=32)
    return lagging


def parse_piece(payload: bytes) -> Piece:
    """Parse a sealed Kind.PIECE message's payload; PeerFault if it is none."""
    piece: Piece = decode(payload, Piece, limit=PIECE_BYTES + 64)
    return piece


@dataclass
class _Taking:
    """A state under way. giver: who sends it; heard_ms, asked_ms: when we last did."""

    giver: int
    seat: Seat
    height: int
    size: int
    heard_ms: int
    asked_ms: int = _NEVER_MS
    data: bytearray = field(default_factory=bytearray)


class Transfer:
    """One drone's part in it. archive: it drops nothing that it has, so it takes only if empty.

    A piece is hundreds of times as large as what asks for it. Whoever says again what others said
    would have it sent again and again, so each asking counts once, and offers are rare.
    """

    def __init__(self, engine: Engine, transport: Transport, emit: Emit, *, archive: bool) -> None:
        self._engine, self._transport, self._emit = engine, transport, emit
        self._archive, self._told = archive, False
        self._packed: tuple[int, bytes] | None = None
        self._packed_ms = self._lately_ms = _NEVER_MS
        self._offered: dict[tuple[int, int], int] = {}
        self._answered: dict[tuple[int, int], int] = {}
        self._asked: dict[tuple[int, int], tuple[Seat, Lagging]] = {}
        self._heard, self._numbers = Numbered(), Numbers()
        self._offers: dict[int, tuple[Seat, int]] = {}
        self._since_ms, self._at = 0, -1
        self._last_giver = -1
        self._taking: _Taking | None = None

    # handing out

    def offer(self, seat: Seat, to: int) -> None:
        """Answer a member that asks for blocks which we pruned."""
        if self._is_due(self._offered, _AGAIN_MS, seat, to):
            self._hand(seat, to, 0, 0)

    def hear_lagging(self, raw: bytes) -> None:
        """Answer a member that asks for a piece; PeerFault if it is none."""
        seat, opened = self._engine.open_fresh(raw)
        asked, to = parse_lagging(opened.payload), opened.author.index
        if not self._heard.is_new(opened.session, asked.number):
            return
        self._asked[seat.roster.version, to] = seat, asked
        self._answer()

    def _answer(self) -> None:
        """Send each member the piece that it asked for last, if it is time for one."""
        for key, (seat, asked) in list(self._asked.items()):
            if self._is_due(self._answered, _PAUSE_MS, seat, key[1]):
                del self._asked[key]
                self._hand(seat, key[1], asked.height, asked.offset)

    def _is_due(
        self, last: dict[tuple[int, int], int], pause_ms: int, seat: Seat, to: int
    ) -> bool:
        """Tell whether a member may be sent a piece again, and note that it is."""
        now_ms, key = self._engine.steady_ms, (seat.roster.version, to)
        due = now_ms - last.get(key, _NEVER_MS) >= pause_ms
        if due:
            last[key] = now_ms
        return due

    def _hand(self, seat: Seat, to: int, asked: int, offset: int) -> None:
        """Send a piece of the state after a block that is asked for, or the first of another."""
        if seat.identity is None or self._engine.keeper.store.base == 0:
            return
        packed = self._state(asked)
        if packed is None:
            return
        height, data = packed
        offset = offset if asked == height and offset < len(data) else 0
        piece = Piece(height, len(data), offset, data[offset : offset + PIECE_BYTES])
        self._say(seat, Kind.PIECE, encode(piece), to)

    def _state(self, height: int) -> tuple[int, bytes] | None:
        """Return the state to hand out: the one that is asked for while we have it at hand."""
        now_ms, kept = self._engine.steady_ms, self._packed
        if kept is None or (kept[0] != height and now_ms - self._lately_ms > PATIENCE_MS):
            newest = max(self._engine.keeper.store.snapshot_heights(), default=0)
            if (kept is None or newest > kept[0]) and now_ms - self._packed_ms >= _PACK_MS:
                self._packed_ms = now_ms
                self._packed = pack(self._engine.keeper.store, self._engine.trust)
        if self._packed is not None and self._packed[0] == height:
            self._lately_ms = now_ms  # nobody's transfer is cut off by a newer one
        return self._packed

    # taking over

    def hear_piece(self, raw: bytes) -> tuple[Handed, Machine] | None:
        """Take in a piece; return a state that is whole and holds, for the engine to go on from.

        PeerFault where it does not hold.
        """
        seat, opened = self._engine.open_fresh(raw)
        piece, giver, own = parse_piece(opened.payload), opened.author.index, self._height
        if piece.height <= own or seat.identity is None or not self._may_take():
            return None
        taking = self._taking
        if taking is None or taking.giver != giver:
            if not self._offers:
                self._since_ms, self._at = self._engine.steady_ms, own
            self._offers[giver] = seat, piece.height
            return None
        if (piece.height, piece.size) != (taking.height, taking.size):
            if piece.offset == 0:  # it has a newer one by now
                taking.height, taking.size, taking.data = piece.height, piece.size, bytearray()
            else:
                return None
        if piece.offset != len(taking.data):
            return None
        taking.data += piece.data
        taking.heard_ms = self._engine.steady_ms
        if len(taking.data) < taking.size:
            self._ask(taking)
            return None
        self._taking = None
        self._offers.pop(giver, None)
        try:
            found = judge(bytes(taking.data), self._engine.trust, own)
        except PeerFault as fault:
            raise fault.by(opened.author.name) from None
        self._offers = {}
        return found

    @property
    def taking(self) -> bool:
        """Whether another member's state is on its way to us."""
        return self._taking is not None

    @property
    def _height(self) -> int:
        return self._engine.keeper.store.height

    def _may_take(self) -> bool:
        if not self._archive or self._height <= 0:
            return True
        if not self._told:
            self._told = True
            remedy = (
                "This drone keeps everything, so it drops nothing for what came later. Bring it "
                "an archive's ledger.db, set its ledger.max_bytes, or start it in an empty folder."
            )
            self._emit("history_lost", {"height": self._height, "remedy": remedy})
        return False

    def tick(self) -> None:
        """Answer who had to wait; ask again; try the next peer; begin where no blocks come."""
        self._answer()
        now_ms, taking = self._engine.steady_ms, self._taking
        if self._offers and self._height != self._at:
            self._offers = {}  # blocks came after all
        if taking is not None:
            if self._height >= taking.height:
                self._taking = None
            elif now_ms - taking.heard_ms >= PATIENCE_MS:
                self._taking = None
                self._offers.pop(taking.giver, None)
            elif now_ms - taking.asked_ms >= _AGAIN_MS:
                self._ask(taking)
        elif self._offers and now_ms - self._since_ms >= PATIENCE_MS:
            self._begin()

    def _begin(self) -> None:
        """Take the state of the next one of those who offer theirs, in turn."""
        later = [giver for giver in sorted(self._offers) if giver > self._last_giver]
        giver = self._last_giver = (later or sorted(self._offers))[0]
        seat, height = self._offers[giver]
        self._taking = _Taking(giver, seat, height, 0, self._engine.steady_ms)
        self._ask(self._taking)

    def _ask(self, taking: _Taking) -> None:
        taking.asked_ms = self._engine.steady_ms
        number = self._numbers.next(self._engine.now_ms)
        asked = Lagging(taking.height, len(taking.data), number)
        self._say(taking.seat, Kind.LAGGING, encode(asked), taking.giver)

    def _say(self, seat: Seat, kind: Kind, payload: bytes, to: int) -> None:
        if seat.identity is None:
            return
        raw = introduce(seat.identity.delegation, seat.identity.seal(kind, payload))
        with self._engine.within(seat):
            self._transport.send(to, raw)
