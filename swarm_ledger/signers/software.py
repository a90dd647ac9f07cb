# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A key in a file: what a swarm without hardware uses, plainly labelled "software"."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from nacl.signing import SigningKey

from swarm_ledger.errors import Misuse
from swarm_ledger.signers.p256 import compressed, from_der
from swarm_ledger.signers.signer import Algorithm, KeyStore

_NOTHING: Mapping[str, bool] = MappingProxyType({})
_ENCRYPTED = (b"-----BEGIN ENCRYPTED PRIVATE KEY-----", b"Proc-Type: 4,ENCRYPTED")


class SoftwareSigner:
    """An Ed25519 key held in this process's memory (RFC 8032).

    seed: the 32 bytes of the private key; keep them secret, or take them from a simulation's seed.
    """

    algorithm = Algorithm.EDDSA
    key_store = KeyStore.SOFTWARE
    attributes = _NOTHING

    def __init__(self, seed: bytes) -> None:
        if len(seed) != 32:
            raise Misuse(f"an Ed25519 private key has 32 bytes, not {len(seed)}.")
        self._key = SigningKey(seed)
        self.public_key = bytes(self._key.verify_key)

    @classmethod
    def generate(cls) -> SoftwareSigner:
        """Return a fresh key from the operating system's random source."""
        return cls(os.urandom(32))

    def save(self, path: Path, passphrase: str = "") -> None:
        """Write the key to a file, as write_key() does."""
        write_key(path, Ed25519PrivateKey.from_private_bytes(bytes(self._key)), passphrase)

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature."""
        return self._key.sign(message).signature


class SoftwareP256Signer:
    """A P-256 key held in this process's memory, for ECDSA with SHA-256."""

    algorithm = Algorithm.ES256
    key_store = KeyStore.SOFTWARE
    attributes = _NOTHING

    def __init__(self, key: EllipticCurvePrivateKey) -> None:
        if not isinstance(key.curve, SECP256R1):
            raise Misuse(f"a P-256 key is needed, not one of {key.curve.name}.")
        self._key = key
        self.public_key = compressed(key.public_key())

    @classmethod
    def generate(cls) -> SoftwareP256Signer:
        """Return a fresh key from the operating system's random source."""
        return cls(generate_private_key(SECP256R1()))

    def save(self, path: Path, passphrase: str = "") -> None:
        """Write the key to a file, as write_key() does."""
        write_key(path, self._key, passphrase)

    def sign(self, message: bytes) -> bytes:
        """Return r and s, s in the lower half."""
        return from_der(self._key.sign(message, ECDSA(SHA256())))


def write_key(
    path: Path, key: Ed25519PrivateKey | EllipticCurvePrivateKey, passphrase: str
) -> None:
    """Write a key as PKCS#8 PEM, readable by its owner only; never over an existing file.

    passphrase: what encrypts it; "" leaves it as it is.
    """
    lock = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    write_new(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))


def write_new(path: Path, data: bytes) -> None:
    """Write a file that is readable by its owner only; Misuse if there is one already."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise Misuse(f"{path} exists already, and a key is never overwritten.") from error
    except OSError as error:
        raise Misuse(f"cannot write the key file {path}: {error.strerror}.") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def read_key(path: Path, passphrase: str = "") -> SoftwareSigner | SoftwareP256Signer:
    """Read a PKCS#8 PEM file; Misuse if it is missing, locked, or holds something else."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Misuse(f"cannot read the key file {path}: {error.strerror}.") from error
    encrypted = any(mark in data for mark in _ENCRYPTED)
    if encrypted and not passphrase:
        raise Misuse(
            f"{path} is encrypted.",
            remedy="Say where its passphrase is: file:PATH?passphrase=env:NAME, fd:NUMBER or "
            "file:PATH.",
        )
    if passphrase and not encrypted:
        raise Misuse(
            f"{path} is not encrypted: whoever reads it has the key.",
            remedy="Leave ?passphrase= out, or encrypt the file.",
        )
    try:
        key = load_pem_private_key(data, passphrase.encode() or None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if encrypted:
            raise Misuse(f"{path} can't be decrypted: the passphrase is wrong.") from error
        raise Misuse(f"{path} is not a PEM private key: {error}.") from error
    if isinstance(key, Ed25519PrivateKey):
        return SoftwareSigner(key.private_bytes_raw())
    if isinstance(key, EllipticCurvePrivateKey):
        return SoftwareP256Signer(key)
    raise Misuse(f"{path} holds a {type(key).__name__}; Ed25519 or P-256 is needed.")
