# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Anchors in the state machine: one chain a member, without a gap, and not too fast."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta

from swarm_ledger.encoding import Count, Record, digest, encode
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity.roster import Member, Role, Roster
from swarm_ledger.relay.anchor import Anchor, Told, told_of

EVERY_MS = 10_000
"""How much of the ledger's time each anchor of a member takes up."""

AHEAD_MS = 20_000
"""How much of it may be taken up in advance: leaders' clocks may be ten seconds behind, and an
anchor that was ordered too soon would be lost."""


class Chain(Record, frozen=True):
    """One member's. key: its root key; told: the last anchor that counts; until_ms: up to when the
    member's time is taken up.
    """

    key: Annotated[bytes, Meta(min_length=32, max_length=33)]
    told: Told
    until_ms: Count


class Chains:
    """The last anchor of each member, by root key, so that a chain outlives rosters."""

    def __init__(self) -> None:
        self._last: dict[bytes, Chain] = {}
        self._digest = b""

    def told(self, member: Member) -> Told:
        """Return a member's last anchor that counts."""
        last = self._last.get(member.public_key)
        return last.told if last else Told()

    def judge(self, member: Member, anchor: Anchor, time_ms: int) -> int:
        """Return up to when a member's time is taken up, if its anchor counts now (ledger time).

        Raises PeerFault: "known" for the last one again, "stale_anchor" for an older one or
        another one in its place, "broken_chain" for one that doesn't follow, "too_soon".
        """
        last = self._last.get(member.public_key)
        told, until_ms = (last.told, last.until_ms) if last else (Told(), 0)
        if anchor.sequence == told.sequence and anchor.digest == told.digest:
            raise PeerFault("known", f"{member.name}'s anchor {told.sequence} is there.")
        if anchor.sequence <= told.sequence:
            raise PeerFault("stale_anchor", f"{member.name} had anchor {anchor.sequence} before.")
        if anchor.sequence != told.sequence + 1 or anchor.previous != told.digest:
            raise PeerFault("broken_chain", f"no anchor of {member.name} is before that one.")
        if until_ms > time_ms + AHEAD_MS:
            raise PeerFault("too_soon", f"{member.name} anchors more often than it may.")
        return max(until_ms, time_ms) + EVERY_MS

    def apply(self, member: Member, anchor: Anchor, time_ms: int) -> None:
        """Let an anchor count; PeerFault as judge()."""
        until_ms = self.judge(member, anchor, time_ms)
        key = member.public_key
        self._last[key] = Chain(key, told_of(anchor), until_ms)
        self._sum_up()

    def change(self, roster: Roster) -> None:
        """Forget whoever may anchor nothing any more under the roster that takes effect."""
        keys = {one.public_key for one in roster.members if Role.VOTER in one.roles}
        self._last = {key: last for key, last in self._last.items() if key in keys}
        self._sum_up()

    def kept(self) -> tuple[Chain, ...]:
        """Return all of it, by root key."""
        return tuple(self._last[key] for key in sorted(self._last))

    def resume(self, kept: Iterable[Chain]) -> None:
        """Go on from what was kept. Nothing is checked here: state() tells what it was."""
        self._last = {chain.key: chain for chain in kept}
        self._sum_up()

    def state(self) -> bytes:
        """Return a digest of it all, empty if there is no anchor yet."""
        return self._digest

    def _sum_up(self) -> None:
        self._digest = digest(encode(self.kept())) if self._last else b""
