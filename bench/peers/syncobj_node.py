# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One server of PySyncObj with clients on board, who put values one after another.

Prints one JSON object: how long, what each put took, and the processor time of the process.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from pysyncobj import SyncObj, SyncObjConf, replicated

_TICK_S = 0.0005


class Store(SyncObj):
    """A replicated list of values, of which the last ones are kept."""

    def __init__(self, own: str, others: list[str], journal: str) -> None:
        # As it comes it appends every 100 ms, and waits 50 ms in each turn.
        conf = SyncObjConf(
            autoTick=False,
            appendEntriesPeriod=0.002,
            appendEntriesUseBatch=True,
            journalFile=journal,
        )
        super().__init__(own, others, conf)
        self.values: dict[int, bytes] = {}

    @replicated
    def put(self, key: int, value: bytes) -> int:
        self.values[key % 1000] = value
        return key


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("own")
    parser.add_argument("others")
    parser.add_argument("journal")
    parser.add_argument("--clients", type=int, default=0)
    parser.add_argument("--payload", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--warm-up", type=float, default=1)
    given = parser.parse_args()
    store = Store(given.own, given.others.split(","), given.journal)
    latencies: list[int] = []
    counting = False
    number = 0

    def put() -> None:
        nonlocal number
        number += 1
        store.put(number, os.urandom(given.payload), callback=answered(time.perf_counter_ns()))

    def answered(started_ns: int) -> Callable[[Any, Any], None]:
        def done(_result: Any, _error: Any) -> None:
            if counting:
                latencies.append((time.perf_counter_ns() - started_ns) // 1_000)
            put()

        return done

    while not store.isReady():
        store.doTick(_TICK_S)
    for _ in range(given.clients):
        put()
    _turn(store, given.warm_up)
    counting, started, cpu_ns = True, time.monotonic(), time.process_time_ns()
    _turn(store, given.seconds)
    found = {
        "seconds": time.monotonic() - started,
        "latencies_us": latencies,
        "cpu_us": (time.process_time_ns() - cpu_ns) / 1_000,
    }
    print(json.dumps(found), flush=True)
    while os.getppid() != 1:  # others still count; whoever started us ends us
        store.doTick(_TICK_S)


def _turn(store: Store, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        store.doTick(_TICK_S)


if __name__ == "__main__":
    sys.exit(main())
