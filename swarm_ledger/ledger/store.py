# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The ledger on disk: blocks of entries, their Merkle tree, checkpoints.

Everything is written in transactions that are durable once they return. The tree's perfect nodes
are stored as they are completed, from level 4 on, so opening, appending and proving take O(log n).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from swarm_ledger.encoding import MAX_ENTRY_BYTES
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.ledger import merkle, rare, tree
from swarm_ledger.ledger.blocks import Block, Blocks, beginning, packed_block
from swarm_ledger.ledger.certified import Certified, StoredCheckpoint
from swarm_ledger.ledger.checkpoint import Checkpoint
from swarm_ledger.ledger.database import Database, typed
from swarm_ledger.ledger.finding import Finding
from swarm_ledger.ledger.migration import migrate
from swarm_ledger.ledger.note import Note
from swarm_ledger.ledger.packing import pack
from swarm_ledger.ledger.pruning import Keep, forget, next_base
from swarm_ledger.ledger.schema import SCHEMA_VERSION
from swarm_ledger.ledger.scratch import Scratch

__all__ = ["Block", "Store"]

_OF_LEDGER = ("blocks", "kept", "tree", "rare", "keyed", "certified", "snapshots")
_ARCHIVE = "Ask an archive: a drone whose fleet file sets no ledger.max_bytes keeps everything."


class Store(Scratch, Certified, Finding):
    """An open ledger. One writer at a time; a reader sees it as it was at open or refresh().

    Use it as a context manager, or close() it. Raises Misuse for wrong calls and unusable files,
    NotVerified when stored data is damaged.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._height = -1
        self._base = 0
        self._blocks = Blocks(database)
        self._tree = tree.Tree(database, self._blocks)
        self.refresh()

    @classmethod
    def open(cls, path: str | Path, *, read_only: bool = False) -> Store:
        """Open the ledger at path, or create it; ":memory:" for one that is never on disk.

        An older program's is brought up to date, or read from a copy that is.
        """
        database = Database(path, read_only=read_only)
        try:
            if database.schema != SCHEMA_VERSION:
                migrate(database)
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
        self._tree.forget()
        with self.database.snapshot():
            query = "SELECT height, first, count, root FROM blocks ORDER BY height DESC LIMIT 1"
            last = self.database.row(query)
            height, size, root = -1, 0, merkle.EMPTY_ROOT
            if last is not None:
                where = f"height {last[0]}"
                height, first, count = (typed(field, int, where) for field in last[:3])
                size, root = first + count, typed(last[3], bytes, where)
            self._base, self._tree.first = self.read_base()
            if size < self._tree.first:
                raise NotVerified("it states entries that can't be", where=f"height {height}")
            self._tree.read(size)
            if self._tree.frontier.root() != root:
                where = f"height {self._first_wrong(size)}"
                raise NotVerified("its entries are not those in the tree", where=where)
            self._height = height

    def _first_wrong(self, size: int) -> int:
        """Return the height of the first block that its last 16 entries, or fewer, don't fit."""
        start = max(size >> tree.STORED_FROM << tree.STORED_FROM, self.first)
        again = merkle.Frontier.read(start, self._tree.node)
        while True:
            block = self._blocks.holding(again.size)
            for entry in block.entries[again.size - block.first :]:
                again.append(merkle.leaf_hash(entry))
            row = self.database.row("SELECT root FROM blocks WHERE height = ?", (block.height,))
            if block.stop >= size or row != (again.root(),):
                return block.height

    def reread(self) -> None:
        """Read blocks from the file, also those that are at hand."""
        self._tree.forget()

    def read_base(self) -> tuple[int, int]:
        """Return `base` and `first` as they are in the file by now."""
        return beginning(self.database)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all writes inside one durable commit, one fsync, or none of them; may be nested."""
        height, base = self._height, self._base
        first, frontier = self._tree.first, self._tree.frontier.copy()
        try:
            with self.database.transaction():
                yield
        except BaseException:
            self._height, self._base = height, base
            self._tree.first, self._tree.frontier = first, frontier
            self._tree.forget()
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
        return self._tree.first

    def root(self, size: int | None = None) -> bytes:
        """Return the Merkle root of all entries, or of the first size ones."""
        if size is None or size == self.size:
            return self._tree.frontier.root()
        return merkle.root_at(self._within(size), self._node)

    def entry(self, index: int) -> bytes:
        """Return one entry's bytes."""
        return self.entries(index, index + 1)[0]

    def entries(self, start: int, stop: int) -> list[bytes]:
        """Return the entries from index start up to, not including, stop."""
        if not 0 <= start <= stop <= self.size:
            raise Misuse(f"There are no entries {start} to {stop - 1} in a ledger of {self.size}.")
        kept = self._kept(start, min(stop, self.first))
        return [*kept, *self._blocks.entries(max(start, self.first), stop)]

    def _kept(self, start: int, stop: int) -> Iterator[bytes]:
        for index in range(start, stop):
            row = self.database.row("SELECT data FROM kept WHERE idx = ?", (index,))
            if row is None:
                raise _pruned(f"entry {index}")
            yield typed(row[0], bytes, f"entry {index}")

    def nodes(self, level: int, start: int, stop: int) -> list[bytes]:
        """Return the hashes of the perfect nodes start to stop - 1 of a level of the tree.

        Raises NotVerified where they are missing, or the entries below them are not the tree's.
        """
        try:
            return self._tree.nodes(level, start, stop)
        except NotVerified as error:
            raise self._why_missing(level, start) or error from error

    def _node(self, level: int, index: int) -> bytes:
        try:
            return self._tree.node(level, index)
        except NotVerified as error:
            raise self._why_missing(level, index) or error from error

    def _why_missing(self, level: int, index: int) -> Misuse | None:
        if (index + 1) << level <= self.first:
            return _pruned(f"tree node ({level}, {index})")
        return None

    def height_of(self, index: int) -> int:
        """Return the height of the block that an entry is in."""
        if not 0 <= index < self.size:
            raise Misuse(f"There is no entry {index} in a ledger of {self.size}.")
        if index >= self.first:
            return self._blocks.holding(index).height
        row = self.database.row("SELECT height FROM kept WHERE idx = ?", (index,))
        if row is None:
            raise _pruned(f"entry {index}")
        return typed(row[0], int, f"entry {index}")

    def block(self, height: int) -> Block:
        """Return a block with its entries and certificate."""
        if not 0 <= height <= self._height:
            raise Misuse(f"There is no block {height}; the last one is {self._height}.")
        if height < self._base:
            raise _pruned(f"block {height}")
        block = self._blocks.block(height)
        if block.stop > self.size:
            raise NotVerified("it states entries that aren't there", where=f"height {height}")
        return block

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

    # what goes into it

    def append_block(self, height: int, entries: Sequence[bytes], certificate: bytes) -> range:
        """Append a committed batch in one transaction; return its entries' indices.

        Raises Misuse unless height follows the last one and each entry has 1 to 65,535 bytes.
        """
        if height != self._height + 1:
            raise Misuse(f"Block {height} can't follow block {self._height}.")
        if not all(isinstance(part, bytes) for part in (*entries, certificate)):
            raise Misuse("Entries and certificates are bytes.")
        for entry in entries:
            if not 1 <= len(entry) <= MAX_ENTRY_BYTES:
                raise Misuse(f"An entry has 1 to {MAX_ENTRY_BYTES} bytes, not {len(entry)}.")
        first = self.size
        with self.transaction():
            completed = []
            for entry in entries:
                completed += self._tree.frontier.append(merkle.leaf_hash(entry))
            self._height = height
            root, packed = self._tree.frontier.root(), packed_block(entries, certificate)
            row = (height, first, len(entries), root, packed)
            self.database.run("INSERT INTO blocks VALUES (?, ?, ?, ?, ?)", row)
            self.database.run_many("INSERT INTO tree VALUES (?, ?)", tree.stored(completed))
            rare.add(self.database, dict(enumerate(entries, first)))
            self._blocks.keep(Block(height, first, tuple(entries), certificate))
        return range(first, self.size)

    def put_checkpoint(self, height: int, note: bytes) -> StoredCheckpoint:
        """Keep the cosigned note of the tree as it was after block height.

        Raises NotVerified when its text isn't a checkpoint with that tree's size and root. Its
        signatures are the caller's to have checked. A later one of the same size replaces it.
        """
        checkpoint = Checkpoint.parse(Note.parse(note).text)
        block = self.block(height)
        size = block.stop
        if (checkpoint.size, checkpoint.root) != (size, self.root(size)):
            raise NotVerified("the checkpoint is of another tree", where=f"height {height}")
        with self.transaction():
            row = (size, height, pack([note]))
            self.database.run("INSERT OR REPLACE INTO certified VALUES (?, ?, ?)", row)
        return StoredCheckpoint(size, height, note)

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
            for table in _OF_LEDGER:
                self.database.run(f"DELETE FROM {table}")  # noqa: S608
            self._tree.forget()
            self.database.run_many("INSERT INTO kept VALUES (?, ?, ?)", kept)
            self.database.run_many("INSERT INTO tree VALUES (?, ?)", tree.rows_of(nodes))
            rare.add(self.database, {index: data for index, _, data in kept})
            self.database.run("UPDATE meta SET value = ? WHERE key = 'base'", (base,))
            self._height, self._base, self._tree.first = base - 1, base, first
            self._tree.read(first)

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
            forget(self.database, self._tree, base, first, keep)
            self._base, self._tree.first = base, first
        return base < below


def _pruned(what: str) -> Misuse:
    return Misuse(f"{what} was pruned; an archive has it.", remedy=_ARCHIVE)
