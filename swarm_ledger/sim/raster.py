# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A small painter: quads in space, flat shaded, drawn far to near on an image with cv2."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_NEAR = 0.2  # metres: nothing nearer to the camera is drawn
_SUBPIXEL_BITS = 4


@dataclass(frozen=True)
class Mesh:
    """Quads seen from their outside. quads: (Q, 4, 3) metres; colours: (Q, 3) RGB in 0..1."""

    quads: Floats
    colours: Floats

    @staticmethod
    def join(*parts: Mesh) -> Mesh:
        """Return one mesh of all parts."""
        return Mesh(
            np.concatenate([part.quads for part in parts]),
            np.concatenate([part.colours for part in parts]),
        )

    def moved(
        self, *, scale: float = 1.0, turn: float = 0.0, by: tuple[float, float, float] = (0, 0, 0)
    ) -> Mesh:
        """Return the mesh scaled, turned about z by turn radians, then shifted by metres."""
        c, s = math.cos(turn), math.sin(turn)
        matrix = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]], dtype=np.float32) * np.float32(scale)
        return Mesh(self.quads @ matrix + np.asarray(by, dtype=np.float32), self.colours)


@dataclass(frozen=True)
class Light:
    """A sun in direction (3,) towards it, of unit length, and an even sky.

    sun, sky: their strengths, factors of colour.
    """

    towards: tuple[float, float, float]
    sun: float
    sky: float


@dataclass(frozen=True)
class View:
    """A pinhole camera.

    eye, aim: (3,) in metres; focal, centre: in pixels; roll: in radians.
    """

    eye: Floats
    aim: Floats
    focal: float
    centre: tuple[float, float]
    roll: float = 0.0

    def axes(self) -> Floats:
        """Return (3, 3): rows right, down, forward of the camera."""
        forward = self.aim - self.eye
        forward = forward / np.linalg.norm(forward)
        right = np.array([forward[1], -forward[0], 0.0])
        right = right / max(float(np.linalg.norm(right)), 1e-6)
        down = np.cross(forward, right)
        c, s = math.cos(self.roll), math.sin(self.roll)
        rows: Floats = np.stack([c * right + s * down, c * down - s * right, forward]).astype(
            np.float32
        )
        return rows


def paint(canvas: NDArray[np.uint8], mesh: Mesh, view: View, light: Light, haze: Floats) -> None:
    """Draw mesh on canvas (H, W, 3) RGB in place.

    haze: (4,) RGB and share of it mixed into all colours.
    """
    camera = (mesh.quads.reshape(-1, 3) - view.eye.astype(np.float32)) @ view.axes().T
    camera = camera.reshape(-1, 4, 3)
    depth = camera[:, :, 2]
    flat = camera[:, :, :2] / np.maximum(depth, _NEAR)[:, :, None] * np.float32(view.focal)
    one, two = flat[:, 2] - flat[:, 0], flat[:, 3] - flat[:, 1]
    facing = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]
    kept = np.flatnonzero((facing < 0) & (depth.min(axis=1) > _NEAR))
    kept = kept[np.argsort(-depth[kept].mean(axis=1), kind="stable")]
    quads = mesh.quads[kept]
    normal = np.cross(quads[:, 2] - quads[:, 0], quads[:, 3] - quads[:, 1])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    sunlit = np.maximum(normal @ np.asarray(light.towards, dtype=np.float32), 0.0)
    shade = light.sky * (0.8 + 0.2 * normal[:, 2]) + light.sun * sunlit
    colours = mesh.colours[kept] * shade[:, None].astype(np.float32)
    colours = colours * (1.0 - haze[3]) + haze[:3] * haze[3]
    bytes_ = np.clip(colours * 255.0, 0, 255).astype(np.uint8).tolist()
    corners = flat[kept] + np.asarray(view.centre, dtype=np.float32)
    fixed = np.clip(corners * (1 << _SUBPIXEL_BITS), -(2**20), 2**20).astype(np.int32)
    for corner, colour in zip(fixed, bytes_, strict=True):
        cv2.fillConvexPoly(canvas, corner, colour, cv2.LINE_8, _SUBPIXEL_BITS)


def revolve(profile: Floats, around: int) -> Floats:
    """Return quads of a surface of revolution about z, (P-1, around, 4, 3).

    profile: (P, 2) radius and z, ordered so that the outside lies to the right of the walk (up the
    outer wall).
    """
    angle = np.linspace(0.0, 2.0 * math.pi, around + 1, dtype=np.float32)
    ring = np.stack(
        [
            profile[:, :1] * np.cos(angle),
            profile[:, :1] * np.sin(angle),
            np.broadcast_to(profile[:, 1:], (len(profile), around + 1)),
        ],
        axis=-1,
    )
    return grid_quads(ring)


def grid_quads(points: NDArray[np.floating]) -> Floats:
    """Return the quads (R-1, C-1, 4, 3) between neighbouring points of a grid (R, C, 3)."""
    quads: Floats = np.stack(
        [points[:-1, :-1], points[:-1, 1:], points[1:, 1:], points[1:, :-1]], axis=2
    ).astype(np.float32)
    return quads
