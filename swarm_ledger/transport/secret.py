# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Any transport, with all that is said on it encrypted for the members of a roster version.

What goes in clear is what drones need that do not share secrets yet, and proves itself: sessions,
rosters that operators signed, shares of secrets, and questions for those. Operators share none at
all: what they ask is heard where it was confided to the members.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count

from swarm_ledger.envelope import MAX_ENVELOPE_BYTES, Kind, kind_of
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity import confided
from swarm_ledger.identity.channel import ChannelKeys
from swarm_ledger.identity.encrypt0 import parse0
from swarm_ledger.identity.roster import Roster
from swarm_ledger.identity.secrecy import Circle, parse_key_id, readers
from swarm_ledger.transport import Transport

CLEAR = (Kind.SESSION, Kind.ROSTER, Kind.SHARES, Kind.LACKING)
"""What drones say in clear, and hear so. All else is secret."""

ASKED = (Kind.QUESTION,)
"""What may be confided to drones, by who is none."""


class Secrets:
    """The secrets of one drone: a circle for each roster version that it is a member of.

    keys: its channel keys, by which rosters know it. run: a number larger than at any start
    before; now_ms: the time of this start, so that secrets have other names also where the disk
    that holds that number was lost within a second. draw: returns that many random bytes.
    lacking: version and index of members whose secrets were missed since somebody looked.
    """

    def __init__(
        self, keys: ChannelKeys, *, run: int, now_ms: int, draw: Callable[[int], bytes]
    ) -> None:
        self._keys, self._draw = keys, draw
        self._names = ((run, number) for number in count(now_ms % 1000 << 20))
        self._circles: dict[int, tuple[Roster, Circle]] = {}
        self._speaking: int | None = None
        self.lacking: set[tuple[int, int]] = set()

    def settle(self, rosters: Iterable[Roster], speaking: int | None) -> None:
        """Keep to these roster versions, and forget the secrets of all others.

        speaking: the version under which to speak from now on, None for not at all.
        """
        before, self._circles = self._circles, {}
        for roster in rosters:
            known = before.get(roster.version)
            if known is not None and known[0] == roster:
                self._circles[roster.version] = known
            elif (circle := self._circle(roster)) is not None:
                self._circles[roster.version] = roster, circle
        self._speaking = speaking
        self.lacking = {lack for lack in self.lacking if lack[0] in self._circles}

    def _circle(self, roster: Roster) -> Circle | None:
        keys = readers(roster)
        for index, key in keys.items():
            if key == self._keys.hpke:
                return Circle(
                    roster.swarm_id,
                    roster.version,
                    index,
                    keys,
                    self._keys.hpke_secret,
                    names=self._names,
                    draw=self._draw,
                )
        return None

    def circle(self, version: int) -> Circle | None:
        """Return whom we share secrets with under a roster version, None where we are nobody."""
        found = self._circles.get(version)
        return found[1] if found else None

    @contextmanager
    def within(self, version: int | None) -> Iterator[None]:
        """Speak under that roster version meanwhile, or not at all."""
        before, self._speaking = self._speaking, version
        try:
            yield
        finally:
            self._speaking = before

    def conceal(self, data: bytes) -> bytes | None:
        """Return sealed bytes as they may go out; None if they may not, or are too long."""
        kind = kind_of(data)
        if kind in CLEAR:
            return data
        circle = self.circle(self._speaking) if self._speaking else None
        if circle is None:
            return None
        secret = bytes([Kind.SECRET]) + circle.conceal(data)
        return secret if len(secret) <= MAX_ENVELOPE_BYTES else None

    def reveal(self, raw: bytes) -> bytes | None:
        """Return the sealed bytes in what arrived; None for an echo of ourselves.

        Raises PeerFault: "not_secret" (said in clear, and may not be), "malformed", "oversize",
        "no_key", "stale_key", "bad_tag"; for what was confided also "no_share", "bad_share" and
        "not_asked" (what nobody may confide).
        """
        kind = kind_of(raw)
        if kind in CLEAR:
            return raw
        if kind is Kind.CONFIDED:
            return self._reveal_confided(raw[1:])
        if kind is not Kind.SECRET:
            raise PeerFault("not_secret", f"a {kind.name} in clear, in a swarm with secrecy.")
        message = parse0(raw[1:], limit=MAX_ENVELOPE_BYTES)
        key_id = parse_key_id(message.kid)
        circle = self._reader(key_id.version)
        if key_id.sender == circle.me:
            return None
        try:
            return circle.reveal(key_id, message)
        except PeerFault as fault:
            if fault.reason == "no_key" and key_id.sender in circle.members:
                self.lacking.add((key_id.version, key_id.sender))
            raise

    def _reveal_confided(self, payload: bytes) -> bytes:
        found, message = confided.parse_confided(payload)
        plain = confided.reveal(self._reader(found.version), found, message)
        kind = kind_of(plain)
        if kind not in ASKED:
            raise PeerFault("not_asked", f"a {kind.name} was confided: only questions are heard.")
        return plain

    def _reader(self, version: int) -> Circle:
        """Return as whom we read under a roster version; PeerFault("no_key", "stale_key")."""
        circle = self.circle(version)
        if circle is None:
            past = version < min(self._circles, default=0)
            raise PeerFault(
                "stale_key" if past else "no_key",
                f"roster version {version} has no secrets here.",
            )
        return circle


class SecretTransport:
    """A transport on which a drone's secrets conceal what it says."""

    def __init__(self, inner: Transport, secrets: Secrets) -> None:
        self._inner, self._secrets = inner, secrets

    def send(self, to: int, data: bytes) -> None:
        """Send to one member."""
        concealed = self._secrets.conceal(data)
        if concealed is not None:
            self._inner.send(to, concealed)

    def broadcast(self, data: bytes) -> None:
        """Send to all other members."""
        concealed = self._secrets.conceal(data)
        if concealed is not None:
            self._inner.broadcast(concealed)


def veiled(transport: Transport, secrets: Secrets | None) -> Transport:
    """Return a transport with secrecy, or as it is where a swarm has none."""
    return transport if secrets is None else SecretTransport(transport, secrets)
