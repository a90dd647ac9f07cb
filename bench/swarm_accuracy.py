# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How often a swarm with liars is right, against its drones alone, read from the ledgers.

Flies 40 worlds with each target in simulated time. --write keeps the figures in
docs/accuracy.json and the table in docs/accuracy.md. Exit code 1 unless the swarm was right
strictly more often than the mean honest drone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from swarm_ledger.perception.model import WEIGHTS
from swarm_ledger.sim.accuracy import RIGHT, UNDECIDED, WRONG, Flight, fly, judge
from swarm_ledger.sim.world import TARGETS

DOCS = Path(__file__).parents[1] / "docs"
FIGURES, PAGE = DOCS / "accuracy.json", DOCS / "accuracy.md"
BEGIN, END = "<!-- figures: begin -->\n", "<!-- figures: end -->\n"
SEEDS, DRONES, LIARS = 40, 7, 2


def weights() -> str:
    """Return the digest of the classifier's weights, in hex."""
    return hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()


def shares(judged: Sequence[str]) -> dict[str, float]:
    """Return the share of each verdict, 0 to 1."""
    counts = Counter(judged)
    return {verdict: counts[verdict] / len(judged) for verdict in (RIGHT, UNDECIDED, WRONG)}


def summary(flights: Sequence[Flight]) -> dict[str, dict[str, float]]:
    """Return the shares of the swarm, of the mean honest drone, and of the mean drone."""
    return {
        "swarm": shares([judge(f.decision, f.target) for f in flights]),
        "honest": shares([judge(s, f.target) for f in flights for s in f.said(True)]),
        "all": shares([judge(s, f.target) for f in flights for s in f.said(False)]),
    }


def figures(flights: Sequence[Flight], *, drones: int, liars: int) -> dict[str, Any]:
    """Return everything that was measured, as JSON can hold it."""
    chosen = {target: [f for f in flights if f.target == target] for target in TARGETS}
    return {
        "drones": drones,
        "liars": liars,
        "seeds": len(flights) // len(TARGETS),
        "weights": weights(),
        "both": summary(flights),
        **{target: summary(some) for target, some in chosen.items()},
        "flights": [flight._asdict() for flight in flights],
    }


def table(found: dict[str, Any]) -> str:
    """Return the figures as a Markdown table."""
    rows = {
        "swarm": f"**the swarm of {found['drones']}, {found['liars']} of them lying**",
        "honest": "one honest drone, in the mean",
        "all": "one drone, liars included, in the mean",
    }
    lines = [
        "| there stands | who answers | right | undecided | wrong |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for what, said in (("both", "either"), *((target, target) for target in TARGETS)):
        for who, words in rows.items():
            cells = (f"{found[what][who][verdict]:.1%}" for verdict in (RIGHT, UNDECIDED, WRONG))
            lines.append(f"| {said} | {words} | {' | '.join(cells)} |")
    flights = len(found["flights"])
    return "\n".join(lines) + (
        f"\n\n{flights} flights: seeds 0 to {found['seeds'] - 1} with each target; weights "
        f"`{found['weights'][:16]}`.\n"
    )


def write(found: dict[str, Any]) -> None:
    """Put the figures beside the page, and the table between the page's markers."""
    flight_a_line = json.dumps(found).replace('{"target"', '\n{"target"')
    FIGURES.write_text(flight_a_line + "\n")
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(before + BEGIN + table(found) + END + after)


def flights(
    tasks: Sequence[tuple[str, int]], jobs: int, *, drones: int, liars: int
) -> Iterator[Flight]:
    """Fly all tasks, telling on stderr how far it is."""
    one = partial(fly, drones=drones, liars=liars)
    with ProcessPoolExecutor(jobs) as pool:
        for done, flight in enumerate(pool.map(one, tasks), start=1):
            print(f"\r{done} of {len(tasks)} flights", end="", file=sys.stderr, flush=True)
            yield flight
    print(file=sys.stderr)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many worlds a target")
    parser.add_argument("--drones", type=int, default=DRONES)
    parser.add_argument("--liars", type=int, default=LIARS)
    parser.add_argument("--jobs", type=int, default=1, help="processes that fly side by side")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    parser.add_argument("--write", action="store_true", help="keep the figures in docs/")
    arguments = parser.parse_args()
    if arguments.seeds < 1 or arguments.jobs < 1:
        parser.error("--seeds and --jobs must be at least 1")
    tasks = [(target, seed) for target in TARGETS for seed in range(arguments.seeds)]
    drones, liars = arguments.drones, arguments.liars
    before = weights()
    flown = list(flights(tasks, arguments.jobs, drones=drones, liars=liars))
    found = figures(flown, drones=drones, liars=liars)
    if found["weights"] != before:
        raise SystemExit("the classifier's weights were changed meanwhile: run it again")
    print(json.dumps(found) if arguments.json else table(found))
    if arguments.write:
        write(found)
    return 0 if found["both"]["swarm"][RIGHT] > found["both"]["honest"][RIGHT] else 1


if __name__ == "__main__":
    sys.exit(main())
