# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The other commands: help, version, doctor, perception; and what terminals are shown."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import shutil
import signal
import sqlite3
import struct
import subprocess
import termios
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

import swarm_ledger
from tests.system.command import COMMAND, Started, call, run, surroundings

OPTIONS = {
    (): {"--version", "--help"},
    ("sim",): {
        "--drones",
        "--byzantine",
        "--validators",
        "--target",
        "--seed",
        "--transport",
        "--keys",
        "--hardware-only",
        "--attack",
        "--looks",
        "--timeout",
        "--run-dir",
        "--rule",
        "--sealed",
        "--secret",
        "--allow-unsafe",
        "--behaviour",
        "--profile",
        "--bitrate",
        "--duty-cycle",
        "--loss",
        "--json",
        "--help",
    },
    ("audit",): {
        "--roster",
        "--root",
        "--html",
        "--lossy",
        "--strict",
        "--jobs",
        "--json",
        "--help",
    },
    ("reindex",): {"--json", "--help"},
    ("replay",): {
        "--model",
        "--roster",
        "--root",
        "--publish",
        "--clock",
        "--rate",
        "--start-offset",
        "--loop",
        "--remap",
        "--json",
        "--help",
    },
    ("simulate",): {
        "--seeds",
        "--drones",
        "--byzantine",
        "--faults",
        "--steps",
        "--profile",
        "--jobs",
        "--minutes",
        "--trace",
        "--json",
        "--help",
    },
    ("twins",): {"--scenarios", "--rounds", "--stride", "--jobs", "--json", "--help"},
    ("sweep",): {
        *("--out", "--jobs", "--scheduler", "--parquet", "--columns", "--plot"),
        *("--along", "--panels", "--beside"),
        *("--json", "--help"),
    },
    ("bench", "perception"): {
        *("--rule", "--byzantine", "--black", "--attack", "--runs", "--seed", "--duration"),
        *("--jobs", "--json", "--help"),
    },
    ("bench", "memory"): {"--votes", "--every", "--json", "--help"},
    ("bench", "radio"): {
        *("--drones", "--bitrate", "--duty-cycle", "--loss", "--silent", "--seeds"),
        *("--decisions", "--idle", "--no-idle", "--json", "--help"),
    },
    ("bench", "scale"): {"--drones", "--validators", "--plot", "--json", "--help"},
    ("drill",): {"--rate", "--timeout", "--run-dir", "--json", "--help"},
    ("verify",): {"--policy", "--roster", "--json", "--help"},
    ("light",): {
        *("--root", "--state", "--question", "--decision", "--index", "--roster"),
        *("--json", "--help"),
    },
    ("ask",): {
        *("--fleet", "--operator", "--labels", "--deadline", "--from", "--channel"),
        *("--state", "--out", "--json", "--help"),
    },
    ("doctor",): {"--fleet", "--drone", "--json", "--help"},
    ("key",): {"--help"},
    ("key", "new"): {"--algorithm", "--label", "--json", "--help"},
    ("key", "show"): {"--statement", "--json", "--help"},
    ("key", "answer"): {"--out", "--help"},
    ("relay",): {"--help"},
    ("relay", "verify"): {"--roster", "--ledger", "--json", "--help"},
    ("relay", "prove"): {
        *("--topic", "--at", "--sequence", "--signer", "--ledger", "--roster"),
        *("--out", "--json", "--help"),
    },
    ("relay", "check"): {"--roster", "--json", "--help"},
    ("ledger",): {"--help"},
    ("analyse",): {"--help"},
    ("analyse", "resilience"): {
        *("--rule", "--drones", "--labels", "--accuracy", "--history", "--strategy"),
        *("--most", "--runs", "--seed", "--plot", "--json", "--help"),
    },
    ("analyse", "committee"): {"--drones", "--liars", "--validators", "--json", "--help"},
    ("analyse", "reliability"): {"--roster", "--json", "--help"},
    ("ledger", "reindex"): {"--roster", "--json", "--help"},
    ("ledger", "reputation"): {"--roster", "--json", "--help"},
    ("ledger", "show"): {"--last", "--roster", "--json", "--help"},
    ("ledger", "verify"): {"--roster", "--json", "--help"},
    ("ledger", "prove"): {
        *("--decision", "--entry", "--light", "--since", "--roster", "--help"),
    },
    ("ledger", "compare"): {"--roster", "--json", "--help"},
    ("ledger", "export"): {
        *("--tiles", "--jsonl", "--parquet", "--policy"),
        *("--roster", "--json", "--help"),
    },
    ("ledger", "rules"): {"--roster", "--json", "--help"},
    ("ledger", "serve"): {"--port", "--host", "--zmq", "--roster", "--json", "--help"},
    ("roster",): {"--help"},
    ("roster", "quickstart"): {"--drones", "--validators", "--dir", "--json", "--help"},
    ("roster", "request"): {
        *("--swarm", "--name", "--key", "--channel", "--no-channel", "--hardware-only"),
        *("--out", "--help"),
    },
    ("roster", "init"): {"--swarm", "--operator", "--threshold", "--days", "--json", "--help"},
    ("roster", "add"): {
        *("--role", "--from", "--until", "--threshold", "--days", "--json", "--help"),
    },
    ("roster", "revoke"): {"--threshold", "--days", "--json", "--help"},
    ("roster", "appoint"): {"--role", "--days", "--json", "--help"},
    ("roster", "rotate"): {"--days", "--json", "--help"},
    ("roster", "channel"): {"--days", "--json", "--help"},
    ("roster", "renew"): {"--operators", "--threshold", "--days", "--json", "--help"},
    ("roster", "sign"): {"--key", "--json", "--help"},
    ("roster", "discard"): {"--help"},
    ("roster", "show"): {"--json", "--help"},
    ("roster", "verify"): {"--ledger", "--json", "--help"},
    ("roster", "submit"): {"--help"},
    ("roster", "challenge"): {"--out", "--help"},
    ("roster", "attest"): {"--ek-ca", "--json", "--help"},
    ("rule",): {"--help"},
    ("rule", "lease"): {
        *("--key", "--term", "--queue", "--member", "--operator", "--version", "--out", "--help"),
    },
    ("rule", "trigger"): {
        *("--key", "--subject", "--label", "--action", "--parameters", "--member", "--once"),
        *("--from", "--until", "--version", "--out", "--help"),
    },
    ("rule", "withdraw"): {"--key", "--version", "--out", "--help"},
    ("rule", "answer"): {"--key", "--version", "--refuse", "--out", "--help"},
    ("rule", "submit"): {"--help"},
    ("rule", "want"): {"--term", "--help"},
    ("rule", "release"): {"--help"},
    ("bench", "consensus"): {
        *("--replicas", "--clients", "--payload", "--voters", "--seconds", "--warm-up"),
        *("--transport", "--runs", "--folder", "--json", "--help"),
    },
    ("perception",): {"--help"},
    ("perception", "label"): {"--model", "--json", "--help"},
    ("perception", "report"): {"--seed", "--images", "--hard", "--model", "--json", "--help"},
}
"""What scripts rely on: a change here is a change for users, and belongs into the changelog."""


@pytest.mark.parametrize("command", OPTIONS, ids=" ".join)
def test_help_names_every_option(command: tuple[str, ...]) -> None:
    said = call(*command, "--help")
    assert said.code == 0
    assert said.err == ""
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", unstyled(said.text))) == OPTIONS[command]
    assert call(*command, "-h").text == said.text


def test_help_leads_to_every_command() -> None:
    for command in OPTIONS:
        if command:
            assert re.search(rf"\b{command[-1]}\b", call(*command[:-1], "--help").text), command


def unstyled(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)


def test_options_are_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
    for command, options in OPTIONS.items():
        assert " ".join(("swarm-ledger", *command)) in page
        for option in options:
            assert f"`{option}`" in page, (command, option)


def test_the_module_is_the_command() -> None:
    said = run("--version")
    assert (said.code, said.text) == (0, swarm_ledger.__version__ + "\n")
    nothing = run()
    assert nothing.code == 2
    assert "Usage: " in nothing.text + nothing.err


@pytest.mark.parametrize("arguments", [["fly"], ["ledger", "burn"], ["--nonsense"]])
def test_what_is_no_command_is_refused(arguments: list[str]) -> None:
    assert arguments[-1] in call(*arguments).refused()


def test_doctor_says_what_is_here_and_what_to_do() -> None:
    findings = call("doctor", "--json").json["findings"]
    by_name = {finding["what"]: finding for finding in findings}
    wanted = {"Python", "ROS 2", "ZeroMQ", "wall clock", "steady clock", "clock synchronisation"}
    wanted |= {"software keys", "PKCS#11", "TPM 2.0", "Gazebo", "durable write"}
    assert wanted <= by_name.keys()
    for finding in findings:
        assert finding["state"] in ("ok", "missing", "bad")
        assert finding["found"]
        assert finding["state"] == "ok" or finding["remedy"], f"no way out: {finding}"
    assert by_name["Python"]["state"] == "ok"
    if by_name["ROS 2"]["state"] == "ok":
        assert by_name["RMW"]["found"].startswith("rmw_")


def test_doctor_without_ros_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from swarm_ledger.cli.doctor import machine

    monkeypatch.setattr(machine, "ros_environment", lambda: None)
    monkeypatch.setattr(
        machine, "ros_unavailable_reason", lambda: "none [/here]: run `make setup`."
    )
    said = call("doctor")
    assert said.code == 0
    assert "none [/here]: run `make setup`." in said.text


def test_auto_takes_zeromq_where_there_is_no_ros_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from swarm_ledger.cli import sim

    monkeypatch.setattr(sim, "ros_environment", lambda: None)
    monkeypatch.setattr(sim, "ros_unavailable_reason", lambda: "no ROS 2 was found.")
    said = call("sim", "--run-dir", tmp_path / "run", "--json")
    assert said.code == 0
    assert said.json["transport"] == "zmq"
    assert "no ROS 2 was found." in said.err
    assert "Flying over ZeroMQ instead." in said.err


def test_ros_is_refused_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from swarm_ledger.sim import processes

    monkeypatch.setattr(processes, "ros_environment", lambda: None)
    monkeypatch.setattr(processes, "ros_unavailable_reason", lambda: "no ROS 2 was found.")
    said = call("sim", "--transport", "ros", "--run-dir", tmp_path / "run", "--json")
    assert "take --transport zmq" in said.refused()


# perception


@pytest.mark.parametrize(("photograph", "label"), [("coffee", "cup"), ("astronaut", "two_faces")])
def test_photographs_are_named(tmp_path: Path, photograph: str, label: str) -> None:
    data = pytest.importorskip("skimage.data", reason="scikit-image brings the photographs")
    path = tmp_path / f"{photograph} [b].png"
    picture = getattr(data, photograph)()
    assert cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    said = call("perception", "label", path)
    assert said.code == 0, said
    assert said.text.startswith(f"{path}: {label} "), said.text
    found = call("perception", "label", path, "--json").json["images"]
    assert [image["label"] for image in found] == [label]
    assert found[0]["image"] == str(path)
    shares = found[0]["probabilities"]
    assert sum(shares.values()) == pytest.approx(1, abs=1e-3)
    assert max(shares, key=lambda name: shares[name]) == label


def test_several_pictures_are_named_in_order(tmp_path: Path) -> None:
    paths = [tmp_path / f"{shade}.png" for shade in (0, 128, 255)]
    for path, shade in zip(paths, (0, 128, 255), strict=True):
        cv2.imwrite(str(path), np.full((120, 160, 3), shade, np.uint8))
    found = call("perception", "label", *paths, "--json").json["images"]
    assert [image["image"] for image in found] == [str(path) for path in paths]


@pytest.mark.parametrize(
    "content", [None, b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + bytes(40)]
)
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "picture.png"
    if content is not None:
        path.write_bytes(content)
    assert str(path) in call("perception", "label", path, "--json").refused()


@pytest.mark.parametrize("model", ["nothing.npz", "model.txt", "nothing.onnx"])
def test_a_model_that_cannot_be_used_is_refused(tmp_path: Path, model: str) -> None:
    picture = tmp_path / "grey.png"
    cv2.imwrite(str(picture), np.full((120, 160, 3), 99, np.uint8))
    said = call("perception", "label", picture, "--model", tmp_path / model, "--json")
    assert model in said.refused()


def test_the_report_is_measured_and_repeats() -> None:
    report = ["perception", "report", "--images", 40, "--seed", 3]
    found = call(*report, "--json").json
    assert call(*report, "--json").json == found
    counted = sum(n for said in found["confusion"].values() for n in said.values())
    assert counted == 40
    told = call(*report)
    assert "expected calibration error" in told.text
    assert "Said, of 40 held-out views" in told.text
    assert "--images" in call("perception", "report", "--images", 1).refused()


# ledger


def test_ledger_time_is_a_date_for_people_and_milliseconds_for_machines(four: Path) -> None:
    shown = call("ledger", "show", four / "drone_1")
    assert "ledger time (UTC)" in shown.text
    blocks = call("ledger", "show", four / "drone_1", "--json").json["blocks"]
    assert blocks[-1]["time_ms"] // 1000 * 1000 == 1_893_456_000_000 + 1000 * seconds(shown.text)


def seconds(shown: str) -> int:
    """Return the second of the newest block; simulated flights begin on New Year's Day 2030."""
    return int(re.findall(r"2030-01-01 00:00:(\d\d)\.\d{3} ", shown)[-1])


@pytest.mark.parametrize(
    ("time_ms", "date"),
    [
        (0, ""),
        (1, "1970-01-01 00:00:00.001"),
        (1_893_456_000_980, "2030-01-01 00:00:00.980"),
        (2**63 - 1, f"{2**63 - 1} ms"),
        (2**64 - 1, f"{2**64 - 1} ms"),
    ],
)
def test_a_time_that_is_no_date_is_shown_as_it_is(time_ms: int, date: str) -> None:
    from swarm_ledger.cli import output

    assert output.date(time_ms) == date


def test_a_damaged_index_is_rebuilt_and_a_damaged_block_is_not(four: Path, tmp_path: Path) -> None:
    drone = Path(shutil.copytree(four / "drone_1", tmp_path / "drone_1"))
    command = ("ledger", "reindex", drone, "--roster", four / "roster")
    whole = call(*command, "--json").json
    assert (whole["verified"], whole["rebuilt"], whole["damage"]) == (True, False, None)
    with closing(sqlite3.connect(drone / "ledger.db", isolation_level=None)) as file:
        file.execute("DELETE FROM rare")
    found = call(*command, "--json")
    assert found.code == 0
    assert found.json["damage"] == {"error": "the index does not have it", "where": "entry 0"}
    assert found.json == {**whole, "rebuilt": True, "damage": found.json["damage"]}
    assert "nothing is to be rebuilt" in call(*command).text
    with closing(sqlite3.connect(drone / "ledger.db", isolation_level=None)) as file:
        file.execute("DELETE FROM blocks WHERE height = 1")
    said = call(*command, "--json")
    assert (said.code, said.json["verified"], said.json["where"]) == (1, False, "height 1")
    said = call(*command)
    assert said.code == 1
    assert "height 1: the block is missing" in said.err
    assert "the file was left as it is" in said.err


@pytest.mark.parametrize(
    "command", [["verify"], ["show"], ["reindex"], ["prove", "--decision", 1]]
)
def test_a_ledger_that_is_not_there_is_told_as_that(tmp_path: Path, command: list[object]) -> None:
    said = call("ledger", *command, tmp_path / "nope")
    assert f"there is no {tmp_path / 'nope'}. Name a drone's folder" in said.refused()
    too_long = tmp_path / ("n" * 300)
    assert f"cannot read {too_long}: " in call("ledger", *command, too_long).refused()


# terminals


def test_a_mission_that_cannot_be_flown_leaves_no_header(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    mission = ["sim", "--transport", "memory", "--run-dir", tmp_path / "file"]
    shown = unstyled(on_terminal(120, *mission, code=2))
    assert "Give a --run-dir that you may write to." in shown
    assert "of them Byzantine" not in shown


def on_terminal(columns: int, *arguments: object, code: int = 0) -> str:
    """Return what a command shows on a terminal of that width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = surroundings(TERM="xterm-256color")
    environment.pop("COLUMNS", None)
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65_536)
        except OSError:  # Linux says EIO when the other end is closed
            break
        shown += piece
        if not piece:
            break
    os.close(ours)
    assert process.wait(60) == code, shown
    return shown.decode()


@pytest.mark.parametrize("columns", [120, 50])
def test_the_live_table_fits_the_terminal(tmp_path: Path, columns: int) -> None:
    mission = ["sim", "--transport", "memory", "--run-dir", tmp_path / "run"]
    shown = unstyled(on_terminal(columns, *mission))
    lines = [line.rstrip("\r") for line in shown.replace("\r\n", "\n").split("\n")]
    table = [line for line in lines if line.startswith("│ drone_")]
    assert table
    assert all(len(line) <= columns for line in table)
    last = table[-4:]
    assert [line.split()[1] for line in last] == [f"drone_{n}" for n in range(1, 5)]
    assert sum("counted" in line for line in last) >= 3
    assert ("latency" in shown) is (columns == 120)
    assert "Decision: " in shown


@pytest.mark.parametrize("columns", [120, 50])
def test_tables_fit_the_terminal(four: Path, columns: int) -> None:
    for command in (["doctor"], ["ledger", "show", four / "drone_1"]):
        shown = unstyled(on_terminal(columns, *command))
        assert all(len(line.rstrip("\r\n")) <= columns for line in shown.splitlines())


def test_a_reader_that_goes_away_is_no_accident(four: Path) -> None:
    command = [*COMMAND, "ledger", "show", four / "drone_1"]
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        command, env=surroundings(), stdout=theirs, stderr=subprocess.PIPE, check=False
    )
    os.close(theirs)
    assert b"Traceback" not in done.stderr
    assert done.returncode == 1


def test_ctrl_c_in_simulated_time_ends_it_quietly(tmp_path: Path) -> None:
    mission = ["--transport", "memory", "--drones", 40, "--byzantine", 0]
    with Started(["sim", *mission, "--run-dir", tmp_path / "run"]) as started:
        started.until("met drone_2 ")
        started.process.send_signal(signal.SIGINT)
        assert started.end() == 130
    assert "Traceback" not in "".join(started.said)


def test_json_is_one_line_of_ascii_safe_output(four: Path) -> None:
    for command in (["ledger", "show", four / "drone_1"], ["doctor"]):
        said = call(*command, "--json")
        assert json.loads(said.out) == said.json
        assert b"\x1b" not in said.out


def test_a_command_imports_no_other_command() -> None:
    """Or each of them would take as long to begin as all of them together."""
    code = (
        "import sys; sys.argv = ['swarm-ledger', 'verify', '--help']\n"
        "from swarm_ledger.cli import main\n"
        "try: main()\n"
        "finally: print(*(name for name in sys.modules if name.startswith('swarm_ledger.cli.')))"
    )
    said = subprocess.run(
        [COMMAND[0], "-c", code], env=surroundings(), capture_output=True, text=True, check=True
    )
    imported = said.stdout.splitlines()[-1].split()
    assert sorted(imported) == [
        f"swarm_ledger.cli.{name}" for name in ("app", "lazy", "output", "verify")
    ]


def test_a_slip_in_a_command_s_name_is_answered_with_what_was_meant() -> None:
    assert "Did you mean 'rule'?" in call("rul").refused()
    assert "Did you mean 'serve'?" in call("ledger", "servee").refused()
