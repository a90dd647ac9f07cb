# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One writer for each ledger: a lock file beside it."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress

from swarm_ledger.errors import Misuse


def take_lock(path: str) -> int:
    """Return a descriptor that holds the writer's lock of a ledger; raises Misuse if taken.

    SQLite's own locks last only as long as a transaction, and two writers with a tree each in
    memory would spoil it. The kernel drops this lock when its process dies.
    """
    name = path + ".lock"
    while True:
        try:
            descriptor = os.open(name, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise Misuse(
                f"{path} can't be written ({error.strerror}).",
                remedy="Check the directory's permissions, or open read-only.",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise Misuse(
                f"{path} is locked: another process is writing it.",
                remedy="Stop that process, or open read-only.",
            ) from error
        with suppress(FileNotFoundError):
            # the previous holder may have removed the file between our open and our lock
            if os.path.samestat(os.fstat(descriptor), os.stat(name)):
                return descriptor
        os.close(descriptor)


def release_lock(path: str, descriptor: int) -> None:
    """Give back what take_lock() returned."""
    with suppress(OSError):  # left behind by a failed disk, it holds nobody up
        os.unlink(path + ".lock")
    os.close(descriptor)
