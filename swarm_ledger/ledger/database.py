# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The SQLite file under the store: opening, locking, transactions, and faults made plain.

A ledger has one writer, held by a lock file beside it, and any number of readers. While it is
written it is in WAL mode with synchronous=FULL: a transaction that has returned survives a crash.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakSet

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.ledger.lock import release_lock, take_lock
from swarm_ledger.ledger.schema import (
    APPLICATION_ID,
    CURRENT,
    OBJECTS,
    SCHEMA_VERSION,
    own_objects,
)

BUSY_SECONDS = 2.0
CACHE_KIB = 2048
ROWS_AT_ONCE = 256
_LOOK_EVERY = 1_000
"""Instructions of SQLite's machine between two looks at the clock: some microseconds."""

_INCREMENTAL = 2
"""As PRAGMA auto_vacuum says it."""

T = TypeVar("T")
_REMEDIES = (
    # what SQLite says -> what we say, and what to do; its messages are stable, its codes came
    # to Python only with 3.11
    ("locked", "another process is using it", "Close that process, or open read-only."),
    ("readonly", "it can't be written", "Check the file's and its directory's permissions."),
    (
        "unable to open",
        "it can't be opened",
        "Check the path and its permissions. If its writer was killed, and the disk is read-only: "
        "copy it, with its -wal file, to where you may write.",
    ),
    ("interrupted", "it took longer than it may", "Ask for less, or ask another drone."),
    ("full", "the disk is full", "Make room; what was committed is safe."),
    ("disk I/O", "the disk failed", "Check the disk; what was committed is kept if it is whole."),
    ("thread", "it was used from a thread that hadn't opened it", "Open a Store in each thread."),
    ("closed database", "it is closed", "Open it again."),
    ("binding", "a value of a wrong type was given", "Pass bytes, text and integers."),
    ("supported type", "a value of a wrong type was given", "Pass bytes, text and integers."),
    ("NOT NULL", "a value is missing", "Pass bytes, text and integers."),
    ("CHECK", "a value of a wrong type or length was given", "Pass bytes."),
)

_DAMAGED = (
    "`swarm-ledger ledger reindex` mends what its blocks tell. If it can't, verify another "
    "drone's ledger instead. Before this drone flies again, enrol it anew, under another name and "
    "key: a restored copy has forgotten what it signed."
)


@contextmanager
def plain_faults(path: str) -> Iterator[None]:
    """Turn SQLite's errors into Misuse (can't use the file) or NotVerified (it is damaged)."""
    try:
        yield
    except OverflowError as error:
        raise Misuse(f"{path}: a number is outside of 64 bits.") from error
    except MemoryError as error:
        what = "a row of it would take more memory than there is"
        raise NotVerified(what, where=path, remedy=_DAMAGED) from error
    except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter from SQLite's own messages
        said = str(error)
        if "not a database" in said:
            raise Misuse(
                f"{path} is not a database.", remedy="Give the path of a ledger's file."
            ) from error
        if "readonly" in said and os.path.exists(f"{path}-journal"):
            raise Misuse(
                f"{path}: its writer was killed while it was closing it ({said}).",
                remedy="Start its drone, or copy all its files to where you may write and open "
                "it there for writing: nothing is lost.",
            ) from error
        for sign, what, remedy in _REMEDIES:
            if sign in said:
                raise Misuse(f"{path}: {what} ({said}).", remedy=remedy) from error
        raise NotVerified(
            f"the database is damaged ({said})",
            where=path,
            remedy=_DAMAGED,
        ) from error


def typed(value: object, kind: type[T], where: str) -> T:
    """Return a stored value if it has the type it must have; raises NotVerified naming where."""
    if type(value) is not kind:
        raise NotVerified(f"it holds {type(value).__name__}, not {kind.__name__}", where=where)
    return value


class Database:
    """One open ledger file. Every failure surfaces as Misuse or NotVerified.

    schema: the file's; of an older one nothing but its version is known here (migration.py).
    """

    def __init__(self, path: str | Path, *, read_only: bool = False) -> None:
        """Open or create a file; ":memory:" makes a database that vanishes when closed."""
        self.path = str(path)
        self.read_only = read_only
        self.schema = SCHEMA_VERSION
        self._lock: int | None = None
        self.commits = 0
        """Transactions that were made durable since it was opened."""
        self._depth = 0
        self._in_snapshot = False
        self._cursors: WeakSet[sqlite3.Cursor] = WeakSet()
        self._in_memory = self.path == ":memory:"
        if not self._in_memory:
            self._check_path(Path(path))
        if not read_only and not self._in_memory:
            self._lock = take_lock(self.path)
        try:
            with plain_faults(self.path):
                self._connection = self._connect()
                try:
                    self._prepare()
                except BaseException:
                    self._connection.close()
                    raise
        except BaseException:
            self._release()
            raise

    def _check_path(self, path: Path) -> None:
        if not path.parent.is_dir():
            raise Misuse(
                f"There is no directory {path.parent} for the ledger.",
                remedy="Create it, or correct the path.",
            )
        if path.is_dir():
            raise Misuse(f"{path} is a directory.", remedy="Give the path of a ledger's file.")
        if self.read_only and not path.exists():
            raise Misuse(f"There is no ledger at {path}.", remedy="Correct the path.")

    def _connect(self) -> sqlite3.Connection:
        if self._in_memory:
            return sqlite3.connect(":memory:", isolation_level=None)
        mode = "ro" if self.read_only else "rwc"
        uri = f"{Path(self.path).absolute().as_uri()}?mode={mode}"
        return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)

    def _prepare(self) -> None:
        self.run(f"PRAGMA cache_size = -{CACHE_KIB}")
        empty = self.value("SELECT count(*) FROM sqlite_master", int, self.path) == 0
        if empty and not self.read_only:
            self.run("PRAGMA auto_vacuum = INCREMENTAL")  # before anything is in the file
            self._pragmas()
            with self.transaction():
                for statement in CURRENT:
                    self.run(statement)
                self.run("INSERT INTO meta VALUES ('schema', ?)", (SCHEMA_VERSION,))
                self.run(f"PRAGMA application_id = {APPLICATION_ID}")
            return
        if empty:
            raise Misuse(
                f"There is no ledger in {self.path} yet.",
                remedy="Its writer makes it when it starts.",
            )
        if self.value("PRAGMA application_id", int, self.path) != APPLICATION_ID:
            raise Misuse(
                f"{self.path} is a database, but not a ledger.",
                remedy="Give the path of a ledger's file.",
            )
        self.schema = self._stored_schema()
        if not self.read_only:
            self._pragmas()

    def _stored_schema(self) -> int:
        """Return which schema the file has, and has in full."""
        stored = set(self.rows(OBJECTS))
        if not {row for row in own_objects(1) if row[2] == "meta"} <= stored:
            raise NotVerified("it does not say which schema it has", where=self.path)
        version = self.value("SELECT value FROM meta WHERE key = 'schema'", int, self.path)
        if version > SCHEMA_VERSION:
            raise Misuse(
                f"{self.path} has schema {version}; this program knows {SCHEMA_VERSION}.",
                remedy="Use the program that wrote it, or a newer one.",
            )
        if version < 1:
            raise NotVerified(f"there is no schema {version}", where=self.path)
        if stored != own_objects(version):
            raise NotVerified("it has other tables than a ledger's", where=self.path)
        return version

    def _pragmas(self) -> None:
        mode = self.value("PRAGMA journal_mode = WAL", str, self.path)
        if mode != "wal" and not self._in_memory:
            raise Misuse(
                f"{self.path} can't be written through a WAL here, only with {mode!r}.",
                remedy="Put the ledger on a local disk.",
            )
        self.run("PRAGMA synchronous = FULL")

    def run(self, statement: str, arguments: Sequence[object] | Mapping[str, object] = ()) -> None:
        """Execute one statement."""
        with plain_faults(self.path):
            self._expect_transaction()
            self._connection.execute(statement, arguments)

    def run_many(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        """Execute one statement for each row of arguments."""
        with plain_faults(self.path):
            self._expect_transaction()
            self._connection.executemany(statement, rows)

    def _expect_transaction(self) -> None:
        # a full disk makes SQLite roll back the whole transaction, not only the inner block
        if self._depth and not self._connection.in_transaction:
            raise Misuse(f"{self.path}: the transaction has failed and was undone.")

    def row(self, query: str, arguments: Sequence[object] = ()) -> tuple[Any, ...] | None:
        """Return a query's first row, or None."""
        with plain_faults(self.path):
            found: tuple[Any, ...] | None = self._connection.execute(query, arguments).fetchone()
        return found

    def rows(self, query: str, arguments: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """Yield a query's rows."""
        with plain_faults(self.path):
            cursor = self._connection.execute(query, arguments)
        self._cursors.add(cursor)
        while True:
            with plain_faults(self.path):
                batch = cursor.fetchmany(ROWS_AT_ONCE)
            if not batch:
                return
            yield from batch

    def _close_cursors(self) -> None:
        # an error's traceback may hold a half-read query, and that a lock on the file
        for cursor in list(self._cursors):
            with suppress(sqlite3.Error):
                cursor.close()
        self._cursors.clear()

    def value(self, query: str, kind: type[T], where: str, arguments: Sequence[object] = ()) -> T:
        """Return a query's single value; raises NotVerified when it is missing or mistyped."""
        found = self.row(query, arguments)
        if found is None:
            raise NotVerified("it is missing", where=where)
        return typed(found[0], kind, where)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything inside one commit, or nothing of it; may be nested.

        Only the outermost one costs an fsync. An exception undoes what its own block did.
        """
        if self.read_only or self._in_snapshot:
            raise Misuse(f"{self.path} is only being read.", remedy="Open it for writing.")
        depth = self._depth
        begin, commit, undo = (
            ("BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",))
            if depth == 0
            else (
                f"SAVEPOINT s{depth}",
                f"RELEASE s{depth}",
                (f"ROLLBACK TO s{depth}", f"RELEASE s{depth}"),
            )
        )
        self.run(begin)
        self._depth += 1
        try:
            yield
            self.run(commit)
            self.commits += depth == 0
        except BaseException:
            with suppress(Misuse, NotVerified):  # SQLite may have undone everything by itself
                for statement in undo:
                    self.run(statement)
            raise
        finally:
            self._depth = depth

    def joined(self) -> AbstractContextManager[None]:
        """Be part of the transaction that is open, or one by itself.

        For what makes no sense half done, and whose failure nobody inside that one gets over: a
        savepoint for it costs as much as a row.
        """
        return nullcontext() if self._depth else self.transaction()

    def make_shrinkable(self, wal_bytes: int) -> None:
        """Let the file give back what is deleted, and have its WAL folded at about that size.

        A file that an earlier program made is written anew once, which takes as long as copying it
        and as much room again.
        """
        if self.value("PRAGMA auto_vacuum", int, self.path) != _INCREMENTAL:
            self.run("PRAGMA auto_vacuum = INCREMENTAL")
            self.run("VACUUM")
        # else what is deleted is written once more, as zeros; a ledger is no secret
        list(self.rows("PRAGMA secure_delete = FAST"))
        page = self.value("PRAGMA page_size", int, self.path)
        self.value(f"PRAGMA wal_autocheckpoint = {max(1, wal_bytes // page)}", int, self.path)
        self.value(f"PRAGMA journal_size_limit = {wal_bytes}", int, self.path)

    def shrink(self, pages: int) -> None:
        """Give back up to so many free pages to the file system, after moving the last ones."""
        list(self.rows(f"PRAGMA incremental_vacuum({pages})"))

    def bytes(self) -> tuple[int, int, int]:
        """Return how large the file is, how much of that is free, and how large its WAL is."""
        page = self.value("PRAGMA page_size", int, self.path)
        pages = self.value("PRAGMA page_count", int, self.path)
        free = self.value("PRAGMA freelist_count", int, self.path)
        try:
            wal = os.stat(f"{self.path}-wal").st_size
        except OSError:
            wal = 0
        return pages * page, free * page, wal

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all queries inside see one state of the file, whatever a writer does meanwhile."""
        if self._depth or self._in_snapshot:
            yield
            return
        self.run("BEGIN")
        self._in_snapshot = True
        try:
            yield
        finally:
            self._in_snapshot = False
            self._close_cursors()
            with suppress(Misuse, NotVerified):
                self.run("ROLLBACK")

    @contextmanager
    def private_copy(self) -> Iterator[None]:
        """Go on with a copy of the file in a temporary one; inside, it may be written."""
        copy = sqlite3.connect("", isolation_level=None)
        try:
            with plain_faults(self.path):
                self._connection.backup(copy)
        except BaseException:
            copy.close()
            raise
        self._close_cursors()
        self._connection.close()
        self._connection, self.read_only = copy, False
        try:
            yield
        finally:
            self.read_only = True

    @contextmanager
    def bounded(self, seconds: float) -> Iterator[None]:
        """Interrupt queries inside once they took so long together: Misuse. 0: for no limit."""
        if not seconds:
            yield
            return
        end_s = time.monotonic() + seconds
        self._connection.set_progress_handler(lambda: time.monotonic() >= end_s, _LOOK_EVERY)
        try:
            yield
        finally:
            self._connection.set_progress_handler(None, 0)

    def close(self) -> None:
        """Fold the WAL into the file, so that one plain file remains, and close it."""
        self._close_cursors()
        if not self.read_only:
            # a reader that is still there keeps the WAL alive; the last one to close folds it
            with suppress(sqlite3.Error):
                self._connection.execute("PRAGMA busy_timeout = 0")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self._connection.execute("PRAGMA journal_mode = DELETE")
        with plain_faults(self.path):
            self._connection.close()
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            release_lock(self.path, self._lock)
            self._lock = None
