# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""systemd's units, as systemd itself reads them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SYSTEMD = ROOT / "deploy" / "systemd"
UNITS = sorted(path.name for path in SYSTEMD.glob("*.service"))
HARDENING = SYSTEMD / "swarm-ledger-.service.d" / "hardening.conf"
EXPOSURE = 20
"""Tenths of systemd's figure, at most: 10.0 is UNSAFE, below 2.0 OK."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with our units and what they start, and nothing else."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    shutil.copytree(SYSTEMD, tmp_path / "etc/systemd/system")
    shutil.copytree(ROOT / "deploy" / "bin", tmp_path / "opt/swarm-ledger/bin")
    return tmp_path


def analyze(root: Path, *command: str, unit: str) -> subprocess.CompletedProcess[str]:
    path = root / "etc/systemd/system" / unit
    words = ["systemd-analyze", *command, f"--root={root}", str(path)]
    return subprocess.run(words, cwd="/", capture_output=True, text=True, check=False)


def verify(root: Path, unit: str) -> str:
    """Return what systemd has to say against a unit."""
    done = analyze(root, "verify", "--man=no", "--recursive-errors=no", unit=unit)
    return done.stdout + done.stderr


@pytest.mark.parametrize("unit", UNITS)
def test_units_are_valid(root: Path, unit: str) -> None:
    assert verify(root, unit) == ""


def test_what_is_wrong_would_be_found(root: Path) -> None:
    """In the unit itself, and in what is shared by all."""
    unit = root / "etc/systemd/system" / UNITS[0]
    unit.write_text(unit.read_text().replace("ExecStart=/opt", "ExecStrat=/opt"))
    assert "ExecStrat" in verify(root, UNITS[0])
    shared = root / "etc/systemd/system" / HARDENING.relative_to(SYSTEMD)
    shared.write_text(shared.read_text().replace("ProtectSystem", "ProtectSytem"))
    assert "ProtectSytem" in verify(root, UNITS[1])
    (root / "opt/swarm-ledger/bin/with-ros").unlink()
    assert "is not executable" in verify(root, UNITS[2])


@pytest.mark.parametrize("unit", UNITS)
def test_units_may_do_little(root: Path, unit: str) -> None:
    threshold = f"--threshold={EXPOSURE}"
    done = analyze(root, "security", "--offline=true", "--no-pager", threshold, unit=unit)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze has no security --offline")
    assert done.returncode == 0, done.stdout[-300:]


def test_without_hardening_they_might_do_much(root: Path) -> None:
    shutil.rmtree(root / "etc/systemd/system" / HARDENING.parent.name)
    threshold = f"--threshold={EXPOSURE}"
    done = analyze(root, "security", "--offline=true", "--no-pager", threshold, unit=UNITS[0])
    assert done.returncode != 0


def settings(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and re.fullmatch(r"[A-Za-z]+", name):
            found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("unit", UNITS)
def test_modules_are_ours_and_folders_the_units_own(unit: str) -> None:
    found = settings(SYSTEMD / unit)
    (start,) = found["ExecStart"]
    program, *rest = start.split()
    assert program.startswith("/opt/swarm-ledger/bin/")
    script = (ROOT / "deploy" / "bin" / Path(program).name).read_text()
    for module in re.findall(r"-m (swarm_ledger[\w.]*)", f"{script} {' '.join(rest)}"):
        assert (ROOT / (module.replace(".", "/") + ".py")).exists(), module
    (home,) = found["StateDirectory"]
    assert f"HOME=/var/lib/{home}" in found["Environment"][-1]
    if found["Type"] == ["notify"]:
        assert found["NotifyAccess"] == ["main"]
        assert found["WatchdogSec"] == ["20"]


def test_no_secret_is_an_argument() -> None:
    for path in SYSTEMD.rglob("*"):
        if path.is_file():
            assert "passphrase" not in "".join(settings(path).get("ExecStart", ())).lower()


def test_memory_is_bounded_and_dumps_are_not_written() -> None:
    shared = settings(HARDENING)
    assert shared["MemoryMax"] == ["512M"]
    assert shared["LimitCORE"] == ["0"]
    assert shared["Restart"] == ["on-failure"]
