# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A drone's desk: one is served at a time, and who asks for too much is told so."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from swarm_ledger.runtime.desk import Desk
from tests.patience import PATIENCE_S, until


@contextmanager
def desk(**named: float) -> Iterator[Desk]:
    made = Desk(**named)  # type: ignore[arg-type]
    yield made
    made.close()


def busy(seconds: float) -> None:
    end_s = time.thread_time() + seconds
    while time.thread_time() < end_s:
        pass


def test_one_is_served_at_a_time_in_order() -> None:
    served, at_once = [], []
    with desk(burst_s=PATIENCE_S) as at:
        gate = threading.Event()

        def work(number: int) -> None:
            at_once.append(threading.active_count())
            gate.wait(PATIENCE_S)
            served.append(number)

        for number in range(3):
            assert at.ask(lambda number=number: work(number)) == ""
        gate.set()
        until("all are served", lambda: len(served) == 3)
    assert served == [0, 1, 2]


def test_who_finds_others_waiting_is_turned_away_at_once() -> None:
    with desk(burst_s=PATIENCE_S, waiting=2) as at:
        gate, begun = threading.Event(), threading.Event()

        def slow() -> None:
            begun.set()
            gate.wait(PATIENCE_S)

        assert at.ask(slow) == ""
        assert begun.wait(PATIENCE_S)
        said = [at.ask(lambda: None) for _ in range(5)]
        assert [bool(one) for one in said] == [False, False, True, True, True]
        assert "others are waiting" in said[-1]
        assert at.turned_away == {"queue": 3}
        gate.set()
        until("all are served", lambda: at.served == 3)


def test_the_budget_is_processor_time_and_comes_back() -> None:
    now_s = [100.0]
    with desk(share=0.1, burst_s=0.05, clock=lambda: now_s[0]) as at:  # type: ignore[arg-type]
        assert at.ask(lambda: busy(0.08)) == ""
        until("it is served", lambda: at.served == 1)
        assert "spares no more time" in at.ask(lambda: None)
        assert at.turned_away == {"budget": 1}
        now_s[0] += 0.2  # 20 ms of at least 30 ms
        assert at.ask(lambda: None)
        now_s[0] += 0.4
        assert at.ask(lambda: None) == ""
        until("it is served", lambda: at.served == 2)
        assert 0.08 <= at.used_s < 0.08 + PATIENCE_S
        now_s[0] -= 50  # a clock that is set back gives nothing, and takes nothing
        assert at.ask(lambda: None) == ""


def test_a_debt_is_not_held_against_anybody_for_ever() -> None:
    now_s = [0.0]
    with desk(share=0.1, burst_s=0.02, clock=lambda: now_s[0]) as at:  # type: ignore[arg-type]
        assert at.ask(lambda: busy(0.5)) == ""
        until("it is served", lambda: at.served == 1)
        assert at.ask(lambda: None)
        now_s[0] += 0.21
        assert at.ask(lambda: None) == ""


def test_waiting_costs_no_budget_but_others_a_place() -> None:
    with desk(burst_s=0.05) as at:
        assert at.ask(lambda: time.sleep(0.2)) == ""
        until("it is served", lambda: at.served == 1)
        assert at.used_s < 0.05
        assert at.ask(lambda: None) == ""


def test_closing_waits_for_who_is_served_and_for_nobody_else() -> None:
    at, gate, begun = Desk(waiting=1), threading.Event(), threading.Event()
    served = []

    def slow() -> None:
        begun.set()
        gate.wait(PATIENCE_S)
        served.append("slow")

    assert at.ask(slow) == ""
    assert begun.wait(PATIENCE_S)
    assert at.ask(lambda: served.append("late")) == ""
    threading.Timer(0.05, gate.set).start()
    at.close()
    assert served == ["slow"]
