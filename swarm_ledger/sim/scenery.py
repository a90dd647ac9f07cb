# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What is behind and before the target.

A backdrop, things in the way, and what lens and sensor do to a frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Rng = np.random.Generator
Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Optics:
    """What a camera does to a picture.

    defocus: Gaussian sigma in pixels; smear: motion blur length in pixels along smear_angle
    (radians); gain: factor of brightness; lift: added brightness (haze, glare), 0..255; noise:
    sigma, 0..255.
    """

    defocus: float
    smear: float
    smear_angle: float
    gain: float
    lift: float
    noise: float
    tint: tuple[float, float, float]

    @staticmethod
    def draw(rng: Rng, *, light: float, blur: float, noise: float) -> Optics:
        """Draw by lot; how bad each of them is, 0 to 1."""
        dark = rng.random() < 0.6
        gain = (
            1.0 - light * rng.uniform(0.0, 0.75) if dark else 1.0 + light * rng.uniform(0.0, 0.8)
        )
        return Optics(
            0.3 + blur**2 * rng.uniform(0.0, 4.2),
            blur**2 * rng.uniform(0.0, 13.0),
            rng.uniform(0.0, math.pi),
            gain,
            light * rng.uniform(0.0, 70.0),
            2.0 + noise * rng.uniform(2.0, 34.0),
            (rng.uniform(0.85, 1.1), rng.uniform(0.92, 1.06), rng.uniform(0.85, 1.1)),
        )


def expose(picture: Image, optics: Optics, rng: Rng) -> Image:
    """Return picture (H, W, 3) as the sensor reads it.

    Blurred, exposed, with noise drawn from rng.
    """
    blurred = cv2.GaussianBlur(picture, (0, 0), max(optics.defocus, 0.2)).astype(np.uint8)
    if optics.smear >= 1.5:
        blurred = cv2.filter2D(
            blurred, -1, _smear_kernel(optics.smear, optics.smear_angle)
        ).astype(np.uint8)
    scale = np.asarray(optics.tint, dtype=np.float32) * np.float32(optics.gain)
    exposed = blurred.astype(np.float32) * scale + np.float32(optics.lift)
    exposed += rng.standard_normal(exposed.shape, dtype=np.float32) * np.float32(optics.noise)
    frame: Image = np.clip(exposed, 0, 255).astype(np.uint8)
    return frame


def _smear_kernel(length: float, angle: float) -> NDArray[np.float32]:
    size = int(length) | 1
    kernel = np.zeros((size, size), dtype=np.float32)
    half = (size - 1) / 2
    along = (math.cos(angle) * half, math.sin(angle) * half)
    ends = [(round(half + sign * along[0]), round(half + sign * along[1])) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1)
    kernel /= kernel.sum()
    return kernel


def backdrop(rng: Rng, height: int, width: int, vivid: float = 1.0) -> Image:
    """Return a backdrop (height, width, 3): sky and ground, or a wall, with things standing about.

    vivid: 0 for greys, 1 for any colour.
    """
    top, bottom = rng.uniform(20, 250, 3), rng.uniform(20, 230, 3)
    if rng.random() < 0.5:  # outdoors: a pale sky and a muted ground
        top = np.array([150, 180, 215]) * rng.uniform(0.5, 1.18) + rng.normal(0, 12, 3)
        bottom = np.array([105, 110, 80]) * rng.uniform(0.4, 1.5) + rng.normal(0, 15, 3)
    rows = np.linspace(0.0, 1.0, height)[:, None]
    edge = rng.uniform(0.35, 0.85)
    mix = 1.0 / (1.0 + np.exp(-(rows - edge) * rng.choice([4.0, 12.0, 80.0])))
    column = top[None, :] * (1 - mix) + bottom[None, :] * mix
    canvas = np.repeat(np.clip(column, 0, 255).astype(np.uint8)[:, None, :], width, axis=1)
    mean = column.mean(axis=0)
    for _ in range(int(rng.integers(0, 14))):
        _thing(rng, canvas, edge, mean)
    grain = cloud(rng, height, width, float(rng.uniform(3, 30)))
    textured = canvas.astype(np.float32) + (grain * rng.uniform(0, 30))[:, :, None]
    grey = textured.mean(axis=2, keepdims=True)
    textured = grey + (textured - grey) * np.float32(vivid)
    soft: Image = np.clip(textured, 0, 255).astype(np.uint8)
    return cv2.GaussianBlur(soft, (0, 0), rng.uniform(0.3, 3.0)).astype(np.uint8)


def _thing(rng: Rng, canvas: Image, edge: float, mean: NDArray[np.floating]) -> None:
    height, width = canvas.shape[:2]
    foot = (int(rng.uniform(0, width)), int(np.clip(rng.normal(edge, 0.15), 0, 1) * height))
    size = (int(rng.uniform(0.03, 0.22) * height), int(rng.uniform(0.04, 0.4) * height))
    colour = np.clip(rng.uniform(0.4, 1.3) * mean + rng.normal(0, 35, 3), 0, 255).tolist()
    kind = rng.integers(0, 3)
    if kind == 0:
        cv2.rectangle(
            canvas,
            (foot[0] - size[0], foot[1] - size[1]),
            (foot[0] + size[0], foot[1]),
            colour,
            -1,
        )
    elif kind == 1:
        cv2.ellipse(
            canvas, foot, size, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA
        )
    else:
        corners = np.array(
            [
                [foot[0] - size[0], foot[1]],
                [foot[0] + size[0], foot[1]],
                [foot[0], foot[1] - size[1]],
            ]
        )
        cv2.fillConvexPoly(canvas, corners.astype(np.int32), colour, cv2.LINE_AA)


def cloud(rng: Rng, height: int, width: int, cell: float) -> NDArray[np.float32]:
    """Return smooth noise (height, width) of unit variance, roughly.

    cell: size of its lumps in pixels.
    """
    small = rng.standard_normal(
        (max(2, int(height / cell)), max(2, int(width / cell))), dtype=np.float32
    )
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)


@dataclass(frozen=True)
class Obstacle:
    """Something between camera and target.

    corners: a polygon (P, 2) in pixels of the big canvas; colour: RGB, 0..255; drift: how far it
    moves for a pixel of the backdrop.
    """

    corners: NDArray[np.float32]
    colour: tuple[float, ...]
    drift: float


def obstacles(rng: Rng, severity: float, height: int, width: int) -> tuple[Obstacle, ...]:
    """Draw what is in the way: branches with leaves, or posts.

    More of it as severity rises to 1.
    """
    found: list[Obstacle] = []
    shade = np.clip(np.array([70, 95, 50]) * rng.uniform(0.2, 1.6) + rng.normal(0, 20, 3), 0, 255)
    if rng.random() < 0.25 + 0.5 * severity:
        middle = np.array([rng.normal(width / 2, width / 5), rng.normal(height / 2, height / 6)])
        leaf = rng.uniform(6, 26)
        for _ in range(int(rng.uniform(4, 75) * severity)):
            at = middle + rng.normal(0, 1, 2) * np.array([width, height]) * rng.uniform(0.08, 0.26)
            turn, long, wide = (
                rng.uniform(0, math.pi),
                leaf * rng.uniform(0.6, 1.4),
                leaf * rng.uniform(0.2, 0.6),
            )
            angle = np.linspace(0, 2 * math.pi, 9)[:-1]
            oval = np.stack([long * np.cos(angle), wide * np.sin(angle)], axis=-1)
            spin = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
            tone = np.clip(shade * rng.uniform(0.7, 1.3), 0, 255)
            found.append(
                Obstacle((oval @ spin + at).astype(np.float32), tuple(tone.tolist()), 1.0)
            )
    if rng.random() < 0.15 + 0.4 * severity:
        x, wide = rng.normal(width / 2, width / 5), rng.uniform(3, 12 + 60 * severity)
        lean = rng.normal(0, 25)
        post = np.array(
            [[x, -20], [x + wide, -20], [x + wide + lean, height + 20], [x + lean, height + 20]]
        )
        tone = np.clip(rng.uniform(20, 200) + rng.normal(0, 15, 3), 0, 255)
        found.append(Obstacle(post.astype(np.float32), tuple(tone.tolist()), 1.6))
    return tuple(found)


def hide(canvas: Image, in_the_way: tuple[Obstacle, ...], shift: float) -> None:
    """Draw the obstacles on canvas in place, moved sideways by shift pixels times each one's
    drift."""
    for obstacle in in_the_way:
        moved = obstacle.corners + np.array([shift * obstacle.drift, 0], dtype=np.float32)
        cv2.fillConvexPoly(canvas, np.round(moved).astype(np.int32), obstacle.colour, cv2.LINE_AA)
