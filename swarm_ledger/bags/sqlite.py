# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Reads one SQLite file of rosbag2, of Humble's and of later schemas."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from swarm_ledger.bags.form import (
    MAX_DEFINITION_BYTES,
    MAX_FAULTS,
    MAX_MESSAGE_BYTES,
    MAX_NAME_BYTES,
    MAX_TOPICS,
    Attachment,
    Channel,
    Fault,
    Recorded,
)

_LIMIT_LENGTH = 0
"""SQLITE_LIMIT_LENGTH, which sqlite3 has by name only since Python 3.11."""

_STEPS = 1_000_000
"""Of SQLite's machine, between two rows: a hostile schema may make a query go on for ever."""


class SqliteReader:
    """One file, as McapReader. It has no attachments and no checksums of its own."""

    library = ""
    unchecked = 0

    def __init__(self, path: Path, number: int = 0) -> None:
        self.path, self.name, self._number = path, path.name, number
        self.channels: dict[int, Channel] = {}
        self.attachments: list[Attachment] = []
        self.faults: list[Fault] = []
        self.counts: Counter[int] = Counter()
        self.span: tuple[int, int] | None = None
        self.truncated_at: int | None = None

    def messages(self) -> Iterator[Recorded]:
        """Yield all messages in the order in which they were written."""
        row = 0
        try:
            uri = f"{self.path.resolve().as_uri()}?mode=ro&immutable=1"
            with closing(sqlite3.connect(uri, uri=True)) as database:
                self._guard(database)
                self._topics(database)
                for found in self._rows(database):
                    row = found.offset
                    self.counts[found.channel.number] += 1
                    low, high = self.span or (found.log_ns, found.log_ns)
                    self.span = min(low, found.log_ns), max(high, found.log_ns)
                    yield found
        except (sqlite3.Error, ValueError, OverflowError, TypeError) as error:
            # A file that was cut says that it is malformed: SQLite can't tell one from the other.
            reason = "damaged" if self.channels else "no_bag"
            self._fault(reason, f"SQLite: {error}", row)

    @staticmethod
    def _guard(database: sqlite3.Connection) -> None:
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA cell_size_check = ON")
        database.set_progress_handler(lambda: 0, _STEPS)
        if hasattr(database, "setlimit"):  # Python 3.11
            database.setlimit(_LIMIT_LENGTH, MAX_MESSAGE_BYTES + (1 << 16))
        kinds = database.execute(
            "SELECT type FROM sqlite_master WHERE name IN ('topics', 'messages')"
        )
        if [kind for (kind,) in kinds] != ["table", "table"]:
            raise ValueError("it hasn't a bag's tables")

    def _fault(self, reason: str, what: str, offset: int) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(Fault(reason, what, self.name, offset))

    def _topics(self, database: sqlite3.Connection) -> None:
        definitions = self._definitions(database)
        columns = {row[1] for row in database.execute("PRAGMA table_info(topics)")}
        optional = [
            name if name in columns else "''"
            for name in ("offered_qos_profiles", "type_description_hash")
        ]
        query = f"""SELECT id, name, type, serialization_format, {", ".join(optional)}
            FROM topics LIMIT ?"""  # noqa: S608  - nothing in it is anybody's
        for number, *texts in database.execute(query, (MAX_TOPICS + 1,)):
            topic, name, encoding, qos, type_hash = map(str, texts)
            if len(self.channels) >= MAX_TOPICS or len(topic) + len(name) > MAX_NAME_BYTES:
                raise ValueError("too many topics, or a name that is too long")
            self.channels[int(number)] = Channel(
                int(number), topic, name, encoding, qos, type_hash, definitions.get(name, "")
            )

    @staticmethod
    def _definitions(database: sqlite3.Connection) -> dict[str, str]:
        there = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'message_definitions'")
        if there.fetchone() is None:
            return {}
        query = """SELECT topic_type, encoded_message_definition FROM message_definitions
            WHERE length(encoded_message_definition) <= ? LIMIT ?"""
        rows = database.execute(query, (MAX_DEFINITION_BYTES, MAX_TOPICS))
        return {str(name): str(definition) for name, definition in rows}

    def _rows(self, database: sqlite3.Connection) -> Iterator[Recorded]:
        query = "SELECT id, topic_id, timestamp, data FROM messages ORDER BY id"
        for row, topic, when, data in database.execute(query):
            channel = self.channels.get(topic)
            if channel is None or not isinstance(data, bytes) or not isinstance(when, int):
                self._fault("damaged", "a message without a topic, a time or data", int(row))
                continue
            number = self._number
            self._number += 1
            yield Recorded(channel, 0, when, when, data, number, self.name, int(row))
