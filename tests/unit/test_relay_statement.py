# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What is written and read in haste about a message is what the one codec writes and reads."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from swarm_ledger.encoding import decode, encode
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.ledger.merkle import leaf_hash
from swarm_ledger.relay.statement import (
    MAX_SEALED_BYTES,
    Notarised,
    Statement,
    Windowed,
    parse_windowed,
)
from tests.crew import Crew
from tests.relayed import DATA, HASH, LATER_US, ODOM, ODOMETRY, sender

_EDGES = [1, 23, 24, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**53 - 1]
_NUMBERS = st.sampled_from(_EDGES) | st.integers(1, 2**53 - 1)
_HASHES = st.binary(min_size=32, max_size=32)


@given(
    topic=st.from_regex(r"\A(/[a-z]{1,12}){1,20}\Z"),
    type_hash=st.sampled_from(["", HASH]),
    sequence=_NUMBERS,
    stamp_us=_NUMBERS,
    sha256=_HASHES,
)
def test_a_statement_has_one_encoding(
    topic: str, type_hash: str, sequence: int, stamp_us: int, sha256: bytes
) -> None:
    said = Statement(topic[:255].rstrip("/"), ODOMETRY, type_hash, sequence, stamp_us, sha256)
    assert said.encoded() == encode(said)
    assert said.leaf == leaf_hash(encode(said))
    assert decode(said.encoded(), Statement, limit=MAX_SEALED_BYTES) == said


@pytest.mark.parametrize(
    "fields",
    [
        {"topic": "odom"},
        {"topic": "/" + "a" * 255},
        {"topic": "/a\n"},
        {"type_name": "Odometry"},
        {"type_hash": "RIHS01_"},
        {"sequence": 0},
        {"sequence": 2**53},
        {"sequence": 1 << 21},
        {"stamp_us": 0},
        {"stamp_us": 2**53},
    ],
)
def test_what_is_no_statement_is_refused(fields: dict[str, object]) -> None:
    held = {
        "topic": ODOM,
        "type_name": ODOMETRY,
        "type_hash": HASH,
        "sequence": 1 << 21 | 1,
        "stamp_us": LATER_US,
    }
    more = {"data": DATA, "swarm_id": "test", "epoch": 1, "sealed": b""}
    Notarised(**held, **more).statement()  # type: ignore[arg-type]
    with pytest.raises(PeerFault) as caught:
        Notarised(**held | fields, **more).statement()  # type: ignore[arg-type]
    assert caught.value.reason == "malformed"


def test_a_sender_signs_nothing_that_is_refused(crew: Crew) -> None:
    by = sender(crew)
    for topic, type_name, type_hash in (
        ("odom", ODOMETRY, HASH),
        (ODOM, "Odometry", HASH),
        (ODOM, ODOMETRY, "x"),
        ("/\ud800", ODOMETRY, HASH),
    ):
        with pytest.raises(Misuse, match="can't be signed"):
            by.add(topic, type_name, type_hash, DATA, LATER_US)
    assert not list(by.close(LATER_US))


_TIED = Windowed(b"w" * 200, 7, (b"a" * 32, b"b" * 32))


@given(
    window=st.binary(max_size=300) | st.sampled_from([b"x" * 23, b"x" * 24, b"x" * 256]),
    index=st.integers(0, 255),
    path=st.lists(_HASHES, max_size=8),
)
def test_a_place_in_a_window_is_read_as_it_is_written(
    window: bytes, index: int, path: list[bytes]
) -> None:
    tied = Windowed(window, index, tuple(path))
    assert parse_windowed(encode(tied)) == tied


@given(
    tied=st.builds(
        Windowed,
        st.binary(max_size=40) | st.binary(min_size=250, max_size=260),
        st.integers(0, 300),
        st.lists(_HASHES | st.binary(max_size=33), max_size=9).map(tuple),
    ),
    at=st.integers(0, 700),
    value=st.integers(0, 255),
    cut=st.integers(0, 40),
)
@example(tied=_TIED, at=0, value=0x84, cut=0)
@example(tied=Windowed(b"", 3, ()), at=2, value=0x18, cut=0)
def test_it_takes_what_the_codec_takes_and_nothing_else(
    tied: Windowed, at: int, value: int, cut: int
) -> None:
    whole = encode(tied)
    for data in (
        whole,
        whole[: len(whole) - cut],
        whole[:at] + bytes([value]) + whole[at + 1 :],
        whole[:at] + bytes([value]) + whole[at:],
        b"\x83\x58\x00" + whole[2:],  # lengths and numbers in longer forms
        b"\x83\x59\x00" + whole[2:],
        whole.replace(b"\x18", b"\x19\x00", 1),
    ):
        taken = [
            _or_reason(lambda: parse_windowed(data)),  # noqa: B023
            _or_reason(lambda: decode(data, Windowed, limit=MAX_SEALED_BYTES)),  # noqa: B023
        ]
        assert taken[0] == taken[1]
    with pytest.raises(PeerFault, match="allowed"):
        parse_windowed(bytes(MAX_SEALED_BYTES + 1))


def _or_reason(read: Callable[[], Windowed]) -> Windowed | str:
    try:
        return read()
    except PeerFault as fault:
        return fault.reason
