# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a drone made of what it saw, and how several looks become one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from swarm_ledger.errors import Misuse

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CUP, TWO_FACES, UNKNOWN = "cup", "two_faces", "unknown"
LABELS: tuple[str, ...] = (CUP, TWO_FACES, UNKNOWN)

# Below this probability neither answer is given. Chosen on the validation set (sim/training.py
# prints the table): the lowest step of 0.05 at which wrong answers are less than a quarter as
# frequent as abstentions.
THRESHOLD = 0.75

_FLOOR = 1e-6  # a probability is never taken as less: one look must not veto all others


@dataclass(frozen=True)
class Perceived:
    """A label with its calibrated confidence.

    label: "cup", "two_faces", or "unknown" when neither reaches THRESHOLD; confidence: in 0..1,
    the probability of the label, for "unknown" the probability that the better of the two answers
    would be wrong; probabilities: of all three labels, where "unknown" means that the picture
    shows neither. A label that is somebody else's comes with its own confidence only, in both.
    """

    label: str
    confidence: float
    probabilities: dict[str, float]


class Classifier(Protocol):
    """Anything that labels pictures."""

    def classify(self, image: NDArray[np.uint8]) -> Perceived:
        """Label an image (H, W, 3) RGB uint8; raises Misuse for anything that is not a picture."""
        ...


def decide(probabilities: Mapping[str, float]) -> Perceived:
    """Return the answer that follows from probabilities of LABELS (normalised here), by THRESHOLD.

    Raises Misuse for other labels, or values that are negative, not finite or all zero.
    """
    if set(probabilities) != set(LABELS):
        raise Misuse(
            f"Probabilities are of {sorted(probabilities)}.",
            remedy=f"Give one for each of {LABELS}.",
        )
    values = [float(probabilities[label]) for label in LABELS]
    total = sum(values)
    if not math.isfinite(total) or min(values) < 0 or total <= 0:
        raise Misuse(
            f"{values} are not probabilities.",
            remedy="Give finite numbers >= 0 with a sum above 0.",
        )
    shares = {label: value / total for label, value in zip(LABELS, values, strict=True)}
    best = CUP if shares[CUP] >= shares[TWO_FACES] else TWO_FACES
    if shares[best] >= THRESHOLD:
        return Perceived(best, shares[best], shares)
    return Perceived(UNKNOWN, 1.0 - shares[best], shares)


def fuse(perceived: Sequence[Perceived]) -> Perceived:
    """Return one answer for several looks of one drone: the mean of their log-probabilities,
    normalised.

    The mean and not the sum: frames of one drone share bearing, light and obstacles, so they are
    not independent evidence, and a sum would grow as sure as one likes of one repeated error.
    Raises Misuse when there is no look at all.
    """
    if not perceived:
        raise Misuse("There is nothing to fuse.", remedy="Give at least one look.")
    means = {
        label: sum(math.log(max(look.probabilities[label], _FLOOR)) for look in perceived)
        / len(perceived)
        for label in LABELS
    }
    return decide({label: math.exp(mean) for label, mean in means.items()})


def agree(perceived: Sequence[Perceived]) -> Perceived:
    """Return one answer for several labels of which only their confidence is known.

    The label with the most confidence in all, and that as a share of what it could have had; of
    equals the one that was said first. Raises Misuse when there is none at all.
    """
    if not perceived:
        raise Misuse("There is nothing to agree on.", remedy="Give at least one label.")
    sums: dict[str, float] = {}
    for one in perceived:
        sums[one.label] = sums.get(one.label, 0.0) + one.confidence
    shares = {label: total / len(perceived) for label, total in sums.items()}
    best = max(shares, key=shares.__getitem__)
    return Perceived(best, shares[best], shares)
