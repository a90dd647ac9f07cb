# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger simulate` from outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.command import call, run

FIELDS = {
    "runs", "violations", "stalled", "commits", "view_changes", "evidence", "steps", "seeds_per_s",
    "roster_changes", "air_bytes", "slowest_recovery",
}  # fmt: skip


def test_json_has_one_object_with_everything() -> None:
    done = run("simulate", "--seeds", "0:30", "--json")
    assert done.code == 0, done
    found = done.json
    assert found.keys() == FIELDS
    assert (found["runs"], found["violations"], found["stalled"]) == (30, [], [])
    assert min(found["commits"], found["view_changes"], found["steps"], found["evidence"]) > 0


def test_a_person_reads_what_was_run_and_that_it_held() -> None:
    done = call("simulate", "--seeds", "0:8", "--drones", "4", "--byzantine", "1", "--jobs", "1")
    assert done.code == 0, done
    assert "8 runs" in done.text
    assert "No invariant violated, no healed swarm stalled" in done.text


def test_one_seed_can_be_written_down_and_is_the_same_each_time(tmp_path: Path) -> None:
    texts = []
    for name in ("a", "b"):
        path = tmp_path / name
        done = call("simulate", "--seeds", "7", "--trace", str(path), "--steps", "300")
        assert done.code == 0, done
        texts.append(path.read_text())
    assert texts[0] == texts[1]
    assert "hears from" in texts[0]
    assert texts[0].splitlines()[-1].startswith("all held; recovery took ")


def test_radio_counts_bytes_on_the_air() -> None:
    done = run("simulate", "--seeds", "2:3", "--drones", "4", "--profile", "radio", "--json")
    assert done.code == 0, done
    assert done.json["air_bytes"] > 1_000


def test_without_faults_nothing_goes_wrong_at_all() -> None:
    done = run("simulate", "--seeds", "0:10", "--faults", "none", "--json")
    found = done.json
    assert (found["view_changes"], found["evidence"], found["roster_changes"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--seeds", "5:5"], "names no seeds"),
        (["--seeds", "x"], "names no seeds"),
        (["--seeds", "-1:4"], "names no seeds"),
        (["--drones", "3"], "Take 4 to 100"),
        (["--drones", "7", "--byzantine", "3"], "7 drones tolerate 2"),
        (["--byzantine", "2"], "4 drones tolerate 1"),
        (["--faults", "loss,gremlins"], "no fault named 'gremlins'"),
        (["--steps", "0"], "steps can't be simulated"),
        (["--profile", "wire"], "Take mesh or radio"),
        (["--trace", "x.txt", "--seeds", "0:2"], "--trace writes down one run"),
        (["--trace", "/nowhere/x.txt", "--seeds", "1"], "cannot write"),
        (["--jobs", "0"], "--jobs"),
    ],
)
def test_bad_wishes_say_what_to_do(arguments: list[str], words: str) -> None:
    assert words in " ".join(call("simulate", *arguments).refused().split())
