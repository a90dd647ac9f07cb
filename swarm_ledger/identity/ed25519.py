# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The one place where an Ed25519 signature is judged (RFC 8032, by libsodium's strict rule)."""

from __future__ import annotations

from nacl.bindings import crypto_sign_open
from nacl.exceptions import CryptoError

PUBLIC_KEY_SIZE = 32
SIGNATURE_SIZE = 64


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether a 64-byte signature over message is by the 32-byte public key.

    False for anything else too: wrong lengths, s >= L, small-order or non-canonical points; so a
    signature has no second form that also passes.
    """
    if len(public_key) != PUBLIC_KEY_SIZE or len(signature) != SIGNATURE_SIZE:
        return False
    try:
        crypto_sign_open(signature + message, public_key)
    except CryptoError:
        return False
    return True
