# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""COSE_Encrypt0 (RFC 9052, 5.2) in the few lines that we use of it: ChaCha20/Poly1305, one form.

The nonce is a context IV, which belongs to the key and is never sent, and a counter, which is
(Partial IV, RFC 9052, 3.1). Who seals must never use a counter twice with one key.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from swarm_ledger.encoding import decode, encode
from swarm_ledger.errors import Misuse, PeerFault

TAG = b"\xd0"
"""CBOR tag 16, COSE_Encrypt0: so that other COSE tools recognise the object."""

KEY_BYTES, IV_BYTES = 32, 12
MAX_COUNT = 1 << 24
"""Counters are below that: three bytes of Partial IV at most."""

_ALG, _KID, _PARTIAL_IV = 1, 4, 6
_CHACHA20_POLY1305 = 24
_KID_BYTES = 32
_TAG_BYTES = 16


@dataclass(frozen=True, slots=True)
class Encrypt0:
    """A parsed COSE_Encrypt0, not yet decrypted. kid: key identifier; count: from Partial IV."""

    protected: bytes
    kid: bytes
    count: int
    ciphertext: bytes


class Cipher:
    """One key with its context IV. key: 32 bytes; iv: 12 bytes."""

    def __init__(self, key: bytes, iv: bytes) -> None:
        if len(key) != KEY_BYTES or len(iv) != IV_BYTES:
            raise Misuse(f"a key has {KEY_BYTES} bytes and an IV {IV_BYTES}.")
        self._aead, self._iv = ChaCha20Poly1305(key), int.from_bytes(iv, "big")

    def seal(self, kid: bytes, count: int, plaintext: bytes, aad: bytes) -> bytes:
        """Return a tagged COSE_Encrypt0. count: never the same again; Misuse from MAX_COUNT on."""
        if not 0 <= count < MAX_COUNT:
            raise Misuse(f"a key serves for {MAX_COUNT} messages, and then another one has to.")
        partial = count.to_bytes(max(1, (count.bit_length() + 7) // 8), "big")
        protected = encode({_ALG: _CHACHA20_POLY1305, _KID: kid, _PARTIAL_IV: partial})
        sealed = self._aead.encrypt(self._nonce(count), plaintext, _bound(protected, aad))
        return TAG + encode([protected, {}, sealed])

    def open(self, message: Encrypt0, aad: bytes) -> bytes:
        """Return the plaintext; PeerFault("bad_tag") unless all of it is as it was sealed."""
        nonce, bound = self._nonce(message.count), _bound(message.protected, aad)
        try:
            return self._aead.decrypt(nonce, message.ciphertext, bound)
        except InvalidTag as error:
            raise PeerFault("bad_tag", "a message was not encrypted so by its key.") from error

    def _nonce(self, count: int) -> bytes:
        return (self._iv ^ count).to_bytes(IV_BYTES, "big")


def parse0(data: bytes, *, limit: int) -> Encrypt0:
    """Parse outside bytes; PeerFault if they are not our form of COSE_Encrypt0."""
    if data[:1] != TAG:
        raise PeerFault("malformed", "not a tagged COSE_Encrypt0.")
    parts: tuple[bytes, dict[int, int], bytes] = decode(
        data[1:], tuple[bytes, dict[int, int], bytes], limit=limit
    )
    protected, unprotected, ciphertext = parts
    header: dict[int, int | bytes] = decode(protected, dict[int, int | bytes], limit=64)
    kid, partial = header.get(_KID), header.get(_PARTIAL_IV)
    if (
        unprotected
        or header.keys() != {_ALG, _KID, _PARTIAL_IV}
        or header[_ALG] != _CHACHA20_POLY1305
    ):
        raise PeerFault("malformed", "the COSE header must be {1: 24, 4: kid, 6: Partial IV}.")
    if not isinstance(kid, bytes) or len(kid) > _KID_BYTES or len(ciphertext) < _TAG_BYTES:
        raise PeerFault("malformed", "a key identifier is too long, or a ciphertext too short.")
    if not isinstance(partial, bytes) or not 1 <= len(partial) <= 3:
        raise PeerFault("malformed", "a Partial IV has one to three bytes.")
    if len(partial) > 1 and partial[0] == 0:
        raise PeerFault("malformed", "a Partial IV has no leading zeros.")
    return Encrypt0(protected, kid, int.from_bytes(partial, "big"), ciphertext)


def _bound(protected: bytes, aad: bytes) -> bytes:
    return encode(["Encrypt0", protected, aad])
