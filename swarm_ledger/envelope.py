# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Seal and open: how anything signed travels, and how it is judged, once.

A sealed message is one byte for its kind, then a COSE_Sign1. The kind, the swarm and the epoch are
in the signature's domain, so a message of one kind, swarm or epoch is refused as any other.

Consensus messages become proofs in the hands of others. Until the ledger holds its author's
session, such a message travels with the delegation (Kind.CARRIED), and proves itself anywhere.
Secrets, states for those who lag far behind, and questions for them, always do.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from enum import IntEnum
from typing import TypeVar, cast

import msgspec

from swarm_ledger.encoding import decode, digest, encode
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity import cose
from swarm_ledger.identity.roster import (
    FLYING,
    OPERATORS,
    VALIDATORS,
    VOTERS,
    Member,
    Role,
    Roster,
)
from swarm_ledger.identity.session import Session, domain, open_delegation
from swarm_ledger.signers import Signer

T = TypeVar("T")

MAX_ENVELOPE_BYTES = 1 << 22

REMEMBERED_BYTES = 4096
"""Larger messages (view changes, blocks) are rare, and would let a peer fill our memory."""

MAX_SESSIONS_PER_MEMBER = 16
"""Under one roster version. None is ever forgotten: what it signed may be a proof for ever."""


class Kind(IntEnum):
    """What the bytes behind the first one are. Those from 32 on are derived by the ledger itself
    and carry no signature of their own: a checkpoint's cosignatures vouch for them.
    """

    SESSION = 1
    QUESTION = 2
    VOTE = 3
    TICK = 4
    EVIDENCE = 5
    ROSTER = 6
    ANCHOR = 7
    RULE = 8
    CLAIM = 9
    COMMIT = 10
    REVEAL = 11
    NOTE = 12
    CONSENSUS = 16
    CARRIED = 17
    WELCOME = 18
    RELAYED = 19
    WINDOW = 20
    WINDOWED = 21
    SECRET = 22
    SHARES = 23
    LACKING = 24
    CLOCK = 25
    LAGGING = 26
    PIECE = 27
    CONFIDED = 28
    FOLLOW = 30
    CERTIFIED = 31
    GENESIS = 32
    BLOCK = 33
    DECISION = 34
    GRANT = 35
    ACTION = 36
    STANDING = 37


BALLOTS = (Kind.VOTE, Kind.COMMIT, Kind.REVEAL)
"""What a voter says about a question: at most one of each kind."""


_KINDS = {bytes([kind]): kind for kind in Kind}

_ROLES_FOR = {
    Kind.QUESTION: OPERATORS,
    Kind.VOTE: VOTERS,
    Kind.COMMIT: VOTERS,
    Kind.REVEAL: VOTERS,
    Kind.TICK: VALIDATORS,
    Kind.ANCHOR: VOTERS,
    Kind.RULE: OPERATORS,
    Kind.CLAIM: VOTERS,
    Kind.NOTE: VOTERS,
    Kind.CONSENSUS: VALIDATORS,
    Kind.WELCOME: VALIDATORS,
    Kind.CLOCK: VALIDATORS,
    Kind.RELAYED: VOTERS,
    Kind.WINDOW: VOTERS,
    Kind.SHARES: FLYING,
    Kind.LACKING: FLYING,
    Kind.LAGGING: FLYING,
    Kind.PIECE: VALIDATORS,
    Kind.FOLLOW: VOTERS,
    Kind.CERTIFIED: VALIDATORS,
}
"""Any one of these roles will do."""


_WITH_DELEGATION = tuple(
    bytes([kind]) for kind in (Kind.CARRIED, Kind.SHARES, Kind.LACKING, Kind.LAGGING, Kind.PIECE)
)


class Opened(msgspec.Struct, frozen=True):
    """An envelope whose signature holds.

    author: the member who signed, in its own name; payload: what was signed; raw: all bytes, with
    the delegation if it came with one. session: whose key signed, None for a root key, which is an
    operator's, or that of a hardware_only member that votes.
    """

    kind: Kind
    author: Member
    payload: bytes
    raw: bytes
    session: Session | None
    said: list[object] = msgspec.field(default_factory=list)
    """What parse() made of the payload, once."""

    def parse(self, parse: Callable[[bytes], T]) -> T:
        """Return what `parse` makes of the payload, which is parsed once; it may raise PeerFault.

        Each kind has one parser.
        """
        if not self.said:
            self.said.append(parse(self.payload))
        return cast(T, self.said[0])

    def check_fresh(self, now_s: int) -> None:
        """Raise PeerFault "stale_session" or "stale_member" unless both were valid then."""
        if not self.author.valid_at(now_s):
            raise PeerFault("stale_member", f"{self.author.name} is no member at that time.")
        if self.session is not None and not self.session.valid_at(now_s):
            raise PeerFault(
                "stale_session", f"{self.author.name}'s session is not valid at that time."
            )


def seal(kind: Kind, payload: bytes, signer: Signer, roster: Roster) -> bytes:
    """Sign `payload` in the domain of this kind, swarm and epoch."""
    aad = domain(roster.swarm_id, kind, roster.version)
    return bytes([kind]) + cose.sign1(signer, payload, aad)


def carry(delegation: bytes, sealed: bytes) -> bytes:
    """Return a sealed consensus message together with the delegation that it needs."""
    return bytes([Kind.CARRIED]) + encode([delegation, sealed])


def delegation_of(session: Session) -> bytes:
    """Return a session's delegation, as it travels and as the ledger has it."""
    return bytes([Kind.SESSION]) + session.raw


def introduce(delegation: bytes, sealed: bytes) -> bytes:
    """Return a sealed message that always comes so together with the delegation that it needs."""
    return sealed[:1] + encode([delegation, sealed[1:]])


def kind_of(raw: bytes) -> Kind:
    """Return the kind that the first byte names; PeerFault("malformed") for none."""
    kind = _KINDS.get(raw[:1])
    if kind is None:
        raise PeerFault("malformed", f"no kind of message starts with {raw[:1]!r}.")
    return kind


class Verified:
    """Remembers what was verified, by digest, bounded: a message seen again costs a hash."""

    def __init__(self, size: int = 8192) -> None:
        self._size = size
        self._opened: OrderedDict[bytes, Opened] = OrderedDict()
        self._delegated: OrderedDict[bytes, Session] = OrderedDict()

    def get(self, key: bytes) -> Opened | None:
        """Return what was verified under that digest, if it is still remembered."""
        opened = self._opened.get(key)
        if opened is not None:
            self._opened.move_to_end(key)
        return opened

    def put(self, key: bytes, opened: Opened) -> None:
        """Remember one more, unless it is large, and forget the one longest unused."""
        if len(opened.raw) > REMEMBERED_BYTES:
            return
        self._opened[key] = opened
        if len(self._opened) > self._size:
            self._opened.popitem(last=False)

    def session(self, raw: bytes, open_: Callable[[], Session]) -> Session:
        """Return what a delegation proves, which is verified once; PeerFault as open_ raises it.

        Those that hold are small, and no more than their members' root keys signed.
        """
        known = self._delegated.get(raw)
        if known is None:
            known = self._delegated[raw] = open_()
            if len(self._delegated) > self._size:
                self._delegated.popitem(last=False)
        return known


class Opener:
    """Opens envelopes for one roster, with the sessions that it was shown.

    verified: signatures checked before; openers of one roster with different sessions may share
    it, because what is remembered is taken only if this one knows the same session, or it came
    along. Openers of two rosters may not: an operator's key is the same in both.
    """

    def __init__(self, roster: Roster, verified: Verified | None = None) -> None:
        self.roster = roster
        self._sessions: dict[bytes, Session] = {}
        self._ordered: tuple[Session, ...] = ()
        self._authors: set[int] = set()
        self.verified = verified or Verified()

    def add_session(self, raw: bytes) -> Session:
        """Verify and remember a sealed delegation (Kind.SESSION); PeerFault if it is not one.

        Of two delegations for one key the one that expires last counts. PeerFault
        ("too_many_sessions") beyond MAX_SESSIONS_PER_MEMBER.
        """
        session = self.delegated(raw)
        known = self._sessions.get(session.kid)
        if known is not None and (known.member, known.public_key) != (
            session.member,
            session.public_key,
        ):
            raise PeerFault("stolen_session", f"{session.kid.hex()} names another key.")
        if known is None:
            own = sum(held.member == session.member for held in self._sessions.values())
            if own >= MAX_SESSIONS_PER_MEMBER:
                raise PeerFault("too_many_sessions", f"{session.member.name} has {own} already.")
        if known is None or known.expires < session.expires:
            self._sessions[session.kid] = session
            self._ordered = tuple(held for _, held in sorted(self._sessions.items()))
            self._authors.add(session.member.index)
        return session

    def sessions(self) -> tuple[Session, ...]:
        """Return all known sessions, by key identifier."""
        return self._ordered

    def sessions_of(self, member: Member) -> tuple[Session, ...]:
        """Return the member's known sessions, the earliest first."""
        own = (held for held in self._sessions.values() if held.member == member)
        return tuple(sorted(own, key=lambda held: (held.not_before, held.kid)))

    def authors(self) -> set[int]:
        """Return the members, by their index, of whom a session is known."""
        return self._authors

    def knows(self, member: Member, kid: bytes) -> bool:
        """Whether that member's session with that key was shown."""
        known = self._sessions.get(kid)
        return known is not None and known.member == member

    def open(self, raw: bytes) -> Opened:
        """Verify a sealed message: signature, domain, membership and role.

        Raises PeerFault: "malformed", "oversize", "unknown_key" (its delegation was not seen yet),
        "bad_signature", "wrong_role", "wrong_key" (a hardware_only member's vote by its session
        key, as a thief of that would send), and for a delegation that came along what
        add_session does.
        """
        carried = raw[:1] in _WITH_DELEGATION
        key = digest(raw)
        known = self.verified.get(key)
        if known is not None and (carried or self._knows(known.session)):
            return known
        opened = self._open_carried(raw) if carried else self._open(raw)
        self.verified.put(key, opened)
        return opened

    def _open_carried(self, raw: bytes) -> Opened:
        parts: tuple[bytes, bytes] = decode(raw[1:], tuple[bytes, bytes], limit=MAX_ENVELOPE_BYTES)
        delegation, sealed = parts
        if kind_of(raw) is not Kind.CARRIED:
            sealed = raw[:1] + sealed
        elif kind_of(sealed) is not Kind.CONSENSUS:
            raise PeerFault("malformed", "only consensus messages are carried.")
        return self._open(sealed, self.delegated(delegation), raw)

    def _open(self, raw: bytes, along: Session | None = None, whole: bytes = b"") -> Opened:
        """Verify one envelope; along: the session that came with it in the bytes `whole`."""
        kind = kind_of(raw)
        if kind not in _ROLES_FOR:
            raise PeerFault("malformed", f"a {kind.name} is not a sealed message.")
        message = cose.parse1(raw[1:], limit=MAX_ENVELOPE_BYTES)
        session = along or self._sessions.get(message.kid)
        holder = self.roster.by_kid.get(message.kid)
        if along is None and holder is not None and _speaks_itself(holder, kind):
            # Before any session: whose key has that identifier follows from the roster alone.
            author, public_key, session = holder, holder.public_key, None
        elif session is not None and session.kid == message.kid:
            author, public_key = session.member, session.public_key
        else:
            raise PeerFault("unknown_key", f"nobody may sign that with key {message.kid.hex()}.")
        if not _ROLES_FOR[kind] & author.roles:
            raise PeerFault("wrong_role", f"{author.name} may not send a {kind.name}.")
        aad = domain(self.roster.swarm_id, kind, self.roster.version)
        cose.verify1(message, public_key, aad)
        if session is not None and kind in BALLOTS and author.hardware_only:
            raise PeerFault("wrong_key", f"{author.name} votes with its root key only.")
        return Opened(kind, author, message.payload, whole or raw, session)

    def delegated(self, raw: bytes) -> Session:
        """Verify a sealed delegation, without remembering it; PeerFault if it is not one."""
        if kind_of(raw) is not Kind.SESSION:
            raise PeerFault("malformed", "not a delegation.")
        for session in self._sessions.values():
            if session.raw == raw[1:]:
                return session
        aad = domain(self.roster.swarm_id, Kind.SESSION, self.roster.version)
        return self.verified.session(raw, lambda: open_delegation(raw[1:], self.roster, aad))

    def _knows(self, session: Session | None) -> bool:
        if session is None:
            return True
        held = self._sessions.get(session.kid)
        return held is session or held == session


def _speaks_itself(member: Member, kind: Kind) -> bool:
    """Whether a member signs that kind of message with its root key."""
    return Role.OPERATOR in member.roles or (
        kind in BALLOTS and member.hardware_only and bool(member.roles)
    )
