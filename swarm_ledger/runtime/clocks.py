# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How far other drones' clocks are ahead of ours: measured as in NTP, told, and nothing more.

Now and then each drone says its time, and echoes what it heard last of others and how long ago
(RFC 3550, 6.4.1, has the same). So whoever hears it knows how long both ways took together, and
that the other clock's reading lies between two bounds, which honest drones and the network can
only move apart (RFC 5905, 8). What a member says about its time moves its own figure only.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Annotated, Any

from msgspec import Meta

from swarm_ledger.encoding import Count, Record, decode, encode
from swarm_ledger.envelope import Kind
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity.roster import Member
from swarm_ledger.runtime.chronicle import Emit
from swarm_ledger.runtime.engine import Engine
from swarm_ledger.runtime.rhythm import Rhythm
from swarm_ledger.transport import Transport

MAX_ECHOES = 16
"""In one message; in larger swarms, others have their turn in the next ones."""

_MESSAGE_BYTES = 512
_FIRST = 3
_OWN = 16
_SAMPLES = 8
_OLD_MS = 120_000
_LONGEST_MS = 10_000
"""Both ways together: what took longer says too little."""

_DRIFT_PPM = 1_000
"""Of two clocks against one another; quartz has less than a fifth of that."""

_Millis = Annotated[int, Meta(ge=1, lt=2**53)]


class Echo(Record, frozen=True):
    """What was heard of a member last: the stamp that it sent, and how long we have had it."""

    member: Annotated[int, Meta(ge=0, lt=2**16)]
    stamp_ms: _Millis
    held_ms: Count


class ClockReading(Record, frozen=True, tag=1):
    """stamp_ms: the sender's clock, POSIX milliseconds, as it sends this."""

    stamp_ms: _Millis
    echoes: Annotated[tuple[Echo, ...], Meta(max_length=MAX_ECHOES)]


def parse_reading(raw: bytes) -> ClockReading:
    """Parse a sealed payload; PeerFault if it is no reading, or echoes a member twice."""
    reading: ClockReading = decode(raw, ClockReading, limit=_MESSAGE_BYTES)
    if len({echo.member for echo in reading.echoes}) < len(reading.echoes):
        raise PeerFault("malformed", "a reading echoes a member twice.")
    return reading


@dataclass(frozen=True, slots=True)
class Ahead:
    """How far a clock is ahead of ours: within error_ms of ahead_ms, if its owner is honest."""

    ahead_ms: int
    error_ms: int
    at_ms: int

    def after(self, now_ms: int) -> Ahead:
        """Return what it says some time later: clocks drift."""
        drifted = (now_ms - self.at_ms) * _DRIFT_PPM // 1_000_000
        return Ahead(self.ahead_ms, self.error_ms + drifted, self.at_ms)

    def contradicts(self, other: Ahead) -> bool:
        """Whether no one reading is within both."""
        return abs(self.ahead_ms - other.ahead_ms) > self.error_ms + other.error_ms


def measured(sent_ms: int, held_ms: int, stamp_ms: int, arrived_ms: int) -> Ahead | None:
    """Return what one exchange tells: we sent, they held it, stamped their answer, it arrived.

    sent_ms, arrived_ms: by our clock; held_ms, stamp_ms: by theirs. None if it tells nothing, as
    where a clock was set meanwhile. The other clock's lead is stamp − arrived if the answer took
    no time, and more by both ways if it took all of it: the middle is taken. Where they held it
    for longer than it was away, their clock runs ahead of ours, and the first of these is near.
    """
    way_ms = arrived_ms - sent_ms - held_ms
    if abs(way_ms) > _LONGEST_MS or arrived_ms < sent_ms:
        return None
    if way_ms < 0:
        return Ahead(stamp_ms - arrived_ms, 2 - way_ms, arrived_ms)
    # Each reading is cut to a whole millisecond.
    return Ahead(stamp_ms - arrived_ms + way_ms // 2, way_ms // 2 + 2, arrived_ms)


@dataclass
class Peer:
    """One member's clock. heard: its last stamp, and when that came by our clock.

    stamps: the last ones, so that what is sent again is no news. skewed: whether it was reported
    to be off, and has not come back since.
    """

    heard: tuple[int, int] | None = None
    stamps: deque[int] = field(default_factory=lambda: deque(maxlen=_SAMPLES))
    samples: deque[Ahead] = field(default_factory=lambda: deque(maxlen=_SAMPLES))
    skewed: bool = False

    def add(self, sample: Ahead) -> None:
        """Take in what an exchange told; what contradicts it is of before a clock was set."""
        if any(sample.contradicts(old.after(sample.at_ms)) for old in self.samples):
            self.samples.clear()
        self.samples.append(sample)

    def best(self, now_ms: int) -> Ahead | None:
        """Return the sample with the least error, by now; None if all are too old."""
        fresh = [old.after(now_ms) for old in self.samples if now_ms - old.at_ms < _OLD_MS]
        return min(fresh, key=lambda one: one.error_ms, default=None)


class Clocks:
    """The clocks of the other members of the epoch at work, as one drone sees them.

    limit_ms: from which lead or lag on `clock_skew` is reported, once, until it is half of that.
    """

    def __init__(
        self, engine: Engine, transport: Transport, emit: Emit, limit_ms: int, rhythm: Rhythm
    ) -> None:
        self._engine, self._transport, self._emit = engine, transport, emit
        self._rhythm = rhythm
        self._limit_ms = limit_ms
        self._now_ms = 0
        self._said_ms = self._said = 0
        self._own: OrderedDict[int, None] = OrderedDict()
        self._peers: dict[int, Peer] = {}

    def begin(self) -> None:
        """Begin in an epoch, where indices may stand for others."""
        self._peers = {}

    def set_time(self, now_ms: int) -> None:
        """Take our clock as it is: set back, what was measured by it is void."""
        if now_ms < self._now_ms:
            self._peers, self._said_ms, self._said = {}, 0, 0
            self._own.clear()
        self._now_ms = now_ms

    def tick(self) -> None:
        """Say our time, now and then."""
        seat = self._engine.current.seat
        identity, first = seat.identity, self._said < _FIRST
        every_ms = self._rhythm.clock_first_ms if first else self._rhythm.clock_ms
        if identity is None or not seat.orders or self._now_ms - self._said_ms < every_ms:
            return
        self._said_ms = self._now_ms
        self._said += 1
        heard = sorted(
            (arrived_ms, index, stamp_ms) for index, stamp_ms, arrived_ms in self._heard()
        )
        echoes = []
        for arrived_ms, index, stamp_ms in heard[:MAX_ECHOES]:
            echoes.append(Echo(index, stamp_ms, self._now_ms - arrived_ms))
            self._peers[index].heard = None
        self._own[self._now_ms] = None
        if len(self._own) > _OWN:
            self._own.popitem(last=False)
        reading = encode(ClockReading(self._now_ms, tuple(echoes)))
        self._transport.broadcast(identity.seal(Kind.CLOCK, reading))

    def _heard(self) -> list[tuple[int, int, int]]:
        peers = self._peers.items()
        return [(index, *peer.heard) for index, peer in peers if peer.heard is not None]

    def hear(self, raw: bytes) -> None:
        """Take in what a member says; PeerFault if it is no reading of a member's."""
        seat, opened = self._engine.epochs.open(raw)
        reading = parse_reading(opened.payload)
        opened.check_fresh(self._engine.now_ms // 1000)
        me = seat.identity
        if me is None or seat is not self._engine.current.seat or opened.author == me.member:
            return
        peer = self._peers.setdefault(opened.author.index, Peer())
        if reading.stamp_ms in peer.stamps:
            return
        peer.stamps.append(reading.stamp_ms)
        peer.heard = reading.stamp_ms, self._now_ms
        for echo in reading.echoes:
            if echo.member == me.member.index and echo.stamp_ms in self._own:
                sample = measured(echo.stamp_ms, echo.held_ms, reading.stamp_ms, self._now_ms)
                if sample is not None:
                    peer.add(sample)
                    self._judge(opened.author, peer)

    def _judge(self, member: Member, peer: Peer) -> None:
        best = peer.best(self._now_ms)
        if best is None:
            return
        certain = abs(best.ahead_ms) - best.error_ms
        if certain > self._limit_ms and not peer.skewed:
            peer.skewed = True
            fields = {"ahead_ms": best.ahead_ms, "error_ms": best.error_ms}
            self._emit("clock_skew", {"peer": member.name, **fields})
        elif abs(best.ahead_ms) + best.error_ms < self._limit_ms // 2:
            peer.skewed = False

    def status(self) -> dict[str, dict[str, Any]]:
        """Return what is known of each member's clock, by name."""
        members = self._engine.current.seat.roster.members
        found = {}
        for index, peer in sorted(self._peers.items()):
            best = peer.best(self._now_ms)
            if best is not None:
                found[members[index].name] = {
                    "ahead_ms": best.ahead_ms,
                    "error_ms": best.error_ms,
                    "skewed": peer.skewed,
                }
        return found
