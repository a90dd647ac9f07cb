# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What is parsed by its usual shape is parsed exactly as any CBOR is, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm_ledger.encoding import array_head, bytes_head, encode
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity import cose
from swarm_ledger.signers import SoftwareP256Signer, SoftwareSigner

SIGNER = SoftwareSigner(bytes(32))
AAD = b"domain"
LIMIT = 1 << 20


def _any(data: bytes, limit: int = LIMIT) -> cose.Sign1 | str:
    try:
        return cose._parse_any(data, limit)
    except PeerFault as fault:
        return fault.reason


@settings(deadline=None)
@given(payload=st.binary(max_size=70_000))
def test_what_we_sign_has_the_usual_shape(payload: bytes) -> None:
    raw = cose.sign1(SIGNER, payload, AAD)
    found = cose._parse_usual(raw, LIMIT)
    assert found is not None
    assert found == _any(raw)
    assert found.payload == payload
    cose.verify1(found, SIGNER.public_key, AAD)


@settings(deadline=None)
@given(
    payload=st.binary(max_size=300),
    at=st.integers(0, 400),
    by=st.integers(1, 255),
    cut=st.integers(-3, 3),
)
def test_changed_bytes_are_never_parsed_otherwise(
    payload: bytes, at: int, by: int, cut: int
) -> None:
    raw = bytearray(cose.sign1(SIGNER, payload, AAD))
    raw[at % len(raw)] ^= by
    changed = bytes(raw)[: len(raw) + min(cut, 0)] + bytes(max(cut, 0))
    found = cose._parse_usual(changed, LIMIT)
    assert found is None or found == _any(changed)


@pytest.mark.parametrize("size", [0, 1, 23, 24, 255, 256, 65_535, 65_536])
def test_lengths_that_could_be_written_longer_are_refused(size: int) -> None:
    raw = cose.sign1(SIGNER, bytes(size), AAD)
    at = raw.index(b"\xa0", 13) + 1
    head = bytes_head(size)
    assert raw[at : at + len(head)] == head
    for longer in (b"\x58" + size.to_bytes(4, "big")[3:], b"\x59" + size.to_bytes(4, "big")[2:]):
        if longer != head:
            padded = raw[:at] + longer + raw[at + len(head) :]
            assert cose._parse_usual(padded, LIMIT) is None
            assert _any(padded) == "malformed"


def test_too_large_is_said_by_the_parser_of_anything() -> None:
    raw = cose.sign1(SIGNER, bytes(100), AAD)
    assert cose._parse_usual(raw, 99) is None
    with pytest.raises(PeerFault, match="bytes where at most"):
        cose.parse1(raw, limit=99)


def test_other_keys_have_another_shape() -> None:
    raw = cose.sign1(SoftwareP256Signer.generate(), b"said", AAD)
    assert cose._parse_usual(raw, LIMIT) is None
    assert cose.parse1(raw, limit=LIMIT).payload == b"said"


@settings(deadline=None)
@given(st.one_of(st.integers(0, 300), st.sampled_from([65_535, 65_536])))
def test_heads_are_those_of_the_codec(length: int) -> None:
    assert bytes_head(length) + bytes(length) == encode(bytes(length))
    assert array_head(length) + bytes(length) == encode([0] * length)


@settings(deadline=None)
@given(st.binary(max_size=600), st.binary(max_size=40))
def test_what_is_signed_is_the_sig_structure_of_rfc_9052(payload: bytes, aad: bytes) -> None:
    assert cose._to_be_signed(b"header", aad, payload) == encode(
        ["Signature1", b"header", aad, payload]
    )
