# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The few TPM 2.0 structures that an operator has to read and make, without a TPM.

Numbers in brackets are sections of the TPM 2.0 Library, revision 1.59, parts 1 and 2. All that is
read has limits on every length, and nothing may follow it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.hashes import SHA256

from swarm_ledger.encoding import digest
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.signers.p256 import SIZE, point

try:
    from cryptography.hazmat.decrepit.ciphers.modes import CFB
except ImportError:  # before cryptography 47
    from cryptography.hazmat.primitives.ciphers.modes import CFB

# TPMA_OBJECT (part 2, 8.3)
FIXED_TPM, FIXED_PARENT, SENSITIVE_DATA_ORIGIN = 1 << 1, 1 << 4, 1 << 5
RESTRICTED, DECRYPT, SIGN = 1 << 16, 1 << 17, 1 << 18

_RSA, _SHA256, _NULL, _ECDSA, _ECC, _AES, _CFB = 0x01, 0x0B, 0x10, 0x18, 0x23, 0x06, 0x43
_P256 = 0x03
_GENERATED, _CERTIFY = 0xFF544347, 0x8017
_RSA_BITS, _USUAL_EXPONENT = 2048, 65_537
_CLOCK_AND_FIRMWARE = 8 + 4 + 4 + 1 + 8
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Public:
    """TPMT_PUBLIC [part 2, 12.2.4]. kind: "ecc" (P-256: x, y) or "rsa" (2048: modulus, exponent).

    name: by which its TPM knows it: its hash, with the algorithm in front.
    """

    kind: str
    name: bytes
    attributes: int
    x: bytes = b""
    y: bytes = b""
    modulus: int = 0
    exponent: int = 0


@dataclass(frozen=True, slots=True)
class Certified:
    """What TPM2_Certify stated: the name of the key, and the bytes that were asked for with it."""

    name: bytes
    context: bytes


class _Reader:
    """Takes big-endian numbers and sized bytes off the front."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise PeerFault("bad_statement", "a TPM structure ends early.")
        found, self._at = self._data[self._at : end], end
        return found

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def sized(self, most: int) -> bytes:
        size = self.number(2)
        if size > most:
            raise PeerFault("bad_statement", f"{size} bytes in a TPM structure's part of {most}.")
        return self.take(size)

    def is_(self, size: int, *values: int) -> int:
        found = self.number(size)
        if found not in values:
            raise PeerFault("bad_statement", f"a TPM structure has {found:#x} where it may not.")
        return found

    def end(self) -> None:
        if self._at != len(self._data):
            raise PeerFault("bad_statement", "something follows a TPM structure.")


def parse_public(raw: bytes) -> Public:
    """Read TPMT_PUBLIC of a key of P-256 or RSA 2048; PeerFault("bad_statement") for others."""
    reader = _Reader(raw)
    kind = reader.is_(2, _RSA, _ECC)
    reader.is_(2, _SHA256)
    attributes = reader.number(4)
    reader.sized(32)
    name = _SHA256.to_bytes(2, "big") + digest(raw)
    if reader.is_(2, _NULL, _AES) == _AES:
        reader.is_(2, 128)
        reader.is_(2, _CFB)
    if kind == _ECC:
        if reader.is_(2, _NULL, _ECDSA) == _ECDSA:
            reader.is_(2, _SHA256)
        reader.is_(2, _P256)
        reader.is_(2, _NULL)
        x, y = (reader.sized(SIZE).rjust(SIZE, b"\0") for _ in range(2))
        reader.end()
        try:
            point(b"\x04" + x + y)
        except Misuse as error:
            raise PeerFault("bad_statement", error.what) from error
        return Public("ecc", name, attributes, x, y)
    reader.is_(2, _NULL)
    reader.is_(2, _RSA_BITS)
    exponent = reader.number(4) or _USUAL_EXPONENT
    modulus = int.from_bytes(reader.sized(_RSA_BITS // 8), "big")
    reader.end()
    if modulus.bit_length() != _RSA_BITS or not modulus & 1 or exponent != _USUAL_EXPONENT:
        raise PeerFault("bad_statement", "the endorsement key is not an RSA key of 2048 bits.")
    return Public("rsa", name, attributes, modulus=modulus, exponent=exponent)


def parse_certify(raw: bytes) -> Certified:
    """Read TPMS_ATTEST of TPM2_Certify [part 2, 10.12.12]; PeerFault("bad_statement")."""
    reader = _Reader(raw)
    reader.is_(4, _GENERATED)
    reader.is_(2, _CERTIFY)
    reader.sized(68)
    context = reader.sized(64)
    reader.take(_CLOCK_AND_FIRMWARE)
    name = reader.sized(68)
    reader.sized(68)
    reader.end()
    return Certified(name, context)


def make_credential(
    ek: Public, name: bytes, credential: bytes, *, seed: bytes
) -> tuple[bytes, bytes]:
    """Return what only the TPM with that EK, and a key of that name, opens [part 1, 24].

    The content of TPM2B_ID_OBJECT and of TPM2B_ENCRYPTED_SECRET. credential, seed: 32 random bytes
    each. Misuse for an EK that isn't of RSA.
    """
    if ek.kind != "rsa" or len(credential) != SECRET_BYTES or len(seed) != SECRET_BYTES:
        raise Misuse("a credential takes an RSA key, 32 bytes, and a seed of 32 more.")
    public_key = RSAPublicNumbers(ek.exponent, ek.modulus).public_key()
    secret = public_key.encrypt(seed, OAEP(MGF1(SHA256()), SHA256(), b"IDENTITY\0"))
    key = _kdfa(seed, b"STORAGE", [name, b""], 128)
    cipher = Cipher(AES(key), CFB(bytes(16))).encryptor()
    plain = len(credential).to_bytes(2, "big") + credential
    hidden = cipher.update(plain) + cipher.finalize()
    sealed = hmac.digest(_kdfa(seed, b"INTEGRITY", [b"", b""], 256), hidden + name, hashlib.sha256)
    return len(sealed).to_bytes(2, "big") + sealed + hidden, secret


def _kdfa(key: bytes, label: bytes, contexts: Sequence[bytes], bits: int) -> bytes:
    """KDFa with SHA-256, at most 256 bits [part 1, 11.4.10.2]."""
    said = (1).to_bytes(4, "big") + label + b"\0" + b"".join(contexts) + bits.to_bytes(4, "big")
    return hmac.digest(key, said, hashlib.sha256)[: bits // 8]
