# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Stand-ins for signatures, whose bytes follow from what they seal."""

from __future__ import annotations

import random

from swarm_ledger.consensus.messages import Checkpoint, Message, Signed, parse
from swarm_ledger.encoding import decode, digest, encode
from swarm_ledger.errors import PeerFault


def _tag(sender: int, payload: bytes) -> bytes:
    return digest(b"secret of %d:" % sender + payload)[:8]


class Mint:
    """Seals and opens messages; opening is remembered, as checking a signature is."""

    def __init__(self) -> None:
        self._opened: dict[bytes, Signed[Message]] = {}

    def seal(self, sender: int, message: Message) -> bytes:
        payload = encode(message)
        return encode([sender, payload, _tag(sender, payload)])

    def sign(self, sender: int, message: Message) -> Signed[Message]:
        return self.open(self.seal(sender, message))

    def open(self, raw: bytes) -> Signed[Message]:
        known = self._opened.get(raw)
        if known is None:
            parts: tuple[int, bytes, bytes] = decode(raw, tuple[int, bytes, bytes], limit=1 << 22)
            sender, payload, tag = parts
            if tag != _tag(sender, payload):
                raise PeerFault("bad_signature", "not sealed by its sender.")
            known = self._opened[raw] = Signed(sender, parse(payload), raw)
        return known

    def by_digest(self, key: bytes) -> Signed[Message]:
        """Return what was sealed, by the digest of its bytes."""
        return next(signed for raw, signed in self._opened.items() if digest(raw) == key)


def forge(sender: int, message: Message) -> bytes:
    """What somebody can make who does not hold the sender's secret."""
    return encode([sender, encode(message), b"forged.."])


def checkpoint(seq: int, root: bytes) -> Checkpoint:
    """A checkpoint as an honest ledger makes it."""
    return Checkpoint(seq, seq, root, random.Random(seq).randbytes(72))
