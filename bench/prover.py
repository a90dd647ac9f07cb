# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How far a flood of questions holds up a drone's loop that has its prover in its process.

The loop does 2 ms of work every 20 ms, as a drone's tick does, while as many as can ask for the
newest decision, each time as if they knew nothing. Printed: by how much a turn ends later than it
would, how many were answered and turned away, and what that took of a processor.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from swarm_ledger.audit.ledger import open_ledger  # noqa: E402
from swarm_ledger.encoding import encode  # noqa: E402
from swarm_ledger.ledger.store import Store  # noqa: E402
from swarm_ledger.light_client.messages import Newest, Request  # noqa: E402
from swarm_ledger.runtime.desk import SHARE, Desk  # noqa: E402
from swarm_ledger.runtime.light import Prover  # noqa: E402
from swarm_ledger.sim.light_bench import grow  # noqa: E402
from swarm_ledger.sim.minted import Minted  # noqa: E402

TURN_S, WORK_S, AT_ONCE = 0.02, 0.002, 20


def spin(seconds: float) -> None:
    """Work for so much of this thread's processor time."""
    end_s = time.thread_time() + seconds
    while time.thread_time() < end_s:
        pass


def turns(count: int, desk: Desk | None, prover: Prover) -> list[float]:
    """Return how long each turn of the loop took beyond its work, in milliseconds."""
    late, request = [], encode(Request(Newest()))
    due_s = time.perf_counter()
    for _ in range(count):
        due_s += TURN_S
        time.sleep(max(0.0, due_s - time.perf_counter()))
        begun_s = time.perf_counter()
        for _ in range(AT_ONCE * (desk is not None)):
            if desk is not None:
                desk.ask(lambda: prover.answer(request))  # type: ignore[func-returns-value]
        spin(WORK_S)
        late.append((time.perf_counter() - begun_s - WORK_S) * 1000)
    return late


def told(late: list[float]) -> dict[str, float]:
    """Return the median and the 99th percentile."""
    return {"median_ms": round(median(late), 2), "p99_ms": round(quantiles(late, n=100)[-1], 2)}


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=1_500)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Store.open(folder / "ledger.db") as store:
            swarm = Minted(store, 4)
            grow(swarm, given.entries, lambda what: print(what, end="\r", file=sys.stderr))
            prover = Prover(lambda: open_ledger(folder), swarm.trust)
            prover.answer(encode(Request(Newest())))
            found: dict[str, object] = {"quiet": told(turns(given.turns, None, prover))}
            for share in (SHARE, 1.0):
                desk = Desk(share=share)
                late = turns(given.turns, desk, prover)
                desk.close()
                spent = desk.used_s / (given.turns * TURN_S)
                found[f"share {share:g}"] = {
                    **told(late),
                    "served": desk.served,
                    "turned_away": dict(desk.turned_away),
                    "of_a_processor": round(spent, 3),
                    "each_ms": round(desk.used_s / max(1, desk.served) * 1000, 2),
                }
    print(json.dumps({"entries": given.entries, **found}))


if __name__ == "__main__":
    main()
