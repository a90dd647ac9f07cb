# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What is left below the first block of a pruned ledger: entries, nodes and checkpoints, proven.

It shares no code with what deleted the rest: which nodes must be there is computed from the kept
entries and checkpoints, and each kept entry and checkpoint is proven against the newest checkpoint
whose tree the rest of the check recomputes.
"""

from __future__ import annotations

from collections.abc import Iterator

from swarm_ledger.errors import NotVerified
from swarm_ledger.ledger import merkle
from swarm_ledger.ledger.database import Database, typed


def kept_nodes(first: int, leaves: set[int], sizes: set[int]) -> set[tuple[int, int]]:
    """Return the perfect nodes of a tree's first leaves that must be kept, as (level, index).

    leaves: kept entries below `first`; sizes: trees of kept checkpoints, at most `first` each.
    """
    needed = {(0, leaf) for leaf in leaves}
    for level in range(first.bit_length()):
        if first >> level & 1:
            needed.add((level, (first >> level) - 1))
    for leaf in leaves | {size - 1 for size in sizes}:
        for level in range(first.bit_length()):
            sibling = leaf >> level ^ 1
            if ((leaf >> level + 1) + 1) << (level + 1) <= first:
                needed.add((level, sibling))
            if leaf + 1 in sizes and ((leaf >> level) + 1) << level == leaf + 1:
                needed.add((level, leaf >> level))
    return needed


def check_remains(database: Database, first: int, size: int) -> int:
    """Check what is left below entry `first` of a ledger of `size` entries; count its nodes.

    Raises NotVerified for an entry or a checkpoint that is not proven to be in the tree of the
    largest checkpoint, and for nodes that nothing needs. That the tree is the cosigned one is for
    the caller to check.
    """
    leaves = {
        index for (index,) in database.rows("SELECT idx FROM entries WHERE idx < ?", (first,))
    }
    if min(leaves, default=0) < 0:
        raise NotVerified("there is an entry before the first", where="the pruned part")
    sizes = {
        typed(one, int, "checkpoints")
        for (one,) in database.rows("SELECT size FROM checkpoints WHERE size <= ?", (first,))
    }
    largest = database.value("SELECT max(size) FROM checkpoints", int, "checkpoints")
    if not first < largest <= size:
        raise NotVerified("no cosigned checkpoint covers what was pruned", where=f"entry {first}")
    needed = kept_nodes(first, leaves, sizes)
    query = "SELECT level, idx FROM nodes WHERE (idx + 1) << level <= ?"
    found = {
        (typed(level, int, "the tree"), typed(index, int, "the tree"))
        for level, index in database.rows(query, (first,))
    }
    if found != needed:
        level, index = min(found ^ needed)
        what = "is missing" if (level, index) in needed else "is needed by nothing that was kept"
        raise NotVerified(f"tree node ({level}, {index}) {what}", where="the pruned part")

    def node(level: int, index: int) -> bytes:
        where = f"tree node ({level}, {index})"
        query = "SELECT hash FROM nodes WHERE level = ? AND idx = ?"
        return database.value(query, bytes, where, (level, index))

    _check_kept(database, first, largest, node)
    root = merkle.root_at(largest, node)
    for one in sorted(sizes):
        path = merkle.consistency_proof(one, largest, node)
        merkle.verify_consistency(one, largest, path, merkle.root_at(one, node), root)
    return len(needed)


def _check_kept(database: Database, first: int, largest: int, node: merkle.NodeReader) -> None:
    """Check that each kept entry is in the tree, and says a height that fits its neighbours'."""
    root, before = merkle.root_at(largest, node), 0
    for index, height, leaf in _kept(database, first, node):
        path = merkle.inclusion_proof(index, largest, node)
        merkle.verify_inclusion(leaf, index, largest, path, root)
        if typed(height, int, f"entry {index}") < before:
            raise NotVerified("it is stored under another height", where=f"entry {index}")
        before = height


def _kept(
    database: Database, first: int, node: merkle.NodeReader
) -> Iterator[tuple[int, int, bytes]]:
    query = "SELECT idx, height, data FROM entries WHERE idx < ? ORDER BY idx"
    for index, height, data in database.rows(query, (first,)):
        leaf = merkle.leaf_hash(typed(data, bytes, f"entry {index}"))
        if node(0, index) != leaf:
            raise NotVerified(
                f"entry {index} is not the one in the tree", where=f"height {height}"
            )
        yield index, height, leaf
