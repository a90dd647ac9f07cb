# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Watching a mission: what is known of each drone, and whether all that matters is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from swarm_ledger.sim.events import Event

OnEvent = Callable[[Event], None]


@dataclass
class Seen:
    """The latest of one drone. status: as Drone.status() gives it; lost: how its process ended."""

    status: dict[str, Any] = field(default_factory=dict)
    decision: dict[str, Any] | None = None
    latencies_ms: list[int] = field(default_factory=list)
    lost: str = ""

    @property
    def settled(self) -> bool:
        """Whether it has decided, and everything up to there and since is certified."""
        if self.decision is None or not self.status:
            return False
        certified: int = self.status["stable"]
        whole = certified == self.status["height"] and not self.status["pending"]
        return whole and certified >= self.decision["height"]


class Watch:
    """Follows the events of a mission's drones. honest: those who must agree in the end.

    culprits: who contradicted itself, in its vote or in consensus, as honest drones can prove.
    """

    def __init__(self, names: Iterable[str], honest: Iterable[str]) -> None:
        self.drones = {name: Seen() for name in names}
        self.honest = frozenset(honest)
        self.culprits: set[str] = set()
        self._said: dict[str, str] = {}

    def take(self, event: Event) -> None:
        """Take one event into account."""
        seen = self.drones.get(event.drone)
        if seen is None:
            return
        if event.event == "status":
            seen.status = event.fields
        elif event.event == "decision":
            seen.decision = event.fields
        elif event.event == "committed":
            seen.latencies_ms.append(int(event.fields["latency_ms"]))
        elif event.event == "lost":
            seen.lost = str(event.fields["how"])
        elif event.drone in self.honest:
            self._suspect(event)

    def _suspect(self, event: Event) -> None:
        if event.event == "evidence":
            self.culprits.add(str(event.fields["culprit"]))
        elif event.event == "vote":
            author, label = str(event.fields["author"]), str(event.fields["label"])
            if self._said.setdefault(author, label) != label:  # a mission has one question
                self.culprits.add(author)

    @property
    def flying(self) -> list[Seen]:
        """The honest drones whose processes live."""
        return [self.drones[name] for name in sorted(self.honest) if not self.drones[name].lost]

    @property
    def done(self) -> bool:
        """Whether all honest drones that fly have decided, and hold one certified ledger."""
        flying = self.flying
        if not flying or not all(seen.settled for seen in flying):
            return False
        ends = {(seen.status["size"], seen.status["root"]) for seen in flying}
        return len(ends) == 1

    def latencies_ms(self) -> list[int]:
        """Return, sorted, how long each honest vote took from its signature to its commit."""
        return sorted(ms for name in self.honest for ms in self.drones[name].latencies_ms)
