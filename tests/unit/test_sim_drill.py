# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A drill judges by what drones report: here they report whatever a test lets them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from signal import SIGKILL, Signals
from typing import Any, cast

import pytest

from swarm_ledger.errors import NotVerified
from swarm_ledger.sim.drill import BLOCKS, REPORTS, Swarm
from swarm_ledger.sim.events import Event
from swarm_ledger.sim.load import ENOUGH
from swarm_ledger.sim.processes import Processes

A, B, C, D = NAMES = ["drone_1", "drone_2", "drone_3", "drone_4"]


def row(name: str, height: int = 0, view: int = 0, **more: Any) -> Event:
    fields = {"height": height, "view": view, "leader": NAMES[view % 4], "pending": 1}
    fields |= {"drone": name, "size": height, "root": "r", "stable": 0}
    return Event(name, "status", fields | more)


class Script:
    """Stands for the processes: its events are there at once, and then only time passes."""

    def __init__(self, *events: Event) -> None:
        self.pids = {name: number for number, name in enumerate(NAMES)}
        self.events: Iterator[Event] = iter(events)
        self.sent: list[tuple[str, Signals]] = []
        self.started: list[str] = []
        self.now_s = 0.0

    def next_event(self, timeout_s: float) -> Event | None:
        event = next(self.events, None)
        self.now_s += 0 if event else timeout_s
        return event

    def send(self, name: str, number: Signals) -> None:
        self.sent.append((name, number))

    def start(self, name: str) -> None:
        self.started.append(name)


def swarm(*events: Event, patience_s: float = 0.05) -> tuple[Swarm, Script]:
    script = Script(*events)
    processes = cast(Processes, script)
    return Swarm(processes, patience_s, lambda _: None, lambda: script.now_s), script


def refusal(watched: Swarm, what: str = "nothing more comes") -> str:
    with pytest.raises(NotVerified) as caught:
        watched.until(what, lambda: False)
    return caught.value.what


def test_a_wait_that_is_over_says_for_what_and_where_each_drone_was() -> None:
    assert (
        refusal(swarm()[0], "it rains") == "waited 0.05 s until it rains; no drone has reported."
    )
    said = refusal(swarm(row(A, 7, 2), row(B, 9, 3, pending=4))[0], "it rains")
    assert "drone_1 is at height 7 in view 2 with 1 waiting" in said
    assert "drone_2 is at height 9 in view 3 with 4 waiting" in said


def test_a_drone_that_ends_by_itself_fails_the_drill_and_a_killed_one_does_not() -> None:
    lost = Event(A, "lost", {"how": "exit 1"})
    assert refusal(swarm(lost)[0]) == "drone_1 ended by itself (exit 1)."
    watched, script = swarm(row(A), row(A, 5), Event(A, "lost", {"how": "SIGKILL"}), row(A, 6))
    watched.until("there", lambda: watched.top() == 5)
    watched.kill(A)
    assert script.sent == [(A, SIGKILL)]
    assert watched.each("height") == []
    watched.restart(A)
    assert script.started == [A]
    assert watched.each("height") == [6]
    script.events = iter([lost])
    assert refusal(watched) == "drone_1 ended by itself (exit 1).", "it is held to its new life"


def test_an_honest_drone_that_is_accused_fails_the_drill() -> None:
    said = refusal(swarm(Event(B, "evidence", {"culprit": C}))[0])
    assert said == "drone_2 accuses drone_3, which is honest."


def test_the_leader_is_whom_a_quorum_names() -> None:
    watched, _ = swarm(row(A, view=1), row(B, view=1), row(C, view=2), row(D, view=1))
    assert watched.leader() == (B, 1)
    split, _ = swarm(*(row(name, view=number % 2) for number, name in enumerate(NAMES)))
    with pytest.raises(NotVerified, match="until a quorum names one leader"):
        split.leader()


def test_going_on_means_every_one_of_them_and_from_the_highest() -> None:
    start = [row(A, 30), row(B, 20)]
    for heights, goes in (((40, 40), True), ((60, 39), False), ((40, 30), False)):
        watched, script = swarm(*start)
        watched.until("they report", lambda watched=watched: len(watched.each("height")) == 2)
        script.events = iter([row(A, heights[0]), row(B, heights[1])])
        if goes:
            assert watched.goes_on([A, B]) == 30 + BLOCKS
        else:
            with pytest.raises(NotVerified, match="drone_1, drone_2 have committed block 40"):
                watched.goes_on([A, B])


def test_leaving_a_view_means_every_one_of_them() -> None:
    watched, _ = swarm(row(A, view=3), row(B, view=2))
    watched.until("they report", lambda: len(watched.each("view")) == 2)
    watched.left_view([A], 2)
    with pytest.raises(NotVerified, match="drone_1, drone_2 give up on the leader of view 2"):
        watched.left_view([A, B], 2)


def still(*more: Event, reports: int = REPORTS, pending: int = 1) -> Swarm:
    """Return a swarm in two halves at height 9, of which drone_2 lags; reports follow."""
    watched, script = swarm(row(A, 9), row(B, 7), row(C, 9), row(D, 9))
    watched.until("they report", lambda: len(watched.each("view")) == 4)
    rounds = [[row(name, 9, pending=pending) for name in NAMES] for _ in range(reports)]
    script.events = itertools.chain(more, *rounds)
    return watched


HALVES = [[A, B], [C, D]]


def test_standing_still_takes_many_reports_with_requests_waiting() -> None:
    still(row(B, 9)).stands_still(HALVES)
    for watched in (still(reports=REPORTS - 1), still(pending=0)):
        with pytest.raises(NotVerified, match=f"report {REPORTS} times with requests waiting"):
            watched.stands_still(HALVES)


@pytest.mark.parametrize("name", NAMES)
def test_a_block_without_a_quorum_is_found_out(name: str) -> None:
    with pytest.raises(NotVerified, match="from height 9 to 10 without a quorum"):
        still(row(name, 10)).stands_still(HALVES)


def test_one_ledger_is_the_same_everywhere_certified_and_nothing_waits() -> None:
    good = {"stable": 9, "pending": 0}
    watched, script = swarm(*(row(name, 9, **good) for name in NAMES))
    assert watched.one_ledger()["height"] == 9
    watched.enough()
    assert script.sent == [(name, ENOUGH) for name in NAMES]
    for bad in ({"stable": 8}, {"pending": 1}, {"root": "other"}, {"size": 8}):
        watched, _ = swarm(*(row(name, 9, **good) for name in NAMES), row(D, 9, **good | bad))
        watched.until("it", lambda watched=watched, bad=bad: watched.each(*bad) != [])
        watched.until("it", lambda watched=watched, bad=bad: _last(watched, bad))
        with pytest.raises(NotVerified, match="one ledger"):
            watched.one_ledger()


def _last(watched: Swarm, bad: dict[str, Any]) -> bool:
    ((field, value),) = bad.items()
    return watched.each(field, [D]) == [value]
