# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One strict rule for signatures: no second form, no key that signs everything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_ledger.identity.ed25519 import verify
from tests.crew import key

L = 2**252 + 27742317777372353535851937790883648493
P = 2**255 - 19
SIGNER = key("anyone")
MESSAGE = b"what was said"
GOOD = SIGNER.sign(MESSAGE)

# All encodings of the eight points of small order, canonical or not (Chalkias et al. 2020, "Taming
# the many EdDSAs", table 1 and appendix).
SMALL_ORDER = [
    bytes(32),
    (1).to_bytes(32, "little"),
    (2**255).to_bytes(32, "little"),
    (2**255 + 1).to_bytes(32, "little"),
    (P - 1).to_bytes(32, "little"),
    (P - 1 + 2**255).to_bytes(32, "little"),
    P.to_bytes(32, "little"),
    (P + 1).to_bytes(32, "little"),
    (P + 2**255).to_bytes(32, "little"),
    (P + 1 + 2**255).to_bytes(32, "little"),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"),
]


def test_a_signature_holds_for_its_key_and_message_only() -> None:
    assert verify(SIGNER.public_key, MESSAGE, GOOD)
    assert not verify(key("another").public_key, MESSAGE, GOOD)
    assert not verify(SIGNER.public_key, MESSAGE + b".", GOOD)
    assert not verify(SIGNER.public_key, b"", GOOD)


@pytest.mark.parametrize("point", SMALL_ORDER, ids=lambda point: point.hex()[:8])
def test_small_order_keys_sign_nothing(point: bytes) -> None:
    """With such a key, R = identity and S = 0 would verify for every message under some rules."""
    for r in SMALL_ORDER:
        for message in (b"", MESSAGE, b"another"):
            assert not verify(point, message, r + bytes(32))


@pytest.mark.parametrize("point", SMALL_ORDER, ids=lambda point: point.hex()[:8])
def test_small_order_commitments_are_refused(point: bytes) -> None:
    assert not verify(SIGNER.public_key, MESSAGE, point + GOOD[32:])
    assert not verify(SIGNER.public_key, MESSAGE, point + bytes(32))


@pytest.mark.parametrize("times", [1, 2, 7, 8, 15])
def test_s_has_one_form(times: int) -> None:
    """S + kL signs the same under a lax rule, and would give one vote two digests."""
    s = int.from_bytes(GOOD[32:], "little") + times * L
    assert s < 2**256
    assert not verify(SIGNER.public_key, MESSAGE, GOOD[:32] + s.to_bytes(32, "little"))


def test_non_canonical_keys_are_refused() -> None:
    for y in range(19):
        for sign in (0, 2**255):
            assert not verify((P + y + sign).to_bytes(32, "little"), MESSAGE, GOOD)


@pytest.mark.parametrize("size", [0, 1, 31, 33, 64])
def test_keys_of_other_sizes(size: int) -> None:
    assert not verify(SIGNER.public_key[:size].ljust(size, b"\0"), MESSAGE, GOOD)


@pytest.mark.parametrize("size", [0, 1, 32, 63, 65, 128])
def test_signatures_of_other_sizes(size: int) -> None:
    assert not verify(SIGNER.public_key, MESSAGE, GOOD[:size].ljust(size, b"\0"))


def test_the_boundary_between_signature_and_message_is_fixed() -> None:
    assert not verify(SIGNER.public_key, GOOD[63:] + MESSAGE, GOOD[:63])
    assert not verify(SIGNER.public_key, MESSAGE[1:], GOOD + MESSAGE[:1])


@given(st.integers(0, 511), st.binary(max_size=50))
def test_every_bit_matters(bit: int, message: bytes) -> None:
    signature = bytearray(SIGNER.sign(message))
    assert verify(SIGNER.public_key, message, bytes(signature))
    signature[bit // 8] ^= 1 << bit % 8
    assert not verify(SIGNER.public_key, message, bytes(signature))
