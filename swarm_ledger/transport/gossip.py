# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A transport for robots that meet now and then: each carries what the others said, and hands on
what whoever is near lacks.

Nobody is told of a peer, a route or a delivery. A robot says now and then what it holds, as a
fingerprint for each author. Whoever holds something else of an author lists what it has, and gets
what it lacks: a few frames, after which both hold the same (anti-entropy, Demers et al. 1987).
What is carried is state, not packets: of two messages about the same the later one stays.

Only what a member sealed is carried: `judge` opens it, and says whose it is. So who floods a
robot fills the share of the author who sealed it, which is its own, or nobody's.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from swarm_ledger.encoding import encode
from swarm_ledger.errors import PeerFault
from swarm_ledger.transport import Transport
from swarm_ledger.transport.gossip_frames import (
    MAX_ITEM_BYTES,
    MAX_ITEMS,
    MAX_LISTED,
    Frame,
    Items,
    Letters,
    Listing,
    Summary,
    parse_frame,
)
from swarm_ledger.transport.gossip_shelf import Claim, Item, Refusals, Shelf, name_of


class Uncarried(Enum):
    """What becomes of a message that nobody carries on.

    NEAR: it is for its addressee when that is met, or else for whoever is near when it is said.
    ASKED: a question that anybody can answer: it is put to whoever is met, for a while.
    """

    NEAR = 0
    ASKED = 1


Judge = Callable[[bytes], "Claim | Uncarried"]
"""Opens a sealed message and says what it is. PeerFault if it is bad."""

_ROOM = 1 << 14
"""Bytes of a frame that something more is added to."""

_SEEN = 8_192
_ASKED = 1_024
_LETTERS = 16
_LETTER_MS = 60_000
_LETTER_AGAIN_MS = 1_000
_QUESTIONS = 2
_QUESTION_MS = 20_000
_REFUSED_IN_FRAME = 3
_LATELY_MS = 250
"""What was said that lately, here or near, need not be said again: others have just heard it."""

_FORGOTTEN_MS = 1_000
_NEVER = 1 << 62
_STAGGER_MS = 37


@dataclass(frozen=True)
class Pace:
    """How much a robot says. summary_ms: between two summaries; rate: bytes a second, at most."""

    summary_ms: int = 400
    rate: int = 125_000


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of a frame. fresh: sealed messages for the drone. refused: whether something in
    it was wrong, which whoever sent it should have refused itself.
    """

    fresh: tuple[bytes, ...] = ()
    refused: bool = False


@dataclass(slots=True)
class _Letter:
    data: bytes
    over_ms: int
    sent_ms: int = -_LETTER_AGAIN_MS


class Gossip:
    """One member's end: a Transport for its drone, and frames for the link to whoever is near.

    me: its index. link: its broadcast() reaches those who are near, or nobody. Drive it by
    tick(), and by hear() for each frame; what that returns is for the drone. Until judge_by() was
    called nothing is heard, and what is said waits. parse: parse_frame, or what remembers it.
    """

    def __init__(
        self,
        me: int,
        link: Transport,
        *,
        now_ms: int,
        pace: Pace | None = None,
        parse: Callable[[bytes], Frame] = parse_frame,
    ) -> None:
        self._parse = parse
        self.me, self._link, self._pace = me, link, pace or Pace()
        self.shelf = Shelf()
        self.faults: Counter[str] = Counter()
        self.sent_bytes = 0
        self._judge: Judge | None = None
        self._unfiled: deque[tuple[int | None, bytes]] = deque(maxlen=_ASKED)
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._refusals = Refusals()
        self._letters: dict[int, deque[_Letter]] = {}
        self._questions: deque[_Letter] = deque(maxlen=_QUESTIONS)
        self._said: deque[tuple[int | None, bytes]] = deque(maxlen=_ASKED)
        self._asked: OrderedDict[bytes, None] = OrderedDict()
        self._differing: set[int] = set()
        self._lately: OrderedDict[bytes, int] = OrderedDict()
        self._fingerprints: tuple[tuple[int, bytes], ...] | None = None
        self._held = self._summary = b""
        self._summary_ms = now_ms - me * _STAGGER_MS % self._pace.summary_ms
        self._now_ms = self._heard_ms = self._filled_ms = now_ms
        self._over_ms = _NEVER
        self._left = self._pace.rate

    # what the drone does

    def judge_by(self, judge: Judge) -> None:
        """Open messages by that from now on."""
        self._judge = judge
        unfiled, self._unfiled = self._unfiled, deque(maxlen=_ASKED)
        for to, data in unfiled:
            self._file(to, data)

    def send(self, to: int, data: bytes) -> None:
        """Send to one member, when it is met; what is state spreads as all state does."""
        self._file(to, data)

    def broadcast(self, data: bytes) -> None:
        """Send to all: what is state is carried to them, the rest reaches who is near."""
        self._file(None, data)

    def _file(self, to: int | None, data: bytes) -> None:
        if self._judge is None:
            self._unfiled.append((to, data))
            return
        name = name_of(data)
        if name in self.shelf or len(data) > MAX_ITEM_BYTES:
            return
        try:
            claim = self._judge(data)
        except PeerFault as fault:
            self.faults[fault.reason] += 1
            return
        self._remember(name)
        if isinstance(claim, Claim):
            self.shelf.put(Item(name, data, claim, self._now_ms))
        elif claim is Uncarried.ASKED:
            self._add(self._questions, data, _QUESTION_MS)
        elif to is None:
            self._said.append((None, data))
        elif to != self.me:
            letters = self._letters.setdefault(to, deque(maxlen=_LETTERS))
            self._add(letters, data, _LETTER_MS)

    def _remember(self, name: bytes) -> bool:
        """Note that a message was judged; whether it was not known before."""
        new = name not in self._seen
        self._seen[name] = None
        self._seen.move_to_end(name)
        if len(self._seen) > _SEEN:
            self._seen.popitem(last=False)
        return new

    # what is heard

    def hear(self, raw: bytes, now_ms: int) -> Heard:
        """Take in a frame (POSIX milliseconds); whatever is wrong with it is counted."""
        self._now_ms = self._heard_ms = now_ms
        waits = self._letters or self._questions
        if self._held and not waits and raw.endswith(self._held):
            return Heard()  # by far most frames: a summary of one who holds what we hold
        try:
            frame = self._parse(raw)
        except PeerFault as fault:
            self.faults[fault.reason] += 1
            return Heard(refused=True)
        if self._judge is None:
            return Heard()
        if isinstance(frame, Items):
            return self._take(frame, self._judge)
        if isinstance(frame, Letters):
            return self._read(frame)
        if isinstance(frame, Summary):
            self._compare(frame)
        else:
            self._look_up(frame)
        return Heard()

    def _compare(self, summary: Summary) -> None:
        mine, theirs = dict(self.shelf.fingerprints()), dict(summary.held)
        for origin in mine.keys() | theirs.keys():
            if mine.get(origin) != theirs.get(origin):
                self._differing.add(origin)
        self._say_to(summary.me, self._letters.get(summary.me, ()))
        self._say_to(None, self._questions)

    def _say_to(self, to: int | None, letters: Iterable[_Letter]) -> None:
        for letter in letters:
            if self._now_ms - letter.sent_ms >= _LETTER_AGAIN_MS and letter.over_ms > self._now_ms:
                letter.sent_ms = self._now_ms
                self._said.append((to, letter.data))

    def _look_up(self, listing: Listing) -> None:
        theirs = set(listing.names)
        for origin in dict.fromkeys(listing.origins):
            for item in self.shelf.of(origin):
                if item.name not in theirs and len(self._asked) < _ASKED:
                    self._asked[item.name] = None

    def _take(self, frame: Items, judge: Judge) -> Heard:
        fresh: list[bytes] = []
        refused = 0
        for age_ms, data in frame.items:
            name, born_ms = name_of(data), self._now_ms - age_ms
            self._note_said(name)
            if name in self.shelf:
                self.shelf.rejuvenate(name, born_ms)
            if name in self._seen:
                continue
            try:
                self._refusals.check(name, now_ms=self._now_ms)
                claim = judge(data)
            except PeerFault as fault:
                self.faults[fault.reason] += 1
                self._refusals.note(name, fault, now_ms=self._now_ms)
                refused += 1
                if refused >= _REFUSED_IN_FRAME:
                    break
                continue
            if isinstance(claim, Claim) and age_ms < claim.keep_ms:
                self._remember(name)
                self.shelf.put(Item(name, data, claim, born_ms))
                fresh.append(data)
        return Heard(tuple(fresh), refused > 0)

    def _read(self, frame: Letters) -> Heard:
        if frame.to not in (None, self.me):
            return Heard()
        return Heard(tuple(data for data in frame.letters if self._remember(name_of(data))))

    # what is said

    def tick(self, now_ms: int) -> None:
        """Let time pass: say what we hold, and hand on what those who are near lack."""
        self._now_ms = now_ms
        passed_ms = min(max(now_ms - self._filled_ms, 0), _FORGOTTEN_MS)
        self._filled_ms = now_ms
        self._left = min(self._left + self._pace.rate * passed_ms // 1000, self._pace.rate)
        self.shelf.expire(now_ms)
        if now_ms - self._heard_ms > _FORGOTTEN_MS:
            self._asked.clear()
            self._differing.clear()
        if self._differing:
            self._list()
        if self._asked:
            self._hand_on()
        if self._said:
            self._say_once()
        if now_ms >= self._over_ms:
            self._forget()
        if now_ms - self._summary_ms >= self._pace.summary_ms:
            self._summary_ms = now_ms
            held = self.shelf.fingerprints()
            if held is not self._fingerprints:
                self._fingerprints, self._held = held, encode(held)
                self._summary = encode(Summary(self.me, held))
            self._say(self._summary)

    def _add(self, letters: deque[_Letter], data: bytes, keep_ms: int) -> None:
        if all(letter.data != data for letter in letters):
            letters.append(_Letter(data, self._now_ms + keep_ms))
            self._over_ms = min(self._over_ms, self._now_ms + keep_ms)

    def _forget(self) -> None:
        """Drop letters and questions that are over."""
        for letters in (self._questions, *self._letters.values()):
            while letters and letters[0].over_ms <= self._now_ms:
                letters.popleft()
        self._letters = {to: letters for to, letters in self._letters.items() if letters}
        left = (
            letters[0].over_ms for letters in (self._questions, *self._letters.values()) if letters
        )
        self._over_ms = min(left, default=_NEVER)

    def _list(self) -> None:
        """Say which items we hold of those authors of whom somebody near holds others."""
        origins: list[int] = []
        names: list[bytes] = []
        for origin in sorted(self._differing):
            own = [item.name for item in self.shelf.of(origin)]
            if len(names) + len(own) > MAX_LISTED:
                break
            origins.append(origin)
            names += own
        self._differing.difference_update(origins)
        self._say(encode(Listing(tuple(origins), tuple(names))))

    def _hand_on(self) -> None:
        frame: list[tuple[int, bytes]] = []
        size = 0
        while self._asked and self._left > 0:
            name, _ = self._asked.popitem(last=False)
            item = self.shelf.get(name)
            if item is None or self._now_ms - self._lately.get(name, 0) < _LATELY_MS:
                continue
            if frame and (size + len(item.data) > _ROOM or len(frame) == MAX_ITEMS):
                self._say(encode(Items(tuple(frame))))
                frame, size = [], 0
            frame.append((max(0, self._now_ms - item.born_ms), item.data))
            size += len(item.data)
            self._note_said(name)
        if frame:
            self._say(encode(Items(tuple(frame))))

    def _say_once(self) -> None:
        while self._said and self._left > 0:
            to, data = self._said.popleft()
            self._say(encode(Letters(to, (data,))))

    def _note_said(self, name: bytes) -> None:
        self._lately[name] = self._now_ms
        self._lately.move_to_end(name)
        if len(self._lately) > _ASKED:
            self._lately.popitem(last=False)

    def _say(self, frame: bytes) -> None:
        self._left -= len(frame)
        self.sent_bytes += len(frame)
        self._link.broadcast(frame)
