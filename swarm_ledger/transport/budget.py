# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Who is listened to how much: a flood costs its own sender's messages, and not the others'.

A source is what a transport calls whoever sent something: a connection, a publisher. The name
proves nothing, but costs a flooder something to change. A source is *known* for half a minute
after something held that nobody had sent before. All the others, strangers, share one turn and one
patience, as anybody can be any number of them.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from swarm_ledger.encoding import digest

ANYBODY = b""
"""The source of all messages of which the transport doesn't tell who sent them."""

EACH = 16
"""Messages of one source that are looked at in its turn; of strangers, all together."""

_AT_ONCE = 256
_SECOND_MS = 1_000
_KNOWN_MS = 30_000
_SOURCES = 1_024
"""Of each sort. Who takes on a new identity for each message only crowds out other strangers."""

_SEEN = 8_192

_OVERHEAD = 128
"""Bytes that a message costs us besides its own."""


class Patience:
    """Stops listening, for the rest of a second, to a source with too many refused in it.

    per_second: how many refused messages each may have judged.
    """

    def __init__(self, per_second: int = 200) -> None:
        self._per_second = per_second
        self._refused: OrderedDict[bytes, tuple[int, int]] = OrderedDict()

    def spent(self, source: bytes, now_ms: int) -> bool:
        """Whether what that source sends isn't looked at now (POSIX milliseconds)."""
        second, refused = self._refused.get(source, (0, 0))
        return refused >= self._per_second and second == now_ms // _SECOND_MS

    def try_it(self, source: bytes, now_ms: int) -> None:
        """Note that a message of that source was judged, and refused."""
        second, refused = self._refused.pop(source, (0, 0))
        now_s = now_ms // _SECOND_MS
        self._refused[source] = now_s, (refused if second == now_s else 0) + 1
        if len(self._refused) > _SOURCES:
            self._refused.popitem(last=False)


@dataclass(frozen=True)
class Limits:
    """What a source may have. refused, count: messages a second; rate: bytes a second; messages,
    size: messages and bytes that wait. room: bytes that wait of all known sources.

    strangers_*: the same for all those together that aren't known.
    """

    refused: int = 200
    count: int = 2_000
    rate: int = 1 << 24
    messages: int = 1_024
    size: int = 1 << 23
    room: int = 1 << 26
    strangers_refused: int = 400
    strangers_room: int = 1 << 24


@dataclass(frozen=True, slots=True)
class Arrived:
    """One message, and what the transport calls its sender."""

    source: bytes
    data: bytes


@dataclass(eq=False, slots=True)
class _Source:
    """One source. second, count, taken: in which second it had how many messages, and bytes."""

    name: bytes
    known_ms: int = 0
    waiting: deque[bytes] = field(default_factory=deque)
    size: int = 0
    second: int = 0
    count: int = 0
    taken: int = 0


class _Rota:
    """Sources of one sort, and those of them that wait for their turn."""

    def __init__(self, room: int) -> None:
        self._room, self.size = room, 0
        self._sources: OrderedDict[bytes, _Source] = OrderedDict()
        self.turns: deque[_Source] = deque()

    def get(self, name: bytes) -> _Source | None:
        """Return a source, which counts as the one heard last."""
        source = self._sources.get(name)
        if source is not None:
            self._sources.move_to_end(name)
        return source

    def enter(self, source: _Source) -> int:
        """Add a source; return how many messages are lost with the one that has to go for it."""
        self._sources[source.name] = source
        if source.waiting:
            self.turns.append(source)
            self.size += source.size
        if len(self._sources) <= _SOURCES:
            return 0
        _, oldest = self._sources.popitem(last=False)
        return self.clear(oldest)

    def leave(self, source: _Source) -> None:
        """Take a source out, with what waits of it."""
        del self._sources[source.name]
        if source.waiting:
            self.turns.remove(source)
            self.size -= source.size

    def add(self, source: _Source, data: bytes, messages: int, size: int) -> bool:
        """Have a message wait, if there is room for it."""
        cost = len(data) + _OVERHEAD
        full = len(source.waiting) >= messages or source.size + cost > size
        if full or self.size + cost > self._room:
            return False
        if not source.waiting:
            self.turns.append(source)
        source.waiting.append(data)
        source.size += cost
        self.size += cost
        return True

    def turn(self, most: int) -> list[Arrived]:
        """Return so many messages of the source whose turn it is; it goes to the end."""
        source = self.turns.popleft()
        taken: list[Arrived] = []
        while source.waiting and len(taken) < most:
            data = source.waiting.popleft()
            source.size -= len(data) + _OVERHEAD
            self.size -= len(data) + _OVERHEAD
            taken.append(Arrived(source.name, data))
        if source.waiting:
            self.turns.append(source)
        return taken

    def clear(self, source: _Source) -> int:
        """Drop what waits of a source; return how many messages."""
        lost = len(source.waiting)
        if lost:
            self.turns.remove(source)
            self.size -= source.size
            source.size = 0
            source.waiting.clear()
        return lost


class Inbox:
    """What arrived and waits: bounded in all, and taken out in turns.

    dropped: how many messages were never looked at, and why: "refused", too many others of that
    source were; "rate", too many or too large in one second; "full", too many that wait.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits = limits or Limits()
        self.dropped: Counter[str] = Counter()
        self._patience = Patience(limits.refused)
        self._shared = Patience(limits.strangers_refused)
        self._known, self._strangers = _Rota(limits.room), _Rota(limits.strangers_room)
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def put(self, name: bytes, data: bytes, now_ms: int) -> None:
        """Take in one message, unless its source has had enough (POSIX milliseconds)."""
        limits = self._limits
        if name != ANYBODY and self._patience.spent(name, now_ms):
            self.dropped["refused"] += 1
            return
        rota, source = self._find(name, now_ms)
        messages, size = limits.messages, limits.size
        if name == ANYBODY:  # the honest are in there as well: only memory is bounded
            messages = size = limits.room
        second = now_ms // _SECOND_MS
        if source.second != second:
            source.second, source.count, source.taken = second, 0, 0
        much = source.count >= limits.count or source.taken + len(data) > limits.rate
        if much and name != ANYBODY:
            self.dropped["rate"] += 1
        elif not rota.add(source, data, messages, size):
            self.dropped["full"] += 1
        else:
            source.count += 1
            source.taken += len(data)

    def _find(self, name: bytes, now_ms: int) -> tuple[_Rota, _Source]:
        source = self._known.get(name)
        if source is not None:
            if name == ANYBODY or 0 <= now_ms - source.known_ms < _KNOWN_MS:
                return self._known, source
            self._known.leave(source)
            self._lose(self._strangers.enter(source))
            return self._strangers, source
        source = self._strangers.get(name)
        if source is None:
            source, rota = _Source(name), self._known if name == ANYBODY else self._strangers
            self._lose(rota.enter(source))
            return rota, source
        return self._strangers, source

    def _lose(self, messages: int) -> None:
        if messages:
            self.dropped["full"] += messages

    def waits(self, now_ms: int) -> bool:
        """Whether something is to be taken out now."""
        return bool(self._known.turns) or self._strangers_turn(now_ms)

    def take(self, now_ms: int) -> list[Arrived]:
        """Take out what is to be looked at next, a bounded number: one turn of each at most.

        Who hears a flood must soon be back to hear the others.
        """
        taken: list[Arrived] = []
        for _ in range(len(self._known.turns)):
            if len(taken) < _AT_ONCE and not self._skip(self._known, now_ms):
                taken += self._known.turn(EACH)
        end = len(taken) + EACH
        while len(taken) < end and self._strangers_turn(now_ms):
            if not self._skip(self._strangers, now_ms):
                taken += self._strangers.turn(1)
        return taken

    def _strangers_turn(self, now_ms: int) -> bool:
        return bool(self._strangers.turns) and not self._shared.spent(ANYBODY, now_ms)

    def _skip(self, rota: _Rota, now_ms: int) -> bool:
        """Drop what waits of the next in turn, if it had too much refused since it came."""
        source = rota.turns[0]
        if source.name == ANYBODY or not self._patience.spent(source.name, now_ms):
            return False
        self.dropped["refused"] += rota.clear(source)
        return True

    def judge(self, taken: Sequence[Arrived], refused: Collection[int], now_ms: int) -> None:
        """Note which of what was taken out was refused, by its place; the rest held."""
        for place, arrived in enumerate(taken):
            if place in refused:
                self._refuse(arrived.source, now_ms)
            elif self._is_news(arrived.data):
                self._trust(arrived.source, now_ms)

    def _refuse(self, name: bytes, now_ms: int) -> None:
        if name != ANYBODY:
            self._patience.try_it(name, now_ms)
            if self._strangers.get(name) is not None:
                self._shared.try_it(ANYBODY, now_ms)

    def _trust(self, name: bytes, now_ms: int) -> None:
        source = self._known.get(name)
        if source is None:
            source = self._strangers.get(name)
            if source is None:
                return  # it was crowded out meanwhile
            self._strangers.leave(source)
            self._lose(self._known.enter(source))
        source.known_ms = now_ms

    def _is_news(self, data: bytes) -> bool:
        """Whether nobody sent that before: a repetition says nothing about who repeats it."""
        key = digest(data)
        known = key in self._seen
        self._seen[key] = None
        self._seen.move_to_end(key)
        if len(self._seen) > _SEEN:
            self._seen.popitem(last=False)
        return not known
