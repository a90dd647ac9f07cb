# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger sim`: what it prints, how it exits, and what liars can do in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from swarm_ledger.cli import flown
from swarm_ledger.ledger.policy import Policy
from swarm_ledger.light_client import verify_proof
from swarm_ledger.sim import mission as missions
from swarm_ledger.sim.mission import Mission
from swarm_ledger.sim.outcome import Ledgers, Outcome
from tests.system.command import MISSION, Flight, Said, call, run

Flown = Callable[[str], Flight]

TRANSPORTS = ("memory", "zmq", "ros")


@pytest.mark.slow
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_mission_of_the_issue(flown: Flown, transport: str) -> None:
    folder, said = flown(transport)
    assert said.code == 0, said
    found = said.json
    assert found["truth"] == "two_faces"
    assert found["decision"] in ("two_faces", "cup", "tie", "undecided")
    assert found["correct"] is (found["decision"] == found["truth"])
    assert set(found["votes"]) == {"cup", "two_faces", "unknown"}
    assert 5 <= sum(found["votes"].values()) <= 7
    assert found["agree"] is True
    assert found["verified"] is True
    assert (found["drones"], found["byzantine"]) == (7, 2)
    assert found["transport"] == transport
    assert found["height"] >= 3
    assert len(bytes.fromhex(found["root"])) == 32
    assert 0 <= found["latency_ms"]["p50"] <= found["latency_ms"]["p99"]
    assert 0 < found["elapsed_s"] < 60
    assert found["run_dir"] == str(folder)
    assert len(found["liars"]) == 2
    assert found["lost"] == {}
    assert found["key_store"] == {f"drone_{n}": "software" for n in range(1, 8)}


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_every_honest_drone_holds_the_ledger_that_was_reported(
    flown: Flown, transport: str
) -> None:
    folder, said = flown(transport)
    honest = [f"drone_{n}" for n in range(1, 8) if f"drone_{n}" not in said.json["liars"]]
    for name in honest:
        shown = call("ledger", "verify", folder / name, "--json")
        assert shown.code == 0, shown
        assert shown.json["root"] == said.json["root"]
        assert shown.json["height"] == said.json["height"]
        assert shown.json["covered"] == shown.json["size"], "all of it is certified at the end"


@pytest.mark.parametrize("transport", ["zmq", "ros"])
def test_each_drone_tells_which_leases_it_holds(flown: Flown, transport: str) -> None:
    folder, said = flown(transport)
    for name in said.json["key_store"]:
        assert (folder / name / "leases.held").read_text() == '{"leases":{},"actions":[]}'


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_exported_proof_says_what_was_printed(flown: Flown, transport: str) -> None:
    folder, said = flown(transport)
    policy = Policy.parse((folder / "policy").read_bytes())
    verified = verify_proof(policy, (folder / "decision-1.tlog-proof").read_bytes())
    assert len(verified.signers) == 5
    assert said.json["text"].encode() not in verified.entry, "the entry is CBOR, not our sentence"
    told = call(
        "verify", folder / "decision-1.tlog-proof", "--policy", folder / "policy", "--json"
    )
    assert told.json["text"] == said.json["text"]
    assert told.json["votes"] == said.json["votes"]


def test_one_seed_gives_one_ledger_and_another_seed_another(flown: Flown, tmp_path: Path) -> None:
    _, first = flown("memory")
    again = run("sim", *MISSION, "--transport", "memory", "--run-dir", tmp_path / "a", "--json")
    other = call(
        "sim", *MISSION[:-1], 4, "--transport", "memory", "--run-dir", tmp_path / "b", "--json"
    )
    assert again.json["root"] == first.json["root"]
    assert again.json["votes"] == first.json["votes"]
    assert other.json["root"] != first.json["root"]


@pytest.mark.parametrize(
    ("attack", "drones", "byzantine", "seed"),
    [
        *((attack, 4, 1, 0) for attack in ("lie", "equivocate", "silent")),
        ("equivocate", 7, 2, 5),
        ("lie", 10, 3, 1),
        ("silent", 10, 3, 1),
    ],
)
def test_f_liars_stop_nothing(
    tmp_path: Path, attack: str, drones: int, byzantine: int, seed: int
) -> None:
    said = fly(tmp_path / "run", attack, drones, byzantine, seed)
    found = said.json
    assert said.code == 0, said
    assert found["agree"] is True
    assert found["verified"] is True
    assert found["decision"] is not None
    counted = sum(found["votes"].values())
    assert drones - byzantine <= counted + found["voided"] <= drones
    assert set(found["evidence"]) <= set(found["liars"]), "an honest drone was blamed"
    if attack == "silent":
        assert counted <= drones - byzantine


def test_who_was_convicted_is_shown_and_verified(tmp_path: Path) -> None:
    said = fly(tmp_path / "run", "equivocate", 4, 1, 2)
    (liar,) = said.json["liars"]
    drone = next(name for name in ("drone_1", "drone_2") if name != liar)
    for command in ("show", "verify"):
        (told,) = call("ledger", command, tmp_path / "run" / drone, "--json").json["convictions"]
        assert told["culprit"] == liar
        assert told["about"].startswith("the vote on question ")
        in_words = call("ledger", command, tmp_path / "run" / drone).text
        assert told["text"] in in_words.replace("\n", " ")
    shutil.move(tmp_path / "run" / "roster", tmp_path / "elsewhere")
    assert call("ledger", "show", tmp_path / "run" / drone, "--json").json["convictions"] == []
    named = ["--roster", tmp_path / "elsewhere", "--json"]
    assert call("ledger", "show", tmp_path / "run" / drone, *named).json["convictions"] == [told]


def fly(folder: Path, attack: str, drones: int, byzantine: int, seed: int, *more: object) -> Said:
    swarm = ["--drones", drones, "--byzantine", byzantine, "--attack", attack, "--seed", seed]
    return call("sim", *swarm, "--transport", "memory", "--run-dir", folder, *more, "--json")


def test_a_voter_that_says_two_things_is_named(tmp_path: Path) -> None:
    swarm = ["--attack", "equivocate", "--transport", "memory", "--run-dir", tmp_path / "run"]
    said = call("sim", *swarm)
    liar = next(line for line in said.text.splitlines() if line.startswith("Liars: "))
    name = liar.split()[1]
    assert f"Evidence: {name} contradicted itself" in said.text
    shown = call("ledger", "show", tmp_path / "run" / "drone_1", "--json").json
    votes = sum(block["kinds"].get("vote", 0) for block in shown["blocks"])
    assert votes == 5, "four drones, one of which voted twice: both its votes are kept"


def test_too_many_silent_drones_leave_no_decision_and_exit_1(tmp_path: Path) -> None:
    said = fly(tmp_path / "run", "silent", 4, 2, 0, "--allow-unsafe")
    assert said.code == 1
    found = said.json
    assert found["decision"] is None
    assert (found["agree"], found["verified"], found["correct"]) == (True, False, False)
    assert found["ledgers"] == "one", "one that holds nothing yet"
    assert found["why"] == "the ledger ends at height 0 without a decision."
    assert found["votes"] == {}
    assert found["latency_ms"] == {"p50": None, "p99": None}


def test_it_says_why_there_is_no_decision(tmp_path: Path) -> None:
    swarm = ["--byzantine", 2, "--attack", "silent", "--allow-unsafe", "--timeout", 20]
    said = call("sim", *swarm, "--transport", "memory", "--run-dir", tmp_path / "run")
    assert said.code == 1
    assert (
        "No decision within 20 s. The ledger ends at height 0 without a decision. "
        "4 drones tolerate 1 Byzantine ones.\n"
    ) in said.text
    assert "Honest drones: one ledger; nothing to verify\n" in said.text
    assert "differ" not in said.text


def told(found: Outcome) -> str:
    """Return what people read about an outcome."""
    mission = Mission(run_dir=Path(found.run_dir), byzantine=found.byzantine, allow_unsafe=True)
    with (
        patch.object(flown, "fly", lambda *_: found),
        patch.object(missions, "Mission", lambda **_: mission),
    ):
        return call("sim", "--transport", "memory").text


@pytest.mark.parametrize(
    ("ledgers", "words"),
    [
        (Ledgers.ONE, "Honest drones: one ledger; "),
        (Ledgers.UNEVEN, "ledgers fit together, but are not all at the same height yet; "),
        (Ledgers.DIFFER, "Honest drones: ledgers differ; "),
        (Ledgers.NONE, "Honest drones: none flew to the end; "),
    ],
)
def test_each_state_of_the_ledgers_has_words_of_its_own(ledgers: Ledgers, words: str) -> None:
    said = told(came_to(ledgers=ledgers, agree=ledgers is Ledgers.ONE))
    assert words in said
    assert ("differ" in said) is (ledgers is Ledgers.DIFFER)


def test_a_decision_without_a_certificate_says_what_is_in_the_way() -> None:
    said = told(came_to(verified=False, why="no cosigned checkpoint [yet]."))
    assert "Decision: cup (right: it was cup)" in said
    assert "certificate NOT verified: no cosigned checkpoint [yet].\n" in said
    assert "--timeout" not in said


def test_who_is_lost_is_blamed_before_the_machine() -> None:
    nothing = {"decision": None, "verified": False, "why": "the ledger ends at height 2."}
    lost = {"lost": {"drone_2": "SIGKILL"}, "liars": ["drone_3"], "byzantine": 1}
    said = told(came_to(**nothing, **lost))
    assert "The ledger ends at height 2. 2 drones were lost or lie; 4 can spare 1." in said
    assert "--timeout" in told(came_to(**nothing))
    assert (
        told(came_to(**nothing, ledgers=Ledgers.NONE)).splitlines()[1].startswith("No decision. ")
    )


def came_to(**differently: Any) -> Outcome:
    outcome = Outcome(
        decision="cup",
        truth="cup",
        correct=True,
        votes={"cup": 4},
        agree=True,
        verified=True,
        drones=4,
        byzantine=0,
        transport="memory",
        height=5,
        root="ab" * 32,
        latency_ms={"p50": None, "p99": None},
        elapsed_s=1.0,
        run_dir="runs/x",
        ledgers=Ledgers.ONE,
    )
    return replace(outcome, **differently)


def test_liars_in_the_majority_are_believed_and_that_is_told(tmp_path: Path) -> None:
    said = fly(tmp_path / "run", "lie", 4, 3, 0, "--allow-unsafe")
    assert said.json["decision"] == "two_faces"
    assert said.json["correct"] is False
    assert said.code == 0, "they agree, and a stranger can verify what they agreed on"
    swarm = ["--byzantine", 3, "--allow-unsafe", "--transport", "memory"]
    for_people = call("sim", *swarm, "--run-dir", tmp_path / "again").text
    assert "Honest drones: one ledger; certificate verified" in for_people
    assert "More liars than PBFT tolerates: nothing here is promised\n" in for_people


def test_a_stranger_who_cannot_verify_makes_exit_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the stranger is a process of its own: let it find a policy of keys that signed nothing
    from swarm_ledger.sim import outcome

    foreign = Policy.for_swarm("swarm_ledger/other", {"drone_1": bytes(32)}, 1).text
    monkeypatch.setattr(outcome, "policy_file", lambda _: foreign)
    said = fly(tmp_path / "run", "lie", 4, 1, 0)
    assert said.code == 1
    assert (said.json["agree"], said.json["verified"]) == (True, False)
    assert "is not the policy of the swarm" in said.json["why"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--drones 3", "3 drones can't be flown. Take 4 to 100"),
        ("--drones 0", "Take 4 to 100"),
        ("--drones 101", "Take 4 to 100"),
        ("--drones -7", "Take 4 to 100"),
        ("--drones seven", "--drones"),
        ("--drones 7 --byzantine 3", "Take at least 10 drones, or pass --allow-unsafe"),
        ("--byzantine -1", "Take 0 to 1"),
        ("--byzantine 4 --allow-unsafe", "Take 0 to 1"),
        ("--target dog", "unknown target 'dog'. Take cup or two_faces"),
        ("--target", "--target"),
        ("--transport pigeon", "unknown transport 'pigeon'. Take memory or zmq or ros"),
        ("--keys smartcard", "unknown key store 'smartcard'. Take software or pkcs11 or tpm2"),
        ("--attack bite", "unknown attack 'bite'. Take lie or equivocate or silent"),
        ("--seed -1", "Take another one"),
        ("--seed 9223372036854775808", "Take another one"),
        ("--seed x", "--seed"),
        ("--looks 0", "--looks"),
        ("--looks 1001", "--looks"),
        ("--timeout 0", "--timeout"),
        ("--timeout inf", "Give it 1 to 86400 seconds"),
        ("--timeout nan", "--timeout"),
        ("--no-such-option", "--no-such-option"),
        ("surplus", "surplus"),
    ],
)
@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_what_cannot_be_flown_exits_2_and_says_what_to_do(
    tmp_path: Path, arguments: str, words: str, as_json: list[str]
) -> None:
    transport = [] if "--transport" in arguments else ["--transport", "memory"]
    folder = tmp_path / "run"
    said = call("sim", *transport, "--run-dir", folder, *as_json, *arguments.split())
    assert words in " ".join(said.refused().split())
    assert not folder.exists(), "nothing is laid out for a mission that can't be flown"


def test_a_folder_that_holds_a_run_is_not_flown_into(four: Path) -> None:
    before = (four / "drone_1" / "ledger.db").read_bytes()
    said = call("sim", "--transport", "memory", "--run-dir", four, "--json")
    assert "already holds a run. Give another --run-dir." in said.refused()
    assert (four / "drone_1" / "ledger.db").read_bytes() == before


@pytest.mark.parametrize("as_json", [[], ["--json"]])
@pytest.mark.parametrize("where", ["/proc/nowhere", "a file", "below a file", "n" * 300])
def test_a_folder_that_cannot_be_written_is_refused(
    tmp_path: Path, where: str, as_json: list[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("kept")
    folder = {"a file": file, "below a file": file / "run"}.get(where, tmp_path / where)
    said = call("sim", "--transport", "memory", "--run-dir", folder, *as_json)
    assert "Give a --run-dir that you may write to." in said.refused()
    assert file.read_text() == "kept"


def test_without_json_people_can_follow(tmp_path: Path) -> None:
    folder = tmp_path / "a [/red] folder"
    said = call("sim", "--transport", "memory", "--seed", 1, "--run-dir", folder)
    assert said.code == 0
    lines = said.text.splitlines()
    assert lines[0].startswith("4 drones, 1 of them Byzantine (lie), over memory")
    for words in ("met drone_2", "question at height", "sees cup", "certified: height"):
        assert any(words in line for line in lines), words
    assert f"Files: {folder}" in lines, "one line, whatever its length, brackets and all"
    assert "Honest drones: one ledger; certificate verified" in said.text
    assert "Root keys: 4 in software" in lines
    assert "nothing here is promised" not in said.text
    assert said.err == ""


def test_runs_go_to_a_folder_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mission = ["sim", "--transport", "memory", "--byzantine", 0, "--json"]
    first, second = (call(*mission) for _ in range(2))
    assert {first.code, second.code} == {0}
    folders = [Path(said.json["run_dir"]) for said in (first, second)]
    assert folders[0] != folders[1]
    assert all((tmp_path / folder / "policy").is_file() for folder in folders)
    assert all(folder.parts[0] == "runs" and folder.name.endswith("-cup-0") for folder in folders)
