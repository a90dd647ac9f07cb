# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Kill a process that writes a ledger, again and again, and fail its disk at each of its writes.

Exit code 1 if anything that was acknowledged is lost, or a ledger does not verify; the files are
kept then. docs/ledger-performance.md has the figures.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from swarm_ledger.errors import SwarmLedgerError  # noqa: E402
from tests.crash import harness  # noqa: E402
from tests.crash.writer import BLOCK  # noqa: E402

_LIVES = 20
"""Kills of one ledger: the longer it is, the longer it takes to look at it."""


def kill(home: Path, times: int, rng: random.Random) -> dict[str, int]:
    """Kill a writer at random instants."""
    blocks = 0
    said = harness.Acknowledged()
    for number in range(times):
        if number % _LIVES == 0:
            blocks += said[BLOCK] + 1
            said = harness.Acknowledged()
            home.joinpath(str(number)).mkdir()
        path = home / str(number // _LIVES * _LIVES) / "ledger.db"
        harness.killed_after(path, rng.uniform(0.0, 0.3), said)
        _tell("kills", number + 1, times)
    return {"kills": times, "blocks": blocks + said[BLOCK] + 1}


def fail(home: Path, every: int) -> dict[str, int]:
    """Fail the disk in each way at each of a writer's calls, or at every so many-th."""
    preload = harness.compiled(home)
    if preload is None:
        raise SystemExit("this part needs a C compiler: sudo apt-get install gcc")
    home.joinpath("count").mkdir()
    effects = harness.effects(home / "count" / "ledger.db", preload)
    done = {"disk_calls": effects}
    for deed in harness.DEEDS:
        for at in range(1, effects + 1, every):
            folder = home / f"{deed}-{at}"
            folder.mkdir()
            harness.on_a_bad_disk(folder / "ledger.db", preload, deed, at)
            shutil.rmtree(folder)
            done[deed] = done.get(deed, 0) + 1
            _tell(deed, at, effects)
    return done


def tear(home: Path, every: int, rng: random.Random) -> dict[str, int]:
    """Tear the log at every so many-th byte, and cut off the folding of it."""
    recorded = harness.record(home / "ledger.db", 6, 10)
    first, copy, done = 6, home / "torn.db", {"torn_logs": 0, "half_folds": 0}
    for cut in range(0, len(recorded.wal) + 1, every):
        for how, wal in harness.torn(recorded, rng, cut):
            safe = cut // 512 * 512 if how == "hole" else cut
            least = max((h for end, h in recorded.commits if end <= safe), default=first)
            found = harness.reopen(copy, recorded.before, wal)
            assert found >= least, (how, cut, found)
            done["torn_logs"] += 1
        _tell("bytes", cut, len(recorded.wal))
    for number in range(500):
        database = harness.half_folded(recorded, rng)
        assert harness.reopen(copy, database, recorded.wal) == first + 10
        done["half_folds"] += 1
        _tell("folds", number + 1, 500)
    return done


def _tell(what: str, done: int, of: int) -> None:
    print(f"\r{what}: {done} of {of}   ", end="", file=sys.stderr, flush=True)


def _parts(home: Path, arguments: argparse.Namespace) -> Iterator[dict[str, int]]:
    rng = random.Random(arguments.seed)  # noqa: S311
    for name in ("kill", "fail", "tear"):
        home.joinpath(name).mkdir()
    yield kill(home / "kill", arguments.kills, rng)
    yield fail(home / "fail", arguments.every_call)
    yield tear(home / "tear", arguments.every_byte, rng)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200, help="how often to kill the writer")
    parser.add_argument("--every-call", type=int, default=1, help="which calls of the disk fail")
    parser.add_argument("--every-byte", type=int, default=509, help="where the log is torn")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    home, begun = Path(tempfile.mkdtemp(prefix="crash-")), monotonic()
    done: dict[str, int] = {}
    try:
        for part in _parts(home, arguments):
            done |= part
    except (AssertionError, SwarmLedgerError) as error:
        print(f"\nlost: {error}\nkept: {home}", file=sys.stderr)
        return 1
    shutil.rmtree(home)
    print(file=sys.stderr)
    print(json.dumps({**done, "lost": 0, "seconds": round(monotonic() - begun)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
