# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The codec: what goes in comes out, and there is no second way to write it."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_ledger.consensus.messages import Batch, Message, Prepare, PrePrepare
from swarm_ledger.encoding import MAX_DEPTH, Record, decode, digest, encode
from swarm_ledger.errors import Misuse, PeerFault

LIMIT = 1 << 16
Plain = int | bytes | str | bool | None | list[Any] | dict[int, Any]


class Pair(Record, frozen=True):
    number: int
    data: bytes


atoms = (
    st.integers(-(2**63), 2**63 - 1)
    | st.binary(max_size=40)
    | st.text(max_size=20)
    | st.booleans()
    | st.none()
)
trees = st.recursive(
    atoms,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.integers(0, 23), inner, max_size=4)
    ),
    max_leaves=12,
)


def refused(data: bytes, form: Any = Any) -> str:
    with pytest.raises(PeerFault) as caught:
        decode(data, form, limit=LIMIT)
    return caught.value.reason


@given(trees)
def test_what_is_encoded_is_decoded(value: Any) -> None:
    try:
        data = encode(value)
    except Misuse:
        return
    try:
        assert decode(data, Any, limit=LIMIT) == value
    except PeerFault:
        assert _depth(value) > MAX_DEPTH - 1


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


@given(
    st.integers(0, 2**53 - 1),
    st.integers(0, 2**53 - 1),
    st.lists(st.binary(min_size=32, max_size=32)),
)
def test_records_survive(view: int, seq: int, keys: list[bytes]) -> None:
    for message in (
        Prepare(view, seq, digest(b"")),
        PrePrepare(view, Batch(seq, 5, tuple(keys[:9]))),
    ):
        assert decode(encode(message), Message, limit=LIMIT) == message


@given(st.binary(max_size=300))
def test_bytes_that_decode_are_the_only_ones_for_their_value(data: bytes) -> None:
    try:
        value: Any = decode(data, Any, limit=LIMIT)
    except PeerFault:
        return
    assert encode(value) == data


@given(st.binary(min_size=1, max_size=8), st.integers(0, 60))
def test_a_changed_record_is_refused_or_another_record(noise: bytes, at: int) -> None:
    good = Prepare(3, 900, digest(b"batch"))
    data = bytearray(encode(good))
    data[at % len(data) : at % len(data) + len(noise)] = noise
    try:
        other: Any = decode(bytes(data), Message, limit=LIMIT)
    except PeerFault:
        return
    assert (other == good) == (bytes(data) == encode(good))


def test_the_bytes_are_these() -> None:
    assert encode(Pair(1, b"ab")) == bytes.fromhex("82 01 42 6162")
    assert encode({4: b"k", 1: -8}) == bytes.fromhex("a2 01 27 04 41 6b")
    assert encode(["a", None, True, 256]) == bytes.fromhex("84 6161 f6 f5 190100")
    assert digest(b"abc") == hashlib.sha256(b"abc").digest()


@pytest.mark.parametrize(
    "data",
    [
        "18 05",  # 5 in two bytes
        "19 0005",
        "1b 0000000000000005",
        "58 01 61",  # a length in two bytes
        "9f 01 ff",  # indefinite array
        "5f 41 61 ff",  # indefinite bytes
        "7f 61 61 ff",
        "bf 01 02 ff",
        "a2 01 02 01 03",  # a key twice
        "a2 04 01 01 02",  # keys out of order
        "c1 01",  # tags: a date, a big number, a shared reference, a set, ours
        "c2 41 05",
        "d8 1c 80",
        "d9 0102 81 01",
        "d2 80",
        "f9 3c00",  # 1.0 as half, single and double, and what is no number
        "fa 3f800000",
        "fb 3ff0000000000000",
        "f9 7e00",
        "f9 7c00",
        "f7",  # undefined
        "e0",  # an unassigned simple value
        "f8 20",
        "ff",  # a break alone
        "01 01",  # something after the end
        "82 01",  # something missing
        "1c",  # reserved
        "62 c328",  # not UTF-8
        "",
    ],
)
def test_no_second_encoding_no_tags_no_floats(data: str) -> None:
    assert refused(bytes.fromhex(data)) == "malformed"


@pytest.mark.parametrize("form", [Any, Pair, Message, tuple[bytes, bytes], dict[int, bytes]])
def test_huge_lengths_cost_nothing(form: Any) -> None:
    for head in (0x5B, 0x7B, 0x9B, 0xBB):
        for length in (2**32, 2**62, 2**64 - 1):
            assert refused(bytes([head]) + struct.pack(">Q", length), form) == "malformed"


def test_depth_is_bounded() -> None:
    ok = b"\x81" * (MAX_DEPTH - 1) + b"\x01"
    assert encode(decode(ok, Any, limit=LIMIT)) == ok
    for depth in (MAX_DEPTH + 1, 100, 30_000):
        assert refused(b"\x81" * depth + b"\x01") == "malformed"
        assert refused(b"\xa1\x01" * depth + b"\x01") == "malformed"


def test_the_limit_comes_first() -> None:
    with pytest.raises(PeerFault) as caught:
        decode(b"\xff" * 11, Any, limit=10)
    assert caught.value.reason == "oversize"
    assert decode(encode(bytes(9)), bytes, limit=10) == bytes(9)


def test_bytes_are_not_text() -> None:
    # msgspec by itself takes base64 text where bytes are wanted.
    assert refused(cbor2.dumps([1, "YWI="]), Pair) == "malformed"
    assert refused(cbor2.dumps([True, b"ab"]), Pair) == "malformed"


def test_fields_are_all_there_and_no_more() -> None:
    for fields in ([1], [1, b"", 0], {"number": 1, "data": b""}, [b"", 1], [None, None]):
        assert refused(cbor2.dumps(fields), Pair) == "malformed"
    for fields in (
        [7, 1],
        [99, 1, 2, bytes(32)],
        [],
        ["a"],
        [2, 1, 2, bytes(31)],
        [2, -1, 2, b""],
    ):
        assert refused(cbor2.dumps(fields), Message) == "malformed"


@pytest.mark.parametrize("value", [1.5, [1, 2.0], {1: float("nan")}, object(), 1j])
def test_what_has_no_form_is_our_own_fault(value: object) -> None:
    with pytest.raises(Misuse, match="cannot encode"):
        encode(value)
