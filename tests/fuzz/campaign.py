# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Fuzzing for a time: workers that grow a corpus, and one who watches them.

An input that runs new lines of our code is kept and changed further. Each input is on disk before
it is run, so that whatever ends or stops a worker is there to be run again.
"""

from __future__ import annotations

import multiprocessing
import random
import resource
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from swarm_ledger.encoding import digest
from tests.fuzz.target import ROOT, Target, accepts, weigh

CORPUS = Path(__file__).with_name("corpus")
GROWN = ROOT / "build" / "fuzz"
HANG_SECONDS = 20.0
MEMORY_BYTES = 1 << 30
"""What a worker may take beside what it has when it begins."""

_WEIGH_MEMORY = 16
_SLICE_SECONDS = 20.0
_LOOK_SECONDS = 0.25


def name_of(data: bytes) -> str:
    """Return the name of an input's file."""
    return digest(data).hex()[:16]


def kept(name: str, *folders: Path) -> list[bytes]:
    """Return the inputs that folders hold for a target, in one order."""
    files = [path for folder in folders if (folder / name).is_dir() for path in
             (folder / name).iterdir()]  # fmt: skip
    return [path.read_bytes() for path in sorted(files, key=lambda path: path.name)]


def next_input(target: Target, corpus: list[bytes], seed: str) -> bytes:
    """Return one more input; the seed and the corpus decide which."""
    rng = random.Random(seed)
    data = target.mutate(rng, rng.choice(corpus), corpus)
    while rng.random() < 0.2:
        data = target.mutate(rng, data, corpus)
    return data


@dataclass
class Found:
    """What a worker did with one target. crashes: input and traceback; seconds: it took."""

    target: str
    inputs: int = 0
    taken: int = 0
    crashes: list[tuple[bytes, str]] = field(default_factory=list)
    grown: list[bytes] = field(default_factory=list)


def fuzz(target: Target, seed: str, seconds: float, corpus: list[bytes], current: Path) -> Found:
    """Run inputs for so long, or until the first one that does what it must not."""
    found, seen = Found(target.name), set[int]()
    end = time.monotonic() + seconds
    whole = list(corpus)
    fresh = iter(whole)
    while time.monotonic() < end:
        data = next(fresh, None)
        mutated = data is None
        if data is None:
            data = next_input(target, whole, f"{seed}/{target.name}/{found.inputs}")
        current.write_bytes(data)
        found.inputs += 1
        try:
            if target.cost > 1_000:
                found.taken += accepts(target, data)
                continue
            cost = weigh(target, data, memory=found.inputs % _WEIGH_MEMORY == 0)
        except Exception:
            found.crashes.append((data, traceback.format_exc(limit=-8)))
            return found
        found.taken += cost.taken
        if mutated and not cost.seen <= seen:
            whole.append(data)
            found.grown.append(data)
        seen |= cost.seen
    return found


def _work(target: Target, seed: str, seconds: float, current: Path, answer: Connection) -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    most = used + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    corpus = kept(target.name, CORPUS, GROWN / "corpus")
    answer.send(fuzz(target, seed, seconds, corpus, current))


class Worker:
    """One process with one target. current: the file of the input that it is running."""

    def __init__(self, target: Target, seed: str, seconds: float, place: int) -> None:
        self.target, self.current = target, GROWN / f"current-{place}"
        self.current.parent.mkdir(parents=True, exist_ok=True)
        self.current.write_bytes(b"")
        context = multiprocessing.get_context("fork")
        self._answer, theirs = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_work, args=(target, seed, seconds, self.current, theirs), daemon=True
        )
        self._process.start()
        theirs.close()

    def look(self, hang_seconds: float) -> Found | None:
        """Return what it found once it is done, hangs, or is gone."""
        if self._answer.poll(_LOOK_SECONDS):
            with suppress(EOFError):
                found: Found = self._answer.recv()
                self._process.join()
                return found
            self._process.join()
            return self._blamed(f"the process ended with {self._process.exitcode}.")
        quiet = time.time() - self.current.stat().st_mtime
        if quiet > hang_seconds * max(1, self.target.cost // 1_000):
            self.stop()
            return self._blamed(f"no answer for {quiet:.0f} s.")
        return None

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()

    def _blamed(self, why: str) -> Found:
        return Found(self.target.name, 0, 0, [(self.current.read_bytes(), why)])


@dataclass
class Totals:
    """What a campaign did, by target. crashes: files."""

    inputs: dict[str, int] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)
    crashes: list[Path] = field(default_factory=list)

    def add(self, found: Found) -> None:
        """Count, and write to disk what was found."""
        name = found.target
        self.inputs[name] = self.inputs.get(name, 0) + found.inputs
        self.taken[name] = self.taken.get(name, 0) + found.taken
        for data in found.grown:
            _save(GROWN / "corpus" / name, data)
        for data, why in found.crashes:
            path = _save(GROWN / "crashes" / name, data)
            path.with_suffix(".txt").write_text(why)
            if path not in self.crashes:
                self.crashes.append(path)


def _save(folder: Path, data: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name_of(data)
    path.write_bytes(data)
    return path


def campaign(
    targets: Mapping[str, Target],
    *,
    seconds: float,
    jobs: int,
    seed: int,
    hang_seconds: float = HANG_SECONDS,
    report: Callable[[Found, Totals], None] = lambda _found, _totals: None,
) -> Totals:
    """Fuzz targets in turns for so long altogether, each in processes of their own."""
    totals, begin, turn = Totals(), time.monotonic(), 0
    names = list(targets)
    share = min(_SLICE_SECONDS, max(1.0, seconds * jobs / len(names)))
    workers: dict[int, Worker] = {}
    try:
        while True:
            left = seconds - (time.monotonic() - begin)
            for place in range(jobs):
                if place not in workers and left > 0:
                    target = targets[names[turn % len(names)]]
                    workers[place] = Worker(target, f"{seed}/{turn}", min(share, left), place)
                    turn += 1
            if not workers:
                return totals
            for place, worker in list(workers.items()):
                found = worker.look(hang_seconds)
                if found is not None:
                    del workers[place]
                    totals.add(found)
                    report(found, totals)
    finally:
        for worker in workers.values():
            worker.stop()


def distilled(target: Target, inputs: Iterable[bytes], *, most: int, size: int) -> list[bytes]:
    """Return few and small inputs that together run what all of them do."""
    costs = []
    for data in sorted(set(inputs), key=lambda data: (len(data), data)):
        if len(data) <= size:
            costs.append((data, weigh(target, data, memory=False).seen))
    chosen: list[bytes] = []
    covered: set[int] = set()
    while len(chosen) < most:
        best = max(costs, key=lambda item: (len(item[1] - covered), -len(item[0])), default=None)
        if best is None or best[1] <= covered:
            break
        chosen.append(best[0])
        covered |= best[1]
    return chosen
