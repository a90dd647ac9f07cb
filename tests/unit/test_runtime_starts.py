# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Runs never repeat: not after a crash, with a wrong clock, a lost file, or two at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from swarm_ledger.errors import Misuse
from swarm_ledger.runtime import starts
from swarm_ledger.runtime.starts import RUNS, next_run
from tests.system.command import ROOT, surroundings

_COUNTER = """
import sys
from pathlib import Path
from swarm_ledger.runtime.starts import next_run
while True:
    print(next_run(Path(sys.argv[1]), 5), flush=True)
"""


def test_runs_grow_whatever_the_clock_says(tmp_path: Path) -> None:
    clocks = [1_000, 1_000, 400, 0, 2_000]
    assert [next_run(tmp_path, clock) for clock in clocks] == [1_000, 1_001, 1_002, 1_003, 2_000]


def test_a_lost_file_is_made_up_for_by_the_clock(tmp_path: Path) -> None:
    before = next_run(tmp_path, 1_000)
    (tmp_path / RUNS).unlink()
    assert next_run(tmp_path, 1_001) > before


def test_a_crash_never_gives_a_number_back(tmp_path: Path) -> None:
    """Killed at any instant: whatever was used is smaller than what comes after."""
    used: list[int] = []
    for lines in (1, 2, 3, 5, 8):
        with subprocess.Popen(
            [sys.executable, "-c", _COUNTER, str(tmp_path)],
            cwd=ROOT,
            env=surroundings(),
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            for _ in range(lines):
                used.append(int(process.stdout.readline()))
            os.kill(process.pid, signal.SIGKILL)
            rest = process.stdout.read().splitlines(keepends=True)
            used.extend(int(line) for line in rest if line.endswith(b"\n"))
    assert used == sorted(set(used))
    assert next_run(tmp_path, 5) > used[-1]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_number_that_may_not_be_on_disk_is_not_used(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = next_run(tmp_path, 0)

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), fails)
    with pytest.raises(Misuse, match="No space left"):
        next_run(tmp_path, 0)
    monkeypatch.undo()
    assert next_run(tmp_path, 0) == first + 1


def test_two_at_once_get_different_numbers(tmp_path: Path) -> None:
    said: list[int] = []
    command = [sys.executable, "-c", _COUNTER, str(tmp_path)]
    kwargs = {"cwd": ROOT, "env": surroundings(), "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **kwargs) as one, subprocess.Popen(command, **kwargs) as other:
        for process in (one, other):
            assert process.stdout is not None
            said += [int(process.stdout.readline()) for _ in range(100)]
        for process in (one, other):
            process.kill()
            said += [
                int(n) for n in process.stdout.read().splitlines(keepends=True) if n[-1] == 10
            ]
    assert len(said) == len(set(said)) >= 200


@pytest.mark.parametrize("text", [b"", b"\n", b"12", b"-3\n", b"1e3\n", b"99999999999\n"])
def test_a_damaged_file_is_told(tmp_path: Path, text: bytes) -> None:
    (tmp_path / RUNS).write_bytes(text)
    with pytest.raises(Misuse, match="damaged"):
        next_run(tmp_path, 1_000)


def test_the_last_run_is_the_last(tmp_path: Path) -> None:
    (tmp_path / RUNS).write_bytes(b"%d\n" % starts._LAST)
    with pytest.raises(Misuse, match="no runs after"):
        next_run(tmp_path, 1_000)
