# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What this machine has: a Python, a sourced ROS 2, ROS wheels, compilers, apt."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from console import SetUpError, say

WHEEL_DISTROS = ("kilted", "jazzy")
_OLDEST_PYTHON = (3, 10)
_NEWEST_WHEEL_PYTHON = (3, 14)
_WHEEL_GLIBC = (2, 28)

_INSPECT = """
import json, sys, sysconfig
print(json.dumps([sys.version_info[:2], sys.implementation.name, sysconfig.get_paths()["include"],
                  sysconfig.get_config_var("EXT_SUFFIX") or ""]))
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python. include: where its C headers are, if installed; abi: suffix of its extensions."""

    path: Path
    version: tuple[int, int]
    implementation: str
    include: Path
    abi: str


def inspect_python(path: Path) -> Interpreter:
    """Ask a Python what it is. Raises SetUpError when it doesn't run or is too old."""
    try:
        # -S: without the packages of its environment, which may be broken or slow to start.
        done = subprocess.run([path, "-S", "-c", _INSPECT], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SetUpError(f"{path} does not run: {error}.") from error
    version, implementation, include, abi = json.loads(done.stdout)
    major, minor = version
    if (major, minor) < _OLDEST_PYTHON:
        raise SetUpError(f"{path} is Python {major}.{minor}; swarm_ledger needs 3.10 or later.")
    return Interpreter(path, (major, minor), implementation, Path(include), abi)


class Origin(Enum):
    """Where ROS 2 comes from."""

    WHEELS = "wheels"
    SOURCED = "sourced"
    NONE = "none"


@dataclass(frozen=True)
class Ros:
    """The ROS 2 to set up with. distro: "" for none; why: a sentence for people."""

    origin: Origin
    distro: str
    why: str

    @property
    def flavour(self) -> str:
        """One word; set-ups of different flavours can't share a virtual environment."""
        return f"{self.origin.value}-{self.distro}" if self.distro else self.origin.value


def own_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without what an outer make or another set-up's Python left in it."""
    mine = dict(env)
    for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "VIRTUAL_ENV", "PYTHONHOME"):
        mine.pop(name, None)
    if mine.pop("_ROS_WHEELS_BOOTSTRAP_COMPLETE", None):
        mine.pop("LD_LIBRARY_PATH", None)
    return mine


def choose_ros(python: Interpreter, env: Mapping[str, str], wheels: str) -> Ros:
    """Decide which ROS 2 to use: a sourced one, else wheels, else none.

    python: the one that would run the nodes. env: the caller's. wheels: a distribution or "none".
    """
    if wheels == "none":
        return Ros(Origin.NONE, "", "ROS 2 is left out, as asked.")
    hint = ""
    distro = env.get("ROS_DISTRO", "")
    if distro and env.get("ROS_VERSION", "2") == "2":
        if succeeds([sys.executable, "-c", "import rclpy"], env):
            return Ros(Origin.SOURCED, distro, f"ROS 2 {distro} is sourced, so it is used.")
        hint = f"ROS 2 {distro} is sourced, but {sys.executable} can't import its rclpy. "
    reason = no_wheels_reason(python)
    if reason:
        return Ros(Origin.NONE, "", f"{hint}{reason} The swarm will talk over ZeroMQ.")
    return Ros(Origin.WHEELS, wheels, f"{hint}ROS 2 {wheels} comes from PyPI's wheels.")


def no_wheels_reason(python: Interpreter) -> str:
    """Return why there are no ROS 2 wheels for this Python on this machine, or "" if there are."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return f"There are no ROS 2 wheels for {sys.platform} on {platform.machine()}."
    if python.implementation != "cpython" or python.version > _NEWEST_WHEEL_PYTHON:
        name = f"{python.implementation} {python.version[0]}.{python.version[1]}"
        return f"There are no ROS 2 wheels for {name}."
    libc, number = platform.libc_ver()
    if libc != "glibc" or tuple(int(part) for part in number.split(".")[:2]) < _WHEEL_GLIBC:
        return (
            f"There are no ROS 2 wheels for the C library {libc or 'musl'} {number}".strip() + "."
        )
    return ""


def missing_for_compiling(python: Interpreter) -> list[str]:
    """Return the Debian packages that are missing to compile messages for this Python."""
    missing = []
    if not all(shutil.which(tool) for tool in ("cc", "c++", "make")):
        missing.append("build-essential")
    if not (python.include / "Python.h").exists():
        missing.append(f"python{python.version[0]}.{python.version[1]}-dev")
    return missing


def apt_install(packages: list[str]) -> bool:
    """Install Debian packages if that needs no password; return whether they are there now."""
    if not shutil.which("apt-get"):
        return False
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if prefix and not (shutil.which("sudo") and succeeds(["sudo", "-n", "true"])):
        return False
    say(f"      apt-get install {' '.join(packages)}")
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    install = [*apt, "install", "-y", "--no-install-recommends", *packages]
    return succeeds([*apt, "update"]) and succeeds(install)


def succeeds(command: list[str], env: Mapping[str, str] | None = None) -> bool:
    """Run a command silently; return whether it exists and exits with 0."""
    quiet = subprocess.DEVNULL
    try:
        return subprocess.call(command, env=env, stdin=quiet, stdout=quiet, stderr=quiet) == 0
    except OSError:
        return False
