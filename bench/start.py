# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How long it takes from a command line to a swarm's first decision, over ZeroMQ, without ROS.

`swarm-ledger sim` as anybody runs it, encrypted links, a liar among the drones: seconds from the
start of the command to its first lines, to the question, and to the decision. The command goes on
after that and verifies all; that counts in `command` only. Where Python keeps no bytecode
(PYTHONDONTWRITEBYTECODE) each process compiles what has none: half a second more.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

COMMAND = (sys.executable, "-m", "swarm_ledger", "sim", "--transport", "zmq", "--target", "cup")
MOMENTS = {"drones": " drones, ", "question": "question at ", "decision": "Decision 1 at "}


def fly(drones: int, seed: int, folder: Path) -> dict[str, float]:
    """Fly once; return the seconds to each moment. SystemExit where one does not come."""
    started, found = perf_counter(), dict[str, float]()
    given = ("--drones", str(drones), "--seed", str(seed), "--run-dir", str(folder))
    with subprocess.Popen(  # noqa: S603  - our own command, no shell
        [*COMMAND, *given], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        said = ""
        for line in process.stdout or ():
            said += line
            for moment, words in MOMENTS.items():
                if words in line:
                    found.setdefault(moment, perf_counter() - started)
    found["command"] = perf_counter() - started
    if process.returncode or found.keys() < MOMENTS.keys():
        raise SystemExit(f"it ended with {process.returncode}:\n{said}")
    return found


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drones", type=int, default=4)
    parser.add_argument("--runs", type=int, default=9)
    given = parser.parse_args()
    with TemporaryDirectory(prefix="swarm-ledger-start-") as folder:
        runs = [fly(given.drones, run, Path(folder) / str(run)) for run in range(given.runs)]
    middle = {what: round(median(run[what] for run in runs), 2) for what in runs[0]}
    print(json.dumps({"drones": given.drones, "runs": given.runs, "seconds": middle}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
