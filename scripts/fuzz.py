# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Fuzz the decoders of outside bytes for a time, or run one input again.

What crashes, hangs or takes too much is written to build/fuzz/crashes, with the command that runs
it again; what runs new code, to build/fuzz/corpus, where the next campaign goes on. Exit code 1 if
anything was found.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.fuzz.campaign import (  # noqa: E402
    CORPUS,
    GROWN,
    Found,
    Totals,
    campaign,
    distilled,
    kept,
    name_of,
)
from tests.fuzz.material import samples  # noqa: E402
from tests.fuzz.target import weigh  # noqa: E402
from tests.fuzz.targets import TARGETS  # noqa: E402

_MOST, _SIZE = 24, 4096
"""Of each target's grown corpus, how many inputs are kept beside the samples, up to which size."""


def replay(path: Path) -> int:
    """Run one input; its folder's name is its target."""
    target = TARGETS[path.resolve().parent.name]
    cost = weigh(target, path.read_bytes(), memory=True)
    verdict = "taken" if cost.taken else "refused"
    print(f"{target.name}: {verdict}, {cost.lines:,} lines of code, {cost.memory:,} bytes.")
    return 0


def collect(names: list[str]) -> int:
    """Write the corpus anew: samples of a real flight, and what else runs other code."""
    real = samples()
    for name in names:
        folder = CORPUS / name
        folder.mkdir(parents=True, exist_ok=True)
        own = real.get(name, [])
        grown = kept(name, CORPUS, GROWN / "corpus")
        more = [] if name == "swarm" else distilled(
            TARGETS[name], [*own, *grown], most=_MOST, size=_SIZE
        )  # fmt: skip
        if not {*own, *more}:
            continue  # what makes its samples is not installed
        for path in folder.iterdir():
            path.unlink()
        for data in {*own, *more}:
            (folder / name_of(data)).write_bytes(data)
        print(f"{name}: {len(own)} samples, {len({*own, *more})} inputs.")
    return 0


def _report(found: Found, totals: Totals) -> None:
    total = sum(totals.inputs.values())
    print(
        f"{found.target:12} {found.inputs:>8,} inputs, {found.taken:>7,} taken, "
        f"{len(found.grown):>4} new paths; {total:,} inputs in all",
        flush=True,
    )
    for data, why in found.crashes:
        path = GROWN / "crashes" / found.target / name_of(data)
        print(f"\n{why}\n  {sys.executable} scripts/fuzz.py --replay {path}\n", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long, altogether")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    parser.add_argument("--target", action="append", choices=list(TARGETS), help="only these")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--replay", type=Path, help="run one input again")
    parser.add_argument("--collect", action="store_true", help="write tests/fuzz/corpus anew")
    given = parser.parse_args(arguments)
    if given.replay is not None:
        return replay(given.replay)
    names = given.target or list(TARGETS)
    if given.collect:
        return collect(names)
    chosen = {name: TARGETS[name] for name in names}
    print(f"seed {given.seed}, {len(chosen)} targets, {given.jobs} at once", flush=True)
    totals = campaign(
        chosen, seconds=given.minutes * 60, jobs=given.jobs, seed=given.seed, report=_report
    )
    for name, inputs in totals.inputs.items():
        print(f"{name:12} {inputs:>10,} inputs, {totals.taken[name]:>9,} taken")
    print(f"{len(totals.crashes)} inputs did what they must not.")
    return 1 if totals.crashes else 0


if __name__ == "__main__":
    sys.exit(main())
