# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Ed25519 libraries that disagree on which signatures are valid: one rule, in one place.

The signatures here are made with a few lines of the curve's arithmetic, since no library makes
them (the cases of Chalkias, Garillot & Nikolaenko 2020, "Taming the many EdDSAs", and ZIP 215).
"""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import swarm_ledger
from swarm_ledger.identity.ed25519 import verify

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
Point = tuple[int, int]
IDENTITY: Point = (0, 1)
MESSAGE = b"one swarm, one verdict"


def add(a: Point, b: Point) -> Point:
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + t, P - 2, P) % P
    return x, (y1 * y2 + x1 * x2) * pow(1 - t, P - 2, P) % P


def times(k: int, point: Point) -> Point:
    total = IDENTITY
    while k:
        if k & 1:
            total = add(total, point)
        point, k = add(point, point), k >> 1
    return total


def encode(point: Point) -> bytes:
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def decode(raw: bytes) -> Point:
    number = int.from_bytes(raw, "little")
    sign, y = number >> 255, number % 2**255
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    assert (x * x - xx) % P == 0
    return (x if x & 1 == sign else P - x), y


BASE = decode((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
TORSION = decode(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"))
"""A point of order 8."""


def challenge(r: bytes, key: bytes) -> int:
    return int.from_bytes(hashlib.sha512(r + key + MESSAGE).digest(), "little") % L


def sign(key_torsion: int, r_torsion: int, *, harmless: bool = True) -> tuple[bytes, bytes]:
    """Return a key and a signature, both moved by so many times the torsion point.

    harmless: whether the key's torsion vanishes when the challenge is multiplied with it.
    """
    secret = 0x1234567890ABCDEF
    key = encode(add(times(secret, BASE), times(key_torsion, TORSION)))
    for nonce in range(1, 200):
        r = encode(add(times(nonce, BASE), times(r_torsion, TORSION)))
        k = challenge(r, key)
        if (k * key_torsion % 8 == 0) == harmless:
            return key, r + ((nonce + k * secret) % L).to_bytes(32, "little")
    raise AssertionError("no such nonce")


def plus_l(pair: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    key, signature = pair
    s = int.from_bytes(signature[32:], "little") + L
    return key, signature[:32] + s.to_bytes(32, "little")


ONE = encode(IDENTITY)
VECTORS: dict[str, tuple[tuple[bytes, bytes], bool]] = {
    "as everybody makes them": (sign(0, 0), True),
    "S + L": (plus_l(sign(0, 0)), False),
    "R of mixed order: valid only with the cofactor": (sign(0, 1), False),
    "key of mixed order, valid only with the cofactor": (sign(1, 0, harmless=False), False),
    "key of mixed order, valid either way": (sign(1, 0), True),
    "key and R of mixed order": (sign(1, 1), False),
    "the identity as key and R": ((ONE, ONE + bytes(32)), False),
    "the identity as R, under a true key": ((sign(0, 0)[0], ONE + bytes(32)), False),
    "key of small order": ((encode(TORSION), ONE + bytes(32)), False),
    "the identity, not canonical, as key": (
        ((P + 1).to_bytes(32, "little"), ONE + bytes(32)),
        False,
    ),
    "the identity, with a sign, as key": (
        ((1 | 1 << 255).to_bytes(32, "little"), ONE + bytes(32)),
        False,
    ),
}


def openssl(key: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, MESSAGE)
    except (InvalidSignature, ValueError):
        return False
    return True


def zip_215(key: bytes, signature: bytes) -> bool:
    """With the cofactor, points in any encoding (ZIP 215)."""
    s = int.from_bytes(signature[32:], "little")
    if s >= L:
        return False
    a, r = decode(key), decode(signature[:32])
    k = challenge(signature[:32], key)
    return times(8, times(s, BASE)) == times(8, add(r, times(k, a)))


@pytest.mark.parametrize("case", VECTORS)
def test_ed25519_every_doubtful_signature_has_one_verdict(case: str) -> None:
    """Libraries that all follow RFC 8032 disagree on these: nodes with different libraries, or
    different releases of one, then disagree on a block, and a swarm forks.

    Ours: libsodium's strict rule, without the cofactor: no small order, one encoding, one S.
    """
    (key, signature), verdict = VECTORS[case]
    assert verify(key, MESSAGE, signature) is verdict


def test_ed25519_the_rules_do_disagree() -> None:
    """Which is why only one of them may judge: each of two others takes what ours refuses."""
    for other in (openssl, zip_215):
        differ = [case for case, ((key, sig), ours) in VECTORS.items() if other(key, sig) != ours]
        assert differ
        assert "as everybody makes them" not in differ


VERIFIERS = {
    "Ed25519PublicKey",
    "VerifyKey",
    "crypto_sign_open",
    "crypto_sign_ed25519ph_final_verify",
    "crypto_sign_verify_detached",
}


def test_ed25519_signatures_are_judged_in_one_place() -> None:
    """No other file of the package so much as names a function that could judge otherwise."""
    root = Path(swarm_ledger.__file__).parent
    judges = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)
            names = {name, *(a.name for a in getattr(node, "names", ()) if hasattr(a, "name"))}
            if names & VERIFIERS:
                judges.add(path.relative_to(root).as_posix())
    assert judges == {"identity/ed25519.py"}
