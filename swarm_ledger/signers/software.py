# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A key in a file: what a swarm without hardware uses, plainly labelled "software"."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from nacl.signing import SigningKey

from swarm_ledger.errors import Misuse
from swarm_ledger.signers.signer import Algorithm, KeyStore


class SoftwareSigner:
    """An Ed25519 key held in this process's memory (RFC 8032).

    seed: the 32 bytes of the private key; keep them secret, or take them from a simulation's seed.
    """

    algorithm = Algorithm.EDDSA
    key_store = KeyStore.SOFTWARE

    def __init__(self, seed: bytes) -> None:
        if len(seed) != 32:
            raise Misuse(f"an Ed25519 private key has 32 bytes, not {len(seed)}.")
        self._key = SigningKey(seed)
        self.public_key = bytes(self._key.verify_key)

    @classmethod
    def generate(cls) -> SoftwareSigner:
        """Return a fresh key from the operating system's random source."""
        return cls(os.urandom(32))

    @classmethod
    def load(cls, path: Path) -> SoftwareSigner:
        """Read a PKCS#8 PEM file; Misuse if it is missing or holds something else."""
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except OSError as error:
            raise Misuse(f"cannot read the key file {path}: {error.strerror}.") from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise Misuse(f"{path} is not an unencrypted PEM private key: {error}.") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise Misuse(f"{path} holds a {type(key).__name__}, and an Ed25519 key is needed.")
        return cls(key.private_bytes_raw())

    def save(self, path: Path) -> None:
        """Write the key as PKCS#8 PEM, readable by its owner only; never over an existing file."""
        key = Ed25519PrivateKey.from_private_bytes(bytes(self._key))
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as error:
            raise Misuse(f"{path} exists already, and a key is never overwritten.") from error
        except OSError as error:
            raise Misuse(f"cannot write the key file {path}: {error.strerror}.") from error
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature."""
        return self._key.sign(message).signature
