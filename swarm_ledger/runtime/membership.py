# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Who belongs to the swarm, who may sign, who is convicted: as the ledger itself says.

It is one part of the state machine. It needs only some of the entries, so that an investigator
learns it without judging every vote.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from swarm_ledger.encoding import MAX_ENTRY_BYTES, decode, digest, encode
from swarm_ledger.envelope import Kind, Opener
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity.roster import Member, Roster, check_succession
from swarm_ledger.identity.trust import Proven, Trust, Version
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.blocks import split_block
from swarm_ledger.runtime.evidence import Charge, examine

MEMBERSHIP = (Kind.SESSION, Kind.EVIDENCE, Kind.ROSTER)
"""The requests that this part of the state machine takes."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True)
class Conviction:
    """Who was convicted, of what, at which height."""

    culprit: Member
    about: str
    height: int


@dataclass(frozen=True, slots=True)
class Era:
    """The blocks under one roster version: those after `base`, up to the next era's base.

    opener: knows the sessions of this version that the ledger holds. The era's own members commit
    its blocks and cosign its checkpoints, that of its last block included. expires_s: from that
    ledger time on (POSIX seconds) only the next roster counts, and what goes with it.
    """

    roster: Roster
    base: int
    opener: Opener
    expires_s: int


@dataclass(frozen=True, slots=True)
class Ruling:
    """What became of a request. author: of evidence the culprit, of a roster nobody."""

    result: str
    author: Member | None = None
    charge: Charge | None = None


def roster_request(version: Version) -> bytes:
    """Return the entry by which a roster version takes effect; it proves itself, signed by TUF.

    It carries the roots after the first, so that it does from the first root alone.
    """
    return bytes([Kind.ROSTER]) + encode([version.targets, version.roster.raw, *version.roots])


class Membership:
    """Rosters, sessions and convictions, block by block.

    trust: whose signatures a roster needs. convicted: member indices in the present era, with the
    height of the block that did it; a member is convicted once in an era. times: of the blocks
    that held anything that counted, by height, the ledger time at which it judged.
    """

    def __init__(self, trust: Trust) -> None:
        self.trust = trust
        self.eras = [Era(trust.genesis, 0, Opener(trust.genesis), trust.first.expires_s)]
        self._roots = trust.first.roots
        self.convicted: dict[int, int] = {}
        self.convictions: list[Conviction] = []
        self.times: dict[int, int] = {}
        self._next: Proven | None = None
        self._encoded: tuple[tuple[object, ...], bytes] = ((), b"")

    @property
    def now(self) -> Era:
        """The present era."""
        return self.eras[-1]

    def at(self, height: int) -> Era:
        """Return the era that a block belongs to."""
        return next(era for era in reversed(self.eras) if era.base < height or not era.base)

    def end_of(self, era: Era) -> int | None:
        """Return the height of an era's last block, None for the present one."""
        return next((other.base for other in self.eras if other.base > era.base), None)

    def succeed(self, raw: bytes, time_ms: int) -> Proven:
        """Return the roster in a request if it may follow the present one at that ledger time.

        Raises PeerFault: "malformed", "oversize", "bad_roster", "stale_roster", and, for one that
        would do at another time, "expired_roster".
        """
        parts: tuple[bytes, ...] = decode(raw[1:], tuple[bytes, ...], limit=MAX_ENTRY_BYTES)
        if len(parts) < 2:
            raise PeerFault("malformed", "a roster comes with its metadata.")
        try:
            proven = self.trust.verify(parts[0], parts[1], parts[2:])
        except NotVerified as error:
            raise PeerFault("bad_roster", f"operators did not sign it so: {error}") from error
        roster, present = proven.roster, self.now.roster
        if roster.version <= present.version:
            raise PeerFault("stale_roster", f"roster version {roster.version} is over.")
        if not proven.roots.follows(self._next.roots if self._next else self._roots):
            raise PeerFault("stale_roster", "other operators are in charge by now.")
        try:
            check_succession(present, roster)
        except Misuse as error:
            raise PeerFault("bad_roster", error.what) from error
        try:
            proven.check_current(_EPOCH + timedelta(milliseconds=time_ms))
        except (NotVerified, OverflowError) as error:
            raise PeerFault("expired_roster", f"it is too late for it: {error}") from error
        return proven

    def apply(self, kind: Kind, body: bytes, height: int, time_ms: int) -> Ruling:
        """Take one request of MEMBERSHIP; PeerFault for one that counts for nothing."""
        ruling = self._judge(kind, body, height, time_ms)
        self.times[height] = time_ms
        return ruling

    def _judge(self, kind: Kind, body: bytes, height: int, time_ms: int) -> Ruling:
        if kind is Kind.SESSION:
            self.now.opener.delegated(body).check_not_over(time_ms // 1000)
            return Ruling("session", self.now.opener.add_session(body).member)
        if kind is Kind.ROSTER:
            proven, known = self.succeed(body, time_ms), self._next
            # The highest, not the first: a request that was ordered once is never ordered again.
            if known is not None and proven.roster.version <= known.roster.version:
                version = known.roster.version
                raise PeerFault("stale_roster", f"this block has version {version}.")
            self._next = proven
            return Ruling("roster")
        charge = examine(body, self.now.opener)
        if charge.culprit.index in self.convicted:
            return Ruling("known", charge.culprit, charge)
        self.convicted[charge.culprit.index] = height
        self.convictions.append(Conviction(charge.culprit, charge.about, height))
        return Ruling("evidence", charge.culprit, charge)

    def end_block(self, height: int) -> Roster | None:
        """End a block; return the roster that takes effect right after it, if there is one."""
        proven, self._next = self._next, None
        if proven is None:
            return None
        roster, self._roots = proven.roster, proven.roots
        self.eras.append(Era(roster, height, Opener(roster), proven.expires_s))
        self.convicted = {}
        return roster

    def counts(self, body: bytes, height: int) -> bool:
        """Whether an entry in the block of that height made this membership what it is.

        A few others of such a block may be said to: rosters beside the one that took effect.
        """
        if body[0] == Kind.ROSTER:
            return any(era.base == height for era in self.eras[1:])
        if body[0] == Kind.EVIDENCE:
            return any(one.height == height for one in self.convictions)
        if body[0] == Kind.SESSION:
            sessions = self.at(height).opener.sessions()
            return any(session.raw == body[1:] for session in sessions)
        return False

    def state(self) -> bytes:
        """Return an encoding of the whole state, equal on replicas that agree."""
        sessions = self.now.opener.sessions()
        made_of = (self.now, self._roots, sessions, len(self.convicted))
        before, encoded = self._encoded
        if made_of == before:  # as in almost every block: who is convicted stays so in an era
            return encoded
        kids = [session.kid for session in sessions]
        roster = [self.now.roster.version, digest(self.now.roster.raw), self.now.base]
        roots = [digest(said) for said in self._roots.said]
        encoded = encode([roster, roots, kids, sorted(self.convicted.items())])
        self._encoded = made_of, encoded
        return encoded


def membership_of(store: Store, trust: Trust) -> Membership:
    """Return the membership that a stored ledger leads to, each entry judged as it came.

    Only what is about members is looked at; what the state machine refused, such as a key that
    another member has, is not in it. NotVerified for a block that is damaged.
    """
    membership = Membership(trust)
    follow_members(membership, store, 0, 0)
    return membership


def follow_members(membership: Membership, store: Store, height: int, time_ms: int) -> int:
    """Let a membership that stands after a block, at that ledger time, take in all later ones.

    Returns the ledger time after the last one.
    """
    for later in range(height + 1, store.height + 1):
        entries = store.block(later).entries
        try:
            header, requests = split_block(entries)
        except NotVerified as error:
            raise NotVerified(str(error), where=f"height {later}") from error
        time_ms = max(time_ms, header.time_ms)
        take_block(membership, requests, later, time_ms)
    return time_ms


def take_block(
    membership: Membership, requests: Iterable[bytes], height: int, time_ms: int
) -> None:
    """Let a membership take in one block, of which only what is about members is looked at."""
    for body in requests:
        kind = next((kind for kind in MEMBERSHIP if body[:1] == bytes([kind])), None)
        if kind is None:
            continue
        with suppress(PeerFault):  # it is on the ledger all the same, and counts for nothing
            membership.apply(kind, body, height, time_ms)
    membership.end_block(height)
