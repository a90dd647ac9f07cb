# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A sweep's folder: one file for each task that is done, whole or not there at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from swarm_ledger.errors import Misuse
from swarm_ledger.sim.sweep.experiments import Row
from swarm_ledger.sim.sweep.plan import Task

PARQUET = "results.parquet"
_TASKS = "tasks"


class _Done(msgspec.Struct, frozen=True):
    task: Task
    rows: list[Row]


class Results:
    """What a sweep has found so far. folder: made if it isn't there; Misuse if it can't be."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._tasks = folder, folder / _TASKS
        try:
            self._tasks.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Misuse(f"cannot use {folder}: {error.strerror}.") from error

    def put(self, task: Task, rows: list[Row]) -> None:
        """Keep what a task gave: on disk, and at once in its place."""
        path, raw = self._path(task), msgspec.json.encode(_Done(task, rows))
        part = path.with_suffix(f".{os.getpid()}.part")
        try:
            with part.open("wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as error:
            raise Misuse(f"cannot write {path}: {error.strerror}.") from error

    def get(self, task: Task) -> list[Row] | None:
        """Return what a task gave; None if it was not done here, or its file isn't its own."""
        try:
            done = msgspec.json.decode(self._path(task).read_bytes(), type=_Done)
        except (OSError, msgspec.MsgspecError):
            return None
        return done.rows if done.task == task else None

    def _path(self, task: Task) -> Path:
        return self._tasks / f"{task.name}.json"

    def write_parquet(self, rows: Sequence[Row]) -> Path:
        """Write all rows as one table; Misuse where pyarrow is missing."""
        try:
            import pyarrow  # noqa: PLC0415  - an extra
            import pyarrow.parquet  # noqa: PLC0415
        except ImportError as error:
            raise Misuse(
                "Parquet needs pyarrow.", remedy="pip install 'swarm_ledger[parquet]'."
            ) from error
        path = self.folder / PARQUET
        part = path.with_suffix(f".{os.getpid()}.part")
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows)), part)
        part.replace(path)
        return path
