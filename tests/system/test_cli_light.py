# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`light`, `ledger prove --light` and `ledger serve --zmq` as their users meet them."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from swarm_ledger.cli import light
from swarm_ledger.identity.trust import write_files
from swarm_ledger.identity.tuf import ROOT, ROSTER, TARGETS
from swarm_ledger.runtime.membership import roster_request
from tests.crew import END, Crew
from tests.histories import History
from tests.light import FIRST_FOUR, NOW, decided
from tests.system.command import Said, Started, call

CREW = Crew()


@pytest.fixture(autouse=True)
def then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(light, "now", lambda: NOW)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    made = decided(CREW, tmp_path / "drone_1")
    root, (targets, roster) = CREW.anchor
    write_files(tmp_path / "roster", {ROOT: root, ROSTER: roster, TARGETS: targets})
    yield made
    made.close()


def ask(history: History, source: object, *more: object) -> Said:
    home = history.folder.parent
    given = ["--root", home / "roster" / ROOT, "--state", home / "state"]
    return call("light", source, *given, *more)


def test_a_drones_ledger_is_followed_from_the_root_alone(history: History) -> None:
    said = ask(history, history.folder, "--json").json
    assert said["text"].startswith("Decision 1 at height 3: What is it?: cup")
    assert (said["verified"], said["decision"], said["epoch"], said["known"]) == (
        True,
        "cup",
        1,
        0,
    )
    assert said["signers"] == list(FIRST_FOUR[:3])
    second = CREW.changed(CREW.roster, add=["drone_5"], revoke=["drone_4"])
    history.change(second, roster_request(second))
    history.checkpoint("drone_1", "drone_2", "drone_3", "drone_5")
    again = ask(history, history.folder / "ledger.db", "--index", 0, "--json").json
    assert (again["kind"], again["epoch"], again["known"]) == ("genesis", 2, said["size"])
    asked = ask(history, history.folder, "--question", CREW.question_id.hex())
    assert (asked.code, "cup" in asked.text, "0 entries more" in asked.text) == (0, True, True)
    assert ask(history, history.folder, "--decision", 1, "--json").json["height"] == 3


def test_an_exported_answer_needs_no_ledger(history: History, tmp_path: Path) -> None:
    file = tmp_path / "decision.answer"
    file.write_bytes(call("ledger", "prove", history.folder, "--decision", 1, "--light").out)
    first = ask(history, file, "--json").json
    history.blocks(2)
    history.checkpoint()
    prove = ["ledger", "prove", history.folder, "--decision", 1, "--light"]
    file.write_bytes(call(*prove, "--since", first["size"], "--roster", tmp_path / "roster").out)
    assert ask(history, file, "--json").json["known"] == first["size"]
    file.write_bytes(file.read_bytes()[:-1])
    said = ask(history, file, "--json")
    assert (said.code, said.json["verified"], said.json["where"]) == (1, False, "answer")


def test_what_does_not_hold_is_told(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = decided(CREW, tmp_path / "liars" / "drone_1", *FIRST_FOUR[1:], "drone_1")
    for mark, one in enumerate((history, other)):
        one.blocks(1, mark)
        one.checkpoint()
    assert ask(history, history.folder).code == 0
    forked = ask(history, other.folder, "--roster", tmp_path / "roster", "--json")
    assert (forked.code, forked.json["where"]) == (1, "fork")
    assert (Path(forked.json["evidence"]) / "claimed.note").exists()
    told = ask(history, other.folder, "--roster", tmp_path / "roster")
    assert (told.code, "Both are kept in" in told.err) == (1, True)
    assert ask(history, history.folder, "--decision", 2, "--json").json["evidence"] is None
    monkeypatch.setattr(light, "now", lambda: datetime.max.replace(tzinfo=END.tzinfo))
    expired = ask(history, history.folder)
    assert (expired.code, "expired on 2031" in expired.err) == (1, True)
    other.close()


def test_it_is_asked_wrongly(history: History, tmp_path: Path) -> None:
    assert "there is no" in ask(history, tmp_path / "none").refused()
    assert "cannot ask" in ask(history, "ftp://somewhere/").refused()
    assert "64 hex" in ask(history, history.folder, "--question", "cup").refused()
    assert "no ledger" in ask(history, history.folder, "--index", 2**63).refused()
    both = ["--decision", 1, "--index", 1]
    assert "name one" in ask(history, history.folder, *both).refused()
    assert "goes with" in ask(history, "tcp://a:5", "--roster", tmp_path / "roster").refused()
    given = ["--state", tmp_path / "state"]
    said = call("light", history.folder, "--root", tmp_path / "none.json", *given)
    assert "cannot read" in said.refused()
    prove = call("ledger", "prove", history.folder, "--decision", 1, "--since", 3)
    assert "go with --light" in prove.refused()


def test_a_ledger_is_served_over_http_and_zeromq(history: History, tmp_path: Path) -> None:
    where = ["--port", 0, "--zmq", "tcp://127.0.0.1:0"]
    with Started(["ledger", "serve", history.folder, *where, "--json"]) as started:
        said = json.loads(started.until("url"))
        assert said["light"] is True
        for number, url in enumerate((said["url"], said["zmq"])):
            found = ask(history, url, "--json").json
            assert (found["decision"], found["known"] > 0) == ("cup", number == 1)
        started.process.send_signal(signal.SIGTERM)
        assert started.end() == 0
    assert ask(history, said["zmq"]).code == 1


def test_serve_is_asked_wrongly(history: History, tmp_path: Path) -> None:
    for address in ("ipc://x", "tcp://127.0.0.1", "tcp://127.0.0.1:99999"):
        said = call("ledger", "serve", history.folder, "--port", 0, "--zmq", address)
        assert "tcp://HOST:PORT" in said.refused()
    (tmp_path / "roster" / ROSTER).unlink()
    said = call("ledger", "serve", history.folder, "--zmq", "tcp://127.0.0.1:0")
    assert "no roster" in said.refused()
