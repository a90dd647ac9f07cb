# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Seal and open: how anything signed travels, and how it is judged, once.

A sealed message is one byte for its kind, then a COSE_Sign1. The kind, the swarm and the epoch are
in the signature's domain, so a message of one kind, swarm or epoch is refused as any other.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from enum import IntEnum

from swarm_ledger.encoding import digest
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity import cose
from swarm_ledger.identity.roster import Member, Role, Roster
from swarm_ledger.identity.session import Session, domain, open_delegation
from swarm_ledger.signers import Signer

MAX_ENVELOPE_BYTES = 1 << 22
MAX_ENTRY_BYTES = 65_535
"""What tlog-tiles' entry bundles allow for one leaf."""

REMEMBERED_BYTES = 4096
"""Larger messages (view changes, blocks) are rare, and would let a peer fill our memory."""

_MAX_SESSIONS_PER_MEMBER = 8


class Kind(IntEnum):
    """What the bytes behind the first one are. Those from 32 on are derived by the ledger itself
    and carry no signature of their own: a checkpoint's cosignatures vouch for them.
    """

    SESSION = 1
    QUESTION = 2
    VOTE = 3
    TICK = 4
    EVIDENCE = 5
    CONSENSUS = 16
    GENESIS = 32
    BLOCK = 33
    DECISION = 34


_ROLE_FOR = {
    Kind.QUESTION: Role.OPERATOR,
    Kind.VOTE: Role.VOTER,
    Kind.TICK: Role.VALIDATOR,
    Kind.CONSENSUS: Role.VALIDATOR,
}


@dataclass(frozen=True, slots=True)
class Opened:
    """An envelope whose signature holds.

    author: the member who signed, in its own name; payload: what was signed; raw: all bytes.
    session: the session whose key signed, None for an operator's root key.
    """

    kind: Kind
    author: Member
    payload: bytes
    raw: bytes
    session: Session | None

    def fresh_at(self, now_s: int) -> bool:
        """Whether the signing session was valid at that time (POSIX seconds)."""
        return self.session is None or self.session.valid_at(now_s)


def seal(kind: Kind, payload: bytes, signer: Signer, roster: Roster) -> bytes:
    """Sign `payload` in the domain of this kind, swarm and epoch."""
    aad = domain(roster.swarm_id, kind, roster.version)
    return bytes([kind]) + cose.sign1(signer, payload, aad)


def kind_of(raw: bytes) -> Kind:
    """Return the kind that the first byte names; PeerFault("malformed") for none."""
    try:
        return Kind(raw[0])
    except (IndexError, ValueError) as error:
        raise PeerFault("malformed", f"no kind of message starts with {raw[:1]!r}.") from error


class Verified:
    """Remembers what was verified, by digest, bounded: a message seen again costs a hash."""

    def __init__(self, size: int = 8192) -> None:
        self._size = size
        self._opened: OrderedDict[bytes, Opened] = OrderedDict()

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


class Opener:
    """Opens envelopes for one roster, with the sessions that it was shown.

    verified: signatures checked before; openers with different sessions may share it, because
    what is remembered is taken only if this opener knows the same session.
    """

    def __init__(self, roster: Roster, verified: Verified | None = None) -> None:
        self.roster = roster
        self._sessions: dict[bytes, Session] = {}
        self._verified = verified or Verified()

    def add_session(self, raw: bytes) -> Session:
        """Verify and remember a sealed delegation (Kind.SESSION); PeerFault if it is not one.

        A member has a bounded number of sessions: with more, the first to expire is forgotten.
        """
        if kind_of(raw) is not Kind.SESSION:
            raise PeerFault("malformed", "not a delegation.")
        aad = domain(self.roster.swarm_id, Kind.SESSION, self.roster.version)
        session = open_delegation(raw[1:], self.roster, aad)
        known = self._sessions.get(session.kid)
        if known is not None and known.member != session.member:
            raise PeerFault("stolen_session", f"{session.kid.hex()} is another member's key.")
        self._sessions[session.kid] = session
        own = [held for held in self._sessions.values() if held.member == session.member]
        if len(own) > _MAX_SESSIONS_PER_MEMBER:
            del self._sessions[min(own, key=lambda held: held.expires).kid]
        return session

    def sessions(self) -> tuple[Session, ...]:
        """Return all known sessions, by key identifier."""
        return tuple(session for _, session in sorted(self._sessions.items()))

    def session_of(self, member: Member) -> Session | None:
        """Return the member's session that expires last, if any is known."""
        own = (held for held in self._sessions.values() if held.member == member)
        return max(own, key=lambda held: held.expires, default=None)

    def open(self, raw: bytes) -> Opened:
        """Verify a sealed message: signature, domain, membership and role.

        Raises PeerFault: "malformed", "oversize", "unknown_key" (its delegation was not seen yet),
        "bad_signature", "wrong_role".
        """
        key = digest(raw)
        known = self._verified.get(key)
        if known is not None and self._knows(known.session):
            return known
        kind = kind_of(raw)
        if kind not in _ROLE_FOR:
            raise PeerFault("malformed", f"a {kind.name} is not a sealed message.")
        message = cose.parse1(raw[1:], limit=MAX_ENVELOPE_BYTES)
        session = self._sessions.get(message.kid)
        operator = self.roster.by_kid.get(message.kid)
        if session is not None:
            author, public_key = session.member, session.public_key
        elif operator is not None and Role.OPERATOR in operator.roles:
            author, public_key = operator, operator.public_key
        else:
            raise PeerFault("unknown_key", f"no session or operator has key {message.kid.hex()}.")
        if _ROLE_FOR[kind] not in author.roles:
            raise PeerFault("wrong_role", f"{author.name} may not send a {kind.name}.")
        aad = domain(self.roster.swarm_id, kind, self.roster.version)
        cose.verify1(message, public_key, aad)
        opened = Opened(kind, author, message.payload, raw, session)
        self._verified.put(key, opened)
        return opened

    def _knows(self, session: Session | None) -> bool:
        return session is None or self._sessions.get(session.kid) == session
