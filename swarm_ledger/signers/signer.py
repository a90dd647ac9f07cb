# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What every place that can keep a root key has to offer."""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol


class Algorithm(IntEnum):
    """COSE algorithm identifiers (RFC 9053, 2)."""

    EDDSA = -8
    ES256 = -7


class KeyStore(IntEnum):
    """Where a root key lives; a software key is labelled as such wherever it is shown."""

    UNKNOWN = 0
    SOFTWARE = 1
    PKCS11 = 2
    TPM2 = 3

    @property
    def label(self) -> str:
        """The name used in rosters and on screens."""
        return self.name.lower()


class Signer(Protocol):
    """A private key that signs and is never seen.

    public_key: raw bytes, 32 for Ed25519. sign() may take as long as the hardware does, and
    raises Misuse when the key can't be used.
    """

    @property
    def algorithm(self) -> Algorithm:
        """The one algorithm that this key is used with."""

    @property
    def key_store(self) -> KeyStore:
        """Where the private key lives."""

    @property
    def public_key(self) -> bytes:
        """The public half, raw."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature over `message`."""
