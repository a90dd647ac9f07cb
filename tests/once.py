# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What is dear to make and only looked at, made once for all workers of a run."""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

Made = TypeVar("Made")


def for_all_workers(
    factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Made]
) -> Made:
    """Return what make(folder) returns, of whichever worker came first; the others wait for it.

    It is read by many tests, in several processes: none may change the folder. What fails, or is
    skipped, is tried by the next worker again, in a folder of its own.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    result = base / f"{name}.made"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not result.exists():
            made = make(factory.mktemp(name))
            result.write_bytes(pickle.dumps(made))
    found: Made = pickle.loads(result.read_bytes())
    return found
