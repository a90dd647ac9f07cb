# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Audit a stored ledger: every stored byte of entries, tree and checkpoints is accounted for.

Nothing here trusts or calls what appended the data: the tree is computed again from the entries,
level by level, in constant memory. Certificates of blocks are opaque at this floor. What is left
below the first block of a pruned ledger must be proven to be in its cosigned tree (remains.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from swarm_ledger.errors import NotVerified
from swarm_ledger.ledger.database import Database, typed
from swarm_ledger.ledger.merkle import EMPTY_ROOT, leaf_hash, node_hash
from swarm_ledger.ledger.policy import Policy
from swarm_ledger.ledger.remains import check_remains
from swarm_ledger.ledger.store import Store


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
    with database.snapshot():
        base, first = store.read_base()
        height, size = _check_blocks(database, base, first)
        _check_entries(database, first, size)
        below = check_remains(database, first, size) if base else 0
        _check_nodes(database, first, size, below)
        checkpoints, covered = _check_checkpoints(database, base, policy)
        if base and covered <= first:
            raise NotVerified(
                "no cosigned checkpoint vouches for what was pruned", where=f"height {base}"
            )
        _check_file(database)
        return Summary(height, size, _root(database, size), checkpoints, covered, base)


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


def _heights(database: Database) -> Iterator[int]:
    """Yield for each entry, in order, the height of the block that it must be in."""
    for height, count in database.rows("SELECT height, count FROM blocks ORDER BY height"):
        for _ in range(count):
            yield height


def _hashes(database: Database, level: int, start: int) -> Iterator[tuple[int, bytes]]:
    query = "SELECT idx, hash FROM nodes WHERE level = ? AND idx >= ? ORDER BY idx"
    yield from database.rows(query, (level, start))


def _check_entries(database: Database, start: int, size: int) -> None:
    query = "SELECT idx, height, data FROM entries WHERE idx >= ? ORDER BY idx"
    rows = database.rows(query, (start,))
    leaves = _hashes(database, 0, start)
    last = "the end"
    for expected, height in enumerate(_heights(database), start):
        last = where = f"height {height}"
        index, stated, data = next(rows, (None, None, None))
        if index != expected:
            raise NotVerified(f"entry {expected} is missing", where=where)
        if stated != height:
            raise NotVerified(f"entry {expected} is stored under another height", where=where)
        if next(leaves, None) != (expected, leaf_hash(typed(data, bytes, where))):
            raise NotVerified(f"entry {expected} is not the one in the tree", where=where)
    if next(rows, None) is not None:
        raise NotVerified(f"there are more entries than the blocks' {size}", where=last)


def _check_nodes(database: Database, start: int, size: int, below: int) -> None:
    """Check all nodes that end behind entry `start`; below: how many others there must be."""
    total = below + size - start
    for level in range(1, size.bit_length()):
        lowest = start >> level
        children = _hashes(database, level - 1, 2 * lowest)
        parents = _hashes(database, level, lowest)
        total += (size >> level) - lowest
        for index in range(lowest, size >> level):
            (first, left), (second, right) = next(children), next(children)
            if (first, second) != (2 * index, 2 * index + 1):
                raise NotVerified(f"tree node ({level - 1}, {2 * index}) is missing")
            if next(parents, None) != (index, node_hash(left, right)):
                last = ((index + 1) << level) - 1
                raise NotVerified(
                    f"tree node ({level}, {index}) doesn't follow from the entries",
                    where=f"height {_height_of(database, last)}",
                )
    if database.value("SELECT count(*) FROM nodes", int, "nodes") != total:
        where = f"height {_height_of(database, size - 1)}" if size else "the start"
        raise NotVerified("the tree has nodes that no entry leads to", where=where)


def _height_of(database: Database, index: int) -> int:
    query = "SELECT height FROM entries WHERE idx = ?"
    return database.value(query, int, f"entry {index}", (index,))


def _root(database: Database, size: int) -> bytes:
    """Return the root over the first entries, from tree nodes that were checked before."""
    root = b""
    for level in range(size.bit_length()):
        if size >> level & 1:
            where = f"tree node ({level}, {(size >> level) - 1})"
            query = "SELECT hash FROM nodes WHERE level = ? AND idx = ?"
            peak = database.value(query, bytes, where, (level, (size >> level) - 1))
            root = node_hash(peak, root) if root else peak
    return root or EMPTY_ROOT


def _check_checkpoints(
    database: Database, base: int, policy: Callable[[int], Policy]
) -> tuple[int, int]:
    number = covered = 0
    for size, height, note in database.rows(
        "SELECT size, height, note FROM checkpoints ORDER BY size"
    ):
        where = f"height {height}"
        block = database.row("SELECT first + count FROM blocks WHERE height = ?", (height,))
        if (block is None or block[0] != size) and height >= base:
            raise NotVerified(f"its block doesn't end at checkpoint size {size}", where=where)
        wanted = policy(typed(height, int, where))
        try:
            checked = wanted.examine(typed(note, bytes, "checkpoint"), exact=True)
        except NotVerified as error:
            raise NotVerified(str(error), where=where) from error
        if checked.checkpoint.size != size:
            raise NotVerified("the checkpoint states another size than its key", where=where)
        if checked.checkpoint.root != _root(database, size):
            raise NotVerified("the checkpoint's root is not the tree's", where=where)
        number, covered = number + 1, size
    return number, covered


def _check_file(database: Database) -> None:
    for (verdict,) in database.rows("PRAGMA integrity_check"):
        if verdict != "ok":
            raise NotVerified(f"the database is damaged ({verdict})", where=database.path)
