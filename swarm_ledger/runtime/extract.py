# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One block of a ledger, for whoever wants to look at it: as much as one answer may carry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.ledger.certified import StoredCheckpoint
from swarm_ledger.ledger.store import Block, Store
from swarm_ledger.runtime.blocks import split_block

MAX_ENTRIES = 512
MAX_BYTES = 1 << 20
"""Of all entries of an answer: DDS cuts it into some hundred datagrams, and loses it with one."""


class Trouble(IntEnum):
    """Why there is none, numbered as the ERROR_* of swarm_interfaces' GetBlock.

    TOO_LARGE: there is, but for the last of its entries.
    """

    NONE = 0
    UNKNOWN = 1
    NOT_FOUND = 2
    PRUNED = 3
    UNAVAILABLE = 4
    TOO_LARGE = 5


@dataclass(frozen=True)
class Extract:
    """A block: first, the index of its first entry; time_ms, as the swarm agreed, 0 for genesis.

    entries: as many of them as fit, from the first on; checkpoint: the first that covers it.
    """

    height: int
    first: int
    entries: tuple[bytes, ...]
    time_ms: int
    checkpoint: StoredCheckpoint | None


@dataclass(frozen=True)
class Shown:
    """An answer. said: what is wrong and what to do, empty for NONE."""

    trouble: Trouble
    said: str = ""
    extract: Extract | None = None


def show_block(opened: Callable[[], Store], height: int, patience_s: float = 0.0) -> Shown:
    """Return a block of a ledger, or why there is none; nothing is raised.

    opened: opens the ledger, read-only. patience_s: how long a query may take, 0 for ever.
    """
    try:
        with opened() as store, store.database.bounded(patience_s), store.database.snapshot():
            store.refresh()
            return _shown(store, height)
    except Misuse as error:
        return Shown(Trouble.UNAVAILABLE, error.explain())
    except NotVerified:
        return Shown(Trouble.UNAVAILABLE, "the ledger here is damaged. Ask another drone.")


def _shown(store: Store, height: int) -> Shown:
    if not 0 <= height <= store.height:
        said = f"there is no block {height} here yet; the last one is {store.height}."
        return Shown(Trouble.NOT_FOUND, said)
    if height < store.base:
        said = (
            f"block {height} was pruned here; the first one left is {store.base}. Ask an archive."
        )
        return Shown(Trouble.PRUNED, said)
    block = store.block(height)
    time_ms = split_block(block.entries)[0].time_ms if height else 0
    covering = store.checkpoint(block.first + len(block.entries))
    entries = _fitting(block)
    extract = Extract(height, block.first, entries, time_ms, covering)
    if len(entries) == len(block.entries):
        return Shown(Trouble.NONE, "", extract)
    said = (
        f"of {len(block.entries)} entries the first {len(entries)} fit into an answer. Get those "
        f"from {block.first + len(entries)} on one by one, with get_proof."
    )
    return Shown(Trouble.TOO_LARGE, said, extract)


def _fitting(block: Block) -> tuple[bytes, ...]:
    left, count = MAX_BYTES, 0
    for entry in block.entries[:MAX_ENTRIES]:
        left -= len(entry)
        if left < 0:
            break
        count += 1
    return block.entries[:count]
