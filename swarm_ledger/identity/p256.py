# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The one place where an ECDSA signature by P-256 with SHA-256 is judged (FIPS 186-5)."""

from __future__ import annotations

from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from swarm_ledger.errors import Misuse
from swarm_ledger.signers.p256 import ORDER, SIZE, point

PUBLIC_KEY_SIZE = 33
SIGNATURE_SIZE = 2 * SIZE

_point = lru_cache(maxsize=256)(point)


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether a 64-byte signature (r, s) over message is by the compressed public key.

    False for anything else too: wrong lengths, r or s out of range, a point that is none, and an s
    in the upper half of the group's order: so a signature has no second form that also passes.
    """
    if len(public_key) != PUBLIC_KEY_SIZE or len(signature) != SIGNATURE_SIZE:
        return False
    r, s = int.from_bytes(signature[:SIZE], "big"), int.from_bytes(signature[SIZE:], "big")
    if not (0 < r < ORDER and 0 < s <= ORDER // 2):
        return False
    try:
        key: EllipticCurvePublicKey = _point(public_key)
        key.verify(encode_dss_signature(r, s), message, ECDSA(SHA256()))
    except (InvalidSignature, Misuse):
        return False
    return True
