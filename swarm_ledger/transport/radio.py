# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A transport for one narrow channel that all share: short forms, several in a frame, long ones in
fragments, within a duty cycle.

A Station is one drone's end, without the radio itself: whoever drives it asks for the next frame
when the channel is free, and hands it each frame that was heard. What is heard is for all, also
where it was said to one: a block for a drone that lags helps the next one, too.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from swarm_ledger.consensus.messages import Committed, Message
from swarm_ledger.encoding import digest
from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.identity.roster import Roster
from swarm_ledger.transport.radio_fragments import FRAGMENT, Gathering, cut
from swarm_ledger.transport.radio_queue import Queue, Topic, Waiting, topic_of
from swarm_ledger.transport.shorthand import NOT_HEARD, Shorthand

ALL = 0x7F
MAX_STATIONS = ALL

_UNREAD = 128
"""Short forms that refer to what was not heard, kept until it is; of all senders."""

_SAID = 2_048
_LATELY = 512
_UNREAD_BYTES = 4_096
_HOUR_US = 3_600_000_000


@dataclass(frozen=True)
class Link:
    """What the radio is like. bit_rate: on the air, bits a second.

    mtu: bytes of a frame; overhead: bytes that each frame takes beside them on the air, for
    preamble, sync word, length and checksum. duty_cycle: the share of window_us that one sender
    may be on the air, 1 for all of it.
    """

    bit_rate: int
    mtu: int = 255
    overhead: int = 12
    duty_cycle: float = 1.0
    window_us: int = _HOUR_US

    def __post_init__(self) -> None:
        rules = (
            (100 <= self.bit_rate <= 100_000_000, "a bit rate is 100 to 100,000,000 bit/s"),
            (32 <= self.mtu <= 2_047, "a frame has 32 to 2,047 bytes"),
            (0 <= self.overhead <= 255, "a frame has 0 to 255 bytes beside it"),
            (0 < self.duty_cycle <= 1, "a duty cycle is over 0 and at most 1"),
        )
        for holds, rule in rules:
            if not holds:
                raise Misuse(f"no radio: {rule}; got {self}.")

    @property
    def lately_ms(self) -> int:
        """What all have heard so lately is not repeated: as long as eight frames take."""
        return 8 * self.airtime_us(self.mtu) // 1_000

    def airtime_us(self, size: int) -> int:
        """Return how long a frame of so many bytes is on the air, microseconds."""
        return -(-8_000_000 * (size + self.overhead) // self.bit_rate)


class DutyCycle:
    """A sender's airtime that is left: it comes back at the rate that the rules allow.

    A bucket as large as the window allows in a row: so at most twice as much in any one window
    that follows a silent one, and no more than the rules' share over time.
    """

    def __init__(self, link: Link) -> None:
        self._share = link.duty_cycle
        self._most = self._left = link.duty_cycle * link.window_us
        self._at_us = 0
        self.spent_us = 0

    def wait_us(self, airtime_us: int, now_us: int) -> int:
        """Return for how long a frame of that airtime has to wait; 0 for not at all."""
        if self._share >= 1:
            return 0
        passed = max(0, now_us - self._at_us)
        self._left = min(self._most, self._left + passed * self._share)
        self._at_us = max(self._at_us, now_us)
        lacks = min(airtime_us, self._most) - self._left
        return 0 if lacks <= 0 else int(lacks / self._share) + 1

    def spend(self, airtime_us: int) -> None:
        """Take note of a frame that was sent."""
        self._left -= airtime_us
        self.spent_us += airtime_us


class Station:
    """One drone's end of the channel: a Transport for the drone, frames for the radio.

    me: its index in the roster. now_ms: the clock, POSIX milliseconds. rosters: those that it has
    to do with; needless: what its replica need not say any more (Replica.needless): both are set
    as soon as there is a drone. sent: bytes in frames, by what they said.
    """

    def __init__(self, me: int, link: Link, now_ms: Callable[[], int]) -> None:
        if not 0 <= me < MAX_STATIONS:
            raise Misuse(f"a channel has room for {MAX_STATIONS} drones, and none is number {me}.")
        self.me, self.link, self._now_ms = me, link, now_ms
        self.rosters: Callable[[], Iterable[Roster]] = tuple
        self.needless: Callable[[Message], bool] = lambda _message: False
        self.duty = DutyCycle(link)
        self.faults: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.frames = 0
        self._words = Shorthand(self._at_work)
        self._queue = Queue()
        self._said: OrderedDict[bytes, None] = OrderedDict()
        self._spared: OrderedDict[bytes, None] = OrderedDict()
        self._lately: OrderedDict[bytes, int] = OrderedDict()
        self._unread: deque[bytes] = deque(maxlen=_UNREAD)
        self._fragments: deque[bytes] = deque()
        self._gathering = Gathering()

    def _at_work(self) -> Iterable[Roster]:
        return self.rosters()

    # what the drone says

    def send(self, to: int, data: bytes) -> None:
        """Send to one member."""
        if to != self.me:
            self._put(to, data)

    def broadcast(self, data: bytes) -> None:
        """Send to all other members."""
        self._put(None, data)

    def _put(self, to: int | None, raw: bytes) -> None:
        topic = topic_of(raw, to)
        key = digest(raw)
        again = key in self._said or key in self._lately or isinstance(topic.message, Committed)
        if again and not topic.personal and self._heard_lately(key):
            return
        # What was spared and is said again nevertheless, others did not get by without: whose
        # word stood for ours may have been heard by us alone.
        lacked = to is not None or key in self._spared
        self._queue.put(Waiting(raw, to, topic, again, lacked))

    def _prune(self) -> None:
        for raw in self._queue.prune(self.needless):
            _keep(self._spared, digest(raw), None, _SAID)

    def _heard_lately(self, key: bytes) -> bool:
        at_ms = self._lately.get(key)
        return at_ms is not None and 0 <= self._now_ms() - at_ms < self.link.lately_ms

    # what the radio says

    @property
    def waiting(self) -> bool:
        """Whether there is anything to say."""
        self._prune()
        return bool(self._fragments) or len(self._queue) > 0

    @property
    def urgent(self) -> bool:
        """Whether others wait for what we have to say: then it goes before what can wait."""
        return bool(self._fragments) or self._queue.urgent

    def wait_us(self, now_us: int) -> int:
        """Return for how long the duty cycle keeps us silent (microseconds); 0: not at all."""
        return self.duty.wait_us(self.link.airtime_us(self.link.mtu), now_us)

    def next_frame(self) -> bytes:
        """Return the next frame, to be sent at once; b"" if there is nothing to say."""
        frame = self._fragments.popleft() if self._fragments else self._fill()
        if frame:
            self.frames += 1
            self.duty.spend(self.link.airtime_us(len(frame)))
        return frame

    def _fill(self) -> bytes:
        """Put as much into a frame as waits and fits; what never fits becomes fragments."""
        self._prune()
        frame = bytes([self.me])
        for one in self._queue.ordered():
            item = self._item(one)
            if len(frame) + 2 + len(item) > self.link.mtu:
                if len(frame) > 1:
                    continue
                self._on_the_air(one, len(item))
                return self._cut(item)
            frame += _sized(item)
            self._on_the_air(one, len(item))
        return frame if len(frame) > 1 else b""

    def _item(self, one: Waiting) -> bytes:
        to = ALL if one.to is None or not one.topic.personal else one.to
        return bytes([to]) + self._words.shorten(one.raw, self._now_ms(), alone=one.alone)

    def _on_the_air(self, one: Waiting, size: int) -> None:
        self._queue.taken(one.raw)
        self.sent[name_of(one.raw, one.topic)] += size
        self._note(one.raw, None)
        _keep(self._said, digest(one.raw), None, _SAID)

    def _note(self, raw: bytes, to: int | None) -> None:
        self._words.learn(raw)
        if to is None:
            _keep(self._lately, digest(raw), self._now_ms(), _LATELY)

    def _cut(self, item: bytes) -> bytes:
        try:
            self._fragments += cut(self.me, item, self.link.mtu)
        except PeerFault as fault:
            self.faults[fault.reason] += 1
            return b""
        return self._fragments.popleft()

    # what is heard

    def hear(self, frame: bytes) -> list[bytes]:
        """Take in a frame; return the sealed messages in it that are for this drone.

        They are not verified. Whatever is wrong with a frame is counted, not raised.
        """
        try:
            items = self._items(frame)
        except PeerFault as fault:
            self.faults[fault.reason] += 1
            return []
        found: list[bytes] = []
        for item in items:
            self._read(item, found)
        if found and self._unread:
            # What came may be what these refer to.
            unread, self._unread = self._unread, deque(maxlen=_UNREAD)
            for item in unread:
                self._read(item, found)
        return found

    def _items(self, frame: bytes) -> list[bytes]:
        if not frame or len(frame) > self.link.mtu:
            raise PeerFault("malformed", "no frame of this channel.")
        if frame[0] & FRAGMENT:
            whole = self._gathering.take(frame)
            return [whole] if whole else []
        items: list[bytes] = []
        at = 1
        while at < len(frame):
            size, at = _size_at(frame, at)
            if size < 2 or at + size > len(frame):
                raise PeerFault("malformed", "a frame is cut off.")
            items.append(frame[at : at + size])
            at += size
        return items

    def _read(self, item: bytes, found: list[bytes]) -> None:
        try:
            raw = self._words.expand(item[1:], self._now_ms())
        except PeerFault as fault:
            if fault.reason == NOT_HEARD and len(item) <= _UNREAD_BYTES:
                self._unread.append(item)
            self.faults[fault.reason] += 1
            return
        to = None if item[0] == ALL else item[0]
        self._note(raw, to)
        self._queue.heard(raw, to)  # somebody said it for us
        if to in (None, self.me):
            found.append(raw)


def name_of(raw: bytes, topic: Topic) -> str:
    """Return what a message is called in statistics."""
    if topic.message is not None:
        return type(topic.message).__name__.lower()
    return Kind(raw[0]).name.lower() if raw[:1] and raw[0] in set(Kind) else "other"


def _sized(item: bytes) -> bytes:
    """Put an item's length in front of it: one byte, or two with the first one over 0x7f."""
    size = len(item)
    return (bytes([size]) if size < 0x80 else bytes((size >> 8 | 0x80, size & 0xFF))) + item


def _size_at(frame: bytes, at: int) -> tuple[int, int]:
    if frame[at] < 0x80:
        return frame[at], at + 1
    if at + 1 >= len(frame):
        raise PeerFault("malformed", "a frame is cut off.")
    return (frame[at] & 0x7F) << 8 | frame[at + 1], at + 2


V = TypeVar("V")


def _keep(held: OrderedDict[bytes, V], key: bytes, value: V, most: int) -> None:
    held[key] = value
    held.move_to_end(key)
    if len(held) > most:
        held.popitem(last=False)
