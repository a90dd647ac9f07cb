# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The environment in which a child process can run ROS 2 nodes, found without a shell.

The set-up leaves PREFIX/ros.json in the virtual environment: what its ROS 2, from wheels or
sourced then, needs. Without that file the process's own environment counts, which is right where a
ROS 2 workspace has been sourced. Either is believed only after a child has imported it.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import msgspec

RECORD = "ros.json"
_PROBE = """
from rclpy.serialization import deserialize_message, serialize_message
from swarm_interfaces.msg import Envelope
deserialize_message(serialize_message(Envelope()), Envelope)
"""
_PROBE_SECONDS = 60.0


class _Record(msgspec.Struct, frozen=True):
    origin: str
    distro: str
    prepend: dict[str, list[str]]
    set: dict[str, str]


def ros_environment() -> dict[str, str] | None:
    """Return the whole environment for a child that runs rclpy nodes, None where it can't be.

    Start it with sys.executable. Costs half a second: a child has to import rclpy first.
    """
    return _inspect()[0]


def ros_unavailable_reason() -> str:
    """Return why ros_environment() is None, as a sentence that says what to do; "" if it isn't."""
    return _inspect()[1]


def _inspect() -> tuple[dict[str, str] | None, str]:
    path = Path(sys.prefix) / RECORD
    environment = dict(os.environ)
    if path.exists():
        try:
            record = msgspec.json.decode(path.read_bytes(), type=_Record)
        except (OSError, msgspec.MsgspecError) as error:
            return None, f"{path} can't be read ({error}): delete it and run `make setup`."
        environment = _with_record(environment, record)
    failure = _probe(environment)
    if not failure:
        return environment, ""
    if path.exists():
        return None, f"ROS 2 was set up but does not start ({failure}): run `make setup`."
    return None, (
        f"no ROS 2 with swarm_interfaces was found ({failure}): run `make setup`, or source a "
        "workspace that has been built with colcon."
    )


def _with_record(environment: dict[str, str], record: _Record) -> dict[str, str]:
    """Put the recorded ROS 2 before everything else, and take out any other one."""
    ours = set(record.prepend.get("AMENT_PREFIX_PATH", ()))
    others: list[str] = []
    if environment.get("ROS_DISTRO", record.distro) != record.distro:
        prefixes = _entries(environment, "AMENT_PREFIX_PATH")
        others = [prefix for prefix in prefixes if prefix not in ours]
    for name, entries in record.prepend.items():
        kept = (
            entry
            for entry in _entries(environment, name)
            if entry not in entries and not any(_is_below(entry, other) for other in others)
        )
        environment[name] = os.pathsep.join([*entries, *kept])
    return environment | record.set


def _entries(environment: dict[str, str], name: str) -> list[str]:
    return [entry for entry in environment.get(name, "").split(os.pathsep) if entry]


def _is_below(path: str, folder: str) -> bool:
    return Path(path).is_relative_to(folder)


def _probe(environment: dict[str, str]) -> str:
    """Return "" if a child can import rclpy and carry one of our messages, else what it said."""
    try:
        done = subprocess.run(  # noqa: S603  - our own interpreter and a constant
            [sys.executable, "-c", _PROBE],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"status {done.returncode}"


def main() -> int:
    """Print the environment's ROS part as shell commands: eval "$(python -m ...)"."""
    environment, reason = _inspect()
    if environment is None:
        print(reason, file=sys.stderr)
        return 1
    changed = {k: v for k, v in environment.items() if os.environ.get(k) != v}
    for name, value in sorted(changed.items()):
        print(f"export {name}={shlex.quote(value)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
