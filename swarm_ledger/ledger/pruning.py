# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Forget old blocks, a few at a time, and keep all that a later proof needs.

Of the tree below the first block that stays, these perfect nodes stay: the peaks, from which the
tree grows on; what the paths of kept entries need; and what the trees of kept checkpoints need.
So each kept entry can be proven to be in each later tree, and each kept checkpoint to be the
beginning of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

import msgspec

from swarm_ledger.errors import Misuse
from swarm_ledger.ledger.database import Database, typed
from swarm_ledger.ledger.schema import COMMON, RARE

ENTRIES_AT_ONCE = 256
BYTES_AT_ONCE = 1 << 18
"""At most so much goes in one transaction, or one block: a drone can't wait long."""

_DELETE_NODES = """
    DELETE FROM nodes WHERE level = :level AND idx >= :start AND idx < :stop
    AND ((idx >> 1) + 1) << (:level + 1) <= :first
    AND NOT EXISTS (SELECT 1 FROM entries e WHERE :level = 0 AND e.idx = nodes.idx)
    AND NOT EXISTS (SELECT 1 FROM entries e
        WHERE e.idx >= (nodes.idx + 1 - 2 * (nodes.idx & 1)) << :level
        AND e.idx < (nodes.idx + 2 - 2 * (nodes.idx & 1)) << :level)
    AND NOT EXISTS (SELECT 1 FROM checkpoints c
        WHERE c.size > (nodes.idx + 1 - 2 * (nodes.idx & 1)) << :level
        AND c.size <= (nodes.idx + 2 - 2 * (nodes.idx & 1)) << :level)
    AND NOT EXISTS (SELECT 1 FROM checkpoints c WHERE c.size = (nodes.idx + 1) << :level)"""
"""Delete those that are neither peaks nor needed by what is kept at their sibling, or end there.

Where the parent is not complete below `first`, a node is a peak. `idx + 1 - 2 * (idx & 1)` is the
sibling's place.
"""


class Found(msgspec.Struct, frozen=True):
    """An entry that was looked for: its index, the height of its block, its bytes."""

    index: int
    height: int
    data: bytes


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
        SELECT height, first, count, length(certificate) + (SELECT coalesce(sum(length(data)), 0)
        FROM entries e WHERE e.idx >= b.first AND e.idx < b.first + b.count)
        FROM blocks b WHERE height >= ? AND height <= ? ORDER BY height"""
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


def forget(database: Database, start: int, base: int, first: int, keep: Keep) -> None:
    """Delete what is not kept of the blocks below `base`, within a transaction.

    start: the first entry that was there until now; first: the first one of block `base`.
    """
    kept = sorted(_kept(database, start, first, keep))
    for low, high in zip([start - 1, *kept], [*kept, first], strict=True):
        database.run("DELETE FROM entries WHERE idx > ? AND idx < ?", (low, high))
    gone = _not_kept_any_more(database, start, keep)
    database.run("DELETE FROM blocks WHERE height < ?", (base,))
    database.run("DELETE FROM snapshots WHERE height < ?", (base,))
    gone += [*_outnumbered(database, first, keep), *_old_checkpoints(database, base, keep)]
    for level in range(first.bit_length()):
        # from the last peak until now on: all nodes that were completed since, and that peak
        _delete_nodes(database, level, max(0, (start >> level) - 1), first >> level, first)
        for leaf in gone:
            pair = leaf >> level & ~1
            _delete_nodes(database, level, pair, pair + 2, first)
    database.run("UPDATE meta SET value = ? WHERE key = 'base'", (base,))


def _kept(database: Database, start: int, stop: int, keep: Keep) -> Iterable[int]:
    query = f"SELECT idx, height, data FROM entries WHERE idx >= ? AND idx < ? AND {RARE}"  # noqa: S608
    for index, height, data in database.rows(query, (start, stop)):
        if data[0] in keep.last or keep.entry(Found(index, height, data)):
            yield index


def _not_kept_any_more(database: Database, start: int, keep: Keep) -> list[int]:
    """Delete what was kept until now and is of no use any more; return where it was."""
    rows = database.rows("SELECT idx, height, data FROM entries WHERE idx < ?", (start,))
    found = [Found(*row) for row in rows]
    gone = [one.index for one in found if one.data[0] not in keep.last and not keep.entry(one)]
    database.run_many("DELETE FROM entries WHERE idx = ?", [(index,) for index in gone])
    return gone


def _outnumbered(database: Database, first: int, keep: Keep) -> list[int]:
    """Delete the oldest of what only the last ones are kept of; return where they were."""
    gone: list[int] = []
    for kind, count in keep.last.items():
        if kind in COMMON:
            raise Misuse(f"Entries of kind {kind} have no index.")
        query = f"""
            SELECT idx FROM entries WHERE substr(data, 1, 1) = ? AND {RARE} AND idx < ?
            ORDER BY idx DESC LIMIT -1 OFFSET ?"""  # noqa: S608
        gone += [index for (index,) in database.rows(query, (bytes([kind]), first, count))]
    database.run_many("DELETE FROM entries WHERE idx = ?", [(index,) for index in gone])
    return gone


def _old_checkpoints(database: Database, base: int, keep: Keep) -> list[int]:
    """Delete the checkpoints below a block that are not kept; return their trees' last leaves."""
    rows = list(database.rows("SELECT size, height FROM checkpoints WHERE height < ?", (base,)))
    sizes = [size for size, height in rows if height not in keep.checkpoints]
    database.run_many("DELETE FROM checkpoints WHERE size = ?", [(size,) for size in sizes])
    return [size - 1 for size in sizes]


def _delete_nodes(database: Database, level: int, start: int, stop: int, first: int) -> None:
    stop = min(stop, first >> level)
    if start < stop:
        place = {"level": level, "start": start, "stop": stop, "first": first}
        database.run(_DELETE_NODES, place)
