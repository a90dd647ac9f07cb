# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What every peer's driver gives, and what they share: processes that end, and their time."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import msgspec

_TICKS = os.sysconf("SC_CLK_TCK")


class Work(msgspec.Struct, frozen=True):
    """What each is given: that many requests under way, of so many bytes, for so long."""

    clients: int
    payload: int
    seconds: float
    warm_up_s: float = 1.0


class Row(msgspec.Struct, frozen=True):
    """One peer's figures; cpu_us_per_commit is of all its servers. skipped: why there are none.

    faults: what it bears; durable: whether what is committed is on disk; checked: whether each
    request's own signature is.
    """

    name: str
    faults: str
    durable: bool
    checked: bool
    clients: int
    throughput_tps: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    cpu_us_per_commit: float = 0.0
    skipped: str = ""


class Peer(Protocol):
    """A driver of ours for somebody else's system."""

    name: str
    faults: str
    durable: bool

    def missing(self) -> str:
        """Say why it can't be run here; "" if it can."""

    def run(self, work: Work, folder: Path) -> dict[str, float]:
        """Run it in an empty folder; return the figures that Row has."""


def cpu_us(pids: Sequence[int]) -> float:
    """Return the processor time that processes have taken, in microseconds."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICKS * 1e6


@contextmanager
def servers(commands: Sequence[Sequence[str]], log: Path) -> Iterator[list[int]]:
    """Run these commands meanwhile; gives their process ids."""
    with log.open("wb") as out:
        children: list[subprocess.Popen[bytes]] = []
        try:
            for command in commands:
                children.append(
                    subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
                )
            yield [child.pid for child in children]
        finally:
            for child in children:
                child.terminate()
            for child in children:
                try:
                    child.wait(5)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()


def quantile(ordered: Sequence[float], part: float) -> float:
    """Return a quantile of an ascending sequence, 0 of an empty one."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0
