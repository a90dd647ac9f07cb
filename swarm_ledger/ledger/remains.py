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
from swarm_ledger.ledger.blocks import Blocks, check_sizes
from swarm_ledger.ledger.database import Database, typed
from swarm_ledger.ledger.tree import Tree, last_place, node_at, place_of


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


def check_remains(database: Database, first: int, size: int) -> Iterator[dict[int, bytes]]:
    """Check what is left below entry `first` of a ledger of `size` entries; yield its entries.

    Raises NotVerified for an entry or a checkpoint that is not proven to be in the tree of the
    largest checkpoint, and for nodes that nothing needs. That the tree is the cosigned one is for
    the caller to check.
    """
    leaves = {index for (index,) in database.rows("SELECT idx FROM kept")}
    if leaves and not 0 <= min(leaves) <= max(leaves) < first:
        raise NotVerified("an entry is kept that is not before them", where="the pruned part")
    sizes = {
        typed(one, int, "checkpoints")
        for (one,) in database.rows("SELECT size FROM certified WHERE size <= ?", (first,))
    }
    largest = database.value("SELECT max(size) FROM certified", int, "checkpoints")
    if not first < largest <= size:
        raise NotVerified("no cosigned checkpoint covers what was pruned", where=f"entry {first}")
    needed = {place_of(*node) for node in kept_nodes(first, leaves, sizes)}
    query = "SELECT place FROM tree WHERE place <= ?"
    found = {
        typed(place, int, "the tree") for (place,) in database.rows(query, (last_place(first),))
    }
    if found != needed:
        place = min(found ^ needed)
        what = "is missing" if place in needed else "is needed by nothing that was kept"
        name = "tree node ({}, {})".format(*node_at(place))
        raise NotVerified(f"{name} {what}", where="the pruned part")
    tree = Tree(database, Blocks(database))
    tree.first = first
    root = merkle.root_at(largest, tree.node)
    yield from _check_kept(database, largest, tree.node, root)
    for one in sorted(sizes):
        path = merkle.consistency_proof(one, largest, tree.node)
        merkle.verify_consistency(one, largest, path, merkle.root_at(one, tree.node), root)


def _check_kept(
    database: Database, largest: int, node: merkle.NodeReader, root: bytes
) -> Iterator[dict[int, bytes]]:
    """Check that each kept entry is in the tree, and says a height that fits its neighbours'."""
    before = 0
    query = "SELECT idx, height, data FROM kept ORDER BY idx"
    for index, height, data in database.rows(query):
        where = f"height {height}"
        leaf = merkle.leaf_hash(typed(data, bytes, where))
        check_sizes((data,), where)
        if node(0, index) != leaf:
            raise NotVerified(f"entry {index} is not the one in the tree", where=where)
        path = merkle.inclusion_proof(index, largest, node)
        merkle.verify_inclusion(leaf, index, largest, path, root)
        if typed(height, int, f"entry {index}") < before:
            raise NotVerified("it is stored under another height", where=f"entry {index}")
        before = height
        yield {index: data}
