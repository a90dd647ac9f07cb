# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What is made once for all workers is made once, whatever became of the first try."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.once import for_all_workers

ROOT = Path(__file__).parents[2]
_ANOTHER = """
import sys, pathlib, types
from tests.once import for_all_workers
class Factory:
    def getbasetemp(self): return pathlib.Path(sys.argv[1])
print(for_all_workers(Factory(), "dear", lambda folder: 1 / 0))
"""


def test_what_one_has_made_is_the_others_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.setattr(tmp_path_factory, "getbasetemp", lambda: tmp_path)

    def fails(folder: Path) -> str:
        (folder / "half").touch()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        for_all_workers(tmp_path_factory, "dear", fails)
    made = for_all_workers(
        tmp_path_factory, "dear", lambda folder: (folder, list(folder.iterdir()))
    )
    assert made[1] == [], "not where another has begun"
    assert for_all_workers(tmp_path_factory, "dear", fails) == made
    done = subprocess.run(
        [sys.executable, "-c", _ANOTHER, tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"{made}\n", done
