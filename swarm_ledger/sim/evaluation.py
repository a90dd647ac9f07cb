# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Measure a classifier in worlds that it was not trained on.

Frame by frame, drone by drone, swarm by swarm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from swarm_ledger.errors import Misuse
from swarm_ledger.perception import UNKNOWN, Classifier, Perceived, fuse
from swarm_ledger.perception.report import Report, report
from swarm_ledger.sim import camera
from swarm_ledger.sim.world import TARGETS, World

# Training and validation use worlds of seeds from 2**40 and 2**41 (training.py): never these.
FIRST_HELD_OUT_SEED = 2**42
MAX_IMAGES = 2**20
MAX_SEED = 2**20

LOOKS = 5  # frames that one vote is made of
LOOK_SECONDS = 0.2  # between them

_WHEN_TAG = 0x3E4A
_FLIGHT_SECONDS = 60.0


@dataclass(frozen=True)
class SwarmReport:
    """Swarms of some drones, of which any liars always vote for the wrong label.

    votes: the report on single drones' votes; right, undecided, wrong: shares of decisions over
    all worlds and all choices of liars, the label with more votes than any other being decided.
    """

    drones: int
    liars: int
    worlds: int
    votes: Report
    right: float
    undecided: float
    wrong: float

    def to_dict(self) -> dict[str, Any]:
        """Return the report as dicts, lists, strings and numbers, fit for JSON."""
        return {**asdict(self), "votes": self.votes.to_dict()}


def evaluate(
    classifier: Classifier,
    *,
    seed: int,
    images: int,
    hard: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Render held-out frames, half of each target, each of a world of its own; return a report.

    seed: 0..MAX_SEED, chooses the worlds; hard: only views as hard as camera.HARD; progress gets
    (done, images). Raises Misuse for bad numbers.
    """
    if not 0 <= seed <= MAX_SEED:
        raise Misuse(f"The seed {seed} is not in 0 to {MAX_SEED}.", remedy="Give another seed.")
    if not 1 <= images <= MAX_IMAGES:
        raise Misuse(f"{images} images cannot be evaluated.", remedy=f"Give 1 to {MAX_IMAGES}.")
    looks: list[tuple[str, Perceived]] = []
    world_seed = FIRST_HELD_OUT_SEED + seed * MAX_IMAGES
    while len(looks) < images:
        truth = TARGETS[len(looks) % len(TARGETS)]
        world = World.create(truth, 1, world_seed)
        when = float(np.random.default_rng([world_seed, _WHEN_TAG]).uniform(0, _FLIGHT_SECONDS))
        world_seed += 1
        if hard and camera.severity(world, 1) < camera.HARD:
            continue
        looks.append((truth, classifier.classify(camera.render(world, 1, when))))
        if progress is not None:
            progress(len(looks), images)
    return report(looks)


def look(classifier: Classifier, world: World, drone: int, start: float = 0.0) -> Perceived:
    """Return what drone makes of LOOKS frames from start seconds on, LOOK_SECONDS apart."""
    frames = (camera.render(world, drone, start + LOOK_SECONDS * k) for k in range(LOOKS))
    return fuse([classifier.classify(frame) for frame in frames])


def evaluate_swarms(
    classifier: Classifier,
    *,
    seeds: Sequence[int],
    drones: int = 7,
    liars: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> SwarmReport:
    """Let a swarm look at both targets in the world of each seed; count for all choices of liars.

    Raises Misuse for no seeds, or as many liars as drones.
    """
    if not seeds or not 0 <= liars < drones:
        raise Misuse(
            f"{drones} drones with {liars} liars in {len(seeds)} worlds cannot be evaluated.",
            remedy="Give at least one seed, and fewer liars than drones.",
        )
    looks: list[tuple[str, Perceived]] = []
    outcomes: Counter[str] = Counter()
    total = len(seeds) * len(TARGETS)
    for done, (seed, truth) in enumerate(((s, t) for s in seeds for t in TARGETS), start=1):
        world = World.create(truth, drones, seed)
        votes = [look(classifier, world, drone) for drone in range(1, drones + 1)]
        looks += [(truth, vote) for vote in votes]
        lie = next(target for target in TARGETS if target != truth)
        for lying in combinations(range(drones), liars):
            said = [lie if k in lying else vote.label for k, vote in enumerate(votes)]
            outcomes[outcome(said, truth)] += 1
        if progress is not None:
            progress(done, total)
    right, undecided, wrong = (
        outcomes[kind] / outcomes.total() for kind in ("right", "undecided", "wrong")
    )
    return SwarmReport(drones, liars, total, report(looks), right, undecided, wrong)


def outcome(said: Sequence[str], truth: str) -> str:
    """Return "right", "wrong", or "undecided" when no label has more votes than any other.

    said: labels; "unknown" is an abstention and counts for none.
    """
    counts = Counter(label for label in said if label != UNKNOWN).most_common(2)
    if not counts or (len(counts) == 2 and counts[0][1] == counts[1][1]):
        return "undecided"
    return "right" if counts[0][0] == truth else "wrong"
