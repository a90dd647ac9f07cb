# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The keys of a drone's links: for secrecy alone, as signatures say who speaks.

Both are X25519 keys (RFC 7748) derived from one secret in a file, each for one protocol: no key
serves two. `curve` is for ZeroMQ CURVE, `hpke` for HPKE (RFC 9180). They are kept in software also
where the root key is in hardware: libzmq needs the key itself.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Meta

from swarm_ledger.encoding import Record, decode, encode
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.signers import file_of
from swarm_ledger.signers.secret import read_private, write_private

CHANNEL = "channel.key"
"""In a drone's folder."""

_PRIME = 2**255 - 19
_LABEL = "swarm_ledger/v1 channel"
_FILE_BYTES = 128
_REMEDY = (
    "Bring the right file back; or take it away, make a request (roster request), and have "
    "operators sign that (roster channel)."
)
_ANY = X25519PrivateKey.from_private_bytes(bytes(range(32)))
"""Whatever it is, it is a multiple of 8 once clamped: with a point of low order it shares zero."""


@dataclass(frozen=True)
class ChannelPublic:
    """What others need to speak to a member in secret. curve, hpke: 32 bytes each.

    Misuse for what is no X25519 public key, has a second encoding, or is of low order.
    """

    curve: bytes
    hpke: bytes

    def __post_init__(self) -> None:
        for key in (self.curve, self.hpke):
            if len(key) != 32 or int.from_bytes(key, "little") >= _PRIME:
                raise Misuse(f"{key.hex()} is no X25519 public key.")
            try:
                _ANY.exchange(X25519PublicKey.from_public_bytes(key))
            except ValueError as error:
                raise Misuse(f"{key.hex()} is of low order: everybody shares it.") from error

    @property
    def fingerprint(self) -> str:
        """The first 8 hex digits of each, for people to compare."""
        return f"{self.curve.hex()[:8]}-{self.hpke.hex()[:8]}"


class _Kept(Record, frozen=True):
    label: str
    seed: Annotated[bytes, Meta(min_length=32, max_length=32)]


class ChannelKeys:
    """A drone's own channel keys. seed: 32 secret bytes, from which both follow.

    curve_secret, hpke_secret: the private keys, 32 bytes each. public: their public halves.
    """

    def __init__(self, seed: bytes) -> None:
        if len(seed) != 32:
            raise Misuse(f"channel keys come from 32 bytes, not {len(seed)}.")
        self._seed = seed
        self.curve_secret = _derive(seed, b"swarm_ledger/v1 curve")
        self.hpke_secret = _derive(seed, b"swarm_ledger/v1 hpke")
        self.public = ChannelPublic(_public(self.curve_secret), _public(self.hpke_secret))

    @property
    def curve(self) -> bytes:
        """The public key for ZeroMQ CURVE, 32 bytes."""
        return self.public.curve

    @property
    def hpke(self) -> bytes:
        """The public key for HPKE, 32 bytes."""
        return self.public.hpke

    @classmethod
    def load(cls, path: Path) -> ChannelKeys:
        """Read them from their file; Misuse if it is missing, damaged, or others may read it."""
        if not path.exists():
            raise Misuse(f"there are no channel keys at {path}.", remedy=_REMEDY)
        try:
            kept: _Kept = decode(read_private(path), _Kept, limit=_FILE_BYTES)
        except PeerFault as error:
            raise _damaged(path) from error
        if kept.label != _LABEL:
            raise _damaged(path)
        return cls(kept.seed)

    @classmethod
    def load_or_make(cls, path: Path) -> ChannelKeys:
        """Read them from their file, or make new ones and keep them there; Misuse as load()."""
        if not path.exists():
            cls(os.urandom(32)).save(path)
        return cls.load(path)

    def save(self, path: Path) -> None:
        """Write them to a file, mode 0600, whole or not at all; never over another one."""
        try:
            write_private(path, encode(_Kept(_LABEL, self._seed)), over=False)
        except FileExistsError as error:
            raise Misuse(f"{path} exists already, and a key is never overwritten.") from error
        except OSError as error:
            raise Misuse(f"cannot write the channel keys to {path}: {error.strerror}.") from error


def beside(uri: str) -> Path:
    """Return where the channel keys of whoever has that root key belong: with it, or here."""
    path = file_of(uri)
    return path.parent / CHANNEL if path else Path(CHANNEL)


def _derive(seed: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(seed)


def _public(secret: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def _damaged(path: Path) -> Misuse:
    return Misuse(f"{path} holds no channel keys, or is damaged.", remedy=_REMEDY)
