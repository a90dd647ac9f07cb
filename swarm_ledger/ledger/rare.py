# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The index of entries that are looked for by what they are: few, and packed among many others.

It is of the first byte of each, and of digests in some. What it says is checked with the entry;
that it says all is for check.py to see.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from swarm_ledger.encoding import DIGEST_HEAD
from swarm_ledger.errors import Misuse
from swarm_ledger.ledger.database import Database

COMMON = (0x03, 0x21)
"""Entries that no index has, by their first byte: votes and headers, of which there are many."""

KEYED = 0x22
"""Entries that are found by the digests in them, too: decisions, by their questions'."""

DIGEST_SIZE = 32
_KEY_SIZE = 6
_DIGEST = re.compile(re.escape(DIGEST_HEAD) + rb"(?=(.{32}))", re.DOTALL)
"""Each CBOR byte string of that size, and perhaps bytes that only look like one."""

Range = tuple[int, int]


def key_of(digest: bytes) -> int:
    """Return under what a digest is found; others may have the same."""
    if len(digest) != DIGEST_SIZE:
        raise Misuse(f"Entries are found by {DIGEST_SIZE} bytes in them, not {len(digest)}.")
    return int.from_bytes(digest[:_KEY_SIZE], "big")


def rows_of(entries: Mapping[int, bytes]) -> tuple[list[Range], list[Range]]:
    """Return the rows of both tables, (kind, index) and (key, index), for entries by index."""
    rare = [(entry[0], index) for index, entry in entries.items() if entry[0] not in COMMON]
    keyed = [
        (key, index)
        for kind, index in rare
        if kind == KEYED
        for key in sorted({key_of(found) for found in _DIGEST.findall(entries[index])})
    ]
    return rare, keyed


def add(database: Database, entries: Mapping[int, bytes]) -> None:
    """Take entries in, within a transaction."""
    rare, keyed = rows_of(entries)
    database.run_many("INSERT INTO rare VALUES (?, ?)", rare)
    database.run_many("INSERT INTO keyed VALUES (?, ?)", keyed)


def drop(database: Database, entries: Mapping[int, bytes]) -> None:
    """Take entries out again, within a transaction."""
    rare, keyed = rows_of(entries)
    database.run_many("DELETE FROM rare WHERE kind = ? AND idx = ?", rare)
    database.run_many("DELETE FROM keyed WHERE key = ? AND idx = ?", keyed)


def places(
    database: Database, kind: int, stop: int, *, newest: bool, limit: int, skip: int
) -> list[int]:
    """Return the indices below `stop` of entries of a kind, ascending; of the last ones if so."""
    if kind in COMMON:
        raise Misuse(f"Entries of kind {kind} are found by their block.")
    query = f"""
        SELECT idx FROM rare WHERE kind = ? AND idx < ?
        ORDER BY idx {"DESC" if newest else "ASC"} LIMIT ? OFFSET ?"""  # noqa: S608
    return sorted(index for (index,) in database.rows(query, (kind, stop, limit, skip)))


def places_holding(database: Database, digest: bytes, stop: int) -> Iterable[int]:
    """Yield where a digest may be, of all keyed entries below `stop`."""
    query = "SELECT idx FROM keyed WHERE key = ? AND idx < ? ORDER BY idx"
    for (index,) in database.rows(query, (key_of(digest), stop)):
        yield index
