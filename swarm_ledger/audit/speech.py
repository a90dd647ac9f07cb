# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Opens what was signed in a bag, under each roster version, with all sessions the bag shows.

What needs a delegation may be recorded before it; so a bag is read twice, first for those.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from swarm_ledger.bags.form import Attachment
from swarm_ledger.bags.signed import Envelope
from swarm_ledger.encoding import MAX_ENTRY_BYTES, decode
from swarm_ledger.envelope import MAX_ENVELOPE_BYTES, Kind, Opened, Opener
from swarm_ledger.errors import NotVerified, PeerFault
from swarm_ledger.identity.roster import Roster
from swarm_ledger.identity.trust import Proven, Trust
from swarm_ledger.light_client.policies import sessions_of_policy
from swarm_ledger.runtime.evidence import examine

_CARRIED, _SESSION, _ROSTER = (bytes([kind]) for kind in (Kind.CARRIED, Kind.SESSION, Kind.ROSTER))

TEACHING = _CARRIED + _SESSION + _ROSTER
"""How envelopes begin that bring a session or a roster along."""

PROVES_ITSELF = (Kind.SESSION, Kind.ROSTER, Kind.EVIDENCE)
"""Requests that are not signed as messages are, but hold by what is in them."""

UNREADABLE = tuple(bytes([one]) for one in (Kind.SECRET, Kind.CONFIDED))
"""How envelopes begin that are encrypted."""


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

    def learn(self, taught: Envelope) -> None:
        """Take note of the session or the roster in an envelope, if it is one that holds."""
        opener = self.openers.get(taught.epoch)
        with suppress(PeerFault):
            if taught.data[:1] == _ROSTER:
                roster = self.check_roster(taught.data).roster
                self.openers.setdefault(roster.version, Opener(roster))
            elif opener is not None:
                opener.add_session(taught.data)

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
        return self._opener(envelope).open(envelope.data)

    def check(self, envelope: Envelope) -> None:
        """Verify what is no sealed message but proves itself: see PROVES_ITSELF; PeerFault."""
        opener = self._opener(envelope)
        if envelope.data[:1] == _SESSION:
            opener.delegated(envelope.data)
        elif envelope.data[:1] == _ROSTER:
            self.check_roster(envelope.data)
        else:
            examine(envelope.data, opener)

    def _opener(self, envelope: Envelope) -> Opener:
        if envelope.swarm_id != self.swarm_id:
            raise PeerFault("other_swarm", f"signed for {envelope.swarm_id[:40]!r}.")
        opener = self.openers.get(envelope.epoch)
        if opener is None:
            raise PeerFault("other_epoch", f"roster version {envelope.epoch} isn't known.")
        return opener

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


def taught_by(envelope: Envelope) -> Envelope | None:
    """Return the session or the roster that an envelope brings along, None if it brings none."""
    data = envelope.data
    if data[:1] == _CARRIED:
        try:
            parts: tuple[bytes, bytes] = decode(
                data[1:], tuple[bytes, bytes], limit=MAX_ENVELOPE_BYTES
            )
        except PeerFault:
            return None
        return Envelope(envelope.swarm_id, envelope.epoch, parts[0])
    return envelope if data[:1] in (_SESSION, _ROSTER) else None


def is_session(taught: Envelope) -> bool:
    """Whether what an envelope brought along is no roster."""
    return taught.data[:1] != _ROSTER
