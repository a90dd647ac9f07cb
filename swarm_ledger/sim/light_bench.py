# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What it costs a light client to verify one decision, by the ledger's length and the swarm's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import msgspec

from swarm_ledger.encoding import encode
from swarm_ledger.ledger.store import Store
from swarm_ledger.light_client.follower import (
    Head,
    entry_of,
    follow,
    load,
    request_for,
    save,
)
from swarm_ledger.light_client.messages import Newest, parse_answer
from swarm_ledger.runtime.light import Prover
from swarm_ledger.sim.minted import START_MS, Minted

_FILLED = 100
_BLOCKS_AT_ONCE = 50
NOW = datetime.fromtimestamp(START_MS / 1000, tz=timezone.utc)
"""When the roster of such ledgers is in force."""


class Light(msgspec.Struct, frozen=True):
    """Bytes of the answer about the newest decision, and milliseconds of one processor; medians.

    What others do on the machine is not counted. cold: by root.json alone; warm: going on from a
    checkpoint of a tenth of the entries; same: by who has that checkpoint already. answer_ms: the
    server's part of warm, from the file; state: what the client keeps, and how long reading it
    takes, which is not in the others.
    """

    drones: int
    entries: int
    cold_bytes: int
    cold_ms: float
    warm_bytes: int
    warm_ms: float
    same_bytes: int
    same_ms: float
    answer_ms: float
    state_bytes: int
    state_ms: float


def lights(
    home: Path,
    sizes: Sequence[int],
    swarms: Sequence[int],
    runs: int,
    tell: Callable[[str], None],
) -> Iterator[Light]:
    """Measure ledgers of so many entries with the first swarm, and the shortest with the others.

    home: a folder for the ledgers; swarms: their numbers of drones.
    """
    for drones in swarms:
        path = home / f"light-{drones}.db"
        with Store.open(path) as store:
            swarm = Minted(store, drones)
            swarm.decide()
            prover = Prover(partial(Store.open, path, read_only=True), swarm.trust)
            known = _head(swarm, prover, None)
            for size in sizes if drones == swarms[0] else sizes[:1]:
                grow(swarm, size, tell)
                yield _light(swarm, prover, drones, known, runs)
                known = _head(swarm, prover, known)


def grow(swarm: Minted, size: int, tell: Callable[[str], None]) -> None:
    """Let a ledger have so many entries, the last of which is a decision under a checkpoint."""
    while _lacks(swarm, size):
        with swarm.store.transaction():
            for _ in range(_BLOCKS_AT_ONCE):
                if lacks := _lacks(swarm, size):
                    swarm.fill(min(_FILLED, lacks) - 1)
        tell(f"{swarm.store.size} entries for light clients")
    swarm.decide()


def _lacks(swarm: Minted, size: int) -> int:
    """Return how many entries to fill up before a decision, which takes two blocks."""
    return max(0, size - swarm.store.size - len(swarm.trust.genesis.voters) - 4)


def _head(swarm: Minted, prover: Prover, known: Head | None) -> Head:
    answer = prover.answer(encode(request_for(Newest(), known)))
    return follow(swarm.trust.roots.first, known, parse_answer(answer), NOW)


def _light(swarm: Minted, prover: Prover, drones: int, known: Head, runs: int) -> Light:
    root = swarm.trust.roots.first
    head = _head(swarm, prover, None)
    asked = [encode(request_for(Newest(), one)) for one in (None, known, head)]
    cold, warm, same = (prover.answer(request) for request in asked)
    state = save(root, head)

    def taken(work: Callable[[], object]) -> float:
        return timed(work, 20 * runs, process_time)

    def verify(raw: bytes, before: Head | None) -> None:
        answer = parse_answer(raw)
        entry_of(follow(root, before, answer, NOW), Newest(), answer)

    return Light(
        drones=drones,
        entries=swarm.store.size,
        cold_bytes=len(cold),
        cold_ms=taken(lambda: verify(cold, None)),
        warm_bytes=len(warm),
        warm_ms=taken(lambda: verify(warm, known)),
        same_bytes=len(same),
        same_ms=taken(lambda: verify(same, head)),
        answer_ms=taken(lambda: prover.answer(asked[1])),
        state_bytes=len(state),
        state_ms=taken(lambda: load(root, state)),
    )


def timed(
    work: Callable[[], object], runs: int, clock: Callable[[], float] = perf_counter
) -> float:
    """Return the median of several runs, in milliseconds of a clock that tells seconds."""
    taken = []
    for _ in range(runs):
        begun = clock()
        work()
        taken.append((clock() - begun) * 1000)
    return round(median(taken), 4)
