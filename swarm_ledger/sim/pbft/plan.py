# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a seed stands for: a swarm, its liars, its weather, and a list of things that go wrong.

A plan is plain data, so that a failing one can be made smaller, action by action.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from swarm_ledger.consensus.quorum import faulty
from swarm_ledger.errors import Misuse
from swarm_ledger.sim.pbft.forgers import LIARS
from swarm_ledger.sim.pbft.network import CALM, Weather

FAULTS = (
    "loss",
    "twice",
    "delay",
    "corrupt",
    "partition",
    "crash",
    "pause",
    "disk",
    "wipe",
    "clock",
    "byzantine",
    "membership",
)
POINTS = (
    "before the journal",
    "before the sync",
    "before sending",
    "after sending",
    "before the block",
    "before applying",
)
SIZES = (4, 4, 4, 5, 6, 7, 8, 10)
SPARES = 2
_SIGNED_FOR_REAL = 16
"""One in so many runs makes real signatures over real encodings."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something that is done to the swarm, and how long it is left alone after it, in ms.

    numbers: what the kind needs; run.py says which.
    """

    kind: str
    wait_ms: int
    numbers: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}{self.numbers or ''}, then {self.wait_ms} ms"


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. liars: which drones lie, and how; skews: of each drone's clock, in ms.

    steps: events until the faults end. real: real signatures. radio: one slow channel for all.
    """

    seed: int
    n: int
    spares: int = 0
    liars: tuple[tuple[int, str], ...] = ()
    weather: Weather = CALM
    skews: tuple[int, ...] = ()
    actions: tuple[Action, ...] = ()
    steps: int = 1_000
    real: bool = False
    radio: bool = False


@dataclass(frozen=True, slots=True)
class Menu:
    """What plans are drawn from. Misuse for what can't be simulated.

    drones: how many; None: 4 to 10. byzantine: how many lie; None: up to f. faults: which of
    FAULTS; steps: events until they end. radio: all share one slow channel.
    """

    drones: int | None = None
    byzantine: int | None = None
    faults: tuple[str, ...] = FAULTS
    steps: int = 1_000
    radio: bool = False
    allowed: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "allowed", frozenset(self.faults))
        if self.drones is not None and not 4 <= self.drones <= 100:
            raise Misuse(f"{self.drones} drones can't be simulated.", remedy="Take 4 to 100.")
        most = faulty(self.drones or 4)
        if self.byzantine is not None and not 0 <= self.byzantine <= most:
            raise Misuse(
                f"{self.drones or 4} drones tolerate {most} Byzantine ones, not {self.byzantine}.",
                remedy=f"Take 0 to {most}, or more --drones.",
            )
        unknown = sorted(self.allowed.difference(FAULTS))
        if unknown:
            raise Misuse(
                f"there is no fault named {unknown[0]!r}.",
                remedy=f"Take some of: {', '.join(FAULTS)}.",
            )
        if not 1 <= self.steps <= 10_000_000:
            raise Misuse(f"{self.steps} steps can't be simulated.", remedy="Take 1 to 10,000,000.")


def draw(seed: int, menu: Menu) -> Plan:
    """Draw the plan of a seed; the same on every machine and Python."""
    rng = random.Random(f"plan {seed}")  # noqa: S311 - a simulation
    n = menu.drones or rng.choice(SIZES)
    spares = SPARES * (rng.random() < 0.5) if "membership" in menu.allowed else 0
    return Plan(
        seed,
        n,
        spares,
        _liars(rng, n, menu),
        _weather(rng, n, menu.allowed, in_order=seed % 2 == 1),
        tuple(rng.randint(-200, 200) for _ in range(n + spares)),
        tuple(_actions(rng, n, menu)),
        menu.steps,
        real=menu.radio or seed % _SIGNED_FOR_REAL == _SIGNED_FOR_REAL - 1,
        radio=menu.radio,
    )


def _liars(rng: random.Random, n: int, menu: Menu) -> tuple[tuple[int, str], ...]:
    if "byzantine" not in menu.allowed:
        return ()
    number = rng.randint(0, faulty(n)) if menu.byzantine is None else menu.byzantine
    kinds = list(LIARS)
    return tuple((me, rng.choice(kinds)) for me in sorted(rng.sample(range(n), number)))


def _weather(rng: random.Random, n: int, allowed: frozenset[str], *, in_order: bool) -> Weather:
    loss = rng.choice((0.0, 0.0, 0.05, 0.2, 0.5))
    twice = rng.choice((0.0, 0.1, 0.5))
    delay_ms, late = rng.choice((5, 20, 60)), rng.choice((0.0, 0.0, 0.1))
    slow = (rng.randrange(n), rng.randrange(n)) if rng.random() < 0.2 else None
    corrupted = rng.choice((0.0, 0.0, 0.02))
    return Weather(
        loss if "loss" in allowed else 0.0,
        twice if "twice" in allowed else 0.0,
        corrupted if "corrupt" in allowed else 0.0,
        delay_ms if "delay" in allowed else 5,
        late if "delay" in allowed else 0.0,
        slow if "delay" in allowed else None,
        in_order,
    )


def _actions(rng: random.Random, n: int, menu: Menu) -> list[Action]:
    """Draw more actions than a run has steps for: the steps decide where it ends."""
    kinds = [
        kind
        for kind, fault, weight in (
            ("calm", "", 4),
            ("cut", "partition", 3),
            ("cut off the leader", "partition", 2),
            ("join", "", 4),
            ("crash", "crash", 4),
            ("crash the leader", "crash", 2),
            ("blackout", "crash", 1),
            ("pause", "pause", 2),
            ("fill the disk", "disk", 1),
            ("wipe", "wipe", 1),
            ("set the clock", "clock", 2),
            ("enrol", "membership", 2),
        )
        for _ in range(weight)
        if not fault or fault in menu.allowed
    ]
    actions = []
    for _ in range(8 + menu.steps // 40):
        for _ in range(rng.randint(0, 3)):
            some = () if rng.random() < 0.9 else (rng.randrange(n),)
            actions.append(Action("vote", 0, (rng.randrange(n), *some)))
        kind, wait = rng.choice(kinds), rng.choice((100, 300, 900))
        actions.append(Action(kind, wait, tuple(rng.randrange(1 << 16) for _ in range(4))))
    return actions
