# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Keeps a drone's ZeroMQ links in step with the rosters: who is where, and who may connect."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from swarm_ledger.errors import Misuse
from swarm_ledger.identity.channel import ChannelKeys, ChannelPublic
from swarm_ledger.identity.roster import Roster
from swarm_ledger.runtime.chronicle import Emit
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.fleet import Fleet
from swarm_ledger.transport.curve import Curve
from swarm_ledger.transport.zmq import ZmqTransport

PATIENCE_MS = 10_000
"""How long a version that begins or ends encryption may take to be ordered over the old links."""


class Wiring:
    """The links of one drone of a fleet: a Transport, which follow() opens and changes.

    The roster in force and all later ones that are known say who is linked. Whether links are
    encrypted, the one in force says, or the newest if it was known from the start or for
    PATIENCE_MS: whoever is behind would else wait in plain where all others are encrypted. Close
    it in the end.
    """

    def __init__(self, fleet: Fleet, name: str, emit: Emit) -> None:
        self._fleet, self._name, self._emit = fleet, name, emit
        self._root_key = fleet.root(name).public_key
        self._known_ms = {roster.version: 0 for roster in _given(fleet)}
        self._before: object = None
        self._keys: ChannelKeys | None = None
        self._told: set[str] = set()
        self._end: ZmqTransport | None = None

    def follow(self, fleet: Fleet, drone: Drone, now_ms: int) -> None:
        """Change the links where the drone knows other rosters now, or its fleet file says so.

        A slip in a fleet file that was changed in flight ends nobody. Misuse where the first links
        can't be opened, or encryption is asked for and this drone lacks its keys.
        """
        rosters = _in_force_and_later(drone, fleet)
        for roster in rosters:
            self._known_ms.setdefault(roster.version, now_ms)
        encrypted = self._encrypted(rosters, now_ms)
        now = [roster.version for roster in rosters], encrypted
        if now == self._before and fleet is self._fleet:
            return
        self._before, self._fleet = now, fleet
        curve = self._curve(rosters) if encrypted else None
        audience = _audience(rosters)
        try:
            places = fleet.endpoints(*_given(fleet), *rosters)
            if audience is not None and drone.member.index not in audience:
                places = {index: places[index] for index in audience & places.keys()}
            if self._end is not None:
                self._end.learn(places, curve, audience)
                return
        except Misuse as error:
            if self._end is None:
                raise
            self._emit("roster_refused", {"what": error.explain()})
            return
        places[drone.member.index] = fleet.drone(self._name).endpoint
        self._end = ZmqTransport(drone.member.index, places, curve, audience)

    def receive(self, timeout_ms: int) -> list[bytes]:
        """Wait at most that long for messages; return those that are there, a bounded number."""
        return self._end.receive(timeout_ms) if self._end else []

    def judge(self, refused: Collection[int]) -> None:
        """Note which of what receive() returned last was refused, by its place; the rest held."""
        if self._end:
            self._end.judge(refused)

    def send(self, to: int, data: bytes) -> None:
        """Send to one member."""
        if self._end is not None:
            self._end.send(to, data)

    def broadcast(self, data: bytes) -> None:
        """Send to all other members."""
        if self._end is not None:
            self._end.broadcast(data)

    def report(self) -> dict[str, object]:
        """Return how links are protected, who was refused and what dropped, for the status.

        The first refusal for each reason is an event of its own.
        """
        if self._end is None:
            return {"links": "none", "refused": {}, "overload": {}}
        for reason, fault in self._end.strangers().items():
            if reason not in self._told:
                self._told.add(reason)
                self._emit(fault.reason, {"reason": reason, "what": fault.what})
        return {
            "links": self._end.links,
            "refused": dict(self._end.refused),
            "overload": dict(self._end.inbox.dropped),
        }

    def _encrypted(self, rosters: Sequence[Roster], now_ms: int) -> bool:
        present, newest = rosters[0], rosters[-1]
        waited = now_ms - self._known_ms[newest.version] >= PATIENCE_MS
        return (newest if waited else present).has_channels

    def _curve(self, rosters: Sequence[Roster]) -> Curve:
        """Return the links of these rosters' members; Misuse if we have no keys for them."""
        listed = {
            member.channel
            for roster in rosters
            if (member := roster.with_key(self._root_key)) and member.channel
        }
        if self._keys is None or self._keys.public not in listed:
            self._keys = self._read(listed) or self._keys
        if self._keys is None:
            raise Misuse(
                f"the channel keys of {self._name} are not those that the roster has for it.",
                remedy="Bring the right file back; or make a request (roster request), and have "
                "operators sign it (roster channel).",
            )
        return Curve.among(self._keys, rosters)

    def _read(self, listed: set[ChannelPublic]) -> ChannelKeys | None:
        """Read our keys; None if they are not listed. In flight others refuse us then, not we."""
        try:
            found = self._fleet.channel(self._name)
        except Misuse:
            if self._keys is None:
                raise
            return None
        return found if found.public in listed else None

    def close(self) -> None:
        """Close all sockets at once."""
        if self._end is not None:
            self._end.close()


def _in_force_and_later(drone: Drone, fleet: Fleet) -> list[Roster]:
    """Return the roster that the ledger has reached, and those after it that operators signed."""
    heard = [seat.roster for seat in drone.engine.epochs.ahead]
    later = {one.version: one for one in (*_given(fleet), *heard)}
    present = drone.roster
    return [present, *(later[v] for v in sorted(later) if v > present.version)]


def _audience(rosters: Sequence[Roster]) -> frozenset[int] | None:
    """Return whom broadcasts are for: the committee, also of a roster to come; None for all."""
    if all(roster.committee is None for roster in rosters):
        return None
    return frozenset(index for roster in rosters for index in roster.validators)


def _given(fleet: Fleet) -> list[Roster]:
    return [version.roster for version in fleet.trust.versions]
