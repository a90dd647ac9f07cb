# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Checkpoints: what the log's tree was at one size, signed and cosigned.

C2SP tlog-checkpoint and tlog-cosignature. A PBFT stable checkpoint is a checkpoint with a quorum
of cosignatures: a CosignedCheckpoint.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.ledger.lexical import MAX_INTEGER, from_base64, from_decimal, to_base64
from swarm_ledger.ledger.merkle import EMPTY_ROOT, HASH_SIZE
from swarm_ledger.ledger.note import (
    COSIGNATURE_V1,
    ED25519,
    Note,
    NoteSignature,
    NoteVerifier,
    Sign,
)


class Checkpoint(msgspec.Struct, frozen=True):
    """The size and the root of one log's tree; extensions: further opaque lines, usually none.

    Raises Misuse for what no checkpoint can say.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if any(not line or "\n" in line for line in (self.origin, *self.extensions)):
            raise Misuse("A checkpoint's origin and extensions must each be one line, not empty.")
        if not 0 <= self.size <= MAX_INTEGER:
            raise Misuse(f"A checkpoint can't be of size {self.size}.")
        if len(self.root) != HASH_SIZE:
            raise Misuse("A checkpoint's root has 32 bytes.")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise Misuse("A checkpoint of size 0 must have the empty tree's root.")

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read a checkpoint from a note's text; raises NotVerified."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1]:
            raise NotVerified("it doesn't have three whole lines", where="checkpoint")
        origin, size, root, *extensions = lines[:-1]
        try:
            return cls(
                origin,
                from_decimal(size, "checkpoint size"),
                from_base64(root, "checkpoint root"),
                tuple(extensions),
            )
        except Misuse as error:
            raise NotVerified(error.what, where="checkpoint") from error

    @property
    def text(self) -> str:
        """The text that is signed, final newline included."""
        lines = (self.origin, str(self.size), to_base64(self.root), *self.extensions)
        return "".join(line + "\n" for line in lines)


def log_key(origin: str, public_key: bytes) -> NoteVerifier:
    """Return the key with which a validator signs as the log: named as the origin, type 01."""
    return NoteVerifier(origin, ED25519, public_key)


def witness_key(origin: str, name: str, public_key: bytes) -> NoteVerifier:
    """Return the key with which a validator cosigns: named <origin>/<name>, type 04."""
    return NoteVerifier(f"{origin}/{name}", COSIGNATURE_V1, public_key)


def sign_checkpoint(checkpoint: Checkpoint, public_key: bytes, sign: Sign) -> NoteSignature:
    """Return the log's own signature line; sign makes raw Ed25519 signatures with that key."""
    return log_key(checkpoint.origin, public_key).sign(sign, checkpoint.text)


def cosign(checkpoint: Checkpoint, key: NoteVerifier, sign: Sign, time: int) -> NoteSignature:
    """Return a cosignature/v1 line by a witness key, claiming a POSIX time in seconds.

    It states that this is the largest tree of the log that the key's owner has seen and found
    consistent; so cosign only what is committed locally, and never two roots of one size.
    """
    if key.kind != COSIGNATURE_V1:
        raise Misuse(f"{key.name} is not a key for cosignatures.")
    return key.sign(sign, checkpoint.text, time)


def verify_cosignature(checkpoint: Checkpoint, key: NoteVerifier, line: NoteSignature) -> int:
    """Return the time in seconds of a good cosignature line; raises NotVerified for a bad one."""
    if key.kind != COSIGNATURE_V1 or not key.accepts(checkpoint.text, line):
        raise NotVerified(
            f"it is not a cosignature of size {checkpoint.size}",
            where=f"cosignature of {key.name}",
        )
    return line.time


class CosignedCheckpoint(msgspec.Struct, frozen=True):
    """A checkpoint, the log's signature, and as many cosignatures as the quorum asks for."""

    checkpoint: Checkpoint
    log_signature: NoteSignature
    cosignatures: tuple[NoteSignature, ...]

    @property
    def note(self) -> Note:
        """The signed note: the log's line first, then the cosignatures."""
        return Note(self.checkpoint.text, (self.log_signature, *self.cosignatures))

    def encode(self) -> bytes:
        """Return the signed note's bytes."""
        return self.note.encode()


def assemble(
    checkpoint: Checkpoint,
    log_signature: NoteSignature,
    cosignatures: Iterable[NoteSignature],
    quorum: int,
) -> CosignedCheckpoint:
    """Put a certificate together from verified lines: exactly a quorum, sorted by key name.

    More lines than the quorum are left out, so that no byte of a certificate goes unchecked.
    Raises Misuse for too few lines, one key's twice, or a log line that isn't the origin's.
    """
    by_name: dict[str, NoteSignature] = {}
    for line in cosignatures:
        if line.name in by_name:
            raise Misuse(f"Two cosignatures of {line.name} can't be in one certificate.")
        by_name[line.name] = line
    if log_signature.name != checkpoint.origin:
        raise Misuse(f"The log's signature must be named {checkpoint.origin}.")
    if len(by_name) < quorum:
        raise Misuse(f"{len(by_name)} cosignatures are not a quorum of {quorum}.")
    chosen = tuple(by_name[name] for name in sorted(by_name)[:quorum])
    return CosignedCheckpoint(checkpoint, log_signature, chosen)
