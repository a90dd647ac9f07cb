# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a drone keeps beside its ledger, in the same file: journal, pending requests, snapshots.

No entry, block, tree or checkpoint rests on any of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager

import msgspec

from swarm_ledger.ledger.database import Database, typed


class JournalRecord(msgspec.Struct, frozen=True):
    """What the consensus engine must not forget: one of its own records, opaque here.

    seq, view: as the engine counts; kind: its word for it; author: who it is from, if not us.
    """

    seq: int
    view: int
    kind: str
    data: bytes
    author: str = ""


class Scratch:
    """The part of a store that may be written more than once."""

    database: Database

    def transaction(self) -> AbstractContextManager[None]:
        """Make all writes inside one durable commit, or none of them."""
        return self.database.transaction()

    def journal_append(self, records: Iterable[JournalRecord]) -> None:
        """Add records to the journal; durable when this (or the outer transaction) returns.

        A record takes the place of an earlier one of the same seq, view, kind and author.
        """
        with self.database.joined():
            self.database.run_many(
                "INSERT OR REPLACE INTO journal (seq, view, kind, author, data)"
                " VALUES (?, ?, ?, ?, ?)",
                [(r.seq, r.view, r.kind, r.author, r.data) for r in records],
            )

    def journal_read(self) -> list[JournalRecord]:
        """Return all records in the order in which they were added."""
        records = []
        query = "SELECT seq, view, kind, data, author, ordinal FROM journal ORDER BY ordinal"
        for seq, view, kind, data, author, ordinal in self.database.rows(query):
            where = f"journal record {ordinal}"
            records.append(
                JournalRecord(
                    typed(seq, int, where),
                    typed(view, int, where),
                    typed(kind, str, where),
                    typed(data, bytes, where),
                    typed(author, str, where),
                )
            )
        return records

    def journal_truncate(self, below_seq: int) -> None:
        """Forget the records of all sequence numbers below one."""
        with self.database.joined():
            self.database.run("DELETE FROM journal WHERE seq < ?", (below_seq,))

    def pending_put(self, digest: bytes, data: bytes) -> None:
        """Keep an accepted request until it is in a block; a digest is kept only once."""
        self.pending_put_all([(digest, data)])

    def pending_put_all(self, requests: Sequence[tuple[bytes, bytes]]) -> None:
        """Keep several, (digest, data) each."""
        with self.database.joined():
            self.database.run_many(
                "INSERT INTO pending (digest, data) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING",
                requests,
            )

    def pending_read(self) -> list[tuple[bytes, bytes]]:
        """Return (digest, data) of all pending requests in the order of their acceptance."""
        rows = self.database.rows("SELECT digest, data, ordinal FROM pending ORDER BY ordinal")
        return [
            (typed(digest, bytes, f"pending {n}"), typed(data, bytes, f"pending {n}"))
            for digest, data, n in rows
        ]

    def pending_remove(self, digests: Iterable[bytes]) -> None:
        """Drop requests that are in a block now, or were refused; unknown digests are ignored."""
        with self.database.joined():
            self.database.run_many("DELETE FROM pending WHERE digest = ?", [(d,) for d in digests])

    def snapshot_put(self, height: int, data: bytes, keep: Collection[int] = ()) -> None:
        """Keep a snapshot of the state after a block, and of the others only those at `keep`."""
        with self.transaction():
            for (other,) in list(self.database.rows("SELECT height FROM snapshots")):
                if other not in keep:
                    self.snapshot_drop(other)
            self.database.run("INSERT OR REPLACE INTO snapshots VALUES (?, ?)", (height, data))

    def snapshot_drop(self, height: int) -> None:
        """Forget the snapshot of a height."""
        with self.database.joined():
            self.database.run("DELETE FROM snapshots WHERE height = ?", (height,))

    def snapshot_heights(self) -> list[int]:
        """Return the heights that there are snapshots of, ascending."""
        rows = self.database.rows("SELECT height FROM snapshots ORDER BY height")
        return [height for (height,) in rows]

    def snapshot(self, height: int) -> bytes:
        """Return the snapshot of a height; NotVerified if there is none."""
        query = "SELECT data FROM snapshots WHERE height = ?"
        return self.database.value(query, bytes, f"snapshot {height}", (height,))
