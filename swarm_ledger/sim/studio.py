# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The training pictures' studio: tables, rooms, light and framing of no drone's kind."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from swarm_ledger.sim import scenery
from swarm_ledger.sim.camera import HEIGHT, WIDTH
from swarm_ledger.sim.raster import Light, Mesh, View, paint

Rng = np.random.Generator
Image = NDArray[np.uint8]

TALL, WIDE = HEIGHT * 2, WIDTH * 2  # pixels of a canvas, averaged down to a picture in the end


def shoot(
    rng: Rng,
    canvas: Image,
    mesh: Mesh,
    *,
    elevation: float,
    fill: float,
    size: float,
    ahead: bool = False,
) -> None:
    """Paint mesh, size metres across, so that it fills the share fill of the canvas's height."""
    azimuth = 0.0 if ahead else rng.uniform(0, 2 * math.pi)
    distance = rng.uniform(2.2, 5.0)
    eye = distance * np.array(
        [
            math.cos(azimuth) * math.cos(elevation),
            math.sin(azimuth) * math.cos(elevation),
            math.sin(elevation),
        ]
    )
    focal = fill * TALL * distance / size
    centre = (WIDE / 2 + rng.normal(0, 0.11) * WIDE, TALL / 2 + rng.normal(0, 0.09) * TALL)
    sun = rng.normal(0, 1, 3) + np.array([math.cos(azimuth) * 0.6, math.sin(azimuth) * 0.6, 1.0])
    sun /= np.linalg.norm(sun)
    light = Light(
        (float(sun[0]), float(sun[1]), float(sun[2])),
        rng.uniform(0.1, 0.8),
        rng.uniform(0.35, 0.8),
    )
    if elevation > 0.1 and rng.random() < 0.7:
        shadow(rng, canvas, centre, fill)
    view = View(
        eye.astype(np.float32), np.zeros(3, np.float32), focal, centre, roll=rng.normal(0, 0.12)
    )
    paint(canvas, mesh, view, light, np.array([0.5, 0.5, 0.5, rng.uniform(0, 0.12)], np.float32))


def shadow(rng: Rng, canvas: Image, centre: tuple[float, float], fill: float) -> None:
    """Darken canvas in place, softly, about where a thing at centre stands."""
    mask = np.zeros(canvas.shape[:2], dtype=np.float32)
    at = (int(centre[0] + rng.normal(0, 25)), int(centre[1] + fill * 50 + rng.normal(0, 12)))
    axes = (int(fill * rng.uniform(90, 160)), int(fill * rng.uniform(40, 90)))
    cv2.ellipse(mask, at, axes, float(rng.uniform(-25, 25)), 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), rng.uniform(3, 18)).astype(np.float32)
    canvas[:] = (canvas * (1 - mask * rng.uniform(0.2, 0.65))[:, :, None]).astype(np.uint8)


def develop(rng: Rng, canvas: Image) -> Image:
    """Stretch, mirror and expose at random; return (120, 160, 3)."""
    stretch = math.exp(rng.normal(0.0, 0.16))
    matrix = np.array([[stretch, 0, WIDE / 2 * (1 - stretch)], [0, 1, 0]], dtype=np.float32)
    warped = cv2.warpAffine(canvas, matrix, (WIDE, TALL), borderMode=cv2.BORDER_REFLECT_101)
    small = cv2.resize(warped, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.uint8)
    mild = float(rng.uniform(0.0, 0.45))
    optics = scenery.Optics.draw(rng, light=mild, blur=mild, noise=mild)
    return scenery.expose(small, optics, rng)


def table(rng: Rng) -> Image:
    """Return a table top.

    Planks with grain, cloth, or plain, in perspective of no particular kind.
    """
    wood = np.array([150, 95, 55]) * rng.uniform(0.25, 1.45) + rng.normal(0, 18, 3)
    if rng.random() < 0.3:
        wood = rng.uniform(20, 245, 3)
    streaks = scenery.cloud(rng, TALL, 24, float(rng.uniform(2, 10)))
    grain = cv2.resize(streaks, (WIDE, TALL), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    grain += 0.5 * scenery.cloud(rng, TALL, WIDE, float(rng.uniform(8, 80)))
    canvas = wood[None, None, :] * (1.0 + rng.uniform(0.02, 0.22) * grain[:, :, None])
    gap = int(rng.uniform(30, 150))
    if rng.random() < 0.6:
        canvas[int(rng.integers(0, gap)) :: gap] *= rng.uniform(0.3, 0.9)
    table = np.clip(canvas, 0, 255).astype(np.uint8)
    turn = cv2.getRotationMatrix2D((WIDE / 2, TALL / 2), float(rng.uniform(-90, 90)), 1.6)
    return cv2.warpAffine(table, turn, (WIDE, TALL), borderMode=cv2.BORDER_REFLECT_101).astype(
        np.uint8
    )


def room(rng: Rng) -> Image:
    """Return a room or street, sharp or blurred.

    A backdrop with flags, frames, towers and lamps.
    """
    canvas = scenery.backdrop(rng, TALL, WIDE, vivid=rng.uniform(0.2, 1.0))
    for _ in range(int(rng.integers(0, 7))):
        x, y = int(rng.uniform(0, WIDE)), int(rng.uniform(0, TALL))
        wide, tall = int(rng.uniform(8, 110)), int(rng.uniform(20, 220))
        patch = canvas[max(0, y - tall // 2) : y + tall // 2, x : x + wide]
        lot = rng.random()
        if lot < 0.45 and patch.size:
            period = int(rng.integers(6, 30))
            lean = rng.uniform(-1, 1) * np.arange(patch.shape[1])[None, :]
            bars = (np.arange(patch.shape[0])[:, None] + lean) // period % 2
            patch[:] = rng.uniform(0, 255, (2, 3))[bars.astype(int)].astype(np.uint8)
        elif lot < 0.7 and patch.size:
            patch[:] = rng.uniform(0, 255, 3).astype(np.uint8)
        else:
            prop(rng, canvas, x, y)
    return cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.3, 5.0)).astype(np.uint8)


def prop(rng: Rng, canvas: Image, x: int, y: int) -> None:
    """Paint one thing at (x, y) of canvas, in place.

    A ball with a highlight, a pointed tower, a slab.
    """
    tone, kind = rng.uniform(0, 255, 3), int(rng.integers(0, 3))
    axes = (int(rng.uniform(8, 60)), int(rng.uniform(10, 70)))
    if kind == 0:
        cv2.ellipse(canvas, (x, y), axes, 0, 0, 360, tone.tolist(), -1, cv2.LINE_AA)
        spot, small = (x - axes[0] // 3, y - axes[1] // 3), (axes[0] // 4 + 1, axes[1] // 4 + 1)
        bright = (tone * 0.4 + 150).clip(0, 255).tolist()
        cv2.ellipse(canvas, spot, small, 0, 0, 360, bright, -1, cv2.LINE_AA)
        return
    across = axes[0] // 2
    corners = [[x - across, y + 2 * axes[1]], [x + across, y + 2 * axes[1]]]
    corners += [[x + across, y - axes[1]], [x, y - axes[1] * (2 if kind == 1 else 1)]]
    corners += [[x - across, y - axes[1]]]
    cv2.fillConvexPoly(canvas, np.array(corners, dtype=np.int32), tone.tolist(), cv2.LINE_AA)
