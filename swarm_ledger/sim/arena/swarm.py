# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One run of our swarm in the arena: real drones, ledgers and signatures, and nothing teleported.

A robot hears only who is within 22 cm, one tick after it spoke. What gets further was carried.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from swarm_ledger.consensus.settings import Settings
from swarm_ledger.envelope import Kind, Verified
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.gossiping import Sorter
from swarm_ledger.sim.arena.crew import LABELS, Crew, crew
from swarm_ledger.sim.arena.evidence import Evidence
from swarm_ledger.sim.arena.floor import BLACK, ROBOTS, TICKS_PER_SECOND, WHITE, Floor
from swarm_ledger.sim.arena.liars import AT_ONCE, MIXED, Sybils, attacks_of, copied, lie
from swarm_ledger.sim.byzantine import corrupt
from swarm_ledger.sim.minted import START_MS
from swarm_ledger.transport.budget import Inbox
from swarm_ledger.transport.gossip import Gossip
from swarm_ledger.transport.gossip_frames import Frame, parse_frame
from swarm_ledger.voting.decision import AnyDecision
from swarm_ledger.voting.observation import Observation
from swarm_ledger.voting.rules import AnyRule, Majority, OutcomeKind

UNDECIDED, SPLIT = "undecided", "split"
DURATION_S = 900
PATIENCE = 2 / 3
"""Of a question's time: a robot that isn't sure by then says what it can."""

GRACE_S = 300
"""After a question's time, in which the swarm may still agree that it was not answered."""

SETTINGS = Settings(
    members=tuple(range(ROBOTS)),
    me=0,
    batch_delay_ms=5_000,
    request_timeout_ms=120_000,
    resend_ms=5_000,
    max_behind_ms=600_000,
    pipeline=16,
)
"""Time-outs of minutes: a phase of agreement takes as long as robots take to meet."""

TAKE_OFF_MS = START_MS + 60_000

_TICK_MS = 1000 // TICKS_PER_SECOND
_DRONE_TICKS = 10
"""A drone's own tick, each in its turn; what it hears it takes in at once."""

_LOOK_TICKS = 5


@dataclass(frozen=True)
class Setting:
    """What is tried. black: percent of the tiles; attack: of liars.ATTACKS, or MIXED."""

    black: int = 34
    byzantine: int = 0
    attack: str = MIXED
    rule: AnyRule = field(default_factory=Majority)
    duration_s: int = DURATION_S


@dataclass(frozen=True)
class Flown:
    """How one run ended. answer: "white", "black" or "undecided", of all honest robots, or
    "split" if they have different ones, which must never be.

    seconds: when the last honest robot's ledger had the decision. votes, blocks: on the ledger;
    ledger_bytes: what both added to it; radio_bytes: what one robot sent, in the mean.
    """

    run: int
    answer: str
    seconds: float
    votes: int
    blocks: int
    ledger_bytes: int
    radio_bytes: int
    views: int

    @property
    def right(self) -> bool:
        """Whether every honest robot ended on the right colour."""
        return self.answer == LABELS[WHITE]


class _Link:
    """A robot's radio: what it says waits until the tick is over."""

    def __init__(self) -> None:
        self.said: list[bytes] = []

    def send(self, to: int, data: bytes) -> None:
        """Send to whoever is near: a radio can't do otherwise."""
        self.said.append(data)

    def broadcast(self, data: bytes) -> None:
        """Send to whoever is near."""
        self.said.append(data)


class _Computed:
    """What the robots of one run need not compute twenty times, as it follows from bytes alone.

    verified: signatures that one of them found good. Each robot still judges each message that it
    hears, by the sessions on its own ledger; only the arithmetic is looked up. What is wrong is
    computed by each.
    """

    def __init__(self) -> None:
        self.verified = Verified(1 << 16)
        self.parse: Callable[[bytes], Frame] = lru_cache(maxsize=1 << 12)(parse_frame)


class Robot:
    """One of our drones on an e-puck. attack: what it does instead, "" for an honest one."""

    def __init__(
        self, place: int, crew_: Crew, store: Store, computed: _Computed, attack: str
    ) -> None:
        self.place, self.attack, self._question = place, attack, crew_.question
        self.link, self.inbox, self.store = _Link(), Inbox(), store
        self.gossip, identity = (
            Gossip(place, self.link, now_ms=TAKE_OFF_MS, parse=computed.parse),
            crew_.identities[place],
        )
        self.drone = Drone(
            crew_.keys(place),
            crew_.trust,
            store,
            corrupt(attack if attack == "equivocate" else "", self.gossip, lambda: identity),
            SETTINGS,
            now_ms=TAKE_OFF_MS,
            emit=lambda event, fields: None,
        )
        self.drone.engine.current.seat.doorman.share(computed.verified)
        self.gossip.judge_by(Sorter(self.drone).judge)
        self._sybils: Sybils | None = None
        if attack == "sybil":
            roster = identity.roster
            self._sybils = Sybils.create(roster, crew_.question, place, TAKE_OFF_MS)
        self.voted = False

    @property
    def decision(self) -> AnyDecision | None:
        """What this robot's ledger says was decided."""
        return self.drone.machine.tally.decision_on(self._question)

    def vote(self, observation: Observation) -> None:
        """Say what it saw, or claims to have seen."""
        self.voted = True
        self.drone.observe(observation)

    def hear(self, now_ms: int) -> None:
        """Take in what waits, in fair turns."""
        if not self.inbox.waits(now_ms):
            return
        taken = self.inbox.take(now_ms)
        refused: list[int] = []
        fresh: list[bytes] = []
        for place, arrived in enumerate(taken):
            heard = self.gossip.hear(arrived.data, now_ms)
            fresh += heard.fresh
            if heard.refused:
                refused.append(place)
        self.inbox.judge(taken, refused, now_ms)
        if fresh:
            if self.attack == "copy" and not self.voted:
                seen = copied(self._question, fresh, now_ms)
                if seen is not None:
                    self.vote(seen)
            self.drone.receive_all(fresh, now_ms)

    def tick(self, tick: int, now_ms: int) -> list[bytes]:
        """Let a tick pass; return what it says to whoever is near."""
        if self.attack in AT_ONCE and not self.voted:
            self.vote(lie(self._question, BLACK, now_ms))
        if (tick + self.place) % _DRONE_TICKS == 0:
            self.drone.tick(now_ms)
        self.gossip.tick(now_ms)
        if self._sybils is not None:
            self._sybils.tick(self.link, now_ms)
        said, self.link.said = self.link.said, []
        return [] if self.attack == "silent" else said


class Flight:
    """All robots of one run, stepped together. Use it as a context manager."""

    def __init__(self, setting: Setting, seed: int, run: int) -> None:
        self.setting, self.run = setting, run
        self.crew = crew(setting.rule, setting.duration_s * 1000)
        self.floor = Floor(seed, [run], setting.black)
        draw = random.Random(f"liars {seed} {run}")  # noqa: S311  - a simulation
        liars = draw.sample(range(ROBOTS), setting.byzantine)
        attacks = dict(zip(liars, attacks_of(setting.attack, len(liars), draw), strict=True))
        self._stack = ExitStack()
        computed = _Computed()
        self.robots = [
            Robot(
                place,
                self.crew,
                self._stack.enter_context(self.crew.ledger()),
                computed,
                attacks.get(place, ""),
            )
            for place in range(ROBOTS)
        ]
        self.honest = [robot for robot in self.robots if not robot.attack]
        self._evidence = Evidence(ROBOTS)
        self._air: list[tuple[int, bytes]] = []
        self.ticks = 0

    def __enter__(self) -> Flight:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def now_ms(self) -> int:
        """The time, by every robot's clock."""
        return TAKE_OFF_MS + self.ticks * _TICK_MS

    def step(self) -> None:
        """Let a tenth of a second pass."""
        self.ticks += 1
        x, y = self.floor.x, self.floor.y
        self.floor.step()
        way_x, way_y = self.floor.x - x, self.floor.y - y
        moved = np.sqrt(way_x * way_x + way_y * way_y)
        self._evidence.add(moved, self.floor.sense())
        now_ms = self.now_ms
        self._carry(now_ms)
        self._vote(now_ms)
        for robot in self.robots:
            self._air += ((robot.place, frame) for frame in robot.tick(self.ticks, now_ms))

    def _carry(self, now_ms: int) -> None:
        """Bring what was said in the last tick to those who are near now."""
        near: dict[int, list[int]] = {}
        contacts = self.floor.contacts()
        for hearer, heard in zip(contacts.hearer.tolist(), contacts.heard.tolist(), strict=True):
            near.setdefault(heard, []).append(hearer)
        air, self._air = self._air, []
        for sender, frame in air:
            for hearer in near.get(sender, ()):
                self.robots[hearer].inbox.put(b"%d" % sender, frame, now_ms)
        for robot in self.robots:
            robot.hear(now_ms)

    def _vote(self, now_ms: int) -> None:
        late = self.ticks >= self.setting.duration_s * TICKS_PER_SECOND * PATIENCE
        for place in np.flatnonzero(self._evidence.sure() | late).tolist():
            robot = self.robots[place]
            if not robot.attack and not robot.voted:
                robot.vote(self._evidence.observation(place, self.crew.question, now_ms))

    def fly(self) -> Flown:
        """Step until every honest robot knows the decision, or the time for it is over."""
        limit = (self.setting.duration_s + GRACE_S) * TICKS_PER_SECOND
        while self.ticks < limit:
            self.step()
            if self.ticks % _LOOK_TICKS == 0 and all(r.decision for r in self.honest):
                break
        return self._outcome()

    def _answer(self, decision: AnyDecision | None) -> str:
        if decision is None or decision.outcome is not OutcomeKind.DECIDED:
            return UNDECIDED
        return decision.answer(self.crew.asked)

    def _outcome(self) -> Flown:
        answers = {self._answer(robot.decision) for robot in self.honest}
        best = max(self.honest, key=lambda robot: robot.store.height)
        start = self.crew.height + 1
        blocks = [best.store.block(height) for height in range(start, best.store.height + 1)]
        entries = [entry for block in blocks for entry in block.entries]
        if len(answers - {UNDECIDED}) > 1:
            answer = SPLIT
        else:
            answer = answers.pop() if len(answers) == 1 else UNDECIDED
        return Flown(
            run=self.run,
            answer=answer,
            seconds=self.ticks / TICKS_PER_SECOND,
            votes=sum(entry[0] == Kind.VOTE for entry in entries),
            blocks=len(blocks),
            ledger_bytes=sum(map(len, entries)) + sum(len(block.certificate) for block in blocks),
            radio_bytes=sum(r.gossip.sent_bytes for r in self.honest) // len(self.honest),
            views=max(robot.drone.engine.current.replica.view for robot in self.honest),
        )


def fly(setting: Setting, seed: int, run: int) -> Flown:
    """Fly one run of a series: the same wherever and with whatever others it is flown."""
    with Flight(setting, seed, run) as flight:
        return flight.fly()
