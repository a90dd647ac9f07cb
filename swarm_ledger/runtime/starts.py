# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Numbers that never repeat, whatever crashes: one for each start of a process that signs."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from swarm_ledger.errors import Misuse
from swarm_ledger.signers.secret import write_private

RUNS = "relay.runs"
SHARING_RUNS = "secrecy.runs"
_LAST = 2**32 - 1


def next_run(folder: Path, now_s: int, file: str = RUNS) -> int:
    """Return a number larger than any before it in this file of a folder; it is on disk by then.

    now_s: POSIX seconds. The number is at least that, so that it also grows where the file was
    lost and the clock is right, or the clock is wrong and the file is there. Processes that start
    together get different ones. Misuse where the folder can't be used, or the file is not ours.
    """
    path = folder / file
    try:
        held = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            run = max(_read(path) + 1, now_s)
            if run > _LAST:
                raise Misuse(f"{path}: there are no runs after {_LAST}.")
            write_private(path, b"%d\n" % run, over=True)
        finally:
            os.close(held)
    except OSError as error:
        raise Misuse(f"cannot use {path}: {error.strerror}.") from error
    return run


def _read(path: Path) -> int:
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return 0
    if not (text[:-1].isdigit() and text.endswith(b"\n") and len(text) <= 11):
        raise Misuse(
            f"{path} is damaged.",
            remedy="Delete it if this machine's clock is right, and only then.",
        )
    return int(text)
