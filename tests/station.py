# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A ground station beside a swarm of tests/lab.py, in its simulated time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.asker import Answered, Asked, Asker
from swarm_ledger.runtime.following import Follower
from swarm_ledger.runtime.goal import Goal
from swarm_ledger.runtime.light import Prover
from swarm_ledger.runtime.pursuit import Found, Pursuit
from swarm_ledger.signers import Signer
from tests.lab import STEP_MS, Lab

WHAT = Goal("What stands there?", ("cup", "two_faces"), 8_000)


class Stations:
    """What is delivered to those who are no drones, by their place in the roster."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.stations = lab, dict[int, "Station"]()
        self._deliver = lab.network.deliver
        lab.network.deliver = self._divert  # type: ignore[method-assign]

    def _divert(self, now_ms: int) -> Iterator[tuple[int, bytes]]:
        for to, data in self._deliver(now_ms):
            if to in self.stations:
                self.stations[to].inbox.append(data)
            else:
                yield to, data

    def step(self) -> None:
        self.lab.step()
        for station in self.stations.values():
            station.step()

    def run(self, ms: int) -> None:
        for _ in range(ms // STEP_MS):
            self.step()

    def until(self, holds: Callable[[], object], ms: int = 60_000) -> None:
        for _ in range(ms // STEP_MS):
            if holds():
                return
            self.step()
        raise AssertionError([one.asker.pursuit.said for one in self.stations.values()])


class Station:
    """One operator's. provers: what answers in a drone's name, changed by tests; seen: decisions.

    clock_ms: how far its clock is off.
    """

    def __init__(
        self, stations: Stations, state: Path, place: int, operator: Signer | None
    ) -> None:
        lab = stations.lab
        self.lab, self.inbox, self.seen = lab, list[bytes](), list[Found]()
        self.clock_ms = self.refused = 0
        trust, root = lab.crew.trust, lab.crew.anchor[0]
        self.provers = {lab.names[place]: self._prover(place) for place in sorted(lab.drones)}
        self.asked_of: list[str] = []
        self.follower = Follower(root, state)
        pursuit = Pursuit(self.follower, sorted(self.provers), every_ms=200, patience_ms=1_000)
        self.asker = Asker(
            trust,
            pursuit,
            operator,
            lab.network.join(place).broadcast,
            now_ms=lab.now_ms,
            patience_ms=5_000,
            secret=lab.crew.secret,
        )
        stations.stations[place] = self

    def _prover(self, place: int) -> Callable[[bytes], bytes | None]:
        def answer(request: bytes) -> bytes | None:
            path = self.lab.folders[place] / "ledger.db"
            opened = Prover(lambda: Store.open(path, read_only=True), self.lab.crew.trust)
            return opened.answer(request)

        return answer

    def step(self) -> None:
        heard, self.inbox = self.inbox, []
        now_ms, steady_ms = self.lab.now_ms + self.clock_ms, self.lab.now_ms
        self.refused += len(self.asker.hear(heard, now_ms))
        self.asker.tick(now_ms)
        inquiry = self.asker.next(steady_ms)
        if inquiry is None:
            return
        self.asked_of.append(inquiry.source)
        raw = self.provers[inquiry.source](inquiry.request)
        if raw is not None:
            found = self.asker.take(inquiry, raw, now_ms, steady_ms)
            if found is not None and found.first:
                self.seen.append(found)

    def ask(self, goal: Goal = WHAT) -> Asked:
        asked = self.asker.ask(goal, self.lab.now_ms + self.clock_ms)
        assert isinstance(asked, Asked), asked
        return asked

    def refusal(self, goal: Goal) -> Answered:
        answered = self.asker.ask(goal, self.lab.now_ms + self.clock_ms)
        assert isinstance(answered, Answered)
        return answered
