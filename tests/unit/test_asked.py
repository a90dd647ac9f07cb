# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Which questions are open, for who comes late, as the events told those who were there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from swarm_ledger.ledger.pruning import Keep
from swarm_ledger.runtime.asked import open_questions
from swarm_ledger.runtime.chronicle import describe
from tests.crew import T0_MS, Crew
from tests.histories import BLOCK_MS, History

CREW = Crew()
OTHER = msgspec.structs.replace(CREW.question, subject="And that?", nonce=bytes([1]) * 16)


@dataclass
class Told:
    """What was told of the questions in a ledger, as it was written."""

    history: History
    events: list[dict[str, Any]] = field(default_factory=list)

    def block(self, *requests: bytes) -> None:
        applied: list[Any] = []
        apply = self.history.machine.apply

        def noted(*given: Any) -> Any:
            applied.append(apply(*given))
            return applied[-1]

        self.history.machine.apply = noted  # type: ignore[method-assign]
        self.history.block(*requests)
        self.history.machine.apply = apply  # type: ignore[method-assign]
        for name, fields in describe(applied[0], self.history.machine):
            if name == "question":
                self.events.append(fields)


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    history = History(CREW, tmp_path / "drone_1", "drone_1", "drone_2", "drone_3")
    history.block(*history.delegations())
    yield Told(history)
    history.close()


def test_open_questions_are_told_as_the_events_were(told: Told) -> None:
    told.block(b"\x02junk", CREW.asked())
    told.block(CREW.asked(), CREW.asked(OTHER))
    opened = [one for one in told.events if one["result"] == "opened"]
    assert [one["result"] for one in told.events] == ["opened", "already_asked", "opened"]
    assert list(open_questions(told.history.store, told.history.machine)) == opened
    first = opened[0]
    assert first["question"] == CREW.question_id.hex()
    assert (first["author"], first["rule"], first["duration_ms"]) == ("operator_1", 1, 8_000)
    assert first["opened_ms"] == T0_MS + 2 * BLOCK_MS


def test_what_was_decided_is_open_no_more(told: Told) -> None:
    told.block(CREW.asked())
    told.block(*(CREW.vote(name) for name in CREW.names))
    assert list(open_questions(told.history.store, told.history.machine)) == []


def test_who_asked_is_unknown_where_its_block_was_pruned(told: Told) -> None:
    long = msgspec.structs.replace(CREW.question, duration_ms=80_000)
    told.block(CREW.asked(long))
    told.history.blocks(300)
    told.history.checkpoint()
    while told.history.store.prune(200, Keep(lambda _found: False)):
        pass
    (found,) = open_questions(told.history.store, told.history.machine)
    assert (found["author"], found["duration_ms"]) == (None, 80_000)
