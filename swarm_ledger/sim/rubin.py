# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Rubin's figure, drawn: a white vase, or two black faces (Synsoplevede Figurer, 1915).

`python -m swarm_ledger.sim.rubin PATH` writes it as a PNG: the texture of models/rubin_vase.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from swarm_ledger.errors import Misuse
from swarm_ledger.sim.heads import profile

SIZE = 512
_SUBSAMPLES = 4  # per pixel and direction, for smooth edges
_BOTTOM, _TOP = -0.42, 0.98  # what is seen of a head, which is 1 high: its neck, and to its crown
_NOSES_APART = 0.16
_ROUNDING = 0.06  # of a head's height: the profile is given by points


def figure(size: int = SIZE) -> NDArray[np.uint8]:
    """Return the figure, (size, size, 3) RGB: the vase's wall is the profile of the heads."""
    fine = (np.arange(size * _SUBSAMPLES) + 0.5) / (size * _SUBSAMPLES)
    reach = _rounded(_TOP - fine * (_TOP - _BOTTOM))
    half_width = _NOSES_APART / 2 + reach.max() - reach
    across = np.abs(fine - 0.5) * (_TOP - _BOTTOM)
    vase = across[None, :] < half_width[:, None]
    covered = vase.reshape(size, _SUBSAMPLES, size, _SUBSAMPLES).sum(axis=(1, 3))
    grey = (covered * 255 // _SUBSAMPLES**2).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def _rounded(heights: NDArray[np.float64]) -> NDArray[np.float64]:
    window = np.hanning(17)[1:-1]
    offsets = np.linspace(-_ROUNDING / 2, _ROUNDING / 2, len(window))
    nearby: NDArray[np.float64] = profile(heights[:, None] + offsets)
    return np.asarray(nearby @ (window / window.sum()))


def main(arguments: list[str]) -> int:
    """Write the figure to the path that is given; return the exit code."""
    if len(arguments) != 1:
        print("usage: python -m swarm_ledger.sim.rubin PATH.png", file=sys.stderr)
        return 2
    try:
        write(Path(arguments[0]))
    except Misuse as error:
        print(error.explain(), file=sys.stderr)
        return 2
    return 0


def write(path: Path) -> None:
    """Write the figure as a PNG file; Misuse if it can't be written."""
    _, png = cv2.imencode(".png", figure())
    try:
        path.write_bytes(png.tobytes())
    except OSError as error:
        raise Misuse(f"cannot write {path}: {error.strerror}.") from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
