# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The tables of a ledger's file, version by version.

A version is what the one before became by its step; a new file goes through all of them. Steps
only add what follows from the rest: docs/formats.md says how to take each back.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache
from typing import Any

SCHEMA_VERSION = 3
APPLICATION_ID = 0x53574C47
"""Marks an SQLite file as a ledger of ours: "SWLG" in its header."""

_FIRST = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    """CREATE TABLE entries (
    idx INTEGER PRIMARY KEY,
    height INTEGER NOT NULL,
    data BLOB NOT NULL CHECK (typeof(data) = 'blob' AND length(data) BETWEEN 1 AND 65535)
)""",
    """CREATE TABLE blocks (
    height INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    certificate BLOB NOT NULL CHECK (typeof(certificate) = 'blob')
)""",
    """CREATE TABLE nodes (
    level INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    hash BLOB NOT NULL CHECK (typeof(hash) = 'blob' AND length(hash) = 32),
    PRIMARY KEY (level, idx)
) WITHOUT ROWID""",
    """CREATE TABLE checkpoints (
    size INTEGER PRIMARY KEY,
    height INTEGER NOT NULL,
    note BLOB NOT NULL CHECK (typeof(note) = 'blob')
)""",
    """CREATE TABLE journal (
    ordinal INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    view INTEGER NOT NULL,
    kind TEXT NOT NULL,
    author TEXT NOT NULL,
    data BLOB NOT NULL CHECK (typeof(data) = 'blob'),
    UNIQUE (seq, view, kind, author)
)""",
    """CREATE TABLE pending (
    ordinal INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE CHECK (typeof(digest) = 'blob'),
    data BLOB NOT NULL CHECK (typeof(data) = 'blob')
)""",
)

COMMON = (0x03, 0x21)
"""Entries that no index has, by their first byte: votes and headers, of which there are many."""

RARE = "substr(data, 1, 1) NOT IN (x'03', x'21')"
"""The same in SQL. A query has to say it too, or SQLite doesn't use the index."""

_STEPS: dict[int, tuple[str, ...]] = {
    1: (
        f"CREATE INDEX entries_by_kind ON entries (substr(data, 1, 1)) WHERE {RARE}",
        """CREATE TABLE snapshots (
    height INTEGER PRIMARY KEY,
    data BLOB NOT NULL CHECK (typeof(data) = 'blob')
)""",
    ),
    2: ("INSERT INTO meta VALUES ('base', 0)",),
}
"""From a version to the next. base: the height of the first block that is not pruned."""


def statements(old: int, new: int = SCHEMA_VERSION) -> tuple[str, ...]:
    """Return what makes schema `new` of schema `old`, 0 being an empty file."""
    steps = [_FIRST, *(_STEPS[version] for version in sorted(_STEPS))]
    return tuple(statement for step in steps[old:new] for statement in step)


OBJECTS = "SELECT type, name, tbl_name, sql FROM sqlite_master"


@cache
def own_objects(version: int) -> frozenset[tuple[Any, ...]]:
    """Return what a schema consists of.

    In a stranger's file a table may be a view without end, or have a trigger that changes others.
    """
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in statements(0, version):
            connection.execute(statement)
        return frozenset(connection.execute(OBJECTS))
