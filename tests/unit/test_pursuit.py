# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Following through many provers: each decision once, in order; what is gone is passed over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from swarm_ledger.encoding import decode, encode
from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse
from swarm_ledger.light_client.messages import ByNumber, Reason, Refusal, Request
from swarm_ledger.runtime.following import Follower
from swarm_ledger.runtime.pursuit import Pursuit
from swarm_ledger.voting.question import question_id
from tests.crew import Crew
from tests.histories import History
from tests.light import NOW, decided, prover

CREW = Crew()
SOURCES = ("one", "two", "three")


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    made = decided(CREW, tmp_path / "drone_1")
    yield made
    made.close()


@pytest.fixture
def pursuit(tmp_path: Path) -> Iterator[Pursuit]:
    follower = Follower(CREW.anchor[0], tmp_path / "state")
    yield Pursuit(follower, SOURCES, every_ms=1_000, patience_ms=5_000)
    follower.close()


def decide(history: History, number: int) -> None:
    question = msgspec.structs.replace(CREW.question, nonce=bytes([number]) * 16)
    history.block(CREW.asked(question))
    said = msgspec.structs.replace(CREW.observation(), question=question_id(encode(question)))
    history.block(*(history.identity(name).seal(Kind.VOTE, encode(said)) for name in CREW.names))
    history.checkpoint()


def follow(
    pursuit: Pursuit, answer: Callable[[str, bytes], bytes | None], ms: int, start: int = 0
) -> list[int]:
    """Let time pass; return the decisions that were told, in order."""
    told = []
    for now_ms in range(start, start + ms, 50):
        inquiry = pursuit.next(now_ms)
        raw = answer(inquiry.source, inquiry.request) if inquiry else None
        if inquiry and raw is not None:
            found = pursuit.take(inquiry, raw, NOW, now_ms)
            if found is not None and found.first:
                told.append(found.settled.decision.number)
    return told


def without(history: History, number: int, *sources: str) -> Callable[[str, bytes], bytes]:
    """Answer, but as if these provers had pruned a decision."""

    def answer(source: str, request: bytes) -> bytes:
        asked: Request = decode(request, Request, limit=128)
        if source in sources and asked.wanted == ByNumber(number):
            return encode(Refusal.saying(Reason.NOT_FOUND, "it was pruned."))
        return prover(history).answer(request)

    return answer


def test_each_decision_is_told_once_and_in_order(history: History, pursuit: Pursuit) -> None:
    answer = without(history, 0)
    assert follow(pursuit, answer, 3_000) == [1]
    for number in (2, 3, 4):
        decide(history, number)
    assert follow(pursuit, answer, 3_000, 3_000) == [2, 3, 4]
    assert follow(pursuit, answer, 3_000, 6_000) == []


@pytest.mark.parametrize(("sources", "told"), [(SOURCES[:1], [2, 3]), (SOURCES, [3])])
def test_what_most_provers_have_pruned_is_passed_over(
    history: History, pursuit: Pursuit, sources: tuple[str, ...], told: list[int]
) -> None:
    assert follow(pursuit, without(history, 0), 3_000) == [1]
    decide(history, 2)
    decide(history, 3)
    assert follow(pursuit, without(history, 2, *sources), 9_000, 3_000) == told


def test_silence_passes_nothing_over(history: History, pursuit: Pursuit) -> None:
    assert follow(pursuit, without(history, 0), 3_000) == [1]
    decide(history, 2)
    assert follow(pursuit, lambda *_: None, 40_000, 3_000) == []
    assert "does not answer" in pursuit.said
    assert follow(pursuit, without(history, 0), 9_000, 43_000) == [2]


def test_somebody_has_to_be_asked(tmp_path: Path) -> None:
    follower = Follower(CREW.anchor[0], tmp_path / "state")
    with pytest.raises(Misuse, match="nobody to ask"):
        Pursuit(follower, (), every_ms=1, patience_ms=1)
    follower.close()
