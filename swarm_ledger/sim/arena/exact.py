# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Random numbers and directions that are the same, to the last bit, on every processor.

Only what IEEE 754 rounds in one way is used: + - * / and comparisons. numpy's sin, cos and log
differ in their last bit from one processor to the next, and a run would differ with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]

TURN = 4096
"""Directions in a full circle; a robot's heading is one of them."""

_PI = 3.141592653589793
_LN2 = 0.6931471805599453
_SQRT_HALF = 0.7071067811865476
_LOG_TERMS = 12
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def _sine(angle: float) -> float:
    """Return the sine of 0..pi/4 by its series, in operations that round everywhere alike."""
    term = total = angle
    for n in range(1, 12):
        term *= -angle * angle / ((2 * n) * (2 * n + 1))
        total += term
    return total


def _cosine(angle: float) -> float:
    term = total = 1.0
    for n in range(1, 12):
        term *= -angle * angle / ((2 * n - 1) * (2 * n))
        total += term
    return total


def directions() -> tuple[Floats, Floats]:
    """Return cosine and sine of each of the TURN directions."""
    eighth = TURN // 8
    first = [_sine(2 * _PI * n / TURN) for n in range(eighth + 1)]
    second = [_cosine(2 * _PI * n / TURN) for n in range(eighth + 1)]
    quarter = first + second[-2::-1]  # sine of 0..pi/2
    half = quarter + quarter[-2::-1]
    sine = np.array(half + [-value for value in half[1:-1]])
    return np.roll(sine, -TURN // 4), sine


def log(values: Floats) -> Floats:
    """Return the natural logarithm of positive numbers, to about 1e-16."""
    mantissa, exponent = np.frexp(values)
    low = mantissa < _SQRT_HALF
    mantissa = np.where(low, mantissa * 2, mantissa)
    exponent = exponent - low
    ratio = (mantissa - 1) / (mantissa + 1)
    square = ratio * ratio
    series = np.full_like(ratio, 1 / (2 * _LOG_TERMS + 1))
    for n in range(_LOG_TERMS - 1, -1, -1):
        series = series * square + 1 / (2 * n + 1)
    logarithm: Floats = exponent * _LN2 + 2 * ratio * series
    return logarithm


class Streams:
    """A stream of random numbers for each robot of each run, which nothing else influences.

    SplitMix64 (Steele, Lea and Flood 2014) over a key per robot, from the run's own seed. What is
    drawn for one robot doesn't depend on who else is simulated beside it, or when.
    """

    def __init__(self, seeds: Sequence[np.random.SeedSequence], robots: int) -> None:
        self._keys = np.concatenate([seed.generate_state(robots, np.uint64) for seed in seeds])
        self._drawn = np.zeros(len(self._keys), np.uint64)

    def keep(self, robots: Ints) -> None:
        """Forget all but these robots, by their flat index."""
        self._keys, self._drawn = self._keys[robots], self._drawn[robots]

    def uniform(self, robots: Ints) -> Floats:
        """Return one number in [0, 1) for each of these robots, by their flat index."""
        self._drawn[robots] += np.uint64(1)
        with np.errstate(over="ignore"):
            value = self._keys[robots] + self._drawn[robots] * _GAMMA
            value = (value ^ (value >> np.uint64(30))) * _MIX_1
            value = (value ^ (value >> np.uint64(27))) * _MIX_2
        value ^= value >> np.uint64(31)
        uniform: Floats = (value >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return uniform

    def below(self, robots: Ints, limit: int) -> Ints:
        """Return one of 0..limit-1 for each of these robots."""
        return (self.uniform(robots) * limit).astype(np.int64)

    def exponential(self, robots: Ints) -> Floats:
        """Return an exponential variate of mean 1 for each of these robots."""
        return -log(1.0 - self.uniform(robots))
