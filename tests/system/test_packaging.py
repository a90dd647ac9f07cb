# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What ends up in an installed package, for pip and for colcon."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

import swarm_ledger
from swarm_ledger.sim.ros_environment import ros_environment, ros_unavailable_reason

ROOT = Path(__file__).parents[2]
INTERFACES = ROOT / "ros2_ws" / "src" / "swarm_interfaces"
EXECUTABLES = {
    *("swarm-ledger", "drone", "world", "pilot", "secure_relay", "secure_receiver", "prover"),
    "observer",
    "ground_station",
    *("recorder", "player"),
}
SOURCES = ["setup.py", "setup.cfg", "pyproject.toml", "package.xml", "colcon.pkg"]


def copy_of_the_package(target: Path) -> Path:
    """Copy what packaging needs, with a model in a sub-folder, a launch file and stray files."""
    target.mkdir()
    for name in SOURCES:
        shutil.copy(ROOT / name, target / name)
    for name in ("resource", "env-hooks", "swarm_ledger"):
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (
        "models/vase/model.sdf",
        "models/vase/materials/vase.png",
        "launch/swarm.launch.py",
        "launch/notes.txt",
    ):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text("x")
    (target / "config").mkdir()
    return target


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    source = copy_of_the_package(folder / "source")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_wheel_has_what_ros_looks_for(wheel: zipfile.ZipFile) -> None:
    prefix = f"swarm_ledger-{swarm_ledger.__version__}.data/data/share/"
    shared = {name[len(prefix) :] for name in wheel.namelist() if name.startswith(prefix)}
    assert shared == {
        "ament_index/resource_index/packages/swarm_ledger",
        "swarm_ledger/package.xml",
        "swarm_ledger/hook/gz.dsv",
        "swarm_ledger/launch/swarm.launch.py",
        "swarm_ledger/models/vase/model.sdf",
        "swarm_ledger/models/vase/materials/vase.png",
    }


def test_wheel_has_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    files = (path for path in (ROOT / "swarm_ledger").rglob("*") if path.is_file())
    expected = {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}
    assert expected == {name for name in wheel.namelist() if name.startswith("swarm_ledger/")}


def test_wheel_names_the_executables(wheel: zipfile.ZipFile) -> None:
    name = f"swarm_ledger-{swarm_ledger.__version__}.dist-info/entry_points.txt"
    parser = configparser.ConfigParser()
    parser.read_string(wheel.read(name).decode())
    scripts = dict(parser["console_scripts"])
    assert set(scripts) == EXECUTABLES
    assert scripts["swarm-ledger"] == "swarm_ledger.cli:main"


def test_hardware_and_training_libraries_are_only_extras(wheel: zipfile.ZipFile) -> None:
    name = f"swarm_ledger-{swarm_ledger.__version__}.dist-info/METADATA"
    required = re.findall(r"^Requires-Dist: ([\w.-]+)([^\n]*)$", wheel.read(name).decode(), re.M)
    always = {name.lower() for name, rest in required if "extra ==" not in rest}
    assert {"cbor2", "cryptography", "msgspec", "pynacl", "pyzmq", "numpy"} <= always
    assert not always & {"python-pkcs11", "tpm2-pytss", "onnxruntime", "scikit-learn", "pytest"}


@pytest.mark.parametrize("folder", [ROOT, INTERFACES], ids=["swarm_ledger", "swarm_interfaces"])
def test_manifests_are_well_formed(folder: Path) -> None:
    root = ElementTree.parse(folder / "package.xml").getroot()
    assert root.get("format") == "3"
    assert root.findtext("version") == swarm_ledger.__version__
    assert root.findtext("license") == "Apache-2.0"
    build_type = root.findtext("export/build_type")
    assert build_type == ("ament_python" if folder == ROOT else "ament_cmake")


def test_manifest_depends_on_what_nodes_import() -> None:
    root = ElementTree.parse(ROOT / "package.xml").getroot()
    declared = {element.text for element in root.findall("exec_depend")}
    imported: set[str] = set()
    for path in (ROOT / "swarm_ledger" / "nodes").glob("**/*.py"):
        imported |= set(re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(), re.M))
    ros = {name for name in imported if name == "rclpy" or name.endswith(("_msgs", "_interfaces"))}
    assert ros <= declared
    assert {"rclpy", "swarm_interfaces", "std_msgs", "sensor_msgs", "diagnostic_msgs"} <= declared


def test_gazebo_finds_the_models() -> None:
    hooks = json.loads((ROOT / "colcon.pkg").read_text())["hooks"]
    assert hooks == ["share/swarm_ledger/hook/gz.dsv"]
    kind, variable, folder = (ROOT / "env-hooks" / "gz.dsv").read_text().strip().split(";")
    assert kind == "prepend-non-duplicate"
    assert (variable, folder) == ("GZ_SIM_RESOURCE_PATH", "share/swarm_ledger/models")
    export = ElementTree.parse(ROOT / "package.xml").getroot().find("export/gazebo_ros")
    assert export is not None
    assert export.get("gazebo_model_path") == "${prefix}/models"


def test_workspace_holds_both_packages() -> None:
    link = ROOT / "ros2_ws" / "src" / "swarm_ledger"
    assert link.is_symlink()
    assert os.readlink(link) == "../.."
    assert (link / "package.xml").samefile(ROOT / "package.xml")


def test_colcon_puts_executables_where_ros2_run_looks(tmp_path: Path) -> None:
    environment = ros_environment()
    colcon = shutil.which("colcon", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if environment is None:
        pytest.skip(ros_unavailable_reason())
    if colcon is None:
        pytest.skip("colcon is not installed")
    if " " in sys.executable:
        pytest.skip("colcon's own local_setup.sh can't start a Python whose path has a space")
    source = copy_of_the_package(tmp_path / "source")
    command = [colcon, "--log-base", "log", "build", "--base-paths", str(source)]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    prefix = tmp_path / "install" / "swarm_ledger"
    assert {path.name for path in (prefix / "lib" / "swarm_ledger").iterdir()} == EXECUTABLES
    script = f". {tmp_path}/install/local_setup.sh; echo $GZ_SIM_RESOURCE_PATH; echo $PYTHONPATH"
    shown = subprocess.check_output(["/bin/sh", "-c", script], env=environment, text=True)
    models, paths = shown.splitlines()
    assert models == f"{prefix}/share/swarm_ledger/models"
    assert (Path(models) / "vase" / "model.sdf").exists()
    assert any(path.startswith(str(prefix)) for path in paths.split(":"))
