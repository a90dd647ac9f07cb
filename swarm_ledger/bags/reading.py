# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Reads one MCAP file from its beginning, as far as it goes, and says all that is wrong with it.

Its index and its summary aren't used to find anything: they are held against what was found.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from swarm_ledger.bags.form import (
    MAX_ATTACHMENT_BYTES,
    MAX_ATTACHMENTS,
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
from swarm_ledger.bags.packing import Unpackable, unpack
from swarm_ledger.bags.records import (
    CHUNK,
    FOOTER,
    INDEX_ENTRY,
    MAGIC,
    MESSAGE,
    PREFIX,
    STATISTICS,
    U16,
    U32,
    U64,
    Cut,
    Fields,
    Op,
)

_MAX_RECORD_BYTES = MAX_MESSAGE_BYTES + (1 << 16)
_MAX_SUMMARY_BYTES = 64 << 20
_HEAD = PREFIX.size
_MESSAGE_HEAD = _HEAD + MESSAGE.size
_MESSAGE_BEGINS = struct.Struct(PREFIX.format + MESSAGE.format.removeprefix("<"))
_MESSAGE = int(Op.MESSAGE)


class _Stop(Exception):  # noqa: N818  - no error: the file ends here for us
    """Nothing further can be read."""


@dataclass(frozen=True, slots=True)
class _Span:
    """A chunk that was read: what the index of chunks must say."""

    offset: int
    first: int
    last: int


class McapReader:
    """One file. number: of its first message among all of the bag.

    Read messages() to its end; faults, attachments and truncated_at are complete only then.
    """

    def __init__(self, path: Path, number: int = 0) -> None:
        self.path, self.name, self._number = path, path.name, number
        self.library = ""
        self.channels: dict[int, Channel] = {}
        self.attachments: list[Attachment] = []
        self.faults: list[Fault] = []
        self.counts: Counter[int] = Counter()
        self.span: tuple[int, int] | None = None
        self.unchecked = 0
        """Chunks without a checksum."""
        self.truncated_at: int | None = None
        self._schemas: dict[int, tuple[str, str]] = {}
        self._chunks: list[_Span] = []
        self._entries: dict[int, list[tuple[int, int]]] = {}
        """Of the last chunk, by channel: (time, place). Its own index must say so."""
        self._file: BinaryIO
        self._at = self._crc = 0
        self._size = 0

    def messages(self) -> Iterator[Recorded]:
        """Yield all messages in the order of the file."""
        with self.path.open("rb") as self._file:
            self._size = os.fstat(self._file.fileno()).st_size
            try:
                if self._size < len(MAGIC) or self._take(len(MAGIC)) != MAGIC:
                    self._fault("no_bag", "it doesn't begin as an MCAP file does", 0)
                    return
                yield from self._records()
            except _Stop:
                return

    def _records(self) -> Iterator[Recorded]:
        first = True
        while True:
            start, before = self._at, self._crc
            op, length = PREFIX.unpack(self._take(_HEAD))
            if length > _MAX_RECORD_BYTES:
                if start + _HEAD + length > self._size and self._chunks:
                    self._cut(start)
                self._fault("oversize", f"a record of {length} bytes", start)
                raise _Stop
            body = self._take(length)
            if first and op != Op.HEADER:
                self._fault("damaged", "it doesn't begin with a header", start)
            first = False
            try:
                if op == Op.CHUNK:
                    yield from self._chunk(body, start)
                elif op == Op.MESSAGE:
                    yield from self._message(body, start)
                elif op == Op.DATA_END:
                    self._data_end(body, start, before)
                    return
                else:
                    self._other(op, body, start)
            except Cut as error:
                self._fault("damaged", f"record {op:#04x}: {error}", start)

    def _take(self, length: int) -> bytes:
        """Read on; what was read is summed up."""
        start = self._at
        if length > self._size - self._at:
            self._cut(start)
        data = self._file.read(length)
        if len(data) < length:
            self._cut(start)
        self._crc = zlib.crc32(data, self._crc)
        self._at += length
        return data

    def _cut(self, offset: int) -> None:
        self.truncated_at = offset
        self._fault("truncated", "it ends in the middle of its data", offset)
        raise _Stop

    def _fault(self, reason: str, what: str, offset: int) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(Fault(reason, what, self.name, offset))

    def _other(self, op: int, body: bytes, start: int) -> None:
        fields = Fields(body)
        if op == Op.HEADER:
            fields.text()
            self.library = fields.text()[:MAX_NAME_BYTES]
        elif op == Op.SCHEMA:
            self._schema(fields, start)
        elif op == Op.CHANNEL:
            self._channel(fields, start)
        elif op == Op.ATTACHMENT:
            self._attachment(fields, start)
        elif op == Op.MESSAGE_INDEX:
            self._message_index(fields, start)
        elif op in (Op.FOOTER, Op.CHUNK_INDEX, Op.STATISTICS):
            self._fault("damaged", f"record {op:#04x} is out of its place", start)

    def _schema(self, fields: Fields, start: int) -> None:
        (number,) = fields.unpack(U16)
        name, _, definition = fields.text(), fields.text(), fields.blob()
        if len(name) > MAX_NAME_BYTES or len(definition) > MAX_DEFINITION_BYTES:
            self._fault("oversize", "the definition of a message type", start)
            raise _Stop
        found = name, definition.decode("utf-8", "replace")
        if self._schemas.setdefault(number, found) != found:
            self._fault("damaged", f"type {number} is defined twice", start)

    def _channel(self, fields: Fields, start: int) -> None:
        number, schema = fields.unpack(U16)[0], fields.unpack(U16)[0]
        topic, encoding, told = fields.text(), fields.text(), fields.map()
        name, definition = self._schemas.get(schema, ("", ""))
        qos, type_hash = told.get("offered_qos_profiles", ""), told.get("topic_type_hash", "")
        if len(self.channels) >= MAX_TOPICS or max(map(len, (topic, encoding))) > MAX_NAME_BYTES:
            self._fault("oversize", "too many topics, or a name that is too long", start)
            raise _Stop
        found = Channel(number, topic, name, encoding, qos, type_hash[:128], definition)
        if self.channels.setdefault(number, found) != found:
            self._fault("damaged", f"topic {number} is described twice", start)

    def _attachment(self, fields: Fields, start: int) -> None:
        log_ns, _ = fields.unpack(U64)[0], fields.unpack(U64)
        name, media, data = fields.text(), fields.text(), fields.blob(U64)
        body = fields.data[: fields.at]
        (crc,) = fields.unpack(U32)
        if len(data) > MAX_ATTACHMENT_BYTES or len(self.attachments) >= MAX_ATTACHMENTS:
            self._fault("oversize", f"attachment {name[:80]!r}", start)
            return
        if crc and crc != zlib.crc32(body):
            self._fault("crc", f"attachment {name[:80]!r} has another checksum", start)
        self.attachments.append(Attachment(name, media, log_ns, data, start))

    def _chunk(self, body: bytes, start: int) -> Iterator[Recorded]:
        fields = Fields(body)
        first, last, size, crc = fields.unpack(CHUNK)
        form, packed = fields.text(), fields.blob(U64)
        span = _Span(start, first, last)
        self._chunks.append(span)
        self._entries = {}
        try:
            data = unpack(form, packed, size)
        except Unpackable as error:
            self._fault("unpackable", str(error), start)
            return
        if not crc:
            self.unchecked += 1
        elif crc != zlib.crc32(data):
            self._fault("crc", "a chunk has another checksum", start)
        yield from self._within(data, span)

    def _within(self, data: bytes, span: _Span) -> Iterator[Recorded]:
        """Yield a chunk's messages. Written out: of the many, each passes here at each reading."""
        begins, size, at = _MESSAGE_BEGINS.unpack_from, len(data), 0
        start, name, channels, entries = span.offset, self.name, self.channels, self._entries
        while at < size:
            if size - at >= _MESSAGE_HEAD:
                op, length, number, sequence, log_ns, published_ns = begins(data, at)
            else:
                op, length = PREFIX.unpack_from(data, at) if size - at >= _HEAD else (0, size)
            end = at + _HEAD + length
            if end > size:
                raise Cut("a chunk ends within a record")
            if op == _MESSAGE:
                if length < MESSAGE.size:
                    raise Cut("a message is too short")
                if number in entries:
                    entries[number].append((log_ns, at))
                else:
                    entries[number] = [(log_ns, at)]
                if not span.first <= log_ns <= span.last:
                    self._fault("index", "a message lies outside its chunk's time", start)
                channel = channels.get(number)
                if channel is None:
                    what = f"a message on topic {number}, which isn't there"
                    self._fault("damaged", what, start)
                else:
                    body = data[at + _MESSAGE_HEAD : end]
                    place = self._counted(number, log_ns)
                    yield Recorded(
                        channel, sequence, log_ns, published_ns, body, place, name, start
                    )
            elif op in (Op.SCHEMA, Op.CHANNEL):
                self._other(op, data[at + _HEAD : end], start)
            at = end

    def _message(self, body: bytes, start: int) -> Iterator[Recorded]:
        if len(body) < MESSAGE.size:
            raise Cut("a message is too short")
        number, sequence, log_ns, published_ns = MESSAGE.unpack_from(body)
        channel = self.channels.get(number)
        if channel is None:
            self._fault("damaged", f"a message on topic {number}, which isn't there", start)
            return
        data, place = body[MESSAGE.size :], self._counted(number, log_ns)
        yield Recorded(channel, sequence, log_ns, published_ns, data, place, self.name, start)

    def _counted(self, channel: int, log_ns: int) -> int:
        """Count a message; return its number among all of the bag."""
        self.counts[channel] += 1
        if self.span is None:
            self.span = log_ns, log_ns
        elif log_ns > self.span[1]:
            self.span = self.span[0], log_ns
        elif log_ns < self.span[0]:
            self.span = log_ns, self.span[1]
        number = self._number
        self._number += 1
        return number

    def _message_index(self, fields: Fields, start: int) -> None:
        (number,) = fields.unpack(U16)
        packed = fields.blob()
        if not self._chunks or len(packed) % INDEX_ENTRY.size:
            raise Cut("an index without its chunk")
        wanted, told = self._entries.get(number, []), list(INDEX_ENTRY.iter_unpack(packed))
        if told != wanted and sorted(told) != sorted(wanted):
            self._fault("index", f"the index of topic {number} isn't that of its chunk", start)

    def _data_end(self, body: bytes, start: int, found: int) -> None:
        (crc,) = Fields(body).unpack(U32)
        if crc and crc != found:
            self._fault("crc", "the data has another checksum", start)
        summary_at = self._at
        rest = self._size - summary_at
        if rest > _MAX_SUMMARY_BYTES:
            self._fault("oversize", f"a summary of {rest} bytes", summary_at)
            return
        self._summary(self._take(rest), summary_at)

    def _summary(self, data: bytes, start: int) -> None:
        """Hold the summary against what was found."""
        at, statistics, chunks, files = 0, None, [], 0
        while at + _HEAD <= len(data):
            op, length = PREFIX.unpack_from(data, at)
            if at + _HEAD + length > len(data):
                self._cut(start + at)
            fields = Fields(data[at + _HEAD : at + _HEAD + length])
            if op == Op.STATISTICS:
                statistics = fields
            elif op == Op.CHUNK_INDEX:
                chunks.append(fields.unpack(U64)[0:1] + fields.unpack(U64) + fields.unpack(U64))
            elif op == Op.ATTACHMENT_INDEX:
                files += 1
            elif op == Op.FOOTER:
                self._footer(fields, data, at, start)
                if data[at + _HEAD + length :] != MAGIC:
                    self._fault("damaged", "it doesn't end as an MCAP file does", start + at)
                break
            at += _HEAD + length
        else:
            self._cut(start + at)
        if statistics is not None:
            self._statistics(statistics, start)
        wanted = [(one.first, one.last, one.offset) for one in self._chunks]
        if chunks and sorted(chunks) != sorted(wanted):
            self._fault("index", "the index of chunks isn't that of the file", start)
        if files and files != len(self.attachments):
            self._fault("index", "the index of attachments isn't that of the file", start)

    def _footer(self, fields: Fields, data: bytes, at: int, start: int) -> None:
        _, _, crc = fields.unpack(FOOTER)
        if crc and crc != zlib.crc32(data[: at + _HEAD + FOOTER.size - U32.size]):
            self._fault("crc", "the summary has another checksum", start)

    def _statistics(self, fields: Fields, start: int) -> None:
        messages, _, _, files, _, chunks, first, last = fields.unpack(STATISTICS)
        packed = fields.blob()
        size = U16.size + U64.size
        if len(packed) % size:
            raise Cut("statistics that end within a number")
        told = {
            U16.unpack_from(packed, at)[0]: U64.unpack_from(packed, at + U16.size)[0]
            for at in range(0, len(packed), size)
        }
        found = {number: count for number, count in self.counts.items() if count}
        same = (
            messages == sum(found.values())
            and {number: count for number, count in told.items() if count} == found
            and files == len(self.attachments)
            and chunks == len(self._chunks)
        )
        if not same:
            self._fault("counts", "its statistics count other messages than it has", start)
        elif found and (first, last) != self.span:
            self._fault("counts", "its statistics state another time than it has", start)
