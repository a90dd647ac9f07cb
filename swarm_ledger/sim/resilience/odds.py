# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How often a rule is right, wrong, or says that it does not know, by the number of liars.

Exact where only counts matter, by going through all of them; by seeded Monte Carlo where each
honest drone has a confidence of its own. The rules are the ones that drones run.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from swarm_ledger.errors import Misuse
from swarm_ledger.sim.resilience.attack import (
    STRATEGIES,
    SURE_PPM,
    Setting,
    ballots,
    lies,
    split_count,
    splits,
    ways,
)
from swarm_ledger.voting.rules import (
    NUMBER_RULES,
    RULES,
    Ballot,
    LabelRule,
    Majority,
    NumberRule,
    OutcomeKind,
    Plurality,
    Sequential,
)

MAX_DRONES = 100
MAX_LABELS = 4
MAX_SPLITS = 20_000
_Z95 = 1.959964
_NOISE = 10
TOLERANCE = 5 * _NOISE
"""Honest numbers are off by a normal error of 10; answers may be wrong by 50, and not more."""


@dataclass(frozen=True)
class Odds:
    """Shares of all questions. exact: or else wrong is in wrong_low..wrong_high, with 95 %."""

    rule: str
    strategy: str
    liars: int
    right: float
    wrong: float
    unsettled: float
    exact: bool
    wrong_low: float
    wrong_high: float


@dataclass(frozen=True)
class Edge:
    """Against honest drones that all agree: how few liars suffice, None where no number does.

    stalls: for there to be no decision; breaks: for a wrong one.
    """

    rule: str
    stalls: int | None
    breaks: int | None


def check(setting: Setting, strategies: Sequence[str]) -> None:
    """Raise Misuse for what can't be analysed."""
    if not 4 <= setting.drones <= MAX_DRONES or not 2 <= setting.labels <= MAX_LABELS:
        raise Misuse(
            f"{setting.drones} drones with {setting.labels} labels can't be analysed.",
            remedy=f"Take 4 to {MAX_DRONES} drones, and 2 to {MAX_LABELS} labels.",
        )
    if not 1 / setting.labels <= setting.accuracy < 1:
        raise Misuse(
            f"an accuracy of {setting.accuracy:g} can't be analysed.",
            remedy=f"Take one from {1 / setting.labels:.3g}, which is chance, to below 1.",
        )
    for strategy in strategies:
        if strategy not in STRATEGIES:
            known = " or ".join(STRATEGIES)
            raise Misuse(f"unknown strategy {strategy!r}.", remedy=f"Take {known}.")


def odds(name: str, setting: Setting, strategy: str, liars: int, *, runs: int, seed: int) -> Odds:
    """Return how a rule fares. runs, seed: of Monte Carlo, where there is one."""
    if name in NUMBER_RULES:
        found = _numbers(NUMBER_RULES[name], setting, strategy, liars, runs=runs, seed=seed)
        return _estimate(name, strategy, liars, found, runs)
    rule = RULES[name]
    if isinstance(rule, Majority | Plurality) and _cases(setting, liars) <= MAX_SPLITS:
        return _exact(name, rule, setting, strategy, liars)
    found = _labels(rule, setting, strategy, liars, runs=runs, seed=seed)
    return _estimate(name, strategy, liars, found, runs)


def _cases(setting: Setting, liars: int) -> int:
    honest = split_count(setting.drones - liars, setting.labels)
    return honest * split_count(liars, setting.labels - 1)


def _exact(name: str, rule: LabelRule, setting: Setting, strategy: str, liars: int) -> Odds:
    chances = [0.0, 0.0, 0.0]
    error = (1 - setting.accuracy) / (setting.labels - 1)
    for counts in splits(setting.drones - liars, setting.labels):
        chance = ways(counts) * setting.accuracy ** counts[0] * error ** sum(counts[1:])
        for share, said in lies(setting, strategy, counts, liars):
            both = [one + other for one, other in zip(counts, said, strict=True)]
            cast = ballots(both, SURE_PPM, setting.honest_ppm)
            chances[_judge(rule, cast, setting)] += chance * share
    right, wrong, unsettled = chances
    return Odds(name, strategy, liars, right, wrong, unsettled, True, wrong, wrong)


def _judge(rule: LabelRule, cast: Sequence[Ballot], setting: Setting) -> int:
    """Return 0, 1, 2: right, wrong, unsettled. Sequential is asked after each ballot."""
    first = 1 if isinstance(rule, Sequential) else len(cast)
    for heard in range(first, len(cast) + 1):
        outcome = rule.outcome(
            cast[:heard],
            voters=setting.drones,
            faulty=setting.faulty,
            labels=setting.labels,
            expired=heard == len(cast),
        )
        if outcome is not None:
            if outcome.kind is not OutcomeKind.DECIDED:
                return 2
            return int(outcome.label != 0)
    raise AssertionError("unreachable: a rule that expired gives an outcome")


def _labels(
    rule: LabelRule, setting: Setting, strategy: str, liars: int, *, runs: int, seed: int
) -> list[int]:
    """Count outcomes where honest confidences are calibrated, and spread around the accuracy.

    Liars' ballots come first, which is where they count most if a rule stops early; adaptive ones
    have heard the honest ones all the same: more than a real liar can.
    """
    rng = random.Random(f"{seed} {strategy} {liars} {setting}")  # noqa: S311  - a simulation
    chance = 1 / setting.labels
    reach = min(1 - setting.accuracy, setting.accuracy - chance)
    found = [0, 0, 0]
    for _ in range(runs):
        honest = []
        for drone in range(setting.drones - liars):
            sure = rng.uniform(setting.accuracy - reach, setting.accuracy + reach)
            label = 0 if rng.random() < sure else rng.randrange(1, setting.labels)
            honest.append(
                Ballot(drone, label, round(sure * SURE_PPM), reliability_ppm=setting.honest_ppm)
            )
        counts = [sum(one.label == label for one in honest) for label in range(setting.labels)]
        options = list(lies(setting, strategy, counts, liars))
        said = rng.choices([split for _, split in options], [share for share, _ in options])[0]
        lying = ballots(said, SURE_PPM, setting.liar_ppm(strategy))
        found[_judge(rule, [*lying, *honest], setting)] += 1
    return found


def _numbers(
    rule: NumberRule, setting: Setting, strategy: str, liars: int, *, runs: int, seed: int
) -> list[int]:
    """Count outcomes for a number, 0 in truth; the error allowed is TOLERANCE."""
    rng = random.Random(f"{seed} {strategy} {liars} {setting} number")  # noqa: S311
    found = [0, 0, 0]
    for _ in range(runs):
        honest = sorted(round(rng.gauss(0, _NOISE)) for _ in range(setting.drones - liars))
        values = [*honest, *_false_values(rng, strategy, honest, liars)]
        outcome = rule.outcome(
            [Ballot(place, 0, value=value) for place, value in enumerate(values)],
            voters=setting.drones,
            faulty=setting.faulty,
            tolerance=TOLERANCE,
            expired=True,
        )
        if outcome is None or outcome.value is None:
            found[2] += 1
        else:
            found[int(abs(outcome.value) > TOLERANCE)] += 1
    return found


def _false_values(
    rng: random.Random, strategy: str, honest: Sequence[int], liars: int
) -> list[int]:
    """Return what liars measure: far off, together or not, or just within what passes."""
    if strategy == "independent":
        return [rng.randrange(-100 * _NOISE, 100 * _NOISE) for _ in range(liars)]
    if strategy == "adaptive" and honest:
        return [honest[len(honest) // 2] + TOLERANCE] * liars
    return [100 * _NOISE] * liars


def _estimate(name: str, strategy: str, liars: int, found: Sequence[int], runs: int) -> Odds:
    right, wrong, unsettled = (count / runs for count in found)
    low, high = wilson(found[1], runs)
    return Odds(name, strategy, liars, right, wrong, unsettled, False, low, high)


def wilson(found: int, runs: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a share (Wilson 1927)."""
    share, square = found / runs, _Z95 * _Z95
    middle = (share + square / (2 * runs)) / (1 + square / runs)
    spread = share * (1 - share) / runs + square / (4 * runs * runs)
    reach = _Z95 / (1 + square / runs) * math.sqrt(spread)
    low = 0.0 if found == 0 else max(0.0, middle - reach)
    return low, 1.0 if found == runs else min(1.0, middle + reach)


def edge(name: str, setting: Setting) -> Edge:
    """Return how few colluding liars it takes where honest drones agree, each as sure as right."""
    rule = RULES[name]
    confidence = round(setting.accuracy * SURE_PPM)
    results = []
    for liars in range(setting.drones + 1):
        lying = (0, liars, *[0] * (setting.labels - 2))
        cast = [
            *ballots(lying, SURE_PPM, setting.liar_ppm("colluding")),
            *ballots((setting.drones - liars,), confidence, setting.honest_ppm),
        ]
        results.append(_judge(rule, cast, setting) if cast else 2)
    stalls, breaks = (results.index(kind) if kind in results else None for kind in (2, 1))
    return Edge(name, stalls, breaks)


def sweep(
    names: Sequence[str],
    setting: Setting,
    strategies: Sequence[str],
    most: int,
    *,
    runs: int,
    seed: int,
) -> Iterator[Odds]:
    """Yield the odds of each rule and strategy for 0 to `most` liars."""
    check(setting, strategies)
    for strategy in strategies:
        for name in names:
            for liars in range(most + 1):
                yield odds(name, setting, strategy, liars, runs=runs, seed=seed)
