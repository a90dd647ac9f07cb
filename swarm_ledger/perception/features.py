# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Pictures to numbers: oriented gradients and colours, on two scales.

Gradients follow Dalal & Triggs, "Histograms of Oriented Gradients for Human Detection" (CVPR
2005), with the cell normalised by its neighbourhood's energy as one block.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from swarm_ledger.errors import Misuse

Floats = NDArray[np.float32]

MIN_SIDE, MAX_SIDE = 16, 16384  # pixels of an image's side
SHAPES = ((96, 128), (48, 64))  # the scales that gradients are taken on
CELL = 8  # pixels
BINS = 9  # orientations over half a turn
COLOUR_GRID = (6, 8)
LENGTH = (
    sum((h // CELL) * (w // CELL) * BINS for h, w in SHAPES) + 6 * COLOUR_GRID[0] * COLOUR_GRID[1]
)


def checked(image: Any) -> NDArray[np.uint8]:
    """Return image as (H, W, 3) RGB uint8: grey is repeated three times, an alpha channel is
    dropped.

    Raises Misuse for another type, number of dimensions or channels, or a side outside
    MIN_SIDE..MAX_SIDE.
    """
    if not isinstance(image, np.ndarray):
        raise Misuse(
            f"An image is a numpy array, not {type(image).__name__}.",
            remedy="Read it with cv2 or imageio.",
        )
    if image.dtype != np.uint8:
        raise Misuse(
            f"The image has values of {image.dtype}, not uint8.",
            remedy="Scale it to 0..255 as uint8.",
        )
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4):
        raise Misuse(
            f"The image has the shape {image.shape}.", remedy="Give (height, width, 3) RGB."
        )
    height, width, channels = image.shape
    if not (MIN_SIDE <= height <= MAX_SIDE and MIN_SIDE <= width <= MAX_SIDE):
        raise Misuse(
            f"The image is {width} x {height} pixels.",
            remedy=f"Its sides must be {MIN_SIDE} to {MAX_SIDE} pixels.",
        )
    if channels == 1:
        return np.repeat(image, 3, axis=2)
    return np.ascontiguousarray(image[:, :, :3])


def describe(image: NDArray[np.uint8]) -> Floats:
    """Return the LENGTH features of a checked image (H, W, 3); it is stretched to 4:3."""
    big = _shrink(image, SHAPES[0])
    small = _shrink(big, SHAPES[1])
    found: Floats = np.concatenate([_gradients(big), _gradients(small), _colours(big)])
    return found


def _shrink(image: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    how = (
        cv2.INTER_AREA
        if image.shape[0] >= shape[0] and image.shape[1] >= shape[1]
        else cv2.INTER_LINEAR
    )
    return cv2.resize(image, (shape[1], shape[0]), interpolation=how).astype(np.uint8)


def _gradients(image: NDArray[np.uint8]) -> Floats:
    """Return normalised histograms of the strongest channel's gradients, cell by cell, flat."""
    height, width = image.shape[:2]
    soft = cv2.GaussianBlur(image, (0, 0), 0.8)
    dx = cv2.Sobel(soft, cv2.CV_32F, 1, 0, ksize=1)
    dy = cv2.Sobel(soft, cv2.CV_32F, 0, 1, ksize=1)
    energy = dx * dx + dy * dy
    strongest = energy.argmax(axis=2)[:, :, None]
    gx = np.take_along_axis(dx, strongest, axis=2)[:, :, 0]
    gy = np.take_along_axis(dy, strongest, axis=2)[:, :, 0]
    size = np.sqrt(np.take_along_axis(energy, strongest, axis=2)[:, :, 0])
    place = np.mod(np.arctan2(gy, gx) * np.float32(BINS / np.pi), BINS).astype(np.float32)
    lower = np.floor(place).astype(np.int64) % BINS
    share = place - np.floor(place)
    rows, columns = height // CELL, width // CELL
    cell = (np.arange(height) // CELL)[:, None] * columns + (np.arange(width) // CELL)[None, :]
    weights = np.concatenate([(size * (1 - share)).ravel(), (size * share).ravel()])
    slots = np.concatenate(
        [(cell * BINS + lower).ravel(), (cell * BINS + (lower + 1) % BINS).ravel()]
    )
    cells = np.bincount(slots, weights, rows * columns * BINS).reshape(rows, columns, BINS)
    around = cv2.GaussianBlur((cells.astype(np.float32) ** 2).sum(axis=2), (0, 0), 1.0)
    # The constant keeps flat, merely noisy cells from shouting as loud as edges do.
    block = np.sqrt(around + 200.0**2)[:, :, None]
    found: Floats = np.minimum(cells / block, 1.5).astype(np.float32).ravel()
    return found


def _colours(image: NDArray[np.uint8]) -> Floats:
    """Return mean and spread of L, a, b in each field of COLOUR_GRID, flat, about -1..1."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32) / 128.0 - 1.0
    rows, columns = COLOUR_GRID
    fields = lab.reshape(rows, lab.shape[0] // rows, columns, lab.shape[1] // columns, 3)
    found: Floats = np.concatenate(
        [fields.mean(axis=(1, 3)).ravel(), 2.0 * fields.std(axis=(1, 3)).ravel()]
    )
    return found
