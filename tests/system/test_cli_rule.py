# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`rule` and `ledger rules` as operators and pilots meet them."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarm_ledger.identity.trust import write_files
from swarm_ledger.identity.tuf import ROOT, ROSTER, TARGETS
from swarm_ledger.rules.limits import MAX_NUMBER
from swarm_ledger.rules.rule import Accept, Answer, Ask, Lease, Rule, Trigger, Withdrawal
from swarm_ledger.runtime.clerk import read_wanted, unsealed
from tests.crew import T0_MS, Crew
from tests.histories import History
from tests.ruled import PAD, cup_rule, lease_rule, member_id, sealed_claim, sealed_rule
from tests.system.command import Said, call, run

CREW = Crew()
IDS = [member_id(CREW, name) for name in CREW.names]


class Desk:
    """An operator at work, with its key and the roster."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.roster = folder, folder / "roster"
        root, (targets, raw) = CREW.anchor
        write_files(self.roster, {ROOT: root, ROSTER: raw, TARGETS: targets})
        for name in ("operator_1", "drone_1"):
            CREW.root(name).save(folder / f"{name}.pem")

    def do(self, verb: str, *arguments: object, key: str = "operator_1") -> Said:
        signs = ["--key", f"file:{self.folder / key}.pem"]
        return call("rule", verb, self.roster, *arguments, *signs, "--out", self.folder / "out")

    def sealed(self, verb: str, *arguments: object) -> object:
        said = self.do(verb, *arguments)
        assert said.code == 0, said
        assert "sealed by operator_1 for test" in said.text
        raw = (self.folder / "out").read_bytes()
        (self.folder / "out").unlink()
        return unsealed(raw)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_what_is_said_is_what_is_sealed(desk: Desk) -> None:
    assert desk.sealed("lease", "pad", "--term", 60) == Rule("pad", 1, Lease(60_000, 64))
    few = ["--member", "drone_2", "--member", CREW.roster.named("drone_1").drone_id]
    asked = ["--term", 5, "--queue", 0, "--operator", "--version", 7, *few]
    lease = Lease(5_000, 0, Accept.OPERATOR, tuple(sorted(IDS[:2])))
    assert desk.sealed("lease", "pad", *asked) == Rule("pad", 7, lease)
    shown = ["--subject", "What is it?", "--label", "cup", "--action", "approach"]
    plain = Trigger("What is it?", "cup", "approach")
    assert desk.sealed("trigger", "go", *shown) == Rule("go", 1, plain)
    span = ["--from", "2030-01-01", "--until", "2030-01-02", "--once", "--parameters", "v=1"]
    until_ms = T0_MS + 86_400_000
    whole = Trigger("What is it?", "cup", "approach", "v=1", (IDS[2],), True, T0_MS, until_ms)
    assert desk.sealed("trigger", "go", *shown, *span, "--member", "drone_3") == Rule(
        "go", 1, whole
    )
    assert desk.sealed("withdraw", "pad", "--version", 7) == Withdrawal("pad", 7)
    answer = Answer("pad", 1, IDS[3], MAX_NUMBER, False)
    assert desk.sealed("answer", "pad", "drone_4", MAX_NUMBER, "--refuse") == answer


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["lease", "Pad", "--term", 5], "that is no rule"),
        (["lease", "pad", "--term", 5, "--member", "nobody"], "no member 'nobody'"),
        (["lease", "pad", "--term", 0], "--term"),
        (["lease", "pad", "--term", 86_401], "--term"),
        (["lease", "pad", "--term", 5, "--queue", 65], "--queue"),
        (["lease", "pad", "--term", 5, "--version", 0], "--version"),
        (["trigger", "go", "--subject", "", "--label", "cup", "--action", "a"], "no rule"),
        (["trigger", "go", "--subject", "é", "--label", "cup", "--action", "a"], "no rule"),
        (["trigger", "go", "--subject", "s", "--label", "cup", "--action", "rm -rf"], "no rule"),
        (
            [*("trigger", "go", "--subject", "s", "--label", "cup", "--action", "a"),
             *("--from", "2030-01-02", "--until", "2030-01-01")],
            "ends before it begins",
        ),
        (["answer", "pad", "drone_9", 5], "no member 'drone_9'"),
    ],
)  # fmt: skip
def test_what_is_no_rule_is_not_sealed(desk: Desk, arguments: list[object], why: str) -> None:
    assert why in desk.do(str(arguments[0]), *arguments[1:]).refused()
    assert not (desk.folder / "out").exists()


def test_only_operators_seal_and_nothing_is_overwritten(desk: Desk) -> None:
    assert "no operator's" in desk.do("lease", "pad", "--term", 5, key="drone_1").refused()
    assert desk.do("lease", "pad", "--term", 5).code == 0
    assert "there already" in desk.do("lease", "pad", "--term", 6).refused()


def test_a_rule_is_handed_to_drones(desk: Desk) -> None:
    home = desk.folder / "drone_1"
    home.mkdir()
    desk.do("lease", "pad", "--term", 5)
    said = call("rule", "submit", desk.folder / "out", home)
    assert said.code == 0
    (found,) = (home / "rules").iterdir()
    assert found.name == "out.rule"
    assert found.read_bytes() == (desk.folder / "out").read_bytes()
    (desk.folder / "bad").write_bytes(CREW.asked())
    assert "no sealed rule" in call("rule", "submit", desk.folder / "bad", home).refused()
    assert "no folder" in call("rule", "submit", desk.folder / "out", home / "x").refused()


def test_a_pilot_wants_and_releases(tmp_path: Path) -> None:
    home = tmp_path
    assert "wants pad" in call("rule", "want", home, "pad", "--term", 30).text
    assert "wants dock, pad" in call("rule", "want", home, "dock", "--term", 1).text
    assert read_wanted(home) == {"pad": 30_000, "dock": 1_000}
    assert "wants dock" in call("rule", "release", home, "pad").text
    assert "does not want pad" in call("rule", "release", home, "pad").refused()
    assert "no rule" in call("rule", "want", home, "Pad", "--term", 1).refused()
    assert "no folder" in call("rule", "want", home / "x", "pad", "--term", 1).refused()
    (home / "leases.wanted").write_bytes(b"[")
    assert "leases.wanted" in call("rule", "want", home, "pad", "--term", 1).refused()


@pytest.fixture
def ruled(desk: Desk) -> Path:
    """The ledger of a swarm in which drone_1 holds the pad, drone_2 waits, and a cup was seen."""
    made = History(CREW, desk.folder / "drone_1", *CREW.names)
    made.block(*made.delegations())
    rules = [sealed_rule(CREW, one) for one in (lease_rule(), cup_rule(once=True))]
    claims = [sealed_claim(CREW, name, Ask(PAD, 1, 1, 4_000)) for name in CREW.names[:2]]
    made.block(*rules, CREW.asked())
    made.block(*claims, *(CREW.vote(name) for name in CREW.names))
    made.checkpoint()
    made.close()
    return desk.folder / "drone_1"


def test_who_holds_what_is_shown(ruled: Path) -> None:
    said = run("ledger", "rules", ruled)
    assert said.code == 0, said
    (line,) = [line for line in said.text.splitlines() if PAD in line]
    assert "lease, 4 s, queue 8, ledger accepts" in line
    assert "drone_1" in line
    assert "drone_2 (1)" in line
    assert "Action 1 by decision 1: approach (speed=2) for all, entry" in said.text
    found = call("ledger", "rules", ruled, "--json").json
    pad, cups = sorted(found["rules"], key=lambda one: one["name"], reverse=True)
    assert (pad["held"]["member"], pad["held"]["grant"]) == ("drone_1", 1)
    assert pad["held"]["until_ms"] == pad["held"]["since_ms"] + 4_000
    assert [wish["member"] for wish in pad["waiting"]] == ["drone_2"]
    assert (cups["fired"], cups["held"]) == (1, None)
    (action,) = found["actions"]
    assert (action["action"], action["decision"], action["members"]) == ("approach", 1, [])
    shown = call("ledger", "show", ruled, "--json").json
    kinds = shown["blocks"][-1]["kinds"]
    assert (kinds["claim"], kinds["grant"], kinds["action"]) == (2, 1, 1)


def test_a_grant_is_verified_and_proven_like_any_entry(ruled: Path, tmp_path: Path) -> None:
    assert call("ledger", "verify", ruled, "--json").json["verified"]
    entry = call("ledger", "rules", ruled, "--json").json["rules"][1]["held"]["entry"]
    proof = call("ledger", "prove", ruled, "--entry", entry)
    assert proof.code == 0
    call("ledger", "export", ruled, "--policy", tmp_path / "policy")
    (tmp_path / "grant.tlog-proof").write_bytes(proof.out)
    said = call("verify", tmp_path / "grant.tlog-proof", "--policy", tmp_path / "policy")
    assert said.code == 0, said


def test_a_ledger_without_rules_has_none_to_show(desk: Desk) -> None:
    made = History(CREW, desk.folder / "drone_1", *CREW.names)
    made.block(*made.delegations())
    made.close()
    found = call("ledger", "rules", desk.folder / "drone_1", "--json").json
    assert (found["rules"], found["actions"]) == ([], [])
