# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The virtual environment: made where it is missing, checked and healed where it isn't."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from console import SetUpError, run, say
from machine import Interpreter, Origin, Ros, apt_install, inspect_python, succeeds


def digest_of(parts: Iterable[str | bytes | Path]) -> str:
    """Return SHA-256 in hex of texts, and of the contents of files, in order."""
    total = hashlib.sha256()
    for part in parts:
        data = part.read_bytes() if isinstance(part, Path) else part
        data = data.encode() if isinstance(data, str) else data
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()


class Venv:
    """A virtual environment and the stamps of the steps that were completed in it."""

    def __init__(self, path: Path, env: Mapping[str, str]) -> None:
        self.path = path
        self.bin = path / "bin"
        self.python = self.bin / "python"
        self.state = path / "set-up"
        self.log = self.state / "log.txt"
        self.env = dict(env) | {
            "PATH": os.pathsep.join([str(self.bin), env.get("PATH", os.defpath)]),
            "VIRTUAL_ENV": str(path),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INPUT": "1",
            "PIP_USER": "0",
        }

    def is_done(self, step: str, keys: Iterable[str]) -> bool:
        """Return whether the step was completed with one of these keys."""
        stamp = self.state / step
        return stamp.exists() and stamp.read_text() in keys

    @contextmanager
    def step(self, step: str, key: str) -> Iterator[None]:
        """Stamp the step with its key once the body is through, not before."""
        self.state.mkdir(parents=True, exist_ok=True)
        stamp = self.state / step
        stamp.unlink(missing_ok=True)
        yield
        partial = stamp.with_suffix(".partial")
        partial.write_text(key)
        partial.replace(stamp)

    def unusable_reason(self, ros: Ros) -> str:
        """Return why the environment that is there can't be used with this ROS 2, or ""."""
        config = self.path / "pyvenv.cfg"
        cut_short = self.state.exists() and not (self.state / "venv").exists()
        if (
            cut_short
            or not config.exists()
            or not succeeds([str(self.python), "-m", "pip", "--version"])
        ):
            return "is not complete"
        sees_system = "include-system-site-packages = true" in config.read_text()
        if sees_system != (ros.origin is Origin.SOURCED):
            return f"was not made for {ros.flavour}"
        flavour = self.state / "flavour"
        before = flavour.read_text() if flavour.exists() else ros.flavour
        if Origin.NONE.value not in (before, ros.flavour) and before != ros.flavour:
            return f"was made for {before}, not {ros.flavour}"
        return ""

    def create(self, python: Interpreter, ros: Ros) -> None:
        """Make the environment afresh, with venv or else virtualenv. Raises SetUpError."""
        shutil.rmtree(self.path, ignore_errors=True)
        options = ["--system-site-packages"] if ros.origin is Origin.SOURCED else []
        maker = _maker(python)
        # The log is inside the environment: made first, and kept by both makers.
        run([python.path, "-m", maker, *options, self.path], self.log, env=self.env)
        self.adopt()

    def adopt(self) -> None:
        """Note that the environment is complete, whoever made it."""
        self.state.mkdir(exist_ok=True)
        (self.state / "venv").touch()

    def site_packages(self) -> Path:
        """Return where pip puts packages."""
        version = inspect_python(self.python).version
        return self.path / "lib" / f"python{version[0]}.{version[1]}" / "site-packages"

    def pip_install(self, *arguments: str | Path, cwd: Path) -> None:
        """Run pip install, after removing what an interrupted run of it left half-done."""
        site_packages = self.site_packages()
        for info in site_packages.glob("*.dist-info"):
            if not (info / "INSTALLER").exists():  # pip writes it once all else is in place
                shutil.rmtree(info)
        for leftover in site_packages.glob("~*"):
            shutil.rmtree(leftover)
        # What only a sourced shell can import is no library of ours.
        env = {name: value for name, value in self.env.items() if name != "PYTHONPATH"}
        run([self.python, "-m", "pip", "install", *arguments], self.log, env=env, cwd=cwd)

    def numpy_major(self) -> int | None:
        """Return the major version of the numpy that is visible inside, None for none."""
        code = "import numpy; print(numpy.__version__.split('.')[0])"
        command = [str(self.python), "-c", code]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)
        return int(done.stdout) if done.returncode == 0 else None


def _maker(python: Interpreter) -> str:
    """Return the module that can make an environment: venv where pip comes with it, or virtualenv.

    Debian keeps ensurepip in a package of its own, python3-venv. Raises SetUpError when there is
    no way without a password.
    """
    executable = str(python.path)
    if succeeds([executable, "-c", "import ensurepip, venv"]):
        return "venv"
    if succeeds([executable, "-c", "import virtualenv"]):
        return "virtualenv"
    package = f"python{python.version[0]}.{python.version[1]}-venv"
    say(f"      {executable} has neither ensurepip nor virtualenv.")
    if apt_install([package]) and succeeds([executable, "-c", "import ensurepip, venv"]):
        return "venv"
    raise SetUpError(
        f"{sys.executable} can't make virtual environments: as root, apt-get install {package}, "
        "then run this again."
    )
