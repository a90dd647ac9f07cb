# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The ledger on disk: blocks of entries, their Merkle tree, checkpoints.

Everything is written in transactions that are durable once they return. The tree's perfect nodes
are stored as they are completed, so opening, appending and proving take O(log n).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import msgspec

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.ledger import merkle
from swarm_ledger.ledger.certified import Certified, StoredCheckpoint
from swarm_ledger.ledger.checkpoint import Checkpoint
from swarm_ledger.ledger.database import Database, typed
from swarm_ledger.ledger.note import Note
from swarm_ledger.ledger.pruning import Found, Keep, forget, next_base
from swarm_ledger.ledger.schema import COMMON, RARE
from swarm_ledger.ledger.scratch import Scratch

MAX_ENTRY_SIZE = 65_535
_SCHEMA_WITH_BASE = 3
_ARCHIVE = "Ask an archive: a drone whose fleet file sets no ledger.max_bytes keeps everything."


class Block(msgspec.Struct, frozen=True):
    """A committed batch. height: from 0, no gaps; first: the index of its first entry.

    certificate: what proves the commit, opaque here.
    """

    height: int
    first: int
    entries: tuple[bytes, ...]
    certificate: bytes


class Store(Scratch, Certified):
    """An open ledger. One writer at a time; a reader sees it as it was at open or refresh().

    Use it as a context manager, or close() it. Raises Misuse for wrong calls and unusable files,
    NotVerified when stored data is damaged.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._height = -1
        self._base = self._first = 0
        self._tree = merkle.Frontier()
        self.refresh()

    @classmethod
    def open(cls, path: str | Path, *, read_only: bool = False) -> Store:
        """Open the ledger at path, or create it; ":memory:" for one that is never on disk."""
        database = Database(path, read_only=read_only)
        try:
            return cls(database)
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        """Close the ledger; a writer leaves a single plain file."""
        self.database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def refresh(self) -> None:
        """Take note of what a writer has appended since; O(log n)."""
        with self.database.snapshot():
            last = self.database.row(
                "SELECT height, first, count FROM blocks ORDER BY height DESC LIMIT 1"
            )
            height, size = -1, 0
            if last is not None:
                where = f"height {last[0]}"
                height, first, count = (typed(field, int, where) for field in last)
                size = first + count
            stored = self.database.row("SELECT max(idx) FROM entries")
            if size < 0 or (stored and stored[0] != (size - 1 if size else None)):
                raise NotVerified("its entries aren't the ledger's last", where=f"height {height}")
            self._base, self._first = self.read_base()
            self._tree = merkle.Frontier.read(size, self._node)
            self._height = height

    def read_base(self) -> tuple[int, int]:
        """Return `base` and `first` as they are in the file by now."""
        if self.database.schema < _SCHEMA_WITH_BASE:
            return 0, 0
        query = "SELECT value FROM meta WHERE key = 'base'"
        base = self.database.value(query, int, "the height up to which it is pruned")
        if not base:
            return 0, 0
        query, where = "SELECT first FROM blocks WHERE height = ?", f"height {base}"
        first = self.database.value(query, int, where, (base,))
        if base < 0 or first <= 0:
            raise NotVerified("nothing is before the first block that was kept", where=where)
        return base, first

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all writes inside one durable commit, one fsync, or none of them; may be nested."""
        height, tree, base = self._height, self._tree.copy(), (self._base, self._first)
        try:
            with self.database.transaction():
                yield
        except BaseException:
            self._height, self._tree = height, tree
            self._base, self._first = base
            raise

    # what is in it

    @property
    def height(self) -> int:
        """The last block's height, -1 when there is none."""
        return self._height

    @property
    def size(self) -> int:
        """The number of entries."""
        return self._tree.size

    @property
    def base(self) -> int:
        """The height of the first block that is not pruned: 0 where everything is kept."""
        return self._base

    @property
    def first(self) -> int:
        """The index of the first entry of block `base`; of those before it some are kept."""
        return self._first

    def root(self, size: int | None = None) -> bytes:
        """Return the Merkle root of all entries, or of the first size ones."""
        if size is None:
            return self._tree.root()
        return merkle.root_at(self._within(size), self._node)

    def entry(self, index: int) -> bytes:
        """Return one entry's bytes."""
        return self.entries(index, index + 1)[0]

    def entries(self, start: int, stop: int) -> list[bytes]:
        """Return the entries from index start up to, not including, stop."""
        if not 0 <= start <= stop <= self.size:
            raise Misuse(f"There are no entries {start} to {stop - 1} in a ledger of {self.size}.")
        query = "SELECT idx, data FROM entries WHERE idx >= ? AND idx < ? ORDER BY idx"
        found = {
            i: typed(data, bytes, f"entry {i}")
            for i, data in self.database.rows(query, (start, stop))
        }
        for index in range(start, stop):
            if index not in found:
                self._check_not_pruned(index, f"entry {index}")
                raise NotVerified("it is missing", where=f"entry {index}")
        return list(found.values())

    def _check_not_pruned(self, index: int, what: str) -> None:
        if index < self._first:
            raise Misuse(f"{what} was pruned; an archive has it.", remedy=_ARCHIVE)

    def nodes(self, level: int, start: int, stop: int) -> list[bytes]:
        """Return the hashes of the perfect nodes start to stop - 1 of a level of the tree."""
        query = "SELECT idx, hash FROM nodes WHERE level = ? AND idx >= ? AND idx < ? ORDER BY idx"
        where = f"tree level {level}"
        found = list(self.database.rows(query, (level, start, stop)))
        if [index for index, _ in found] != list(range(start, stop)):
            self._check_not_pruned(start << level, f"tree node ({level}, {start})")
            raise NotVerified(f"it doesn't have the nodes {start} to {stop - 1}", where=where)
        return [typed(node, bytes, where) for _, node in found]

    def height_of(self, index: int) -> int:
        """Return the height of the block that an entry is in."""
        if not 0 <= index < self.size:
            raise Misuse(f"There is no entry {index} in a ledger of {self.size}.")
        row = self.database.row("SELECT height FROM entries WHERE idx = ?", (index,))
        if row is None:
            self._check_not_pruned(index, f"entry {index}")
            raise NotVerified("it is missing", where=f"entry {index}")
        return typed(row[0], int, f"entry {index}")

    def block(self, height: int) -> Block:
        """Return a block with its entries and certificate."""
        if not 0 <= height <= self._height:
            raise Misuse(f"There is no block {height}; the last one is {self._height}.")
        if height < self._base:
            raise Misuse(f"block {height} was pruned; an archive has it.", remedy=_ARCHIVE)
        query = "SELECT first, count, certificate FROM blocks WHERE height = ?"
        row = self.database.row(query, (height,))
        where = f"height {height}"
        if row is None:
            raise NotVerified("the block is missing", where=where)
        first, count = typed(row[0], int, where), typed(row[1], int, where)
        if not 0 <= first <= first + count <= self.size:
            raise NotVerified("it states entries that aren't there", where=where)
        entries = tuple(self.entries(first, first + count))
        return Block(height, first, entries, typed(row[2], bytes, where))

    def find(
        self,
        kind: int,
        *,
        skip: int = 0,
        limit: int = -1,
        newest: bool = False,
        within: int | None = None,
        holding: bytes = b"",
    ) -> list[Found]:
        """Return the entries whose first byte is kind, in order, each checked against its leaf.

        skip: not the first ones; limit: not more than that; newest: of the last ones; within: of
        the first so many entries of the ledger; holding: only those with these bytes anywhere in
        them. They come from an index: the whole ledger need not be read. What a damaged index has
        lost is not found; `check_store` notices that. Raises Misuse for a kind that has no index,
        NotVerified for an entry that is not the one in the tree.
        """
        if kind in COMMON:
            raise Misuse(f"Entries of kind {kind} are found by their block.")
        # what is skipped is skipped in the index: no entry is read for it
        query = f"""
            SELECT e.idx, e.height, e.data, n.hash FROM (
                SELECT idx FROM entries WHERE substr(data, 1, 1) = ? AND {RARE} AND idx < ?
                {"AND instr(data, ?) > 0" if holding else ""}
                ORDER BY idx {"DESC" if newest else "ASC"} LIMIT ? OFFSET ?) wanted
            JOIN entries e ON e.idx = wanted.idx
            LEFT JOIN nodes n ON n.level = 0 AND n.idx = e.idx ORDER BY e.idx"""  # noqa: S608
        found = []
        end = self.size if within is None else self._within(within)
        held = (holding,) if holding else ()
        arguments = (bytes([kind]), end, *held, limit, skip)
        for index, height, data, leaf in self.database.rows(query, arguments):
            entry = typed(data, bytes, f"entry {index}")
            if entry[:1] != bytes([kind]) or merkle.leaf_hash(entry) != leaf:
                raise NotVerified("it is not the one in the tree", where=f"entry {index}")
            found.append(Found(index, typed(height, int, f"entry {index}"), entry))
        return found

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """Return the proof that entry index is in the tree of a size (default: all entries)."""
        wanted = self.size if size is None else self._within(size)
        return merkle.inclusion_proof(index, wanted, self._node)

    def consistency(self, first: int, second: int) -> list[bytes]:
        """Return the proof that the tree of size second extends the tree of size first."""
        return merkle.consistency_proof(first, self._within(second), self._node)

    def _within(self, size: int) -> int:
        if not 0 <= size <= self.size:
            raise Misuse(f"A ledger of {self.size} entries has no tree of size {size}.")
        return size

    def _node(self, level: int, index: int) -> bytes:
        query = "SELECT hash FROM nodes WHERE level = ? AND idx = ?"
        row = self.database.row(query, (level, index))
        where = f"tree node ({level}, {index})"
        if row is None:
            if (index + 1) << level <= self._first:
                self._check_not_pruned(index << level, where)
            raise NotVerified("it is missing", where=where)
        return typed(row[0], bytes, where)

    # what goes into it

    def append_block(self, height: int, entries: Sequence[bytes], certificate: bytes) -> range:
        """Append a committed batch in one transaction; return its entries' indices.

        Raises Misuse unless height follows the last one and each entry has 1 to 65,535 bytes.
        """
        if height != self._height + 1:
            raise Misuse(f"Block {height} can't follow block {self._height}.")
        for entry in entries:
            if not 1 <= len(entry) <= MAX_ENTRY_SIZE:
                raise Misuse(f"An entry has 1 to {MAX_ENTRY_SIZE} bytes, not {len(entry)}.")
        first = self.size
        with self.transaction():
            completed = []
            for entry in entries:
                completed += self._tree.append(merkle.leaf_hash(entry))
            self._height = height
            self.database.run(
                "INSERT INTO blocks VALUES (?, ?, ?, ?)",
                (height, first, len(entries), certificate),
            )
            rows = [(first + i, height, entry) for i, entry in enumerate(entries)]
            self.database.run_many("INSERT INTO entries VALUES (?, ?, ?)", rows)
            self.database.run_many("INSERT INTO nodes VALUES (?, ?, ?)", completed)
        return range(first, self.size)

    def put_checkpoint(self, height: int, note: bytes) -> StoredCheckpoint:
        """Keep the cosigned note of the tree as it was after block height.

        Raises NotVerified when its text isn't a checkpoint with that tree's size and root. Its
        signatures are the caller's to have checked. A later one of the same size replaces it.
        """
        checkpoint = Checkpoint.parse(Note.parse(note).text)
        block = self.block(height)
        size = block.first + len(block.entries)
        if (checkpoint.size, checkpoint.root) != (size, self.root(size)):
            raise NotVerified("the checkpoint is of another tree", where=f"height {height}")
        with self.transaction():
            row = (size, height, note)
            self.database.run("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?)", row)
        return StoredCheckpoint(*row)

    def begin_at(
        self,
        base: int,
        first: int,
        kept: Sequence[tuple[int, int, bytes]],
        nodes: Sequence[tuple[int, int, bytes]],
    ) -> None:
        """Begin anew with what is left of a pruned ledger, in place of all that is here.

        base: the height of the block that is appended next; first: the index of its first entry;
        kept: entries before it, as index, height and bytes; nodes: level, index and hash. What is
        not as it must be is for check_store() to find. Raises NotVerified where a peak is missing.
        """
        with self.transaction():
            for table in ("entries", "blocks", "nodes", "checkpoints", "snapshots"):
                self.database.run(f"DELETE FROM {table}")  # noqa: S608
            self.database.run_many("INSERT INTO entries VALUES (?, ?, ?)", kept)
            self.database.run_many("INSERT INTO nodes VALUES (?, ?, ?)", nodes)
            self.database.run("UPDATE meta SET value = ? WHERE key = 'base'", (base,))
            self._height, self._base, self._first = base - 1, base, 0
            self._tree = merkle.Frontier.read(first, self._node)
            self._first = first

    # what goes out of it

    def prune(self, below: int, keep: Keep) -> bool:
        """Forget some of the blocks below one, in one short transaction; False if none is left.

        What `keep` says stays, with all that proves it to be in the tree; see pruning.py. Raises
        Misuse unless a cosigned checkpoint covers block `below`, which stays itself.
        """
        latest = self.latest_checkpoint()
        if latest is None or not 0 <= below <= latest.height:
            raise Misuse(f"No cosigned checkpoint covers block {below}: nothing may go for it.")
        if below <= self._base:
            return False
        with self.transaction():
            base, first = next_base(self.database, self._base, below)
            if not 0 < first < self.size:
                raise Misuse(f"There is no entry left behind block {base}.")
            forget(self.database, self._first, base, first, keep)
            self._base, self._first = base, first
        return base < below
