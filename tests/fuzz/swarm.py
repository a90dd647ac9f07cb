# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Whole drones: one member floods the others with well-signed messages that are nearly right.

It does so before, during and after a change of the roster, while drones restart and one loses its
disk. The bytes of an input are the seed of all of it.
"""

from __future__ import annotations

import random
import shutil

from swarm_ledger.audit.ledger import verify_ledger
from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, carry, seal
from swarm_ledger.identity.trust import Version
from swarm_ledger.runtime.membership import roster_request
from tests.crew import Crew
from tests.fuzz.forging import Forger, keys_of
from tests.fuzz.scratch import scratch
from tests.lab import Lab

SIX = Crew(6)
SEVEN: Version = SIX.changed(SIX.roster, add=["drone_7"])
EVIL, JOINER = "drone_6", 8
MESSAGES = 1_500

_PATIENCE_MS = 60_000
_FORGED = Forger(SIX.swarm, keys_of(SIX, [EVIL]))


class Flight:
    """Five honest drones, a liar played by us, and one more that joins."""

    def __init__(self, data: bytes) -> None:
        self.rng = random.Random(data)
        self.home = scratch() / "swarm"
        shutil.rmtree(self.home, ignore_errors=True)
        loss = self.rng.choice((0.0, 0.0, 0.05))
        self.lab = Lab(self.home, SIX, self.rng.randrange(2**32), loss, places=16)
        self.lab.liars.add(EVIL)
        self.wiped = -1

    def fly(self) -> None:
        """Play all of it; AssertionError for what must not be."""
        lab, version = self.lab, self.rng.choice((1, 1, 2))
        for member in range(5):
            lab.start(member)
        self.tell(SIX.identity(EVIL).delegation)
        lab.until_decided()
        self.flood(MESSAGES // 3, 1)
        if version == 2:
            self.wipe()
        lab.names[JOINER], lab.trust[JOINER] = "drone_7", SIX.knowing(SEVEN)
        lab.drones[self.rng.choice(sorted(lab.drones))].receive(roster_request(SEVEN), lab.now_ms)
        lab.start(JOINER)
        self.tell(SIX.identity(EVIL, roster=SEVEN.roster).delegation)
        self.flood(MESSAGES // 3, 2)
        if version == 1:
            self.wipe()
        self.flood(MESSAGES // 3, 2)
        self.settle()

    def tell(self, raw: bytes) -> None:
        """Say the same to everybody."""
        for drone in self.lab.drones.values():
            drone.receive(raw, self.lab.now_ms)

    def flood(self, count: int, version: int) -> None:
        """Send changed messages to one drone each, while time passes and drones restart."""
        rng, lab = self.rng, self.lab
        for number in range(count):
            if number % 20 == 0:
                said = [raw for _, raw in lab.said[-400:]]
                pool = [raw for _, raw in rng.choices(lab.said, k=30)] + rng.choices(said, k=30)
                lab.step()
            if number % 150 == 75:
                self.restart()
            raw = _FORGED(rng, rng.choice(pool), pool)
            if raw[:1] == bytes([Kind.CONSENSUS]) and rng.random() < 0.3:
                roster = SEVEN.roster if version == 2 else None
                raw = carry(SIX.identity(EVIL, roster=roster).delegation, raw)
            lab.drones[rng.choice(sorted(lab.drones))].receive(raw, lab.now_ms)

    def restart(self) -> None:
        """Kill one, at rest or at one of its next effects, and let it come up again."""
        lab = self.lab
        member = self.rng.choice([m for m in sorted(lab.drones) if m != self.wiped])
        if self.rng.random() < 0.5:
            fuse = lab.fuses[member]
            fuse.at = fuse.count + self.rng.randint(1, 12)
            lab.run(100)
        if member in lab.drones:
            lab.kill(member)
        lab.run(self.rng.choice((0, 100, 1_000)))
        lab.start(member, session=lab.sessions[member])

    def wipe(self) -> None:
        """One drone loses its disk, and comes up with another session."""
        self.wiped = self.rng.randrange(5)
        self.lab.wipe(self.wiped)
        self.lab.run(self.rng.choice((0, 200)))
        self.lab.trust[self.wiped] = SIX.knowing(SEVEN)
        self.lab.start(self.wiped, session=1, first=1)

    def settle(self) -> None:
        """The flood is over: all reach the new epoch, decide once more, and hold one ledger."""
        lab = self.lab
        drones = lab.drones.values
        self.until(lambda: all(drone.roster.version == 2 for drone in drones()))
        self.until(lambda: sum(drone.engine.speaks for drone in drones()) >= 5)
        asked = [drone.machine.tally.decision(1) for drone in drones()]
        assert None not in asked
        question = encode(type(SIX.question)("Again?", ("cup", "two_faces"), SIX.question.rule,
                                             8_000, b"again" + bytes(11)))  # fmt: skip
        sealed = seal(Kind.QUESTION, question, SIX.root("operator_1"), SEVEN.roster)
        self.tell(sealed)
        before = lab.drones[JOINER].machine.height
        self.until(lambda: min(drone.machine.height for drone in drones()) > before)
        lab.run(10_000)
        self.until(lambda: len({drone.keeper.store.root() for drone in drones()}) == 1)
        lab.assert_no_contradiction()
        for drone in drones():
            verify_ledger(drone.keeper.store, SIX.trust)
        settled = {str(drone.machine.tally.state_digest()) for drone in drones()}
        assert len(settled) == 1

    def until(self, done: object) -> None:
        assert callable(done)
        for _ in range(_PATIENCE_MS // 10):
            if done():
                return
            self.lab.step()
        raise AssertionError([drone.status() for drone in self.lab.drones.values()])


def swarm(data: bytes) -> None:
    """Fly once; whatever a drone raises ends it."""
    flight = Flight(data)
    try:
        flight.fly()
    finally:
        flight.lab.close()
