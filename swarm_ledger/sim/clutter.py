# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Training pictures with neither a cup nor a face: textures, solids, beasts, text."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from swarm_ledger.sim import scenery, studio
from swarm_ledger.sim.raster import Mesh, grid_quads, revolve
from swarm_ledger.sim.studio import TALL, WIDE

Rng = np.random.Generator
Image = NDArray[np.uint8]


def neither(rng: Rng) -> Image:
    """Return a picture (120, 160, 3) with no cup and no face.

    Textures, clutter, solids, beasts, text.
    """
    kind = int(rng.integers(0, 10))
    canvas = (
        (studio.table, studio.room)[int(rng.integers(0, 2))](rng)
        if rng.random() < 0.6
        else scenery.backdrop(rng, TALL, WIDE)
    )
    if kind == 0:
        canvas = _texture(rng)
    elif kind == 1:
        studio.shoot(
            rng,
            canvas,
            _solid(rng),
            elevation=rng.uniform(0, 1.2),
            fill=rng.uniform(0.4, 1.3),
            size=1.0,
        )
    elif kind == 2:
        _many(rng, canvas)
    elif kind == 3:
        _beast(rng, canvas)
    elif kind == 4:
        _strokes(rng, canvas)
    elif kind == 5:
        canvas = _backlit(rng, canvas)
    elif kind == 6:
        canvas = _page(rng)
    elif kind in (7, 8):
        _disc(rng, canvas)
    return studio.develop(rng, canvas)


def _texture(rng: Rng) -> Image:
    """Return noise of a few scales in two or three colours."""
    mix = sum(
        scenery.cloud(rng, TALL, WIDE, float(cell)) * rng.uniform(0, 1)
        for cell in rng.choice([2, 4, 9, 20, 45, 90], 3)
    )
    share = np.clip(0.5 + np.asarray(mix) * rng.uniform(0.2, 1.5), 0, 1)[:, :, None]
    canvas = rng.uniform(0, 255, 3) * share + rng.uniform(0, 255, 3) * (1 - share)
    return np.clip(canvas, 0, 255).astype(np.uint8)


def _solid(rng: Rng) -> Mesh:
    """Return a box, ball, cone, bottle or slab: solids that are not cups."""
    kind = int(rng.integers(0, 5))
    u = np.linspace(-1.0, 1.0, 13)
    around = 4 if kind == 0 else 28
    tall = rng.uniform(0.15, 0.5)
    if kind == 0:
        radius, z = np.full(13, rng.uniform(0.2, 0.6)), u * tall
    elif kind == 1:
        radius, z = np.sqrt(1 - u**2) * 0.5, u * 0.5
    elif kind == 2:
        radius, z = (1 - u) * rng.uniform(0.1, 0.3), u * tall
    elif kind == 3:
        neck = rng.uniform(0.1, 0.5)
        radius, z = 0.2 * (neck + (1 - neck) / (1 + np.exp((u - 0.3) * 14))), u * 0.6
    else:
        radius, z = np.full(13, rng.uniform(0.3, 0.6)), u * 0.04
    outline = np.concatenate([[[0, z[0]]], np.stack([radius, z], axis=-1), [[0, z[-1]]]])
    quads = revolve(outline.astype(np.float32), around)
    colours = np.broadcast_to(rng.uniform(0.05, 0.95, 3), (*quads.shape[:2], 3)).copy()
    if rng.random() < 0.5:
        colours[int(rng.integers(0, 8)) :][: int(rng.integers(1, 5))] = rng.uniform(0.05, 0.95, 3)
    mesh = Mesh(quads.reshape(-1, 4, 3), colours.reshape(-1, 3).astype(np.float32))
    if rng.random() < 0.4:
        sheet = np.stack(
            np.meshgrid(np.linspace(-0.6, 0.6, 5), np.linspace(-0.4, 0.4, 5), [0.0]), axis=-1
        )[:, :, 0]
        flat = grid_quads(sheet - np.array([0, 0, 0.55])).reshape(-1, 4, 3)
        tone = np.broadcast_to(rng.uniform(0.1, 0.9, 3), (len(flat), 3)).astype(np.float32)
        mesh = Mesh.join(mesh, Mesh(flat, tone))
    return mesh


def _many(rng: Rng, canvas: Image) -> None:
    """Scatter discs or blocks over canvas: coins, pebbles, tiles, windows."""
    pitch, round_ = rng.uniform(18, 70), rng.random() < 0.6
    colour = rng.uniform(20, 250, 3)
    for y in np.arange(pitch / 2, TALL, pitch):
        for x in np.arange(pitch / 2, WIDE, pitch):
            if rng.random() < 0.15:
                continue
            at = (int(x + rng.normal(0, pitch * 0.1)), int(y + rng.normal(0, pitch * 0.1)))
            half = int(pitch * rng.uniform(0.25, 0.48))
            tone = np.clip(colour * rng.uniform(0.7, 1.2), 0, 255).tolist()
            if round_:
                cv2.circle(canvas, at, half, tone, -1, cv2.LINE_AA)
                cv2.circle(
                    canvas,
                    at,
                    max(1, int(half * 0.7)),
                    np.clip(colour * 0.7, 0, 255).tolist(),
                    1,
                    cv2.LINE_AA,
                )
            else:
                cv2.rectangle(
                    canvas, (at[0] - half, at[1] - half), (at[0] + half, at[1] + half), tone, -1
                )


def _beast(rng: Rng, canvas: Image) -> None:
    """Paint an animal's head from the front: fur, pointed or round ears, round eyes, muzzle."""
    x, y = WIDE / 2 + rng.normal(0, 40), TALL / 2 + rng.normal(0, 25)
    size = rng.uniform(40, 200)
    fur = np.array([160, 115, 75]) * rng.uniform(0.2, 1.5) + rng.normal(0, 18, 3)

    def oval(dx: float, dy: float, half: float, tall: float, colour: NDArray[np.floating]) -> None:
        at, axes = (
            (int(x + dx * size), int(y + dy * size)),
            (max(1, int(half * size)), max(1, int(tall * size))),
        )
        cv2.ellipse(canvas, at, axes, 0, 0, 360, np.clip(colour, 0, 255).tolist(), -1, cv2.LINE_AA)

    oval(rng.normal(0, 0.6), 1.3, 1.2, 1.0, fur * 0.9)
    pointed = rng.random() < 0.7
    for side in (-1, 1):
        if pointed:
            ear = np.array(
                [[side * 0.95, -0.35], [side * 0.2, -0.75], [side * 0.85, -rng.uniform(1.1, 1.6)]]
            )
            cv2.fillConvexPoly(
                canvas,
                (ear * size + [x, y]).astype(np.int32),
                np.clip(fur * 0.8, 0, 255).tolist(),
                cv2.LINE_AA,
            )
        else:
            oval(side * 0.8, -0.6, 0.35, 0.45, fur * 0.8)
    oval(0, 0, 1.0, rng.uniform(0.8, 1.0), fur)
    for side in (-1, 1):
        iris = rng.choice([60, 160, 220]) * np.array([0.8, 0.9, 0.4])
        oval(side * 0.42, -0.12, 0.2, 0.17, iris)
        oval(side * 0.42, -0.12, rng.uniform(0.04, 0.12), 0.14, np.full(3, 12.0))
    oval(0, 0.45, 0.42, 0.3, fur * 1.3 + 20)
    oval(0, 0.28, 0.12, 0.08, np.array([190, 110, 110]) * rng.uniform(0.2, 1.1))
    grain = scenery.cloud(rng, TALL, WIDE, 3.0) * rng.uniform(5, 28)
    canvas[:] = np.clip(canvas + grain[:, :, None], 0, 255).astype(np.uint8)


def _strokes(rng: Rng, canvas: Image) -> None:
    """Draw lines, wheels and lettering: masts, bicycles, pages."""
    for _ in range(int(rng.integers(2, 26))):
        ends = (rng.uniform(0, 1, (2, 2)) * [WIDE, TALL]).astype(int).tolist()
        cv2.line(
            canvas,
            ends[0],
            ends[1],
            rng.uniform(0, 255, 3).tolist(),
            int(rng.integers(1, 14)),
            cv2.LINE_AA,
        )
    for _ in range(int(rng.integers(0, 4))):
        at = (int(rng.uniform(0, WIDE)), int(rng.uniform(0, TALL)))
        cv2.circle(
            canvas,
            at,
            int(rng.uniform(10, 70)),
            rng.uniform(0, 255, 3).tolist(),
            int(rng.integers(1, 7)),
            cv2.LINE_AA,
        )
    letters = "".join(rng.choice(list("ABCDEFGHKLMNRSTUVW 0123456789"), 24))
    for y in range(int(rng.integers(10, 60)), TALL, int(rng.integers(25, 120))):
        cv2.putText(
            canvas,
            letters,
            (5, y),
            cv2.FONT_HERSHEY_SIMPLEX,
            float(rng.uniform(0.4, 1.4)),
            rng.uniform(0, 255, 3).tolist(),
            2,
        )


def _backlit(rng: Rng, canvas: Image) -> Image:
    """Paint a bright shape on darkness or the reverse: moon, flame, tower."""
    ground = rng.uniform(0, 255, 3) * rng.choice([0.1, 1.0])
    canvas = (canvas * 0.15 + ground * 0.85).astype(np.uint8)
    tone = rng.uniform(0, 255, 3)
    at = (int(WIDE * rng.uniform(0.2, 0.8)), int(TALL * rng.uniform(0.2, 0.8)))
    axes = (int(rng.uniform(5, 120)), int(rng.uniform(5, 120)))
    cv2.ellipse(
        canvas, at, axes, float(rng.uniform(0, 90)), 0, 360, tone.tolist(), -1, cv2.LINE_AA
    )
    if rng.random() < 0.5:
        wide = int(rng.uniform(4, 40))
        cv2.rectangle(
            canvas, (at[0] - wide, at[1]), (at[0] + wide, TALL), (tone * 0.7).tolist(), -1
        )
    return cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.5, 6.0)).astype(np.uint8)


def _page(rng: Rng) -> Image:
    """Return lines of lettering on paper, straight or aslant, close or far."""
    paper, ink = rng.uniform(130, 255) + rng.normal(0, 8, 3), rng.uniform(0, 90, 3)
    canvas = np.broadcast_to(np.clip(paper, 0, 255), (TALL, WIDE, 3)).astype(np.uint8).copy()
    size = rng.uniform(0.3, 1.3)
    for y in range(5, TALL + 40, int(size * rng.uniform(24, 45))):
        letters = "".join(rng.choice(list("abcdefghilmnoprstu    AEST,."), 60))
        at = (int(rng.choice([8, 8, 8, 60])), y)
        thick = int(rng.integers(1, 3))
        cv2.putText(canvas, letters, at, cv2.FONT_HERSHEY_COMPLEX, size, ink.tolist(), thick)
    shade = 1.0 + 0.25 * rng.random() * scenery.cloud(rng, TALL, WIDE, 90.0)
    canvas = np.clip(canvas * shade[:, :, None], 0, 255).astype(np.uint8)
    turn = cv2.getRotationMatrix2D((WIDE / 2, TALL / 2), float(rng.normal(0, 10)), 1.1)
    turned = cv2.warpAffine(canvas, turn, (WIDE, TALL), borderMode=cv2.BORDER_REFLECT_101)
    return turned.astype(np.uint8)


def _disc(rng: Rng, canvas: Image) -> None:
    """Paint one large round thing that is no cup.

    A dial, wheel, ball, plate with sectors or spots.
    """
    at = (int(WIDE * rng.uniform(0.3, 0.7)), int(TALL * rng.uniform(0.35, 0.65)))
    radius = int(rng.uniform(40, 125))
    cv2.circle(canvas, at, radius, rng.uniform(0, 255, 3).tolist(), -1, cv2.LINE_AA)
    kind = int(rng.integers(0, 4))
    if kind == 0:
        count = int(rng.integers(3, 16))
        for k in range(count):
            start, end = 360.0 * k / count, 360.0 * (k + 1) / count
            tone = rng.uniform(0, 255, 3).tolist()
            cv2.ellipse(canvas, at, (radius, radius), 0, start, end, tone, -1, cv2.LINE_AA)
    elif kind == 1:
        for angle in np.linspace(0, 2 * np.pi, int(rng.integers(6, 25))):
            out = (int(at[0] + radius * np.cos(angle)), int(at[1] + radius * np.sin(angle)))
            cv2.line(canvas, at, out, rng.uniform(0, 255, 3).tolist(), int(rng.integers(1, 5)))
    elif kind == 2:
        spread = rng.normal(0, 0.4, (int(rng.integers(5, 60)), 2)) * radius
        for x, y in (spread + at).astype(int).tolist():
            tone = rng.uniform(0, 255, 3).tolist()
            cv2.circle(canvas, (x, y), int(rng.uniform(2, 14)), tone, -1, cv2.LINE_AA)
