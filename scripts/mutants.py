# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Plant one bug after another into the consensus engine, and see which the checkers catch.

Exit code 1 if one survives its scenario, or all of the seeds.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.mutants.catalogue import MUTANTS  # noqa: E402
from tests.mutants.mutation import caught  # noqa: E402

RECORD = ROOT / "tests" / "mutants" / "caught.json"
_SHOWN = 80


@dataclass(frozen=True)
class Result:
    """seed: under which it was caught, None if it survived; by: what the checkers said."""

    group: str
    name: str
    scenario: bool
    seed: int | None
    by: str


def hunt(number: int, seeds: int) -> Result:
    """Look for one mutant, by its place in the catalogue."""
    group, bug = [(group, bug) for group, bugs in MUTANTS.items() for bug in bugs][number]
    for seed in range(1 if bug.scenario else seeds):
        by = caught(bug, seed)
        if by:
            return Result(group, bug.name, bug.scenario is not None, seed, by[:_SHOWN])
    return Result(group, bug.name, bug.scenario is not None, None, "")


def markdown(results: list[Result]) -> str:
    """Return the table for the docs."""
    lines = ["| bug | caught | after seeds |", "| --- | --- | --- |"]
    for result in results:
        seeds = "a scenario" if result.scenario else str((result.seed or 0) + 1)
        by = result.by.replace("|", "/").replace("\n", " ")
        lines.append(
            f"| {result.group}: {result.name} | {by} | {seeds} |"
            if result.seed is not None
            else f"| {result.group}: {result.name} | **not yet** | |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds each is given")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--record", action="store_true", help=f"write {RECORD.name} for the test")
    arguments = parser.parse_args()
    total = sum(map(len, MUTANTS.values()))
    results: list[Result] = []
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for result in pool.map(hunt, range(total), [arguments.seeds] * total):
            results.append(result)
            print(f"{len(results)} of {total}: {result.name}", file=sys.stderr)
    survivors = [result.name for result in results if result.seed is None]
    if arguments.record:
        found = {result.name: result.seed for result in results if result.seed is not None}
        RECORD.write_text(json.dumps(found, indent=1) + "\n")
    if arguments.json:
        print(json.dumps({"mutants": [asdict(one) for one in results], "survivors": survivors}))
    else:
        print(markdown(results), end="")
        print(f"\n{total - len(survivors)} of {total} caught.")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
