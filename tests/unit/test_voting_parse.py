# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Questions, observations and decisions from outside: valid in every field, or a PeerFault."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_ledger.encoding import Record, encode
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.voting import (
    ABSTAIN,
    Majority,
    Observation,
    OutcomeKind,
    Question,
    parse_decision,
    parse_observation,
    parse_question,
    question_id,
)
from swarm_ledger.voting.observation import UNMEASURED

TIME = 2**53 - 1

# Each message as the plain array on the wire: what a hostile peer edits.
QUESTION = [1, "target 1: cup or faces?", ["cup", "two_faces"], [1], 5_000, bytes(range(16))]
OBSERVATION = [1, b"q" * 32, 1, 875_000, 1_700_000_000_000, b"i" * 32, 3_141, 12_500]
DECISION = [1, 7, b"q" * 32, 1, 1, [2, 4], 1, 0, 7, 1_000, 1_250, 42]

PARSERS: dict[str, tuple[Callable[[bytes], Record], list[object]]] = {
    "question": (parse_question, QUESTION),
    "observation": (parse_observation, OBSERVATION),
    "decision": (parse_decision, DECISION),
}
EACH = pytest.mark.parametrize(("parse", "plain"), PARSERS.values(), ids=PARSERS)


def edited(plain: list[object], **changes: object) -> bytes:
    """Return the wire form of `plain` with fields replaced by position: f3=..., f4=..."""
    copy = list(plain)
    for name, value in changes.items():
        copy[int(name[1:])] = value
    return cbor2.dumps(copy, canonical=True)


def refused(parse: Callable[[bytes], Record], data: bytes) -> str:
    with pytest.raises(PeerFault) as caught:
        parse(data)
    return caught.value.reason


def test_a_question_reads_as_written_and_is_named_by_its_digest() -> None:
    question = parse_question(cbor2.dumps(QUESTION))
    assert question == Question(
        subject="target 1: cup or faces?",
        labels=("cup", "two_faces"),
        rule=Majority(),
        duration_ms=5_000,
        nonce=bytes(range(16)),
    )
    assert encode(question) == cbor2.dumps(QUESTION)
    assert question_id(encode(question)) == hashlib.sha256(cbor2.dumps(QUESTION)).digest()


def test_an_observation_reads_as_written() -> None:
    seen = parse_observation(cbor2.dumps(OBSERVATION))
    assert seen == Observation(
        question=b"q" * 32,
        label=1,
        confidence_ppm=875_000,
        stamp_ms=1_700_000_000_000,
        image=b"i" * 32,
        bearing_mrad=3_141,
        distance_mm=12_500,
    )
    assert encode(seen) == cbor2.dumps(OBSERVATION)


def test_the_bytes_of_a_decision_are_final() -> None:
    decision = parse_decision(cbor2.dumps(DECISION))
    assert (decision.outcome, decision.label) == (OutcomeKind.DECIDED, 1)
    assert encode(decision) == cbor2.dumps(DECISION)
    golden = "8c01075820" + "71" * 32 + "01018202040100071903e81904e2182a"
    assert encode(decision).hex() == golden


@pytest.mark.parametrize(
    "changes",
    [
        {"f1": "x"},
        {"f1": "~" * 64},
        {"f2": ["a", "b"]},
        {"f2": [f"label_{i:026}" for i in range(16)]},
        {"f4": 1},
        {"f4": 86_400_000},
    ],
)
def test_questions_at_the_edge_are_valid(changes: dict[str, object]) -> None:
    assert encode(parse_question(edited(QUESTION, **changes))) == edited(QUESTION, **changes)


def test_the_largest_valid_question_fits_its_limit() -> None:
    labels = [f"label_{i:026}" for i in range(16)]
    largest = edited(QUESTION, f1="~" * 64, f2=labels, f4=86_400_000)
    assert parse_question(largest).labels == tuple(labels)


@pytest.mark.parametrize(
    "changes",
    [
        {"f0": 0},
        {"f0": 2},
        {"f1": ""},
        {"f1": "x" * 65},
        {"f1": "cup\n"},
        {"f1": "\x1b[2Jcup"},
        {"f1": "cup \u202e"},
        {"f1": "сup"},
        {"f1": b"cup"},
        {"f2": []},
        {"f2": ["cup"]},
        {"f2": [f"l{i}" for i in range(17)]},
        {"f2": ["cup", "cup"]},
        {"f2": ["cup", "two_faces", "cup"]},
        {"f2": ["cup", "unknown"]},
        {"f2": ["cup", ""]},
        {"f2": ["cup", "x" * 33]},
        {"f2": ["cup", "Cup"]},
        {"f2": ["cup", "two faces"]},
        {"f2": ["cup", "two-faces"]},
        {"f2": ["cup", "cup\n"]},
        {"f2": ["cup", "сup"]},
        {"f2": ["cup", "ｃup"]},
        {"f2": ["cup", "cup\u200b"]},
        {"f2": ["l1", "l\u0661"]},
        {"f2": ["cup", 1]},
        {"f2": "cup"},
        {"f3": []},
        {"f3": [0]},
        {"f3": [2]},
        {"f3": [1, 0]},
        {"f3": 1},
        {"f3": None},
        {"f4": 0},
        {"f4": -1},
        {"f4": 86_400_001},
        {"f4": True},
        {"f4": "5000"},
        {"f5": bytes(15)},
        {"f5": bytes(17)},
        {"f5": "AAAAAAAAAAAAAAAAAAAAAA=="},
    ],
    ids=str,
)
def test_a_question_with_a_bad_field_is_a_peers_fault(changes: dict[str, object]) -> None:
    assert refused(parse_question, edited(QUESTION, **changes)) == "malformed"


@pytest.mark.parametrize(
    "changes",
    [
        {"f2": ABSTAIN},
        {"f2": 0},
        {"f2": 15},
        {"f3": 0},
        {"f3": 1_000_000},
        {"f4": 1},
        {"f4": TIME},
        {"f6": UNMEASURED},
        {"f6": 0},
        {"f6": 6283},
        {"f7": UNMEASURED},
        {"f7": 0},
        {"f7": 1_000_000_000},
    ],
    ids=str,
)
def test_observations_at_the_edge_are_valid(changes: dict[str, object]) -> None:
    data = edited(OBSERVATION, **changes)
    assert encode(parse_observation(data)) == data


@pytest.mark.parametrize(
    "changes",
    [
        {"f0": 0},
        {"f0": 2},
        {"f1": b"q" * 31},
        {"f1": b"q" * 33},
        {"f1": "q" * 32},
        {"f2": -2},
        {"f2": 16},
        {"f2": False},
        {"f2": "cup"},
        {"f3": -1},
        {"f3": 1_000_001},
        {"f3": None},
        {"f4": 0},
        {"f4": -1},
        {"f4": TIME + 1},
        {"f4": 2**64 - 1},
        {"f4": 2**64},
        {"f5": b""},
        {"f5": b"i" * 31},
        {"f5": b"i" * 33},
        {"f6": -2},
        {"f6": 6284},
        {"f7": -2},
        {"f7": 1_000_000_001},
        {"f7": 12.5},
    ],
    ids=str,
)
def test_an_observation_with_a_bad_field_is_a_peers_fault(changes: dict[str, object]) -> None:
    assert refused(parse_observation, edited(OBSERVATION, **changes)) == "malformed"


@pytest.mark.parametrize(
    "changes",
    [
        {"f3": 2, "f4": -1},
        {"f3": 3, "f4": -1},
        {"f5": [0, 1023], "f6": 0, "f7": 1, "f8": 1024},
        {"f5": [1] * 16, "f6": 0, "f8": 16, "f4": 15},
        {"f9": TIME, "f10": TIME, "f11": TIME},
        {"f9": 0, "f10": 0, "f11": 0},
    ],
    ids=str,
)
def test_decisions_at_the_edge_are_valid(changes: dict[str, object]) -> None:
    data = edited(DECISION, **changes)
    assert encode(parse_decision(data)) == data


@pytest.mark.parametrize(
    "changes",
    [
        {"f0": 0},
        {"f1": 0},
        {"f1": -1},
        {"f2": b"q" * 31},
        {"f3": 0, "f4": -1},
        {"f3": 0},
        {"f3": 4},
        {"f3": 2},
        {"f3": 3},
        {"f4": -1},
        {"f4": -2},
        {"f4": 2},
        {"f4": 16},
        {"f5": [0, 0]},
        {"f5": [6, 0]},
        {"f5": [6]},
        {"f5": [0] * 17},
        {"f5": [-1, 4]},
        {"f5": [2, 5]},
        {"f6": 2},
        {"f7": 1},
        {"f6": -1},
        {"f8": 0},
        {"f8": 6},
        {"f8": 1025},
        {"f9": 1_251},
        {"f9": -1},
        {"f10": TIME + 1},
        {"f11": -1},
    ],
    ids=str,
)
def test_a_decision_that_cannot_be_is_a_peers_fault(changes: dict[str, object]) -> None:
    assert refused(parse_decision, edited(DECISION, **changes)) == "malformed"


@EACH
def test_missing_and_extra_fields_are_refused(
    parse: Callable[[bytes], Record], plain: list[object]
) -> None:
    for length in range(len(plain)):
        assert refused(parse, cbor2.dumps(plain[:length])) == "malformed"
    extras: list[object] = [0, None, b"", []]
    for extra in extras:
        assert refused(parse, cbor2.dumps([*plain, extra])) == "malformed"


@EACH
def test_a_message_has_only_one_encoding(
    parse: Callable[[bytes], Record], plain: list[object]
) -> None:
    data = cbor2.dumps(plain)
    assert data[0] == 0x80 + len(plain)
    longer_head = bytes([0x98, len(plain)]) + data[1:]
    indefinite = b"\x9f" + data[1:] + b"\xff"
    wide_tag = data[:1] + b"\x18\x01" + data[2:]
    tagged = b"\xd9\xd9\xf7" + data
    as_map = cbor2.dumps(dict(enumerate(plain)))
    for other in (longer_head, indefinite, wide_tag, tagged, as_map, data + b"\x00", b""):
        assert refused(parse, other) == "malformed"


@EACH
def test_truncated_and_oversize_bytes_are_refused(
    parse: Callable[[bytes], Record], plain: list[object]
) -> None:
    data = cbor2.dumps(plain)
    for length in range(len(data)):
        assert refused(parse, data[:length]) == "malformed"
    assert refused(parse, data + bytes(1024)) == "oversize"


@EACH
def test_one_kind_of_message_is_not_another(
    parse: Callable[[bytes], Record], plain: list[object]
) -> None:
    others = [other for _, other in PARSERS.values() if other is not plain]
    assert [refused(parse, cbor2.dumps(other)) for other in others] == ["malformed"] * 2


@EACH
@given(data=st.data())
def test_garbage_and_flipped_bytes_never_crash_nor_read_two_ways(
    parse: Callable[[bytes], Record], plain: list[object], data: st.DataObject
) -> None:
    wire = bytearray(cbor2.dumps(plain))
    for _ in range(data.draw(st.integers(1, 3))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    for hostile in (bytes(wire), data.draw(st.binary(max_size=130))):
        try:
            value = parse(hostile)
        except PeerFault:
            continue
        assert encode(value) == hostile


def test_our_own_bad_question_says_what_to_do() -> None:
    with pytest.raises(Misuse, match="twice") as twice:
        Question("target", ("cup", "cup"), Majority(), 1_000, bytes(16))
    assert "once" in twice.value.explain()
    with pytest.raises(Misuse, match="reserved"):
        Question("target", ("cup", "unknown"), Majority(), 1_000, bytes(16))


def described(**changes: object) -> str:
    question = parse_question(cbor2.dumps(QUESTION))
    data = edited(DECISION, f2=question_id(encode(question)), **changes)
    return parse_decision(data).describe(question)


def test_a_decision_is_described_for_people() -> None:
    assert described() == (
        "Decision 7 at height 42: target 1: cup or faces?: two_faces "
        "(cup 2, two_faces 4, unknown 1; 7 voters; open for 250 ms)"
    )
    assert ": tie (cup 2, two_faces 2," in described(f3=3, f4=-1, f5=[2, 2])
    assert ": undecided (" in described(f3=2, f4=-1)
    assert "unknown 0, voided 1; 7 voters" in described(f6=0, f7=1)


def test_a_decision_is_not_described_with_another_question() -> None:
    decision = parse_decision(cbor2.dumps(DECISION))
    with pytest.raises(Misuse, match="does not answer"):
        decision.describe(parse_question(cbor2.dumps(QUESTION)))
    with pytest.raises(Misuse, match="counts 3 labels where its question has 2"):
        described(f5=[1, 2, 3])
