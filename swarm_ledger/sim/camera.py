# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A drone's camera: RGB frames of the world at 10 Hz, the same bytes in any process.

Each drone has light, lens, sensor and obstacles of its own, drawn from (seed, drone); each frame
has noise and wobble of its own, drawn from (seed, drone, frame). So drones err mostly apart, one
drone's frames mostly together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from swarm_ledger.sim import cups, heads, scenery
from swarm_ledger.sim.raster import Light, Mesh, View, paint
from swarm_ledger.sim.scenery import Obstacle, Optics
from swarm_ledger.sim.world import TROUBLES, Pose, World

HEIGHT, WIDTH = 120, 160
FRAME_SECONDS = 0.1

_OVERSAMPLE = 2  # drawn at twice the size, then averaged down: smooth edges
_MARGIN = 40  # pixels of backdrop on each side, for the pan of an orbit
_SCENE_TAG, _TARGET_TAG, _FRAME_TAG = 0x5CE0, 0x7A26, 0xF2A3
_PLINTH_TOP = -0.46  # metres: the target stands on it
HARD = 0.65
"""Severity from which a view is hard: murky, blurred, noisy or obstructed."""


@dataclass(frozen=True)
class _Scene:
    """All that one drone's frames have in common."""

    light: Light
    plinth: Mesh
    backdrop: NDArray[np.uint8]
    optics: Optics
    in_the_way: tuple[Obstacle, ...]
    focal: float
    off_aim: tuple[float, float]
    haze: NDArray[np.float32]


def frame_index(t: float) -> int:
    """Return the number of the frame shown at t seconds."""
    return math.floor(t / FRAME_SECONDS + 1e-6)


def render(world: World, drone: int, t: float, flown: Pose | None = None) -> NDArray[np.uint8]:
    """Return what drone (1-based) sees at t seconds: (120, 160, 3) RGB; t counts in frames of 0.1
    s. flown: where a pilot has brought it, if one flies it.

    Raises Misuse for a drone that is not there or a time that is not finite.
    """
    world.pose(drone, t)  # refuses bad arguments before anything is drawn
    frame = frame_index(t)
    pose = flown or world.pose(drone, frame * FRAME_SECONDS)
    scene = _scene(world, drone)
    rng = np.random.default_rng([world.seed, _FRAME_TAG, drone, frame % 2**63])
    wobble = rng.normal(0.0, 1.0, 4)
    bearing = math.atan2(pose.y, pose.x)
    start = world.pose(drone, 0.0)
    pan = math.remainder(bearing - math.atan2(start.y, start.x), 2 * math.pi)
    shift = float(np.clip(pan * 220.0 + wobble[0], 1 - _MARGIN, _MARGIN - 1))
    left = _MARGIN + round(shift)
    canvas = cv2.resize(
        scene.backdrop[:, left : left + WIDTH],
        None,
        fx=_OVERSAMPLE,
        fy=_OVERSAMPLE,
        interpolation=cv2.INTER_LINEAR,
    ).astype(np.uint8)
    given = bool(world.poses) or flown is not None
    view = _view(scene, pose, wobble, given=given)
    for mesh in (scene.plinth, _target(world.target, world.seed)):
        paint(canvas, mesh, view, scene.light, scene.haze)
    scenery.hide(canvas, scene.in_the_way, -shift * _OVERSAMPLE)
    small = cv2.resize(canvas, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.uint8)
    return scenery.expose(small, scene.optics, rng)


def _view(scene: _Scene, pose: Pose, wobble: NDArray[np.float64], *, given: bool) -> View:
    eye = np.array((pose.x, pose.y, pose.z), dtype=np.float32)
    if given:  # it looks where its yaw says, levelled at the target's middle
        reach = math.hypot(pose.x, pose.y)
        aim = np.array(
            [pose.x + reach * math.cos(pose.yaw), pose.y + reach * math.sin(pose.yaw), 0.0],
            dtype=np.float32,
        )
    else:
        aim = np.zeros(3, dtype=np.float32)
    centre = (
        (WIDTH / 2 + scene.off_aim[0] + wobble[1]) * _OVERSAMPLE,
        (HEIGHT / 2 + scene.off_aim[1] + wobble[2]) * _OVERSAMPLE,
    )
    return View(eye, aim, scene.focal * _OVERSAMPLE, centre, roll=0.02 * float(wobble[3]))


@lru_cache(maxsize=64)
def _target(target: str, seed: int) -> Mesh:
    rng = np.random.default_rng([seed, _TARGET_TAG])
    mesh = cups.cup(rng) if target == "cup" else heads.two_heads(rng)
    foot = float(mesh.quads[:, :, 2].min())
    return mesh.moved(turn=rng.uniform(0.0, 2.0 * math.pi), by=(0, 0, _PLINTH_TOP - foot))


def severity(world: World, drone: int) -> float:
    """Return how badly a drone (1-based) sees, 0 to 1, the same for all of its frames."""
    return _severity(np.random.default_rng([world.seed, _SCENE_TAG, drone]), world.hard)


def _severity(rng: np.random.Generator, hard: float) -> float:
    """Draw it; the first thing that is drawn for a drone."""
    return float(rng.uniform(HARD, 1.0) if rng.random() < hard else rng.uniform(0.0, 0.6))


@lru_cache(maxsize=256)
def _scene(world: World, drone: int) -> _Scene:
    common = np.random.default_rng([world.seed, _SCENE_TAG])
    azimuth, height = common.uniform(0, 2 * math.pi), common.uniform(0.15, 1.2)
    rng = np.random.default_rng([world.seed, _SCENE_TAG, drone])
    severity = _severity(rng, world.hard)
    bad = {trouble: severity if trouble in world.troubles else 0.0 for trouble in TROUBLES}
    towards = (
        math.cos(azimuth) * math.cos(height),
        math.sin(azimuth) * math.cos(height),
        math.sin(height),
    )
    light = Light(
        towards,
        rng.uniform(0.2, 0.8),
        rng.uniform(0.55, 0.75) - 0.45 * bad["light"] * rng.random(),
    )
    behind = scenery.backdrop(rng, HEIGHT, WIDTH + 2 * _MARGIN, vivid=rng.uniform(0.1, 0.7))
    haze = np.append(
        behind.mean(axis=(0, 1)) / 255.0, bad["light"] * rng.uniform(0.0, 0.7)
    ).astype(np.float32)
    plinth = cups.plinth(common).moved(by=(0, 0, _PLINTH_TOP))
    return _Scene(
        light,
        plinth,
        behind,
        Optics.draw(rng, light=bad["light"], blur=bad["blur"], noise=bad["noise"]),
        scenery.obstacles(rng, bad["obstacles"], HEIGHT * _OVERSAMPLE, WIDTH * _OVERSAMPLE),
        rng.uniform(190.0, 260.0),
        (rng.normal(0.0, 9.0), rng.normal(0.0, 5.0)),
        haze,
    )
