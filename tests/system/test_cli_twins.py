# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger twins` from outside."""

from __future__ import annotations

import pytest

from tests.system.command import call, run


def test_all_scenarios_of_two_rounds_hold() -> None:
    done = run("twins", "--rounds", "2", "--json")
    assert done.code == 0, done
    assert (done.json["scenarios"], done.json["violations"], done.json["stalled"]) == (225, [], [])
    assert done.json["commits"] > 0


def test_a_person_reads_how_many_were_played() -> None:
    done = call("twins", "--scenarios", "100:200", "--stride", "10", "--jobs", "1")
    assert done.code == 0, done
    assert "10 scenarios" in done.text
    assert "No invariant violated, no healed swarm stalled" in done.text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--scenarios", "x"], "names no scenarios"),
        (["--scenarios", "9:9"], "names no scenarios"),
        (["--scenarios", "0:226", "--rounds", "2"], "They go from 0:225"),
        (["--rounds", "0"], "--rounds"),
        (["--stride", "0"], "--stride"),
    ],
)
def test_bad_wishes_say_what_to_do(arguments: list[str], words: str) -> None:
    assert words in " ".join(call("twins", *arguments).refused().split())
