# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The camera: frames that any process draws alike, and that are not all easy to read."""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys

import numpy as np
import pytest

from swarm_ledger.errors import Misuse
from swarm_ledger.sim import camera, cups
from swarm_ledger.sim.camera import HEIGHT, WIDTH, render
from swarm_ledger.sim.world import TARGETS, Pose, World

_HASH = """
import hashlib
from swarm_ledger.sim.camera import render
from swarm_ledger.sim.world import World
total = hashlib.sha256()
for target, seed in (("two_faces", 3), ("cup", 3), ("cup", 2**40 + 17)):
    world = World.create(target, 4, seed)
    for drone in (1, 2, 3, 4):
        for frame in (0, 1, 57):
            total.update(render(world, drone, frame / 10).tobytes())
print(total.hexdigest())
"""


def test_a_frame_is_rgb_bytes() -> None:
    frame = render(World.create("cup", 4, 1), 2, 0.0)
    assert frame.shape == (HEIGHT, WIDTH, 3) == (120, 160, 3)
    assert frame.dtype == np.uint8
    assert frame.std() > 5


def test_another_process_draws_the_same_bytes() -> None:
    other = subprocess.run(
        [sys.executable, "-c", _HASH], capture_output=True, text=True, check=True, timeout=120
    )
    total = hashlib.sha256()
    for target, seed in (("two_faces", 3), ("cup", 3), ("cup", 2**40 + 17)):
        world = World.create(target, 4, seed)
        for drone in (1, 2, 3, 4):
            for frame in (0, 1, 57):
                total.update(render(world, drone, frame / 10).tobytes())
    assert other.stdout.strip() == total.hexdigest()


def test_what_was_drawn_before_does_not_matter() -> None:
    world = World.create("two_faces", 4, 21)
    alone = render(world, 3, 4.2)
    camera._scene.cache_clear()
    camera._target.cache_clear()
    for drone in (4, 2, 1):
        render(world, drone, 9.9)
    assert np.array_equal(render(world, 3, 4.2), alone)


def test_time_counts_in_frames() -> None:
    world = World.create("cup", 4, 1)
    assert np.array_equal(render(world, 1, 0.30), render(world, 1, 0.35))
    assert np.array_equal(render(world, 1, 3 * 0.1), render(world, 1, 0.3))
    assert not np.array_equal(render(world, 1, 0.3), render(world, 1, 0.4))


def test_drones_seeds_and_targets_show() -> None:
    frame = render(World.create("cup", 4, 1), 1, 0.0)
    for other in (
        render(World.create("cup", 4, 1), 2, 0.0),
        render(World.create("cup", 4, 2), 1, 0.0),
        render(World.create("two_faces", 4, 1), 1, 0.0),
    ):
        assert not np.array_equal(frame, other)


def test_the_target_is_in_the_middle_of_most_pictures() -> None:
    """Cup and faces, seen in one world by one drone, differ where they stand, hardly elsewhere."""
    middle, rim = [], []
    for seed in range(12):
        pair = [render(World.create(target, 1, seed), 1, 0.0).astype(int) for target in TARGETS]
        apart = np.abs(pair[0] - pair[1]).mean(axis=2)
        middle.append(apart[30:90, 45:115].mean())
        rim.append(np.concatenate([apart[:12].ravel(), apart[-12:].ravel()]).mean())
    assert np.median(middle) > 8 * max(np.median(rim), 0.01)


def test_views_differ_in_light_blur_and_noise() -> None:
    frames = [
        render(World.create("cup", 7, seed), d, 0.0) for seed in range(6) for d in range(1, 8)
    ]
    brightness = [float(frame.mean()) for frame in frames]
    grain = [float(np.abs(np.diff(frame.astype(int), axis=1)).mean()) for frame in frames]
    assert max(brightness) - min(brightness) > 80
    assert max(grain) > 4 * min(grain)


def test_how_far_cup_and_faces_differ_varies_widely() -> None:
    """Means over blocks, so that noise drops out: some views show much less of the difference."""
    apart = []
    for seed in range(40):
        pair = [render(World.create(target, 1, seed), 1, 0.0).astype(float) for target in TARGETS]
        one, other = (frame.reshape(15, 8, 20, 8, 3).mean(axis=(1, 3)) for frame in pair)
        apart.append(float(np.abs(one - other).max()))
    assert min(apart) < 50
    assert max(apart) > 150


def test_the_goblet_is_the_gap_between_two_faces() -> None:
    """Rubin's figure: the goblet is narrowest where the nose is, widest where the face recedes."""
    goblet = cups._goblet(np.random.default_rng(4), 16)
    corners = goblet.quads.reshape(-1, 3)
    wall = corners[np.hypot(corners[:, 0], corners[:, 1]) > 0.02]
    radius, height = np.hypot(wall[:, 0], wall[:, 1]), wall[:, 2]
    along = (height - height.min()) / (height.max() - height.min()) * 1.08 - 0.1
    nose, brow_dip = (radius[np.abs(along - z) < 0.03].max() for z in (0.37, 0.55))
    throat = radius[np.abs(along + 0.05) < 0.04].max()
    assert nose < brow_dip < throat
    assert nose == pytest.approx(radius[(along > 0.1) & (along < 0.8)].min(), rel=0.05)


def test_given_poses_look_where_their_yaw_says() -> None:
    def seen(yaw: float) -> float:
        pair = [World.create(t, 1, 5, (Pose(3.0, 0.0, 0.8, yaw),)) for t in TARGETS]
        frames = [render(world, 1, 0.0).astype(float) for world in pair]
        return float(np.abs(frames[0] - frames[1]).mean())

    assert seen(math.pi) > 2.0
    assert seen(0.0) == 0.0  # its back to the target: cup and faces look the same


@pytest.mark.parametrize(("drone", "t"), [(0, 0.0), (5, 0.0), (1, math.nan)])
def test_bad_arguments_are_refused(drone: int, t: float) -> None:
    with pytest.raises(Misuse):
        render(World.create("cup", 4, 1), drone, t)
