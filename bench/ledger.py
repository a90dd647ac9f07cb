# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What it costs to verify, compare and export ledgers, and to serve them: time and memory.

Makes ledgers of signed requests, two of them without their last blocks, and runs the commands on
them, each in a process of its own. Seconds are the processor's, so that others at work on the
machine don't count. The first row does next to nothing: that is what a Python with our libraries
takes. Memory is the process's peak, Python and its libraries included.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from swarm_ledger.identity.trust import write_files  # noqa: E402
from swarm_ledger.identity.tuf import ROOT as ROOT_JSON  # noqa: E402
from swarm_ledger.identity.tuf import ROSTER, TARGETS  # noqa: E402
from swarm_ledger.ledger.tiles import tiles_of  # noqa: E402
from tests.crew import Crew  # noqa: E402
from tests.histories import History  # noqa: E402

COMMAND = (sys.executable, "-m", "swarm_ledger")
BATCH, BEHIND = 50, 4
REQUESTS = 1_000


def write(home: Path, entries: int) -> None:
    """Write a roster and three ledgers: a whole one, and two without its last blocks."""
    crew = Crew()
    root, (targets, raw) = crew.anchor
    write_files(home / "roster", {ROOT_JSON: root, ROSTER: raw, TARGETS: targets})
    made = History(crew, home / "drone_1", *crew.names[:3])
    made.store.database.run("PRAGMA synchronous = OFF")
    made.block(*made.delegations())
    number = 0
    while made.store.size < entries:
        if entries - made.store.size < BEHIND * BATCH and not (home / "drone_2").exists():
            made.checkpoint()
            made.copy_to(home / "drone_2")
            made.copy_to(home / "drone_3")
        names = (crew.names[(number + at) % 4] for at in range(BATCH))
        made.block(*(made.tick(name, number + at) for at, name in enumerate(names)))
        number += BATCH
        if made.store.height % 16 == 0:
            made.checkpoint()
    made.checkpoint()
    made.close()


def started(*arguments: object) -> subprocess.Popen[bytes]:
    """Start a command in a process of its own."""
    return subprocess.Popen(  # noqa: S603  - our own
        [*COMMAND, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )


def measured(*arguments: object) -> tuple[float, float, str]:
    """Run a command; return its seconds, its peak of memory in MiB, and what it printed."""
    with started(*arguments) as process:
        said = process.stdout.read().decode()  # type: ignore[union-attr]
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{arguments} failed: {said}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, said


def served(ledger: Path, size: int) -> float:
    """Return the seconds that a server takes for REQUESTS tiles, its start included."""
    names = [tile.name for tile in tiles_of(size)]
    with started("ledger", "serve", ledger, "--port", 0, "--json") as process:
        url = json.loads(process.stdout.readline())["url"]  # type: ignore[union-attr]
        connection = http.client.HTTPConnection(url.removeprefix("http://").rstrip("/"))
        for number in range(REQUESTS):
            connection.request("GET", "/" + names[number * 7 % len(names)])
            connection.getresponse().read()
        connection.close()
        process.terminate()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    given = parser.parse_args()
    print("| what | entries | seconds | MiB |\n| --- | --- | --- | --- |")
    for entries in given.entries:
        with tempfile.TemporaryDirectory(prefix="swarm-ledger-bench-") as temporary:
            home = Path(temporary)
            write(home, entries)
            one, short = home / "drone_1", home / "drone_2"
            size = json.loads(measured("ledger", "show", one, "--last", 1, "--json")[2])["size"]
            export = ("ledger", "export", one)
            for what, arguments in (
                ("show the last block", ("ledger", "show", one, "--last", 1)),
                ("verify", ("ledger", "verify", one)),
                ("compare two", ("ledger", "compare", one, short)),
                ("compare three", ("ledger", "compare", one, short, home / "drone_3")),
                ("export --tiles", (*export, "--tiles", home / "tiles")),
                ("export --tiles again", (*export, "--tiles", home / "tiles")),
                ("compare with tiles", ("ledger", "compare", one, home / "tiles")),
                ("export --jsonl", (*export, "--jsonl", home / "out.jsonl")),
            ):
                taken, memory, _ = measured(*arguments)
                print(f"| {what} | {size:,} | {taken:.1f} | {memory:.0f} |", flush=True)
            print(f"| serve {REQUESTS} tiles | {size:,} | {served(one, size):.1f} | |", flush=True)


if __name__ == "__main__":
    main()
