# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""P-256 in the two forms that we use: a compressed point, and r and s with s in the lower half.

With (r, s) always (r, n - s) verifies too. Only the smaller s is ever sent or taken, so that a
signature has no second form.
"""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from swarm_ledger.errors import Misuse

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""n, of the group (FIPS 186-5; SEC 2, 2.4.2)."""

SIZE = 32


def compressed(key: EllipticCurvePublicKey) -> bytes:
    """Return a public key as it stands in rosters: 02 or 03, and x."""
    return key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def point(encoded: bytes) -> EllipticCurvePublicKey:
    """Read a point, compressed or not (SEC 1, 2.3.4); Misuse if it is not on the curve."""
    try:
        return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), encoded)
    except ValueError as error:
        raise Misuse(f"{encoded.hex()} is no point of P-256.") from error


def low_s(r: int, s: int) -> bytes:
    """Return r and s, each in 32 bytes, s being the smaller of the two that verify."""
    return r.to_bytes(SIZE, "big") + min(s, ORDER - s).to_bytes(SIZE, "big")


def from_der(signature: bytes) -> bytes:
    """Return r and s of a DER signature, as OpenSSL makes them."""
    return low_s(*decode_dss_signature(signature))


def to_der(signature: bytes) -> bytes:
    """Return r and s as DER, which TUF and OpenSSL take."""
    r, s = (int.from_bytes(half, "big") for half in (signature[:SIZE], signature[SIZE:]))
    return encode_dss_signature(r, s)


def from_pem(text: str) -> bytes:
    """Return the compressed public key in a PEM text; Misuse for anything else."""
    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Misuse("not a public key in PEM.") from error
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise Misuse("not a public key of P-256.")
    return compressed(key)


def pem(public_key: bytes) -> str:
    """Return a compressed public key as PEM (RFC 5280's SubjectPublicKeyInfo)."""
    spki = point(public_key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return spki.decode()
