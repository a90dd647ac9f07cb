# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One member's keys at work: the session that speaks for it on this flight."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from swarm_ledger.encoding import Record, decode, encode
from swarm_ledger.envelope import Kind, seal
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.identity.cose import kid
from swarm_ledger.identity.roster import Member, Roster
from swarm_ledger.identity.session import delegate, domain, open_delegation
from swarm_ledger.ledger.checkpoint import Checkpoint, cosign, sign_checkpoint, witness_key
from swarm_ledger.ledger.note import NoteSignature, NoteVerifier
from swarm_ledger.signers import Signer, SoftwareSigner

_KEPT_BYTES = 1024


@dataclass(frozen=True)
class Identity:
    """A member of a roster with its session key. delegation: the sealed Kind.SESSION message."""

    roster: Roster
    member: Member
    session: Signer
    delegation: bytes

    def seal(self, kind: Kind, payload: bytes) -> bytes:
        """Seal a payload with the session key."""
        return seal(kind, payload, self.session, self.roster)

    @property
    def session_kid(self) -> bytes:
        """The key identifier in everything that this member seals."""
        return kid(self.session.public_key)

    @property
    def cosigner(self) -> NoteVerifier:
        """The key under which this member's cosignatures are known."""
        return cosigner_key(self.roster, self.member, self.session.public_key)

    def cosign(self, checkpoint: Checkpoint, time_s: int) -> bytes:
        """Return cosignature/v1 over a checkpoint: u64be time and signature, 72 bytes."""
        return cosign(checkpoint, self.cosigner, self.session.sign, time_s).signature

    def sign_as_log(self, checkpoint: Checkpoint) -> NoteSignature:
        """Return the log's own signature line, which any validator may make."""
        return sign_checkpoint(checkpoint, self.session.public_key, self.session.sign)


def cosigner_key(roster: Roster, member: Member, public_key: bytes) -> NoteVerifier:
    """Return the verifier of a member's cosignatures, made with that session key."""
    return witness_key(roster.origin, member.name, public_key)


def take_up(
    roster: Roster, name: str, root: Signer, session: Signer, *, not_before: int, expires: int
) -> Identity:
    """Delegate from a member's root key to a session key (times in POSIX seconds).

    Misuse if the root key is not the one that the roster has for that name.
    """
    member = roster.named(name)
    if member.public_key != root.public_key:
        raise Misuse(
            f"the key for {name} is not the one in the roster.",
            remedy="Check the key's URI, or enrol the new key with a new roster version.",
        )
    aad = domain(roster.swarm_id, Kind.SESSION, roster.version)
    token = delegate(root, session, aad, not_before=not_before, expires=expires)
    return Identity(roster, member, session, bytes([Kind.SESSION]) + token)


class _Kept(Record, frozen=True):
    seed: Annotated[bytes, Meta(min_length=32, max_length=32)]
    delegation: Annotated[bytes, Meta(min_length=1)]


def resume(
    path: Path, roster: Roster, name: str, root: Signer, *, now_s: int, before_s: int, after_s: int
) -> Identity:
    """Take up the session kept in a file, or begin a new one and keep it there, mode 0600.

    A restart should go on with its session: a slow root key need not sign, and the ledger need
    not order one delegation more. A kept session is taken while it has half of its time left.
    before_s, after_s: how long before and after now_s a new one is valid. Misuse as take_up()
    does, and where the file can't be read or written.
    """
    member = roster.named(name)
    with suppress(PeerFault):
        kept: _Kept = decode(_read(path), _Kept, limit=_KEPT_BYTES)
        aad = domain(roster.swarm_id, Kind.SESSION, roster.version)
        session = open_delegation(kept.delegation[1:], roster, aad)
        signer = SoftwareSigner(kept.seed)
        theirs = session.member == member and session.public_key == signer.public_key
        ours = theirs and member.public_key == root.public_key
        if ours and session.valid_at(now_s) and session.valid_at(now_s + after_s // 2):
            return Identity(roster, member, signer, bytes([Kind.SESSION]) + session.raw)
    seed = os.urandom(32)
    identity = take_up(
        roster,
        name,
        root,
        SoftwareSigner(seed),
        not_before=now_s - before_s,
        expires=now_s + after_s,
    )
    _write(path, encode(_Kept(seed, identity.delegation)))
    return identity


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise Misuse(f"cannot read the session file {path}: {error.strerror}.") from error


def _write(path: Path, data: bytes) -> None:
    """Replace a file at once, readable by its owner only."""
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise Misuse(f"cannot write the session file {path}: {error.strerror}.") from error
