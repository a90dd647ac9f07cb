# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Which topics a recording takes, and as what type: anybody on a network may announce any.

What the house publishes, and what an operator named, has its place kept free, and what the house
publishes is taken as the house's type or not at all. So whoever announces other types, or many
topics, keeps out of a recording only what nobody named. Where drones aren't named, places are kept
for what is called as theirs and is of its type: for each such name apart from the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase

_WILD = frozenset("*?[")
_STRANGERS = ""
"""What is called as nothing of the house's."""


class Choice:
    """What is recorded. patterns: names, or shell patterns of names.

    house: the type of each topic of the house; they are recorded if they match, or are in
    `beside`. usual: what topics whose names match a pattern mostly are: that type is preferred
    where several are announced. most: how many topics there may be at all; rooms: how many of them
    are kept for some usual ones.
    """

    def __init__(
        self,
        patterns: Iterable[str],
        house: Mapping[str, str],
        *,
        usual: Mapping[str, str],
        most: int,
        beside: Iterable[str] = (),
        rooms: Mapping[str, int] | None = None,
    ) -> None:
        self._patterns, self._beside = tuple(patterns), frozenset(beside)
        self._house, self._usual, self._rooms = house, usual, rooms or {}
        plain = {name for name in self._patterns if not _WILD & set(name)}
        self._kept = plain | {name for name in house if self.matches(name)} | self._beside
        self._most = max(0, most - len(self._kept) - sum(self._rooms.values()))
        self._taken: set[str] = set()
        self.begin()

    def begin(self) -> None:
        """Begin anew: nothing is taken yet."""
        self._taken.clear()
        self._left = {_STRANGERS: self._most, **self._rooms}
        self.crowded = False

    def matches(self, name: str) -> bool:
        """Whether a pattern names it."""
        return any(fnmatchcase(name, pattern) for pattern in self._patterns)

    def open(self, name: str, announced: Collection[str] = (), *, also: bool = False) -> bool:
        """Whether a topic is still to be taken. announced: its types; also: though no pattern
        names it.

        crowded tells afterwards whether one wasn't for want of room.
        """
        if name in self._taken or "/_" in name:
            return False
        if name in self._kept:
            return True
        if not (also or self.matches(name)):
            return False
        called = self._called(name)
        own = self._usual.get(called) in announced and self._left.get(called, 0) > 0
        room = own or self._left[_STRANGERS] > 0
        self.crowded = self.crowded or not room
        return room

    def type_of(self, name: str, announced: Iterable[str]) -> str | None:
        """Return as what a topic is to be taken, None for not now. announced: by each publisher.

        Of several types that the house doesn't know: the one of most publishers. None also where
        the room that is left is for another type.
        """
        counts = Counter(announced)
        wanted = self._house.get(name)
        if wanted is not None:
            return wanted if wanted in counts else None
        usual = self._usual.get(self._called(name))
        if usual in counts:
            return usual
        if name not in self._kept and self._left[_STRANGERS] <= 0:
            return None
        return min(counts, key=lambda one: (-counts[one], one), default=None)

    def take(self, name: str, type_name: str | None = None) -> None:
        """A topic was taken as that type, or can't be: it isn't asked about again."""
        if name in self._taken:
            return
        self._taken.add(name)
        if name in self._kept:
            return
        called = self._called(name)
        own = type_name == self._usual.get(called) and self._left.get(called, 0) > 0
        self._left[called if own else _STRANGERS] -= 1

    def _called(self, name: str) -> str:
        """Return the usual pattern that a name matches, if any."""
        return next((one for one in self._usual if fnmatchcase(name, one)), _STRANGERS)
