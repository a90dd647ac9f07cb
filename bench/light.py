# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What it costs to verify one decision of a large ledger from root.json alone, by each carrier.

`ledger serve` is a process of its own; the client is this one. Each run asks for the newest
decision, verifies it and writes its state file through to the disk: `cold` from root.json alone,
`warm` from a state that knows a tenth of the entries, `same` from one that has the checkpoint.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from swarm_ledger.audit.ledger import open_ledger  # noqa: E402
from swarm_ledger.identity.trust import write_files  # noqa: E402
from swarm_ledger.identity.tuf import ROOT as ROOT_JSON  # noqa: E402
from swarm_ledger.identity.tuf import ROSTER, TARGETS  # noqa: E402
from swarm_ledger.ledger.store import Store  # noqa: E402
from swarm_ledger.light_client.messages import Newest  # noqa: E402
from swarm_ledger.runtime.following import Carrier, ask  # noqa: E402
from swarm_ledger.runtime.light import Prover  # noqa: E402
from swarm_ledger.sim.light_bench import NOW, grow  # noqa: E402
from swarm_ledger.sim.minted import Minted  # noqa: E402
from swarm_ledger.transport.asking import carrier  # noqa: E402

COMMAND = (sys.executable, "-m", "swarm_ledger")


def make(home: Path, entries: int, drones: int) -> tuple[bytes, Prover]:
    """Write a roster and a ledger; leave the states that know a tenth of it, and all."""
    folder = home / "drone_1"
    folder.mkdir()
    with Store.open(folder / "ledger.db") as store:
        swarm = Minted(store, drones)
        first, root = swarm.trust.first.version, swarm.trust.roots.first
        files = {ROOT_JSON: root, ROSTER: first.roster.raw, TARGETS: first.targets}
        write_files(home / "roster", files)
        prover = Prover(lambda: open_ledger(folder), swarm.trust)
        for size, state in ((entries // 10, "warm"), (entries, "same")):
            grow(swarm, size, lambda what: print(what, end="\r", file=sys.stderr))
            ask(prover.answer, root, home / state, Newest(), NOW)
    return root, prover


def measure(home: Path, root: bytes, carry: Carrier, kind: str, runs: int) -> dict[str, float]:
    """Return the answer's bytes, and the median and the fastest of several runs."""
    taken, sizes = [], []

    def counted(request: bytes) -> bytes:
        answer = carry(request)
        sizes.append(len(answer))
        return answer

    for _ in range(runs):
        state = home / "state"
        state.unlink(missing_ok=True)
        if kind != "cold":
            shutil.copyfile(home / kind, state)
        begun = perf_counter()
        ask(counted, root, state, Newest(), NOW)
        taken.append((perf_counter() - begun) * 1000)
    return {"bytes": sizes[-1], "ms": round(median(taken), 1), "least_ms": round(min(taken), 1)}


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--drones", type=int, default=4)
    parser.add_argument("--runs", type=int, default=50)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        root, prover = make(home, given.entries, given.drones)
        served = [home / "drone_1", "--port", "0", "--zmq", "tcp://127.0.0.1:0", "--json"]
        command = [*COMMAND, "ledger", "serve", *map(str, served)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as server:  # noqa: S603
            assert server.stdout is not None  # noqa: S101
            where = json.loads(server.stdout.readline())
            carriers: dict[str, Callable[[bytes], bytes]] = {
                "ledger": prover.answer,
                "http": carrier(where["url"]),
                "zmq": carrier(where["zmq"]),
            }
            found = {
                by: {
                    kind: measure(home, root, carry, kind, given.runs)
                    for kind in ("cold", "warm", "same")
                }
                for by, carry in carriers.items()
            }
            server.terminate()
    print(json.dumps({"entries": given.entries, "drones": given.drones, "carriers": found}))


if __name__ == "__main__":
    main()
