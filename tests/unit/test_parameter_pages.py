# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""docs/parameters/ is what the nodes' tables say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from swarm_ledger.nodes.tables import tables
from tests.system.command import ROOT

sys.path.insert(0, str(ROOT / "scripts"))
import parameter_pages


def test_the_pages_are_what_the_tables_say() -> None:
    said = subprocess.run(
        [sys.executable, "scripts/parameter_pages.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
    )
    assert (said.returncode, said.stderr) == (0, "")


def test_every_parameter_has_its_row() -> None:
    for node, table in tables().items():
        page = (parameter_pages.FOLDER / f"{node}.md").read_text()
        rows = re.findall(r"^\| `(\w+)` \|", page, re.M)
        assert rows == [parameter.name for parameter in table.parameters]


@pytest.mark.parametrize("spoil", ["edited", "missing", "of no node"])
def test_a_page_that_is_stale_is_noticed(tmp_path: Path, spoil: str) -> None:
    for name, text in parameter_pages.pages(tables()).items():
        (tmp_path / name).write_text(text)
    assert parameter_pages.stale(tmp_path) == []
    page = tmp_path / ("gone.md" if spoil == "of no node" else "drone.md")
    if spoil == "missing":
        page.unlink()
    else:
        page.write_text("other")
    assert parameter_pages.stale(tmp_path) == [page.name]
