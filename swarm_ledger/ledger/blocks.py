# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Blocks as they lie in the file, packed, and the entries in them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

import msgspec

from swarm_ledger.encoding import MAX_ENTRY_BYTES
from swarm_ledger.errors import NotVerified
from swarm_ledger.ledger.database import Database, typed
from swarm_ledger.ledger.packing import pack, unpack

_AT_HAND = 8
_AT_HAND_BYTES = 1 << 20


class Block(msgspec.Struct, frozen=True):
    """A committed batch. height: from 0, no gaps; first: the index of its first entry.

    certificate: what proves the commit, opaque here.
    """

    height: int
    first: int
    entries: tuple[bytes, ...]
    certificate: bytes

    @property
    def stop(self) -> int:
        """The index behind its last entry: the size of the ledger that ends with it."""
        return self.first + len(self.entries)


def packed_block(entries: Sequence[bytes], certificate: bytes) -> bytes:
    """Return what is stored of a block."""
    return pack([*entries, certificate])


def unpacked_block(height: int, first: object, count: object, packed: object) -> Block:
    """Return a block from its row; raises NotVerified naming the height."""
    where = f"height {height}"
    start, number = typed(first, int, where), typed(count, int, where)
    if start < 0 or number < 0:
        raise NotVerified("it states entries that can't be", where=where)
    *entries, certificate = unpack(typed(packed, bytes, where), number + 1, where)
    check_sizes(entries, where)
    return Block(height, start, tuple(entries), certificate)


def check_sizes(entries: Iterable[bytes], where: str) -> None:
    """Raise NotVerified unless each is as long as an entry may be. where: in the ledger."""
    if any(not 1 <= len(entry) <= MAX_ENTRY_BYTES for entry in entries):
        raise NotVerified(f"an entry has 1 to {MAX_ENTRY_BYTES} bytes", where=where)


def beginning(database: Database) -> tuple[int, int]:
    """Return the height of the first block that is not pruned, and the index of its first entry.

    Both are 0 where nothing is.
    """
    query = "SELECT value FROM meta WHERE key = 'base'"
    base = database.value(query, int, "the height up to which it is pruned")
    if not base:
        return 0, 0
    query, where = "SELECT first FROM blocks WHERE height = ?", f"height {base}"
    first = database.value(query, int, where, (base,))
    if base < 0 or first <= 0:
        raise NotVerified("nothing is before the first block that was kept", where=where)
    return base, first


class Blocks:
    """Reads the blocks of one file, and has the last few at hand, as nothing changes in them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._at_hand: OrderedDict[int, Block] = OrderedDict()
        self._bytes = 0

    def forget(self) -> None:
        """Read all from the file again."""
        self._at_hand.clear()
        self._bytes = 0

    def block(self, height: int) -> Block:
        """Return a block; NotVerified if it is not there, or is damaged."""
        block = self._at_hand.get(height)
        if block is not None:
            self._at_hand.move_to_end(height)
            return block
        query = "SELECT first, count, packed FROM blocks WHERE height = ?"
        row = self._database.row(query, (height,))
        if row is None:
            raise NotVerified("the block is missing", where=f"height {height}")
        block = unpacked_block(height, *row)
        self.keep(block)
        return block

    def keep(self, block: Block) -> None:
        """Have a block at hand that was appended."""
        self._at_hand[block.height] = block
        self._bytes += _size(block)
        while len(self._at_hand) > _AT_HAND or self._bytes > _AT_HAND_BYTES:
            _, oldest = self._at_hand.popitem(last=False)
            self._bytes -= _size(oldest)

    def holding(self, index: int) -> Block:
        """Return the block that an entry is in; NotVerified if there is none."""
        for block in self._at_hand.values():
            if block.first <= index < block.stop:
                return block
        query = """SELECT height, first, count, packed FROM blocks WHERE first <= ?
            ORDER BY first DESC, height DESC LIMIT 1"""
        row = self._database.row(query, (index,))
        if row is not None:
            block = unpacked_block(*row)
            if index < block.stop:
                self.keep(block)
                return block
        raise NotVerified("it is missing", where=f"entry {index}")

    def entries(self, start: int, stop: int) -> list[bytes]:
        """Return the entries from index start up to, not including, stop."""
        found: list[bytes] = []
        while start < stop:
            block = self.holding(start)
            found += block.entries[start - block.first : stop - block.first]
            start = min(block.stop, stop)
        return found


def _size(block: Block) -> int:
    return sum(map(len, block.entries)) + len(block.certificate)
