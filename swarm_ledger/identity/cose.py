# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""COSE_Sign1 (RFC 9052, 4.2) in the few lines that we use of it."""

from __future__ import annotations

from dataclasses import dataclass

from swarm_ledger.encoding import decode, digest, encode
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity.signature import verify
from swarm_ledger.signers import Algorithm, Signer, algorithm_of

TAG = b"\xd2"
"""CBOR tag 18, COSE_Sign1: so that other COSE tools recognise the object."""

KID_BYTES = 8
_ALG, _KID = 1, 4
_ALGORITHMS: dict[object, Algorithm] = {int(known): known for known in Algorithm}


@dataclass(frozen=True, slots=True)
class Sign1:
    """A parsed, not yet verified COSE_Sign1. kid: 8 bytes; signature: 64 bytes.

    algorithm: the one that it claims, to be held against the key's own.
    """

    protected: bytes
    algorithm: Algorithm
    kid: bytes
    payload: bytes
    signature: bytes


def kid(public_key: bytes) -> bytes:
    """Return the key identifier: the first 8 bytes of SHA-256 over the raw public key."""
    return digest(public_key)[:KID_BYTES]


def sign1(signer: Signer, payload: bytes, aad: bytes) -> bytes:
    """Return a tagged COSE_Sign1 over `payload`, bound to `aad` (its domain)."""
    header = {_ALG: int(signer.algorithm), _KID: kid(signer.public_key)}
    protected = encode(header)
    signature = signer.sign(_to_be_signed(protected, aad, payload))
    return TAG + encode([protected, {}, payload, signature])


def parse1(data: bytes, *, limit: int) -> Sign1:
    """Parse outside bytes; PeerFault if they are not our form of COSE_Sign1."""
    if data[:1] != TAG:
        raise PeerFault("malformed", "not a tagged COSE_Sign1.")
    parts: tuple[bytes, dict[int, int], bytes, bytes] = decode(
        data[1:], tuple[bytes, dict[int, int], bytes, bytes], limit=limit
    )
    protected, unprotected, payload, signature = parts
    header: dict[int, int | bytes] = decode(protected, dict[int, int | bytes], limit=64)
    key, algorithm = header.get(_KID), _ALGORITHMS.get(header.get(_ALG))
    if unprotected or header.keys() != {_ALG, _KID} or algorithm is None:
        raise PeerFault(
            "malformed", "the COSE header must be {1: -8 (EdDSA) or -7 (ES256), 4: kid}."
        )
    if not isinstance(key, bytes) or len(key) != KID_BYTES or len(signature) != 64:
        raise PeerFault("malformed", "a kid has 8 bytes and a signature 64.")
    return Sign1(protected, algorithm, key, payload, signature)


def verify1(message: Sign1, public_key: bytes, aad: bytes) -> None:
    """Raise PeerFault("bad_signature") unless the key signed this payload in this domain.

    The key says which algorithm that takes; a message that claims another one is refused
    ("wrong_algorithm") before anything is computed.
    """
    algorithm = algorithm_of(public_key)
    if message.algorithm is not algorithm:
        raise PeerFault(
            "wrong_algorithm", f"key {message.kid.hex()} is for {algorithm.name} only."
        )
    signed = _to_be_signed(message.protected, aad, message.payload)
    if not verify(public_key, signed, message.signature):
        raise PeerFault("bad_signature", f"the signature of key {message.kid.hex()} is wrong.")


def _to_be_signed(protected: bytes, aad: bytes, payload: bytes) -> bytes:
    return encode(["Signature1", protected, aad, payload])
