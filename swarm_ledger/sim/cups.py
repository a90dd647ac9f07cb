# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Cups, with handles, saucers and drinks drawn by lot, and what they stand on.

A goblet's outline is the heads' own profile, turned round: Rubin's figure (E. Rubin,
Synsoplevede Figurer, 1915).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from swarm_ledger.sim.heads import profile
from swarm_ledger.sim.raster import Mesh, grid_quads, revolve

Rng = np.random.Generator


def cup(rng: Rng, around: int = 32) -> Mesh:
    """Return a cup about 0.9 m high, middle at the origin.

    Mug or teacup with handle, or Rubin's goblet.
    """
    kind = rng.choice(["mug", "teacup", "goblet"], p=[0.42, 0.36, 0.22])
    tall, rim = rng.uniform(0.75, 0.95), rng.uniform(0.36, 0.46)
    if kind == "goblet":
        return _goblet(rng, around)
    if kind == "teacup":
        tall, rim = rng.uniform(0.5, 0.68), rng.uniform(0.42, 0.55)
    u = np.linspace(0.0, 1.0, 13)
    foot = rng.uniform(0.8, 1.0) if kind == "mug" else rng.uniform(0.42, 0.62)
    bulge = rng.uniform(-0.05, 0.08) if kind == "mug" else rng.uniform(0.08, 0.2)
    wall = rim * (foot + (1 - foot) * u + bulge * np.sin(math.pi * u))
    z = (u - 0.5) * tall
    fill = rng.uniform(0.5, 0.92)
    inner = np.interp([0.98, fill], u, wall) * 0.92
    outline = [(0.0, z[0]), *zip(wall, z, strict=True), (wall[-1] * 0.93, z[-1])]
    outline += [(inner[0], z[-1] - 0.03), (inner[1], (fill - 0.5) * tall)]
    outline += [(inner[1] * k, (fill - 0.5) * tall) for k in (0.85, 0.6, 0.3, 0.0)]
    quads = revolve(np.array(outline, dtype=np.float32), around)
    glaze, inside, drink = _cup_colours(rng)
    colours = np.broadcast_to(glaze, (*quads.shape[:2], 3)).copy()
    _decorate(rng, colours[:14], glaze)
    colours[14:16] = inside
    colours[16:] = drink
    if rng.random() < 0.5:
        colours[16] = np.clip(drink * 1.6 + 0.15, 0, 1)
    body = Mesh(quads.reshape(-1, 4, 3), colours.reshape(-1, 3).astype(np.float32))
    parts = [body, _handle(rng, wall, z, glaze)]
    if kind == "teacup" and rng.random() < 0.8:
        parts.append(_saucer(rng, around, float(z[0]), rim, np.asarray(glaze)))
    return Mesh.join(*parts)


def _cup_colours(
    rng: Rng,
) -> tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]:
    if rng.random() < 0.45:
        glaze = np.clip(rng.uniform(0.65, 1.0) + rng.normal(0, 0.04, 3), 0.02, 1)
    else:
        glaze = rng.uniform(0.05, 0.95, 3)
    inside = (
        np.clip(rng.uniform(0.7, 1.0) + rng.normal(0, 0.03, 3), 0, 1)
        if rng.random() < 0.6
        else glaze
    )
    drink = np.array([0.16, 0.08, 0.04]) * rng.uniform(0.5, 1.8)
    lot = rng.random()
    if lot < 0.35:  # with milk
        drink = np.array([0.66, 0.44, 0.27]) * rng.uniform(0.7, 1.2)
    elif lot < 0.5:  # tea
        drink = np.array([0.55, 0.25, 0.06]) * rng.uniform(0.7, 1.2)
    return glaze, inside, np.clip(drink, 0, 1)


def _decorate(rng: Rng, wall: NDArray[np.floating], glaze: NDArray[np.floating]) -> None:
    ink = rng.uniform(0.05, 0.95, 3)
    lot = rng.random()
    if lot < 0.2:
        row = int(rng.integers(2, 11))
        wall[row : row + int(rng.integers(1, 4))] = ink
    elif lot < 0.35:
        period = int(rng.integers(3, 9))
        wall[2:12, np.arange(wall.shape[1]) % period < period // 2] = ink
    elif lot < 0.5:
        dots = rng.random(wall.shape[:2]) < rng.uniform(0.05, 0.3)
        wall[dots] = 0.5 * ink + 0.5 * glaze


def _handle(
    rng: Rng, wall: NDArray[np.floating], z: NDArray[np.floating], glaze: NDArray[np.floating]
) -> Mesh:
    tall = float(z[-1] - z[0])
    high, out, thick = (
        tall * rng.uniform(0.24, 0.36),
        rng.uniform(0.16, 0.28),
        rng.uniform(0.03, 0.055),
    )
    bend = np.linspace(-0.5 * math.pi, 0.5 * math.pi, 13)
    middle = tall * rng.uniform(-0.02, 0.1)
    spine_z = middle + high * np.sin(bend)
    spine_x = np.interp(spine_z, z, wall) - thick * 0.6 + out * np.cos(bend) ** 0.8
    tangent = np.stack([np.gradient(spine_x), np.gradient(spine_z)], axis=-1)
    tangent /= np.linalg.norm(tangent, axis=-1, keepdims=True)
    turn = np.linspace(0.0, 2.0 * math.pi, 9)
    across = np.cos(turn)[None, :] * thick
    points = np.stack(
        [
            spine_x[:, None] + tangent[:, 1:] * across,
            np.broadcast_to(np.sin(turn) * thick, across.shape).repeat(len(bend), axis=0),
            spine_z[:, None] - tangent[:, :1] * across,
        ],
        axis=-1,
    )
    quads = grid_quads(points).reshape(-1, 4, 3)
    return Mesh(quads, np.broadcast_to(glaze, (len(quads), 3)).astype(np.float32))


def _saucer(rng: Rng, around: int, z: float, rim: float, glaze: NDArray[np.floating]) -> Mesh:
    radius, lift = rim * rng.uniform(1.45, 1.9), rng.uniform(0.04, 0.12)
    radii = np.array([0.0, 0.4, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]) * radius
    heights = z + np.array(
        [-0.05, -0.05, lift - 0.05, lift - 0.02, lift * 0.4 - 0.02, -0.02, -0.02, -0.02]
    )
    quads = revolve(np.stack([radii, heights], axis=-1).astype(np.float32), around)
    return Mesh(
        quads.reshape(-1, 4, 3),
        np.broadcast_to(glaze, (quads.shape[0] * around, 3)).astype(np.float32),
    )


def _goblet(rng: Rng, around: int) -> Mesh:
    tall, waist = rng.uniform(0.8, 0.95), rng.uniform(0.08, 0.16)
    heights = np.linspace(-0.1, 0.98, 26)
    reach = profile(heights)
    wall = waist + (reach.max() - reach) * rng.uniform(0.55, 0.8)
    z = np.linspace(-0.5, 0.5, len(heights)) * tall
    outline = [
        (0.0, z[0]),
        *zip(wall, z, strict=True),
        (wall[-1] * 0.9, z[-1]),
        (0.0, z[-1] - 0.15),
    ]
    quads = revolve(np.array(outline, dtype=np.float32), around)
    glaze, inside, _ = _cup_colours(rng)
    colours = np.broadcast_to(glaze, (*quads.shape[:2], 3)).copy()
    colours[-1:] = inside
    return Mesh(quads.reshape(-1, 4, 3), colours.reshape(-1, 3).astype(np.float32))


def plinth(rng: Rng) -> Mesh:
    """Return what the target stands on: a round slab with its top at z = 0, of stone or wood."""
    radius, tall = rng.uniform(0.85, 1.1), rng.uniform(0.1, 0.4)
    radii = np.array([1.0, 1.0, 0.7, 0.4, 0.0]) * radius
    quads = revolve(
        np.stack([radii, np.array([-tall, 0, 0, 0, 0])], axis=-1).astype(np.float32), 36
    )
    tone = (
        np.full(3, rng.uniform(0.25, 0.8))
        if rng.random() < 0.6
        else np.array([0.5, 0.34, 0.2]) * rng.uniform(0.5, 1.5)
    )
    colours = np.broadcast_to(np.clip(tone, 0, 1), (quads.shape[0] * 36, 3))
    return Mesh(quads.reshape(-1, 4, 3), colours.astype(np.float32))
