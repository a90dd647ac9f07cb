# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How likely a committee that is drawn by lot has more liars than PBFT bears: exactly."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import msgspec

from swarm_ledger.consensus.quorum import faulty
from swarm_ledger.errors import Misuse


class Lot(msgspec.Struct, frozen=True):
    """One committee. unsafe: how likely more of it lie than `bears`, where `liars` of all do."""

    drones: int
    liars: int
    validators: int
    bears: int
    unsafe: float


def unsafe(drones: int, liars: int, validators: int) -> Fraction:
    """Return the probability that a committee drawn evenly has more than faulty(validators) liars.

    The upper tail of the hypergeometric distribution. Misuse for what can't be drawn.
    """
    if not 4 <= validators <= drones or not 0 <= liars <= drones:
        raise Misuse(
            f"{validators} validators can't be drawn of {drones} drones with {liars} liars.",
            remedy="Take 4 to as many validators as there are drones, and no more liars.",
        )
    bears, honest = faulty(validators), drones - liars
    worse = range(bears + 1, min(liars, validators) + 1)
    ways = sum(comb(liars, bad) * comb(honest, validators - bad) for bad in worse)
    return Fraction(ways, comb(drones, validators))


def lot(drones: int, liars: int, validators: int) -> Lot:
    """Return the same with what it rests on."""
    chance = float(unsafe(drones, liars, validators))
    return Lot(drones, liars, validators, faulty(validators), chance)
