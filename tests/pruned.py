# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Histories with questions, snapshots and a change of rosters, pruned as far as they may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from swarm_ledger.encoding import digest, encode
from swarm_ledger.envelope import Kind, seal
from swarm_ledger.light_client.policies import policy_file
from swarm_ledger.runtime import pruner, snapshot
from swarm_ledger.runtime.export import sessions_in
from swarm_ledger.runtime.membership import roster_request
from swarm_ledger.runtime.pruner import Pruner
from swarm_ledger.voting.observation import Observation
from swarm_ledger.voting.question import Question
from tests.crew import T0_MS, Crew
from tests.histories import BLOCK_MS, History

CREW = Crew()
TWO = CREW.changed(CREW.roster, add=["drone_5"])
FIRST = ("drone_1", "drone_2", "drone_3")
SECOND = ("drone_2", "drone_3", "drone_4", "drone_5")


def question(number: int, duration_ms: int = 8_000) -> Question:
    asked = CREW.question
    nonce = number.to_bytes(16, "big")
    return Question(asked.subject, asked.labels, asked.rule, duration_ms, nonce)


def asked(history: History, number: int, duration_ms: int = 8_000) -> bytes:
    """Return the operator's sealed question in the present epoch."""
    payload = encode(question(number, duration_ms))
    return seal(Kind.QUESTION, payload, CREW.root("operator_1"), history.roster)


def decide(history: History, number: int) -> None:
    """Have a question asked, and answered by all."""
    history.block(asked(history, number))
    about, now_ms = digest(encode(question(number))), T0_MS + BLOCK_MS * history.store.height
    seen = Observation(about, 0, 900_000, now_ms, bytes(32), 500, 3_000)
    names = [history.roster.members[index].name for index in history.roster.voters]
    history.block(*(history.identity(name).seal(Kind.VOTE, encode(seen)) for name in names))


def mark(history: History) -> int:
    """Take a snapshot, and certify the block; return its height."""
    height = history.store.height
    opened = snapshot.opened(history.machine)
    snapshot.put(history.store, height, snapshot.take(history.machine), opened, prunes=True)
    history.checkpoint()
    return height


class Flown:
    """A history over two epochs. policies: of both; marks: where snapshots are."""

    def __init__(self, folder: Path) -> None:
        self.history = made = History(CREW, folder, *FIRST)
        self.events: list[tuple[str, dict[str, Any]]] = []
        made.block(*made.delegations())
        decide(made, 1)
        decide(made, 2)
        self.marks = [mark(made)]
        made.blocks(3)
        decide(made, 3)
        made.block(roster_request(TWO))
        first_end = made.store.height
        made.checkpoint()  # by the members whom it ends
        self.ends = first_end
        self.policies = [self._policy()]
        made.signers = SECOND
        made.block(*made.delegations())
        decide(made, 4)
        made.checkpoint()
        self.marks.append(mark(made))
        self.policies.append(self._policy())
        made.blocks(4, mark=1)
        decide(made, 5)
        made.checkpoint()
        made.blocks(2, mark=2)

    def _policy(self) -> bytes:
        store = self.history.store
        latest = store.latest_checkpoint()
        assert latest is not None
        return policy_file(sessions_in(store, CREW.trust, entry=latest.size - 1))

    def prune(self, patch: pytest.MonkeyPatch, window: int = 0, max_bytes: int = 1) -> None:
        """Prune as far as is allowed, step by step."""
        patch.setattr(pruner, "WINDOW", window)
        cutter = Pruner(
            self.history.store,
            max_bytes,
            CREW.trust,
            lambda name, fields: self.events.append((name, fields)),
        )
        while not self.events:
            cutter.tick()
