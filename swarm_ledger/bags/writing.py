# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Writes one MCAP file, so that a crash costs the last chunk and nothing else.

The file only grows, chunk by chunk, each handed to the operating system as soon as it is full or
old. Whoever is killed loses what was not in a chunk; a machine that loses power, what the disk had
not got, unless `sync` is on.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections import Counter
from pathlib import Path
from typing import BinaryIO

from swarm_ledger.bags.form import CDR, Attachment, Channel
from swarm_ledger.bags.records import (
    CHUNK,
    FOOTER,
    INDEX_ENTRY,
    MAGIC,
    MESSAGE,
    STATISTICS,
    U16,
    U32,
    U64,
    Op,
    blob,
    record,
    text,
    text_map,
)

PROFILE, LIBRARY = "ros2", "swarm_ledger"
_CHUNK_INDEX = struct.Struct("<QQQQ")


class McapWriter:
    """Writes a new file. chunk_bytes: how many bytes of messages make a chunk.

    sync: wait for the disk at each chunk. OSError where the disk is full, or the like: then the
    file is as after a crash, and close() only closes it.
    """

    def __init__(self, path: Path, *, chunk_bytes: int = 256 << 10, sync: bool = False) -> None:
        self.path, self._chunk_bytes, self._sync = path, chunk_bytes, sync
        self._file: BinaryIO = path.open("xb", buffering=0)
        self.channels: list[Channel] = []
        self._schemas: dict[tuple[str, str], int] = {}
        self._sequences: Counter[int] = Counter()
        self._counts: Counter[int] = Counter()
        self._chunk = bytearray()
        self._index: dict[int, list[tuple[int, int]]] = {}
        self._chunk_indexes: list[bytes] = []
        self._attachment_indexes: list[bytes] = []
        self._span: tuple[int, int] | None = None
        self._chunk_span: tuple[int, int] | None = None
        self._broken = False
        self._crc = self._at = 0
        self._put(MAGIC + record(Op.HEADER, text(PROFILE) + text(LIBRARY)))

    @property
    def size(self) -> int:
        """Bytes so far, with what waits for its chunk."""
        return self._at + len(self._chunk)

    @property
    def messages(self) -> int:
        """How many messages were written."""
        return self._counts.total()

    @property
    def span(self) -> tuple[int, int]:
        """First and last time of recording, nanoseconds; (0, 0) where there is nothing."""
        return self._span or (0, 0)

    @property
    def waiting(self) -> int:
        """Bytes that wait for their chunk: what a kill would cost."""
        return len(self._chunk)

    def add_channel(
        self, topic: str, type_name: str, definition: str, *, qos: str = "", type_hash: str = ""
    ) -> int:
        """Begin a topic; return its number."""
        number = len(self.channels) + 1  # from 1: rosbags 0.11 passes over 0
        channel = Channel(number, topic, type_name, CDR, qos, type_hash, definition)
        self.channels.append(channel)
        schema = type_name, definition
        if schema not in self._schemas:
            self._schemas[schema] = len(self._schemas) + 1
            self._chunk += _schema(self._schemas[schema], *schema)
        self._chunk += self._channel(channel)
        return number

    def write(
        self,
        number: int,
        log_ns: int,
        data: bytes,
        published_ns: int | None = None,
        sequence: int | None = None,
    ) -> None:
        """Write a message; its number in its channel is counted here unless it is given."""
        self._sequences[number] = self._sequences[number] + 1 if sequence is None else sequence
        self._counts[number] += 1
        published = log_ns if published_ns is None else published_ns
        self._index.setdefault(number, []).append((log_ns, len(self._chunk)))
        head = MESSAGE.pack(number, self._sequences[number], log_ns, published)
        self._chunk += record(Op.MESSAGE, head + data)
        self._chunk_span = _wider(self._chunk_span, log_ns)
        self._span = _wider(self._span, log_ns)
        if len(self._chunk) >= self._chunk_bytes:
            self.flush()

    def attach(self, one: Attachment) -> None:
        """Write a file into the file."""
        self.flush()
        body = U64.pack(one.log_ns) * 2 + text(one.name) + text(one.media_type)
        body += U64.pack(len(one.data)) + one.data
        whole = record(Op.ATTACHMENT, body + U32.pack(zlib.crc32(body)))
        times = U64.pack(one.log_ns) * 2
        self._attachment_indexes.append(
            U64.pack(self._at)
            + U64.pack(len(whole))
            + times
            + U64.pack(len(one.data))
            + text(one.name)
            + text(one.media_type)
        )
        self._put(whole)

    def flush(self) -> None:
        """Hand what waits to the operating system, as a chunk."""
        if not self._chunk or self._broken:
            return
        chunk, start = bytes(self._chunk), self._at
        first, last = self._chunk_span or (0, 0)
        head = CHUNK.pack(first, last, len(chunk), zlib.crc32(chunk)) + text("")
        whole = record(Op.CHUNK, head + U64.pack(len(chunk)) + chunk)
        offsets, indexes = [], b""
        for number, entries in self._index.items():
            offsets.append(U16.pack(number) + U64.pack(start + len(whole) + len(indexes)))
            packed = b"".join(INDEX_ENTRY.pack(*entry) for entry in entries)
            indexes += record(Op.MESSAGE_INDEX, U16.pack(number) + blob(packed))
        self._chunk_indexes.append(
            _CHUNK_INDEX.pack(first, last, start, len(whole))
            + blob(b"".join(offsets))
            + U64.pack(len(indexes))
            + text("")
            + U64.pack(len(chunk)) * 2
        )
        self._chunk.clear()
        self._index, self._chunk_span = {}, None
        self._put(whole + indexes)

    def close(self) -> None:
        """Write what makes the file whole, and close it."""
        try:
            if not self._broken:
                self.flush()
                self._put(record(Op.DATA_END, U32.pack(self._crc)))
                self._put(self._summary())
        finally:
            self._broken = True
            self._file.close()

    def abandon(self) -> None:
        """Close the file as it is."""
        self._broken = True
        self._file.close()

    def _summary(self) -> bytes:
        first, last = self.span
        counts = b"".join(U16.pack(n) + U64.pack(count) for n, count in self._counts.items())
        statistics = STATISTICS.pack(
            self.messages,
            len(self._schemas),
            len(self.channels),
            len(self._attachment_indexes),
            0,
            len(self._chunk_indexes),
            first,
            last,
        )
        groups = {
            Op.SCHEMA: b"".join(_schema(n, *schema) for schema, n in self._schemas.items()),
            Op.CHANNEL: b"".join(map(self._channel, self.channels)),
            Op.STATISTICS: record(Op.STATISTICS, statistics + blob(counts)),
            Op.CHUNK_INDEX: b"".join(record(Op.CHUNK_INDEX, b) for b in self._chunk_indexes),
            Op.ATTACHMENT_INDEX: b"".join(
                record(Op.ATTACHMENT_INDEX, body) for body in self._attachment_indexes
            ),
        }
        summary, offsets = b"", b""
        for op, group in groups.items():
            if group:
                place = bytes([op]) + U64.pack(self._at + len(summary)) + U64.pack(len(group))
                offsets += record(Op.SUMMARY_OFFSET, place)
                summary += group
        footer = U64.pack(self._at) + U64.pack(self._at + len(summary))
        checked = summary + offsets + bytes([Op.FOOTER]) + U64.pack(FOOTER.size) + footer
        return checked + U32.pack(zlib.crc32(checked)) + MAGIC

    def _channel(self, channel: Channel) -> bytes:
        told = {"offered_qos_profiles": channel.qos, "topic_type_hash": channel.type_hash}
        schema = self._schemas[channel.type_name, channel.definition]
        body = U16.pack(channel.number) + U16.pack(schema) + text(channel.topic)
        return record(Op.CHANNEL, body + text(channel.encoding) + text_map(told))

    def _put(self, data: bytes) -> None:
        try:
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
            if self._sync:
                os.fsync(self._file.fileno())
        except OSError:
            self._broken = True
            raise
        self._crc = zlib.crc32(data, self._crc)
        self._at += len(data)


def _wider(span: tuple[int, int] | None, when: int) -> tuple[int, int]:
    return (min(span[0], when), max(span[1], when)) if span else (when, when)


def _schema(number: int, type_name: str, definition: str) -> bytes:
    body = U16.pack(number) + text(type_name) + text("ros2msg") + text(definition)
    return record(Op.SCHEMA, body)
