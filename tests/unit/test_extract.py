# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One block for whoever asks: whole, or as much as an answer carries, or why there is none."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarm_ledger.encoding import decode, encode
from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse
from swarm_ledger.ledger.pruning import Keep
from swarm_ledger.ledger.store import Store
from swarm_ledger.light_client.messages import (
    MAX_ANSWER_BYTES,
    Answer,
    ByNumber,
    Reason,
    Refusal,
    Request,
)
from swarm_ledger.runtime import light
from swarm_ledger.runtime.extract import MAX_BYTES, MAX_ENTRIES, Shown, Trouble, show_block
from swarm_ledger.runtime.light import Prover
from tests.crew import T0_MS, Crew
from tests.histories import BLOCK_MS, History
from tests.light import decided

CREW = Crew()
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    made = decided(CREW, tmp_path / "drone_1")
    yield made
    made.close()


def shown(history: History, height: int, patience_s: float = 0.0) -> Shown:
    path = history.folder / "ledger.db"
    return show_block(lambda: Store.open(path, read_only=True), height, patience_s)


def test_a_block_is_shown_with_what_certifies_it(history: History) -> None:
    found = shown(history, 3)
    assert (found.trouble, found.said) == (Trouble.NONE, "")
    assert found.extract is not None
    stored = history.store.block(3)
    assert (found.extract.first, found.extract.entries) == (stored.first, stored.entries)
    assert found.extract.time_ms == T0_MS + 3 * BLOCK_MS
    assert found.extract.checkpoint == history.store.latest_checkpoint()
    genesis = shown(history, 0).extract
    assert genesis is not None
    assert (genesis.first, genesis.time_ms, len(genesis.entries)) == (0, 0, 1)
    assert genesis.entries[0][0] == Kind.GENESIS


def test_what_no_checkpoint_covers_yet_has_none(history: History) -> None:
    history.blocks(1)
    found = shown(history, history.store.height)
    assert found.trouble is Trouble.NONE
    assert found.extract is not None
    assert found.extract.checkpoint is None


@pytest.mark.parametrize("height", [4, 2**63 - 1, 2**63, 2**64 - 1, -1])
def test_what_is_not_there_is_not_found(history: History, height: int) -> None:
    found = shown(history, height)
    assert found.trouble is Trouble.NOT_FOUND
    assert "the last one is 3" in found.said
    assert found.extract is None


def test_what_was_pruned_is_said_to_be(history: History) -> None:
    history.blocks(300)
    history.checkpoint()
    while history.store.prune(200, Keep(lambda _found: False, {Kind.DECISION: 1}, set())):
        pass
    found = shown(history, 3)
    assert found.trouble is Trouble.PRUNED
    assert f"the first one left is {history.store.base}" in found.said
    assert shown(history, history.store.base).trouble is Trouble.NONE


def test_too_many_entries_are_cut_and_that_is_said(history: History) -> None:
    history.junk(MAX_ENTRIES + 10)
    found = shown(history, 4)
    assert found.trouble is Trouble.TOO_LARGE
    assert found.extract is not None
    assert found.extract.entries == history.store.block(4).entries[:MAX_ENTRIES]
    assert f"of {MAX_ENTRIES + 11} entries the first {MAX_ENTRIES} fit" in found.said
    assert str(found.extract.first + MAX_ENTRIES) in found.said


def test_too_many_bytes_are_cut_and_that_is_said(history: History) -> None:
    large = [b"\xff%d" % number + bytes(60_000) for number in range(30)]
    history.block(*large)
    found = shown(history, 4)
    assert found.trouble is Trouble.TOO_LARGE
    assert found.extract is not None
    size = sum(map(len, found.extract.entries))
    assert size <= MAX_BYTES < size + 60_002


def test_no_ledger_is_an_answer(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    found = show_block(lambda: Store.open(path, read_only=True), 0)
    assert found.trouble is Trouble.UNAVAILABLE
    assert "no ledger" in found.said


def test_a_damaged_ledger_is_an_answer(history: History) -> None:
    with sqlite3.connect(history.folder / "ledger.db") as other:
        other.execute("UPDATE blocks SET packed = x'00' WHERE height = 2")
    found = shown(history, 2)
    assert found.trouble is Trouble.UNAVAILABLE
    assert found.said == "the ledger here is damaged. Ask another drone."


def test_whatever_height_is_asked_for_nothing_is_raised(history: History) -> None:
    rng = random.Random(1)
    for _ in range(300):
        found = shown(history, rng.getrandbits(rng.randrange(1, 65)))
        assert (found.extract is not None) == (found.trouble is Trouble.NONE)
        assert bool(found.said) == (found.trouble is not Trouble.NONE)


def test_a_query_without_end_is_cut_off(history: History) -> None:
    with (
        Store.open(history.folder / "ledger.db", read_only=True) as store,
        pytest.raises(Misuse, match="took longer than it may"),
        store.database.bounded(0.05),
    ):
        for _ in store.database.rows(ENDLESS):
            pass


def test_a_prover_gives_up_what_takes_too_long_to_find(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = history.folder / "ledger.db"
    prover = Prover(lambda: Store.open(path, read_only=True), CREW.trust, patience_s=0.05)

    def asked() -> Answer | Refusal:
        raw = prover.answer(encode(Request(ByNumber(1))))
        found: Answer | Refusal = decode(raw, Answer | Refusal, limit=MAX_ANSWER_BYTES)
        return found

    assert isinstance(asked(), Answer)

    def seek(store: Store, *_: object) -> int:
        return max(row[0] for row in store.database.rows(ENDLESS))

    with monkeypatch.context() as patched:
        patched.setattr(light, "find", seek)
        refused = asked()
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.UNAVAILABLE
    assert "took longer than it may" in refused.text
    assert isinstance(asked(), Answer)
