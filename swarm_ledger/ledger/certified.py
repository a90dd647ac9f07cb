# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The cosigned checkpoints that a ledger keeps, and which of them covers what."""

from __future__ import annotations

from abc import ABC, abstractmethod

import msgspec

from swarm_ledger.ledger.database import Database, typed
from swarm_ledger.ledger.packing import unpack


class StoredCheckpoint(msgspec.Struct, frozen=True):
    """A cosigned checkpoint's note, the tree size it covers, and the height it was made at."""

    size: int
    height: int
    note: bytes


def stored_checkpoint(size: int, height: int, packed: bytes) -> StoredCheckpoint:
    """Return a checkpoint from its row; raises NotVerified naming the height."""
    (note,) = unpack(packed, 1, f"height {height}")
    return StoredCheckpoint(size, height, note)


class Certified(ABC):
    """The cosigned part of a store. A reader gets nothing of a tree that it does not see yet."""

    database: Database

    @property
    @abstractmethod
    def size(self) -> int:
        """The number of entries."""

    def checkpoint(self, at_least_size: int) -> StoredCheckpoint | None:
        """Return the smallest kept checkpoint of at least a size, or None.

        The one that covers entry i is checkpoint(i + 1). A reader is given none of a tree that
        came after its refresh().
        """
        return self._one_checkpoint("ORDER BY size", at_least_size)

    def latest_checkpoint(self) -> StoredCheckpoint | None:
        """Return the largest kept checkpoint, or None."""
        return self._one_checkpoint("ORDER BY size DESC", 0)

    def checkpoint_until(self, height: int) -> StoredCheckpoint | None:
        """Return the last kept checkpoint made at a height or before, or None."""
        row = self.database.row(
            "SELECT max(size) FROM certified WHERE height <= ? AND size <= ?",
            (height, self.size),
        )
        return self.checkpoint(row[0]) if row and row[0] is not None else None

    def _one_checkpoint(self, order: str, at_least: int) -> StoredCheckpoint | None:
        row = self.database.row(
            f"""SELECT size, height, packed FROM certified
            WHERE size >= ? AND size <= ? {order} LIMIT 1""",  # noqa: S608
            (at_least, self.size),
        )
        if row is None:
            return None
        where = f"checkpoint of size {row[0]}"
        return stored_checkpoint(row[0], typed(row[1], int, where), typed(row[2], bytes, where))
