# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Natural logarithms in fixed point, made by integer arithmetic: no float, no library's rounding.

ln k = ln (k - 1) + 2 artanh(1 / (2 k - 1)), and the series of artanh, with 64 bits to spare.
"""

from __future__ import annotations

from functools import lru_cache

ONE = 1 << 16
"""One nat: the unit of all log-odds here."""

PERMILLE = 1000
_SPARE = 64


def _twice_artanh(divisor: int) -> int:
    """Return 2 artanh(1 / divisor), scaled by 2^(16 + 64)."""
    power = (ONE << _SPARE) // divisor
    total, square, odd = 0, divisor * divisor, 1
    while power:
        total += power // odd
        power //= square
        odd += 2
    return 2 * total


@lru_cache(maxsize=1)
def logarithms() -> tuple[int, ...]:
    """Return ln k in 1/65536 for k = 0..1000, rounded to the nearest; 0 in the place of ln 0."""
    exact, found = 0, [0, 0]
    for number in range(2, PERMILLE + 1):
        exact += _twice_artanh(2 * number - 1)
        found.append((exact + (1 << (_SPARE - 1))) >> _SPARE)
    return tuple(found)


def log_odds(permille: int, labels: int = 2) -> int:
    """Return ln of how many times likelier a label of that probability is than each other one.

    permille: 1..999; the rest is split evenly among the other labels. In 1/65536 nat.
    """
    table = logarithms()
    return table[permille] - table[PERMILLE - permille] + table[labels - 1]
