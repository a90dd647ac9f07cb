# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Committees as operators name them, as missions have them, and as they would be drawn by lot."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from pathlib import Path

import pytest

from swarm_ledger.consensus.quorum import faulty
from swarm_ledger.errors import Misuse
from swarm_ledger.identity import edits
from swarm_ledger.identity.roster import FLYING, VOTERS, Role
from swarm_ledger.sim.mission import Mission, prepare, utc_now
from swarm_ledger.sim.resilience.committee import lot, unsafe
from tests.crew import Crew


def test_operators_appoint_and_dismiss() -> None:
    crew = Crew(7, followers=3)
    members = list(crew.roster.members)
    assert crew.roster.committee == {0, 1, 2, 3}
    assert crew.roster.flying == tuple(range(7))
    changed = edits.appoint(members, ["drone_7"], FLYING)
    changed = edits.appoint(changed, ["drone_1"], VOTERS)
    assert [m.index for m in changed if Role.VALIDATOR in m.roles] == [1, 2, 3, 6]
    for name, roles in (("operator_1", FLYING), ("drone_1", {Role.OPERATOR}), ("nobody", VOTERS)):
        with pytest.raises(Misuse):
            edits.appoint(members, [name], roles)


def test_where_all_order_there_is_no_committee() -> None:
    assert Crew(4).roster.committee is None


def test_a_mission_has_the_committee_that_it_asks_for(tmp_path: Path) -> None:
    mission = Mission(tmp_path / "run", drones=6, validators=4, byzantine=1, seed=3)
    fleet = prepare(mission, now=utc_now())
    assert fleet.roster.committee == {0, 1, 2, 3}
    assert fleet.settings("drone_6").members == (0, 1, 2, 3)
    for validators in (3, 7, -1):
        with pytest.raises(Misuse, match="can't run consensus"):
            Mission(tmp_path, drones=6, validators=validators)


@pytest.mark.parametrize("seed", range(30))
def test_no_committee_of_a_mission_has_more_liars_than_it_bears(tmp_path: Path, seed: int) -> None:
    mission = Mission(tmp_path, drones=13, validators=4, byzantine=4, seed=seed)
    liars = mission.liars()
    assert len(liars) == 4
    assert len(liars & set(mission.names()[:4])) <= faulty(4)


@pytest.mark.parametrize(("drones", "liars", "validators"), [(7, 2, 4), (8, 3, 5), (9, 3, 7)])
def test_the_odds_of_a_lot_are_those_of_counting(drones: int, liars: int, validators: int) -> None:
    drawn = list(combinations(range(drones), validators))
    bad = sum(sum(one < liars for one in few) > faulty(validators) for few in drawn)
    assert unsafe(drones, liars, validators) == Fraction(bad, len(drawn))


def test_odds_of_large_swarms_are_exact_and_of_nonsense_none() -> None:
    assert lot(100, 10, 31).unsafe == 0.0
    assert 0.27 < lot(100, 30, 31).unsafe < 0.29
    for wrong in ((3, 0, 4), (10, 11, 4), (10, 0, 3), (10, -1, 4)):
        with pytest.raises(Misuse):
            unsafe(*wrong)
