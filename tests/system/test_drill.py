# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Four real processes over ZeroMQ: robbed of their leader, cut apart, one ledger in the end."""

from __future__ import annotations

import io
import re
import signal
from pathlib import Path

import pytest
from rich.console import Console

from swarm_ledger.audit.ledger import open_ledger, verify_ledger
from swarm_ledger.cli.drill import View, check_alike
from swarm_ledger.envelope import Kind, kind_of
from swarm_ledger.errors import NotVerified
from swarm_ledger.identity.trust import load_trust
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.fleet import FLEET, LEDGER, Fleet
from swarm_ledger.sim.events import Event
from tests.system.command import Started, call, gone, run

NAMES = [f"drone_{number}" for number in range(1, 5)]


@pytest.mark.slow(40)
def test_the_swarm_recovers_and_all_four_ledgers_end_identical(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    said = run("drill", "--run-dir", folder, "--timeout", 60, "--json", patience_s=600)
    assert said.code == 0, said
    found = said.json
    assert found["recovered"]
    steps = "\n".join(step["what"] for step in found["steps"])
    for words in (
        "is killed with SIGKILL",
        "commit in view",
        "has caught up",
        "neither half",
        "all on its disk is lost",
        "and follows",
        "takes part again",
    ):
        assert words in steps, steps
    roster = load_trust(folder / "roster")
    ledgers = []
    for name in NAMES:
        with open_ledger(folder / name) as store:
            verdict = verify_ledger(store, roster)
            assert (verdict.height, verdict.root.hex()) == (found["height"], found["root"])
            assert verdict.covered == verdict.size, "certified to its end"
            ledgers.append([store.entry(index) for index in range(store.size)])
        log = (folder / f"{name}.log").read_text()
        assert not log, log
    assert ledgers[0] == ledgers[1] == ledgers[2] == ledgers[3]
    asked = [entry for entry in ledgers[0] if kind_of(entry) is Kind.TICK]
    assert len(asked) == len(set(asked)), "a request was ordered twice"
    spoiled = Fleet.load(folder / FLEET)
    _cut_off_the_end(folder / NAMES[2], folder)
    with pytest.raises(NotVerified, match="drone_3"):
        check_alike(spoiled)


def _cut_off_the_end(drone: Path, folder: Path) -> None:
    """Replace a drone's ledger by a shorter one that also holds."""
    with open_ledger(drone) as store:
        blocks = [store.block(height) for height in range(6)]
    (drone / LEDGER).unlink()
    with Store.open(drone / LEDGER) as shorter:
        for height, block in enumerate(blocks):
            shorter.append_block(height, block.entries, block.certificate)
    with open_ledger(drone) as shorter:
        assert verify_ledger(shorter, load_trust(folder / "roster")).height == 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_drone_outlives_a_drill(tmp_path: Path, number: signal.Signals) -> None:
    with Started(["drill", "--run-dir", tmp_path / "run"]) as started:
        started.until("is started again")
        children = started.children()
        assert set(NAMES) <= children.keys()
        started.process.send_signal(number)
        code = started.end()
        assert code == (130 if number == signal.SIGINT else -number)
        assert gone(list(children.values())), "a drone lives on"
    assert "Traceback" not in "".join(started.said)


def test_a_drill_that_fails_says_what_it_waited_for(tmp_path: Path) -> None:
    said = run("drill", "--run-dir", tmp_path / "run", "--timeout", 1, "--rate", 1, "--json")
    assert said.code == 1, said
    assert not said.json["recovered"]
    assert re.match(r"waited 1 s until all four have committed block \d+;", said.json["error"])


def test_a_terminal_shows_a_line_for_each_drone() -> None:
    out = io.StringIO()
    with View(Console(file=out, force_terminal=True, width=80), quiet=False) as view:
        for name in NAMES:
            view.take(Event(name, "status", {"leader": "drone_2", "view": 1, "height": 41}))
        view.say("it goes on")
        view.take(Event("drone_3", "lost", {"how": "SIGKILL"}))
    last = out.getvalue().rpartition("stable")[2].splitlines()
    rows = {name: next(line for line in last if f" {name} " in line) for name in NAMES}
    assert "it goes on" in out.getvalue()
    assert all("41" in rows[name] for name in NAMES if name != "drone_3"), rows
    assert "lost (SIGKILL)" in rows["drone_3"]
    assert view.steps[0]["what"] == "it goes on"


def test_a_folder_that_holds_a_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / FLEET).touch()
    assert "already holds a run" in call("drill", "--run-dir", tmp_path).refused()
