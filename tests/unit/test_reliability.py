# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Dawid and Skene's estimate against their equations, and against drones that we know."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest

from swarm_ledger.audit.reliability import Collected, Votes, dawid_skene, fields
from swarm_ledger.encoding import encode
from swarm_ledger.errors import Misuse
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.blocks import genesis_entry
from swarm_ledger.runtime.machine import Machine
from swarm_ledger.voting.question import Question, question_id
from swarm_ledger.voting.rules import Plurality
from tests.crew import T0_MS, Crew


def votes_of(
    accuracies: list[float], questions: int, labels: int = 2
) -> dict[str, dict[str, int]]:
    rng = random.Random("reliability")
    found: dict[str, dict[str, int]] = {}
    for number in range(questions):
        truth = number % labels
        found[f"{number}"] = {
            f"drone_{place}": truth
            if rng.random() < accuracy
            else (truth + rng.randrange(1, labels)) % labels
            for place, accuracy in enumerate(accuracies)
        }
    return found


@pytest.mark.parametrize("labels", [2, 3])
def test_drones_that_we_know_are_told_apart(labels: int) -> None:
    accuracies = [0.95, 0.9, 0.8, 0.6, 0.1]
    found = dawid_skene(votes_of(accuracies, 600, labels), "abc"[:labels])
    for place, accuracy in enumerate(accuracies):
        assert found.accuracy[f"drone_{place}"] == pytest.approx(accuracy, abs=0.05)
    told = [row.index(max(row)) == int(name) % labels for name, row in found.truth.items()]
    assert sum(told) / len(told) > 0.93


def test_it_beats_the_majority_where_most_are_poor() -> None:
    votes = votes_of([0.97, 0.95, 0.55, 0.55, 0.55, 0.55, 0.55], 500)
    found = dawid_skene(votes, "ab")
    estimated = sum(row.index(max(row)) == int(name) % 2 for name, row in found.truth.items())
    counted = sum(
        int(sum(given.values()) > len(given) / 2) == int(name) % 2 for name, given in votes.items()
    )
    assert estimated > counted + 50


def by_hand(votes: Votes, labels: int, rounds: int) -> dict[str, list[float]]:
    """The paper's equations 2.3 to 2.5, one number at a time, with the tenth of a vote added."""
    voters = sorted({voter for given in votes.values() for voter in given})
    truth: dict[str, list[float]] = {}
    for name, given in votes.items():
        said = [sum(label == one for label in given.values()) + 0.1 for one in range(labels)]
        truth[name] = [count / sum(said) for count in said]
    for _ in range(rounds):
        prior = [sum(row[one] for row in truth.values()) + 0.1 for one in range(labels)]
        errors: dict[tuple[str, int], list[float]] = {}
        for voter in voters:
            for one in range(labels):
                shares = [0.1] * labels
                for name, given in votes.items():
                    if voter in given:
                        shares[given[voter]] += truth[name][one]
                errors[voter, one] = [share / sum(shares) for share in shares]
        for name, given in votes.items():
            odds = [
                prior[one] * math.prod(errors[voter, one][label] for voter, label in given.items())
                for one in range(labels)
            ]
            truth[name] = [share / sum(odds) for share in odds]
    return truth


@pytest.mark.parametrize("labels", [2, 4])
def test_it_is_what_the_papers_equations_come_to(labels: int) -> None:
    votes = votes_of([0.9, 0.8, 0.7, 0.5], 30, labels)
    for number, name in enumerate(votes):
        votes[name].pop(f"drone_{number % 7}", None)  # not everybody answers everything
    found = dawid_skene(votes, "abcd"[:labels])
    expected = by_hand(votes, labels, found.rounds)
    assert found.truth.keys() == expected.keys()
    for name, row in found.truth.items():
        assert row == pytest.approx(expected[name], abs=1e-6)


def test_it_does_not_depend_on_order_and_adds_up() -> None:
    votes = votes_of([0.9, 0.8, 0.7], 40)
    turned = {name: dict(reversed(given.items())) for name, given in reversed(votes.items())}
    one, other = dawid_skene(votes, "ab"), dawid_skene(turned, "ab")
    assert one == other
    assert all(sum(row) == pytest.approx(1) for row in one.truth.values())
    assert all(sum(row) == pytest.approx(1) for rows in one.confusion.values() for row in rows)
    assert one.answered == dict.fromkeys(one.accuracy, 40)


def test_no_votes_are_no_estimate() -> None:
    with pytest.raises(Misuse, match="no votes"):
        dawid_skene({}, "ab")
    with pytest.raises(Misuse, match="no votes"):
        dawid_skene({"one": {}}, "ab")


def test_votes_are_taken_from_ledgers_once_and_without_those_taken_back(tmp_path: Path) -> None:
    crew = Crew()
    machine = Machine(crew.trust)
    with Store.open(tmp_path / "ledger.db") as store:
        store.append_block(0, (genesis_entry(crew.roster),), b"")
        sessions = [crew.identity(name).delegation for name in crew.names]
        store.append_block(1, machine.apply(1, T0_MS, sessions).entries, b"")
        for height in range(2, 6):
            question = Question(
                "What?", ("cup", "two_faces"), Plurality(), 8_000, height.to_bytes(16, "big")
            )
            crew.question_id = question_id(encode(question))
            votes = [crew.vote(name, int(name == "drone_4")) for name in crew.names]
            body = [crew.asked(question), crew.vote("drone_1", 1), *votes]
            store.append_block(height, machine.apply(height, T0_MS + height, body).entries, b"")
        collected = Collected()
        collected.take(store, crew.trust)
        collected.take(store, crew.trust)
    (estimate,) = collected.estimates()
    assert len(estimate.truth) == 4
    assert estimate.answered == {"drone_2": 4, "drone_3": 4, "drone_4": 4}
    assert estimate.accuracy["drone_2"] > 0.8 > 0.2 > estimate.accuracy["drone_4"]
    assert fields(estimate)["voters"][0]["name"] == "drone_2"
