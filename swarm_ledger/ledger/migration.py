# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Bring an older ledger to the newest schema: a writer's in its file, a reader's in a copy.

What only the old tables say, which entry is in which block, has to be right. The rest is not
judged but carried over: it is for check.py to see.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from typing import Any

from swarm_ledger.errors import NotVerified
from swarm_ledger.ledger import rare
from swarm_ledger.ledger.blocks import packed_block
from swarm_ledger.ledger.database import Database, typed
from swarm_ledger.ledger.merkle import Frontier
from swarm_ledger.ledger.packing import pack
from swarm_ledger.ledger.schema import LEDGER, SCHEMA_VERSION, older
from swarm_ledger.ledger.tree import STORED_FROM

OLD_TABLES = ("entries", "old_blocks", "nodes", "checkpoints")


def migrate(database: Database) -> None:
    """Make a file of the newest schema of an older one: in one transaction, or not at all.

    A reader goes on with a copy of its own, which is deleted when it is closed. Raises NotVerified
    where entries and blocks don't fit, or something is of a wrong type.
    """
    with ExitStack() as stack:
        if database.read_only:
            stack.enter_context(database.private_copy())
        # what breaks a constraint is damage, and seen by the check as in any other file
        database.run("PRAGMA ignore_check_constraints = ON")
        stack.callback(database.run, "PRAGMA ignore_check_constraints = OFF")
        with database.transaction():
            for statement in older(database.schema):
                database.run(statement)
            database.run("ALTER TABLE blocks RENAME TO old_blocks")
            for statement in LEDGER:
                database.run(statement)
            first = _first(database)
            _carry_over_kept(database, first)
            _carry_over_nodes(database, first)
            _pack_blocks(database, first)
            _pack_notes(database)
            for table in OLD_TABLES:
                database.run(f"DROP TABLE {table}")
            query = "UPDATE meta SET value = ? WHERE key = 'schema'"
            database.run(query, (SCHEMA_VERSION,))
    database.schema = SCHEMA_VERSION


def _first(database: Database) -> int:
    """Return the index of the first entry that is not pruned."""
    base = database.value("SELECT value FROM meta WHERE key = 'base'", int, "its first block")
    if not base:
        return 0
    query = "SELECT first FROM old_blocks WHERE height = ?"
    return database.value(query, int, f"height {base}", (base,))


def _carry_over_kept(database: Database, first: int) -> None:
    database.run("INSERT INTO kept SELECT * FROM entries WHERE idx < ?", (first,))
    for index, data in database.rows("SELECT idx, data FROM kept"):
        rare.add(database, {index: _entry(data, index)})


def _carry_over_nodes(database: Database, first: int) -> None:
    database.run(
        """INSERT INTO tree SELECT (idx + 1) << level << 6 | level, hash FROM nodes
        WHERE level >= ? OR (idx + 1) << level <= ? ORDER BY 1""",
        (STORED_FROM, first),
    )


def _pack_blocks(database: Database, first: int) -> None:
    levels = [at for at in reversed(range(first.bit_length())) if first >> at & 1]
    tree = Frontier(first, [_node(database, at, (first >> at) - 1) for at in levels])
    # by the old leaves: or an entry that was changed would be the one in the tree from now on
    query = """SELECT e.idx, e.height, e.data, n.hash FROM entries e
        LEFT JOIN nodes n ON n.level = 0 AND n.idx = e.idx WHERE e.idx >= ? ORDER BY e.idx"""
    rows = database.rows(query, (first,))
    query = "SELECT height, first, count, certificate FROM old_blocks ORDER BY height"
    for height, start, count, certificate in database.rows(query):
        where = f"height {height}"
        if typed(start, int, where) != tree.size or typed(count, int, where) < 0:
            raise NotVerified("its entries don't follow the ones before it", where=where)
        taken = list(_take(rows, start, count))
        entries = [_belonging(row, index, height) for index, row in taken]
        if len(entries) != count:
            raise NotVerified(f"entry {start + len(entries)} is missing", where=where)
        for index, row in taken:
            tree.append(typed(row[3], bytes, f"tree node (0, {index})"))
        packed = packed_block(entries, typed(certificate, bytes, where))
        row = (height, start, count, tree.root(), packed)
        database.run("INSERT INTO blocks VALUES (?, ?, ?, ?, ?)", row)
        rare.add(database, dict(enumerate(entries, start)))
    if next(rows, None) is not None:
        raise NotVerified(f"there are more entries than the blocks' {tree.size}", where="the end")


def _take(
    rows: Iterator[tuple[Any, ...]], start: int, count: int
) -> Iterator[tuple[int, tuple[Any, ...]]]:
    return enumerate(islice(rows, count), start)


def _belonging(row: tuple[Any, ...], index: int, height: int) -> bytes:
    if row[0] != index:
        raise NotVerified(f"entry {index} is missing", where=f"height {height}")
    if row[1] != height:
        raise NotVerified(
            f"entry {index} is stored under another height", where=f"height {height}"
        )
    return _entry(row[2], index)


def _entry(data: object, index: int) -> bytes:
    entry = typed(data, bytes, f"entry {index}")
    if not entry:
        raise NotVerified("it is empty", where=f"entry {index}")
    return entry


def _node(database: Database, level: int, index: int) -> bytes:
    query = "SELECT hash FROM nodes WHERE level = ? AND idx = ?"
    return database.value(query, bytes, f"tree node ({level}, {index})", (level, index))


def _pack_notes(database: Database) -> None:
    for size, height, note in database.rows("SELECT size, height, note FROM checkpoints"):
        row = (size, height, pack([typed(note, bytes, f"checkpoint of size {size}")]))
        database.run("INSERT INTO certified VALUES (?, ?, ?)", row)
