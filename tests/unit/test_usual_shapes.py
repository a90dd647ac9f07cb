# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What is read by its usual shape is read as the codec reads it, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_ledger.consensus import messages
from swarm_ledger.consensus.messages import Commit, Message, Prepare
from swarm_ledger.encoding import decode, encode, read_int
from swarm_ledger.errors import PeerFault
from swarm_ledger.voting import observation
from swarm_ledger.voting.limits import MAX_TIME_MS
from swarm_ledger.voting.observation import AnyObservation, NumberObservation, Observation

DIGESTS = st.binary(min_size=32, max_size=32)
COUNTS = st.integers(0, 2**53 - 1)
SEEN = st.builds(
    Observation,
    DIGESTS,
    st.integers(-1, 15),
    st.integers(0, 1_000_000),
    st.integers(1, MAX_TIME_MS),
    DIGESTS,
    st.integers(-1, 6283),
    st.integers(-1, 1_000_000_000),
)
PHASES = st.builds(Prepare, COUNTS, COUNTS, DIGESTS) | st.builds(Commit, COUNTS, COUNTS, DIGESTS)

Read = Callable[[bytes], Any]
FORMS: list[tuple[Any, Any, Read, Read]] = [
    (SEEN, AnyObservation, observation._parse_usual, observation.parse_observation),
    (PHASES, Message, messages._parse_usual, messages.parse),
]


def by_the_codec(data: bytes, form: Any) -> Any:
    try:
        return decode(data, form, limit=1 << 16)
    except PeerFault:
        return None


@pytest.mark.parametrize(("said", "form", "quick", "parse"), FORMS)
@given(data=st.data())
def test_what_is_usual_is_read_quickly(
    said: Any, form: Any, quick: Read, parse: Read, data: st.DataObject
) -> None:
    value = data.draw(said)
    encoded = encode(value)
    assert quick(encoded) == parse(encoded) == by_the_codec(encoded, form) == value


@pytest.mark.parametrize(("said", "form", "quick", "parse"), FORMS)
@given(data=st.data())
def test_changed_bytes_are_read_as_the_codec_reads_them_or_not_at_all(
    said: Any, form: Any, quick: Read, parse: Read, data: st.DataObject
) -> None:
    encoded = bytearray(encode(data.draw(said)))
    at = data.draw(st.integers(0, len(encoded) - 1))
    match data.draw(st.sampled_from(("change", "cut", "insert", "end"))):
        case "change":
            encoded[at] = data.draw(st.integers(0, 255))
        case "cut":
            del encoded[at : at + data.draw(st.integers(1, 9))]
        case "insert":
            encoded[at:at] = data.draw(st.binary(min_size=1, max_size=9))
        case _:
            encoded += data.draw(st.binary(min_size=1, max_size=9))
    found = quick(bytes(encoded))
    assert found is None or found == by_the_codec(bytes(encoded), form)


@pytest.mark.parametrize(
    "wrong",
    [
        {"label": 16},
        {"label": -2},
        {"confidence_ppm": 1_000_001},
        {"confidence_ppm": -1},
        {"stamp_ms": 0},
        {"stamp_ms": MAX_TIME_MS + 1},
        {"bearing_mrad": 6284},
        {"bearing_mrad": -2},
        {"distance_mm": 1_000_000_001},
        {"distance_mm": -2},
        {"image": b""},
        {"question": bytes(31)},
    ],
)
def test_each_bound_of_an_observation_holds(wrong: dict[str, Any]) -> None:
    right = {
        "question": bytes(32),
        "label": 0,
        "confidence_ppm": 1,
        "stamp_ms": 1,
        "image": bytes(32),
        "bearing_mrad": 0,
        "distance_mm": 0,
    }
    assert observation.parse_observation(encode(Observation(**right)))
    with pytest.raises(PeerFault, match="not a valid message"):
        observation.parse_observation(encode(Observation(**{**right, **wrong})))


def test_a_number_is_left_to_the_codec() -> None:
    measured = NumberObservation(bytes(32), 7, 1, 1, b"", -1, -1)
    assert observation._parse_usual(encode(measured)) is None
    assert observation.parse_observation(encode(measured)) == measured


@given(st.integers(-(2**64), 2**64 - 1))
def test_integers_are_read_in_their_one_form(value: int) -> None:
    encoded = encode(value)
    assert read_int(b"before" + encoded + b"after", 6) == (value, 6 + len(encoded))


@pytest.mark.parametrize(
    "data",
    ["1817", "1900ff", "1a0000ffff", "1b00000000ffffffff", "3817", "1c", "1f", "40", "f4", ""],
)
def test_other_forms_of_integers_are_refused(data: str) -> None:
    with pytest.raises((ValueError, IndexError)):
        read_int(bytes.fromhex(data), 0)
