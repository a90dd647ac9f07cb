# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What every place that can keep a root key has to offer."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Protocol

from swarm_ledger.errors import Misuse


class Algorithm(IntEnum):
    """COSE algorithm identifiers (RFC 9053, 2). A key has one, which its length tells."""

    EDDSA = -8
    ES256 = -7

    @property
    def label(self) -> str:
        """The name used on screens."""
        return {Algorithm.EDDSA: "Ed25519", Algorithm.ES256: "P-256"}[self]


_ALGORITHMS = {32: Algorithm.EDDSA, 33: Algorithm.ES256}


def algorithm_of(public_key: bytes) -> Algorithm:
    """Return the algorithm of a raw public key: 32 bytes for Ed25519, 33 for P-256.

    Misuse for another length.
    """
    try:
        return _ALGORITHMS[len(public_key)]
    except KeyError:
        raise Misuse(f"a public key has 32 bytes or 33, not {len(public_key)}.") from None


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

    public_key: raw bytes, 32 for Ed25519, for P-256 the compressed point in 33 (SEC 1, 2.3.3).
    sign() may take as long as the hardware does, and raises Misuse when the key can't be used.
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

    @property
    def attributes(self) -> Mapping[str, bool]:
        """What its store says about the private key, such as "extractable"; {} for software."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature over `message`, 64 bytes; by P-256 r and s, s in the lower half."""
