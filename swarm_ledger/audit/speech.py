# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Opens what was signed in a bag, under each roster version, with all sessions the bag shows.

What needs a delegation may be recorded before it; so a bag is read twice, first for those.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from swarm_ledger.bags.form import Attachment
from swarm_ledger.bags.messages import Envelope, Signed
from swarm_ledger.encoding import decode
from swarm_ledger.envelope import MAX_ENTRY_BYTES, MAX_ENVELOPE_BYTES, Kind, Opened, Opener
from swarm_ledger.errors import NotVerified, PeerFault
from swarm_ledger.identity.roster import Roster
from swarm_ledger.identity.trust import Proven, Trust
from swarm_ledger.light_client.policies import sessions_of_policy
from swarm_ledger.relay.statement import Notarised, micros, split_delegation

_CARRIED, _SESSION = bytes([Kind.CARRIED]), bytes([Kind.SESSION])


class Speech:
    """Who may have said what. trust: whose rosters count; more of them may be in the bag."""

    def __init__(self, trust: Trust) -> None:
        self.trust = trust
        self.openers = {one.roster.version: Opener(one.roster) for one in trust.versions}
        self.swarm_id = trust.genesis.swarm_id

    @property
    def rosters(self) -> tuple[Roster, ...]:
        """All that are known, ascending."""
        return tuple(self.openers[version].roster for version in sorted(self.openers))

    def learn(self, envelope: Envelope) -> None:
        """Take note of the session or the roster in an envelope, if there is one that holds."""
        opener, data = self.openers.get(envelope.epoch), envelope.data
        with suppress(PeerFault, NotVerified):
            if data[:1] == bytes([Kind.ROSTER]):
                self._learn_roster(data)
            elif opener is not None and data[:1] == _SESSION:
                opener.add_session(data)
            elif opener is not None and data[:1] == _CARRIED:
                delegation, _ = decode(data[1:], tuple[bytes, bytes], limit=MAX_ENVELOPE_BYTES)
                opener.add_session(delegation)

    def learn_policy(self, attachments: Iterable[Attachment], name: str) -> str:
        """Take note of the sessions in attached policies; return why one doesn't hold, or ""."""
        for one in attachments:
            if one.name == name:
                try:
                    found = sessions_of_policy(one.data, self.trust)
                except NotVerified as error:
                    return str(error)
                opener = self.openers[found.roster.version]
                for session in found.sessions():
                    with suppress(PeerFault):
                        opener.add_session(_SESSION + session.raw)
        return ""

    def open(self, envelope: Envelope) -> Opened:
        """Verify what an envelope holds; PeerFault as Opener.open, "other_swarm", "other_epoch".

        What the envelope says around the sealed bytes is held against the roster, too.
        """
        if envelope.swarm_id != self.swarm_id:
            raise PeerFault("other_swarm", f"signed for {envelope.swarm_id[:40]!r}.")
        opener = self.openers.get(envelope.epoch)
        if opener is None:
            raise PeerFault("other_epoch", f"roster version {envelope.epoch} isn't known.")
        return opener.open(envelope.data)

    def delegations(self) -> list[tuple[int, bytes]]:
        """Return all sessions that were shown, with their roster version: for other processes."""
        return [
            (version, _SESSION + session.raw)
            for version, opener in sorted(self.openers.items())
            for session in opener.sessions()
        ]

    def check_roster(self, raw: bytes) -> Proven:
        """Verify a roster that stands in an entry; PeerFault("bad_roster") if it isn't one."""
        parts: tuple[bytes, ...] = decode(raw[1:], tuple[bytes, ...], limit=MAX_ENTRY_BYTES)
        if len(parts) < 2:
            raise PeerFault("malformed", "a roster comes with its metadata.")
        try:
            return self.trust.verify(parts[0], parts[1], parts[2:])
        except NotVerified as error:
            raise PeerFault("bad_roster", f"operators did not sign it so: {error}") from error

    def _learn_roster(self, raw: bytes) -> None:
        roster = self.check_roster(raw).roster
        self.openers.setdefault(roster.version, Opener(roster))


def notarised(told: Signed) -> Notarised:
    """Return a recorded SignedMessage, to be verified; PeerFault for a stamp that isn't ours."""
    envelope = told.envelope
    return Notarised(
        told.topic,
        told.type_name,
        told.type_hash,
        told.sequence,
        micros(told.sec, told.nanosec),
        told.data,
        envelope.swarm_id,
        envelope.epoch,
        envelope.data,
    )


def delegation_in(sealed: bytes) -> bytes:
    """Return the delegation that came along with a signed message, b"" if none did."""
    with suppress(PeerFault):
        return split_delegation(sealed)[0]
    return b""
