# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A ledger's file again, from what in it follows from nothing else.

That is the blocks' entries and certificates, in order; the checkpoints; the journal and requests
that wait; and of a pruned ledger what was kept, with the nodes that prove it. The rest is made
anew: where blocks begin, their roots, the tree above them and the index of rare entries. None of
that is read, so that it may be damaged in any way.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.ledger.blocks import beginning, check_sizes, unpacked_block
from swarm_ledger.ledger.database import Database, plain_faults, typed
from swarm_ledger.ledger.lock import release_lock, take_lock
from swarm_ledger.ledger.merkle import HASH_SIZE
from swarm_ledger.ledger.migration import migrate
from swarm_ledger.ledger.schema import SCHEMA_VERSION
from swarm_ledger.ledger.scratch import Scratch
from swarm_ledger.ledger.store import Store
from swarm_ledger.ledger.tree import last_place, node_at

BLOCKS_AT_ONCE = 256
_BESIDE = ("-wal", "-shm", "-journal", ".lock")
"""What SQLite and our lock put beside a file."""


@contextmanager
def rebuilt(path: Path) -> Iterator[Store]:
    """Give the ledger at a path anew, to be checked; then it takes the old one's place, at once.

    If anything fails, within or here, the old file stays and nothing else does. Raises NotVerified
    where what is to be carried over is damaged, Misuse where files can't be read or written, or
    the old one's writer is still there.
    """
    path = path.resolve()
    fresh = path.with_name(f"{path.name}.new")
    lock = take_lock(str(path))
    try:
        _remove(fresh)  # of one that was killed
        with Store.open(fresh) as store:
            with closing(_opened(path)) as old:
                _carry_over(old, store)
            yield store
        _replace(path, fresh)
    finally:
        _remove(fresh)
        release_lock(str(path), lock)


def _opened(path: Path) -> Database:
    database = Database(path, read_only=True)
    try:
        if database.schema != SCHEMA_VERSION:
            migrate(database)
    except BaseException:
        database.close()
        raise
    return database


class _Beside(Scratch):
    """The journal and the pending requests in a file."""

    def __init__(self, database: Database) -> None:
        self.database = database


def _carry_over(old: Database, store: Store) -> None:
    with old.snapshot():
        base, first = beginning(old)
        with store.transaction():
            if base:
                kept, nodes = list(_kept(old)), list(_nodes(old, first))
                store.begin_at(base, first, kept, nodes)
            elif old.row("SELECT 1 FROM kept") is not None:
                raise NotVerified("entries are kept beside the blocks", where="height 0")
            _carry_over_scratch(old, store)
            _carry_over_snapshots(old, store, pruned=base > 0)
        _carry_over_blocks(old, store)
        _carry_over_checkpoints(old, store)


def _kept(old: Database) -> Iterator[tuple[int, int, bytes]]:
    for index, height, data in old.rows("SELECT idx, height, data FROM kept ORDER BY idx"):
        where = f"entry {index}"
        check_sizes((typed(data, bytes, where),), where)
        yield index, typed(height, int, where), data


def _nodes(old: Database, first: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield the nodes over what is pruned, which follow from nothing any more."""
    query = "SELECT place, hash FROM tree WHERE place <= ? ORDER BY place"
    for place, node in old.rows(query, (last_place(first),)):
        level, index = node_at(place)
        where = f"tree node ({level}, {index})"
        if len(typed(node, bytes, where)) != HASH_SIZE:
            raise NotVerified(f"a hash has {HASH_SIZE} bytes", where=where)
        yield level, index, node


def _carry_over_scratch(old: Database, store: Store) -> None:
    """Carry over what the drone must not forget that it said, or took on."""
    beside = _Beside(old)
    store.journal_append(beside.journal_read())
    store.pending_put_all(beside.pending_read())


def _carry_over_snapshots(old: Database, store: Store, *, pruned: bool) -> None:
    """Carry over snapshots; a ledger that is whole can do without, so there any damage is none."""
    try:
        for height, data in old.rows("SELECT height, data FROM snapshots ORDER BY height"):
            store.snapshot_put(
                height, typed(data, bytes, f"snapshot {height}"), store.snapshot_heights()
            )
    except NotVerified:
        if pruned:
            raise


def _carry_over_blocks(old: Database, store: Store) -> None:
    rows = old.rows("SELECT height, count, packed FROM blocks ORDER BY height")
    while some := list(islice(rows, BLOCKS_AT_ONCE)):
        with store.transaction():
            for row in some:
                _append(store, *row)


def _append(store: Store, height: Any, count: Any, packed: Any) -> None:
    if height != store.height + 1:
        raise NotVerified("the block is missing", where=f"height {store.height + 1}")
    block = unpacked_block(height, store.size, count, packed)
    store.append_block(height, block.entries, block.certificate)


def _carry_over_checkpoints(old: Database, store: Store) -> None:
    rows = old.rows("SELECT size, height, packed FROM certified ORDER BY size")
    with store.transaction():
        for size, height, packed in rows:
            where = f"checkpoint of size {size}"
            row = (size, typed(height, int, where), typed(packed, bytes, where))
            store.database.run("INSERT INTO certified VALUES (?, ?, ?)", row)


def _replace(path: Path, fresh: Path) -> None:
    """Put the new file in the old one's place; both are closed."""
    try:
        if _beside(fresh, "-wal").exists():
            raise Misuse(f"{fresh} could not be written whole.", remedy="Make room on its disk.")
        about = path.stat()
        os.chmod(fresh, stat.S_IMODE(about.st_mode))
        with suppress(PermissionError):
            os.chown(fresh, about.st_uid, about.st_gid)
        _sync(fresh)
        if _beside(path, "-wal").exists():
            _fold(path)
        os.replace(fresh, path)
        _sync(path.parent)
    except OSError as error:
        raise Misuse(
            f"cannot write {path}: {error.strerror or error}.",
            remedy="Check permissions and free space.",
        ) from error


def _fold(path: Path) -> None:
    """Have what is in the old file's log written to it: else it would be taken for the new one's.

    Misuse while somebody reads it.
    """
    with plain_faults(str(path)), closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.execute("PRAGMA journal_mode = DELETE")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def _remove(fresh: Path) -> None:
    for end in ("", *_BESIDE):
        with suppress(FileNotFoundError):
            _beside(fresh, end).unlink()
