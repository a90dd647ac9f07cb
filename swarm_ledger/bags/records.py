# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""MCAP's records, as bytes (https://mcap.dev/spec)."""

from __future__ import annotations

import struct
from enum import IntEnum

MAGIC = b"\x89MCAP0\r\n"
PREFIX = struct.Struct("<BQ")
MESSAGE = struct.Struct("<HIQQ")
CHUNK = struct.Struct("<QQQI")
INDEX_ENTRY = struct.Struct("<QQ")
U16, U32, U64 = struct.Struct("<H"), struct.Struct("<I"), struct.Struct("<Q")
STATISTICS = struct.Struct("<QHIIIIQQ")
FOOTER = struct.Struct("<QQI")


class Op(IntEnum):
    """What a record is."""

    HEADER = 0x01
    FOOTER = 0x02
    SCHEMA = 0x03
    CHANNEL = 0x04
    MESSAGE = 0x05
    CHUNK = 0x06
    MESSAGE_INDEX = 0x07
    CHUNK_INDEX = 0x08
    ATTACHMENT = 0x09
    ATTACHMENT_INDEX = 0x0A
    STATISTICS = 0x0B
    METADATA = 0x0C
    METADATA_INDEX = 0x0D
    SUMMARY_OFFSET = 0x0E
    DATA_END = 0x0F


class Cut(ValueError):  # noqa: N818  - a fault, named as the house names it
    """A record that ends before its fields do."""


class Fields:
    """Reads the fields of a record, one after the other; Cut where there is no more."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def unpack(self, form: struct.Struct) -> tuple[int, ...]:
        """Read numbers."""
        try:
            found: tuple[int, ...] = form.unpack_from(self.data, self.at)
        except struct.error as error:
            raise Cut("a record is too short") from error
        self.at += form.size
        return found

    def blob(self, form: struct.Struct = U32) -> bytes:
        """Read bytes behind their length."""
        (length,) = self.unpack(form)
        if length > len(self.data) - self.at:
            raise Cut("a field is longer than its record")
        self.at += length
        return self.data[self.at - length : self.at]

    def text(self) -> str:
        """Read text; what is no UTF-8 is replaced, as nothing compares equal to that."""
        return self.blob().decode("utf-8", "replace")

    def map(self) -> dict[str, str]:
        """Read a map of texts."""
        inner = Fields(self.blob())
        found = {}
        while inner.at < len(inner.data):
            key = inner.text()
            found[key] = inner.text()
        return found


def record(op: Op, body: bytes) -> bytes:
    """Return a whole record."""
    return PREFIX.pack(op, len(body)) + body


def blob(data: bytes) -> bytes:
    """Return bytes behind their length."""
    return U32.pack(len(data)) + data


def text(value: str) -> bytes:
    """Return text as a field."""
    return blob(value.encode())


def text_map(values: dict[str, str]) -> bytes:
    """Return a map of texts as a field."""
    return blob(b"".join(text(key) + text(value) for key, value in values.items()))
