# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The figures in docs/accuracy.md: what they say, and that they can be measured again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench.swarm_accuracy import (
    BEGIN,
    END,
    FIGURES,
    PAGE,
    Flight,
    fly,
    judge,
    summary,
    table,
    weights,
)

AGAIN = "run `python bench/swarm_accuracy.py --jobs 2 --write`"


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    found = json.loads(FIGURES.read_bytes())
    assert isinstance(found, dict)
    return found


def test_the_swarm_is_right_more_often_than_the_mean_drone(written: dict[str, Any]) -> None:
    both = written["both"]
    assert both["swarm"]["right"] > both["honest"]["right"] > both["all"]["right"]
    assert both["swarm"]["wrong"] < both["all"]["wrong"]


def test_the_figures_are_of_the_whole_mission(written: dict[str, Any]) -> None:
    flights = [Flight(**flight) for flight in written["flights"]]
    expected = {(target, seed) for target in ("cup", "two_faces") for seed in range(40)}
    assert {(flight.target, flight.seed) for flight in flights} == expected
    assert len(flights) == 80
    assert (written["drones"], written["liars"]) == (7, 2)
    assert all(len(flight.liars) == 2 for flight in flights)
    assert written["both"] == summary(flights), "the shares follow from the flights"


def test_the_page_shows_these_figures(written: dict[str, Any]) -> None:
    assert BEGIN + table(written) + END in PAGE.read_text(), AGAIN


def test_they_are_of_the_weights_that_are_shipped(written: dict[str, Any]) -> None:
    assert written["weights"] == weights(), AGAIN


@pytest.mark.parametrize(("target", "seed"), [("cup", 0), ("two_faces", 7), ("cup", 39)])
def test_a_flight_gives_the_same_votes_again(
    written: dict[str, Any], target: str, seed: int
) -> None:
    again = fly((target, seed), drones=7, liars=2)
    (stored,) = (f for f in written["flights"] if (f["target"], f["seed"]) == (target, seed))
    assert (again.decision, again.liars) == (stored["decision"], stored["liars"]), AGAIN
    # Another processor may round one uncertain look across the threshold, and no more than that.
    changed = [drone for drone, vote in again.votes.items() if vote != stored["votes"].get(drone)]
    assert len(changed) <= 1, AGAIN


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("cup", "right"),
        ("two_faces", "wrong"),
        ("unknown", "undecided"),
        ("tie", "undecided"),
        ("undecided", "undecided"),
    ],
)
def test_answers_are_judged_by_the_truth(said: str, verdict: str) -> None:
    assert judge(said, "cup") == verdict


def test_liars_count_only_among_all_drones() -> None:
    flight = Flight("cup", 0, "cup", {"a": "cup", "b": "unknown", "c": "two_faces"}, ["c"])
    found = summary([flight])
    assert found["swarm"] == {"right": 1.0, "undecided": 0.0, "wrong": 0.0}
    assert found["honest"] == {"right": 0.5, "undecided": 0.5, "wrong": 0.0}
    assert found["all"]["wrong"] == pytest.approx(1 / 3)
