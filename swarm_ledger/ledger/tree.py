# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The tree as it lies in the file: its nodes from level 4 on, one for 16 entries and above.

Those below are computed from the entries. Of what is pruned no entries are left, so there nodes of
all levels are kept that a proof needs (pruning.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from swarm_ledger.errors import NotVerified
from swarm_ledger.ledger import merkle
from swarm_ledger.ledger.blocks import Blocks
from swarm_ledger.ledger.database import Database

STORED_FROM = 4
"""The lowest level that is stored: a proof reads up to 16 entries, and 4 bytes an entry go there.
"""

_LEVEL_BITS = 6
_LEVEL_MASK = (1 << _LEVEL_BITS) - 1


def place_of(level: int, index: int) -> int:
    """Return a node's key: by the number of entries that complete it, then by its level."""
    return (index + 1) << level << _LEVEL_BITS | level


def node_at(place: int) -> tuple[int, int]:
    """Return the level and index of the node with a key."""
    level = place & _LEVEL_MASK
    return level, (place >> _LEVEL_BITS >> level) - 1


def last_place(size: int) -> int:
    """Return the largest key of a tree of a size."""
    return size << _LEVEL_BITS | _LEVEL_MASK


def rows_of(nodes: Sequence[tuple[int, int, bytes]]) -> list[tuple[int, bytes]]:
    """Return the rows for nodes that are given as level, index and hash."""
    return [(place_of(level, index), node) for level, index, node in nodes]


def stored(nodes: Sequence[tuple[int, int, bytes]]) -> list[tuple[int, bytes]]:
    """Return the rows for those of newly completed nodes that are stored."""
    return rows_of([node for node in nodes if node[0] >= STORED_FROM])


class Tree:
    """The tree of one file. first: the first entry that stays; frontier: where it grows."""

    def __init__(self, database: Database, blocks: Blocks) -> None:
        self._database, self.blocks = database, blocks
        self.first = 0
        self.frontier = merkle.Frontier()
        self._group: tuple[int, list[list[bytes]]] = (-1, [])

    @property
    def size(self) -> int:
        """The number of entries."""
        return self.frontier.size

    def read(self, size: int) -> None:
        """Go on from the tree of the first `size` entries, as they are in the file."""
        self.frontier = merkle.Frontier.read(size, self.node)

    def forget(self) -> None:
        """Compute and read all from the file again."""
        self.blocks.forget()
        self._group = (-1, [])

    def node(self, level: int, index: int) -> bytes:
        """Return a node's hash, stored or computed; NotVerified where it is missing."""
        start = index << level
        if level < STORED_FROM:
            if start >= self.first:
                return self._low(level, index)
            if level and start + (1 << level) > self.first:
                return self._above(level, index)
        where = f"tree node ({level}, {index})"
        query = "SELECT hash FROM tree WHERE place = ?"
        return self._database.value(query, bytes, where, (place_of(level, index),))

    def nodes(self, level: int, start: int, stop: int) -> list[bytes]:
        """Return nodes of one level; those that are computed have been found to fit the stored.

        Raises NotVerified where they are missing, or entries are not the tree's.
        """
        first, last = start << level, stop << level
        if level >= STORED_FROM or first < self.first:
            return [self.node(level, index) for index in range(start, stop)]
        self.check(range(first, last))
        return self._computed(level, first, last)

    def check(self, entries: Iterable[int]) -> None:
        """Raise NotVerified unless these entries are the tree's, and so all beside them."""
        for group in sorted({index >> STORED_FROM for index in entries}):
            if (group + 1) << STORED_FROM <= self.size:
                fits = self._top(group) == self.node(STORED_FROM, group)
            else:
                again = merkle.Frontier.read(self.size, self.node)
                fits = again.root() == self.frontier.root()
            if not fits:
                first = group << STORED_FROM
                last = min(first + (1 << STORED_FROM), self.size) - 1
                raise NotVerified(
                    "they are not those in the tree", where=f"entries {first} to {last}"
                )

    def _low(self, level: int, index: int) -> bytes:
        """Return a node below the stored ones, over entries that are all there.

        Those of the last group of 16 that is complete are at hand: a proof needs some of them.
        """
        above = STORED_FROM - level
        group = index >> above
        if group << STORED_FROM < self.first or (group + 1) << STORED_FROM > self.size:
            return self._computed(level, index << level, (index + 1) << level)[0]
        return self._levels(group)[level][index - (group << above)]

    def _levels(self, group: int) -> list[list[bytes]]:
        if self._group[0] != group:
            start = group << STORED_FROM
            levels = [self._computed(0, start, start + (1 << STORED_FROM))]
            while len(levels) <= STORED_FROM:
                levels.append(_pairs(levels[-1]))
            self._group = group, levels
        return self._group[1]

    def _top(self, group: int) -> bytes:
        if group << STORED_FROM < self.first:
            return self._above(STORED_FROM, group)
        return self._levels(group)[STORED_FROM][0]

    def _above(self, level: int, index: int) -> bytes:
        return merkle.node_hash(
            self.node(level - 1, 2 * index), self.node(level - 1, 2 * index + 1)
        )

    def _computed(self, level: int, start: int, stop: int) -> list[bytes]:
        """Return the nodes of a low level over entries that are all there."""
        hashes = [merkle.leaf_hash(entry) for entry in self.blocks.entries(start, stop)]
        for _ in range(level):
            hashes = _pairs(hashes)
        return hashes

    def completed(self, start: int, stop: int) -> list[tuple[int, int, bytes]]:
        """Return all nodes that the entries from start to stop complete, as level, index, hash."""
        frontier = merkle.Frontier.read(start, self.node)
        return [
            node
            for entry in self.blocks.entries(start, stop)
            for node in frontier.append(merkle.leaf_hash(entry))
        ]


def _pairs(hashes: list[bytes]) -> list[bytes]:
    """Return the nodes above those of one level."""
    pairs = zip(hashes[::2], hashes[1::2], strict=True)
    return [merkle.node_hash(left, right) for left, right in pairs]
