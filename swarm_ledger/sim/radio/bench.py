# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a decision costs on a narrow channel: bytes and seconds, beside what the formula says.

Drones as they fly, in simulated time: no figure depends on the machine. An operator's question is
handed in at one drone; each votes as soon as its ledger has the question, since looking takes no
radio; it is decided when each honest ledger has the decision, and certified when each holds a
quorum's cosignatures over it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import msgspec

from swarm_ledger.encoding import digest, encode
from swarm_ledger.envelope import Kind, seal
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.fleet_file import RadioEntry
from swarm_ledger.runtime.lpwan import Profile, traffic
from swarm_ledger.signers import open_signer
from swarm_ledger.sim.mission import KEY, OPERATOR, Mission
from swarm_ledger.sim.radio.air import Air
from swarm_ledger.sim.virtual import VirtualSwarm
from swarm_ledger.voting.observation import Observation
from swarm_ledger.voting.question import Question
from swarm_ledger.voting.rules import Majority

_NEVER = 1_000
"""Looks that nobody takes: votes are handed in."""

_IDLE_STEP_MS = 100
_REPORTS = 16
"""Reports of their state that drones make while it is counted what idle ones say."""

_PATIENCE = 60
_SETTLE = 3

MEASURED = (
    "Virtual time. A decision is from an operator's question at one drone until it is in all "
    "honest ledgers (decided_s), and cosigned by a quorum in all of them (certified_s); bytes are "
    "those on the air until then, with what each frame takes beside its own. Medians over seeds "
    "and decisions."
)


class Setting(msgspec.Struct, frozen=True):
    """What to measure. silent: drones that say nothing; loss: of each frame at each who hears it.

    decisions: of each seed, after a first one that is not counted. idle: whether to measure what
    is said when nothing happens, too.
    """

    drones: int = 7
    bitrate: int = 50_000
    duty_cycle: float = 1.0
    loss: float = 0.0
    silent: int = 0
    decisions: int = 3
    idle: bool = True

    def radio(self) -> RadioEntry:
        """Return the channel; Misuse where there is none such."""
        try:
            return msgspec.convert(
                {"bitrate": self.bitrate, "duty_cycle": self.duty_cycle}, RadioEntry
            )
        except msgspec.ValidationError as error:
            raise Misuse(f"no such channel: {error}.") from error


class Cost(msgspec.Struct, frozen=True):
    """What one decision took. bytes: of what was said, by its kind, without frames."""

    decided_s: float
    certified_s: float
    air_bytes: int
    busy_s: float
    frames: int
    collisions: int
    view_changes: int
    bytes: dict[str, int]


class Figures(msgspec.Struct, frozen=True):
    """The medians of a setting, and what the formula says. idle_bytes_hour: of all drones.

    met_s: from the start until the first decision was certified: sessions, too.
    """

    setting: Setting
    resend_ms: int
    decided_s: float
    slowest_s: float
    certified_s: float
    air_bytes: float
    formula_bytes: int
    formula_s: float
    frames: float
    collisions: float
    idle_bytes_hour: float
    formula_idle_bytes_hour: float
    met_s: float
    decisions: int
    view_changes: int
    bytes: dict[str, float]


class Flight:
    """One swarm on one channel."""

    def __init__(self, setting: Setting, seed: int, folder: Path) -> None:
        self.setting = setting
        self.profile = Profile(setting.drones, setting.radio().link())
        mission = Mission(
            folder,
            setting.drones,
            setting.silent,
            seed=seed,
            attack="silent",
            looks=_NEVER,
            radio=setting.radio(),
            loss=setting.loss,
        )
        self.air = Air(setting.drones, seed, self.profile.link, loss=setting.loss)
        self.swarm = VirtualSwarm(mission, lambda _event: None, self.air)
        self._operator = open_signer(f"file:{OPERATOR}/{KEY}", folder)
        self._asked = 0
        silent = mission.liars()
        names = mission.names()
        self.honest = [
            drone
            for name, drone in zip(names, self.swarm.drones, strict=True)
            if name not in silent
        ]

    def first(self) -> float:
        """Let all meet, and decide once; return the seconds that took."""
        started_ms = self.swarm.now_ms
        self._until(1)
        return (self.swarm.now_ms - started_ms) / 1_000

    def decide(self) -> Cost:
        """Ask, and let them decide; NotVerified where that takes too long."""
        number = self.honest[0].machine.tally.decided + 1
        self._asked += 1
        asked = encode(
            Question(
                "What stands there?",
                ("cup", "two_faces"),
                Majority(),
                self.swarm.mission.asks_for_ms,
                digest(b"%d" % self._asked)[:16],
            )
        )
        drone = self.honest[self._asked % len(self.honest)]
        before, said, views = self._counts(), self._said(), self._views()
        started_ms = self.swarm.now_ms
        raw = seal(Kind.QUESTION, asked, self._operator, self.swarm.fleet.roster)
        drone.submit(raw, self.swarm.clock_ms(0))
        decided_ms = self._until(number)
        after = self._counts()
        air_bytes, air_us, frames, collisions = (
            now - then for now, then in zip(after, before, strict=True)
        )
        return Cost(
            decided_s=(decided_ms - started_ms) / 1_000,
            certified_s=(self.swarm.now_ms - started_ms) / 1_000,
            air_bytes=air_bytes,
            busy_s=air_us / 1e6,
            frames=frames,
            collisions=collisions,
            view_changes=self._views() - views,
            bytes=dict(self._said() - said),
        )

    def settle(self) -> None:
        """Let what is left of a decision be said."""
        until_ms = self.swarm.now_ms + _SETTLE * self.profile.resend_ms
        while self.swarm.now_ms < until_ms:
            self._step()

    def idle(self) -> float:
        """Let nothing happen for a while; return how many bytes an hour that takes."""
        span_ms = _REPORTS * self.profile.report_ms
        before, until_ms = self.air.air_bytes, self.swarm.now_ms + span_ms
        while self.swarm.now_ms < until_ms:
            self.swarm.step(_IDLE_STEP_MS)
        return (self.air.air_bytes - before) * 3_600_000 / span_ms

    def _counts(self) -> tuple[int, int, int, int]:
        air = self.air
        return air.air_bytes, air.air_us, air.frames, air.collisions

    def _said(self) -> Counter[str]:
        return sum((station.sent for station in self.air.stations), Counter[str]())

    def _views(self) -> int:
        return max(drone.engine.current.replica.view for drone in self.honest)

    def _until(self, number: int) -> int:
        """Step until all have that decision certified; return when all had it."""
        resend_ms = self.profile.resend_ms
        limit_ms = self.swarm.now_ms + _PATIENCE * max(10_000, resend_ms)
        decided_ms = 0
        while True:
            self._step()
            if not decided_ms and all(one.machine.tally.decided >= number for one in self.honest):
                decided_ms = self.swarm.now_ms
                heights = [one.keeper.store.height for one in self.honest]
            if decided_ms and all(
                one.engine.current.replica.stable_seq >= min(heights) for one in self.honest
            ):
                return decided_ms
            if self.swarm.now_ms > limit_ms:
                raise NotVerified(
                    f"{self.setting.drones} drones did not decide within "
                    f"{_PATIENCE * max(10_000, resend_ms) // 1_000} s."
                )

    def _step(self) -> None:
        self.swarm.step()
        for drone in self.honest:
            if drone.curious:
                _vote(drone, self.swarm.now_ms)


def _vote(drone: Drone, now_ms: int) -> None:
    """Vote on what is open, as one does who has seen it."""
    index = drone.member.index
    for asked in drone.machine.tally.open_questions():
        image = digest(asked.question_id + bytes([index]))
        bearing = 700 + index
        seen = Observation(asked.question_id, 0, 900_000 + index, now_ms, image, bearing, 3_000)
        drone.observe(seen)


def measure(setting: Setting, seeds: Sequence[int]) -> Figures:
    """Measure a setting; NotVerified where a swarm does not decide, Misuse where it can't."""
    costs: list[Cost] = []
    idle: list[float] = []
    met: list[float] = []
    for seed in seeds:
        with TemporaryDirectory(prefix="swarm-ledger-radio-") as folder:
            flight = Flight(setting, seed, Path(folder) / "run")
            with flight.swarm:
                met.append(flight.first())
                flight.settle()
                for _ in range(setting.decisions):
                    costs.append(flight.decide())
                    flight.settle()
                if setting.idle:
                    idle.append(flight.idle())
    profile = Profile(setting.drones, setting.radio().link())
    found = traffic(setting.drones, profile.link)
    kinds = sorted({kind for cost in costs for kind in cost.bytes})
    return Figures(
        setting=setting,
        resend_ms=profile.resend_ms,
        decided_s=median(cost.decided_s for cost in costs),
        slowest_s=max(cost.decided_s for cost in costs),
        certified_s=median(cost.certified_s for cost in costs),
        air_bytes=median(cost.air_bytes for cost in costs),
        formula_bytes=found.decision_bytes,
        formula_s=round(found.decision_s, 3),
        frames=median(cost.frames for cost in costs),
        collisions=sum(cost.collisions for cost in costs) / len(costs),
        idle_bytes_hour=median(idle) if idle else 0.0,
        formula_idle_bytes_hour=round(
            setting.drones * found.idle_bytes * 3_600_000 / profile.report_ms
        ),
        met_s=median(met),
        decisions=len(costs),
        view_changes=sum(cost.view_changes for cost in costs),
        bytes={kind: median(cost.bytes.get(kind, 0) for cost in costs) for kind in kinds},
    )
