# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a robot that gossips keeps of others: bounded for each author, whoever hands it over.

What is kept follows from the set of what was seen, not from its order: two robots that have seen
the same keep the same, so that their fingerprints agree and they have nothing more to say.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from swarm_ledger.encoding import digest
from swarm_ledger.errors import PeerFault
from swarm_ledger.transport.gossip_frames import NAME_BYTES

SMALL = 48
LARGE = 4
LARGE_BYTES = 4096
"""Of one author: that many items up to that size, and that many above it."""

REFUSED = 1_024
REFUSED_MS = 2_000
"""How many refusals are remembered, and how long."""

ALIKE = 2
"""Of one author, on one shelf, at one rank: two contradict each other, a third adds nothing."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a sealed message is, as its signature proves. origin: its author's index.

    shelf: what it is about; a later one about the same, of a higher rank, takes its place. order:
    an author with too much keeps what has the highest. On one shelf it never falls as ranks rise,
    or what is kept would depend on what came first. keep_ms: how long it is worth carrying.
    """

    origin: int
    shelf: tuple[object, ...]
    rank: int
    order: int
    keep_ms: int


@dataclass(frozen=True, slots=True)
class Item:
    """A message that is carried. born_ms: when it was said, by our clock and others' word."""

    name: bytes
    data: bytes
    claim: Claim
    born_ms: int

    @property
    def weight(self) -> tuple[int, int, bytes]:
        """What decides who stays: the same wherever it is asked."""
        return self.claim.order, self.claim.rank, self.name

    @property
    def over_ms(self) -> int:
        """When it is worth nothing any more."""
        return self.born_ms + self.claim.keep_ms


@dataclass(slots=True)
class _Author:
    items: dict[bytes, Item] = field(default_factory=dict)
    shelves: dict[tuple[object, ...], set[bytes]] = field(default_factory=dict)
    fingerprint: bytes = b""
    ranked: tuple[Item, ...] | None = None

    def add(self, item: Item) -> None:
        self.replace(item)
        self.shelves.setdefault(item.claim.shelf, set()).add(item.name)
        self.fingerprint = b""

    def replace(self, item: Item) -> None:
        self.items[item.name] = item
        self.ranked = None

    def remove(self, item: Item) -> None:
        del self.items[item.name]
        shelf = self.shelves[item.claim.shelf]
        shelf.discard(item.name)
        if not shelf:
            del self.shelves[item.claim.shelf]
        self.fingerprint, self.ranked = b"", None

    def print(self) -> bytes:
        if not self.fingerprint:
            self.fingerprint = digest(b"".join(sorted(self.items)))[:NAME_BYTES]
        return self.fingerprint

    def rank(self) -> tuple[Item, ...]:
        if self.ranked is None:
            by_weight = sorted(self.items.values(), key=lambda one: one.weight, reverse=True)
            self.ranked = tuple(by_weight)
        return self.ranked


def name_of(data: bytes) -> bytes:
    """Return what a message is called among those who carry it."""
    return digest(data)[:NAME_BYTES]


class Refusals:
    """What was refused a moment ago, by name: it is refused again for a hash, whoever repeats it.

    Not for long, from the first time on: its author's session, or roster, may become known.
    """

    def __init__(self) -> None:
        self._until: OrderedDict[bytes, tuple[int, PeerFault]] = OrderedDict()

    def check(self, name: bytes, *, now_ms: int) -> None:
        """Raise the fault that an item was just refused for, if it was."""
        until_ms, fault = self._until.get(name, (0, None))
        if fault is not None and now_ms < until_ms:
            raise PeerFault(fault.reason, fault.what)

    def note(self, name: bytes, fault: PeerFault, *, now_ms: int) -> None:
        """Remember that an item was refused; the ones longest ago are forgotten."""
        if self._until.get(name, (0, fault))[0] <= now_ms:
            self._until[name] = now_ms + REFUSED_MS, fault
            self._until.move_to_end(name)
        if len(self._until) > REFUSED:
            self._until.popitem(last=False)


class Shelf:
    """All that is carried, by author. It never holds more than authors times their share."""

    def __init__(self) -> None:
        self._authors: dict[int, _Author] = {}
        self._origin_of: dict[bytes, int] = {}
        self._next_ms: int | None = None
        self._prints: tuple[tuple[int, bytes], ...] | None = None

    def __len__(self) -> int:
        return len(self._origin_of)

    def __contains__(self, name: bytes) -> bool:
        return name in self._origin_of

    def get(self, name: bytes) -> Item | None:
        """Return what is carried under that name."""
        origin = self._origin_of.get(name)
        return None if origin is None else self._authors[origin].items[name]

    def put(self, item: Item) -> bool:
        """Take an item in; whether it is kept now, and was not before."""
        if item.name in self._origin_of:
            self.rejuvenate(item.name, item.born_ms)
            return False
        author = self._authors.setdefault(item.claim.origin, _Author())
        author.add(item)
        self._origin_of[item.name] = item.claim.origin
        self._prints = None
        self._note(item)
        self._tidy_shelf(author, item)
        if item.name in self._origin_of:
            self._tidy_author(author, large=len(item.data) > LARGE_BYTES)
        return item.name in self._origin_of

    def rejuvenate(self, name: bytes, born_ms: int) -> None:
        """Believe the younger age: who makes a message old must not have us drop it."""
        item = self.get(name)
        if item is not None and born_ms > item.born_ms:
            author = self._authors[item.claim.origin]
            author.replace(Item(name, item.data, item.claim, born_ms))

    def expire(self, now_ms: int) -> None:
        """Drop what is over."""
        if self._next_ms is None or now_ms < self._next_ms:
            return
        self._next_ms = None
        for author in self._authors.values():
            for item in list(author.items.values()):
                if item.over_ms <= now_ms:
                    self._drop(author, item)
                else:
                    self._note(item)

    def fingerprints(self) -> tuple[tuple[int, bytes], ...]:
        """Return what Summary says."""
        if self._prints is None:
            self._prints = tuple(
                (origin, author.print())
                for origin, author in sorted(self._authors.items())
                if author.items
            )
        return self._prints

    def of(self, origin: int) -> tuple[Item, ...]:
        """Return one author's items, the most important first."""
        author = self._authors.get(origin)
        return author.rank() if author is not None else ()

    def _note(self, item: Item) -> None:
        self._next_ms = item.over_ms if self._next_ms is None else min(self._next_ms, item.over_ms)

    def _tidy_shelf(self, author: _Author, new: Item) -> None:
        on_it = [author.items[name] for name in author.shelves[new.claim.shelf]]
        best = max(item.claim.rank for item in on_it)
        equal = [item for item in on_it if item.claim.rank == best]
        equal.sort(key=lambda item: item.weight, reverse=True)
        for item in on_it:
            if item not in equal[:ALIKE]:
                self._drop(author, item)

    def _tidy_author(self, author: _Author, *, large: bool) -> None:
        alike = [i for i in author.items.values() if (len(i.data) > LARGE_BYTES) is large]
        room = LARGE if large else SMALL
        if len(alike) > room:
            alike.sort(key=lambda item: item.weight, reverse=True)
            for item in alike[room:]:
                self._drop(author, item)

    def _drop(self, author: _Author, item: Item) -> None:
        author.remove(item)
        del self._origin_of[item.name]
        self._prints = None
