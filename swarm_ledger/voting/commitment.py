# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Commit, then reveal: what one says is fixed before anybody can hear what others say."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from swarm_ledger.encoding import Record, decode, digest, encode
from swarm_ledger.voting.limits import Digest
from swarm_ledger.voting.observation import OBSERVATION_LIMIT, AnyObservation

SALT_BYTES = 16
COMMITMENT_LIMIT = 80
REVEAL_LIMIT = OBSERVATION_LIMIT + 32

_DOMAIN = "swarm_ledger/v1 commitment"

Salt = Annotated[bytes, Meta(min_length=SALT_BYTES, max_length=SALT_BYTES)]


class Commitment(Record, frozen=True, tag=1):
    """What a voter will say about a question, hidden. hidden: see hide()."""

    question: Digest
    hidden: Digest


class Reveal(Record, frozen=True, tag=1):
    """What a voter had committed to."""

    salt: Salt
    observation: AnyObservation

    @property
    def question(self) -> bytes:
        """The id of the question that it is about."""
        return self.observation.question


def hide(voter: int, reveal: Reveal) -> bytes:
    """Return the digest that a voter commits to, 32 bytes.

    voter: its index in the roster. It is in the digest, so that whoever repeats another's
    commitment can't open it: with any voter's index but the first one's it is another digest.
    """
    return digest(encode([_DOMAIN, voter, reveal.salt, reveal.observation]))


def parse_commitment(encoded: bytes) -> Commitment:
    """Return the commitment in outside bytes; PeerFault("oversize" | "malformed")."""
    return decode(encoded, Commitment, limit=COMMITMENT_LIMIT)


def parse_reveal(encoded: bytes) -> Reveal:
    """Return the opened ballot in outside bytes; PeerFault("oversize" | "malformed")."""
    return decode(encoded, Reveal, limit=REVEAL_LIMIT)
