# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What drones around a cup or two faces make of it, rendered once, and swarms made of that.

Rendering and judging an image costs a thousand times what a vote does. So each scene is looked at
once, and each rule and any number of liars is tried on the same looks. Votes go through the tally
that drones have: what it knows of its voters it learnt from the questions before.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from swarm_ledger.encoding import digest, encode
from swarm_ledger.errors import Misuse
from swarm_ledger.perception import load as load_classifier
from swarm_ledger.sim.evaluation import look
from swarm_ledger.sim.world import HARD_VIEWS, TARGETS, TROUBLES, Pose, World
from swarm_ledger.voting.decision import Decision
from swarm_ledger.voting.limits import ABSTAIN, UNMEASURED
from swarm_ledger.voting.observation import Observation
from swarm_ledger.voting.question import Question, question_id
from swarm_ledger.voting.rules import AnyRule, OutcomeKind
from swarm_ledger.voting.tally import Tally

MAX_DRONES = 20
MAX_HISTORY = 64
_MILLION = 1_000_000
_OPEN_MS = 10_000
_SECTOR = math.radians(40)
_FIRST_HELD_OUT_SEED = 2**42 + 2**41
"""Worlds that the classifier was not trained on, nor measured in (evaluation.py)."""


@dataclass(frozen=True)
class Views:
    """How drones see. hard: the share that sees badly, by which troubles; spread: over which
    angle they stand, in radians.
    """

    hard: float
    troubles: tuple[str, ...] = TROUBLES
    spread: float = math.tau


VIEWS = {
    "clear": Views(0.0),
    "usual": Views(HARD_VIEWS),
    "one_side": Views(HARD_VIEWS, spread=_SECTOR),
    "light": Views(1.0, ("light",)),
    "blur": Views(1.0, ("blur",)),
    "noise": Views(1.0, ("noise",)),
    "obstacles": Views(1.0, ("obstacles",)),
    "bad": Views(1.0),
}
"""What a sweep can ask for: nobody sees badly; 36 % do; these look from one side; all see badly,
by one trouble alone, or by all four.
"""


@dataclass(frozen=True)
class Seen:
    """What one drone would vote, fused of its looks. label: an index into TARGETS, or ABSTAIN."""

    label: int
    confidence_ppm: int
    bearing_mrad: int


@dataclass(frozen=True)
class Answer:
    """What a swarm decided ("tie", "contested" or "undecided" without a label), and what its
    honest drones had said by themselves, by number: a target, or "unknown".
    """

    target: str
    decision: str
    said: dict[str, str]


@lru_cache(maxsize=8192)
def scene(views: str, drones: int, number: int) -> tuple[Seen, ...]:
    """Return what each drone sees in one scene of an endless series: a cup in the even ones."""
    kind, target = VIEWS[views], TARGETS[number % len(TARGETS)]
    seed = _FIRST_HELD_OUT_SEED + number
    world = World.create(target, drones, seed, hard=kind.hard, troubles=kind.troubles)
    if kind.spread < math.tau:
        poses = _gathered(world, kind.spread)
        world = World.create(target, drones, seed, poses, hard=kind.hard, troubles=kind.troubles)
    return tuple(_see(world, drone) for drone in range(1, drones + 1))


def _gathered(world: World, spread: float) -> list[Pose]:
    """Return where the drones stand if all look from one side, as far and high as ever."""
    first = world.pose(1, 0.0)
    middle = math.atan2(first.y, first.x)
    found = []
    for drone in range(1, world.drones + 1):
        pose = world.pose(drone, 0.0)
        place = (drone - 1) / max(1, world.drones - 1) - 0.5
        bearing, away = middle + place * spread, math.hypot(pose.x, pose.y)
        x, y = away * math.cos(bearing), away * math.sin(bearing)
        found.append(Pose(x, y, pose.z, math.atan2(-y, -x)))
    return found


def _see(world: World, drone: int) -> Seen:
    perceived, pose = look(load_classifier(), world, drone), world.pose(drone, 0.0)
    label = TARGETS.index(perceived.label) if perceived.label in TARGETS else ABSTAIN
    bearing = math.atan2(pose.y, pose.x) % math.tau
    return Seen(label, round(perceived.confidence * _MILLION), round(bearing * 1000))


def ask(
    rule: AnyRule, views: str, *, drones: int, liars: int, history: int, seed: int, run: int
) -> Answer:
    """Have one swarm answer what it sees, after so many questions before.

    Which drones lie follows from seed and run: they say the opposite, certain of it, always. The
    questions before are the scenes before, which other runs are asked about, too.
    """
    draw = random.Random(f"liars {seed} {run}")  # noqa: S311  - a simulation
    lying = frozenset(draw.sample(range(drones), liars))
    tally = Tally(frozenset(range(drones)), (drones - 1) // 3)
    first = MAX_HISTORY + seed + run
    for height, number in enumerate(range(first - history, first + 1)):
        target, seen = number % len(TARGETS), scene(views, drones, number)
        votes = [_vote(one, target, lies=place in lying) for place, one in enumerate(seen)]
        decision = _settle(tally, rule, votes, height)
    said = {
        f"drone_{place + 1}": "unknown" if one.label == ABSTAIN else TARGETS[one.label]
        for place, one in enumerate(seen)
        if place not in lying
    }
    decided = decision.outcome is OutcomeKind.DECIDED
    return Answer(
        TARGETS[target],
        TARGETS[decision.label] if decided else decision.outcome.name.lower(),
        said,
    )


def _vote(seen: Seen, target: int, *, lies: bool) -> Seen:
    return Seen(1 - target, _MILLION, seen.bearing_mrad) if lies else seen


def _settle(tally: Tally, rule: AnyRule, votes: Sequence[Seen], height: int) -> Decision:
    """Ask, have all vote in one block, and wait until it is over if that was not enough."""
    asked = Question("What stands there?", TARGETS, rule, _OPEN_MS, digest(b"%d" % height)[:16])
    name, now_ms = question_id(encode(asked)), 3 * height * _OPEN_MS
    tally.open(name, asked, now_ms, 2 * height)
    for voter, one in enumerate(votes):
        image = digest(b"%d %d" % (height, voter))
        said = Observation(
            name, one.label, one.confidence_ppm, now_ms, image, one.bearing_mrad, UNMEASURED
        )
        tally.vote(voter, said, now_ms, 2 * height)
    decisions = tally.advance(now_ms, 2 * height) or tally.advance(
        now_ms + 2 * _OPEN_MS, 2 * height + 1
    )
    return cast(Decision, decisions[0])  # it chooses a label, as its question does


def check(views: str, drones: int, liars: int, history: int) -> None:
    """Raise Misuse for a swarm that can't be made."""
    if views not in VIEWS:
        raise Misuse(f"there are no views {views!r}.", remedy=f"Take one of {', '.join(VIEWS)}.")
    if not 4 <= drones <= MAX_DRONES or not 0 <= liars < drones:
        raise Misuse(
            f"{liars} liars of {drones} drones can't be asked.",
            remedy=f"Take 4 to {MAX_DRONES} drones, not all of which lie.",
        )
    if not 0 <= history <= MAX_HISTORY:
        raise Misuse(f"a history of {history} questions.", remedy=f"Take 0 to {MAX_HISTORY}.")
