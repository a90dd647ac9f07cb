# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Kills a writer, or fails its disk: nothing that was acknowledged may be gone afterwards."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from signal import SIGKILL

from swarm_ledger.errors import Misuse
from swarm_ledger.ledger.check import check_store
from swarm_ledger.ledger.store import Store
from tests.crash.writer import (
    BLOCK,
    CHECKPOINT,
    JOURNAL,
    KEPT,
    PENDING,
    READY,
    REFUSED,
    STABLE,
    SWARM,
    entries,
    note,
)

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(__file__).with_name("bad_disk.c")
DEEDS = ("kill", "tear", "eio", "enospc")
PAGE, FRAME, WAL_HEADER = 4096, 4096 + 24, 32
_DEADLINE_S = 120


@dataclass
class Acknowledged:
    """The last number of each kind that a writer has said to be on disk, over all its lives."""

    last: dict[str, int] = field(default_factory=dict)

    def take(self, lines: bytes) -> None:
        """Take in what it said; a line that was cut short by its death was never said."""
        for line in lines.decode().splitlines(keepends=True):
            what, _, number = line.partition(" ")
            if number.endswith("\n"):
                self.last[what] = int(number)

    def __getitem__(self, what: str) -> int:
        return self.last.get(what, -1)


def begin(path: Path, blocks: int, lives: int, **disk: object) -> subprocess.Popen[bytes]:
    """Start a writer. disk: settings of bad_disk.c, and `preload`, where that is."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment |= {f"BAD_DISK_{name.upper()}": str(value) for name, value in disk.items()}
    if "preload" in disk:
        environment["LD_PRELOAD"] = str(disk["preload"])
    command = [sys.executable, "-m", "tests.crash.writer", str(path), str(blocks), str(lives)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )


def killed_after(path: Path, seconds: float, said: Acknowledged) -> None:
    """Let a writer write, kill it that long after it was up, and look at what it left."""
    process = begin(path, 40, 1_000)
    assert process.stdout is not None
    first = process.stdout.readline()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    rest, stderr = process.communicate(timeout=_DEADLINE_S)
    assert process.returncode == -SIGKILL, stderr.decode()
    said.take(first + rest)
    examine(path, said)


def on_a_bad_disk(path: Path, preload: Path, deed: str, at: int) -> str:
    """Let a writer meet one fault, look at what it left, and go on; returns what it complained."""
    said = Acknowledged()
    process = begin(path, CHECKPOINT + 1, 2, preload=preload, do=deed, at=at)
    stdout, stderr = process.communicate(timeout=_DEADLINE_S)
    complaint = stderr.decode()
    expected = (-SIGKILL,) if deed in ("kill", "tear") else (REFUSED, 0)
    assert process.returncode in expected, (deed, at, complaint)
    said.take(stdout)
    examine(path, said)
    process = begin(path, 2, 1)
    stdout, stderr = process.communicate(timeout=_DEADLINE_S)
    assert process.returncode == 0, stderr.decode()
    said.take(stdout)
    examine(path, said)
    return complaint


def effects(path: Path, preload: Path) -> int:
    """Return how many calls to its disk an undisturbed writer makes."""
    count = path.with_name("count")
    process = begin(path, CHECKPOINT + 1, 2, preload=preload, count=count)
    _, stderr = process.communicate(timeout=_DEADLINE_S)
    assert process.returncode == 0, stderr.decode()
    return int(count.read_text())


def compiled(folder: Path) -> Path | None:
    """Return bad_disk.c as a library; None where there is no compiler, or no Linux."""
    compiler = which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        return None
    library = folder / "bad_disk.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True, timeout=_DEADLINE_S)
    return library


def examine(path: Path, said: Acknowledged) -> int:
    """Check a ledger that nobody is writing; return its height.

    It verifies, and holds all that was acknowledged, byte for byte; at most one block more. Of
    the blocks that were pruned, it holds what is to be kept.
    """
    if not path.exists():
        assert not said.last
        return -1
    for read_only in (True, False):
        if read_only and READY not in said.last:
            continue  # its tables may not be there yet
        if read_only and path.with_name(f"{path.name}-journal").exists():
            with suppress(Misuse):  # killed while it was closing: a writer has to mend that
                Store.open(path, read_only=True).close()
            continue
        with Store.open(path, read_only=read_only) as store:
            height = store.height
            assert said[BLOCK] <= height
            assert store.base <= max(0, said[STABLE] + CHECKPOINT - KEPT)
            left = [found for kind in (0x01, 0x22) for found in store.find(kind)]
            assert all(found.data in entries(found.height) for found in left)
            for found in (entry for at in range(store.base) for entry in entries(at)):
                assert found[0] != 1 or found[1] % 2 or found in [one.data for one in left]
            for at in range(store.base, height + 1):
                block = store.block(at)
                assert (list(block.entries), block.certificate) == (entries(at), note(at))
            kept = store.latest_checkpoint()
            assert said[STABLE] <= (kept.height if kept else -1)
            _examine_scratch(store, said)
            check_store(store, lambda _: SWARM.policy)
    return height


def _examine_scratch(store: Store, said: Acknowledged) -> None:
    stable = max(store.snapshot_heights(), default=-1)
    assert stable >= said[STABLE]
    journal = {record.seq: record.data for record in store.journal_read()}
    for seq in range(max(0, stable), said[JOURNAL] + 1):
        assert journal[seq] == note(seq)
    pending = dict(store.pending_read())
    for number in range(max(0, store.height - CHECKPOINT + 1), said[PENDING] + 1):
        assert pending[b"%d" % number] == note(number)


# torn writes, emulated on copies


@dataclass
class Recorded:
    """A ledger's files as they grew. commits: how long the WAL was, and the height then.

    before, after: the database file before and after the WAL was folded into it.
    """

    wal: bytes
    commits: list[tuple[int, int]]
    before: bytes
    after: bytes


def record(path: Path, first: int, blocks: int) -> Recorded:
    """Write a ledger up to height `first`, fold it, and record how it goes on from there."""
    with Store.open(path) as store:
        for height in range(first + 1):
            append_quietly(store, height)
    with Store.open(path) as store:
        wal, commits = path.with_name(path.name + "-wal"), []
        before = path.read_bytes()
        for height in range(first + 1, first + 1 + blocks):
            append_quietly(store, height)
            commits.append((len(wal.read_bytes()), height))
        assert path.read_bytes() == before
        written = wal.read_bytes()
        store.database.run("PRAGMA wal_checkpoint(TRUNCATE)")
        assert not wal.read_bytes()
        return Recorded(written, commits, before, path.read_bytes())


def append_quietly(store: Store, height: int) -> None:
    """Write one block, with a checkpoint now and then."""
    with store.transaction():
        store.append_block(height, entries(height), note(height))
        if height % CHECKPOINT == CHECKPOINT - 1:
            SWARM.checkpoint_store(store)


def torn(recorded: Recorded, rng: random.Random, cut: int) -> Iterator[tuple[str, bytes]]:
    """Yield the WAL with its end torn at a place: missing, zeros, rubbish, or with a hole."""
    whole = recorded.wal
    yield "cut", whole[:cut]
    yield "zeros", whole[:cut] + bytes(len(whole) - cut)
    yield "rubbish", whole[:cut] + rng.randbytes(len(whole) - cut)
    hole = cut // 512 * 512
    yield "hole", whole[:hole] + bytes(min(512, len(whole) - hole)) + whole[hole + 512 :]


def reopen(path: Path, database: bytes, wal: bytes) -> int:
    """Put files together as a power cut may have left them, and return the height they hold."""
    for leftover in path.parent.glob(path.name + "*"):
        leftover.unlink()
    path.write_bytes(database)
    path.with_name(path.name + "-wal").write_bytes(wal)
    with Store.open(path) as store:
        check_store(store, lambda _: SWARM.policy)
        for height in range(store.height + 1):
            assert list(store.block(height).entries) == entries(height)
        return store.height


def half_folded(recorded: Recorded, rng: random.Random) -> bytes:
    """Return the database as a fold that was cut off left it: any new pages, some of them torn."""
    before, after = recorded.before, recorded.after
    size = rng.choice((len(before), len(after), rng.randrange(len(before), len(after) + 1)))
    pages = []
    for start in range(0, size, PAGE):
        old = before[start : start + PAGE].ljust(PAGE, b"\0")
        new, at = after[start : start + PAGE], rng.randrange(0, PAGE, 512)
        pages.append(rng.choice((old, new, new[:at] + old[at:])))
    return b"".join(pages)[:size]
