# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What is left of a decision when it is pruned, what a state takes, and how long a step stops us.

python bench/pruning.py: ledgers of real keys and signatures that never flew, each decision in two
blocks, are pruned as far as they may be.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime import pruner, snapshot
from swarm_ledger.runtime.handover import judge, pack
from swarm_ledger.runtime.pruner import Pruner
from swarm_ledger.sim.minted import Minted

DRONES = (4, 7, 16, 31)
_EVERY = 3
"""Blocks between snapshots: so that the last block, after 100 or 400 decisions, has one."""


def pruned(path: Path, drones: int, decisions: int) -> tuple[int, float, int, float]:
    """Return bytes left, the longest step in ms, bytes of the state, and ms to judge it."""
    with Store.open(path) as store:
        swarm = Minted(store, drones)
        with store.transaction():
            for _ in range(decisions):
                swarm.decide()
        told: list[str] = []
        cutter = Pruner(store, 1, swarm.trust, lambda name, _: told.append(name))
        longest = 0.0
        while not told:
            started = time.perf_counter()
            cutter.tick()
            longest = max(longest, time.perf_counter() - started)
        packed = pack(store, swarm.trust)
        if packed is None:
            raise SystemExit("nothing to hand out")
        started = time.perf_counter()
        judge(packed[1], swarm.trust, 0)
        judged = time.perf_counter() - started
        store.database.run("VACUUM")
    return path.stat().st_size, 1000 * longest, len(packed[1]), 1000 * judged


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decisions", type=int, nargs=2, default=(100, 400))
    few, many = parser.parse_args().decisions
    snapshot.EVERY, pruner.WINDOW = _EVERY, 0
    print("| drones | a pruned decision, bytes | longest step, ms | state, bytes | judged, ms |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as home:
        for drones in DRONES:
            small = pruned(Path(home) / f"{drones}.{few}.db", drones, few)[0]
            large, step, state, ms = pruned(Path(home) / f"{drones}.{many}.db", drones, many)
            each = (large - small) / (many - few)
            print(f"| {drones} | {each:,.0f} | {step:,.0f} | {state:,} | {ms:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
