# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What Byzantine robots do in the arena, besides driving as all do."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

from swarm_ledger.encoding import digest, encode
from swarm_ledger.envelope import Kind, kind_of, seal
from swarm_ledger.errors import Misuse
from swarm_ledger.identity.cose import parse1
from swarm_ledger.identity.roster import Roster
from swarm_ledger.signers import SoftwareSigner
from swarm_ledger.sim.arena.floor import BLACK
from swarm_ledger.transport import Transport
from swarm_ledger.transport.gossip_frames import MAX_ITEM_BYTES, Items
from swarm_ledger.voting.limits import ABSTAIN
from swarm_ledger.voting.observation import Observation, parse_observation

ATTACKS = ("black", "equivocate", "sybil", "silent", "copy")
"""black: votes black at once, at confidence 1. equivocate: votes both ways, each to half of the
swarm. sybil: votes black, and floods whoever is near with votes of identities that it made up, and
with votes forged in the others' names. silent: neither speaks nor carries anything. copy: votes
what it hears first.
"""

AT_ONCE = ("black", "equivocate", "sybil")
"""Who votes black at take-off."""

MIXED = "mixed"
"""Each liar draws one of them."""

_CERTAIN = 1_000_000
_SYBILS = 16
_FLOOD_MS = 200


def attacks_of(attack: str, liars: int, draw: random.Random) -> list[str]:
    """Return what each liar does; Misuse for an attack that there isn't."""
    if attack == MIXED:
        return [draw.choice(ATTACKS) for _ in range(liars)]
    if attack not in ATTACKS:
        raise Misuse(f"no attack {attack!r}.", remedy=f"Take {', '.join((*ATTACKS, MIXED))}.")
    return [attack] * liars


def lie(question: bytes, label: int, now_ms: int) -> Observation:
    """Return a vote for what its author never looked at."""
    return Observation(question, label, _CERTAIN, now_ms, digest(b"nothing"), 0, 0)


def copied(question: bytes, heard: Iterable[bytes], now_ms: int) -> Observation | None:
    """Return what the first vote among some messages says, as one's own; None if there is none."""
    for raw in heard:
        if kind_of(raw) is Kind.VOTE:
            said = parse_observation(parse1(raw[1:], limit=MAX_ITEM_BYTES).payload)
            if said.question == question and said.label != ABSTAIN:
                return lie(question, said.label, now_ms)
    return None


@dataclass
class Sybils:
    """Identities that one liar made up: each has a key, and no roster knows it."""

    frames: tuple[bytes, ...]
    said_ms: int = 0

    @classmethod
    def create(cls, roster: Roster, question: bytes, me: int, now_ms: int) -> Sybils:
        """Seal a vote for black by each of them, and one in each member's name."""
        vote = encode(lie(question, BLACK, now_ms))
        made_up = [
            seal(Kind.VOTE, vote, SoftwareSigner(digest(b"sybil %d %d" % (me, n))), roster)
            for n in range(_SYBILS)
        ]
        forged = [raw[:-1] + bytes([raw[-1] ^ 1]) for raw in made_up]
        frames = tuple(encode(Items(((0, raw),))) for raw in (*made_up, *forged))
        return cls(frames)

    def tick(self, link: Transport, now_ms: int) -> None:
        """Say all of it again and again."""
        if now_ms - self.said_ms >= _FLOOD_MS:
            self.said_ms = now_ms
            for frame in self.frames:
                link.broadcast(frame)
