# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Redundant views: who looks from where others look sees little that they don't."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from swarm_ledger.encoding import Record
from swarm_ledger.voting.limits import ABSTAIN, FULL_CIRCLE_MRAD, UNMEASURED
from swarm_ledger.voting.rules.base import Ballot

_WHOLE = 1000


class Views(Record, frozen=True):
    """How much less a ballot counts beside others for the same label from about one bearing.

    sector_mrad: how far apart two bearings are at most that count as about one. shared_permille:
    how much of what one sees the other sees too: of m such ballots each weighs 1000 in
    1000 + (m - 1) * shared_permille; at 1000 they weigh together what one alone would. Only
    ballots that agree share: else who stands beside a voter and lies would take its weight.
    """

    sector_mrad: Annotated[int, Meta(ge=1, le=FULL_CIRCLE_MRAD // 2)]
    shared_permille: Annotated[int, Meta(ge=1, le=_WHOLE)] = 500


def independent(
    ballots: Sequence[Ballot], weights: Sequence[int], views: Views | None
) -> tuple[tuple[int, int], ...]:
    """Return label and weight of each ballot that names a label, less what it shares with others.

    weights: one for each ballot. One ballot more takes from all others together at most half of
    the largest weight, and a unit of rounding from each.
    """
    bearings: dict[tuple[int, bool], list[int]] = {}
    if views is not None:
        for ballot in ballots:
            bearings.setdefault(_kin(ballot), []).append(ballot.bearing_mrad % FULL_CIRCLE_MRAD)
        for around in bearings.values():
            around.sort()
    said = []
    for ballot, weight in zip(ballots, weights, strict=True):
        if ballot.label == ABSTAIN:
            continue
        if views is not None:
            near = _near(bearings[_kin(ballot)], ballot.bearing_mrad, views.sector_mrad)
            shared = _WHOLE + (near - 1) * views.shared_permille
            said.append((ballot.label, weight * _WHOLE // shared))
        else:
            said.append((ballot.label, weight))
    return tuple(said)


def _kin(ballot: Ballot) -> tuple[int, bool]:
    """Return what two ballots have in common that may share a view.

    Those without a bearing may all be from one, and no others are known to be.
    """
    return ballot.label, ballot.bearing_mrad == UNMEASURED


def _near(bearings: Sequence[int], bearing_mrad: int, sector_mrad: int) -> int:
    """Return how many of the ascending bearings are at most that far from one, itself included."""
    middle, count = bearing_mrad % FULL_CIRCLE_MRAD, 0
    for turn in (-FULL_CIRCLE_MRAD, 0, FULL_CIRCLE_MRAD):
        low, high = middle + turn - sector_mrad, middle + turn + sector_mrad
        count += bisect_right(bearings, high) - bisect_left(bearings, low)
    return count
