# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How blocks and notes lie on a disk: deflated, with signatures and digests beside.

What is signed and hashed is never what is packed. More than half of a ledger is signatures and
digests, which can't be deflated and make the rest deflate worse: each CBOR byte string of 32 or 64
bytes is lifted out, once, and a mark is left in its place. docs/formats.md has the bytes.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from itertools import accumulate, pairwise

from swarm_ledger.errors import Misuse, NotVerified

MAX_BYTES = 1 << 23
"""Of what is packed together: twice the largest block that is ordered, certificate and all."""

_LENGTH, _HEAD, _MARK = 4, 2, 2
_LEAST_LIFTED = _HEAD + 32
_NONE, _NEW, _FIRST_KNOWN = b"\0\0", b"\0\1", 2
_MOST_KNOWN = (1 << 8 * _MARK) - _FIRST_KNOWN
_LIFTED = re.compile(rb"(\x58(?:\x20.{32}|\x40.{64}|[\x20\x40]))", re.DOTALL)
"""A head and its string; a head alone if too few bytes follow. Or the same bytes anywhere else."""

_MOST_LITERAL = 40
"""Of heads with no string behind them, which only fit into the last 65 bytes."""

_MARKED = re.compile(rb"(\x58[\x20\x40])(..)", re.DOTALL)

DICTIONARY = "— /drone_ AAAABw\n\n".encode() + bytes.fromhex(
    # delegation, question, decision, tick; header; COMMIT, vote: the likeliest come last
    "01d2844da201270448a05889a501480448041a70051a70db08a101a30101200621582000018100010000005840"
    "0001584000010202d2844da20127044886016a6563757069" + "74776f5f666163657381011950"
    "22830186016a8c01582000010082000000141b0000011b000001b811"
    "04d2844da2012704a04b81011b000001b8584000012185011b000001b80058200001"
    "587c10d2844da201270448a058268403000158200002" + "58400001587c10d2844da2012704"
    "03d2844da201270448a0585988015820000200001a000f1b000001b85820000100195840000103d2844da201"
)
"""What deflate may point back to in the first place, for small blocks. Never to be changed."""


def pack(parts: Sequence[bytes]) -> bytes:
    """Return parts in less room; Misuse if they have more than 8 MiB together."""
    data = b"".join(parts)
    if len(data) > MAX_BYTES:
        raise Misuse(f"{len(data):,} bytes are more than a block's {MAX_BYTES:,}.")
    rest, strings = _lift(data)
    deflate = zlib.compressobj(zdict=DICTIONARY)
    lengths = b"".join(len(part).to_bytes(_LENGTH, "big") for part in parts)
    return deflate.compress(lengths + rest) + deflate.flush() + strings


def unpack(packed: bytes, count: int, where: str) -> list[bytes]:
    """Return the `count` parts that were packed, at least one.

    NotVerified, naming where, for what pack() does not make; it takes memory in proportion to
    the 8 MiB that parts may have, whatever the bytes say.
    """
    inflate = zlib.decompressobj(zdict=DICTIONARY)
    try:
        head = inflate.decompress(packed, min(_LENGTH * count, MAX_BYTES))
        if len(head) != _LENGTH * count:
            raise NotVerified(f"it does not hold {count} parts", where=where)
        lengths = [
            int.from_bytes(head[at : at + _LENGTH], "big") for at in range(0, len(head), _LENGTH)
        ]
        total = sum(lengths)
        if total > MAX_BYTES:
            raise NotVerified(f"it has more than {MAX_BYTES:,} bytes", where=where)
        rest = inflate.decompress(inflate.unconsumed_tail, total + _MARK * _MOST_LITERAL + 1)
    except zlib.error as error:
        raise NotVerified(f"it can't be inflated ({error})", where=where) from error
    if not inflate.eof:
        raise NotVerified("it is cut off, or holds more than it says", where=where)
    data = _lower(rest, inflate.unused_data, total, where)
    ends = accumulate(lengths, initial=0)
    return [data[start:stop] for start, stop in pairwise(ends)]


def _lift(data: bytes) -> tuple[bytes, bytes]:
    """Return data with a mark for the string behind each head, and the strings.

    A mark is 0 where none was lifted, 1 for the next one, from 2 on for those before, in order.
    """
    known: dict[bytes, bytes] = {}
    strings: list[bytes] = []
    pieces = _LIFTED.split(data)
    for at in range(1, len(pieces), 2):
        found = pieces[at]
        mark = known.get(found)
        if mark is None:
            mark = _NONE
            if len(found) > _HEAD:
                mark = _NEW
                strings.append(found[_HEAD:])
                if len(known) < _MOST_KNOWN:
                    known[found] = (_FIRST_KNOWN + len(known)).to_bytes(_MARK, "big")
        pieces[at] = found[:_HEAD] + mark
    return b"".join(pieces), b"".join(strings)


def _lower(rest: bytes, strings: bytes, total: int, where: str) -> bytes:
    """Undo _lift(), which must give `total` bytes and use all strings."""
    known: list[bytes] = []
    # each mark stands for a head and a string; what has more of them does not give `total` bytes
    pieces = _MARKED.split(rest, total // _LEAST_LIFTED + _MOST_LITERAL)
    used = 0
    for at in range(2, len(pieces), 3):
        mark, size = pieces[at], pieces[at - 1][1]
        if mark == _NEW:
            string = strings[used : used + size]
            used += size
            known.append(string)
        elif mark == _NONE:
            string, size = b"", 0
        else:
            place = int.from_bytes(mark, "big") - _FIRST_KNOWN
            string = known[place] if place < len(known) else b""
        if len(string) != size:
            raise NotVerified("a string in it is missing", where=where)
        pieces[at] = string
    if sum(map(len, pieces)) != total or used != len(strings):
        raise NotVerified("it does not have the length that it says", where=where)
    return b"".join(pieces)
