# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How good a classifier is, computed from what it said: pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from swarm_ledger.errors import Misuse
from swarm_ledger.perception.perceived import CUP, LABELS, TWO_FACES, UNKNOWN, Perceived

BINS = 10  # of equal width over the confidences 0..1


@dataclass(frozen=True)
class Bin:
    """Answers whose confidence lies in low..high.

    How many, their mean confidence, the share that was right.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Report:
    """Measured on looks whose truth is known. All rates are shares of all looks, in 0..1.

    confusion: truth -> label said -> count; right, abstained, wrong: the three rates, with a sum
    of 1; forced_choice: the share right if the likelier of cup and two_faces were always said;
    bins: reliability of that likelier answer; ece: expected calibration error (Guo et al. 2017),
    their mean gap between confidence and accuracy, weighted by count.
    """

    looks: int
    confusion: dict[str, dict[str, int]]
    right: float
    abstained: float
    wrong: float
    forced_choice: float
    bins: tuple[Bin, ...]
    ece: float

    def to_dict(self) -> dict[str, Any]:
        """Return the report as dicts, lists, strings and numbers, fit for JSON."""
        plain = asdict(self)
        plain["bins"] = list(plain["bins"])
        return plain


def likelier(perceived: Perceived) -> str:
    """Return the likelier of cup and two_faces, even where the answer was unknown.

    Cup on a tie.
    """
    shares = perceived.probabilities
    return CUP if shares[CUP] >= shares[TWO_FACES] else TWO_FACES


def reliability(answers: Sequence[tuple[float, bool]]) -> tuple[Bin, ...]:
    """Return the bins that are not empty, from (confidence, whether right) of each answer."""
    sorted_in: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for confidence, right in answers:
        sorted_in[min(int(confidence * BINS), BINS - 1)].append((confidence, right))
    return tuple(
        Bin(
            index / BINS,
            (index + 1) / BINS,
            len(inside),
            sum(confidence for confidence, _ in inside) / len(inside),
            sum(right for _, right in inside) / len(inside),
        )
        for index, inside in enumerate(sorted_in)
        if inside
    )


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """Return the mean gap between confidence and accuracy, weighted by count; 0 for no bins."""
    total = sum(one.count for one in bins)
    return sum(one.count * abs(one.confidence - one.accuracy) for one in bins) / max(total, 1)


def report(looks: Sequence[tuple[str, Perceived]]) -> Report:
    """Return the report on (truth, what was perceived) pairs; a truth is cup or two_faces.

    Raises Misuse when there are none, or for another truth.
    """
    if not looks:
        raise Misuse("There is nothing to report on.", remedy="Give at least one look.")
    confusion = {truth: dict.fromkeys(LABELS, 0) for truth in (CUP, TWO_FACES)}
    answers = []
    for truth, perceived in looks:
        if truth not in confusion:
            raise Misuse(f"{truth!r} is no truth.", remedy=f"A truth is {CUP} or {TWO_FACES}.")
        confusion[truth][perceived.label] += 1
        best = likelier(perceived)
        answers.append((perceived.probabilities[best], best == truth))
    right = sum(confusion[truth][truth] for truth in confusion)
    abstained = sum(row[UNKNOWN] for row in confusion.values())
    bins = reliability(answers)
    return Report(
        looks=len(looks),
        confusion=confusion,
        right=right / len(looks),
        abstained=abstained / len(looks),
        wrong=(len(looks) - right - abstained) / len(looks),
        forced_choice=sum(was_right for _, was_right in answers) / len(looks),
        bins=bins,
        ece=expected_calibration_error(bins),
    )
