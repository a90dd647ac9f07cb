# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Watching a mission: when it is over, who is lost, who contradicted itself."""

from __future__ import annotations

from typing import Any

import pytest

from swarm_ledger.sim.events import Event
from swarm_ledger.sim.outcome import percentile
from swarm_ledger.sim.watch import Watch

NAMES = ["drone_1", "drone_2", "drone_3", "drone_4"]
DONE: dict[str, Any] = {"size": 9, "root": "ab", "height": 3, "stable": 3, "pending": 0}


def watching(honest: list[str] = NAMES[:3]) -> Watch:
    return Watch(NAMES, honest)


def finish(watch: Watch, name: str, **status: Any) -> None:
    watch.take(Event(name, "decision", {"label": "cup", "height": 3}))
    watch.take(Event(name, "status", {**DONE, **status}))


def test_it_is_done_when_all_honest_drones_hold_one_certified_ledger() -> None:
    watch = watching()
    for name in NAMES[:3]:
        assert not watch.done
        finish(watch, name)
    assert watch.done


@pytest.mark.parametrize(
    "status", [{"root": "cd"}, {"size": 8}, {"stable": 2}, {"pending": 1}], ids=str
)
def test_it_is_not_done_while_one_of_them_is_not(status: dict[str, Any]) -> None:
    watch = watching()
    for name in NAMES[:3]:
        finish(watch, name)
    finish(watch, "drone_2", **status)
    assert not watch.done
    finish(watch, "drone_2")
    assert watch.done


def test_it_is_not_done_before_the_decision_itself_is_certified() -> None:
    watch = watching()
    for name in NAMES[:3]:
        finish(watch, name, height=2, stable=2)
    assert not watch.done


def test_it_is_not_done_without_a_decision() -> None:
    watch = watching()
    for name in NAMES[:3]:
        watch.take(Event(name, "status", DONE))
    assert not watch.done


def test_liars_and_the_lost_need_not_come_along() -> None:
    watch = watching()
    finish(watch, "drone_1")
    finish(watch, "drone_2")
    finish(watch, "drone_4", root="a lie")
    assert not watch.done
    watch.take(Event("drone_3", "lost", {"how": "SIGKILL"}))
    assert watch.done
    assert len(watch.flying) == 2
    assert watch.drones["drone_3"].lost == "SIGKILL"


def test_nobody_flying_is_not_done() -> None:
    watch = watching(["drone_1"])
    finish(watch, "drone_1")
    watch.take(Event("drone_1", "lost", {"how": "exit 1"}))
    assert not watch.flying
    assert not watch.done


def test_only_honest_votes_count_for_latency() -> None:
    watch = watching()
    for name, latency in (("drone_1", 30), ("drone_2", 10), ("drone_4", 9_999)):
        watch.take(Event(name, "committed", {"latency_ms": latency}))
    assert watch.latencies_ms() == [10, 30]


def vote(watch: Watch, teller: str, author: str, label: str, result: str = "counted") -> None:
    watch.take(Event(teller, "vote", {"author": author, "label": label, "result": result}))


def test_whoever_says_two_things_is_a_culprit() -> None:
    watch = watching()
    vote(watch, "drone_1", "drone_4", "cup")
    vote(watch, "drone_2", "drone_4", "cup")
    assert watch.culprits == set()
    vote(watch, "drone_2", "drone_4", "two_faces", "closed")
    assert watch.culprits == {"drone_4"}


def test_evidence_of_consensus_names_culprits_too() -> None:
    watch = watching()
    watch.take(Event("drone_1", "evidence", {"culprit": "drone_4"}))
    assert watch.culprits == {"drone_4"}


def test_what_a_liar_tells_blames_nobody() -> None:
    watch = watching()
    vote(watch, "drone_1", "drone_2", "cup")
    vote(watch, "drone_4", "drone_2", "two_faces", "conflict")
    watch.take(Event("drone_4", "evidence", {"culprit": "drone_1"}))
    assert watch.culprits == set()


def test_events_of_others_are_ignored() -> None:
    watch = watching()
    watch.take(Event("world", "status", {}))
    watch.take(Event("drone_99", "lost", {"how": "exit 1"}))
    assert set(watch.drones) == set(NAMES)


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([], 50, None),
        ([7], 50, 7),
        ([7], 99, 7),
        ([1, 2, 3, 4], 50, 2),
        ([1, 2, 3, 4], 75, 3),
        ([1, 2, 3, 4], 99, 4),
        (list(range(1, 101)), 99, 99),
        ([1, 2], 0, 1),
    ],
)
def test_percentiles_are_of_the_nearest_rank(
    values: list[int], percent: float, expected: int | None
) -> None:
    assert percentile(values, percent) == expected
