# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A ledger's entries as flat records, for those who count rather than verify."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from swarm_ledger.audit.records import records_of, write_jsonl, write_parquet
from swarm_ledger.consensus.messages import Commit
from swarm_ledger.encoding import digest
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.rules.rule import Ask
from swarm_ledger.runtime.evidence import accusation
from swarm_ledger.runtime.membership import roster_request
from tests.crew import T0_MS, Crew
from tests.histories import History
from tests.laid_open import lay_open
from tests.ruled import PAD, cup_rule, lease_rule, sealed_claim, sealed_rule

CREW = Crew()
TWO = CREW.changed(CREW.roster, add=["drone_5"])


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    """One entry of each kind, and one that counts for nothing."""
    made = History(CREW, tmp_path / "drone_1", *CREW.names[:3])
    made.block(*made.delegations())
    pair = [CREW.say("drone_4", Commit(0, 9, digest(text))) for text in (b"a", b"b")]
    made.block(*(sealed_rule(CREW, one) for one in (lease_rule(), cup_rule())))
    made.block(sealed_claim(CREW, "drone_1", Ask(PAD, 1, 7, 4_000)))
    made.block(CREW.asked(), CREW.vote("drone_1"), CREW.vote("drone_2", 1), accusation(*pair))
    made.block(b"\xff", made.tick("drone_3"))
    made.block(CREW.vote("drone_3"), CREW.vote("drone_4"))
    made.change(TWO, roster_request(TWO))
    yield made
    made.close()


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_each_entry_is_a_line(history: History, tmp_path: Path) -> None:
    reached: list[tuple[int, int]] = []
    records = records_of(history.store, CREW.trust, lambda *at: reached.append(at))
    assert write_jsonl(records, tmp_path / "out.jsonl") == history.store.size
    found = read(tmp_path / "out.jsonl")
    assert reached[-1] == (history.store.height, history.store.height)
    assert [one["index"] for one in found] == list(range(history.store.size))
    heights = [history.store.height_of(index) for index in range(history.store.size)]
    assert [one["height"] for one in found] == heights
    assert {one["kind"] for one in found} == {
        *("genesis", "block", "session", "question", "vote", "evidence"),
        *("tick", "decision", "roster", "unknown"),
        *("rule", "claim", "grant", "action"),
    }
    for one in found:
        assert list(one) == ["index", "height", "kind", "author", "time_ms", "result", "content"]
        assert one["time_ms"] == (T0_MS + 100 * one["height"] if one["height"] else None)


def test_what_was_signed_is_told_by_whom_and_what_became_of_it(
    history: History, tmp_path: Path
) -> None:
    write_jsonl(records_of(history.store, CREW.trust), tmp_path / "out.jsonl")
    kinds: dict[str, list[dict[str, Any]]] = {}
    for one in read(tmp_path / "out.jsonl"):
        kinds.setdefault(one["kind"], []).append(one)
    assert [one["author"] for one in kinds["session"]] == [*CREW.names, *CREW.names, "drone_5"]
    (question,) = kinds["question"]
    assert (question["author"], question["result"]) == ("operator_1", "opened")
    assert question["content"]["subject"] == "What is it?"
    votes = kinds["vote"]
    assert [one["author"] for one in votes] == CREW.names
    assert [one["content"]["label"] for one in votes] == ["cup", "two_faces", "cup", "cup"]
    assert {one["content"]["question"] for one in votes} == {question["content"]["question"]}
    (evidence,) = kinds["evidence"]
    assert evidence["author"] == evidence["content"]["culprit"] == "drone_4"
    (tick,) = kinds["tick"]
    assert (tick["author"], tick["content"]) == ("drone_3", {"asker_time_ms": T0_MS})
    (wrong,) = kinds["unknown"]
    assert (wrong["author"], wrong["result"]) == (None, "invalid: malformed")
    assert wrong["content"] == {"raw": "/w=="}
    (decision,) = kinds["decision"]
    assert decision["content"]["label"] == "cup"
    assert decision["content"]["question"] == question["content"]["question"]
    assert [one["content"]["says"] for one in kinds["rule"]] == ["lease", "trigger"]
    assert {one["author"] for one in kinds["rule"]} == {"operator_1"}
    (claim,) = kinds["claim"]
    assert (claim["author"], claim["result"]) == ("drone_1", "asked")
    assert claim["content"]["number"] == 7
    (grant,) = kinds["grant"]
    assert (grant["author"], grant["content"]["member"]) == (None, "drone_1")
    (action,) = kinds["action"]
    assert (action["content"]["action"], action["content"]["decision"]) == ("approach", 1)
    (roster,) = kinds["roster"]
    assert (roster["content"], roster["result"]) == ({"version": 2}, "roster")


def test_nothing_is_left_of_a_ledger_that_does_not_follow(
    history: History, tmp_path: Path
) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"an earlier export\n")
    lay_open(history.store.database._connection)
    with history.store.transaction():
        history.store.reread()
        history.store.database.run("UPDATE entries SET data = x'00' WHERE height = 4")
    with pytest.raises(NotVerified, match="height 4"):
        write_jsonl(records_of(history.store, CREW.trust), path)
    assert path.read_bytes() == b"an earlier export\n"
    assert [one.name for one in tmp_path.glob("*out*")] == ["out.jsonl"]
    with pytest.raises(NotVerified, match="height 0"):
        next(records_of(history.store, Crew(swarm="other").trust))
    with pytest.raises(Misuse, match="cannot write"):
        write_jsonl(iter([]), tmp_path)


def test_parquet_has_the_same_rows(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(
        "pyarrow", reason="pyarrow is not installed (pip install 'swarm_ledger[parquet]')"
    )
    from pyarrow import parquet

    from swarm_ledger.audit import records

    monkeypatch.setattr(records, "_ROWS_AT_ONCE", 3)
    path = tmp_path / "out.parquet"
    assert write_parquet(records_of(history.store, CREW.trust), path) == history.store.size
    write_jsonl(records_of(history.store, CREW.trust), tmp_path / "out.jsonl")
    rows = parquet.read_table(path).to_pylist()
    for row, line in zip(rows, read(tmp_path / "out.jsonl"), strict=True):
        time_ms = line.pop("time_ms")
        time = datetime.fromtimestamp(time_ms / 1000, tz=timezone.utc) if time_ms else None
        assert row.pop("time_ms") == time
        assert {**row, "content": json.loads(row["content"])} == line


def test_without_pyarrow_it_is_told_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(Misuse) as caught:
        write_parquet(iter([]), tmp_path / "out.parquet")
    assert "pip install 'swarm_ledger[parquet]'" in caught.value.remedy
    assert list(tmp_path.iterdir()) == []
