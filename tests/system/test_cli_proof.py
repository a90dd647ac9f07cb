# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`ledger prove` and `verify`: two files convince a stranger, and nothing else does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity.trust import load_trust
from swarm_ledger.ledger.policy import Policy
from swarm_ledger.light_client import verify_proof
from swarm_ledger.light_client.policies import check_policy_file
from tests.system.command import Flight, call, flipped, positions, run

PROOF = "decision-1.tlog-proof"


@pytest.fixture(scope="session")
def stranger(four: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a proof made by the command, and the policy: nothing else."""
    folder = tmp_path_factory.mktemp("stranger")
    proved = run("ledger", "prove", four / "drone_1", "--decision", 1)
    assert (proved.code, proved.err) == (0, "")
    (folder / "p.tlog-proof").write_bytes(proved.out)
    shutil.copy(four / "policy", folder / "policy")
    return folder


def test_two_files_convince_a_stranger(stranger: Path) -> None:
    assert {path.name for path in stranger.iterdir()} == {"p.tlog-proof", "policy"}
    said = run("verify", "p.tlog-proof", "--policy", "policy", cwd=stranger)
    assert said.code == 0, said
    assert said.text.startswith("verified: Decision 1 at height ")
    as_json = run("verify", "p.tlog-proof", "--policy", "policy", "--json", cwd=stranger).json
    assert as_json["verified"] is True
    assert as_json["policy_checked"] is False
    assert "policy taken on trust; give --roster to check that it is the swarm's" in said.text
    assert as_json["kind"] == "decision"
    assert as_json["votes"].keys() == {"cup", "two_faces", "unknown"}
    assert len(as_json["signers"]) == 3
    assert as_json["text"] in said.text
    assert {path.name for path in stranger.iterdir()} == {"p.tlog-proof", "policy"}


def test_the_exported_proof_is_the_one_that_prove_prints(four: Path, stranger: Path) -> None:
    assert (four / PROOF).read_bytes() == (stranger / "p.tlog-proof").read_bytes()


def test_no_byte_of_a_proof_may_change(stranger: Path) -> None:
    policy = Policy.parse((stranger / "policy").read_bytes())
    proof = (stranger / "p.tlog-proof").read_bytes()
    verify_proof(policy, proof)
    for position in range(len(proof)):
        for bit in (position % 8, (position + 3) % 8):
            with pytest.raises(NotVerified):
                verify_proof(policy, flipped(proof, position, bit))
        for changed in (
            proof[:position] + proof[position + 1 :],
            proof[: position + 1] + proof[position:],
        ):
            if changed != proof:
                with pytest.raises(NotVerified):
                    verify_proof(policy, changed)


@pytest.mark.parametrize("part", [0.0, 0.2, 0.5, 0.8, 0.999])
def test_the_command_refuses_a_changed_proof(stranger: Path, tmp_path: Path, part: float) -> None:
    proof = (stranger / "p.tlog-proof").read_bytes()
    (tmp_path / "p").write_bytes(flipped(proof, int(part * len(proof))))
    said = call("verify", tmp_path / "p", "--policy", stranger / "policy")
    assert (said.code, said.out) == (1, b"")
    assert said.err.startswith("swarm-ledger: ")
    as_json = call("verify", tmp_path / "p", "--policy", stranger / "policy", "--json")
    assert as_json.code == 1
    assert as_json.json["verified"] is False


@pytest.mark.parametrize(
    "proof", [b"", b"\n", b"c2sp.org/tlog-proof@v1\n", b"\xff" * 99, b"x" * (1 << 20)]
)
def test_what_is_no_proof_is_not_verified(stranger: Path, tmp_path: Path, proof: bytes) -> None:
    (tmp_path / "p").write_bytes(proof)
    assert call("verify", tmp_path / "p", "--policy", stranger / "policy").code == 1


def test_with_the_roster_the_policy_itself_is_checked(four: Path, stranger: Path) -> None:
    paths = ["verify", stranger / "p.tlog-proof", "--policy", stranger / "policy"]
    said = call(*paths, "--roster", four / "roster")
    assert said.code == 0
    assert "policy checked: it follows from the roster" in said.text
    assert "taken on trust" not in said.text
    as_json = call(*paths, "--roster", four / "roster", "--json")
    assert (as_json.json["verified"], as_json.json["policy_checked"]) == (True, True)
    text, roster = (stranger / "policy").read_bytes(), load_trust(four / "roster")
    check_policy_file(text, roster)
    for position in positions(len(text), 400):
        with pytest.raises((NotVerified, Misuse)):
            check_policy_file(flipped(text, position), roster)


def test_a_policy_that_asks_for_less_is_found_out_by_the_roster(
    four: Path, stranger: Path, tmp_path: Path
) -> None:
    weaker = (stranger / "policy").read_bytes().replace(b"validators 3 ", b"validators 1 ")
    (tmp_path / "policy").write_bytes(weaker)
    paths = ["verify", stranger / "p.tlog-proof", "--policy", tmp_path / "policy"]
    trusting = call(*paths)
    assert trusting.code == 0
    assert "policy taken on trust" in trusting.text
    said = call(*paths, "--roster", four / "roster")
    assert said.code == 1
    ours = tmp_path / "policy"
    assert f"{ours} is not the policy of the swarm in {four / 'roster'}" in said.err
    failed = call(*paths, "--roster", four / "roster", "--json")
    assert failed.code == 1
    assert (failed.json["policy_checked"], failed.json["where"]) == (False, "policy")


def test_a_policy_that_holds_does_not_save_a_proof_that_does_not(
    four: Path, stranger: Path, tmp_path: Path
) -> None:
    (tmp_path / "p").write_bytes(flipped((stranger / "p.tlog-proof").read_bytes(), 200))
    paths = ["verify", tmp_path / "p", "--policy", stranger / "policy"]
    said = call(*paths, "--roster", four / "roster", "--json")
    assert said.code == 1
    assert (said.json["verified"], said.json["policy_checked"]) == (False, True)


def test_other_swarms_prove_nothing_here(
    flown: Callable[[str], Flight], stranger: Path, four: Path
) -> None:
    folder, _ = flown("memory")
    proof = stranger / "p.tlog-proof"
    assert call("verify", proof, "--policy", folder / "policy").code == 1
    mixed = call("verify", proof, "--policy", stranger / "policy", "--roster", folder / "roster")
    assert mixed.code == 1
    assert mixed.out == b""


@pytest.mark.parametrize("text", [b"", b"quorum none", b"quorum nobody\n", b"log x\n", b"\0\n"])
def test_what_is_no_policy_is_misuse(stranger: Path, tmp_path: Path, text: bytes) -> None:
    (tmp_path / "policy").write_bytes(text)
    said = call("verify", stranger / "p.tlog-proof", "--policy", tmp_path / "policy", "--json")
    assert "Policy" in said.refused()


def test_a_policy_that_trusts_nobody_verifies_nothing(stranger: Path, tmp_path: Path) -> None:
    (tmp_path / "policy").write_bytes(b"quorum none\n")
    said = call("verify", stranger / "p.tlog-proof", "--policy", tmp_path / "policy")
    assert said.code == 1


def test_every_entry_can_be_proved(four: Path, stranger: Path, tmp_path: Path) -> None:
    shown = call("ledger", "show", four / "drone_1", "--json").json
    kinds = set()
    for index in range(shown["covered"]):
        proved = call("ledger", "prove", four / "drone_1", "--entry", index)
        assert proved.code == 0, proved
        (tmp_path / "p").write_bytes(proved.out)
        said = call("verify", tmp_path / "p", "--policy", stranger / "policy", "--json")
        assert said.json["index"] == index
        kinds.add(said.json["kind"])
    assert kinds == {"genesis", "block", "session", "question", "vote", "decision"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--decision", 9], "no decision 9. It has 1"),
        (["--decision", -1], "--decision"),
        (["--decision", "x"], "--decision"),
        (["--entry", 999_999], "no entry 999999 in a ledger of "),
        (["--entry", -2], "--entry"),
        (["--entry", 0, "--decision", 1], "either --decision or --entry"),
        ([], "either --decision or --entry"),
    ],
)
def test_what_cannot_be_proved_is_misuse(four: Path, arguments: list[object], words: str) -> None:
    said = call("ledger", "prove", four / "drone_1", *arguments)
    assert words in " ".join(said.refused().split())


def test_files_that_are_missing_are_misuse(stranger: Path, four: Path) -> None:
    proof, policy = stranger / "p.tlog-proof", stranger / "policy"
    for arguments in (
        [stranger / "nothing", "--policy", policy],
        [proof, "--policy", stranger / "nothing"],
        [stranger, "--policy", policy],
        [proof, "--policy", policy, "--roster", stranger / "nothing"],
        [proof],
    ):
        call("verify", *arguments, "--json").refused()
