# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a target is, and what one input costs: counted, so that it is the same everywhere."""

from __future__ import annotations

import random
import sys
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

Mutate = Callable[[random.Random, bytes, Sequence[bytes]], bytes]
"""Changes one sample; the others are there to take pieces from."""

ROOT = Path(__file__).resolve().parents[2]
_OURS = str(ROOT / "swarm_ledger")


@dataclass(frozen=True)
class Target:
    """run: takes the bytes, or raises one of the refusals. mutate: makes the next input.

    cost: how many plain inputs one of this target takes the time of. lines, memory: what an input
    may take at most, beside what its length allows: lines of our code, bytes allocated by Python.
    """

    name: str
    run: Callable[[bytes], None]
    mutate: Mutate
    refusals: tuple[type[Exception], ...]
    cost: int = 1
    lines: int = 20_000
    memory: int = 1 << 21


LINES_PER_BYTE = 40
MEMORY_PER_BYTE = 100


class TooMuch(AssertionError):  # noqa: N818
    """An input took more than its length allows."""


def accepts(target: Target, data: bytes) -> bool:
    """Whether the target takes an input; what is neither taken nor refused is raised."""
    try:
        target.run(data)
    except target.refusals:
        return False
    return True


@dataclass(frozen=True)
class Cost:
    """taken: whether the input was accepted; lines: of our own code; memory: the peak, in bytes.

    seen: pairs of lines, one after the other, as hashes.
    """

    taken: bool
    lines: int
    memory: int
    seen: frozenset[int]


class _Tracer:
    """Counts lines of our own code, and remembers which followed which in one function."""

    def __init__(self) -> None:
        self.lines = 0
        self.seen: set[int] = set()
        self._ours: dict[CodeType, bool] = {}

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Callable[..., Any] | None:
        code = frame.f_code
        ours = self._ours.get(code)
        if ours is None:
            ours = self._ours[code] = code.co_filename.startswith(_OURS)
        if not ours:
            return None
        last, seen, where = 0, self.seen, hash(code)

        def line(frame: FrameType, event: str, arg: Any) -> Callable[..., Any]:
            nonlocal last
            if event == "line":
                self.lines += 1
                seen.add(where ^ (last << 20) ^ frame.f_lineno)
                last = frame.f_lineno
            return line

        return line


def weigh(target: Target, data: bytes, *, memory: bool) -> Cost:
    """Run one input and count what it takes; TooMuch beyond its bounds."""
    tracer, before = _Tracer(), sys.gettrace()
    if memory:
        tracemalloc.start()
    sys.settrace(tracer)
    try:
        taken = accepts(target, data)
    finally:
        sys.settrace(before)
        peak = tracemalloc.get_traced_memory()[1] if memory else 0
        if memory:
            tracemalloc.stop()
    if tracer.lines > target.lines + LINES_PER_BYTE * len(data):
        raise TooMuch(f"{tracer.lines:,} lines of code for {len(data):,} bytes.")
    if peak > target.memory + MEMORY_PER_BYTE * len(data):
        raise TooMuch(f"{peak:,} bytes of memory for {len(data):,} bytes.")
    return Cost(taken, tracer.lines, peak, frozenset(tracer.seen))
