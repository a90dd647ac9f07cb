# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""deploy/provision, run for real against folders that look like drones' roots."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from swarm_ledger.sim.mission import Mission, prepare, utc_now
from tests.deploy.machines import PROVISION, ROOT, Machine, wheel

SCRIPTS = [PROVISION, ROOT / "deploy/lib.sh", *sorted((ROOT / "deploy/bin").iterdir())]
TOOLS = ("systemd-sysusers", "systemd-tmpfiles", "systemctl", "sha256sum")


def needs_root() -> None:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing or os.geteuid():
        pytest.skip(f"needs root, and {', '.join(missing or TOOLS)}")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs_root()
    return wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fleet file with its roster, as operators hand it out."""
    folder = tmp_path_factory.mktemp("fleet") / "run"
    prepare(Mission(folder, byzantine=0), now=utc_now())
    return folder / "fleet.yaml"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, wheels: Path, fleet: Path) -> Machine:
    """A Jetson that has been provisioned for drone_2."""
    machine = Machine(tmp_path_factory.mktemp("jetson") / "root")
    secret = machine.root.parent / "secret"
    secret.write_text("open sesame\n")
    options = ["--wheelhouse", wheels, "--drone", "drone_2", "--fleet", fleet]
    said = machine.provision(*options, "--passphrase", secret)
    assert said.returncode == 0, said
    assert "NVIDIA Jetson Orin Nano Developer Kit with Ubuntu 22.04: ROS 2 humble" in said.stdout
    assert "systemctl start swarm-ledger-drone@drone_2" in said.stdout
    return machine


def mode(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid


def group_of(machine: Machine, name: str) -> int:
    lines = (machine.root / "etc/group").read_text().splitlines()
    return next(int(line.split(":")[2]) for line in lines if line.split(":")[0] == name)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_clean(script: Path) -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    command = ["shellcheck", "--external-sources", str(script)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


@pytest.mark.slow
def test_what_it_leaves_is_whole(done: Machine) -> None:
    said = done.python("-m", "swarm_ledger", "--version")
    assert (said.returncode, said.stderr) == (0, "")
    assert "swarm-ledger:" in (done.root / "etc/passwd").read_text()
    settings = (done.root / "etc/swarm-ledger/environment").read_text()
    assert "ROS_DISTRO=humble\n" in settings
    assert "\nFASTRTPS_DEFAULT_PROFILES_FILE=/etc/swarm-ledger/dds/fastdds.xml\n" in settings
    assert "@" not in settings
    wanted = done.root / "etc/systemd/system/multi-user.target.wants"
    assert [one.name for one in wanted.iterdir()] == ["swarm-ledger-drone@drone_2.service"]
    assert (done.root / "etc/polkit-1/localauthority/50-local.d/60-swarm-ledger.pkla").exists()
    compiled = done.root / "opt/swarm-ledger/ros/local_setup.sh"
    assert compiled.read_text() == "export COMPILED=yes\n"


def test_only_those_may_read_who_have_to(done: Machine) -> None:
    drones = group_of(done, "swarm-ledger")
    assert drones > 0
    for path, wanted in {
        "etc/swarm-ledger/credentials": (0o700, 0, 0),
        "etc/swarm-ledger/credentials/drone_2/passphrase": (0o400, 0, 0),
        "var/lib/swarm-ledger": (0o750, 0, drones),
        "var/lib/swarm-ledger/roster": (0o750, 0, drones),
        "var/lib/swarm-ledger/roster/root.json": (0o640, 0, drones),
        "var/lib/swarm-ledger/fleet.yaml": (0o640, 0, drones),
        "etc/swarm-ledger/environment": (0o644, 0, 0),
        "opt/swarm-ledger/bin/with-ros": (0o755, 0, 0),
    }.items():
        assert mode(done.root / path) == wanted, path


def test_no_key_comes_along(done: Machine) -> None:
    folder = done.root / "var/lib/swarm-ledger"
    assert sorted(path.name for path in folder.iterdir()) == ["fleet.yaml", "roster"]


def test_again_changes_nothing(done: Machine, wheels: Path, fleet: Path) -> None:
    before = done.snapshot()
    said = done.provision("--wheelhouse", wheels, "--drone", "drone_2", "--fleet", fleet)
    assert said.returncode == 0, said
    told = {line.split()[0] for line in said.stdout.splitlines() if line[:1].isalpha()}
    assert told - {"Now", "note"} == {"machine", "unchanged", "done"}
    # What makes users and folders is run each time, and finds them made.
    steps = [line for line in said.stdout.splitlines() if line.startswith("done")]
    assert [step.split(None, 1)[1][:8] for step in steps] == ["make the", "make the"]
    assert done.snapshot() == before


def test_what_was_changed_is_kept(done: Machine, wheels: Path) -> None:
    settings = done.root / "etc/swarm-ledger/environment"
    before = settings.read_text()
    settings.write_text(before.replace("ROS_DOMAIN_ID=20", "ROS_DOMAIN_ID=7"))
    try:
        said = done.provision("--wheelhouse", wheels)
        assert said.returncode == 0, said
        assert "kept       /etc/swarm-ledger/environment, which was changed here\n" in said.stdout
        assert "ROS_DOMAIN_ID=7" in settings.read_text()
        assert not settings.with_name("environment.new").exists()
        listed = done.root / "opt/swarm-ledger/installed"
        text = listed.read_text()
        lines = text.splitlines(keepends=True)
        listed.write_text("".join(line for line in lines if "/environment" not in line))
        said = done.provision("--wheelhouse", wheels)
        assert "the new one is /etc/swarm-ledger/environment.new" in said.stdout
        assert settings.with_name("environment.new").read_text() == before
        listed.write_text(text)
    finally:
        settings.write_text(before)
        settings.with_name("environment.new").unlink(missing_ok=True)


@pytest.mark.slow
def test_it_goes_on_from_where_it_was(done: Machine, wheels: Path) -> None:
    """Half a virtual environment, messages without their stamp, a unit that never arrived."""
    (done.root / "opt/swarm-ledger/venv/pyvenv.cfg").unlink()
    shutil.rmtree(done.root / "opt/swarm-ledger/venv/lib")
    (done.root / "opt/swarm-ledger/stamps/messages").unlink()
    unit = done.root / "etc/systemd/system/swarm-ledger-drone@.service"
    unit.rename(unit.with_name(unit.name + ".partial"))
    said = done.provision("--wheelhouse", wheels)
    assert said.returncode == 0, said
    for step in (
        "make the virtual environment",
        "install swarm_ledger",
        "compile swarm_interfaces",
        f"install /{unit.relative_to(done.root)}",
    ):
        assert f"done       {step}" in said.stdout
    assert done.python("-m", "swarm_ledger", "--version").returncode == 0
    assert unit.exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--drones"], "there is no option '--drones'"),
        (["--drone"], "--drone wants a value"),
        (["--drone", "2nd"], "--drone 2nd can't be a ROS namespace"),
        (["--drone", "a/../b"], "can't be a ROS namespace"),
        (["--drone", "drone_1"], "needs a fleet file"),
        (["--fleet", "/nowhere"], "--fleet /nowhere is no file"),
        (["--wheelhouse", "/nowhere"], "--wheelhouse /nowhere is no folder"),
        (["--passphrase", "/etc/os-release"], "--passphrase is a drone's"),
        (["--source", "/etc"], "--source /etc is no checkout"),
        (["--root", "/nowhere"], "--root /nowhere is no folder"),
        (["--python", "/nowhere"], "/nowhere is missing"),
    ],
)
def test_bad_options_end_in_a_sentence(tmp_path: Path, options: list[str], sentence: str) -> None:
    machine = Machine(tmp_path / "root")
    before = machine.snapshot()
    said = machine.provision("--dry-run", *options)
    assert said.returncode == 2, said
    assert sentence in said.stderr
    assert said.stderr.startswith("provision: ")
    assert machine.snapshot() == before


def test_the_page_has_each_option_of_the_script() -> None:
    help_text = subprocess.check_output([PROVISION, "--help"], text=True)
    options = set(re.findall(r"^  (--[a-z-]+)", help_text, re.M)) - {"--help"}
    assert {"--drone", "--wheelhouse", "--uninstall"} <= options
    page = (ROOT / "docs" / "deploy.md").read_text()
    assert {one for one in options if f"`{one}" not in page} == set()


@pytest.mark.parametrize(
    ("version", "model", "sentence"),
    [
        ("20.04", "NVIDIA Jetson Nano", "this is ubuntu 20.04: only Ubuntu 22.04 and 24.04"),
        ("22.04", "Raspberry Pi 4 Model B", "take Ubuntu 24.04, whose ROS 2 is Jazzy"),
        ("24.04", "Toaster", "this is a 'Toaster'"),
    ],
)
def test_unknown_machines_are_refused(
    tmp_path: Path, version: str, model: str, sentence: str
) -> None:
    said = Machine(tmp_path / "root", version, model).provision("--dry-run")
    assert said.returncode == 2
    assert sentence in said.stderr


def test_other_systems_are_refused(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "root")
    machine.write("etc/os-release", "ID=fedora\nVERSION_ID=41\n")
    assert "this is fedora 41" in machine.provision("--dry-run").stderr
    (machine.root / "etc/os-release").unlink()
    assert "what system is this?" in machine.provision("--dry-run").stderr


def test_a_machine_without_ros_is_told_how_to_get_it(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "root", "24.04")
    shutil.rmtree(machine.root / "opt/ros")
    said = machine.provision("--dry-run")
    assert (said.returncode, said.stderr.count("\n")) == (2, 1)
    assert "apt install ros-jazzy-ros-base" in said.stderr


def test_dry_run_changes_nothing(tmp_path: Path, fleet: Path) -> None:
    machine = Machine(tmp_path / "root", "24.04")
    before = machine.snapshot()
    said = machine.provision("--dry-run", "--drone", "drone_1", "--fleet", fleet)
    assert said.returncode == 0, said
    assert "Raspberry Pi 5 Model B Rev 1.0 with Ubuntu 24.04: ROS 2 jazzy" in said.stdout
    assert "would      install swarm_ledger into /opt/swarm-ledger/venv" in said.stdout
    assert "would      install /etc/polkit-1/rules.d/60-swarm-ledger.rules" in said.stdout
    assert not [line for line in said.stdout.splitlines() if line.startswith("done")]
    assert machine.snapshot() == before


def test_a_fleet_file_that_a_drone_would_refuse_is_not_installed(
    done: Machine, wheels: Path, fleet: Path, tmp_path: Path
) -> None:
    installed = (done.root / "var/lib/swarm-ledger/fleet.yaml").read_text()
    other = tmp_path / "fleet.yaml"
    shutil.copytree(fleet.parent / "roster", tmp_path / "roster")
    for text, drone, sentence in (
        (fleet.read_text() + "lokks: 3\n", "drone_2", "looks"),
        (fleet.read_text(), "drone_9", "no drone 'drone_9'"),
        (
            fleet.read_text().replace("roster: roster", "roster: ../run/roster"),
            "drone_2",
            "roster",
        ),
    ):
        other.write_text(text)
        said = done.provision("--wheelhouse", wheels, "--fleet", other, "--drone", drone)
        assert said.returncode == 1, said
        assert sentence in said.stderr
        assert "Traceback" not in said.stderr
        assert (done.root / "var/lib/swarm-ledger/fleet.yaml").read_text() == installed


def test_a_step_that_fails_is_told_and_done_again(done: Machine, wheels: Path) -> None:
    (done.root / "opt/swarm-ledger/ros/local_setup.sh").unlink()
    colcon = done.programs / "colcon"
    works = colcon.read_text()
    colcon.write_text("#!/bin/sh\necho 'no compiler'\nexit 1\n")
    said = done.provision("--wheelhouse", wheels)
    assert said.returncode == 1
    assert "no compiler" in said.stderr
    assert "could not compile swarm_interfaces" in said.stderr
    colcon.write_text(works)
    said = done.provision("--wheelhouse", wheels)
    assert said.returncode == 0, said
    assert "done       compile swarm_interfaces" in said.stdout
    assert "unchanged  swarm_ledger in /opt/swarm-ledger/venv" in said.stdout


def test_taking_it_away_leaves_keys_and_ledgers(done: Machine) -> None:
    """The last one: it takes the machine apart."""
    home = done.root / "var/lib/swarm-ledger/drone_2"
    home.mkdir()
    for name in ("key.pem", "ledger.db"):
        (home / name).write_text(name)
    settings = done.root / "etc/swarm-ledger/environment"
    settings.write_text(settings.read_text() + "ROS_DOMAIN_ID=9\n")
    said = done.provision("--uninstall", "--dry-run")
    assert "would      remove /opt/swarm-ledger\n" in said.stdout
    assert (done.root / "opt/swarm-ledger/venv").exists()
    said = done.provision("--uninstall")
    assert said.returncode == 0, said
    assert not (done.root / "opt/swarm-ledger").exists()
    left = {
        str(p.relative_to(done.root)) for p in done.root.rglob("*swarm-ledger*") if p.is_file()
    }
    assert left == set(), left
    assert settings.exists()
    assert sorted(path.name for path in home.iterdir()) == ["key.pem", "ledger.db"]
    assert (done.root / "etc/swarm-ledger/credentials/drone_2/passphrase").exists()
    assert list((done.root / "etc/systemd/system/multi-user.target.wants").iterdir()) == []
