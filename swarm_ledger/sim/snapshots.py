# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Pictures for training beside the world's own: cups on tables, and portraits.

They teach the model what photographs have and the drones' frames lack: close-ups, odd framing,
wood, rooms, clothes.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from swarm_ledger.sim import cups, heads, scenery, studio
from swarm_ledger.sim.raster import Mesh

Rng = np.random.Generator
Image = NDArray[np.uint8]


def cup_on_table(rng: Rng) -> Image:
    """Return a close picture (120, 160, 3) of a cup, as people photograph coffee."""
    canvas = (
        studio.table(rng)
        if rng.random() < 0.85
        else scenery.backdrop(rng, studio.TALL, studio.WIDE)
    )
    mesh = cups.cup(rng, around=48).moved(turn=rng.uniform(0, 2 * math.pi))
    studio.shoot(
        rng, canvas, mesh, elevation=rng.uniform(0.15, 1.3), fill=rng.uniform(0.45, 1.25), size=1.0
    )
    return studio.develop(rng, canvas)


def portrait(rng: Rng) -> Image:
    """Return a picture (120, 160, 3) of one or two people, close up to half length."""
    canvas = studio.room(rng)
    if rng.random() < 0.2:
        mesh = heads.two_heads(rng)
        studio.shoot(
            rng,
            canvas,
            mesh,
            elevation=rng.uniform(-0.2, 0.5),
            fill=rng.uniform(0.6, 1.2),
            size=1.4,
        )
        return studio.develop(rng, canvas)
    looks = heads.Looks.draw(rng, stone=0.04)
    turn = rng.normal(0.0, 0.35) if rng.random() < 0.75 else rng.uniform(-1.8, 1.8)
    half_length = rng.random() < 0.55
    if half_length:  # a small face, high in the picture
        foot, fill = -3.2, rng.uniform(0.26, 0.55)
        rise = 0.65 / fill - 1.0 - rng.uniform(0.0, 0.5)
    else:
        foot, fill = float(rng.choice([-0.95, -0.45])), rng.uniform(0.5, 1.5)
        rise = rng.uniform(-0.4, -0.1)
    mesh = _dressed(rng, heads.head(looks, 60, 64, foot=foot)).moved(turn=turn, by=(0, 0, rise))
    elevation = rng.normal(0.0, 0.15)
    studio.shoot(rng, canvas, mesh, elevation=elevation, fill=fill, size=1.3, ahead=True)
    for _ in range(int(rng.integers(0, 4)) if half_length else 0):
        x, y = int(rng.uniform(0, studio.WIDE)), int(rng.uniform(0.65, 1.1) * studio.TALL)
        studio.prop(rng, canvas, x, y)
    return studio.develop(rng, canvas)


def _dressed(rng: Rng, mesh: Mesh) -> Mesh:
    """Return a person's mesh with badges, stripes and a collar on the clothes, sometimes."""
    colours = mesh.colours.copy()
    middle = mesh.quads.mean(axis=1)
    body = middle[:, 2] < -0.36
    if rng.random() < 0.35:
        colours[body & (middle[:, 2] > -0.36 - rng.uniform(0.05, 0.25))] = rng.uniform(0, 1, 3)
    for _ in range(int(rng.integers(0, 5))):
        at = np.array([rng.uniform(-0.7, 0.7), rng.uniform(-2.2, -0.6)])
        reach = rng.uniform(0.05, 0.3, 2)
        badge = body & (np.abs((middle[:, 1:] - at) / reach).max(axis=1) < 1)
        colours[badge] = rng.uniform(0, 1, 3)
    return Mesh(mesh.quads, colours)
