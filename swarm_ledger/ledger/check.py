# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Audit a stored ledger: every stored byte of entries, tree and checkpoints is accounted for.

Nothing here trusts or calls what appended the data: the tree is computed again from the entries,
block by block, in constant memory. Certificates of blocks are opaque at this floor. What is left
below the first block of a pruned ledger must be proven to be in its cosigned tree (remains.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from swarm_ledger.errors import NotVerified
from swarm_ledger.ledger.blocks import unpacked_block
from swarm_ledger.ledger.certified import stored_checkpoint
from swarm_ledger.ledger.database import Database, typed
from swarm_ledger.ledger.merkle import EMPTY_ROOT, leaf_hash, node_hash
from swarm_ledger.ledger.policy import Policy
from swarm_ledger.ledger.rare import rows_of
from swarm_ledger.ledger.remains import check_remains
from swarm_ledger.ledger.store import Store
from swarm_ledger.ledger.tree import STORED_FROM, last_place, node_at, place_of

_REBUILT = "`swarm-ledger ledger reindex` makes it anew from the blocks, if they verify."
_LEAST = -(2**63)
"""Of all the keys that a row can have."""


class Summary(msgspec.Struct, frozen=True):
    """A ledger that holds: its last block's height, entries, root, and its checkpoints.

    covered: entries under the largest checkpoint, 0 when there is none. base: the height of the
    first block; what was below it is pruned.
    """

    height: int
    size: int
    root: bytes
    checkpoints: int
    covered: int
    base: int = 0


def check_store(store: Store, policy: Callable[[int], Policy]) -> Summary:
    """Check a whole ledger as it is now; raises NotVerified naming the height and what failed.

    Heights and entries must have no gaps, every tree node must follow from the entries, and every
    checkpoint must have its tree's root and be accepted by the policy, without a needless line.
    policy: what a checkpoint at a height must satisfy; asked once the entries are known to be
    whole, as it follows from them. A pruned ledger must have a checkpoint that covers its first
    block, whose tree holds all that is left from before.
    """
    database = store.database
    store.reread()
    with database.snapshot():
        base, first = store.read_base()
        height, size = _check_blocks(database, base, first)
        rising, index = _Rising(), _Index(database)
        if base:
            for kept in check_remains(database, first, size):
                index.check(kept)
            rising = _Rising.read(database, first)
        elif _count(database, "kept"):
            raise NotVerified("entries are kept beside the blocks", where="height 0")
        _check_entries(database, rising, index)
        checkpoints, covered = _check_checkpoints(database, base, first, policy)
        index.finish()
        if base and covered <= first:
            raise NotVerified(
                "no cosigned checkpoint vouches for what was pruned", where=f"height {base}"
            )
        _check_file(database)
        return Summary(height, size, rising.root(), checkpoints, covered, base)


def _check_blocks(database: Database, base: int, first_entry: int) -> tuple[int, int]:
    height, size = base - 1, first_entry
    for stated, first, count in database.rows(
        "SELECT height, first, count FROM blocks ORDER BY height"
    ):
        height += 1
        where = f"height {height}"
        if stated != height:
            raise NotVerified("the block is missing", where=where)
        if typed(first, int, where) != size or typed(count, int, where) < 0:
            raise NotVerified("its entries don't follow the ones before it", where=where)
        size += count
    return height, size


class _Rising:
    """A tree that is built again, from its peaks: (level, hash), the largest first."""

    def __init__(self, size: int = 0, peaks: Sequence[tuple[int, bytes]] = ()) -> None:
        self.size, self._peaks = size, list(peaks)

    @classmethod
    def read(cls, database: Database, size: int) -> _Rising:
        """Begin with the first `size` entries, whose peaks are all stored."""
        levels = [at for at in reversed(range(size.bit_length())) if size >> at & 1]
        return cls(size, [(at, _stored(database, at, (size >> at) - 1)) for at in levels])

    def add(self, entry: bytes) -> list[tuple[int, bytes]]:
        """Add an entry; return the nodes that are stored for it, as place and hash."""
        level, node, made = 0, leaf_hash(entry), []
        while self._peaks and self._peaks[-1][0] == level:
            node = node_hash(self._peaks.pop()[1], node)
            level += 1
            if level >= STORED_FROM:
                made.append((place_of(level, self.size >> level), node))
        self._peaks.append((level, node))
        self.size += 1
        return made

    def root(self) -> bytes:
        root = b""
        for _, peak in reversed(self._peaks):
            root = node_hash(peak, root) if root else peak
        return root or EMPTY_ROOT


class _Index:
    """Compares the index of rare entries with the entries: it must have all, and no more."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rare = self._keyed = 0

    def check(self, entries: Mapping[int, bytes]) -> None:
        rare, keyed = rows_of(entries)
        for table, column, rows in (("rare", "kind", rare), ("keyed", "key", keyed)):
            query = f"SELECT 1 FROM {table} WHERE {column} = ? AND idx = ?"  # noqa: S608
            for row in rows:
                if self._database.row(query, row) is None:
                    where = f"entry {row[1]}"
                    raise NotVerified("the index does not have it", where=where, remedy=_REBUILT)
        self._rare += len(rare)
        self._keyed += len(keyed)

    def finish(self) -> None:
        if (_count(self._database, "rare"), _count(self._database, "keyed")) != (
            self._rare,
            self._keyed,
        ):
            what = "the index has entries that are not there"
            raise NotVerified(what, where="the index", remedy=_REBUILT)


def _check_entries(database: Database, rising: _Rising, index: _Index) -> None:
    """Check that each block holds its entries, and these lead to its root and the stored nodes."""
    start = last_place(rising.size) + 1 if rising.size else _LEAST
    nodes = database.rows("SELECT place, hash FROM tree WHERE place >= ? ORDER BY place", (start,))
    query = "SELECT height, first, count, root, packed FROM blocks ORDER BY height"
    where = "the start"
    for height, first, count, root, packed in database.rows(query):
        where = f"height {height}"
        entries = unpacked_block(height, first, count, packed).entries
        made = [node for entry in entries for node in rising.add(entry)]
        if rising.root() != typed(root, bytes, where):
            raise NotVerified("its entries are not those in the tree", where=where)
        for place, node in made:
            if next(nodes, None) != (place, node):
                name = "tree node ({}, {})".format(*node_at(place))
                what = f"{name} doesn't follow from the entries"
                raise NotVerified(what, where=where, remedy=_REBUILT)
        index.check(dict(enumerate(entries, first)))
    if next(nodes, None) is not None:
        what = "the tree has nodes that no entry leads to"
        raise NotVerified(what, where=where, remedy=_REBUILT)


def _count(database: Database, table: str) -> int:
    return database.value(f"SELECT count(*) FROM {table}", int, table)  # noqa: S608


def _stored(database: Database, level: int, index: int) -> bytes:
    where = f"tree node ({level}, {index})"
    query = "SELECT hash FROM tree WHERE place = ?"
    return database.value(query, bytes, where, (place_of(level, index),))


def _root(database: Database, base: int, size: int, height: int) -> bytes:
    """Return the root behind a block, or at a checkpoint that was kept, checked before."""
    if height < base:
        return _Rising.read(database, size).root()
    query = "SELECT root FROM blocks WHERE height = ?"
    return database.value(query, bytes, f"height {height}", (height,))


def _check_checkpoints(
    database: Database, base: int, first: int, policy: Callable[[int], Policy]
) -> tuple[int, int]:
    number = covered = 0
    query = "SELECT size, height, packed FROM certified ORDER BY size"
    for size, height, packed in database.rows(query):
        where = f"height {height}"
        block = database.row("SELECT first + count FROM blocks WHERE height = ?", (height,))
        if size > first if typed(height, int, where) < base else block is None or block[0] != size:
            raise NotVerified(f"its block doesn't end at checkpoint size {size}", where=where)
        wanted = policy(height)
        note = stored_checkpoint(size, height, typed(packed, bytes, where)).note
        try:
            checked = wanted.examine(note, exact=True)
        except NotVerified as error:
            raise NotVerified(str(error), where=where) from error
        if checked.checkpoint.size != size:
            raise NotVerified("the checkpoint states another size than its key", where=where)
        if checked.checkpoint.root != _root(database, base, size, height):
            raise NotVerified("the checkpoint's root is not the tree's", where=where)
        number, covered = number + 1, size
    return number, covered


def _check_file(database: Database) -> None:
    for (verdict,) in database.rows("PRAGMA integrity_check"):
        if verdict != "ok":
            raise NotVerified(f"the database is damaged ({verdict})", where=database.path)
