# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Who may sign and who is convicted, as the ledger itself says: one part of its state machine.

It needs only some of the entries, so that an investigator learns it without judging every vote.
"""

from __future__ import annotations

from dataclasses import dataclass

from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, Opener
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity.roster import Member, Roster
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.evidence import Charge, examine

MEMBERSHIP = (Kind.SESSION, Kind.EVIDENCE)
"""The requests that this part of the state machine takes."""


@dataclass(frozen=True, slots=True)
class Conviction:
    """Who was convicted, of what, at which height."""

    culprit: Member
    about: str
    height: int


class Membership:
    """Sessions and convictions under one roster.

    opener: learns the sessions on the ledger here, and no others. convicted: member indices, with
    the height of the block that did it; a member is convicted once.
    """

    def __init__(self, roster: Roster, opener: Opener | None = None) -> None:
        self.roster = roster
        self.opener = opener or Opener(roster)
        self.convicted: dict[int, int] = {}
        self.convictions: list[Conviction] = []

    def apply(self, kind: Kind, body: bytes, height: int) -> tuple[str, Member, Charge | None]:
        """Take one request of MEMBERSHIP; return what became of it, whose it is, and the charge.

        Raises PeerFault for one that counts for nothing.
        """
        if kind is Kind.SESSION:
            return "session", self.opener.add_session(body).member, None
        if kind is not Kind.EVIDENCE:
            raise PeerFault("malformed", f"a {kind.name} is not about members.")
        charge = examine(body, self.opener)
        if charge.culprit.index in self.convicted:
            return "known", charge.culprit, charge
        self.convicted[charge.culprit.index] = height
        self.convictions.append(Conviction(charge.culprit, charge.about, height))
        return "evidence", charge.culprit, charge

    def state(self) -> bytes:
        """Return an encoding of the whole state, equal on replicas that agree."""
        sessions = [session.kid for session in self.opener.sessions()]
        return encode([sessions, sorted(self.convicted.items())])


def membership_of(store: Store, roster: Roster) -> Membership:
    """Return the membership that a stored ledger leads to, each entry judged as it came.

    Only what is about members is looked at. What the state machine refused, such as a key that
    another member has, is not in it.
    """
    membership = Membership(roster)
    kinds = {int(kind): kind for kind in MEMBERSHIP}
    for index in range(store.size):
        entry = store.entry(index)
        kind = kinds.get(entry[0])
        if kind is not None:
            try:
                membership.apply(kind, entry, store.height_of(index))
            except PeerFault:
                continue  # it is on the ledger all the same, and counts for nothing
    return membership
