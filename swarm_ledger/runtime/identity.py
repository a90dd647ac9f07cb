# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One member's keys at work: the session that speaks for it on this flight."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol

from msgspec import Meta

from swarm_ledger.encoding import Record, decode, encode
from swarm_ledger.envelope import MAX_SESSIONS_PER_MEMBER, Kind, delegation_of, seal
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.identity.cose import kid
from swarm_ledger.identity.roster import Member, Roster
from swarm_ledger.identity.session import delegate, domain, open_delegation
from swarm_ledger.ledger.checkpoint import Checkpoint, cosign, sign_checkpoint, witness_key
from swarm_ledger.ledger.note import NoteSignature, NoteVerifier
from swarm_ledger.runtime.errand import Errand
from swarm_ledger.signers import KeyStore, Signer, SoftwareSigner
from swarm_ledger.signers.secret import write_private

SESSION = "session.key"
"""Under roster version 1; under later ones the version and a dot stand before it."""

_SESSION_FILE = re.compile(r"(?:([1-9][0-9]{0,9})\.)?session\.key(\.lost)?")
_LOST = ".lost"
_KEPT_BYTES = 4096


@dataclass(frozen=True)
class Identity:
    """A member of a roster with its session key. delegation: the sealed Kind.SESSION message.

    not_before, expires: when the session is valid, POSIX seconds. root: the root key, where the
    member is hardware_only, whose votes it seals.
    """

    roster: Roster
    member: Member
    session: Signer
    delegation: bytes
    not_before: int
    expires: int
    root: Signer | None = None

    def seal(self, kind: Kind, payload: bytes) -> bytes:
        """Seal a payload with the session key."""
        return seal(kind, payload, self.session, self.roster)

    def seal_vote(self, payload: bytes, kind: Kind = Kind.VOTE) -> bytes:
        """Seal one of BALLOTS; by the root key it takes as long as that, Misuse where it can't."""
        return seal(kind, payload, self.root or self.session, self.roster)

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
    roster: Roster, root: Signer, session: Signer, *, not_before: int, expires: int
) -> Identity:
    """Delegate from a member's root key to a session key (times in POSIX seconds).

    Misuse if no member of the roster has that root key, or a hardware_only one has it in a file.
    """
    member = roster.with_key(root.public_key)
    if member is None:
        raise Misuse(
            "this key is not one in the roster.",
            remedy="Check the key's URI, or enrol the new key with a new roster version.",
        )
    voice = _voice(member, root)
    aad = domain(roster.swarm_id, Kind.SESSION, roster.version)
    token = delegate(root, session, aad, not_before=not_before, expires=expires)
    sealed = bytes([Kind.SESSION]) + token
    return Identity(roster, member, session, sealed, not_before, expires, voice)


def _voice(member: Member, root: Signer) -> Signer | None:
    """Return the root key if it seals that member's votes."""
    if not member.hardware_only:
        return None
    if root.key_store is KeyStore.SOFTWARE:
        raise Misuse(
            f"{member.name} is hardware_only in the roster, and this key is a software key.",
            remedy="Give the key's URI in its token or TPM.",
        )
    return root


class _Kept(Record, frozen=True):
    """before: key identifiers of the sessions that this one replaced."""

    seed: Annotated[bytes, Meta(min_length=32, max_length=32)]
    delegation: Annotated[bytes, Meta(min_length=1)]
    before: tuple[bytes, ...] = ()


def resume(
    path: Path, roster: Roster, root: Signer, *, now_s: int, before_s: int, after_s: int
) -> Identity:
    """Take up the session kept in a file, or begin a new one and keep it there, mode 0600.

    A restart should go on with its session: a slow root key need not sign, and the ledger need
    not order one delegation more. A kept session is taken while it has half of its time left. The
    new one is on disk before anybody hears of it: a session of ours that the ledger holds and our
    disk does not tells that the disk was lost.
    before_s, after_s: how long before and after now_s a new one is valid. Misuse as take_up()
    does, and where the file can't be read or written.
    """
    found = _kept(path, roster, root)
    before: tuple[bytes, ...] = ()
    if found is not None:
        identity, before = found
        if _lasts(identity, now_s, after_s):
            return identity
        before = (*before, identity.session_kid)[-MAX_SESSIONS_PER_MEMBER:]
    seed = os.urandom(32)
    identity = take_up(
        roster,
        root,
        SoftwareSigner(seed),
        not_before=max(0, now_s - before_s),  # simulated time begins at 0
        expires=now_s + after_s,
    )
    _write(path, encode(_Kept(seed, identity.delegation, before)))
    return identity


def _lasts(identity: Identity, now_s: int, after_s: int) -> bool:
    return identity.not_before <= now_s < identity.expires - after_s // 2


def _kept(path: Path, roster: Roster, root: Signer) -> tuple[Identity, tuple[bytes, ...]] | None:
    """Return the session kept in a file, if that root key delegated to it under that roster.

    With the identifiers of those that it replaced.
    """
    with suppress(PeerFault):
        found: _Kept = decode(_read(path), _Kept, limit=_KEPT_BYTES)
        aad = domain(roster.swarm_id, Kind.SESSION, roster.version)
        session = open_delegation(found.delegation[1:], roster, aad)
        signer = SoftwareSigner(found.seed)
        if (session.member.public_key, session.public_key) == (
            root.public_key,
            signer.public_key,
        ):
            sealed = delegation_of(session)
            span = session.not_before, session.expires
            voice = _voice(session.member, root)
            return Identity(roster, session.member, signer, sealed, *span, voice), found.before
    return None


class Keys(Protocol):
    """One drone's keys: it has a session of its own under each roster version."""

    @property
    def root_key(self) -> bytes:
        """The public root key, by which rosters know this drone."""

    def begin(self, roster: Roster, now_s: int) -> Identity | None:
        """Go on with the session kept for a roster version, or begin one (POSIX seconds).

        None if the drone is neither validator nor voter in it.
        """

    def renew(self, held: Identity, now_s: int) -> Identity | None:
        """Begin the session that is to follow one, if it is time for that; else None."""

    def ready(self, roster: Roster, now_s: int) -> bool:
        """Whether begin() returns at once; if not, what takes long is done meanwhile."""

    def vote(
        self, held: Identity, payload: bytes, now_s: int, kind: Kind = Kind.VOTE
    ) -> bytes | None:
        """Return a ballot sealed in a session's name; None while its root key has yet to sign it.

        Asked again for the same, it returns it once it is done.
        """

    @property
    def trouble(self) -> Misuse | None:
        """Why a signature of the root key could not be had the last time."""

    def kept(self, roster: Roster) -> Identity | None:
        """Return the session kept for a roster version, never a new one."""

    def holds(self, roster: Roster, session_kid: bytes) -> bool:
        """Whether a session of that roster version is, or was, one of those kept here."""

    def lose(self) -> None:
        """Set the kept sessions aside: the ledger that tells what they said is gone."""

    @property
    def lost(self) -> int:
        """The newest roster version with a session that was set aside, 0 for none."""


class FolderKeys:
    """Keys whose sessions are files in a drone's folder. root: its root key.

    before_s, after_s: how long before and after now a new session is valid.
    """

    def __init__(self, folder: Path, root: Signer, *, before_s: int, after_s: int) -> None:
        self._folder, self._root = folder, root
        self._before_s, self._after_s = before_s, after_s
        self._errand, self._ballot = Errand(), Errand()
        self._sealed: tuple[Identity, Kind, bytes, bytes] | None = None

    @property
    def root_key(self) -> bytes:
        """The public root key."""
        return self._root.public_key

    def begin(self, roster: Roster, now_s: int) -> Identity | None:
        """Go on with the session of a roster version, or begin one; Misuse as resume() does."""
        if not self._flies(roster):
            return None
        return resume(
            self._path(roster.version),
            roster,
            self._root,
            now_s=now_s,
            before_s=self._before_s,
            after_s=self._after_s,
        )

    def renew(self, held: Identity, now_s: int) -> Identity | None:
        """Begin the next session once half of the time of that one is over; Misuse as begin()."""
        if now_s < held.expires - self._after_s // 2 or not self.ready(held.roster, now_s):
            return None
        return self.begin(held.roster, now_s)

    def _flies(self, roster: Roster) -> bool:
        member = roster.with_key(self.root_key)
        return member is not None and member.index in roster.flying

    def ready(self, roster: Roster, now_s: int) -> bool:
        """Whether begin() needs no token's or TPM's signature; if it does, it is begun aside."""
        if self._errand.busy:
            return False
        software = self._root.key_store is KeyStore.SOFTWARE
        if software or not self._flies(roster) or self._fresh(roster, now_s):
            return True
        self._errand.urge(lambda: self.begin(roster, now_s), now_s)
        return False

    def vote(
        self, held: Identity, payload: bytes, now_s: int, kind: Kind = Kind.VOTE
    ) -> bytes | None:
        """Seal a ballot, beside the loop where a token or TPM signs it; what is late is gone."""
        if held.root is None:
            return held.seal_vote(payload, kind)
        if self._ballot.busy:
            return None
        done, self._sealed = self._sealed, None
        if done is not None and (done[0].roster, *done[1:3]) == (held.roster, kind, payload):
            return done[3]
        self._ballot.urge(lambda: self._seal(held, kind, payload), now_s)
        return None

    def _seal(self, held: Identity, kind: Kind, payload: bytes) -> None:
        self._sealed = held, kind, payload, held.seal_vote(payload, kind)

    @property
    def trouble(self) -> Misuse | None:
        """What the token or TPM said when it did not sign."""
        return self._errand.trouble or self._ballot.trouble

    def _fresh(self, roster: Roster, now_s: int) -> bool:
        found = _kept(self._path(roster.version), roster, self._root)
        return found is not None and _lasts(found[0], now_s, self._after_s)

    def kept(self, roster: Roster) -> Identity | None:
        """Return the session kept for a roster version, if there is one."""
        found = _kept(self._path(roster.version), roster, self._root)
        return found[0] if found else None

    def holds(self, roster: Roster, session_kid: bytes) -> bool:
        """Whether the file of that roster version has that session, or names it."""
        found = _kept(self._path(roster.version), roster, self._root)
        return found is not None and session_kid in (found[0].session_kid, *found[1])

    def lose(self) -> None:
        """Rename the session files; Misuse where that can't be done."""
        for path in [p for p in self._folder.iterdir() if _SESSION_FILE.fullmatch(p.name)]:
            if path.suffix != _LOST:
                try:
                    path.replace(path.with_name(path.name + _LOST))
                except OSError as error:
                    raise Misuse(f"cannot rename {path}: {error.strerror}.") from error

    @property
    def lost(self) -> int:
        """The newest roster version with a session file that was set aside, 0 for none."""
        names = (_SESSION_FILE.fullmatch(path.name) for path in self._folder.iterdir())
        return max((int(match[1] or 1) for match in names if match and match[2]), default=0)

    def _path(self, version: int) -> Path:
        return self._folder / (SESSION if version == 1 else f"{version}.{SESSION}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise Misuse(f"cannot read the session file {path}: {error.strerror}.") from error


def _write(path: Path, data: bytes) -> None:
    """Replace a file at once, readable by its owner only."""
    try:
        write_private(path, data, over=True)
    except OSError as error:
        raise Misuse(f"cannot write the session file {path}: {error.strerror}.") from error
