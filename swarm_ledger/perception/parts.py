# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Parts of things, wherever they are in the picture: an eye and brow, a rim, a handle.

A dictionary of patches of the gradient grid, learned by k-means, after Coates, Lee & Ng, "An
Analysis of Single-Layer Networks in Unsupervised Feature Learning" (AISTATS 2011): whitened
patches, "triangle" activations, pooled over the picture and over its upper and lower part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm_ledger.perception.features import BINS, CELL, SHAPES

Floats = NDArray[np.float32]

SIDE = 4  # cells of a patch's side
PATCH = SIDE * SIDE * BINS
POOLS = 4  # the strongest anywhere, above and below, and the mean
_ROWS, _COLUMNS = SHAPES[0][0] // CELL, SHAPES[0][1] // CELL
_MIDDLE = (_ROWS - SIDE + 1) // 2


def patches(described: Floats) -> Floats:
    """Return all patches (M, rows, columns, PATCH) of the larger grids of features (M, F)."""
    grid = described[:, : _ROWS * _COLUMNS * BINS].reshape(-1, _ROWS, _COLUMNS, BINS)
    windows = np.lib.stride_tricks.sliding_window_view(grid, (SIDE, SIDE), axis=(1, 2))
    found: Floats = windows.reshape(*windows.shape[:3], PATCH)
    return found


@dataclass(frozen=True)
class Parts:
    """A dictionary of K parts.

    mean: (PATCH,); whiten: (PATCH, D); centres: (K, D) in whitened space.
    """

    mean: Floats
    whiten: Floats
    centres: Floats

    def encode(self, described: Floats) -> Floats:
        """Return how strongly each part shows, (M, POOLS * K), for features (M, F)."""
        seen = (patches(described) - self.mean) @ self.whiten
        squares = (seen**2).sum(axis=-1, keepdims=True) - 2.0 * (seen @ self.centres.T)
        distance = np.sqrt(np.maximum(squares + (self.centres**2).sum(axis=-1), 0.0))
        active = np.maximum(distance.mean(axis=-1, keepdims=True) - distance, 0.0)
        upper, lower = active[:, : _MIDDLE + 1], active[:, _MIDDLE:]
        pools = [part.max(axis=(1, 2)) for part in (active, upper, lower)]
        strength: Floats = np.concatenate([*pools, active.mean(axis=(1, 2))], axis=1)
        return strength.astype(np.float32)
