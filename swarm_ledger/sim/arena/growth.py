# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How fast a ledger grows by votes: real signatures and certificates, in a steady stream."""

from __future__ import annotations

import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from swarm_ledger.encoding import digest, encode
from swarm_ledger.envelope import Kind
from swarm_ledger.ledger.store import Store
from swarm_ledger.sim.arena.crew import LABELS
from swarm_ledger.sim.arena.floor import ROBOTS
from swarm_ledger.sim.minted import Minted
from swarm_ledger.voting.observation import Observation
from swarm_ledger.voting.question import Question
from swarm_ledger.voting.rules import Majority

VOTES_PER_SECOND = 1.78
"""What Strobel et al. 2018 had on their blockchain, which grew by 20.1 MB an hour."""

_QUESTIONS = 5
"""In a block: with 20 votes each, a hundred, which is as much as a block holds."""


@dataclass(frozen=True)
class Growth:
    """Bytes an hour. content: entries and certificates as they are; deflated: those of each block
    compressed by zlib; file: of the SQLite file that a drone has, with its tree and index.
    """

    content: int
    deflated: int
    file: int


def growth(blocks: int = 64, votes_per_second: float = VOTES_PER_SECOND) -> Growth:
    """Append so many full blocks, 56 s of votes each, and return what an hour of them takes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        with Store.open(path) as store:
            minted = Minted(store, ROBOTS)
            asked = _ask(minted, 0)
            start, before = store.height + 1, store.database.bytes()[0]
            for block in range(1, blocks + 1):
                asked = _ask(minted, block, _votes(minted, asked))
                minted.certify()
            content = deflated = 0
            for height in range(start, store.height + 1):
                found = store.block(height)
                raw = b"".join(found.entries) + found.certificate
                content += len(raw)
                deflated += len(zlib.compress(raw, 9))
            after = store.database.bytes()[0]
    share = 3600 * votes_per_second / (blocks * _QUESTIONS * ROBOTS)
    return Growth(*(round(size * share) for size in (content, deflated, after - before)))


def _ask(minted: Minted, number: int, votes: tuple[bytes, ...] = ()) -> list[bytes]:
    """Append a block with votes and the next questions; return what these are called."""
    questions = [
        Question(f"Tile {number}.{n}?", LABELS, Majority(), 60_000, digest(b"%d" % n)[:16])
        for n in range(_QUESTIONS)
    ]
    return minted.ask(questions, votes)


def _votes(minted: Minted, asked: list[bytes]) -> tuple[bytes, ...]:
    """Have all vote on all; each has seen something else."""
    return tuple(
        identity.seal(
            Kind.VOTE,
            encode(
                Observation(
                    question,
                    0,
                    900_000 + place,
                    minted.time_ms + place,
                    digest(question + bytes([place])),
                    300 * place,
                    1_000 + place,
                )
            ),
        )
        for question in asked
        for place, identity in enumerate(minted.identities)
    )
