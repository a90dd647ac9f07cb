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


class Cdr:
    """Reads fields one after the other. PeerFault("malformed") where the bytes end before."""

    __slots__ = ("_data", "_order", "at")

    def __init__(self, data: bytes) -> None:
        if data[:2] == _LITTLE:
            self._order = "<"
        elif data[:2] == _BIG:
            self._order = ">"
        else:
            raise PeerFault("malformed", "not a message in plain CDR.")
        self._data, self.at = data, 4

    def numbers(self, form: str, size: int) -> tuple[int, ...]:
        """Read numbers of one size, as struct names them."""
        at = self.at + (4 - self.at) % size
        try:
            found: tuple[int, ...] = struct.unpack_from(self._order + form, self._data, at)
        except struct.error as error:
            raise PeerFault("malformed", "a message ends before its fields do.") from error
        self.at = at + size * len(found)
        return found

    def u8(self) -> int:
        """Read a byte."""
        return self.numbers("B", 1)[0]

    def u16(self) -> int:
        """Read a uint16."""
        return self.numbers("H", 2)[0]

    def u32(self) -> int:
        """Read a uint32."""
        return self.numbers("I", 4)[0]

    def u64(self) -> int:
        """Read a uint64."""
        return self.numbers("Q", 8)[0]

    def f32(self) -> float:
        """Read a float32."""
        return self.numbers("f", 4)[0]

    def f64s(self, count: int) -> tuple[float, ...]:
        """Read float64s."""
        return self.numbers("d" * count, 8)

    def raw(self, length: int) -> bytes:
        """Read that many bytes."""
        end = self.at + length
        if end > len(self._data):
            raise PeerFault("malformed", "a message ends before its fields do.")
        found = self._data[self.at : end]
        self.at = end
        return found

    def blob(self) -> bytes:
        """Read a sequence of bytes."""
        return self.raw(self.u32())

    def text(self) -> str:
        """Read a string."""
        found = self.blob()
        try:
            return found[:-1].decode() if found[-1:] == b"\0" else found.decode()
        except UnicodeDecodeError as error:
            raise PeerFault("malformed", "a text is no UTF-8.") from error

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
        return self.numbers("H" * count, 2) if count else ()

    def time_ns(self) -> int:
        """Read a Time or a Duration, in nanoseconds."""
        seconds, nanos = self.numbers("iI", 4)
        return seconds * 1_000_000_000 + nanos

    def end(self) -> None:
        """Check that nothing comes behind, but for what aligns it."""
        if len(self._data) - self.at > 3:
            raise PeerFault("malformed", "a message goes on behind its fields.")
