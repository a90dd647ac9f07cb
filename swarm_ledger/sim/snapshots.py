# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Pictures for training beside the world's own: cups on tables, portraits, and things that are
neither.

They teach the model what photographs have and the drones' frames lack: close-ups, odd framing,
wood, rooms, clothes.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from swarm_ledger.sim import scenery, shapes
from swarm_ledger.sim.camera import HEIGHT, WIDTH
from swarm_ledger.sim.raster import Light, Mesh, View, grid_quads, paint, revolve

Rng = np.random.Generator
Image = NDArray[np.uint8]

_TALL, _WIDE = HEIGHT * 2, WIDTH * 2


def cup_on_table(rng: Rng) -> Image:
    """Return a close picture (120, 160, 3) of a cup seen from above at a slant, as people
    photograph coffee."""
    canvas = _table(rng) if rng.random() < 0.85 else scenery.backdrop(rng, _TALL, _WIDE)
    mesh = shapes.cup(rng, around=48).moved(turn=rng.uniform(0, 2 * math.pi))
    _shoot(
        rng, canvas, mesh, elevation=rng.uniform(0.15, 1.3), fill=rng.uniform(0.45, 1.25), size=1.0
    )
    return _develop(rng, canvas)


def portrait(rng: Rng) -> Image:
    """Return a picture (120, 160, 3) of one or two people.

    head and shoulders, from the front to in profile.
    """
    canvas = _room(rng)
    if rng.random() < 0.2:
        mesh = shapes.two_heads(rng)
        _shoot(
            rng,
            canvas,
            mesh,
            elevation=rng.uniform(-0.2, 0.5),
            fill=rng.uniform(0.6, 1.2),
            size=1.4,
        )
        return _develop(rng, canvas)
    looks = shapes.Looks.draw(rng, stone=0.04)
    turn = rng.normal(0.0, 0.35) if rng.random() < 0.75 else rng.uniform(-1.8, 1.8)
    foot = -0.95 if rng.random() < 0.8 else -0.45
    mesh = shapes.head(looks, 60, 64, foot=foot)
    mesh = mesh.moved(
        scale=1.0, turn=turn, by=(0, 0, -0.1 - 0.3 * rng.random() if foot < -0.5 else -0.3)
    )
    _shoot(
        rng,
        canvas,
        mesh,
        elevation=rng.normal(0.0, 0.15),
        fill=rng.uniform(0.55, 1.5),
        size=1.3,
        ahead=True,
    )
    return _develop(rng, canvas)


def neither(rng: Rng) -> Image:
    """Return a picture (120, 160, 3) with no cup and no face.

    textures, clutter, solids, beasts, text.
    """
    kind = int(rng.integers(0, 7))
    canvas = (
        (_table, _room)[int(rng.integers(0, 2))](rng)
        if rng.random() < 0.6
        else scenery.backdrop(rng, _TALL, _WIDE)
    )
    if kind == 0:
        canvas = _texture(rng)
    elif kind == 1:
        _shoot(
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
    return _develop(rng, canvas)


def _shoot(
    rng: Rng,
    canvas: Image,
    mesh: Mesh,
    *,
    elevation: float,
    fill: float,
    size: float,
    ahead: bool = False,
) -> None:
    """Paint mesh, size metres across, so that it fills about the share fill of the canvas's
    height."""
    azimuth = 0.0 if ahead else rng.uniform(0, 2 * math.pi)
    distance = rng.uniform(2.2, 5.0)
    eye = distance * np.array(
        [
            math.cos(azimuth) * math.cos(elevation),
            math.sin(azimuth) * math.cos(elevation),
            math.sin(elevation),
        ]
    )
    focal = fill * _TALL * distance / size
    centre = (_WIDE / 2 + rng.normal(0, 0.11) * _WIDE, _TALL / 2 + rng.normal(0, 0.09) * _TALL)
    sun = rng.normal(0, 1, 3) + np.array([math.cos(azimuth) * 0.6, math.sin(azimuth) * 0.6, 1.0])
    sun /= np.linalg.norm(sun)
    light = Light(
        (float(sun[0]), float(sun[1]), float(sun[2])),
        rng.uniform(0.1, 0.8),
        rng.uniform(0.35, 0.8),
    )
    if elevation > 0.1 and rng.random() < 0.7:
        _shadow(rng, canvas, centre, fill)
    view = View(
        eye.astype(np.float32), np.zeros(3, np.float32), focal, centre, roll=rng.normal(0, 0.12)
    )
    paint(canvas, mesh, view, light, np.array([0.5, 0.5, 0.5, rng.uniform(0, 0.12)], np.float32))


def _shadow(rng: Rng, canvas: Image, centre: tuple[float, float], fill: float) -> None:
    mask = np.zeros(canvas.shape[:2], dtype=np.float32)
    at = (int(centre[0] + rng.normal(0, 25)), int(centre[1] + fill * 50 + rng.normal(0, 12)))
    axes = (int(fill * rng.uniform(90, 160)), int(fill * rng.uniform(40, 90)))
    cv2.ellipse(mask, at, axes, float(rng.uniform(-25, 25)), 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), rng.uniform(3, 18)).astype(np.float32)
    canvas[:] = (canvas * (1 - mask * rng.uniform(0.2, 0.65))[:, :, None]).astype(np.uint8)


def _develop(rng: Rng, canvas: Image) -> Image:
    """Stretch, mirror and expose at random; return (120, 160, 3)."""
    stretch = math.exp(rng.normal(0.0, 0.16))
    matrix = np.array([[stretch, 0, _WIDE / 2 * (1 - stretch)], [0, 1, 0]], dtype=np.float32)
    warped = cv2.warpAffine(canvas, matrix, (_WIDE, _TALL), borderMode=cv2.BORDER_REFLECT_101)
    small = cv2.resize(warped, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.uint8)
    optics = scenery.Optics.draw(rng, float(rng.uniform(0.0, 0.45)))
    return scenery.expose(small, optics, rng)


def _table(rng: Rng) -> Image:
    """Return a table top.

    planks with grain, cloth, or plain, in perspective of no particular kind.
    """
    wood = np.array([150, 95, 55]) * rng.uniform(0.25, 1.45) + rng.normal(0, 18, 3)
    if rng.random() < 0.3:
        wood = rng.uniform(20, 245, 3)
    streaks = scenery.cloud(rng, _TALL, 24, float(rng.uniform(2, 10)))
    grain = cv2.resize(streaks, (_WIDE, _TALL), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    grain += 0.5 * scenery.cloud(rng, _TALL, _WIDE, float(rng.uniform(8, 80)))
    canvas = wood[None, None, :] * (1.0 + rng.uniform(0.02, 0.22) * grain[:, :, None])
    gap = int(rng.uniform(30, 150))
    if rng.random() < 0.6:
        canvas[int(rng.integers(0, gap)) :: gap] *= rng.uniform(0.3, 0.9)
    table = np.clip(canvas, 0, 255).astype(np.uint8)
    turn = cv2.getRotationMatrix2D((_WIDE / 2, _TALL / 2), float(rng.uniform(-90, 90)), 1.6)
    return cv2.warpAffine(table, turn, (_WIDE, _TALL), borderMode=cv2.BORDER_REFLECT_101).astype(
        np.uint8
    )


def _room(rng: Rng) -> Image:
    """Return a blurred room or street: a backdrop with flags, frames and lamps."""
    canvas = scenery.backdrop(rng, _TALL, _WIDE)
    for _ in range(int(rng.integers(0, 5))):
        x, y = int(rng.uniform(0, _WIDE)), int(rng.uniform(0, _TALL))
        wide, tall = int(rng.uniform(10, 130)), int(rng.uniform(20, 200))
        patch = canvas[y : y + tall, x : x + wide]
        if rng.random() < 0.5 and patch.size:
            period = int(rng.integers(6, 30))
            bars = (np.arange(patch.shape[0]) // period) % 2
            colours = rng.uniform(0, 255, (2, 3))
            patch[:] = colours[bars][:, None, :].astype(np.uint8)
        elif patch.size:
            patch[:] = rng.uniform(0, 255, 3).astype(np.uint8)
    return cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.5, 7.0)).astype(np.uint8)


def _texture(rng: Rng) -> Image:
    """Return noise of a few scales in two or three colours."""
    mix = sum(
        scenery.cloud(rng, _TALL, _WIDE, float(cell)) * rng.uniform(0, 1)
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
    for y in np.arange(pitch / 2, _TALL, pitch):
        for x in np.arange(pitch / 2, _WIDE, pitch):
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
    x, y = _WIDE / 2 + rng.normal(0, 40), _TALL / 2 + rng.normal(0, 25)
    size = rng.uniform(40, 130)
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
    grain = scenery.cloud(rng, _TALL, _WIDE, 3.0) * rng.uniform(5, 28)
    canvas[:] = np.clip(canvas + grain[:, :, None], 0, 255).astype(np.uint8)


def _strokes(rng: Rng, canvas: Image) -> None:
    """Draw lines, wheels and lettering: masts, bicycles, pages."""
    for _ in range(int(rng.integers(2, 26))):
        ends = (rng.uniform(0, 1, (2, 2)) * [_WIDE, _TALL]).astype(int).tolist()
        cv2.line(
            canvas,
            ends[0],
            ends[1],
            rng.uniform(0, 255, 3).tolist(),
            int(rng.integers(1, 14)),
            cv2.LINE_AA,
        )
    for _ in range(int(rng.integers(0, 4))):
        at = (int(rng.uniform(0, _WIDE)), int(rng.uniform(0, _TALL)))
        cv2.circle(
            canvas,
            at,
            int(rng.uniform(10, 70)),
            rng.uniform(0, 255, 3).tolist(),
            int(rng.integers(1, 7)),
            cv2.LINE_AA,
        )
    letters = "".join(rng.choice(list("ABCDEFGHKLMNRSTUVW 0123456789"), 24))
    for y in range(int(rng.integers(10, 60)), _TALL, int(rng.integers(25, 120))):
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
    at = (int(_WIDE * rng.uniform(0.2, 0.8)), int(_TALL * rng.uniform(0.2, 0.8)))
    axes = (int(rng.uniform(5, 120)), int(rng.uniform(5, 120)))
    cv2.ellipse(
        canvas, at, axes, float(rng.uniform(0, 90)), 0, 360, tone.tolist(), -1, cv2.LINE_AA
    )
    if rng.random() < 0.5:
        wide = int(rng.uniform(4, 40))
        cv2.rectangle(
            canvas, (at[0] - wide, at[1]), (at[0] + wide, _TALL), (tone * 0.7).tolist(), -1
        )
    return cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.5, 6.0)).astype(np.uint8)
