# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The set-up: what it decides, that it goes on after an interruption, and what it leaves alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import environment as venvs  # noqa: E402
import lock  # noqa: E402
import machine  # noqa: E402
import set_up  # noqa: E402
import workspace  # noqa: E402
from console import SetUpError, run  # noqa: E402
from machine import Interpreter, Origin, Ros  # noqa: E402

NONE = Ros(Origin.NONE, "", "none")
KILTED = Ros(Origin.WHEELS, "kilted", "wheels")
JAZZY = Ros(Origin.WHEELS, "jazzy", "wheels")
SOURCED = Ros(Origin.SOURCED, "jazzy", "sourced")


def interpreter(
    version: tuple[int, int] = (3, 12), implementation: str = "cpython"
) -> Interpreter:
    return Interpreter(Path(sys.executable), version, implementation, Path("/include"), ".abi.so")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> venvs.Venv:
    """A real virtual environment, made once."""
    venv = venvs.Venv(tmp_path_factory.mktemp("made") / ".venv", os.environ)
    venv.create(machine.inspect_python(Path(sys._base_executable)), NONE)  # type: ignore[attr-defined]
    return venv


# What ROS 2 to use.


@pytest.fixture
def x86_64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(machine.platform, "libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr(machine.sys, "platform", "linux")


@pytest.mark.usefixtures("x86_64")
@pytest.mark.parametrize("minor", [10, 11, 12, 13, 14])
def test_wheels_for_every_python_that_has_them(minor: int) -> None:
    chosen = machine.choose_ros(interpreter((3, minor)), {}, "kilted")
    assert (chosen.origin, chosen.distro) == (Origin.WHEELS, "kilted")


@pytest.mark.usefixtures("x86_64")
@pytest.mark.parametrize(
    ("python", "said"),
    [(interpreter((3, 15)), "cpython 3.15"), (interpreter(implementation="pypy"), "pypy 3.12")],
)
def test_no_wheels_for_other_pythons(python: Interpreter, said: str) -> None:
    chosen = machine.choose_ros(python, {}, "kilted")
    assert chosen.origin is Origin.NONE
    assert said in chosen.why
    assert "ZeroMQ" in chosen.why


@pytest.mark.usefixtures("x86_64")
@pytest.mark.parametrize(
    ("function", "value", "said"),
    [
        ("machine", "aarch64", "aarch64"),
        ("libc_ver", ("", ""), "musl"),
        ("libc_ver", ("glibc", "2.27"), "glibc 2.27"),
    ],
)
def test_no_wheels_for_other_platforms(
    monkeypatch: pytest.MonkeyPatch, function: str, value: object, said: str
) -> None:
    monkeypatch.setattr(machine.platform, function, lambda: value)
    chosen = machine.choose_ros(interpreter(), {}, "kilted")
    assert chosen.origin is Origin.NONE
    assert said in chosen.why


def test_a_sourced_ros_goes_before_wheels(tmp_path: Path) -> None:
    (tmp_path / "rclpy.py").write_text("")
    env = {"ROS_DISTRO": "humble", "ROS_VERSION": "2", "PYTHONPATH": str(tmp_path)}
    chosen = machine.choose_ros(interpreter(), env, "kilted")
    assert (chosen.origin, chosen.distro) == (Origin.SOURCED, "humble")


@pytest.mark.usefixtures("x86_64")
def test_a_ros_that_does_not_start_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "rclpy.py").write_text("raise ImportError('another Python')")
    env = {"ROS_DISTRO": "humble", "PYTHONPATH": str(tmp_path)}
    chosen = machine.choose_ros(interpreter(), env, "jazzy")
    assert chosen.flavour == "wheels-jazzy"
    assert "humble is sourced, but" in chosen.why


@pytest.mark.usefixtures("x86_64")
def test_ros_1_is_not_ros_2(tmp_path: Path) -> None:
    (tmp_path / "rclpy.py").write_text("")
    env = {"ROS_DISTRO": "noetic", "ROS_VERSION": "1", "PYTHONPATH": str(tmp_path)}
    assert machine.choose_ros(interpreter(), env, "kilted").origin is Origin.WHEELS


def test_ros_can_be_left_out() -> None:
    assert machine.choose_ros(interpreter(), {"ROS_DISTRO": "jazzy"}, "none").origin is Origin.NONE


def test_what_another_make_or_venv_left_is_dropped() -> None:
    env = {"MAKEFLAGS": "-j8", "VIRTUAL_ENV": "/v", "HOME": "/h", "LD_LIBRARY_PATH": "/own"}
    assert machine.own_environment(env) == {"HOME": "/h", "LD_LIBRARY_PATH": "/own"}
    env["_ROS_WHEELS_BOOTSTRAP_COMPLETE"] = "1"
    assert machine.own_environment(env) == {"HOME": "/h"}


def test_missing_headers_are_named(tmp_path: Path) -> None:
    python = Interpreter(Path("python"), (3, 12), "cpython", tmp_path, "")
    assert "python3.12-dev" in machine.missing_for_compiling(python)
    (tmp_path / "Python.h").write_text("")
    assert "python3.12-dev" not in machine.missing_for_compiling(python)


def test_a_python_that_does_not_run_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SetUpError, match="does not run"):
        machine.inspect_python(tmp_path / "python")


# The virtual environment.


def test_environments_are_reused_only_for_the_same_ros(made: venvs.Venv) -> None:
    flavour = made.state / "flavour"
    assert [made.unusable_reason(ros) for ros in (NONE, KILTED, JAZZY)] == ["", "", ""]
    assert made.unusable_reason(SOURCED) == "was not made for sourced-jazzy"
    flavour.write_text(KILTED.flavour)
    assert made.unusable_reason(JAZZY) == "was made for wheels-kilted, not wheels-jazzy"
    assert [made.unusable_reason(ros) for ros in (NONE, KILTED)] == ["", ""]
    flavour.unlink()


def test_a_half_made_environment_is_made_again(tmp_path: Path) -> None:
    venv = venvs.Venv(tmp_path / ".venv", os.environ)
    venv.bin.mkdir(parents=True)
    assert venv.unusable_reason(NONE) == "is not complete"
    (venv.path / "pyvenv.cfg").write_text("include-system-site-packages = false\n")
    assert venv.unusable_reason(NONE) == "is not complete"


def test_an_environment_whose_making_was_cut_short_is_made_again(made: venvs.Venv) -> None:
    (made.state / "venv").unlink()
    assert made.unusable_reason(NONE) == "is not complete"
    made.adopt()
    assert made.unusable_reason(NONE) == ""


def test_a_step_is_done_only_once_it_is_through(tmp_path: Path) -> None:
    venv = venvs.Venv(tmp_path, os.environ)

    def interrupted() -> None:
        with venv.step("ros", "new"):
            raise KeyboardInterrupt

    with venv.step("ros", "old"):
        pass
    assert venv.is_done("ros", {"old", "other"})
    assert not venv.is_done("ros", {"new"})
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not venv.is_done("ros", {"old", "new"})


def test_who_comes_second_waits_for_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, through = threading.Event(), threading.Event()
    monkeypatch.setattr(set_up, "say", lambda text: waits.set())

    def second() -> None:
        with set_up.only_one(tmp_path, "package"):
            through.set()

    thread = threading.Thread(target=second)
    (tmp_path / "another").mkdir()
    with set_up.only_one(tmp_path, "package"):
        with set_up.only_one(tmp_path / "another", "package"):
            assert not waits.is_set()
        thread.start()
        assert waits.wait(PATIENCE_S)
        assert not through.is_set()
    thread.join(PATIENCE_S)
    assert through.is_set()


def test_pip_repairs_what_it_left_half_done(made: venvs.Venv, tmp_path: Path) -> None:
    name = tmp_path / "halfway-1.0-py3-none-any.whl"
    with zipfile.ZipFile(name, "w") as wheel:
        wheel.writestr("halfway.py", "WHOLE = True\n")
        info = "halfway-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: halfway\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "halfway.py,,\n")
    offline = ("--no-index", "--find-links", str(tmp_path), "halfway")
    made.pip_install(*offline, cwd=tmp_path)
    site_packages = made.site_packages()
    (site_packages / "halfway.py").write_text("WHOLE = ")
    (site_packages / info / "INSTALLER").unlink()
    (site_packages / "~alfway").mkdir()
    made.pip_install(*offline, cwd=tmp_path)
    subprocess.run([made.python, "-c", "import halfway; halfway.WHOLE"], check=True)
    assert not list(site_packages.glob("~*"))


def test_without_ensurepip_virtualenv_or_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ensurepip.py").write_text("raise ImportError")
    (tmp_path / "virtualenv.py").write_text("")
    python = machine.inspect_python(Path(sys.executable))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert venvs._maker(python) == "virtualenv"
    (tmp_path / "virtualenv.py").write_text("raise ImportError")
    monkeypatch.setattr(venvs, "apt_install", lambda packages: False)
    with pytest.raises(SetUpError, match=r"apt-get install python3\.\d+-venv"):
        venvs._maker(python)


# The interface package.


def test_exported_targets_name_this_machine(made: venvs.Venv, tmp_path: Path) -> None:
    python = Interpreter(made.python, (3, 12), "cpython", Path("/usr/include/python3.12"), "")
    shim = tmp_path / "numpy.py"
    shim.write_text("def get_include(): return '/here/numpy/_core/include'\n")
    venv = venvs.Venv(made.path, made.env | {"PYTHONPATH": str(tmp_path)})
    target = venv.path / "share" / "std_msgs" / "cmake" / "export.cmake"
    target.parent.mkdir(parents=True)
    built = "/opt/python/cp312-cp312"
    target.write_text(
        f'INCLUDE "{built}/include/python3.12;'
        f'{built}/lib/python3.12/site-packages/numpy/_core/include;${{PREFIX}}/include"'
    )
    workspace.patch_exported_targets(venv, python)
    wanted = 'INCLUDE "/usr/include/python3.12;/here/numpy/_core/include;${PREFIX}/include"'
    assert target.read_text() == wanted
    shutil.rmtree(venv.path / "share")


def test_a_build_depends_on_sources_ros_and_python(tmp_path: Path) -> None:
    source, pins = tmp_path / "src", tmp_path / "pins.txt"
    source.mkdir()
    pins.write_text("a==1")
    (source / "A.msg").write_text("uint8 a")

    def key(ros: Ros = KILTED, abi: str = ".so") -> str:
        python = Interpreter(Path("python"), (3, 12), "cpython", tmp_path, abi)
        return workspace.interfaces_key(source, pins, python, ros)

    keys = [key(), key(JAZZY), key(abi=".other.so")]
    (source / "A.msg").write_text("uint8 b")
    keys.append(key())
    (source / "A.msg").rename(source / "B.msg")
    keys.append(key())
    pins.write_text("a==2")
    keys.append(key())
    assert len(set(keys)) == 6
    assert key() == keys[-1]


def test_a_cached_build_replaces_the_one_before(
    made: venvs.Venv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made.state.mkdir(exist_ok=True)
    for number, message in enumerate(("old", "new")):
        cached = tmp_path / "swarm_ledger" / f"swarm_interfaces-{str(number) * 32}"
        for name in (
            "share/swarm_interfaces/package.xml",
            f"local/lib/python3.1/dist-packages/swarm_interfaces/{message}.py",
            "setup.bash",
        ):
            (cached / name).parent.mkdir(parents=True, exist_ok=True)
            (cached / name).write_text(message)
        workspace.build_interfaces(made, tmp_path, KILTED, str(number) * 32)
    installed = made.site_packages() / "swarm_interfaces"
    assert [path.name for path in installed.iterdir()] == ["new.py"]
    assert (made.path / "share" / "swarm_interfaces" / "package.xml").read_text() == "new"
    assert not (made.path / "setup.bash").exists()


def test_what_was_sourced_is_written_down(made: venvs.Venv) -> None:
    env = made.env | {"AMENT_PREFIX_PATH": "/opt/ros/jazzy", "PYTHONPATH": "/opt/ros/jazzy/python"}
    workspace.write_ros_json(venvs.Venv(made.path, env | {"ROS_DISTRO": "jazzy"}), SOURCED)
    record = json.loads((made.path / "ros.json").read_text())
    prepend = record["prepend"]
    assert prepend["AMENT_PREFIX_PATH"] == [str(made.path), "/opt/ros/jazzy"]
    assert prepend["PYTHONPATH"] == [str(made.site_packages()), "/opt/ros/jazzy/python"]
    assert record["set"]["ROS_DISTRO"] == "jazzy"


# Commands and the Makefile.


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    code = "print('the reason'); raise SystemExit(3)"
    with pytest.raises(SetUpError, match=r"(?s)the reason.*status 3.*log\.txt"):
        run([sys.executable, "-c", code], tmp_path / "log.txt")
    assert "the reason" in (tmp_path / "log.txt").read_text()


def test_a_command_that_is_missing_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SetUpError, match="colcon can't be run"):
        run([tmp_path / "colcon"], tmp_path / "log.txt")


def test_an_interrupted_set_up_ends_its_command(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, signal, time\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n"
        "os.kill(os.getppid(), signal.SIGINT)\n"
        "time.sleep(60)"
    )
    with pytest.raises(KeyboardInterrupt):
        run([sys.executable, "-c", code], tmp_path / "log.txt")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_help_lists_the_targets_and_is_the_default() -> None:
    shown = subprocess.check_output(["make", "-s", "-C", ROOT], text=True)
    listed = {line.split()[0] for line in shown.splitlines()}
    assert listed == {
        "help",
        "setup",
        "setup-dev",
        "demo",
        "test",
        "bench",
        "lint",
        "lock",
        "soak",
        "fuzz",
        "clean",
        "distclean",
    }


def test_demo_sets_up_and_then_runs_the_main_job() -> None:
    planned = subprocess.check_output(
        ["make", "-n", "-C", ROOT, "PYTHON=python3", "demo"], text=True
    )
    set_up = planned.index("scripts/set_up.py --venv .venv --wheels kilted")
    job = ".venv/bin/swarm-ledger sim --drones 4 --byzantine 1 --transport auto"
    assert set_up < planned.index(job)


def test_no_python_is_a_sentence(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", ROOT / "scripts" / "find_python"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "needs Python 3.10 or later" in done.stderr


def test_locked_versions_hold_for_each_python() -> None:
    lines = lock.merge(
        {
            "3.10": {"numpy": "2.2", "tomli": "2.0", "tuf": "7"},
            "3.11": {"numpy": "2.4", "tuf": "7"},
            "3.12": {"numpy": "2.4", "tuf": "7"},
        }
    )
    assert lines == [
        "numpy==2.2 ; python_version < '3.11'",
        "numpy==2.4 ; python_version >= '3.11'",
        "tomli==2.0 ; python_version < '3.11'",
        "tuf==7",
    ]
