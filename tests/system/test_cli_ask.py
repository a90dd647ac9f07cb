# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger ask` over real sockets, encrypted as the drones' links are."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from swarm_ledger.envelope import Kind, kind_of
from swarm_ledger.identity.channel import CHANNEL
from swarm_ledger.light_client import verify_proof
from swarm_ledger.light_client.follower import load
from swarm_ledger.light_client.policies import policy_of
from swarm_ledger.runtime.fleet import FLEET, wall_clock_ms
from swarm_ledger.sim.mission import KEY, OPERATOR
from swarm_ledger.transport.secret import CLEAR
from swarm_ledger.voting.decision import parse_settled
from tests.crew import look
from tests.patience import PATIENCE_S
from tests.system.command import COMMAND, call, surroundings
from tests.wired import Wired


@pytest.fixture
def wired(tmp_path: Path) -> Iterator[Wired]:
    made = Wired(tmp_path / "run")
    yield made
    made.close()


@pytest.fixture
def secret(tmp_path: Path) -> Iterator[Wired]:
    made = Wired(tmp_path / "run", secret=True)
    yield made
    made.close()


def options(wired: Wired) -> list[Any]:
    given = {
        "--fleet": wired.folder / FLEET,
        "--operator": f"file:{wired.folder / OPERATOR / KEY}",
        "--channel": wired.folder / "drone_1" / CHANNEL,
        "--labels": "cup,two_faces",
    }
    return [part for option, value in given.items() for part in (option, value)]


def asked(wired: Wired, *more: Any, sees: bool) -> tuple[int, dict[str, Any]]:
    """Ask while the swarm flies; return the exit code, and what was printed."""
    arguments = ["ask", "What stands there?", *options(wired), "--json", *more]
    with subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        env=surroundings(),
        cwd=wired.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:

        def ended() -> bool:
            for number, one in enumerate(wired.flown.values()):
                if sees and one.drone.curious:
                    one.drone.look(look(number, stamp_ms=wall_clock_ms()))
            return process.poll() is not None

        wired.until("it has ended", ended)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert out, err.decode()
    return process.returncode, json.loads(out)


def test_a_decision_comes_with_its_proof(wired: Wired) -> None:
    wired.start()
    code, said = asked(wired, "--deadline", 60, sees=True)
    assert (code, said["code"], said["outcome"], said["label"]) == (0, "none", "decided", "cup")
    root = (wired.directory / "root.json").read_bytes()
    head = load(root, (wired.folder / "ask.state").read_bytes())
    proof = (wired.folder / said["proof"]).read_bytes()
    settled = parse_settled(verify_proof(policy_of(head.opener), proof).entry[1:])
    assert settled.decision.question.hex() == said["question"]
    assert settled.votes == said["votes"]
    code, said = asked(wired, "--deadline", 2, "--out", "undecided.proof", sees=False)
    assert (code, said["outcome"], said["label"]) == (1, "undecided", None)
    assert said["number"] == settled.decision.number + 1
    assert (wired.folder / "undecided.proof").exists()


def test_a_swarm_that_speaks_in_secret_is_asked_in_secret(secret: Wired) -> None:
    secret.start()
    code, said = asked(secret, "--deadline", 60, sees=True)
    assert (code, said["code"], said["outcome"], said["label"]) == (0, "none", "decided", "cup")
    root = (secret.directory / "root.json").read_bytes()
    head = load(root, (secret.folder / "ask.state").read_bytes())
    proof = (secret.folder / said["proof"]).read_bytes()
    settled = parse_settled(verify_proof(policy_of(head.opener), proof).entry[1:])
    assert settled.decision.question.hex() == said["question"]
    everything = b"\0".join(raw for heard in secret.heard.values() for raw in heard)
    kinds = {kind_of(raw) for heard in secret.heard.values() for raw in heard}
    assert {Kind.CONFIDED, Kind.SECRET} <= kinds <= {*CLEAR, Kind.SECRET, Kind.CONFIDED}
    for word in (b"What stands there?", b"two_faces", settled.decision.question):
        assert word not in everything
    for one in secret.flown.values():
        assert one.drone.status()["secrecy"] == "on"
        assert not {"not_asked", "no_share", "bad_share", "not_secret"} & one.drone.faults.keys()


def test_what_is_asked_wrongly_is_refused(wired: Wired) -> None:
    wired.start()
    wired.go_on(blocks=2)
    given = options(wired)

    def refused(option: str, value: object) -> str:
        place = given.index(option) + 1
        changed = [*given[:place], value, *given[place + 1 :]]
        return call("ask", "What?", *changed).refused()

    assert "with 1 label can't be asked" in refused("--labels", "cup")
    stolen = f"file:{wired.folder / 'drone_1' / KEY}"
    assert "no operator's in roster version 1" in refused("--operator", stolen)
    assert "no channel keys at /nowhere" in refused("--channel", "/nowhere")
    without = [part for part in given if part not in given[4:6]]
    assert "links are encrypted" in call("ask", "What?", *without).refused()
    elsewhere = call("ask", "What?", *given, "--from", "ftp://nowhere").refused()
    assert "neither http://" in elsewhere
