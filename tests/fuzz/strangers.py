# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Targets that read what strangers export: names of tiles, folders of them, ledgers to compare."""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import cbor2

from swarm_ledger.audit.compare import compare_ledgers
from swarm_ledger.audit.ledger import open_ledger, verify_ledger
from swarm_ledger.audit.records import records_of, write_jsonl
from swarm_ledger.audit.sources import open_source
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.ledger.checkpoint import Checkpoint
from swarm_ledger.ledger.note import Note
from swarm_ledger.ledger.store import Store
from swarm_ledger.ledger.tile_files import write_tiles
from swarm_ledger.ledger.tiles import CHECKPOINT, Tile, tiles_of
from swarm_ledger.runtime.blocks import genesis_entry
from tests.fuzz.forging import CREW, of_note
from tests.fuzz.mutation import of_bytes, of_cbor, of_text
from tests.fuzz.scratch import of_sqlite, put, scratch
from tests.fuzz.target import Target


def packed(folder: Path) -> bytes:
    """Return a folder of tiles as one input: the checkpoint, then its tiles in their order."""
    note = (folder / CHECKPOINT).read_bytes()
    size = Checkpoint.parse(Note.parse(note).text).size
    names = [tile.name for tile in tiles_of(size)]
    return cbor2.dumps([note, *((folder / name).read_bytes() for name in names)])


def _tile_name(data: bytes) -> None:
    name = data.decode("utf-8", "surrogateescape")
    assert Tile.parse(name).name == name


def _tiles(data: bytes) -> None:
    """What `ledger compare` does with a stranger's folder of tiles."""
    folder = scratch() / "tiles"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        note, *rest = (bytes(part) for part in cbor2.loads(data, max_depth=8))
    except Exception:
        raise NotVerified("no folder of tiles.") from None
    put(f"tiles/{CHECKPOINT}", note)
    with suppress(NotVerified):
        size = Checkpoint.parse(Note.parse(note).text).size
        for tile, content in zip(tiles_of(size), rest[:8], strict=False):
            path = folder / tile.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    with open_source(folder) as source:
        verify_ledger(source.store, CREW.trust, commits=source.commits)


def _of_tiles(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    try:
        note, *rest = (bytes(part) for part in cbor2.loads(data))
    except Exception:
        return of_bytes(rng, data, others)
    at = rng.randrange(1 + len(rest))
    if not at:
        note = of_note(rng, note, ())
    elif rng.random() < 0.5:
        rest[at - 1] = of_bytes(rng, rest[at - 1], rest)
    else:
        start = rng.randrange(len(rest[at - 1]) + 1)
        rest[at - 1] = rest[at - 1][:start] + of_cbor(rng, rest[at - 1][start:], ())
    return cbor2.dumps([note, *rest])


def _compare(data: bytes) -> None:
    """A stranger's ledger beside one that holds, and all that is exported of it."""
    path, own = put("stranger.db", data), scratch() / "own.db"
    if not own.exists():
        with Store.open(own) as store:
            store.append_block(0, [genesis_entry(CREW.roster)], b"")
    found = compare_ledgers([own, path], CREW.trust)
    assert found.ledgers[0].verdict is not None
    assert not found.forks
    for folder in ("stranger tiles", "stranger.jsonl"):
        shutil.rmtree(scratch() / folder, ignore_errors=True)
    with open_ledger(path) as store:
        write_jsonl(records_of(store, CREW.trust), scratch() / "stranger.jsonl")
        write_tiles(store, scratch() / "stranger tiles")


_DAMAGED = (Misuse, NotVerified)
STRANGERS = (
    Target("tile_name", _tile_name, of_text, (Misuse,)),
    Target("tiles", _tiles, _of_tiles, _DAMAGED, cost=40, lines=200_000),
    Target("compare", _compare, of_sqlite, _DAMAGED, cost=60, lines=400_000),
)
