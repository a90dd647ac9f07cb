# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Swarms made of looks: what drones that see right decide among liars, and what they learn."""

from __future__ import annotations

import numpy as np
import pytest

from swarm_ledger.errors import Misuse
from swarm_ledger.sim import gallery
from swarm_ledger.sim.camera import render
from swarm_ledger.sim.gallery import MAX_HISTORY, VIEWS, Seen, ask
from swarm_ledger.sim.world import TARGETS, World
from swarm_ledger.voting.rules import RULES, rule_named


@pytest.fixture
def sharp(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all drones see what is there, 95 % sure."""

    def scene(views: str, drones: int, number: int) -> tuple[Seen, ...]:
        return tuple(Seen(number % 2, 950_000, 6283 * n // drones) for n in range(drones))

    monkeypatch.setattr(gallery, "scene", scene)


@pytest.mark.usefixtures("sharp")
@pytest.mark.parametrize("rule", RULES)
def test_drones_that_all_see_right_are_right_with_f_liars(rule: str) -> None:
    for run, liars in ((0, 0), (1, 0), (4, 2), (5, 2)):
        answer = ask(rule_named(rule), "clear", drones=7, liars=liars, history=16, seed=1, run=run)
        assert answer.decision == answer.target == TARGETS[(run + 1) % 2]
        assert list(answer.said.values()) == [answer.target] * (7 - liars)


@pytest.mark.usefixtures("sharp")
def test_a_swarm_that_knows_its_liars_bears_an_honest_mistake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = {"drones": 7, "liars": 2, "seed": 0, "run": 2}
    honest = ask(rule_named("bayes"), "clear", history=0, **wanted).said
    mistaken, right = int(next(iter(honest)).removeprefix("drone_")) - 1, gallery.scene

    def scene(views: str, drones: int, number: int) -> tuple[Seen, ...]:
        seen = list(right(views, drones, number))
        if number == MAX_HISTORY + 2:
            seen[mistaken] = Seen(1 - number % 2, 950_000, 0)
        return tuple(seen)

    monkeypatch.setattr(gallery, "scene", scene)
    assert ask(rule_named("bayes"), "clear", history=0, **wanted).decision == "contested"
    known = ask(rule_named("bayes"), "clear", history=16, **wanted)
    assert known.decision == known.target
    assert sorted(known.said.values()) == sorted([known.target] * 4 + [TARGETS[1]])


@pytest.mark.usefixtures("sharp")
def test_more_liars_than_honest_drones_are_believed_by_a_majority_alone() -> None:
    answer = ask(rule_named("majority"), "clear", drones=7, liars=5, history=0, seed=0, run=0)
    assert answer.decision == TARGETS[1] != answer.target
    bayes = ask(rule_named("bayes"), "clear", drones=7, liars=5, history=0, seed=0, run=0)
    assert bayes.decision in {"contested", TARGETS[1]}


def test_a_scene_is_the_same_each_time_and_views_differ_by_what_they_say() -> None:
    gallery.scene.cache_clear()
    first = gallery.scene("one_side", 4, 5)
    gallery.scene.cache_clear()
    assert gallery.scene("one_side", 4, 5) == first
    bearings = sorted(one.bearing_mrad for one in first)
    assert min(bearings[-1] - bearings[0], 6283 - bearings[-1] + bearings[0]) < 700


def test_a_trouble_alone_leaves_the_others_out() -> None:
    """Noise alone: the frame without its noise is the one of a clear view, as sharp and bright."""
    seed, hard = 11, {"hard": 1.0}
    noisy, clear, blurred = (
        render(World.create("cup", 1, seed, troubles=troubles, **hard), 1, 0.0).astype(float)
        for troubles in (("noise",), (), ("blur",))
    )
    assert abs(noisy.mean() - clear.mean()) < 3
    assert np.abs(np.diff(noisy, axis=1)).mean() > 1.5 * np.abs(np.diff(clear, axis=1)).mean()
    assert np.abs(np.diff(blurred, axis=1)).mean() < np.abs(np.diff(clear, axis=1)).mean()
    with pytest.raises(Misuse, match="no trouble"):
        World.create("cup", 1, 0, troubles=("fog",))


def test_views_are_possible_worlds() -> None:
    for kind in VIEWS.values():
        World.create("cup", 4, 0, hard=kind.hard, troubles=kind.troubles)
