# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A ledger from wherever it is: a drone's folder, its ledger.db, or a folder of exported tiles.

Tiles are made into a ledger again in a temporary file, block by block, so that one audit judges
both. They have no commits: their checkpoint's quorum vouches for all that is in them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from swarm_ledger.audit.ledger import open_ledger
from swarm_ledger.consensus.messages import MAX_BATCH, MAX_BATCH_BYTES
from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.ledger.checkpoint import Checkpoint
from swarm_ledger.ledger.note import MAX_NOTE_SIZE, Note
from swarm_ledger.ledger.store import Store
from swarm_ledger.ledger.tile_files import read_bounded
from swarm_ledger.ledger.tiles import (
    CHECKPOINT,
    ENTRIES,
    MAX_BUNDLE_SIZE,
    TILE_WIDTH,
    split_bundle,
    tile_bytes,
    tiles_of,
)
from swarm_ledger.runtime.blocks import parse_header
from swarm_ledger.runtime.fleet import LEDGER
from swarm_ledger.voting.limits import MAX_OPEN_QUESTIONS

_MAX_HASHES_SIZE = 32 * TILE_WIDTH


@dataclass(frozen=True)
class Source:
    """An open ledger that stays as it was when it was opened. commits: whether it has them."""

    store: Store
    commits: bool


def is_tiles(path: Path) -> bool:
    """Whether a path is a folder of tiles rather than a drone's."""
    return path.is_dir() and not (path / LEDGER).exists() and (path / CHECKPOINT).exists()


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open a ledger read-only, as it is now, whoever writes it meanwhile.

    Raises Misuse where there is none, NotVerified where it can't be one, or tiles don't fit
    together.
    """
    if is_tiles(path):
        with (
            tempfile.TemporaryDirectory(prefix="swarm-ledger-") as home,
            Store.open(Path(home) / LEDGER) as store,
        ):
            read_tiles(path, store)
            yield Source(store, commits=False)
        return
    with open_ledger(path) as store, store.database.snapshot():
        store.refresh()
        yield Source(store, commits=True)


def read_tiles(folder: Path, store: Store) -> None:
    """Append all that a folder of tiles holds to an empty ledger; NotVerified if it can't be.

    The entries must lead to the checkpoint's root, and to each tile of hashes; who signed the
    checkpoint is the audit's to judge.
    """
    note = read_bounded(folder / CHECKPOINT, MAX_NOTE_SIZE, CHECKPOINT)
    checkpoint = Checkpoint.parse(Note.parse(note).text)
    with store.transaction():
        height = 0
        for height, entries in enumerate(_blocks(_entries(folder, checkpoint.size))):
            try:
                store.append_block(height, entries, b"")
            except Misuse as error:
                raise NotVerified(str(error), where=f"height {height}") from error
        if (checkpoint.size, checkpoint.root) != (store.size, store.root()):
            raise NotVerified("its entries don't lead to its root", where=CHECKPOINT)
        for tile in tiles_of(checkpoint.size):
            if tile.level != ENTRIES:
                found = read_bounded(folder / tile.name, _MAX_HASHES_SIZE, tile.name)
                if found != tile_bytes(store, tile):
                    raise NotVerified("its hashes don't follow from the entries", where=tile.name)
        if store.size:
            store.put_checkpoint(height, note)


def _entries(folder: Path, size: int) -> Iterator[bytes]:
    for tile in tiles_of(size):
        if tile.level != ENTRIES:
            return
        data = read_bounded(folder / tile.name, MAX_BUNDLE_SIZE, tile.name)
        yield from split_bundle(data, tile)


def _blocks(entries: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Yield the entries of each block, of no more than a block can have: others wrote this."""
    height, entry = 0, next(entries, None)
    while entry is not None:
        block, requests = [entry], 0
        where = f"height {height}"
        if height:
            try:
                requests = parse_header(entry).requests
            except PeerFault as error:
                raise NotVerified(f"its header is damaged ({error})", where=where) from error
        if requests > MAX_BATCH:
            raise NotVerified(f"its header states {requests} requests", where=where)
        left = MAX_BATCH_BYTES
        for _ in range(requests):
            entry = next(entries, None)
            left -= len(entry or b"")
            if entry is None or left < 0:
                raise NotVerified("its requests are too few, or too large", where=where)
            block.append(entry)
        entry = next(entries, None)
        while height and entry is not None and entry[:1] == bytes([Kind.DECISION]):
            block.append(entry)
            if len(block) > 1 + requests + MAX_OPEN_QUESTIONS:
                raise NotVerified("it has too many decisions", where=where)
            entry = next(entries, None)
        yield block
        height += 1
