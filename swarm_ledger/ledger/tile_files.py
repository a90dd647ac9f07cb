# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A folder of tiles that any web server can hand out, written from a ledger and continued later.

Each file is whole or not there at all. The checkpoint comes last, so that all that it needs is
there before anybody reads it; what it no longer needs goes after that.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.ledger.checkpoint import Checkpoint
from swarm_ledger.ledger.note import MAX_NOTE_SIZE, Note
from swarm_ledger.ledger.store import Store
from swarm_ledger.ledger.tiles import CHECKPOINT, Tile, tile_bytes, tiles_of


class Written(msgspec.Struct, frozen=True):
    """What an export wrote. size: entries that the folder holds now; before: until now."""

    size: int
    before: int
    tiles: int
    bytes: int


def certified(store: Store) -> tuple[Checkpoint, bytes]:
    """Return a ledger's latest checkpoint and its note; its signatures are others' to check.

    Raises Misuse where there is none, NotVerified where it is of another tree.
    """
    kept = store.latest_checkpoint()
    if kept is None:
        raise Misuse(
            "the ledger has no cosigned checkpoint yet.",
            remedy="Wait for the first one; a quiet swarm makes it within a second.",
        )
    checkpoint = Checkpoint.parse(Note.parse(kept.note).text)
    if checkpoint.size > store.size or checkpoint.root != store.root(checkpoint.size):
        raise NotVerified("the checkpoint is of another tree", where=f"height {kept.height}")
    return checkpoint, kept.note


def check_whole(store: Store, what: str) -> None:
    """Raise Misuse where a ledger was pruned, for what needs all of it."""
    if store.base:
        raise Misuse(
            f"{what} need all entries, and this ledger was pruned below height {store.base}.",
            remedy="Take an archive's ledger: one of a drone without ledger.max_bytes.",
        )


def write_tiles(store: Store, folder: Path) -> Written:
    """Write the tiles that the latest checkpoint covers and a folder doesn't have yet.

    Raises Misuse where there is no checkpoint yet, the folder can't be written, or holds another
    log or more of this one; NotVerified where the ledger is damaged.
    """
    with store.database.snapshot():
        store.refresh()
        check_whole(store, "tiles")
        checkpoint, note = certified(store)
        with _holding(folder):
            before = _continued(store, folder, checkpoint)
            tiles = written = 0
            finished: list[Tile] = []
            for tile in tiles_of(checkpoint.size, before):
                data = tile_bytes(store, tile)
                _write(folder / tile.name, data)
                tiles, written = tiles + 1, written + len(data)
                if not tile.partial:
                    finished.append(tile)
            _write(folder / CHECKPOINT, note)
            for tile in finished:
                with suppress(FileNotFoundError):
                    shutil.rmtree(folder / f"{tile.name}.p")
    return Written(checkpoint.size, before, tiles, written)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file so that it is there with all its bytes, also after a power loss, or not.

    Raises Misuse where that can't be done.
    """
    fresh = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with fresh.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except OSError as error:
        raise Misuse(
            f"cannot write {path}: {error.strerror or error}.",
            remedy="Check permissions and free space.",
        ) from error
    finally:
        with suppress(OSError):
            fresh.unlink()


def _write(path: Path, data: bytes) -> None:
    with whole_file(path) as file:
        file.write(data)


def read_bounded(path: Path, limit: int, where: str) -> bytes:
    """Return the bytes of a plain file that others may have written; NotVerified for any other."""
    try:
        # no symbolic link, which may lead anywhere, and no wait for a pipe's other end
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode) or about.st_size > limit:
                raise NotVerified(f"it isn't a file of at most {limit} bytes", where=where)
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read(about.st_size)  # read(limit) would take as much memory
        finally:
            os.close(descriptor)
    except OSError as error:
        raise NotVerified(f"it can't be read ({error.strerror})", where=where) from error


@contextmanager
def _holding(folder: Path) -> Iterator[None]:
    """Be the only one that writes a folder; the kernel lets go when the process ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise Misuse(f"cannot write to {folder}: {error.strerror}.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise Misuse(f"another export is writing {folder}.", remedy="Wait for it.") from error
    finally:
        os.close(descriptor)


def _continued(store: Store, folder: Path, checkpoint: Checkpoint) -> int:
    """Return how many entries a folder holds already; Misuse unless this ledger goes on from it.

    Its tiles are as they were written: what is checked is that it is the same log.
    """
    if not os.path.lexists(folder / CHECKPOINT):
        return 0
    note = read_bounded(folder / CHECKPOINT, MAX_NOTE_SIZE, CHECKPOINT)
    held = Checkpoint.parse(Note.parse(note).text)
    if held.size > checkpoint.size:
        raise Misuse(
            f"{folder} has {held.size} entries, more than the {checkpoint.size} that the ledger's "
            "latest checkpoint covers.",
            remedy="Export a ledger that is further ahead, or into another folder.",
        )
    if held.origin != checkpoint.origin or held.root != store.root(held.size):
        raise Misuse(
            f"{folder} holds another log.", remedy="Export this ledger into a folder of its own."
        )
    return held.size
