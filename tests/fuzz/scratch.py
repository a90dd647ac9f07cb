# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Inputs that are files: a folder for this process, and SQLite files that were tampered with."""

from __future__ import annotations

import atexit
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from tests.fuzz.forging import of_note, of_sealed
from tests.fuzz.mutation import NUMBERS, of_bytes, of_cbor
from tests.fuzz.packed import of_packed

MOST_OF_A_FILE = 1 << 20
_ENDLESS = "WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n) SELECT"
_FAULTS = (sqlite3.Error, OverflowError, UnicodeDecodeError)
_VIEWS = {
    "meta": "'schema', x",
    "entries": "x, 1, x'00'",
    "blocks": "x, 1, 1, zeroblob(32), x'00'",
    "kept": "x, 1, x'00'",
    "tree": "x, zeroblob(32)",
    "rare": "1, x",
    "keyed": "1, x",
    "certified": "x, 1, x'00'",
    "nodes": "0, x, zeroblob(32)",
    "checkpoints": "x, 1, x'00'",
    "journal": "x, 1, 1, '1', '1', x'00'",
    "pending": "x, x'00', x'00'",
}


@cache
def scratch() -> Path:
    """Return this process's own folder, which goes when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="swarm_ledger-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def put(name: str, data: bytes) -> Path:
    """Write a file there, and remove what SQLite may have left beside an earlier one."""
    path = scratch() / name
    path.parent.mkdir(exist_ok=True)
    for left in path.parent.glob(f"{path.name}-*"):
        left.unlink()
    path.write_bytes(data)
    return path


def of_sqlite(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change a ledger's file: its bytes, its rows, or what its tables are."""
    if rng.random() < 0.4:
        return _pages(rng, data, others)
    path = put("tampered.db", data)
    with suppress(*_FAULTS):
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = MEMORY")
            connection.execute("PRAGMA ignore_check_constraints = ON")
            for _ in range(rng.choice((1, 1, 2, 4))):
                with suppress(*_FAULTS):
                    rng.choice((_cell, _cell, _cell, _row, _schema))(rng, connection)
        finally:
            connection.close()
    return path.read_bytes()[:MOST_OF_A_FILE]


def _pages(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change the file's header, the pages' headers, or anything."""
    if rng.random() < 0.4 or len(data) < 1024:
        return of_bytes(rng, data, others)[:MOST_OF_A_FILE]
    changed = bytearray(data)
    size = int.from_bytes(data[16:18], "big") or 512
    for _ in range(rng.choice((1, 2, 8))):
        page = rng.randrange(max(1, len(data) // size)) * size
        at = page + rng.randrange(100 if page == 0 else 16)
        changed[at % len(changed)] = rng.choice((0, 1, 2, 5, 10, 13, 0x7F, 0x80, 0xFF))
        if rng.random() < 0.2:
            there = rng.randrange(max(1, len(data) // size)) * size
            changed[page : page + size] = changed[there : there + size]
    return bytes(changed)


def _tables(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return [name for (name,) in rows if not name.startswith("sqlite_")]


def _cell(rng: random.Random, connection: sqlite3.Connection) -> None:
    table = rng.choice(_tables(connection))
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    column = rng.choice(columns)
    rows = connection.execute(f"SELECT {columns[0]}, {column} FROM {table}").fetchall()
    key, value = rng.choice(rows) if rows else (0, 0)
    change: Callable[[], object]
    if column == "packed" and isinstance(value, bytes) and rng.random() < 0.8:
        change = lambda: of_packed(rng, value)  # noqa: E731
    elif isinstance(value, bytes) and rng.random() < 0.8:
        change = rng.choice(
            (
                lambda: of_sealed(
                    rng, value, [cell for _, cell in rows if isinstance(cell, bytes)]
                ),
                lambda: of_cbor(rng, value, ()),
                lambda: of_note(rng, value, ()),
            )
        )
    else:
        change = lambda: rng.choice((*NUMBERS, None, "x", b"", bytes(32), 1.5))  # noqa: E731
    connection.execute(
        f"UPDATE OR REPLACE {table} SET {column} = ? WHERE {columns[0]} = ?", (change(), key)
    )


def _row(rng: random.Random, connection: sqlite3.Connection) -> None:
    table = rng.choice(_tables(connection))
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    rows = connection.execute(f"SELECT * FROM {table}").fetchall()
    if not rows:
        return
    row = list(rng.choice(rows))
    if rng.random() < 0.5:
        connection.execute(f"DELETE FROM {table} WHERE {columns[0]} = ?", (row[0],))
        return
    row[0] = rng.choice((*NUMBERS, len(rows), len(rows) + 1))
    marks = ", ".join("?" for _ in row)
    connection.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", row)


def _schema(rng: random.Random, connection: sqlite3.Connection) -> None:
    table = rng.choice(_tables(connection))
    deed = rng.randrange(6)
    if deed == 0:
        connection.execute(f"DROP TABLE {table}")
    elif deed == 1:
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        connection.execute(f"DROP TABLE {table}")
        what = _VIEWS.get(table, "x")
        body = f"{_ENDLESS} {what} FROM n" if rng.random() < 0.5 else f"SELECT {what}, 1 AS x"
        connection.execute(f"CREATE VIEW {table} ({', '.join(columns)}) AS {body}")
    elif deed == 2:
        connection.execute(f"CREATE TABLE more (x CHECK (x IN (SELECT 1 FROM {table})))")
    elif deed == 3:
        connection.execute(
            f"CREATE TRIGGER late AFTER INSERT ON {table} BEGIN DELETE FROM {table}; END"
        )
    elif deed == 4:
        connection.execute(f"ALTER TABLE {table} ADD COLUMN more BLOB")
    else:
        connection.execute("PRAGMA user_version = 7")
        connection.execute(f"PRAGMA application_id = {rng.choice((0, 1, -1))}")
