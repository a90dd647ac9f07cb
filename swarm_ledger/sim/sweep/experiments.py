# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a sweep can run, and which parameters each has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from swarm_ledger.errors import Misuse
from swarm_ledger.sim import accuracy
from swarm_ledger.sim.arena.dynamics import BLACK_AT_FIRST, LIMIT_S, Dynamic, decide
from swarm_ledger.sim.arena.liars import ATTACKS, MIXED
from swarm_ledger.sim.arena.mixing import spread
from swarm_ledger.sim.arena.swarm import DURATION_S, Setting, fly
from swarm_ledger.sim.mission import Mission
from swarm_ledger.sim.world import TARGETS
from swarm_ledger.voting.rules import rule_named

Row: TypeAlias = dict[str, Any]
"""What one run gave: plain numbers and words, by name."""

_MOST_S = 86_400


class DynamicsCell(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of the published dynamics in the arena."""

    dynamic: Dynamic
    byzantine: int = 0
    black: int = 34
    limit_s: int = LIMIT_S

    def __post_init__(self) -> None:
        _check_arena(self.byzantine, self.black, self.limit_s)

    def run(self, seed: int, runs: Sequence[int]) -> list[Row]:
        """Run some runs of this cell."""
        ended = decide(
            self.dynamic,
            liars=self.byzantine,
            black=self.black,
            seed=seed,
            runs=runs,
            limit_s=self.limit_s,
        )
        return [
            {
                "run": one.run,
                "right": one.right,
                "undecided": not one.agreed,
                "seconds": one.seconds,
            }
            for one in ended
        ]


class SwarmCell(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Our swarm in the arena."""

    rule: str = "majority"
    byzantine: int = 0
    black: int = 34
    attack: str = MIXED
    duration_s: int = DURATION_S

    def __post_init__(self) -> None:
        _check_arena(self.byzantine, self.black, self.duration_s)
        rule_named(self.rule)
        if self.attack not in (*ATTACKS, MIXED):
            known = ", ".join((*ATTACKS, MIXED))
            raise Misuse(f"there is no attack {self.attack!r}.", remedy=f"Take one of {known}.")

    def run(self, seed: int, runs: Sequence[int]) -> list[Row]:
        """Fly some runs of this cell."""
        setting = Setting(
            self.black, self.byzantine, self.attack, rule_named(self.rule), self.duration_s
        )
        rows = []
        for run in runs:
            flown = fly(setting, seed, run)
            undecided = flown.answer == "undecided"
            rows.append({**asdict(flown), "right": flown.right, "undecided": undecided})
        return rows


class MixingCell(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long news takes: until every robot that isn't silent has heard of `known` robots."""

    silent: int = 0
    known: int = 14
    limit_s: int = LIMIT_S

    def run(self, seed: int, runs: Sequence[int]) -> list[Row]:
        """Run some runs of this cell. right: it came about; seconds: when."""
        found = spread(seed, runs, silent=self.silent, known=self.known, limit_s=self.limit_s)
        return [
            {
                "run": run,
                "right": seconds is not None,
                "undecided": seconds is None,
                "seconds": float(self.limit_s) if seconds is None else seconds,
            }
            for run, seconds in zip(runs, found, strict=True)
        ]


class CupCell(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cup or two faces in the built-in world: drones, of which some lie and some see badly.

    hard_views: percent of the drones that see badly: in bad light, with noise, blur or obstacles.
    """

    rule: str = "majority"
    drones: int = 7
    byzantine: int = 2
    attack: str = "lie"
    hard_views: int = 36

    def __post_init__(self) -> None:
        rule_named(self.rule)
        if not 0 <= self.hard_views <= 100:
            raise Misuse(f"{self.hard_views} % of hard views: take 0 to 100.")
        Mission(
            Path(), self.drones, self.byzantine, attack=self.attack, allow_unsafe=True
        )  # it says what can't be flown

    def run(self, seed: int, runs: Sequence[int]) -> list[Row]:
        """Fly some runs: a cup in those with even numbers. said: what each honest drone said.

        right: the swarm was; seconds are not counted.
        """
        rows = []
        for run in runs:
            task = TARGETS[run % 2], seed + run // 2
            flown = accuracy.fly(
                task,
                drones=self.drones,
                liars=self.byzantine,
                attack=self.attack,
                rule=self.rule,
                hard=self.hard_views / 100,
            )
            verdict = accuracy.judge(flown.decision, flown.target)
            honest = {n: vote for n, vote in flown.votes.items() if n not in flown.liars}
            rows.append(
                {
                    "run": run,
                    "right": verdict == accuracy.RIGHT,
                    "undecided": verdict == accuracy.UNDECIDED,
                    "seconds": 0.0,
                    "said": {n: accuracy.judge(v, flown.target) for n, v in honest.items()},
                }
            )
        return rows


Cell: TypeAlias = DynamicsCell | SwarmCell | MixingCell | CupCell


@dataclass(frozen=True)
class Experiment:
    """A kind of cell. at_once: how many runs make a task: what is vectorised gains by many."""

    cell: type[Cell]
    at_once: int


EXPERIMENTS = {
    "dynamics": Experiment(DynamicsCell, 25),
    "swarm": Experiment(SwarmCell, 1),
    "mixing": Experiment(MixingCell, 25),
    "cup": Experiment(CupCell, 1),
}


def cell_of(experiment: str, parameters: dict[str, Any]) -> Cell:
    """Return a cell with these parameters; Misuse for what it doesn't have, or can't take."""
    kind = EXPERIMENTS[experiment].cell
    try:
        cell: Cell = msgspec.convert(parameters, kind)
    except msgspec.ValidationError as error:
        cause = error.__cause__
        if isinstance(cause, Misuse):
            raise cause from error
        known = ", ".join(field.name for field in msgspec.structs.fields(kind))
        raise Misuse(
            f"{experiment} with {parameters}: {error}.", remedy=f"Its parameters are {known}."
        ) from error
    return cell


def _check_arena(byzantine: int, black: int, seconds: int) -> None:
    if not 0 <= byzantine <= BLACK_AT_FIRST:
        raise Misuse(f"{byzantine} liars: take 0 to {BLACK_AT_FIRST} of the 20 robots.")
    if not 1 <= black <= 49:
        raise Misuse(f"{black} % black: take 1 to 49, so that white is right.")
    if not 1 <= seconds <= _MOST_S:
        raise Misuse(f"{seconds} s: take 1 to {_MOST_S}.")
