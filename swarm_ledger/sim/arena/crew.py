# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Twenty of our drones in the arena: keys, sessions and question are on their ledgers at take-off.

They were together on the ground, as the robots that had the same program loaded there: the ledger
that each begins with has a genesis, all sessions and the question. All of it verifies. The keys
are the same in each run; nothing in a run depends on them.
"""

from __future__ import annotations

from functools import lru_cache

from swarm_ledger.identity.roster import Roster
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.identity import Identity
from swarm_ledger.sim.arena.floor import ROBOTS
from swarm_ledger.sim.minted import Minted
from swarm_ledger.sim.virtual import SeededKeys
from swarm_ledger.voting.question import Question
from swarm_ledger.voting.rules import AnyRule

LABELS = ("white", "black")
"""In the order of the floor's colours."""


class CrewKeys(SeededKeys):
    """The keys of one of the crew: its only session is the one that all ledgers have."""

    def __init__(self, crew: Minted, identity: Identity) -> None:
        name = identity.member.name
        super().__init__(name, crew.root(name), 0)
        self._identity = identity

    def take_up(self, roster: Roster) -> Identity:
        """Return that session."""
        return self._identity


class Crew:
    """A swarm about to take off. rule, duration_ms: the question's. robots: how many."""

    def __init__(self, rule: AnyRule, duration_ms: int, robots: int = ROBOTS) -> None:
        self._store = Store.open(":memory:")
        self._minted = Minted(self._store, robots)
        subject = "Which colour is the floor?"
        self.asked = Question(subject, LABELS, rule, duration_ms, bytes(16))
        (self.question,) = self._minted.ask([self.asked])
        self._minted.certify()
        self.height = self._store.height
        self.trust, self.identities = self._minted.trust, self._minted.identities

    def keys(self, robot: int) -> CrewKeys:
        """Return one robot's keys."""
        return CrewKeys(self._minted, self.identities[robot])

    def ledger(self) -> Store:
        """Return a ledger as each robot has it at take-off, in memory; close it."""
        copy = Store.open(":memory:")
        for height in range(self._store.height + 1):
            block = self._store.block(height)
            copy.append_block(height, block.entries, block.certificate)
        latest = self._store.latest_checkpoint()
        if latest is not None:
            copy.put_checkpoint(latest.height, latest.note)
        return copy


@lru_cache(maxsize=4)
def crew(rule: AnyRule, duration_ms: int) -> Crew:
    """Return the crew for a question; made once in a process, as it is always the same."""
    return Crew(rule, duration_ms)
