# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""When a drone that may have forgotten what it said may speak again.

Whoever lost its disk could contradict itself. The ledger tells who took part: so whoever does not
find its own session there only follows, until it has caught up with the others; and if it then
finds one that its disk does not hold, it only follows until the next roster version.
"""

from __future__ import annotations

from collections.abc import Collection

from swarm_ledger.consensus.replica import Replica
from swarm_ledger.envelope import Kind
from swarm_ledger.identity.roster import Roster
from swarm_ledger.runtime.epochs import Seat
from swarm_ledger.runtime.identity import Keys
from swarm_ledger.runtime.machine import Applied
from swarm_ledger.runtime.membership import Era

PATIENCE_MS = 10_000
"""How long to believe in blocks that nobody shows."""


class Caution:
    """Waits, in one epoch, for our ledger to be as long as others' was when we came.

    quorum, faulty: of the members. A drone that lost its disk counts among the faulty, so that at
    most one fewer of the others lie: with so many claims set aside, the highest is believed. Of
    one more than may be faulty, one is true: what they all claim is waited for without end.
    """

    def __init__(self, quorum: int, faulty: int, now_ms: int) -> None:
        self._quorum, self._faulty = quorum, faulty
        self._goal: int | None = None
        self._least = 0
        self._height, self._since_ms = 0, now_ms

    def over(self, claims: Collection[int], height: int, now_ms: int) -> bool:
        """Whether to speak from now on.

        claims: heights that other members say they have. height: our own.
        """
        if self._goal is None:
            if len(claims) < self._quorum - 1:
                return False
            highest = sorted(claims, reverse=True)
            self._goal, self._least = highest[self._faulty - 1], highest[self._faulty]
            self._since_ms = now_ms
        if height > self._height:
            self._height, self._since_ms = height, now_ms
        patient = height < self._least or now_ms - self._since_ms < PATIENCE_MS
        return height >= self._goal or not patient


class Memory:
    """What one drone knows about its own gaps. keys: its own, with the sessions that it kept."""

    def __init__(self, keys: Keys) -> None:
        self._keys, self._gone = keys, keys.lost
        self._caution: Caution | None = None
        self._claims: dict[int, int] = {}

    @property
    def whole(self) -> bool:
        """Whether others were caught up with, or need not be: we have been here all along."""
        return self._caution is None

    def lacks(self, roster: Roster) -> bool:
        """Whether we may have forgotten what we said under a roster version."""
        return roster.version <= self._gone

    def recollect(self, applied: Applied, era: Era) -> bool:
        """Look in a block for a session of ours that this disk never held; True for the first."""
        came = any(receipt.kind is Kind.SESSION for receipt in applied.receipts)
        return came and self.recall(era)

    def recall(self, era: Era) -> bool:
        """Look for such a session among all that an era has; True for the first."""
        if self.lacks(era.roster):
            return False
        sessions = era.opener.sessions()
        mine = [s.kid for s in sessions if s.member.public_key == self._keys.root_key]
        if all(self._keys.holds(era.roster, key) for key in mine):
            return False
        self._gone = era.roster.version
        return True

    def begin(self, replica: Replica, *, whole: bool, now_ms: int) -> None:
        """Begin in an epoch: as a follower, unless our own ledger shows that nothing is lost."""
        settings = replica.settings
        self._caution, self._claims = None, {}
        if not whole and settings.speaks:
            self._caution = Caution(settings.quorum, settings.f, now_ms)
            replica.set_mute(mute=True)

    def claim(self, member: int, height: int) -> None:
        """Take note of how long another member's ledger is, as it answers the session we show."""
        self._claims[member] = height

    def tick(self, replica: Replica, seat: Seat, now_ms: int) -> None:
        """Let a replica speak as soon as it may.

        Once our ledger holds our session, which is younger than our disk, it holds all that was
        ordered before the disk was lost: in a busy swarm a liar can't make us wait for more.
        """
        if self._caution and (
            seat.known or self._caution.over(self._claims.values(), replica.applied_seq, now_ms)
        ):
            self._caution = None
            replica.set_mute(mute=self.lacks(seat.roster))
