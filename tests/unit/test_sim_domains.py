# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""ROS domains that nobody else has."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from swarm_ledger.sim import domains

CHOOSE = (
    "from swarm_ledger.sim.domains import free_domain; print(free_domain(), flush=True); input()"
)


@pytest.fixture(autouse=True)
def two(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine with two domains, and an empty folder for temporary files."""
    monkeypatch.setattr(domains, "DOMAINS", range(90, 92))
    monkeypatch.setattr(domains.tempfile, "gettempdir", lambda: str(tmp_path))


def test_each_is_given_once() -> None:
    assert {domains.free_domain(), domains.free_domain()} == {90, 91}
    assert domains.free_domain() in (90, 91), "there are no more"


def test_where_somebody_speaks_is_left_alone() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as somebody:
        somebody.bind(("127.0.0.1", 7400 + 250 * 90 + 10))
        assert domains.free_domain() == 91


def test_what_other_processes_were_given_is_left_alone(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHOOSE],
        env={"TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    theirs = int(child.stdout.readline())
    locked = tmp_path.glob("*/*")
    assert [one.name for one in locked] == [str(theirs)]
    assert not domains._take(theirs)
    child.communicate(b"\n")
    assert domains._take(theirs), "it ends with its process"


def test_without_such_a_folder_any_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        domains.tempfile, "gettempdir", lambda: str(tmp_path / "nowhere" / "at" / "all")
    )
    assert domains.free_domain() in (90, 91)
