# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Find entries by what they are, without reading the others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.ledger import rare
from swarm_ledger.ledger.blocks import Blocks
from swarm_ledger.ledger.database import Database, typed
from swarm_ledger.ledger.merkle import leaf_hash
from swarm_ledger.ledger.tree import STORED_FROM, Tree


class Found(msgspec.Struct, frozen=True):
    """An entry that was looked for: its index, the height of its block, its bytes."""

    index: int
    height: int
    data: bytes


class Finding(ABC):
    """The part of a store that looks for entries."""

    database: Database
    _blocks: Blocks
    _tree: Tree

    @property
    @abstractmethod
    def size(self) -> int:
        """The number of entries."""

    def find(
        self,
        kind: int,
        *,
        skip: int = 0,
        limit: int = -1,
        newest: bool = False,
        within: int | None = None,
        holding: bytes | None = None,
    ) -> list[Found]:
        """Return the entries whose first byte is kind, in order, each checked against its leaf.

        skip: not the first ones; limit: not more than that; newest: of the last ones; within: of
        the first so many entries of the ledger; holding: only those with this digest in them.
        They come from an index: the whole ledger need not be read. What a damaged index has lost
        is not found; `check_store` notices that. Raises Misuse for a kind that has no index,
        NotVerified for an entry that is not the one in the tree.
        """
        end = self.size if within is None else within
        if not 0 <= end <= self.size:
            raise Misuse(f"A ledger of {self.size} entries has no first {end}.")
        if holding is None:
            places = rare.places(self.database, kind, end, newest=newest, limit=limit, skip=skip)
            return list(self._at(places, kind, b""))
        held = self._at(rare.places_holding(self.database, holding, end), kind, holding)
        return list(islice(held, skip, skip + limit if limit >= 0 else None))

    def _at(self, places: Iterable[int], kind: int, holding: bytes) -> Iterator[Found]:
        """Yield the entries at some places, those that hold some bytes, each checked."""
        checked = -1
        for index in places:
            found = self._entry_at(index)
            if holding not in found.data:
                continue  # another digest with the same key
            if found.data[:1] != bytes([kind]):
                raise NotVerified(f"it is not of kind {kind}", where=f"entry {index}")
            if index < self._tree.first:
                if leaf_hash(found.data) != self._tree.node(0, index):
                    raise NotVerified("it is not the one in the tree", where=f"entry {index}")
            elif index >> STORED_FROM != checked:
                self._tree.check([index])
                checked = index >> STORED_FROM
            yield found

    def _entry_at(self, index: int) -> Found:
        first, where = self._tree.first, f"entry {index}"
        if index >= first:
            block = self._blocks.holding(index)
            return Found(index, block.height, block.entries[index - block.first])
        row = self.database.row("SELECT height, data FROM kept WHERE idx = ?", (index,))
        if row is None:
            raise NotVerified("it is missing", where=where)
        return Found(index, typed(row[0], int, where), typed(row[1], bytes, where))
