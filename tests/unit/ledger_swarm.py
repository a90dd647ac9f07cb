# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A swarm's keys and certificates for the ledger's tests, all from fixed seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nacl.signing import SigningKey

from swarm_ledger.ledger.checkpoint import (
    Checkpoint,
    CosignedCheckpoint,
    assemble,
    cosign,
    sign_checkpoint,
    witness_key,
)
from swarm_ledger.ledger.note import NoteSignature, NoteVerifier
from swarm_ledger.ledger.policy import Policy
from swarm_ledger.ledger.proof import LogProof
from swarm_ledger.ledger.store import Store

ORIGIN = "swarm.example/test"
NOW = 1_700_000_000


class Swarm:
    def __init__(self, drones: int = 4, quorum: int = 3, origin: str = ORIGIN) -> None:
        self.origin = origin
        self.quorum = quorum
        self.names = [f"drone_{i}" for i in range(1, drones + 1)]
        self._keys = {n: SigningKey(bytes([i]) * 32) for i, n in enumerate(self.names, 1)}
        self.public = {n: bytes(k.verify_key) for n, k in self._keys.items()}
        self.policy = Policy.for_swarm(origin, self.public, quorum)

    def sign(self, name: str) -> Callable[[bytes], bytes]:
        return lambda message: self._keys[name].sign(message).signature

    def witness(self, name: str) -> NoteVerifier:
        return witness_key(self.origin, name, self.public[name])

    def log_line(self, checkpoint: Checkpoint, name: str = "drone_1") -> NoteSignature:
        return sign_checkpoint(checkpoint, self.public[name], self.sign(name))

    def cosignature(self, checkpoint: Checkpoint, name: str, time: int = NOW) -> NoteSignature:
        return cosign(checkpoint, self.witness(name), self.sign(name), time)

    def certificate(
        self, checkpoint: Checkpoint, names: Iterable[str] | None = None
    ) -> CosignedCheckpoint:
        names = self.names if names is None else list(names)
        lines = [self.cosignature(checkpoint, name) for name in names]
        return assemble(checkpoint, self.log_line(checkpoint), lines, self.quorum)

    def checkpoint_store(self, store: Store) -> bytes:
        """Cosign the store as it is now, and keep the note in it."""
        note = self.certificate(Checkpoint(self.origin, store.size, store.root())).encode()
        store.put_checkpoint(store.height, note)
        return note

    def prove(self, store: Store, index: int) -> bytes:
        kept = store.checkpoint(index + 1)
        assert kept is not None
        path = tuple(store.inclusion(index, kept.size))
        return LogProof(store.entry(index), index, path, kept.note).encode()
