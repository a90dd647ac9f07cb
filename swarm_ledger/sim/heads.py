# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Heads with a face, looking along +x: skin, hair, eyes and mouth drawn by lot."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm_ledger.sim.raster import Floats, Mesh, grid_quads

Rng = np.random.Generator

# A head, chin at height 0 and crown at 1, looking along +x: height, reach of the face beside the
# nose, extra reach in the middle (nose, lips, chin), reach of the back (negative), half width.
_HEAD = np.array(
    [
        [-0.95, 0.26, 0.00, -0.28, 0.98],
        [-0.75, 0.28, 0.00, -0.28, 0.92],
        [-0.55, 0.27, 0.00, -0.27, 0.78],
        [-0.44, 0.22, 0.00, -0.25, 0.45],
        [-0.34, 0.18, 0.00, -0.24, 0.23],
        [-0.18, 0.16, 0.00, -0.23, 0.19],
        [-0.05, 0.20, 0.00, -0.24, 0.19],
        [-0.01, 0.32, 0.02, -0.25, 0.21],
        [0.03, 0.38, 0.03, -0.25, 0.24],
        [0.08, 0.41, 0.06, -0.26, 0.27],
        [0.13, 0.42, 0.05, -0.28, 0.30],
        [0.17, 0.42, 0.01, -0.30, 0.32],
        [0.21, 0.43, 0.06, -0.33, 0.33],
        [0.245, 0.43, 0.01, -0.35, 0.34],
        [0.27, 0.43, 0.07, -0.36, 0.34],
        [0.30, 0.43, 0.04, -0.38, 0.35],
        [0.33, 0.43, 0.07, -0.40, 0.35],
        [0.36, 0.43, 0.18, -0.42, 0.36],
        [0.40, 0.43, 0.17, -0.43, 0.36],
        [0.46, 0.43, 0.10, -0.45, 0.37],
        [0.52, 0.42, 0.04, -0.47, 0.37],
        [0.57, 0.43, 0.02, -0.48, 0.37],
        [0.61, 0.45, 0.03, -0.48, 0.37],
        [0.68, 0.45, 0.01, -0.48, 0.37],
        [0.78, 0.43, 0.00, -0.47, 0.36],
        [0.87, 0.37, 0.00, -0.43, 0.32],
        [0.94, 0.27, 0.00, -0.33, 0.24],
        [0.98, 0.16, 0.00, -0.20, 0.14],
        [1.00, 0.02, 0.00, -0.02, 0.02],
    ]
)
HEAD_FOOT = -0.45  # where a head of the world is cut off, below its neck


@dataclass(frozen=True)
class Looks:
    """How one head looks: RGB colours in 0..1, heights on the head of where its hair ends.

    stretch: of depth and width; smile: 0..1; volume: how far the hair stands out, a factor.
    """

    skin: Floats
    hair: Floats
    clothes: Floats
    hairline: float
    hair_length: float
    stretch: tuple[float, float]
    smile: float
    stone: bool
    volume: float

    @staticmethod
    def draw(rng: Rng, stone: float) -> Looks:
        """Draw looks by lot; stone: the chance of a statue, of one colour all over."""
        tone = rng.uniform(0.0, 1.0)
        skin = np.array([0.98, 0.80, 0.68]) * (1 - tone) + np.array([0.34, 0.21, 0.15]) * tone
        skin = skin + rng.normal(0, 0.025, 3)
        dark = rng.uniform(0.0, 1.0) ** 2
        hair = np.array([0.08, 0.06, 0.05]) * (1 - dark) + np.array([0.75, 0.55, 0.32]) * dark
        if rng.random() < 0.15:
            hair = np.full(3, rng.uniform(0.45, 0.85))
        is_stone = bool(rng.random() < stone)
        if is_stone:
            skin = np.full(3, rng.uniform(0.35, 0.9)) + rng.normal(0, 0.05, 3)
            hair = skin * rng.uniform(0.7, 1.0)
        clothes = skin * 0.95 if is_stone else rng.uniform(0.03, 0.95, 3)
        return Looks(
            np.clip(skin, 0.02, 1).astype(np.float32),
            np.clip(hair, 0.02, 1).astype(np.float32),
            np.clip(clothes, 0.02, 1).astype(np.float32),
            float(rng.uniform(0.74, 0.88)) if rng.random() > 0.08 else 1.1,
            float(rng.choice([0.4, 0.25, 0.05, -0.3]) + rng.uniform(-0.08, 0.08)),
            (float(rng.uniform(0.9, 1.1)), float(rng.uniform(0.88, 1.08))),
            float(max(0.0, rng.uniform(-0.6, 1.0))),
            is_stone,
            float(rng.choice([1.03, 1.08, 1.2]) + rng.uniform(0.0, 0.08)),
        )


def profile(heights: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the reach of a face's outline in the middle plane at each height, in head heights."""
    reach: NDArray[np.float64] = np.interp(heights, _HEAD[:, 0], _HEAD[:, 1] + _HEAD[:, 2])
    return reach


def head(looks: Looks, rows: int, around: int, foot: float = HEAD_FOOT) -> Mesh:
    """Return a head that looks along +x, chin at z = 0, crown at z = 1.

    rows, around: quads from foot to crown and about the vertical axis.
    """
    low = max(4, int(rows * 0.22))
    z = np.concatenate(
        [np.linspace(foot, -0.02, low, endpoint=False), np.linspace(-0.02, 1.0, rows - low + 1)]
    )
    columns = (np.interp(z, _HEAD[:, 0], _HEAD[:, k]) for k in range(1, 5))
    front, middle, back, wide = map(_smooth, columns)
    phi = np.linspace(-math.pi, math.pi, around + 1)
    # More columns on the face than at the back: the eyes are small.
    phi = phi - 0.45 * np.sin(phi)
    c, s = np.cos(phi)[None, :], np.sin(phi)[None, :]
    y = wide * np.sign(s) * np.abs(s) ** 0.85
    ears = 0.07 * np.exp(
        -(((z[:, None] - 0.42) / 0.09) ** 2) - ((phi[None, :] ** 2 - 1.75**2) / 0.5) ** 2
    )
    x = np.where(c > 0, front * np.abs(c) ** 0.8, back * np.abs(c) ** 0.9)
    breadth = np.interp(z, [0.1, 0.2, 0.3, 0.36, 0.5, 0.6], [0.13, 0.14, 0.08, 0.075, 0.05, 0.2])[
        :, None
    ]
    x = x + np.where(c > 0, middle * np.exp(-((y / breadth) ** 2)), 0.0)
    x = x - np.where(
        c > 0,
        0.035 * np.exp(-(((np.abs(y) - 0.16) / 0.08) ** 2) - ((z[:, None] - 0.52) / 0.05) ** 2),
        0.0,
    )
    y = y + np.sign(s) * ears
    hair = _is_hair(looks, x, z[:, None]) & (not looks.stone or looks.hairline < 1)
    puff = np.where(hair, looks.volume, 1.0)
    depth, width = looks.stretch
    lift = np.broadcast_to(np.where(z > 0.85, z * 1.03, z)[:, None], x.shape)
    points = np.stack([x * puff * depth, y * puff * width, lift], axis=-1)
    quads = grid_quads(points)
    centre = quads.mean(axis=2)
    colours = _face_colours(looks, centre / np.array([depth, width, 1.0]))
    return Mesh(quads.reshape(-1, 4, 3), colours.reshape(-1, 3).astype(np.float32))


def _smooth(along: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return values (R,) with their kinks rounded, as a column (R, 1)."""
    padded = np.pad(along, 1, mode="edge")
    rounded: NDArray[np.floating] = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
    return rounded[:, None]


def _is_hair(looks: Looks, x: NDArray[np.floating], z: NDArray[np.floating]) -> NDArray[np.bool_]:
    behind = (
        (x < 0.12) & (z > looks.hair_length) & ((x < -0.1) | (z > 0.5) | (looks.hair_length < 0.1))
    )
    on_top = z > looks.hairline - 0.10 * (x < 0.3)
    return (behind | on_top) & (z > -0.4) & (looks.hairline <= 1)


def _face_colours(looks: Looks, centre: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return colours (..., 3) for centres (..., 3) of quads: skin, then features over it."""
    x, y, z = centre[..., 0], np.abs(centre[..., 1]), centre[..., 2]
    colours: NDArray[np.floating] = np.broadcast_to(looks.skin, centre.shape).copy()
    ahead = x > 0.15

    def tint(where: NDArray[np.bool_], colour: NDArray[np.floating]) -> None:
        colours[where] = colour

    plain = 0.75 if looks.stone else 1.0
    dark = looks.skin * 0.35
    tint(
        ahead & (np.hypot((y - 0.2) / 0.12, (z - 0.33) / 0.09) < 1),
        looks.skin * np.array([1.0, 0.93, 0.92]),
    )
    tint(ahead & (np.hypot((y - 0.155) / 0.085, (z - 0.52) / 0.055) < 1), looks.skin * 0.72)
    eye = ahead & (np.hypot((y - 0.155) / 0.062, (z - 0.52) / 0.03) < 1)
    tint(eye, np.full(3, 0.85) if not looks.stone else looks.skin * 0.6)
    tint(
        eye & (np.abs(y - 0.155) < 0.03), np.array([0.1, 0.07, 0.05]) if not looks.stone else dark
    )
    tint(
        ahead & (np.abs(y - 0.16) < 0.09) & (np.abs(z - 0.615 + 0.3 * (y - 0.15) ** 2) < 0.018),
        looks.hair * 0.8 * plain,
    )
    tint(ahead & (np.hypot((y - 0.04) / 0.025, (z - 0.345) / 0.014) < 1), dark)
    open_ = 0.028 + 0.02 * looks.smile
    bow = z - 0.245 - 0.9 * looks.smile * y**2
    lips = ahead & (y < 0.14 + 0.03 * looks.smile) & (np.abs(bow) < open_ * (1 - (y / 0.2) ** 2))
    tint(lips, looks.skin * np.array([0.85, 0.5, 0.5]) * plain)
    within = lips & (np.abs(bow) < 0.55 * open_) & (y < 0.12)
    tint(within, np.full(3, 0.9) if looks.smile > 0.4 and not looks.stone else dark)
    tint(_is_hair(looks, x, z), looks.hair)
    tint(z < -0.33, looks.clothes)
    return colours


def two_heads(rng: Rng) -> Mesh:
    """Return two heads turned to each other along x, about 1.5 m wide, middle at the origin."""
    alike = Looks.draw(rng, stone=0.3)
    gap = rng.uniform(0.10, 0.34)
    parts = []
    for side in (-1.0, 1.0):
        looks = alike if alike.stone or rng.random() < 0.3 else Looks.draw(rng, stone=0.0)
        size = 0.66 * rng.uniform(0.93, 1.07)
        reach = size * 0.61 * looks.stretch[0]
        turn = (0.0 if side < 0 else math.pi) + rng.normal(0.0, 0.12)
        parts.append(
            head(looks, 30, 30).moved(
                scale=size,
                turn=turn,
                by=(side * (gap / 2 + reach), 0, -0.18 + rng.normal(0, 0.02)),
            )
        )
    return Mesh.join(*parts)
