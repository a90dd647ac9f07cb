# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""swarm_interfaces: compiled by colcon for the ROS 2 at hand, and put into the environment."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from console import run, say
from environment import Venv, digest_of
from machine import Interpreter, Origin, Ros

PACKAGE = "swarm_interfaces"
_PYTHON_FOLDER = re.compile(r"^(?:local/)?lib/python3[^/]*/(?:site|dist)-packages/")
_BUILDERS_NUMPY = re.compile(r'/opt/python/[^;"]*/numpy/_core/include')
_BUILDERS_PYTHON = re.compile(r'/opt/python/[^;"]*/include/python3\.\d+')
_ROS_VARIABLES = ("ROS_DISTRO", "ROS_VERSION", "ROS_PYTHON_VERSION")
_PATH_VARIABLES = ("AMENT_PREFIX_PATH", "LD_LIBRARY_PATH", "PYTHONPATH")


def patch_exported_targets(venv: Venv, python: Interpreter) -> None:
    """Point the CMake targets of the wheels to this machine's headers.

    They name the folders of Python and numpy on the machine that built the wheels, and CMake
    refuses to generate with include folders that don't exist.
    """
    code = "import numpy; print(numpy.get_include())"
    numpy = subprocess.check_output([venv.python, "-c", code], text=True, env=venv.env).strip()
    for path in (venv.path / "share").glob("**/*.cmake"):
        text = path.read_text()
        patched = _BUILDERS_NUMPY.sub(lambda _: numpy, text)
        patched = _BUILDERS_PYTHON.sub(lambda _: str(python.include), patched)
        if patched != text:
            path.write_text(patched)


def interfaces_key(source: Path, pins: Path | None, python: Interpreter, ros: Ros) -> str:
    """Return what the compiled package depends on: sources, ROS 2, Python, C library."""
    sources = sorted(path for path in source.rglob("*") if path.is_file())
    named = [part for path in sources for part in (str(path.relative_to(source)), path)]
    parts = [ros.flavour, python.abi, platform.machine(), "".join(platform.libc_ver())]
    return digest_of([*parts, *named, *([pins] if pins else [])])


def build_interfaces(venv: Venv, workspace: Path, ros: Ros, key: str) -> None:
    """Compile swarm_interfaces, or take it from the cache, and install it into the environment."""
    cached = _cache_folder() / f"{PACKAGE}-{key[:32]}"
    if ros.origin is Origin.WHEELS and (cached / "share" / PACKAGE / "package.xml").exists():
        say(f"      taken from {cached}")
        _deploy(cached, venv)
        return
    base = venv.path / "ros"
    shutil.rmtree(base, ignore_errors=True)
    colcon = shutil.which("colcon", path=venv.env["PATH"]) or "colcon"
    command: list[str | Path] = [
        colcon, "--log-base", base / "log", "build", "--merge-install",
        "--base-paths", workspace / "src" / PACKAGE,
        "--build-base", base / "build", "--install-base", base / "install",
        "--event-handlers", "console_direct+",
        "--cmake-args", "-DBUILD_TESTING=OFF", f"-DPython3_EXECUTABLE={venv.python}",
    ]  # fmt: skip
    run(command, venv.log, env=_build_environment(venv, ros), cwd=workspace)
    _deploy(base / "install", venv)
    if ros.origin is Origin.WHEELS:
        _remember(base / "install", cached)
    shutil.rmtree(base)


def write_ros_json(venv: Venv, ros: Ros) -> None:
    """Write down what a process needs in its environment to run nodes: PREFIX/ros.json.

    swarm_ledger.sim.ros_environment reads it.
    """
    prefix = venv.path
    prepend = {"AMENT_PREFIX_PATH": [str(prefix)], "LD_LIBRARY_PATH": [str(prefix / "lib")]}
    fixed = {"ROS_DISTRO": ros.distro, "ROS_VERSION": "2", "ROS_PYTHON_VERSION": "3"}
    if ros.origin is Origin.WHEELS:
        bundled = sorted(venv.site_packages().glob("ros_*.libs"))
        prepend["LD_LIBRARY_PATH"] += [str(path) for path in bundled]
        # Without it the wheels make each Python start twice, to set LD_LIBRARY_PATH themselves.
        fixed["_ROS_WHEELS_BOOTSTRAP_COMPLETE"] = "1"
    else:
        # Ahead of a workspace that was sourced too and may hold older messages of ours.
        prepend["PYTHONPATH"] = [str(venv.site_packages())]
        for name in _PATH_VARIABLES:
            entries = [entry for entry in venv.env.get(name, "").split(os.pathsep) if entry]
            prepend[name] = prepend.get(name, []) + entries
        fixed |= {name: venv.env[name] for name in _ROS_VARIABLES if name in venv.env}
    record = {"origin": ros.origin.value, "distro": ros.distro, "prepend": prepend, "set": fixed}
    partial = prefix / "ros.json.partial"
    partial.write_text(json.dumps(record, indent=2) + "\n")
    partial.replace(prefix / "ros.json")


def _build_environment(venv: Venv, ros: Ros) -> Mapping[str, str]:
    if ros.origin is Origin.SOURCED:
        return venv.env
    env = {name: value for name, value in venv.env.items() if name not in _PATH_VARIABLES}
    return env | {"AMENT_PREFIX_PATH": str(venv.path), "CMAKE_PREFIX_PATH": str(venv.path)}


def _deploy(install: Path, venv: Venv) -> None:
    """Copy an install folder into the environment, after removing what an earlier one put there.

    There the wheels' own loader and Python find it without any variable being set. What lies
    directly in the folder are colcon's scripts for a shell, tied to where it was.
    """
    manifest = venv.state / "interfaces-files"
    if manifest.exists():
        for line in manifest.read_text().splitlines():
            (venv.path / line).unlink(missing_ok=True)
    python_folder = str(venv.site_packages().relative_to(venv.path)) + "/"
    files = {}
    for path in sorted(path for path in install.rglob("*") if path.is_file()):
        name = str(path.relative_to(install))
        if "/" in name and "__pycache__" not in name:
            files[_PYTHON_FOLDER.sub(lambda _: python_folder, name)] = path
    manifest.write_text("".join(f"{name}\n" for name in files))
    for name, path in files.items():
        target = venv.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "swarm_ledger"


def _remember(install: Path, cached: Path) -> None:
    """Keep a copy for the next set-up of the same; a cache that can't be written is no matter."""
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached.parent) as scratch:
            shutil.copytree(install, Path(scratch) / "install")
            (Path(scratch) / "install").rename(cached)
    except OSError as error:
        say(f"      not cached: {error}")
