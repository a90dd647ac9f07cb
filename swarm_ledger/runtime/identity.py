# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One member's keys at work: the session that speaks for it on this flight."""

from __future__ import annotations

from dataclasses import dataclass

from swarm_ledger.envelope import Kind, seal
from swarm_ledger.errors import Misuse
from swarm_ledger.identity.cose import kid
from swarm_ledger.identity.roster import Member, Roster
from swarm_ledger.identity.session import delegate, domain
from swarm_ledger.ledger.checkpoint import Checkpoint, cosign, sign_checkpoint, witness_key
from swarm_ledger.ledger.note import NoteSignature, NoteVerifier
from swarm_ledger.signers import Signer


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
    token = delegate(root, session.public_key, aad, not_before=not_before, expires=expires)
    return Identity(roster, member, session, bytes([Kind.SESSION]) + token)
