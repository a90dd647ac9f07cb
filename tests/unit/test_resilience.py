# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How wrong liars make each rule: exact figures by hand, and Monte Carlo against them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import product

import pytest

from swarm_ledger.errors import Misuse
from swarm_ledger.sim.plot import Panel, shares
from swarm_ledger.sim.resilience.attack import (
    Setting,
    ballots,
    known_reliability,
    lies,
    split_count,
    splits,
    ways,
)
from swarm_ledger.sim.resilience.odds import Edge, check, edge, odds, sweep, wilson
from swarm_ledger.voting.rules import RULES, Majority, OutcomeKind

FOUR = Setting(4, 2, 0.9, 0)


def fare(name: str, setting: Setting, strategy: str, liars: int, runs: int = 400) -> list[float]:
    found = odds(name, setting, strategy, liars, runs=runs, seed=1)
    assert found.wrong_low <= found.wrong <= found.wrong_high
    return [found.right, found.wrong, found.unsettled]


def test_a_majority_of_four_by_hand() -> None:
    """Three right of three honest ones; or two right, one wrong and a liar: a tie."""
    right, wrong, unsettled = fare("majority", FOUR, "colluding", 1)
    assert right == pytest.approx(0.9**3)
    assert wrong == pytest.approx(3 * 0.9 * 0.1**2 + 0.1**3)
    assert unsettled == pytest.approx(3 * 0.9**2 * 0.1)


def test_exact_is_what_all_single_cases_add_up_to() -> None:
    setting, total = Setting(7, 3, 0.7, 0), [0.0, 0.0, 0.0]
    for said in product(range(3), repeat=5):
        counts = [said.count(label) for label in range(3)]
        target = 1 if counts[1] >= counts[2] else 2
        counts[target] += 2
        chance = 1.0
        for label in said:
            chance *= 0.7 if label == 0 else 0.15
        outcome = Majority().outcome(
            ballots(counts, 1, 1), voters=7, faulty=2, labels=3, expired=True
        )
        assert outcome is not None
        decided = outcome.kind is OutcomeKind.DECIDED
        total[2 if not decided else int(outcome.label != 0)] += chance
    assert fare("majority", setting, "adaptive", 2) == pytest.approx(total)


@pytest.mark.parametrize("name", [*RULES, "median", "trimmed_mean"])
@pytest.mark.parametrize("strategy", ["independent", "colluding", "adaptive", "sleeper"])
def test_shares_are_of_all_questions_and_f_liars_seldom_win(name: str, strategy: str) -> None:
    setting = Setting(7, 2, 0.95, 8)
    found = fare(name, setting, strategy, 2, runs=60)
    assert sum(found) == pytest.approx(1)
    assert found[1] <= 0.1
    assert found == fare(name, setting, strategy, 2, runs=60)


def test_more_liars_do_more_harm() -> None:
    for name in ("majority", "plurality"):
        wrong = [fare(name, Setting(10, 2, 0.9, 0), "colluding", k)[1] for k in range(11)]
        assert wrong == sorted(wrong)
        assert wrong[-1] == pytest.approx(1)


def test_known_liars_hardly_matter_to_bayes_and_sleepers_do() -> None:
    setting = Setting(10, 2, 0.9, 32)
    assert fare("bayes", setting, "colluding", 5, 100)[0] > 0.5
    assert fare("bayes", setting, "sleeper", 5, 100)[0] == 0


def test_f_honest_liars_cannot_make_numbers_wrong() -> None:
    for name in ("median", "trimmed_mean"):
        for strategy in ("independent", "colluding", "adaptive"):
            assert fare(name, Setting(10, 2, 0.9, 0), strategy, 3, 200)[1] == 0
        assert fare(name, Setting(10, 2, 0.9, 0), "colluding", 8, 50)[1] == 1


def test_edges_against_honest_drones_that_agree() -> None:
    setting = Setting(10, 2, 0.9, 0)
    assert edge("majority", setting) == Edge("majority", 5, 6)
    assert edge("plurality", setting) == Edge("plurality", 4, 7)
    for name in RULES:
        found = edge(name, setting)
        assert found.breaks is None or found.breaks > setting.faulty + 1


def test_counting_all_cases() -> None:
    found = list(splits(5, 3))
    assert len(found) == len(set(found)) == split_count(5, 3) == 21
    assert all(sum(split) == 5 for split in found)
    assert sum(ways(split) for split in found) == 3**5
    shares_of = list(lies(Setting(7, 3, 0.9, 0), "independent", [5, 0, 0], 2))
    assert sum(share for share, _ in shares_of) == pytest.approx(1)
    assert all(split[0] == 0 for _, split in shares_of)
    assert known_reliability(1, 50) > known_reliability(0.9, 50) > known_reliability(0, 50)


def test_intervals() -> None:
    assert wilson(0, 100)[0] == 0
    assert wilson(0, 100)[1] == pytest.approx(0.0370, abs=1e-4)
    low, high = wilson(50, 100)
    assert (low + high) / 2 == pytest.approx(0.5)
    assert wilson(100, 100)[1] == 1


def test_what_cannot_be_analysed_is_refused() -> None:
    for setting in (Setting(3, 2, 0.9, 0), Setting(7, 5, 0.9, 0), Setting(7, 2, 0.4, 0)):
        with pytest.raises(Misuse, match="analysed"):
            check(setting, [])
    with pytest.raises(Misuse, match="unknown strategy"):
        list(sweep(["majority"], FOUR, ["kind"], 1, runs=1, seed=0))


def test_a_plot_is_svg_with_a_line_a_rule() -> None:
    panel = Panel("a < b", [0, 1, 2], {"majority": [0, 0.5, 1], "bayes": [0, 0, 0]}, mark=1)
    root = ET.fromstring(shares([panel, panel, panel], across="liars", up="wrong"))
    lines = [one for one in root.iter() if one.tag.endswith("polyline")]
    assert len(lines) == 6
    assert lines[0].attrib["points"].count(",") == 3
    texts = {one.text for one in root.iter() if one.tag.endswith("text")}
    assert {"a < b", "majority", "bayes", "liars", "wrong"} <= texts
