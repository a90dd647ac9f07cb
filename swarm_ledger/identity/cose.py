# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""COSE_Sign1 (RFC 9052, 4.2) in the few lines that we use of it."""

from __future__ import annotations

import msgspec

from swarm_ledger.encoding import bytes_head, decode, digest, encode
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity.signature import verify
from swarm_ledger.signers import Algorithm, Signer, algorithm_of

TAG = b"\xd2"
"""CBOR tag 18, COSE_Sign1: so that other COSE tools recognise the object."""

KID_BYTES = 8
SIGNATURE_BYTES = 64
_ALG, _KID = 1, 4
_USUAL = TAG + b"\x84\x4d\xa2\x01\x27\x04\x48"
"""How all that an Ed25519 key signs begins: an array of four, the protected header to the kid."""

_KID_AT = len(_USUAL)
_PAYLOAD_AT = _KID_AT + KID_BYTES + 1
_NO_UNPROTECTED = b"\xa0"
_SIGNATURE1 = b"\x84\x6aSignature1"
_BEFORE_SIGNATURE = b"\x58\x40"
_ALGORITHMS: dict[object, Algorithm] = {int(known): known for known in Algorithm}


class Sign1(msgspec.Struct, frozen=True):
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
    """Parse outside bytes; PeerFault if they are not our form of COSE_Sign1.

    Almost all have one shape. Bytes that have it are in the one encoding, with nothing left to be
    checked; what has not is parsed as any CBOR, which says what is wrong with it.
    """
    return _parse_usual(data, limit) or _parse_any(data, limit)


def _parse_usual(data: bytes, limit: int) -> Sign1 | None:
    if len(data) > limit or not data.startswith(_USUAL):
        return None
    end = len(data) - SIGNATURE_BYTES - len(_BEFORE_SIGNATURE)
    for head_bytes in (1, 2, 3, 5):  # as CBOR writes the length of a byte string
        payload_at = _PAYLOAD_AT + head_bytes
        if payload_at <= end and data[_PAYLOAD_AT:payload_at] == bytes_head(end - payload_at):
            break
    else:
        return None
    if (
        data[_PAYLOAD_AT - 1 : _PAYLOAD_AT] != _NO_UNPROTECTED
        or data[end:-SIGNATURE_BYTES] != _BEFORE_SIGNATURE
    ):
        return None
    return Sign1(
        data[len(TAG) + 2 : _PAYLOAD_AT - 1],
        Algorithm.EDDSA,
        data[_KID_AT : _PAYLOAD_AT - 1],
        data[payload_at:end],
        data[-SIGNATURE_BYTES:],
    )


def _parse_any(data: bytes, limit: int) -> Sign1:
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
    if not isinstance(key, bytes) or len(key) != KID_BYTES or len(signature) != SIGNATURE_BYTES:
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
    parts = (protected, aad, payload)
    return _SIGNATURE1 + b"".join(bytes_head(len(part)) + part for part in parts)
