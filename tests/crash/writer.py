# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A process that writes a ledger as a drone does, and says on stdout what is on disk by now.

python -m tests.crash.writer LEDGER BLOCKS LIVES: opens the ledger, appends so many blocks, closes
it, and begins again, so many times. What it writes follows from the height alone.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

from swarm_ledger.errors import SwarmLedgerError
from swarm_ledger.ledger.pruning import Keep
from swarm_ledger.ledger.scratch import JournalRecord
from swarm_ledger.ledger.store import Store
from tests.unit.ledger_swarm import Swarm

SWARM = Swarm()
CHECKPOINT = 8
"""Blocks from one checkpoint to the next."""
KEPT = CHECKPOINT // 2
"""Blocks that stay below a checkpoint; the others are pruned."""
KEEP = Keep(lambda found: found.data[0] == 1 and found.data[1] % 2 == 0, {0x22: 5})
REFUSED = 3
"""The exit code of one that could not write, and said why."""
READY, JOURNAL, PENDING, BLOCK, STABLE = "ready", "journal", "pending", "block", "stable"


def entries(height: int) -> list[bytes]:
    """Return the entries of a block: a header, and up to twelve others of all kinds."""
    rng = random.Random(height)
    kinds = rng.choices((0x01, 0x03, 0x03, 0x03, 0x22), k=rng.randrange(12))
    return [bytes([kind]) + rng.randbytes(rng.randrange(20, 400)) for kind in (0x21, *kinds)]


def note(height: int) -> bytes:
    """Return what the journal and the pending requests hold for a block."""
    return random.Random(-1 - height).randbytes(200)


def say(what: str, number: int) -> None:
    """Tell the parent, at once."""
    os.write(1, f"{what} {number}\n".encode())


def append(store: Store, height: int) -> None:
    """Write what a drone writes for one block, and say so once it is durable."""
    store.journal_append([JournalRecord(height, 0, "commit", note(height))])
    say(JOURNAL, height)
    store.pending_put(b"%d" % height, note(height))
    say(PENDING, height)
    with store.transaction():
        store.append_block(height, entries(height), note(height))
        store.pending_remove([b"%d" % (height - CHECKPOINT)])
    say(BLOCK, height)
    if height % CHECKPOINT == CHECKPOINT - 1:
        with store.transaction():
            SWARM.checkpoint_store(store)
            store.journal_truncate(height)
            store.snapshot_put(height, note(height), [height - CHECKPOINT])
        say(STABLE, height)
        while height > KEPT and store.prune(height - KEPT, KEEP):
            pass
        store.database.shrink(4)


def main(path: Path, blocks: int, lives: int) -> None:
    """Write for as long as we live."""
    for _ in range(lives):
        with Store.open(path) as store:
            say(READY, store.height)
            for height in range(store.height + 1, store.height + 1 + blocks):
                append(store, height)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    except SwarmLedgerError as error:
        sys.stderr.write(error.explain())
        sys.exit(REFUSED)
