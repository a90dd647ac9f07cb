# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Machines to provision: folders that look like a Jetson's or a Raspberry Pi's root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path

from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]
PROVISION = ROOT / "deploy" / "provision"
MODELS = {
    "22.04": "NVIDIA Jetson Orin Nano Developer Kit",
    "24.04": "Raspberry Pi 5 Model B Rev 1.0",
}
_COLCON = """#!/bin/sh
# Stands for colcon: leaves what it would leave.
while [ "$1" != --install-base ]; do shift; done
mkdir -p "$2" && echo "export COMPILED=yes" >"$2/local_setup.sh"
echo built >>"$(dirname "$0")/built"
"""


@dataclass
class Machine:
    """A root folder, and the programs that are found before this machine's own."""

    root: Path
    version: str = "22.04"
    model: str = ""
    around: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        distro = {"22.04": "humble", "24.04": "jazzy"}.get(self.version, "none")
        self.write("etc/os-release", f'NAME="Ubuntu"\nID=ubuntu\nVERSION_ID="{self.version}"\n')
        model = self.model or MODELS.get(self.version, "")
        self.write("proc/device-tree/model", f"{model}\0")
        self.write(f"opt/ros/{distro}/setup.sh", "export AMENT_PREFIX_PATH=/opt/ros\n")
        programs = self.root.parent / f"{self.root.name}_bin"
        programs.mkdir()
        self.programs = programs
        (programs / "colcon").write_text(_COLCON)
        (programs / "colcon").chmod(0o755)
        self.around = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            # The libraries, as if the machine had them.
            "PYTHONPATH": sysconfig.get_paths()["purelib"],
            "TMPDIR": str(self.root.parent),
            "PIP_NO_COMPILE": "1",  # for the tests' sake
        }

    def write(self, path: str, text: str) -> Path:
        """Write a file, with the folders that lead to it."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)
        return self.root / path

    def provision(self, *options: object) -> subprocess.CompletedProcess[str]:
        """Run the script on it."""
        python = os.path.realpath(sys.executable)
        command = [PROVISION, "--root", self.root, "--python", python, "--no-deps", *options]
        return subprocess.run(
            list(map(str, command)),
            env=self.around,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE_S,
            check=False,
        )

    def python(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run its own Python."""
        command = [self.root / "opt/swarm-ledger/venv/bin/python", *arguments]
        return subprocess.run(
            list(map(str, command)),
            env=self.around,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def snapshot(self) -> dict[str, tuple[int, int]]:
        """Return when each file of it was changed last, and its mode."""
        paths = (path for path in self.root.rglob("*") if path.suffix != ".pyc")
        return {
            str(p): (p.lstat().st_mtime_ns, p.lstat().st_mode) for p in paths if not p.is_dir()
        }


def wheel(folder: Path) -> Path:
    """Build the package's wheel, from a copy: setuptools leaves its traces where it builds."""
    copy = folder / "source"
    left_out = shutil.ignore_patterns(".*", "runs", "build", "tests", "*.egg-info")
    shutil.copytree(ROOT, copy, ignore=left_out, symlinks=True)
    wheels = folder / "wheels"
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--wheel-dir", str(wheels), str(copy)]
    subprocess.run(command, check=True, capture_output=True, timeout=2 * PATIENCE_S)
    return wheels
