# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The things that stand in the world: cups, and heads with a face. Sizes and looks are drawn by
lot.

A goblet's outline is the heads' own profile, turned round: Rubin's figure (E. Rubin, Synsoplevede
Figurer, 1915).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm_ledger.sim.raster import Floats, Mesh, grid_quads, revolve

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
    """How one head looks: RGB colours in 0..1, and where its hair ends (heights on the head)."""

    skin: Floats
    hair: Floats
    clothes: Floats
    hairline: float
    hair_length: float
    stretch: tuple[float, float]
    smile: float
    stone: bool

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
    front, middle, back, wide = (
        np.interp(z, _HEAD[:, 0], _HEAD[:, k])[:, None] for k in range(1, 5)
    )
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
    puff = np.where(hair, 1.07, 1.0)
    depth, width = looks.stretch
    lift = np.broadcast_to(np.where(z > 0.85, z * 1.03, z)[:, None], x.shape)
    points = np.stack([x * puff * depth, y * puff * width, lift], axis=-1)
    quads = grid_quads(points)
    centre = quads.mean(axis=2)
    colours = _face_colours(looks, centre / np.array([depth, width, 1.0]))
    return Mesh(quads.reshape(-1, 4, 3), colours.reshape(-1, 3).astype(np.float32))


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


def cup(rng: Rng, around: int = 32) -> Mesh:
    """Return a cup about 0.9 m high, middle at the origin.

    mug or teacup with handle, or Rubin's goblet.
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
