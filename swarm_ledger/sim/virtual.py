# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A whole mission in one process and in simulated time: the same seed, the same ledger."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime, timezone

from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse
from swarm_ledger.identity.roster import Roster
from swarm_ledger.perception import Classifier
from swarm_ledger.perception import load as load_classifier
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.fleet_file import DroneEntry
from swarm_ledger.runtime.identity import Identity, take_up
from swarm_ledger.signers import Signer, SoftwareSigner
from swarm_ledger.sim.byzantine import corrupt, eyes
from swarm_ledger.sim.events import Event
from swarm_ledger.sim.eyes import FRAME_MS, look
from swarm_ledger.sim.mission import Mission, Rack, prepare
from swarm_ledger.sim.pbft.clock import Clock
from swarm_ledger.sim.radio.air import Air
from swarm_ledger.sim.squadron import Squadron
from swarm_ledger.sim.stop import Stop
from swarm_ledger.sim.watch import OnEvent, Watch
from swarm_ledger.sim.world import World
from swarm_ledger.transport.memory import MemoryNetwork
from swarm_ledger.transport.secret import Secrets, veiled

START_MS = 1_893_456_000_000
"""2030-01-01 00:00 UTC: when every simulated flight begins."""

_STEP_MS = 10
_STATUS_MS = 200
_SESSION_SECONDS = 86_400


class SeededKeys:
    """A simulated drone's keys: its sessions are the same in each run of a seed.

    root: its root key. What it signed is kept: ECDSA signs otherwise each time.
    """

    def __init__(self, name: str, root: Signer, seed: int) -> None:
        self._name, self._root, self._seed = name, root, seed
        self._taken: dict[int, Identity] = {}

    @property
    def root_key(self) -> bytes:
        """The public root key."""
        return self._root.public_key

    def begin(self, roster: Roster, now_s: int) -> Identity | None:
        """Return the session of a roster version, valid from the start of the flight on."""
        member = roster.with_key(self.root_key)
        if member is None or member.index not in roster.flying:
            return None
        return self.take_up(roster)

    def ready(self, roster: Roster, now_s: int) -> bool:
        """Say yes: simulated time stands still while a key signs."""
        return True

    def vote(self, held: Identity, payload: bytes, now_s: int, kind: Kind = Kind.VOTE) -> bytes:
        """Seal a ballot at once, as ready() says."""
        return held.seal_vote(payload, kind)

    @property
    def trouble(self) -> Misuse | None:
        """None: a key that can't sign ends the simulation."""
        return None

    def take_up(self, roster: Roster) -> Identity:
        """Return the session of a roster version; Misuse if the drone is not in it."""
        if roster.version not in self._taken:
            secret = f"session {self._seed} {self._name} {roster.version}"
            self._taken[roster.version] = take_up(
                roster,
                self._root,
                SoftwareSigner(hashlib.sha256(secret.encode()).digest()),
                not_before=START_MS // 1000,
                expires=START_MS // 1000 + _SESSION_SECONDS,
            )
        return self._taken[roster.version]

    def renew(self, held: Identity, now_s: int) -> Identity | None:
        """Return None: no simulated flight lasts that long."""
        return None

    def kept(self, roster: Roster) -> Identity | None:
        """Return the same one: it follows from the seed."""
        return self.begin(roster, START_MS // 1000)

    def holds(self, roster: Roster, session_kid: bytes) -> bool:
        """Whether it is that one."""
        return self.take_up(roster).session_kid == session_kid

    def lose(self) -> None:
        """Do nothing: each flight begins with an empty ledger."""

    @property
    def lost(self) -> int:
        """0: no simulated drone loses its disk."""
        return 0


def _network(mission: Mission) -> MemoryNetwork | Air:
    if mission.radio is None:
        return MemoryNetwork(range(mission.drones), mission.seed)
    return Air(mission.drones, mission.seed, mission.radio.link(), loss=mission.loss)


class VirtualSwarm:
    """All drones of a mission, stepped together. Use it as a context manager.

    network: may be given to simulate another one than the mission's. rack: where root keys are,
    files from the seed otherwise. clocks: of drones whose clock isn't right, by their place.
    """

    def __init__(
        self,
        mission: Mission,
        on_event: OnEvent,
        network: MemoryNetwork | Air | None = None,
        rack: Rack | None = None,
        clocks: Mapping[int, Clock] | None = None,
    ) -> None:
        start = datetime.fromtimestamp(START_MS / 1000, tz=timezone.utc)
        self.mission = mission
        self.fleet = prepare(mission, now=start, rack=rack)
        self.now_ms = START_MS
        self._network = network or _network(mission)
        self._on_event = on_event
        self._clocks = clocks or {}
        self._world = World.create(mission.target, mission.drones, mission.seed)
        self.squadron = Squadron(self._world) if mission.behaviour else None
        self._classifier = load_classifier()
        self._stack = ExitStack()
        self.drones: list[Drone] = []
        self.dead: set[int] = set()
        for entry in self.fleet.file.drones:
            self.drones.append(self._launch(entry))
        if isinstance(self._network, Air):
            for member, drone in enumerate(self.drones):
                self._network.board(member, drone)

    def __enter__(self) -> VirtualSwarm:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _launch(self, entry: DroneEntry) -> Drone:
        roster, name = self.fleet.roster, entry.name
        keys = SeededKeys(name, self.fleet.root(name), self.mission.seed)
        secrets = self._secrets(name)
        end = self._network.join(roster.named(name).index, roster.committee)
        transport = veiled(end, secrets)
        return Drone(
            keys,
            self.fleet.trust,
            self._stack.enter_context(self.fleet.store(name)),
            corrupt(entry.attack, transport, lambda: keys.take_up(roster)),
            self.fleet.settings(name),
            now_ms=self.clock_ms(len(self.drones)),
            emit=lambda event, fields: self._on_event(Event(name, event, fields)),
            looks=self.mission.looks,
            question=self.fleet.question(),
            secrets=secrets,
            max_bytes=self.fleet.max_bytes(name),
            rhythm=self.fleet.rhythm(),
        )

    def _secrets(self, name: str) -> Secrets | None:
        if not self.fleet.file.secrecy:
            return None
        seeded = random.Random(f"secrets {self.mission.seed} {name}")  # noqa: S311
        return Secrets(
            self.fleet.channel(name),
            run=START_MS // 1000,
            now_ms=START_MS,
            draw=seeded.randbytes,
        )

    def clock_ms(self, place: int) -> int:
        """Return what a drone's clock shows."""
        clock = self._clocks.get(place)
        return clock.read(self.now_ms) if clock else self.now_ms

    def step(self, ms: int = _STEP_MS) -> None:
        """Let one hundredth of a second pass, or so many milliseconds."""
        self.now_ms += ms
        for to, data in self._network.deliver(self.now_ms):
            if to not in self.dead:
                self.drones[to].receive(data, self.clock_ms(to))
        for index, drone in enumerate(self.drones):
            if index in self.dead:
                continue
            self._look(index, drone)
            drone.tick(self.clock_ms(index))
        if self.squadron:
            self._fly(self.squadron)

    def _fly(self, squadron: Squadron) -> None:
        living = [index for index in range(len(self.drones)) if index not in self.dead]
        ledgers = {index + 1: self.drones[index] for index in living}
        for number, text in squadron.step((self.now_ms - START_MS) / 1000, ledgers):
            name = self.fleet.file.drones[number - 1].name
            self._on_event(Event(name, "flight", {"text": text}))

    def _look(self, index: int, drone: Drone) -> None:
        elapsed = self.now_ms - START_MS
        if (elapsed + 13 * index) % FRAME_MS >= _STEP_MS or not drone.curious:
            return
        attack = self.fleet.file.drones[index].attack
        classifier: Classifier = eyes(attack, self._classifier, self.mission.target)
        t, clock_ms = elapsed / 1000, self.clock_ms(index)
        flown = self.squadron.air.flown(index + 1) if self.squadron else None
        drone.look(look(self._world, index + 1, t, classifier, clock_ms, flown=flown))

    def run(self, watch: Watch, stop: Stop | None = None) -> bool:
        """Step until all is done, the mission's time is over, or it is asked to stop.

        Returns whether all was done; where pilots fly, also what was decided.
        """
        limit = self.now_ms + int(self.mission.timeout_s * 1000)
        while not self._done(watch) and self.now_ms < limit and not (stop and stop.asked):
            self.step()
            if self.now_ms % _STATUS_MS == 0:
                for name, drone in zip(self.mission.names(), self.drones, strict=True):
                    self._on_event(Event(name, "status", drone.status()))
        return self._done(watch)

    def _done(self, watch: Watch) -> bool:
        return watch.done and (self.squadron is None or self.squadron.acted)
