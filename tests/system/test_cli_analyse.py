# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`analyse` and `ledger reputation` as their users meet them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarm_ledger.encoding import encode
from swarm_ledger.identity.trust import write_files
from swarm_ledger.identity.tuf import ROOT, ROSTER, TARGETS
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.blocks import genesis_entry
from swarm_ledger.runtime.machine import Machine
from swarm_ledger.voting.question import Question, question_id
from swarm_ledger.voting.rules import AnyRule, Majority, Plurality
from tests.crew import T0_MS, Crew
from tests.system.command import call


def ledger(folder: Path, rule: AnyRule, blocks: int) -> Path:
    """Write a ledger in which drone_4 is always wrong, and its roster beside it."""
    crew = Crew()
    root, (targets, raw) = crew.anchor
    write_files(folder / "roster", {ROOT: root, ROSTER: raw, TARGETS: targets})
    machine, drone = Machine(crew.trust), folder / "drone_1"
    drone.mkdir()
    with Store.open(drone / "ledger.db") as store:
        store.append_block(0, (genesis_entry(crew.roster),), b"")
        sessions = [crew.identity(name).delegation for name in crew.names]
        store.append_block(1, machine.apply(1, T0_MS, sessions).entries, b"")
        for height in range(2, blocks + 2):
            nonce = height.to_bytes(16, "big")
            question = Question("What?", ("cup", "two_faces"), rule, 8_000, nonce)
            crew.question_id = question_id(encode(question))
            votes = [crew.vote(name, int(name == "drone_4")) for name in crew.names]
            requests = [crew.asked(question), *votes]
            entries = machine.apply(height, T0_MS + height, requests).entries
            store.append_block(height, entries, b"")
    return drone


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    return ledger(tmp_path_factory.mktemp("reputations"), Plurality(), 12)


def test_reputations_are_shown_with_their_entries(wrong: Path) -> None:
    found = call("ledger", "reputation", wrong, "--json").json
    assert found["learns"] is True
    assert [one["member"] for one in found["voters"]] == [f"drone_{n}" for n in range(1, 5)]
    assert [one["standing"] for one in found["voters"]] == [*["good"] * 3, "exclude"]
    assert [(one["member"], one["standing"], one["reason"]) for one in found["changes"]] == [
        ("drone_4", "suspect", "often_wrong"),
        ("drone_4", "exclude", "often_wrong"),
    ]
    said = call("ledger", "reputation", wrong)
    assert said.code == 0
    assert "drone_4 should be excluded, the swarm proposes (often wrong" in said.text


def test_a_swarm_of_majorities_has_none(tmp_path: Path) -> None:
    drone = ledger(tmp_path, Majority(), 1)
    assert call("ledger", "reputation", drone, "--json").json == {
        "learns": False,
        "voters": [],
        "changes": [],
    }
    assert "no reputations" in call("ledger", "reputation", drone).text


def test_reliability_from_ledgers(wrong: Path, tmp_path: Path) -> None:
    (estimate,) = call("analyse", "reliability", wrong, "--json").json["estimates"]
    accuracy = {one["name"]: one["accuracy"] for one in estimate["voters"]}
    assert accuracy["drone_1"] > 0.9
    assert accuracy["drone_4"] < 0.1
    assert estimate["questions"] == 12
    assert "drone_4" in call("analyse", "reliability", wrong, wrong).text
    assert "no votes" in call("analyse", "reliability", ledger(tmp_path, Majority(), 0)).refused()
    assert call("analyse", "reliability", tmp_path / "nowhere").refused()


def test_resilience_as_a_table_as_json_and_as_a_plot(tmp_path: Path) -> None:
    plot = tmp_path / "wrong.svg"
    arguments = ["--drones", 4, "--rule", "majority", "--rule", "bayes", "--runs", 20]
    found = call("analyse", "resilience", *arguments, "--plot", plot, "--json").json
    assert found["setting"]["faulty"] == 1
    assert len(found["odds"]) == 4 * 2 * 4
    (one,) = (
        row
        for row in found["odds"]
        if (row["rule"], row["strategy"], row["liars"]) == ("majority", "colluding", 1)
    )
    assert one["exact"] is True
    assert one["right"] == pytest.approx(0.9**3)
    assert [row["rule"] for row in found["edges"]] == ["majority", "bayes"]
    assert len(list(ET.parse(plot).getroot().iter())) > 40
    said = call("analyse", "resilience", *arguments, "--strategy", "sleeper", "--most", 1)
    assert said.code == 0
    assert "72.9 / 2.8 / 24.3" in said.text
    again = call("analyse", "resilience", *arguments, "--json").json
    assert again == found


@pytest.mark.parametrize(
    "arguments",
    [
        ("--rule", "loudest"),
        ("--strategy", "kind"),
        ("--drones", 3),
        ("--labels", 9),
        ("--accuracy", 1),
        ("--accuracy", "nan"),
    ],
)
def test_what_cannot_be_analysed_is_told(arguments: tuple[object, ...]) -> None:
    assert call("analyse", "resilience", "--runs", 1, *arguments).refused()
