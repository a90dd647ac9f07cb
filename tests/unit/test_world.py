# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The world: who is where, and what it refuses."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise

import pytest

from swarm_ledger.errors import Misuse
from swarm_ledger.sim.world import MIN_DISTANCE, ORBIT_RADIUS, TARGETS, Pose, World


def test_drones_circle_the_target_and_look_at_it() -> None:
    world = World.create("cup", 7, 3)
    for drone in range(1, 8):
        for t in (0.0, 12.3, 60.0):
            pose = world.pose(drone, t)
            distance = math.hypot(pose.x, pose.y)
            assert ORBIT_RADIUS[0] - 0.2 <= distance <= ORBIT_RADIUS[1] + 0.2
            ahead = (
                pose.x + distance * math.cos(pose.yaw),
                pose.y + distance * math.sin(pose.yaw),
            )
            assert math.hypot(*ahead) < 1e-9
            assert -math.pi <= pose.yaw <= math.pi


def test_the_arc_is_slow_and_smooth() -> None:
    world = World.create("two_faces", 4, 11)
    for drone in range(1, 5):
        before, after = world.pose(drone, 5.0), world.pose(drone, 5.1)
        step = math.dist((before.x, before.y, before.z), (after.x, after.y, after.z))
        assert 0.0 < step < 0.06  # metres in a tenth of a second
        far = world.pose(drone, 25.0)
        turned = math.remainder(
            math.atan2(far.y, far.x) - math.atan2(before.y, before.x), math.tau
        )
        assert 0.3 < abs(turned) < 1.3


def test_drones_are_spread_around() -> None:
    world = World.create("cup", 7, 5)
    bearings = sorted(math.atan2(world.pose(d, 0).y, world.pose(d, 0).x) for d in range(1, 8))
    gaps = [b - a for a, b in pairwise(bearings)]
    gaps.append(bearings[0] + math.tau - bearings[-1])
    assert min(gaps) > 0.25
    assert max(gaps) < 1.6


def test_the_seed_decides_and_nothing_else() -> None:
    one = [World.create("cup", 4, 9).pose(d, 2.5) for d in range(1, 5)]
    assert one == [World.create("cup", 4, 9).pose(d, 2.5) for d in range(1, 5)]
    assert one != [World.create("cup", 4, 10).pose(d, 2.5) for d in range(1, 5)]


def test_given_poses_are_held() -> None:
    poses = (Pose(3.0, 0.0, 1.0, math.pi), Pose(0.0, -2.0, 0.5, math.pi / 2))
    world = World.create("cup", 2, 1, poses)
    assert world.pose(1, 0.0) == world.pose(1, 99.0) == poses[0]
    assert world.pose(2, 7.0) == poses[1]


def test_a_world_does_not_change() -> None:
    world = World.create("cup", 4, 9)
    with pytest.raises(dataclasses.FrozenInstanceError):
        world.seed = 10  # type: ignore[misc]
    assert hash(world) == hash(World.create("cup", 4, 9))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("vase", 4, 1), "no target 'vase'"),
        (("cup", 0, 1), "not 0"),
        (("cup", -1, 1), "not -1"),
        (("cup", 10**9, 1), "1 to"),
        (("cup", 4, -1), "seed -1"),
        (("cup", 4, 2**63), "seed"),
        (("cup", 4, 1, (Pose(3, 0, 0, 0),)), "1 poses were given for 4 drones"),
        (("cup", 1, 1, (Pose(MIN_DISTANCE / 2, 0, 9, 0),)), "drone 1"),
        (("cup", 1, 1, (Pose(math.nan, 3, 0, 0),)), "not finite"),
        (("cup", 1, 1, (Pose(3, 3, 0, math.inf),)), "not finite"),
    ],
)
def test_a_bad_world_is_refused_with_a_sentence(arguments: tuple, words: str) -> None:
    with pytest.raises(Misuse) as caught:
        World.create(*arguments)
    assert words in caught.value.what
    assert caught.value.remedy


def test_the_remedy_names_the_targets() -> None:
    with pytest.raises(Misuse) as caught:
        World.create("vase", 4, 1)
    assert all(target in caught.value.remedy for target in TARGETS)


@pytest.mark.parametrize("drone", [0, 5, -1])
def test_a_drone_that_is_not_there(drone: int) -> None:
    with pytest.raises(Misuse, match="no drone"):
        World.create("cup", 4, 1).pose(drone, 0.0)


@pytest.mark.parametrize("t", [math.nan, math.inf])
def test_a_time_that_is_none(t: float) -> None:
    with pytest.raises(Misuse, match="not a finite"):
        World.create("cup", 4, 1).pose(1, t)
