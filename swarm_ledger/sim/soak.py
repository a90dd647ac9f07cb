# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Many votes through four replicas in one process: does anything grow with their number?

The replicas, clients, keys and ledgers on disk are those of `bench consensus`, all signatures are
made and checked. Memory is told after each step: of the process, which has all four replicas and
their clients, and the number of objects that Python's collector tracks.
"""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import msgspec

from swarm_ledger.runtime.drone import Drone
from swarm_ledger.sim.consensus_bench import Setting, Swarm, prepare

_CLIENTS = 32
_VOTERS = 20
_OURS = "swarm_ledger."

BOUNDED = {
    "Pool._applied": 65_536,
    "Verified._opened": 2 * 8_192,
    "Opened.said": 4 * 8_192,
    "Doorman._signed": 4_096,
    "Machine._closed": 1_024,
    "Tally._decisions": 1_024,
    "Pace.phases": 32,
    "Pace.waits": 32,
    "Prosecutor._heard[]": 128 * _VOTERS,
    "Clients.latencies_us": 1 << 62,
}
"""What grows up to a number, and then no more; the last is the bench's own."""


class Step(msgspec.Struct, frozen=True):
    """Memory after so many votes. rss_mb: of the process; objects: that the collector tracks."""

    votes: int
    rss_mb: float
    objects: int
    seconds: float


class Soak:
    """A swarm under load. folder: an empty one. To be closed."""

    def __init__(self, folder: Path) -> None:
        self._open = ExitStack()
        setting = Setting(4, _CLIENTS, "memory", 1.0, 0.0, 0, _VOTERS)
        self._swarm = Swarm(prepare(setting, folder), _CLIENTS, self._open)
        self._drones = self._swarm.drones

    def close(self) -> None:
        """Close all ledgers."""
        self._open.close()

    @property
    def votes(self) -> int:
        """How many are in the first replica's ledger."""
        return self._swarm.counts()[0].votes

    def run(self, votes: int) -> None:
        """Have so many more ordered."""
        goal = self.votes + votes
        while self.votes < goal:
            self._swarm.turn()
        for replica in self._swarm.replicas:
            replica.clients.latencies_us = []  # the bench's own, 36 bytes a vote

    def sizes(self) -> dict[str, int]:
        """Return how much each container holds that the first drone reaches, by where it is.

        Where there are several of a kind they are added up.
        """
        found: dict[str, int] = {}
        for path, container in containers(self._drones[0]):
            found[path] = found.get(path, 0) + len(container)
        return found

    def step(self, began: float) -> Step:
        """Return how much memory there is in use, now that garbage is gone."""
        gc.collect()
        seconds = round(time.monotonic() - began, 1)
        return Step(self.votes, round(_rss_mb(), 1), len(gc.get_objects()), seconds)


def containers(drone: Drone) -> Iterator[tuple[str, Collection[object]]]:
    """Yield all containers that our own objects have, with their attribute's name, once each."""
    seen: set[int] = set()
    queue: deque[tuple[str, object]] = deque([("drone", drone)])
    while queue:
        path, one = queue.popleft()
        if id(one) in seen or isinstance(one, (str, bytes, int, float, type)):
            continue
        seen.add(id(one))
        if isinstance(one, (dict, list, set, deque)):
            yield path, one
            inside = one.values() if isinstance(one, dict) else one
            queue.extend((f"{path}[]", value) for value in list(inside))
        elif type(one).__module__.startswith(_OURS) and not isinstance(one, msgspec.Struct):
            queue.extend((f"{type(one).__name__}.{name}", value) for name, value in _parts(one))


def _parts(one: object) -> Iterator[tuple[str, object]]:
    yield from getattr(one, "__dict__", {}).items()
    for kind in type(one).__mro__:
        for name in getattr(kind, "__slots__", ()):
            if hasattr(one, name):
                yield name, getattr(one, name)


def _rss_mb() -> float:
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def soak(folder: Path, votes: int, every: int) -> Iterator[Step]:
    """Yield a step at the start, and after each `every` votes up to `votes`."""
    began = time.monotonic()
    with closing(Soak(folder)) as made:
        made.run(1)
        yield made.step(began)
        while made.votes < votes:
            made.run(every)
            yield made.step(began)
