# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The tables of a ledger's file, and those of older ones, version by version.

Until 3, a version is what the one before became by its step. In 4 entries are packed by block,
and the tree's lowest nodes are left out: migration.py makes it of 3.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache
from typing import Any

SCHEMA_VERSION = 4
APPLICATION_ID = 0x53574C47
"""Marks an SQLite file as a ledger of ours: "SWLG" in its header."""

_META = "CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID"
_SCRATCH = (
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
_SNAPSHOTS = """CREATE TABLE snapshots (
    height INTEGER PRIMARY KEY,
    data BLOB NOT NULL CHECK (typeof(data) = 'blob')
)"""
_BASE = "INSERT INTO meta VALUES ('base', 0)"
"""base: the height of the first block that is not pruned."""

LEDGER = (
    # packed: the entries, then the certificate; root: of the tree behind its last entry
    """CREATE TABLE blocks (
    height INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    root BLOB NOT NULL CHECK (typeof(root) = 'blob' AND length(root) = 32),
    packed BLOB NOT NULL CHECK (typeof(packed) = 'blob')
)""",
    "CREATE INDEX blocks_by_first ON blocks (first)",
    # entries of blocks that are pruned
    """CREATE TABLE kept (
    idx INTEGER PRIMARY KEY,
    height INTEGER NOT NULL,
    data BLOB NOT NULL CHECK (typeof(data) = 'blob' AND length(data) BETWEEN 1 AND 65535)
)""",
    # place: see tree.py; in the order in which nodes are completed, so that pages are full
    """CREATE TABLE tree (
    place INTEGER PRIMARY KEY,
    hash BLOB NOT NULL CHECK (typeof(hash) = 'blob' AND length(hash) = 32)
)""",
    # key: see rare.py
    """CREATE TABLE rare (
    kind INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    PRIMARY KEY (kind, idx)
) WITHOUT ROWID""",
    """CREATE TABLE keyed (
    key INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    PRIMARY KEY (key, idx)
) WITHOUT ROWID""",
    """CREATE TABLE certified (
    size INTEGER PRIMARY KEY,
    height INTEGER NOT NULL,
    packed BLOB NOT NULL CHECK (typeof(packed) = 'blob')
)""",
)
"""What is agreed on, in the newest schema."""

CURRENT = (_META, *LEDGER, *_SCRATCH, _SNAPSHOTS, _BASE)
"""What makes an empty file one of the newest schema, but for its version."""

_FIRST = (
    _META,
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
    *_SCRATCH,
)
_STEPS: dict[int, tuple[str, ...]] = {
    1: (
        "CREATE INDEX entries_by_kind ON entries (substr(data, 1, 1))"
        " WHERE substr(data, 1, 1) NOT IN (x'03', x'21')",
        _SNAPSHOTS,
    ),
    2: (_BASE,),
}
LAST_OF_ROWS = 3
"""The newest version that has a row for each entry."""


def older(old: int, new: int = LAST_OF_ROWS) -> tuple[str, ...]:
    """Return what makes schema `new` of schema `old`, neither above 3; 0 is an empty file."""
    steps = [_FIRST, *(_STEPS[version] for version in sorted(_STEPS))]
    return tuple(statement for step in steps[old:new] for statement in step)


OBJECTS = "SELECT type, name, tbl_name, sql FROM sqlite_master"


@cache
def own_objects(version: int) -> frozenset[tuple[Any, ...]]:
    """Return what a schema consists of.

    In a stranger's file a table may be a view without end, or have a trigger that changes others.
    """
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in older(0, version) if version <= LAST_OF_ROWS else CURRENT:
            connection.execute(statement)
        return frozenset(connection.execute(OBJECTS))
