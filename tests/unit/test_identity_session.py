# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Delegations and the envelope's COSE: what is accepted, and every way to get it wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_ledger.encoding import decode, encode
from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.identity import cose
from swarm_ledger.identity.session import (
    MAX_SESSION_SECONDS,
    delegate,
    domain,
    open_delegation,
)
from tests.crew import DAY_S, T0_S, Crew, key

AAD = domain("test", Kind.SESSION, 1)
ISS, EXP, NBF, CNF, POSSESSION = 1, 4, 5, 8, -65_537
KEY = {1: 1, -1: 6}


def token(crew: Crew, name: str = "drone_1", **times: int) -> bytes:
    span = {"not_before": T0_S, "expires": T0_S + DAY_S, **times}
    return delegate(crew.root(name), crew.session(name), AAD, **span)


def claims_of(raw: bytes) -> dict[int, Any]:
    claims: dict[int, Any] = decode(cose.parse1(raw, limit=512).payload, Any, limit=512)
    return claims


def reason(raw: bytes, crew: Crew, aad: bytes = AAD) -> str:
    with pytest.raises(PeerFault) as caught:
        open_delegation(raw, crew.roster, aad)
    return caught.value.reason


def test_a_delegation_opens(crew: Crew) -> None:
    session = open_delegation(token(crew), crew.roster, AAD)
    assert session.member.name == "drone_1"
    assert session.public_key == crew.session("drone_1").public_key
    assert session.kid == cose.kid(session.public_key)
    assert [session.valid_at(T0_S + s) for s in (-1, 0, DAY_S - 1, DAY_S)] == [0, 1, 1, 0]


def test_it_is_a_cwt_that_other_tools_can_read(crew: Crew) -> None:
    raw = token(crew)
    claims = claims_of(raw)
    assert raw[:1] == b"\xd2"
    assert claims[ISS] == cose.kid(crew.root("drone_1").public_key)
    assert (claims[NBF], claims[EXP]) == (T0_S, T0_S + DAY_S)
    assert claims[CNF] == {1: {**KEY, -2: crew.session("drone_1").public_key}}
    assert len(raw) < 300


@pytest.mark.parametrize("span", [(0, 0), (5, 4), (-1, 4), (0, MAX_SESSION_SECONDS + 1)])
def test_a_session_has_a_bounded_time(crew: Crew, span: tuple[int, int]) -> None:
    with pytest.raises(Misuse, match="a session lasts"):
        token(crew, not_before=span[0], expires=span[1])


def test_only_roots_of_the_roster_delegate(crew: Crew) -> None:
    stranger = delegate(key("x"), crew.session("drone_1"), AAD, not_before=1, expires=2)
    assert reason(stranger, crew) == "not_a_member"


def test_swarm_kind_and_epoch_are_bound(crew: Crew) -> None:
    for other in (("else", 1, 1), ("test", 3, 1), ("test", 1, 2)):
        assert reason(token(crew), crew, domain(*other)) == "bad_signature"


def test_a_key_is_claimed_only_by_who_holds_it(crew: Crew) -> None:
    """drone_2 claims drone_1's key, which it saw on the network: that could lock drone_1 out."""
    theirs = claims_of(token(crew))
    for possession in (
        theirs[POSSESSION],
        bytes(64),
        claims_of(token(crew, "drone_2"))[POSSESSION],
    ):
        issuer = cose.kid(crew.root("drone_2").public_key)
        stolen = {**theirs, ISS: issuer, POSSESSION: possession}
        assert (
            reason(cose.sign1(crew.root("drone_2"), encode(stolen), AAD), crew) == "stolen_session"
        )


def test_possession_covers_the_times(crew: Crew) -> None:
    later = {**claims_of(token(crew)), EXP: T0_S + 2 * DAY_S}
    assert reason(cose.sign1(crew.root("drone_1"), encode(later), AAD), crew) == "stolen_session"


@pytest.mark.parametrize(
    "change",
    [
        {ISS: b"12345678"},
        {ISS: None},
        {EXP: T0_S},
        {EXP: T0_S + MAX_SESSION_SECONDS + 1},
        {EXP: str(T0_S + 5)},
        {NBF: -1},
        {NBF: False},
        {CNF: {}},
        {CNF: []},
        {CNF: {1: {**KEY, -2: bytes(31)}}},
        {CNF: {1: {**KEY, -2: "x" * 32}}},
        {CNF: {1: {1: 2, -1: 6, -2: bytes(32)}}},
        {CNF: {1: {1: 1, -1: 4, -2: bytes(32)}}},
        {CNF: {1: {**KEY, -2: bytes(32), -4: bytes(32)}}},
        {CNF: {1: {**KEY, -2: bytes(32)}, 3: b"kid"}},
        {POSSESSION: None},
        {POSSESSION: 0},
        {7: b"more"},
    ],
)
def test_every_claim_is_checked(crew: Crew, change: dict[int, Any]) -> None:
    claims = {**claims_of(token(crew)), **change}
    assert reason(cose.sign1(crew.root("drone_1"), encode(claims), AAD), crew) == "malformed"


@pytest.mark.parametrize("gone", [ISS, EXP, NBF, CNF, POSSESSION])
def test_every_claim_is_needed(crew: Crew, gone: int) -> None:
    claims = claims_of(token(crew))
    del claims[gone]
    assert reason(cose.sign1(crew.root("drone_1"), encode(claims), AAD), crew) == "malformed"


@pytest.mark.parametrize("payload", [b"", b"\x80", b"\x01", b"\xf6", encode([1, 2]), bytes(400)])
def test_claims_that_are_no_claims(crew: Crew, payload: bytes) -> None:
    assert reason(cose.sign1(crew.root("drone_1"), payload, AAD), crew) == "malformed"


@given(st.binary(max_size=600))
def test_random_bytes_are_a_peers_fault(raw: bytes) -> None:
    crew = Crew()
    for data in (raw, b"\xd2" + raw):
        assert reason(data, crew) in {"malformed", "oversize"}


@given(st.data())
def test_any_changed_byte_is_noticed(data: st.DataObject) -> None:
    crew = Crew()
    raw = bytearray(token(crew))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    assert reason(bytes(raw), crew) in {"malformed", "bad_signature", "not_a_member"}
