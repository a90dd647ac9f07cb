# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The arena, the published dynamics in it, and how a robot comes to its vote."""

from __future__ import annotations

import math
from statistics import NormalDist, median

import numpy as np
import pytest

from swarm_ledger.errors import Misuse
from swarm_ledger.sim.arena.dynamics import DYNAMICS, decide
from swarm_ledger.sim.arena.evidence import INTERCEPT, SAMPLE_M, SLOPE, Evidence, probability
from swarm_ledger.sim.arena.exact import TURN, Streams, directions, log
from swarm_ledger.sim.arena.floor import BLACK, RADIO, ROBOTS, SIDE, WHITE, Floor, seeds_of
from swarm_ledger.sim.arena.growth import growth
from swarm_ledger.sim.arena.mixing import spread
from swarm_ledger.voting.limits import ABSTAIN

QUESTION = bytes(32)


def test_logarithms_and_directions_are_right() -> None:
    values = np.array([1e-300, 1e-9, 0.3, 0.5, 0.7071, 0.7072, 1.0, 2.0, 1e12])
    assert np.allclose(log(values), [math.log(value) for value in values], rtol=1e-14, atol=1e-16)
    cosine, sine = directions()
    angles = 2 * math.pi * np.arange(TURN) / TURN
    assert np.allclose(cosine, np.cos(angles), atol=1e-14)
    assert np.allclose(sine, np.sin(angles), atol=1e-14)


def test_random_numbers_are_these_on_every_machine() -> None:
    draw = Streams(seeds_of(7, [0, 3]), 2)
    first = draw.uniform(np.arange(4))
    assert [f"{value:.15f}" for value in first] == PINNED
    assert draw.uniform(np.array([2]))[0] not in first
    again = Streams(seeds_of(7, [3]), 2)
    assert again.uniform(np.array([0, 1])).tolist() == first[2:].tolist()
    many = Streams(seeds_of(1, [0]), 1)
    assert abs(np.mean([many.exponential(np.array([0]))[0] for _ in range(4_000)]) - 1) < 0.06


def test_a_floor_is_what_the_paper_describes() -> None:
    floor = Floor(1, range(3), 34)
    assert [int(np.sum(colours == BLACK)) for colours in floor.colours] == [136] * 3
    assert len({colours.tobytes() for colours in floor.colours}) == 3
    for _ in range(300):
        x, y = floor.x, floor.y
        floor.step()
        moved = np.hypot(floor.x - x, floor.y - y)
        assert moved.max() < 0.0101
        assert floor.x.min() > 0
        assert floor.x.max() < SIDE
    near = floor.contacts()
    pairs = set(zip(near.hearer.tolist(), near.heard.tolist(), strict=True))
    apart = np.hypot(
        floor.x[near.hearer] - floor.x[near.heard], floor.y[near.hearer] - floor.y[near.heard]
    )
    assert apart.max() <= RADIO
    assert pairs == {(b, a) for a, b in pairs}
    assert all(a // ROBOTS == b // ROBOTS for a, b in pairs)
    column, row = (floor.x * 10).astype(int), (floor.y * 10).astype(int)
    run = np.arange(3 * ROBOTS) // ROBOTS
    assert floor.sense().tolist() == floor.colours[run, row * 20 + column].tolist()


@pytest.mark.parametrize("dynamic", DYNAMICS)
def test_a_run_is_the_same_whichever_others_it_is_run_with(dynamic: str) -> None:
    def some(*runs: int) -> dict[int, object]:
        given = {"liars": 8, "black": 34, "seed": 5, "limit_s": 20}
        return {one.run: one for one in decide(dynamic, runs=runs, **given)}  # type: ignore

    together = some(0, 1, 2, 3)
    assert together == {**some(2, 0), **some(3), **some(1)}
    assert len({repr(one) for one in together.values()}) > 1


def test_without_liars_direct_comparison_is_right_within_minutes() -> None:
    ended = decide("dc", liars=0, black=34, seed=3, runs=range(5))
    assert all(one.right for one in ended)
    assert 80 < median(one.seconds for one in ended) < 320  # 161 in the paper


def test_with_eight_liars_nobody_is_right() -> None:
    ended = decide("dmvd", liars=8, black=34, seed=3, runs=range(8), limit_s=200)
    assert sum(one.right for one in ended) <= 1


def test_news_spreads_by_meeting_and_the_silent_do_not_carry_it() -> None:
    all_carry = spread(2, range(4), silent=0, known=14, limit_s=200)
    some = spread(2, range(4), silent=6, known=14, limit_s=200)
    assert all(5 < early < late for early, late in zip(all_carry, some, strict=True))  # type: ignore
    assert spread(2, [0, 3], silent=0, known=14, limit_s=200) == [all_carry[0], all_carry[3]]
    assert spread(2, [0], silent=0, known=20, limit_s=1) == [None]
    with pytest.raises(Misuse, match="silent"):
        spread(2, [0], silent=7, known=14, limit_s=1)


@pytest.mark.parametrize("given", [{"liars": 11}, {"dynamic": "coin"}, {"black": 0}, {"runs": []}])
def test_what_is_no_arena_is_refused(given: dict[str, object]) -> None:
    usual = {"dynamic": "dc", "liars": 0, "black": 34, "seed": 0, "runs": [0], "limit_s": 1}
    with pytest.raises(Misuse):
        decide(**{**usual, **given})  # type: ignore[arg-type]


def drive(samples: float, white: float) -> Evidence:
    """Have two robots drive so many samples' length, with that share of white."""
    evidence, length = Evidence(2), np.full(2, samples * SAMPLE_M)
    evidence.add(length * white, np.array([WHITE, BLACK]))
    evidence.add(length * (1 - white), np.array([BLACK, WHITE]))
    return evidence


def test_a_robot_votes_when_it_is_sure_and_says_how_sure() -> None:
    assert not drive(5, 1.0).sure().any()
    assert drive(INTERCEPT / (1 - SLOPE) + 0.1, 1.0).sure().all()
    assert not drive(1_000, 0.54).sure().any()
    first = drive(40, 0.66)
    assert first.sure().all()
    white, black = (first.observation(place, QUESTION, 5) for place in (0, 1))
    assert (white.label, black.label) == (WHITE, BLACK)
    assert white.confidence_ppm == black.confidence_ppm
    assert abs(white.confidence_ppm / 1e6 - NormalDist().cdf(0.32 * 40**0.5)) < 1e-5


def test_who_is_not_sure_at_all_abstains() -> None:
    unsure = drive(100, 0.54).observation(0, QUESTION, 5)
    assert unsure.label == ABSTAIN
    assert Evidence(1).observation(0, QUESTION, 5).confidence_ppm == 500_000
    assert drive(100, 0.56).observation(0, QUESTION, 5).label == WHITE


def test_probabilities_are_those_of_the_normal_distribution() -> None:
    for deviations in (0, 0.1, 0.5, 1, 1.96, 3, 4.5, 5):
        assert abs(probability(deviations) - NormalDist().cdf(deviations)) < 1e-9
    assert probability(50) == probability(5)


def test_growth_counts_what_a_ledger_holds() -> None:
    grown = growth(blocks=2)
    assert 0 < grown.deflated < grown.file < grown.content, "blocks lie packed in the file"
    assert 1_000_000 < grown.content < 1_600_000  # at 1.78 votes a second: about 200 bytes a vote


PINNED = ["0.212678026899250", "0.796926971243764", "0.883114382000353", "0.444276145733351"]
