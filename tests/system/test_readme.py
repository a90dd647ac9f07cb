# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What the README shows is run as it stands there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def section(name: str) -> str:
    found = re.search(
        rf"<!-- {name}:begin -->\n```\w+\n(.*?)```\n<!-- {name}:end -->", README, re.S
    )
    assert found, f"the README has no {name}"
    return found[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the tour has been taken, each of its commands having succeeded."""
    folder = tmp_path_factory.mktemp("tour")
    (folder / "tests").symlink_to(ROOT / "tests")
    commands = [line[2:] for line in section("tour").splitlines()]
    assert len(commands) >= 6
    for command in commands:
        module = command.replace("swarm-ledger", "swarm_ledger", 1)
        run = f"{shlex.quote(sys.executable)} -m {module}"
        done = subprocess.run(
            ["bash", "-c", run],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return folder


def test_the_tour_can_be_taken(folder: Path) -> None:
    assert (
        (folder / "runs" / "tour.tlog-proof").read_bytes().startswith(b"c2sp.org/tlog-proof@v1\n")
    )


def test_the_python_example_runs(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", section("python")],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("two_faces {'cup': ")


@pytest.mark.parametrize("page", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_what_pages_point_to_exists(page: str) -> None:
    text = (ROOT / page).read_text()
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", text) + re.findall(r"`(docs/[\w./-]+)`", text)
    missing = [target for target in targets if not (ROOT / target).exists()]
    # A pattern for pages to come, not a page.
    assert [target for target in missing if "NNNN" not in target] == []
