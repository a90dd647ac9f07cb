# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A signature by a key of either kind; the key alone says which algorithm it takes."""

from __future__ import annotations

from swarm_ledger.identity import ed25519, p256
from swarm_ledger.signers import Algorithm, algorithm_of


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether a signature over message is by the raw public key, in its one form.

    Misuse for a key that is neither of Ed25519 nor of P-256, by its length.
    """
    if algorithm_of(public_key) is Algorithm.ES256:
        return p256.verify(public_key, message, signature)
    return ed25519.verify(public_key, message, signature)
