# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a sweep can run, and which parameters each has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import msgspec

from swarm_ledger.errors import Misuse
from swarm_ledger.sim import gallery
from swarm_ledger.sim.accuracy import RIGHT, UNDECIDED, judge
from swarm_ledger.sim.arena.dynamics import BLACK_AT_FIRST, LIMIT_S, Dynamic, decide
from swarm_ledger.sim.arena.liars import ATTACKS, MIXED
from swarm_ledger.sim.arena.mixing import spread
from swarm_ledger.sim.arena.swarm import DURATION_S, Setting, fly
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
    """Cup or two faces in the built-in world: swarms made of looks that were rendered once.

    views: how well drones see, one of gallery.VIEWS. history: how many questions the swarm
    answered before, of which rules that weigh have learnt.
    """

    views: str = "usual"
    rule: str = "majority"
    drones: int = 7
    byzantine: int = 2
    history: int = 0

    def __post_init__(self) -> None:
        rule_named(self.rule)
        gallery.check(self.views, self.drones, self.byzantine, self.history)

    def run(self, seed: int, runs: Sequence[int]) -> list[Row]:
        """Ask some swarms. said: what each honest drone said. right: the swarm was.

        Seconds are not counted.
        """
        rows = []
        for run in runs:
            answer = gallery.ask(
                rule_named(self.rule),
                self.views,
                drones=self.drones,
                liars=self.byzantine,
                history=self.history,
                seed=seed,
                run=run,
            )
            verdict = judge(answer.decision, answer.target)
            rows.append(
                {
                    "run": run,
                    "right": verdict == RIGHT,
                    "undecided": verdict == UNDECIDED,
                    "seconds": 0.0,
                    "said": {n: judge(said, answer.target) for n, said in answer.said.items()},
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
    "dynamics": Experiment(DynamicsCell, 50),
    "swarm": Experiment(SwarmCell, 1),
    "mixing": Experiment(MixingCell, 50),
    "cup": Experiment(CupCell, 10),
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
