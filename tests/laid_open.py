# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What is packed in a ledger's file, as rows that SQL reads and changes: for damage in tests."""

from __future__ import annotations

import sqlite3

from swarm_ledger.ledger import rare
from swarm_ledger.ledger.merkle import Frontier, leaf_hash
from swarm_ledger.ledger.packing import pack, unpack
from swarm_ledger.ledger.tree import stored

MOST = 1 << 12
"""Entries of a block that the rows show."""

_VIEWS = f"""
CREATE TEMP TABLE numbers (n INTEGER PRIMARY KEY);
WITH RECURSIVE n(x) AS (VALUES (0) UNION ALL SELECT x + 1 FROM n WHERE x < {MOST})
    INSERT INTO numbers SELECT x FROM n;
CREATE TEMP VIEW entries AS SELECT idx, height, data FROM main.kept
    UNION ALL SELECT first + n, height, part(packed, count, n) FROM main.blocks
    JOIN temp.numbers ON n < count;
CREATE TEMP TRIGGER change_entry INSTEAD OF UPDATE ON entries BEGIN
    UPDATE kept SET idx = NEW.idx, height = NEW.height, data = NEW.data WHERE idx = OLD.idx;
    UPDATE blocks SET packed = changed(packed, count, OLD.idx - first, NEW.data)
        WHERE first <= OLD.idx AND OLD.idx < first + count;
END;
CREATE TEMP TRIGGER remove_entry INSTEAD OF DELETE ON entries BEGIN
    DELETE FROM kept WHERE idx = OLD.idx;
    UPDATE blocks SET packed = changed(packed, count, OLD.idx - first, NULL)
        WHERE first <= OLD.idx AND OLD.idx < first + count;
END;
CREATE TEMP VIEW certificates AS
    SELECT height, part(packed, count, count) AS certificate FROM main.blocks;
CREATE TEMP TRIGGER change_certificate INSTEAD OF UPDATE ON certificates BEGIN
    UPDATE blocks SET packed = changed(packed, count, count, NEW.certificate)
        WHERE height = OLD.height;
END;
CREATE TEMP VIEW nodes AS SELECT place & 63 AS level,
    (place >> 6 >> (place & 63)) - 1 AS idx, hash FROM main.tree;
CREATE TEMP TRIGGER change_node INSTEAD OF UPDATE ON nodes BEGIN
    UPDATE tree SET place = (NEW.idx + 1) << NEW.level << 6 | NEW.level, hash = NEW.hash
        WHERE place = (OLD.idx + 1) << OLD.level << 6 | OLD.level;
END;
CREATE TEMP TRIGGER remove_node INSTEAD OF DELETE ON nodes BEGIN
    DELETE FROM tree WHERE place = (OLD.idx + 1) << OLD.level << 6 | OLD.level;
END;
CREATE TEMP TRIGGER add_node INSTEAD OF INSERT ON nodes BEGIN
    INSERT INTO tree VALUES ((NEW.idx + 1) << NEW.level << 6 | NEW.level, NEW.hash);
END;
CREATE TEMP VIEW checkpoints AS
    SELECT size, height, part(packed, 0, 0) AS note FROM main.certified;
CREATE TEMP TRIGGER change_checkpoint INSTEAD OF UPDATE ON checkpoints BEGIN
    UPDATE certified SET size = NEW.size, height = NEW.height,
        packed = changed(packed, 0, 0, NEW.note) WHERE size = OLD.size;
END;
CREATE TEMP TRIGGER remove_checkpoint INSTEAD OF DELETE ON checkpoints BEGIN
    DELETE FROM certified WHERE size = OLD.size;
END;
CREATE TEMP TRIGGER add_checkpoint INSTEAD OF INSERT ON checkpoints BEGIN
    INSERT INTO certified VALUES (NEW.size, NEW.height, packed(NEW.note));
END;
"""


def lay_open(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Show `entries`, `certificates`, `nodes` and `checkpoints` to one connection.

    A changed entry or certificate is packed as its writer would, so that nothing but what it says
    gives it away. The index stays as it is.
    """
    connection.create_function("part", 3, _part)
    connection.create_function("changed", 4, _changed)
    connection.create_function("packed", 1, lambda note: pack([note]))
    connection.executescript(_VIEWS)
    return connection


def _part(packed: bytes, count: int, number: int) -> bytes:
    return unpack(packed, count + 1, "here")[number]


def _changed(packed: bytes, count: int, number: int, data: bytes | str | None) -> bytes:
    parts = unpack(packed, count + 1, "here")
    if data is None:
        del parts[number]
    else:
        parts[number] = data.encode() if isinstance(data, str) else data
    return pack(parts)


def rebuild(connection: sqlite3.Connection) -> None:
    """Make tree, roots and index fit the entries of a ledger that was not pruned."""
    connection.executescript("BEGIN; DELETE FROM tree; DELETE FROM rare; DELETE FROM keyed")
    frontier = Frontier()
    blocks = "SELECT height, first, count, packed FROM blocks ORDER BY height"
    for height, first, count, packed in connection.execute(blocks).fetchall():
        entries = unpack(packed, count + 1, "here")[:-1]
        made = [node for entry in entries for node in frontier.append(leaf_hash(entry))]
        connection.executemany("INSERT INTO tree VALUES (?, ?)", stored(made))
        found, keyed = rare.rows_of(dict(enumerate(entries, first)))
        connection.executemany("INSERT INTO rare VALUES (?, ?)", found)
        connection.executemany("INSERT INTO keyed VALUES (?, ?)", keyed)
        update = "UPDATE blocks SET root = ? WHERE height = ?"
        connection.execute(update, (frontier.root(), height))
    connection.execute("COMMIT")
