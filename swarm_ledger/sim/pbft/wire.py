# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Sealed messages of simulated drones: real signatures, or stand-ins that cost nothing.

A stand-in is a token that only the mint can turn back into what was sealed: it can't be forged,
and any change to its bytes makes it worthless, as with a signature.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from swarm_ledger.consensus.messages import Message, Signed, parse
from swarm_ledger.encoding import encode
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity import cose
from swarm_ledger.identity.session import domain
from swarm_ledger.signers import SoftwareSigner

_KIND = 16
_LIMIT = 1 << 22


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a sealed message says, and the roster version under which it was signed."""

    version: int
    signed: Signed[Message]


class Mint(Protocol):
    """Seals messages for anybody, and opens them; opening is remembered."""

    def seal(self, version: int, sender: int, message: Message) -> Signed[Message]:
        """Seal a message of `sender` under a roster version."""

    def open(self, raw: bytes) -> Sealed:
        """Open sealed bytes; PeerFault("bad_signature") for what nobody sealed."""

    def size(self, raw: bytes) -> int:
        """Return how many bytes a radio would send."""


OnSeal = Callable[[int, int, Message], None]
"""Told of everything that is sealed: roster version, sender, message."""


class Tokens:
    """A mint whose seals are serial numbers."""

    def __init__(self, on_seal: OnSeal) -> None:
        self._on_seal = on_seal
        self._sealed: dict[bytes, Sealed] = {}

    def seal(self, version: int, sender: int, message: Message) -> Signed[Message]:
        """Seal a message of `sender` under a roster version."""
        self._on_seal(version, sender, message)
        raw = b"s%d.%d.%d" % (version, sender, len(self._sealed))
        signed = Signed(sender, message, raw)
        self._sealed[raw] = Sealed(version, signed)
        return signed

    def open(self, raw: bytes) -> Sealed:
        """Open sealed bytes; PeerFault("bad_signature") for what nobody sealed."""
        sealed = self._sealed.get(raw)
        if sealed is None:
            raise PeerFault("bad_signature", "not sealed by its sender.")
        return sealed

    def size(self, raw: bytes) -> int:
        """Return the size of the token; true sizes need real signatures."""
        return len(raw)


class Signatures:
    """A mint that signs and encodes as the drones' runtime does."""

    def __init__(self, on_seal: OnSeal, seed: int) -> None:
        self._on_seal, self._seed = on_seal, seed
        self._signers: dict[tuple[int, int], SoftwareSigner] = {}
        self._owners: dict[bytes, tuple[int, int]] = {}
        self._opened: dict[bytes, Sealed] = {}

    def _signer(self, version: int, sender: int) -> SoftwareSigner:
        """Return a member's session key under a roster version: each has a key of its own."""
        owner = version, sender
        if owner not in self._signers:
            secret = hashlib.sha256(b"session %d %d %d" % (self._seed, *owner)).digest()
            self._signers[owner] = signer = SoftwareSigner(secret)
            self._owners[cose.kid(signer.public_key)] = owner
        return self._signers[owner]

    def seal(self, version: int, sender: int, message: Message) -> Signed[Message]:
        """Seal a message of `sender` under a roster version."""
        self._on_seal(version, sender, message)
        signer, aad = self._signer(version, sender), domain("simulated", _KIND, version)
        raw = bytes([_KIND]) + cose.sign1(signer, encode(message), aad)
        return Signed(sender, message, raw)

    def open(self, raw: bytes) -> Sealed:
        """Open sealed bytes; PeerFault for what nobody sealed."""
        known = self._opened.get(raw)
        if known is None:
            known = self._opened[raw] = self._open(raw)
        return known

    def _open(self, raw: bytes) -> Sealed:
        if raw[:1] != bytes([_KIND]):
            raise PeerFault("malformed", "not a sealed message.")
        message = cose.parse1(raw[1:], limit=_LIMIT)
        if message.kid not in self._owners:
            raise PeerFault("unknown_key", "nobody's key.")
        version, sender = self._owners[message.kid]
        aad = domain("simulated", _KIND, version)
        cose.verify1(message, self._signer(version, sender).public_key, aad)
        return Sealed(version, Signed(sender, parse(message.payload), raw))

    def size(self, raw: bytes) -> int:
        """Return how many bytes a radio would send."""
        return len(raw)
