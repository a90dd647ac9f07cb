# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`ledger compare`, `export` and `serve` as their users meet them."""

from __future__ import annotations

import base64
import json
import shutil
import signal
import sqlite3
import urllib.request
from pathlib import Path

import pytest

from swarm_ledger.envelope import Opener
from swarm_ledger.identity.trust import load_trust, write_files
from swarm_ledger.identity.tuf import ROOT, ROSTER, TARGETS
from swarm_ledger.runtime.evidence import examine
from tests.crew import Crew
from tests.histories import History
from tests.laid_open import lay_open
from tests.system.command import Started, call, flipped, run

CREW = Crew()


def roster_of(crew: Crew, folder: Path) -> Path:
    root, (targets, raw) = crew.anchor
    write_files(folder, {ROOT: root, ROSTER: raw, TARGETS: targets})
    return folder


@pytest.fixture
def forked(tmp_path: Path) -> Path:
    """A run folder where drone_2 and drone_3 signed both a history of drone_1 and of drone_4."""
    roster_of(CREW, tmp_path / "roster")
    for name, signers in (("drone_1", CREW.names[:3]), ("drone_4", CREW.names[1:])):
        made = History(CREW, tmp_path / name, *signers)
        made.block(*made.delegations())
        made.checkpoint()
        if name == "drone_1":
            made.copy_to(tmp_path / "drone_2")
        made.block(made.tick(name, 1))
        made.checkpoint()
        made.close()
    return tmp_path


def test_ledgers_of_one_flight_are_one_log(four: Path) -> None:
    ledgers = sorted(four.glob("drone_*"))
    said = run("ledger", "compare", *ledgers)
    assert said.code == 0
    assert said.text.splitlines()[-1] == "consistent: these ledgers are one log"
    found = call("ledger", "compare", *ledgers, "--json").json
    assert (found["consistent"], found["forked"], found["culprits"]) == (True, False, [])
    assert [one["ledger"] for one in found["ledgers"]] == [str(path) for path in ledgers]
    assert len({one["root"] for one in found["ledgers"]}) == 1


def test_a_fork_names_who_signed_both(forked: Path) -> None:
    ledgers = [forked / name for name in ("drone_1", "drone_2", "drone_4")]
    said = run("ledger", "compare", *ledgers)
    assert said.code == 1
    assert "forked from height 2 on, in epoch 1: more than 1 of 4 validators lied" in said.text
    accused = [line for line in said.text.splitlines() if "culprit" in line]
    assert [line.split()[1] for line in accused] == ["drone_2", "drone_3"]
    said = call("ledger", "compare", *ledgers, "--json")
    assert said.code == 1
    found = said.json
    assert (found["consistent"], found["forked"]) == (False, True)
    assert found["culprits"] == ["drone_2", "drone_3"]
    (fork,) = found["forks"]
    assert (fork["height"], fork["not_accused"]) == (2, [])
    assert [side["commits"]["view"] for side in fork["sides"]] == [0, 0]
    assert fork["checkpoints"]["notes"][0] != fork["checkpoints"]["notes"][1]
    roster = load_trust(forked / "roster").genesis
    for culprit in fork["culprits"]:
        charge = examine(base64.b64decode(culprit["evidence"]), Opener(roster))
        assert (charge.culprit.name, charge.about) == (culprit["name"], culprit["about"])
        assert charge.culprit.drone_id == culprit["id"]
    (behind,) = (one["behind"] for one in found["ledgers"] if one["behind"])
    assert (behind["blocks"], behind["entries"]) == (1, 2)


def test_one_that_does_not_verify_is_named_and_stops_nobody(four: Path, tmp_path: Path) -> None:
    shutil.copytree(four / "drone_1", tmp_path / "bad")
    with sqlite3.connect(tmp_path / "bad" / "ledger.db") as database:
        lay_open(database)
        (data,) = database.execute("SELECT data FROM entries WHERE height = 2").fetchone()
        database.execute("UPDATE entries SET data = ? WHERE data = ?", (flipped(data, 9), data))
    database.close()
    ledgers = [tmp_path / "bad", four / "drone_2", four / "drone_3"]
    said = call("ledger", "compare", *ledgers)
    assert said.code == 1
    lines = said.text.splitlines()
    assert lines[0].startswith(f"does not hold: {tmp_path / 'bad'}: height 2: its entries ")
    assert lines[-1] == "the ledgers that hold are one log"
    found = call("ledger", "compare", *ledgers, "--json").json
    assert [one["verified"] for one in found["ledgers"]] == [False, True, True]
    assert found["ledgers"][0]["where"] == "height 2"
    assert (found["consistent"], found["forked"]) == (False, False)


def test_ledgers_of_two_swarms(four: Path, forked: Path) -> None:
    ledgers = [four / "drone_1", forked / "drone_1"]
    assert "of different swarms" in call("ledger", "compare", *ledgers).refused()
    told = call("ledger", "compare", *ledgers, "--roster", four / "roster").text
    assert f"{forked / 'drone_1'}: height 0: it does not begin with this roster." in told
    said = call("ledger", "compare", *ledgers, "--roster", four / "roster", "--json")
    assert said.code == 1
    assert [one["verified"] for one in said.json["ledgers"]] == [True, False]
    assert said.json["ledgers"][1]["error"] == "it does not begin with this roster."


def test_compare_is_asked_wrongly(four: Path, tmp_path: Path) -> None:
    for arguments, said in (
        ([four / "drone_1"], "nothing to compare"),
        ([four / "drone_1", four / "drone_1" / "ledger.db"], "one ledger"),
        ([four / "drone_1", tmp_path / "none"], "there is no"),
        ([four / "drone_1", tmp_path], "neither ledger.db nor tiles"),
        ([four / "drone_1", four / "drone_2", "--roster", tmp_path], "root.json"),
    ):
        assert said in call("ledger", "compare", *arguments).refused()
    for name in ("one", "two"):
        shutil.copytree(four / "drone_1", tmp_path / "far" / name / name)
    lonely = [tmp_path / "far" / name / name for name in ("one", "two")]
    assert "Name one with --roster." in call("ledger", "compare", *lonely).refused()


def test_a_ledger_is_exported_and_compared_with_its_tiles(four: Path, tmp_path: Path) -> None:
    tiles, jsonl, policy = (tmp_path / name for name in ("tiles", "out.jsonl", "policy"))
    options = ["--tiles", tiles, "--jsonl", jsonl, "--policy", policy]
    found = call("ledger", "export", four / "drone_1", *options, "--json").json
    size = found["tiles"]["size"]
    assert found["tiles"]["before"] == 0
    assert found["jsonl"] == {"file": str(jsonl), "entries": size}
    assert len([json.loads(line) for line in jsonl.read_bytes().splitlines()]) == size
    assert policy.read_bytes() == (four / "policy").read_bytes()
    again = call("ledger", "export", four / "drone_2", "--tiles", tiles, "--json").json
    assert (again["tiles"]["before"], again["tiles"]["files"]) == (size, 0)
    told = call("ledger", "export", four / "drone_1", "--tiles", tiles)
    assert told.text.startswith("0 new tiles, 0 bytes, ")
    ledgers = [four / "drone_1", tiles, "--roster", four / "roster"]
    assert call("ledger", "compare", *ledgers, "--json").json["consistent"] is True


def test_export_is_asked_wrongly(four: Path, tmp_path: Path) -> None:
    assert "nothing is to be exported" in call("ledger", "export", four / "drone_1").refused()
    shutil.copy(four / "drone_1" / "ledger.db", tmp_path / "ledger.db")
    lonely = ["ledger", "export", tmp_path, "--jsonl", tmp_path / "out"]
    assert "Name one with --roster." in call(*lonely).refused()
    assert not (tmp_path / "out").exists()
    into = ["--tiles", four / "policy"]
    assert "cannot write" in call("ledger", "export", four / "drone_1", *into).refused()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_ledger_is_served_until_it_is_told_to_end(
    four: Path, number: signal.Signals, code: int
) -> None:
    with Started(["ledger", "serve", four / "drone_1", "--port", 0, "--json"]) as started:
        said = json.loads(started.until("url"))
        with urllib.request.urlopen(said["url"] + "checkpoint", timeout=20) as answer:
            note = answer.read().decode()
        assert note.splitlines()[:2] == [said["origin"], str(said["size"])]
        started.process.send_signal(number)
        assert started.end() == code


def test_serve_is_asked_wrongly(four: Path, tmp_path: Path) -> None:
    assert "there is no" in call("ledger", "serve", tmp_path / "none").refused()
    said = call("ledger", "serve", four / "drone_1", "--host", "no.such.host.invalid")
    assert "cannot listen" in said.refused()
