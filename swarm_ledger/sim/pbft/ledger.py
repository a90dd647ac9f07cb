# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The state machine behind a simulated ledger: counts votes, convicts, changes the roster.

What it does is a function of the blocks alone, as the drones' own machine must be.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from swarm_ledger.consensus.ready import Decided
from swarm_ledger.encoding import digest, encode
from swarm_ledger.errors import PeerFault
from swarm_ledger.sim.pbft.requests import Office, Roster, Vote


@dataclass(frozen=True, slots=True)
class Epoch:
    """A roster version in force: its members in order, and the height after which it begins."""

    version: int
    members: tuple[int, ...]
    base: int


class Ledger:
    """Blocks applied in order. roots: after each height, genesis first."""

    def __init__(self, members: tuple[int, ...], office: Office) -> None:
        self._office = office
        self.height = 0
        self.time_ms = 0
        self.epochs = [Epoch(1, members, 0)]
        self.votes: dict[tuple[int, int], int] = {}
        self.convicted: set[int] = set()
        self.roots = [digest(b"genesis " + encode(list(members)))]
        self.recent: list[bytes] = []

    @classmethod
    def replay(cls, members: tuple[int, ...], office: Office, blocks: Iterable[Decided]) -> Ledger:
        """Return the ledger that stands in these blocks."""
        ledger = cls(members, office)
        for block in blocks:
            ledger.apply(block)
        return ledger

    @property
    def epoch(self) -> Epoch:
        """The roster in force for the next block."""
        return self.epochs[-1]

    def epoch_of(self, height: int) -> Epoch:
        """Return the roster in force for the block of that height."""
        return next(epoch for epoch in reversed(self.epochs) if epoch.base < height)

    def end_of(self, epoch: Epoch) -> int | None:
        """Return the last height of an epoch, None while it lasts."""
        later = (other.base for other in self.epochs if other.version > epoch.version)
        return min(later, default=None)

    def apply(self, block: Decided) -> None:
        """Apply the next block; the newest valid roster in it takes effect after it."""
        self.height, self.time_ms = block.seq, max(self.time_ms, block.time_ms)
        following: Epoch | None = None
        results: list[str] = []
        for body in block.bodies:
            result, roster = self._apply_one(body)
            if roster is not None and (following is None or following.version < roster.version):
                following = Epoch(roster.version, roster.members, block.seq)
            results.append(result)
            self.recent.append(digest(body))
        content = encode([block.seq, block.time_ms, list(block.bodies), results])
        self.roots.append(digest(self.roots[-1] + content))
        if following is not None:
            self.epochs.append(following)

    def _apply_one(self, body: bytes) -> tuple[str, Roster | None]:
        try:
            request = self._office.read(body)
        except PeerFault as fault:
            return fault.reason, None
        if isinstance(request, Roster):
            newer = request.version > self.epoch.version
            return ("newer", request) if newer else ("rollback", None)
        if isinstance(request, Vote):
            return self._vote(request), None
        try:
            culprit, version = self._office.culprit(request)
        except PeerFault as fault:
            return fault.reason, None
        if version != self.epoch.version:
            return "another epoch's", None
        self.convicted.add(culprit)
        return f"convicts {culprit}", None

    def _vote(self, vote: Vote) -> str:
        if vote.author not in self.epoch.members:
            return "not a member"
        known = self.votes.setdefault((vote.author, vote.question), vote.choice)
        if known != vote.choice:
            self.convicted.add(vote.author)
            return f"convicts {vote.author}"
        return "counted"
