# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What is packed comes out as it was, in bounded memory, whatever the bytes are."""

from __future__ import annotations

import random
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.ledger import packing
from swarm_ledger.ledger.packing import MAX_BYTES, pack, unpack
from swarm_ledger.sim.arena.growth import growth

NOISE = random.Random(1).randbytes(1 << 12)
SIGNED = [
    b"\x03\x58\x20" + NOISE[:32] + b"\x58\x40" + NOISE[64 * at :][:64] for at in range(1, 10)
]
tricky = st.lists(
    st.sampled_from([b"\x58\x20", b"\x58\x40", b"\x58", bytes(32), NOISE[:64], b"\0"])
)


def packed(lengths: list[int], rest: bytes, strings: bytes = b"") -> bytes:
    """Pack by hand what pack() would not."""
    deflate = zlib.compressobj(zdict=packing.DICTIONARY)
    head = b"".join(one.to_bytes(4, "big") for one in lengths)
    return deflate.compress(head + rest) + deflate.flush() + strings


def refused(data: bytes, count: int = 1) -> str:
    with pytest.raises(NotVerified) as caught:
        unpack(data, count, "height 7")
    assert caught.value.where == "height 7"
    return caught.value.what


@given(st.lists(st.one_of(st.binary(), tricky.map(b"".join)), min_size=1, max_size=6))
def test_what_goes_in_comes_out(parts: list[bytes]) -> None:
    assert unpack(pack(parts), len(parts), "here") == parts


def test_strings_are_kept_once_and_not_deflated() -> None:
    data = pack(SIGNED)
    assert data.count(NOISE[:32]) == 1
    assert all(one[-64:] in data for one in SIGNED)
    assert len(data) < 32 + 9 * 64 + 60
    assert unpack(data, 9, "here") == SIGNED


def test_more_strings_than_marks_can_name() -> None:
    count = packing._MOST_KNOWN + 10
    many = b"".join(b"\x58\x20" + n.to_bytes(32, "big") for n in range(count))
    assert unpack(pack([many + many[:68] + many[-68:]]), 1, "here") == [
        many + many[:68] + many[-68:]
    ]


def test_more_than_a_block_is_refused() -> None:
    assert len(unpack(pack([bytes(MAX_BYTES)]), 1, "here")[0]) == MAX_BYTES
    with pytest.raises(Misuse, match="more than a block's"):
        pack([bytes(MAX_BYTES), b"x"])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "does not hold 1 parts"),
        (b"\x78\xbb\0\0\0\0\0\0", "can't be inflated"),
        (pack([b"abc"])[:-1], "cut off"),
        (pack([b"abc"]) + b"\0", "length that it says"),
        (packed([4], b"abc"), "length that it says"),
        (packed([2], b"abc"), "length that it says"),
        (packed([1], bytes(9999)), "cut off"),
        (packed([MAX_BYTES + 1], b""), "more than 8,388,608 bytes"),
        (packed([2**32 - 1], b""), "more than 8,388,608 bytes"),
        (packed([34], b"\x58\x20\0\1"), "string in it is missing"),
        (packed([34], b"\x58\x20\0\1", bytes(31)), "string in it is missing"),
        (packed([34], b"\x58\x20\0\1", bytes(33)), "length that it says"),
        (packed([34], b"\x58\x20\0\2", bytes(32)), "string in it is missing"),
        (packed([100], b"\x58\x20\0\1\x58\x40\0\2", bytes(32)), "string in it is missing"),
        (packed([68], b"\x58\x20\0\1\x58\x20\xff\xff", bytes(32)), "string in it is missing"),
    ],
)
def test_what_nobody_packed_is_refused(data: bytes, said: str) -> None:
    assert said in refused(data)


def test_a_block_holds_as_many_parts_as_its_row_says() -> None:
    data = pack([b"a", b"b"])
    assert "3 parts" in refused(data, 3)
    assert "length" in refused(data, 1)
    refused(data, 1 << 62)


BOMBS = {
    "of zeros": (packed([5], bytes(1 << 25)), 1, 1 << 20),
    "that says so": (packed([1 << 25], bytes(1 << 25)), 1, 1 << 20),
    "of marks": (packed([1 << 20], b"\x58\x20\0\1" * (1 << 20), bytes(32)), 1, 12 << 20),
    "of one string": (
        packed([1 << 20], b"\x58\x40\0\1" + b"\x58\x40\0\2" * (1 << 20), bytes(64)),
        1,
        12 << 20,
    ),
    "of parts": (packed([0] * (1 << 20), b""), 1 << 40, 2 * MAX_BYTES),
}


@pytest.mark.parametrize("what", BOMBS)
def test_a_bomb_takes_little_memory(what: str) -> None:
    data, count, most = BOMBS[what]
    assert len(data) < 1 << 16
    tracemalloc.start()
    try:
        refused(data, count)
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def test_what_one_program_packed_the_next_one_reads() -> None:
    """The format is on disks: a change of it, or of the dictionary, is a new schema."""
    old = bytes.fromhex(GOLDEN)
    assert unpack(old, 2, "here") == [b"\x03\x58\x20" + bytes(range(32)) + b"vote", b"certificate"]


GOLDEN = (
    "78bbe0d33aeb03daaf0ec4dccc2089b2fc92d4e4d4a292ccb4cce4c492540040a306f00001020304"
    "05060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
)


def test_an_hour_of_votes_stays_below_a_megabyte() -> None:
    """20 robots at 1.78 votes a second: 156 bytes a vote, decisions and certificates included."""
    grown = growth(8)
    assert grown.file < 1_000_000
    assert grown.file > grown.content * 0.6, "signatures and digests can't go"
