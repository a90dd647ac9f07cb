# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Forget old blocks, a few at a time, and keep all that a later proof needs.

Of the tree below the first block that stays, these perfect nodes stay: the peaks, from which the
tree grows on; what the paths of kept entries need; and what the trees of kept checkpoints need.
So each kept entry can be proven to be in each later tree, and each kept checkpoint to be the
beginning of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from swarm_ledger.errors import Misuse
from swarm_ledger.ledger import rare
from swarm_ledger.ledger.blocks import Blocks
from swarm_ledger.ledger.database import Database, typed
from swarm_ledger.ledger.finding import Found
from swarm_ledger.ledger.rare import COMMON
from swarm_ledger.ledger.tree import STORED_FROM, Tree, last_place, place_of, rows_of

ENTRIES_AT_ONCE = 256
BYTES_AT_ONCE = 1 << 18
"""At most so much goes in one transaction, or one block: a drone can't wait long."""

_LEVEL, _INDEX = "(place & 63)", "((place >> 6 >> (place & 63)) - 1)"
_SIBLING = f"({_INDEX} + 1 - 2 * ({_INDEX} & 1))"
_DELETE_NODES = f"""
    DELETE FROM tree WHERE place >= :start AND place <= :stop AND place <= :last
    AND (({_INDEX} >> 1) + 1) << ({_LEVEL} + 1) <= :first
    AND NOT EXISTS (SELECT 1 FROM kept e WHERE {_LEVEL} = 0 AND e.idx = {_INDEX})
    AND NOT EXISTS (SELECT 1 FROM kept e
        WHERE e.idx >= {_SIBLING} << {_LEVEL} AND e.idx < ({_SIBLING} + 1) << {_LEVEL})
    AND NOT EXISTS (SELECT 1 FROM certified c
        WHERE c.size > {_SIBLING} << {_LEVEL} AND c.size <= ({_SIBLING} + 1) << {_LEVEL})
    AND NOT EXISTS (SELECT 1 FROM certified c WHERE c.size = place >> 6)"""  # noqa: S608
"""Delete those that are neither peaks nor needed by what is kept at their sibling, or end there.

Where the parent is not complete below `first`, a node is a peak. Level and index are those of
tree.node_at(place).
"""


class Keep(msgspec.Struct, frozen=True):
    """What stays of the blocks that go.

    entry: tells it of each entry that the index of kinds has; last: of a kind, by its first byte,
    how many; checkpoints: at which heights.
    """

    entry: Callable[[Found], bool]
    last: Mapping[int, int] = {}
    checkpoints: Collection[int] = ()


def next_base(database: Database, base: int, below: int) -> tuple[int, int]:
    """Return up to which block one step goes, and the index of that block's first entry."""
    query = """
        SELECT height, first, count, length(packed) FROM blocks
        WHERE height >= ? AND height <= ? ORDER BY height"""
    entries = size = 0
    found: tuple[int, int] | None = None
    for height, first, count, length in database.rows(query, (base, below)):
        if height > base:
            found = typed(height, int, "blocks"), typed(first, int, "blocks")
        entries, size = entries + count, size + length
        if found and (entries > ENTRIES_AT_ONCE or size > BYTES_AT_ONCE):
            break
    if found is None:
        raise Misuse(f"There is no block {base + 1}.")
    return found


def forget(database: Database, tree: Tree, base: int, first: int, keep: Keep) -> None:
    """Delete what is not kept of the blocks below `base`, within a transaction.

    first: the first entry of block `base`; that of the tree is the first there was until now.
    """
    start = tree.first
    nodes = [node for node in tree.completed(start, first) if node[0] < STORED_FROM]
    database.run_many("INSERT INTO tree VALUES (?, ?)", rows_of(nodes))
    _keep_some(database, tree.blocks, start, first, keep)
    gone = _not_kept_any_more(database, start, keep)
    database.run("DELETE FROM blocks WHERE height < ?", (base,))
    database.run("DELETE FROM snapshots WHERE height < ?", (base,))
    gone += [*_outnumbered(database, first, keep), *_old_checkpoints(database, base, keep)]
    _delete_nodes(database, last_place(start) + 1, last_place(first), first)
    for level in range(first.bit_length()):
        beside = {(start >> level) - 1}  # it may have been a peak until now
        for leaf in gone:
            beside |= {leaf >> level, leaf >> level ^ 1}
        for index in beside - {-1}:
            place = place_of(level, index)
            _delete_nodes(database, place, place, first)
    database.run("UPDATE meta SET value = ? WHERE key = 'base'", (base,))


def _keep_some(database: Database, blocks: Blocks, start: int, stop: int, keep: Keep) -> None:
    """Put what is kept of the blocks that go in its place, and the rest out of the index."""
    gone: dict[int, bytes] = {}
    while start < stop:
        block = blocks.holding(start)
        for index, data in enumerate(block.entries, block.first):
            if data[0] in COMMON:
                continue
            if data[0] in keep.last or keep.entry(Found(index, block.height, data)):
                database.run("INSERT INTO kept VALUES (?, ?, ?)", (index, block.height, data))
            else:
                gone[index] = data
        start = block.stop
    rare.drop(database, gone)


def _not_kept_any_more(database: Database, start: int, keep: Keep) -> list[int]:
    """Delete what was kept until now and is of no use any more; return where it was."""
    rows = database.rows("SELECT idx, height, data FROM kept WHERE idx < ?", (start,))
    found = [Found(*row) for row in rows]
    return _drop(
        database, [one for one in found if one.data[0] not in keep.last and not keep.entry(one)]
    )


def _outnumbered(database: Database, first: int, keep: Keep) -> list[int]:
    """Delete the oldest of what only the last ones are kept of; return where they were."""
    found: list[Found] = []
    for kind, count in keep.last.items():
        if kind in COMMON:
            raise Misuse(f"Entries of kind {kind} have no index.")
        query = """
            SELECT k.idx, k.height, k.data FROM
            (SELECT idx FROM rare WHERE kind = ? AND idx < ? ORDER BY idx DESC LIMIT -1 OFFSET ?) r
            JOIN kept k ON k.idx = r.idx"""
        found += [Found(*row) for row in database.rows(query, (kind, first, count))]
    return _drop(database, found)


def _drop(database: Database, kept: Sequence[Found]) -> list[int]:
    gone = {one.index: one.data for one in kept}
    rare.drop(database, gone)
    database.run_many("DELETE FROM kept WHERE idx = ?", [(index,) for index in gone])
    return list(gone)


def _old_checkpoints(database: Database, base: int, keep: Keep) -> list[int]:
    """Delete the checkpoints below a block that are not kept; return their trees' last leaves."""
    rows = list(database.rows("SELECT size, height FROM certified WHERE height < ?", (base,)))
    sizes = [size for size, height in rows if height not in keep.checkpoints]
    database.run_many("DELETE FROM certified WHERE size = ?", [(size,) for size in sizes])
    return [size - 1 for size in sizes]


def _delete_nodes(database: Database, start: int, stop: int, first: int) -> None:
    """Delete what nothing needs of the nodes in a range of places."""
    which = {"start": start, "stop": stop, "last": last_place(first), "first": first}
    database.run(_DELETE_NODES, which)
