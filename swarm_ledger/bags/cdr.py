# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Reads messages in CDR as ROS 2 serialises them (XCDR1, plain), by a layout that we know.

A bag brings definitions of its types along. They are for others: who lets a stranger's definition
say what is where lets it say what was signed.
"""

from __future__ import annotations

import struct

from swarm_ledger.errors import PeerFault

_LITTLE, _BIG = b"\x00\x01", b"\x00\x00"
_MAX_ITEMS = 1 << 16


_SIZES = {"B": 1, "H": 2, "I": 4, "i": 4, "Q": 8, "f": 4, "d": 8}
_U32 = {_LITTLE: struct.Struct("<I").unpack_from, _BIG: struct.Struct(">I").unpack_from}


class Cdr:
    """Reads fields one after the other. PeerFault("malformed") where the bytes end before."""

    __slots__ = ("_data", "_order", "_u32", "at")

    def __init__(self, data: bytes) -> None:
        form = data[:2]
        if form not in _U32:
            raise PeerFault("malformed", "not a message in plain CDR.")
        self._order = "<" if form == _LITTLE else ">"
        self._u32 = _U32[form]
        self._data, self.at = data, 4

    def numbers(self, form: str) -> tuple[int, ...]:
        """Read numbers of one size, as struct names them."""
        size = _SIZES[form[0]]
        at = self.at + (4 - self.at) % size
        try:
            found: tuple[int, ...] = struct.unpack_from(self._order + form, self._data, at)
        except struct.error as error:
            raise ends() from error
        self.at = at + size * len(found)
        return found

    def u8(self) -> int:
        """Read a byte."""
        at = self.at
        if at >= len(self._data):
            raise ends()
        self.at = at + 1
        return self._data[at]

    def u16(self) -> int:
        """Read a uint16."""
        return self.numbers("H")[0]

    def u32(self) -> int:
        """Read a uint32."""
        at = self.at + (-self.at & 3)
        try:
            found: int = self._u32(self._data, at)[0]
        except struct.error as error:
            raise ends() from error
        self.at = at + 4
        return found

    def u64(self) -> int:
        """Read a uint64."""
        return self.numbers("Q")[0]

    def f32(self) -> float:
        """Read a float32."""
        return self.numbers("f")[0]

    def raw(self, length: int) -> bytes:
        """Read that many bytes."""
        start = self.at
        self.at += length
        if self.at > len(self._data):
            raise ends()
        return self._data[start : self.at]

    def blob(self) -> bytes:
        """Read a sequence of bytes."""
        at = self.at + (-self.at & 3)
        try:
            end = at + 4 + self._u32(self._data, at)[0]
        except struct.error as error:
            raise ends() from error
        if end > len(self._data):
            raise ends()
        self.at = end
        return self._data[at + 4 : end]

    def text(self) -> str:
        """Read a string."""
        return plain_text(self.blob())

    def count(self) -> int:
        """Read how many elements a sequence has."""
        count = self.u32()
        if count > _MAX_ITEMS:
            raise PeerFault("malformed", f"a sequence of {count}.")
        return count

    def texts(self) -> tuple[str, ...]:
        """Read a sequence of strings."""
        return tuple(self.text() for _ in range(self.count()))

    def u16s(self) -> tuple[int, ...]:
        """Read a sequence of uint16."""
        count = self.count()
        return self.numbers("H" * count) if count else ()

    def time_ns(self) -> int:
        """Read a Time or a Duration, in nanoseconds."""
        (seconds,), (nanos,) = self.numbers("i"), self.numbers("I")
        return seconds * 1_000_000_000 + nanos

    def end(self) -> None:
        """Check that nothing comes behind, but for what aligns it."""
        if not 0 <= len(self._data) - self.at <= 3:
            raise PeerFault("malformed", "a message goes on behind its fields.")


def plain_text(raw: bytes) -> str:
    """Return a string from its bytes, with the NUL that ends it or without; PeerFault."""
    try:
        return raw[:-1].decode() if raw[-1:] == b"\0" else raw.decode()
    except UnicodeDecodeError as error:
        raise PeerFault("malformed", "a text is no UTF-8.") from error


def ends() -> PeerFault:
    """Return the fault of a message that is too short."""
    return PeerFault("malformed", "a message ends before its fields do.")
