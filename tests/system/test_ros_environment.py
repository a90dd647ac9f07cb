# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Finding ROS 2 from a plain process, with ROS 2s made of a few lines to be found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from swarm_ledger.sim import ros_environment as found

SERIALIZATION = """
def serialize_message(message): return b""
def deserialize_message(raw, kind): return kind()
"""


def make_ros(prefix: Path, *, broken: bool = False) -> str:
    """Write a ROS 2 just large enough to be probed; return what PYTHONPATH needs."""
    for name, text in {
        "rclpy/__init__.py": "raise ImportError('librcl.so is missing')" if broken else "",
        "rclpy/serialization.py": SERIALIZATION,
        "swarm_interfaces/__init__.py": "",
        "swarm_interfaces/msg.py": "class Envelope: pass",
    }.items():
        (prefix / name).parent.mkdir(parents=True, exist_ok=True)
        (prefix / name).write_text(text)
    return str(prefix)


def record(prefix: Path, python_path: str, distro: str = "kilted") -> None:
    content = {
        "origin": "sourced",
        "distro": distro,
        "prepend": {"AMENT_PREFIX_PATH": [str(prefix)], "PYTHONPATH": [python_path]},
        "set": {"ROS_DISTRO": distro},
    }
    (prefix / "ros.json").write_text(json.dumps(content))


@pytest.fixture
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A virtual environment's prefix without a ROS 2, in a shell that has sourced none."""
    for name in ("AMENT_PREFIX_PATH", "PYTHONPATH", "ROS_DISTRO"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "prefix"
    folder.mkdir()
    monkeypatch.setattr(sys, "prefix", str(folder))
    return folder


def test_recorded_ros_is_found(prefix: Path) -> None:
    python_path = make_ros(prefix / "ros")
    record(prefix, python_path)
    environment = found.ros_environment()
    assert environment is not None
    assert environment["PYTHONPATH"] == python_path
    assert environment["AMENT_PREFIX_PATH"] == str(prefix)
    assert environment["ROS_DISTRO"] == "kilted"
    assert environment["HOME"] == os.environ["HOME"]
    assert found.ros_unavailable_reason() == ""


def test_the_process_itself_is_left_as_it_was(prefix: Path) -> None:
    record(prefix, make_ros(prefix / "ros"))
    before = dict(os.environ)
    found.ros_environment()
    assert dict(os.environ) == before


def test_own_overlays_stay_behind_the_recorded_ros(
    prefix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python_path = make_ros(prefix / "ros")
    record(prefix, python_path)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}/overlay:{python_path}")
    environment = found.ros_environment()
    assert environment is not None
    assert environment["PYTHONPATH"] == f"{python_path}:{tmp_path}/overlay"


def test_another_sourced_distribution_is_taken_out(
    prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python_path = make_ros(prefix / "ros")
    record(prefix, python_path)
    monkeypatch.setenv("ROS_DISTRO", "humble")
    monkeypatch.setenv("AMENT_PREFIX_PATH", "/opt/ros/humble")
    monkeypatch.setenv("PYTHONPATH", "/opt/ros/humble/lib/python3/dist-packages:/home/own")
    environment = found.ros_environment()
    assert environment is not None
    assert environment["ROS_DISTRO"] == "kilted"
    assert environment["AMENT_PREFIX_PATH"] == str(prefix)
    assert environment["PYTHONPATH"] == f"{python_path}:/home/own"


def test_a_sourced_workspace_is_found_without_a_record(
    prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", make_ros(prefix / "sourced"))
    environment = found.ros_environment()
    assert environment == dict(os.environ)


def test_a_ros_that_does_not_start_is_not_believed(prefix: Path) -> None:
    record(prefix, make_ros(prefix / "ros", broken=True))
    assert found.ros_environment() is None
    reason = found.ros_unavailable_reason()
    assert "librcl.so is missing" in reason
    assert "make setup" in reason


def test_nothing_is_remembered(prefix: Path) -> None:
    record(prefix, make_ros(prefix / "ros", broken=True))
    assert found.ros_environment() is None
    make_ros(prefix / "ros")
    assert found.ros_environment() is not None


def test_no_ros_is_a_sentence(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = prefix / "nothing" / "rclpy"
    nothing.mkdir(parents=True)
    (nothing / "__init__.py").write_text("raise ImportError('No module named rclpy')")
    monkeypatch.setenv("PYTHONPATH", str(nothing.parent))
    assert found.ros_environment() is None
    assert found.ros_unavailable_reason().startswith("no ROS 2 with swarm_interfaces was found")


@pytest.mark.parametrize("content", ["", "{}", '{"origin": 1}', "\x00"])
def test_a_damaged_record_is_a_sentence(prefix: Path, content: str) -> None:
    (prefix / "ros.json").write_text(content)
    assert found.ros_environment() is None
    assert "delete it and run `make setup`" in found.ros_unavailable_reason()


def test_what_is_printed_can_be_sourced(
    prefix: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    python_path = make_ros(prefix / "it's ros")
    record(prefix, python_path)
    assert found.main() == 0
    script = capsys.readouterr().out + 'printf %s "$PYTHONPATH"'
    shown = subprocess.check_output(["/bin/sh", "-c", script], text=True, env={})
    assert shown == python_path
    (prefix / "ros.json").write_text("")
    assert found.main() == 1
