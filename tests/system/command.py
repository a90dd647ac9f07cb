# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger` as its users meet it: started, interrupted, and held to what it prints."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import Any
from unittest.mock import patch

from swarm_ledger.cli import main
from tests.patience import PATIENCE_S, Late

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "swarm_ledger")
MISSION = ["--drones", "7", "--byzantine", "2", "--target", "two_faces", "--seed", "3"]


@dataclass(frozen=True)
class Said:
    """What a command left behind. out: stdout's bytes; err: stderr as text."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object that stdout must be, on one line."""
        assert self.text.count("\n") == 1, self.text + self.err
        found = json.loads(self.text)
        assert isinstance(found, dict)
        return found

    def refused(self) -> str:
        """Assert that it was a bad call, told in one sentence or more on stderr alone."""
        assert (self.code, self.out) == (2, b""), self
        assert len(self.err.strip()) > 20
        return self.err


Flight = tuple[Path, Said]


def surroundings(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **more}


def run(
    *arguments: object, cwd: Path | None = None, patience_s: float = 2 * PATIENCE_S, **more: str
) -> Said:
    """Run a command in a process of its own. patience_s: for all of it."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env=surroundings(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=patience_s,
        check=False,
    )
    return _checked(Said(done.returncode, done.stdout, done.stderr.decode()))


def call(*arguments: object) -> Said:
    """Run a command within this process, which spares it a new Python."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    code: Any = 0
    argv = ["swarm-ledger", *map(str, arguments)]
    with patch.object(sys, "argv", argv), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        out.flush()
        err.flush()
    said = [stream.buffer.getvalue() for stream in (out, err)]  # type: ignore[attr-defined]
    return _checked(Said(int(code), said[0], said[1].decode()))


def _checked(said: Said) -> Said:
    assert b"Traceback" not in said.out + said.err.encode(), said
    return said


class Started:
    """A command that is under way: its lines as they come, its children, its end."""

    def __init__(self, arguments: Sequence[object], cwd: Path | None = None) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            cwd=cwd,
            env=surroundings(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.said: list[str] = []
        self._lines: Queue[str] = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for line in stream:
                self._lines.put(line.decode())

    def until(self, words: str) -> str:
        """Wait for a line with those words."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                line = self._lines.get(timeout=0.2)
            except Empty:
                assert self.process.poll() is None or not self._lines.empty(), self.said
                continue
            self.said.append(line)
            if words in line:
                return line
        raise Late(f"{words!r} was not said in time: {self.said}")

    def children(self) -> dict[str, int]:
        """Return the process ids of its children that live, by the drone's name or the module.

        Those that a nursery forked are its children, and count, too.
        """
        living = list(processes())
        own = {pid for pid, parent in living if parent == self.process.pid}
        return {_role(pid): pid for pid, parent in living if pid in own or parent in own}

    def end(self) -> int:
        """Wait for the end and return the exit code."""
        code = self.process.wait(PATIENCE_S)
        while True:
            try:
                self.said.append(self._lines.get(timeout=0.2))
            except Empty:
                return code

    def __enter__(self) -> Started:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def processes() -> Iterator[tuple[int, int]]:
    """Yield (process id, parent's id) of all processes here that are not yet dead."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if fields[0] not in "ZX":
                yield int(folder.name), int(fields[1])


def _role(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        words.append(Path(f"/proc/{pid}/comm").read_text().strip())  # of those that were forked
    except (FileNotFoundError, ProcessLookupError):
        return str(pid)
    named = [word.removeprefix("drone:=") for word in words if "drone_" in word]
    return next((word for word in named if word.startswith("drone_")), f"{words[2:3]} {pid}")


def gone(pids: Sequence[int]) -> bool:
    """Wait until none of those processes lives; return False if one still does in the end."""
    deadline = time.monotonic() + PATIENCE_S / 3
    waiting = threading.Event()
    while time.monotonic() < deadline:
        alive = {pid for pid, _ in processes()}
        if not alive.intersection(pids):
            return True
        waiting.wait(0.05)
    return False


def flipped(data: bytes, position: int, bit: int | None = None) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 1 << (position % 8 if bit is None else bit)
    return bytes(changed)


def positions(size: int, at_most: int) -> list[int]:
    """Return places all over something, first and last among them."""
    step = max(1, size // at_most)
    return sorted({*range(0, size, step), size - 1})
