# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Plant one bug after another into the consensus engine, and see which the checkers catch.

A bug counts as caught only where the engine without it is fine. Exit code 1 if one survives its
scenario, or all of the seeds.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import shorten

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.mutants.catalogue import MUTANTS  # noqa: E402
from tests.mutants.mutation import MENU, caught, failed, found  # noqa: E402

RECORD = ROOT / "tests" / "mutants" / "caught.json"
_SHOWN = 80
_PAGE = """\
# Bugs that the checkers catch
A checker counts only once a bug has shown that it bites. `tests/mutants/` holds bugs, each a line
or two of the engine or its driver; `scripts/mutants.py --markdown` plants one after another and
writes this page. *Seeds*: how many of the default menu it took, from 0 on, in runs of {steps:,}
events. Where those can hardly get there, a scenario or a test shows the bug; it is named. Without
the bug, each of these seeds and scenarios ends well."""


@dataclass(frozen=True)
class Result:
    """scenario: its name, "" if seeds are tried. seed: under which it was caught, None if it
    survived; by: what the checkers said.
    """

    group: str
    name: str
    scenario: str
    seed: int | None
    by: str


def hunt(number: int, seeds: int) -> Result:
    """Look for one mutant, by its place in the catalogue."""
    group, bug = [(group, bug) for group, bugs in MUTANTS.items() for bug in bugs][number]
    scenario = bug.scenario.__name__.removeprefix("test_") if bug.scenario else ""
    for seed in range(1 if bug.scenario else seeds):
        by = caught(bug, seed)
        if by and not (failed(bug.scenario) if bug.scenario else found(seed)):
            return Result(group, bug.name, scenario, seed, shorten(by, _SHOWN, placeholder=" …"))
    return Result(group, bug.name, scenario, None, "")


def markdown(results: list[Result]) -> str:
    """Return the page for the docs."""
    lines = [_PAGE.format(steps=MENU.steps)]
    for group in MUTANTS:
        lines += [f"\n## {group}", "| bug | what caught it | seeds |", "| --- | --- | --- |"]
        lines += [_row(result) for result in results if result.group == group]
    return "\n".join(lines) + "\n"


def _row(result: Result) -> str:
    if result.seed is None:
        return f"| {result.name} | **not caught** | |"
    by = result.by.replace("|", "/").replace("\n", " ").replace("`", "'")
    if result.scenario:
        by = f"`{result.scenario}`: {by}"
    return f"| {result.name} | {by} | {'' if result.scenario else result.seed + 1} |"


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds each is given")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument("--markdown", action="store_true", help="print docs/consensus-mutants.md")
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
    elif arguments.markdown:
        print(markdown(results), end="")
    else:
        for result in results:
            where = result.scenario or f"seed {result.seed}"
            print(f"{result.name}: " + (f"{where}: {result.by}" if result.by else "NOT CAUGHT"))
        print(f"{total - len(survivors)} of {total} caught.")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
