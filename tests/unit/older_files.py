# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Ledgers as earlier programs wrote them: a row for each entry and each node of the tree."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from swarm_ledger.ledger.merkle import Frontier, leaf_hash
from swarm_ledger.ledger.packing import unpack
from swarm_ledger.ledger.schema import APPLICATION_ID, older
from swarm_ledger.ledger.tree import node_at


def as_older(path: Path, version: int) -> None:
    """Write a ledger, that nobody has open, anew in an older schema."""
    new = path.with_name("before.db")
    path.rename(new)
    with closing(sqlite3.connect(new)) as source, closing(sqlite3.connect(path)) as made:
        for statement in older(0, version):
            made.execute(statement)
        made.execute("INSERT INTO meta VALUES ('schema', ?)", (version,))
        made.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        (base,) = source.execute("SELECT value FROM meta WHERE key = 'base'").fetchone()
        assert version > 2 or not base
        made.execute("UPDATE meta SET value = ? WHERE key = 'base'", (base,))
        kept = source.execute("SELECT * FROM kept")
        made.executemany("INSERT INTO entries VALUES (?, ?, ?)", kept)
        nodes = [(*node_at(place), node) for place, node in source.execute("SELECT * FROM tree")]
        _add_blocks(source, made, {node[:2]: node[2] for node in nodes})
        for size, height, packed in source.execute("SELECT * FROM certified"):
            (note,) = unpack(packed, 1, "here")
            made.execute("INSERT INTO checkpoints VALUES (?, ?, ?)", (size, height, note))
        made.commit()
    new.unlink()


def _add_blocks(
    source: sqlite3.Connection, made: sqlite3.Connection, nodes: dict[tuple[int, int], bytes]
) -> None:
    tree: Frontier | None = None
    query = "SELECT height, first, count, packed FROM blocks ORDER BY height"
    for height, first, count, packed in source.execute(query):
        tree = tree or Frontier.read(first, lambda level, index: nodes[level, index])
        *entries, certificate = unpack(packed, count + 1, "here")
        made.execute("INSERT INTO blocks VALUES (?, ?, ?, ?)", (height, first, count, certificate))
        for index, entry in enumerate(entries, first):
            made.execute("INSERT INTO entries VALUES (?, ?, ?)", (index, height, entry))
            for level, at, node in tree.append(leaf_hash(entry)):
                nodes[level, at] = node
    rows = [(*place, node) for place, node in nodes.items()]
    made.executemany("INSERT INTO nodes VALUES (?, ?, ?)", rows)
