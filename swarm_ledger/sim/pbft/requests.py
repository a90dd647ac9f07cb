# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What simulated drones have ordered: votes, evidence, and new rosters.

Bodies are text, to be read in traces. An office registers what its author really signed, so that
what a liar makes up under another's name is refused as it would be on a drone.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass

from swarm_ledger.consensus.evidence import contradiction
from swarm_ledger.errors import PeerFault
from swarm_ledger.sim.pbft.wire import Mint

OPERATOR = 1_000


@dataclass(frozen=True, slots=True)
class Vote:
    """One author's choice on one question; a second one that differs is a contradiction."""

    author: int
    question: int
    choice: int

    def encode(self) -> bytes:
        """Return the body."""
        return b"vote %d %d %d" % (self.author, self.question, self.choice)


@dataclass(frozen=True, slots=True)
class Roster:
    """The validators of a version, in the order in which they lead; signed by the operator."""

    version: int
    members: tuple[int, ...]

    def encode(self) -> bytes:
        """Return the body."""
        return b"roster %d " % self.version + b",".join(b"%d" % m for m in self.members)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two sealed messages that contradict each other."""

    first: bytes
    second: bytes

    def encode(self) -> bytes:
        """Return the body."""
        return b"evidence " + self.first.hex().encode() + b" " + self.second.hex().encode()


Request = Vote | Roster | Evidence


class Office:
    """Knows which bodies their authors signed, and what they say."""

    def __init__(self, mint: Mint) -> None:
        self._mint = mint
        self._read: dict[bytes, Request] = {}

    def sign(self, request: Request) -> bytes:
        """Have a request signed by its author."""
        body = request.encode()
        self._read[body] = request
        return body

    def read(self, body: bytes) -> Request:
        """Return what a body says; PeerFault("bad_signature") if nobody signed it."""
        known = self._read.get(body)
        if known is not None:
            return known
        kind, *words = body.split(b" ")
        if kind != b"evidence":
            raise PeerFault("bad_signature", "a request that nobody signed.")
        try:
            first, second = (binascii.unhexlify(word) for word in words)
        except ValueError as error:
            raise PeerFault("malformed", "evidence that can't be read.") from error
        self._read[body] = Evidence(first, second)
        return self._read[body]

    def culprit(self, evidence: Evidence) -> tuple[int, int]:
        """Return whom evidence convicts, and under which roster version; PeerFault if nobody."""
        first, second = self._mint.open(evidence.first), self._mint.open(evidence.second)
        same = (first.version, first.signed.sender) == (second.version, second.signed.sender)
        if not same or not contradiction(first.signed.message, second.signed.message):
            raise PeerFault("no_contradiction", "evidence of nothing.")
        return first.signed.sender, first.version
