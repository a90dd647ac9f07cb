# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Flights whose answers are counted: the swarm's, and those of its drones, read from ledgers."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

from swarm_ledger.errors import Misuse
from swarm_ledger.sim.events import Event
from swarm_ledger.sim.mission import Mission
from swarm_ledger.sim.virtual import VirtualSwarm
from swarm_ledger.sim.watch import Watch
from swarm_ledger.sim.world import TARGETS

RIGHT, UNDECIDED, WRONG = "right", "undecided", "wrong"


class Flight(NamedTuple):
    """One mission. decision: a label, "tie" or "undecided"; votes: on the ledger, by drone."""

    target: str
    seed: int
    decision: str
    votes: dict[str, str]
    liars: list[str]

    def said(self, honest_only: bool) -> list[str]:
        """Return what single drones said: all of those that voted, or the honest ones."""
        return [
            vote for name, vote in self.votes.items() if not (honest_only and name in self.liars)
        ]


def fly(
    task: tuple[str, int],
    *,
    drones: int,
    liars: int,
) -> Flight:
    """Fly one mission, and read its votes and its decision as the ledger has them.

    Misuse if the swarm does not come to one ledger.
    """
    target, seed = task
    votes: dict[str, str] = {}

    def on_event(event: Event) -> None:
        watch.take(event)
        if event.event == "vote" and event.drone in watch.honest:
            votes.setdefault(event.fields["author"], event.fields["label"])

    with tempfile.TemporaryDirectory() as folder:
        mission = Mission(
            run_dir=Path(folder),
            drones=drones,
            byzantine=liars,
            target=target,
            seed=seed,
            allow_unsafe=True,
        )
        dishonest = mission.liars()
        watch = Watch(mission.names(), (n for n in mission.names() if n not in dishonest))
        with VirtualSwarm(mission, on_event) as swarm:
            if not swarm.run(watch):
                raise Misuse(f"seed {seed}, {target}: the swarm did not come to one ledger.")
    decided = watch.flying[0].decision or {}
    decision = decided["label"] or decided["outcome"]
    return Flight(target, seed, decision, dict(sorted(votes.items())), sorted(dishonest))


def judge(said: str, truth: str) -> str:
    """Return whether an answer is right, wrong, or neither."""
    if said == truth:
        return RIGHT
    return WRONG if said in TARGETS else UNDECIDED
