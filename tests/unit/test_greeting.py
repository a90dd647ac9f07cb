# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Drones that miss somebody show themselves ever more rarely, and meet at once who comes late."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from unittest.mock import patch

from swarm_ledger.runtime.membership import roster_request
from swarm_ledger.runtime.rhythm import USUAL
from tests.crew import T0_MS, Crew
from tests.lab import STEP_MS, Lab

CREW = Crew()
MakeLab = Callable[..., Lab]


def shown(lab: Lab, member: int, ms: int) -> list[int]:
    """Let time pass; return when a drone showed its session to all, milliseconds from now on."""
    engine, begin_ms, times = lab.drones[member].engine, lab.now_ms, list[int]()
    with patch.object(engine, "introduce", wraps=engine.introduce) as introduce:
        for _ in range(ms // STEP_MS):
            introduce.reset_mock()
            lab.step()
            if introduce.called:
                times.append(lab.now_ms - begin_ms)
    return times


def pauses(times: list[int]) -> list[int]:
    return [later - sooner for sooner, later in pairwise(times)]


def gather(lab: MakeLab, *members: int) -> Lab:
    made = lab(crew=CREW)
    for member in members:
        made.start(member)
    return made


def test_while_somebody_is_missing_sessions_are_shown_ever_more_rarely(lab: MakeLab) -> None:
    swarm = gather(lab, 0, 1)
    assert pauses(shown(swarm, 0, 20_000)) == [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]


def test_whoever_comes_late_is_met_at_once_and_others_are_hoped_for_anew(lab: MakeLab) -> None:
    swarm = gather(lab, 0, 1)
    swarm.run(9_000)
    swarm.start(2)
    times = shown(swarm, 0, 4_000)
    assert times[0] <= 2 * STEP_MS
    assert pauses(times) == [100, 200, 400, 800, 1_600]
    assert [drone.greeting.met for drone in swarm.drones.values()] == [3, 3, 3]
    swarm.run(10_000)
    swarm.start(3)
    swarm.run(4 * STEP_MS)
    assert [drone.greeting.met for drone in swarm.drones.values()] == [4] * 4


def test_in_a_new_epoch_a_drone_shows_itself_often_again(lab: MakeLab) -> None:
    swarm = gather(lab, 0, 1, 2)
    swarm.run(9_000)
    swarm.drones[1].submit(roster_request(CREW.changed(CREW.roster)), swarm.now_ms)
    while swarm.drones[0].roster.version == 1:
        assert swarm.now_ms < T0_MS + 20_000
        swarm.step()
    with patch.object(swarm.network, "deliver", return_value=[]):  # nobody is heard there
        assert shown(swarm, 0, 2_000)[0] <= USUAL.hello_ms


def test_sessions_of_who_is_met_already_make_nobody_talkative(lab: MakeLab) -> None:
    swarm = gather(lab, 0, 1)
    swarm.run(9_000)
    for number in range(1, 4):
        swarm.drones[0].receive(CREW.identity("drone_2", number).delegation, swarm.now_ms)
    assert min(pauses(shown(swarm, 0, 11_000))) == USUAL.hello_again_ms
