# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A simulated mission: what is asked for, checked, and laid out in a run folder."""

from __future__ import annotations

import hashlib
import math
import os
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Protocol

import msgspec

from swarm_ledger.consensus.quorum import faulty
from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, seal
from swarm_ledger.errors import Misuse
from swarm_ledger.identity.channel import CHANNEL, ChannelKeys
from swarm_ledger.identity.roster import (
    FLYING,
    OPERATORS,
    VOTERS,
    Member,
    parse_roster,
    render_roster,
)
from swarm_ledger.identity.trust import write_trust
from swarm_ledger.runtime.fleet import FLEET, Fleet
from swarm_ledger.runtime.fleet_file import (
    ConsensusEntry,
    DroneEntry,
    FleetFile,
    RadioEntry,
    WorldEntry,
)
from swarm_ledger.runtime.lpwan import Profile
from swarm_ledger.signers import Signer, SoftwareSigner
from swarm_ledger.sim.byzantine import ATTACKS
from swarm_ledger.sim.ports import free_ports
from swarm_ledger.sim.world import TARGETS
from swarm_ledger.voting.question import Question
from swarm_ledger.voting.rules import AnyRule, Sealed, rule_named

TRANSPORTS = ("memory", "zmq", "ros")
KEY_STORES = ("software", "pkcs11", "tpm2")
MAX_DRONES = 100
MAX_TIMEOUT_S = 86_400
OPERATOR = "operator_1"
KEY = "key.pem"
ROSTER_DAYS = 365
_PATIENCE = 10


@dataclass(frozen=True)
class Mission:
    """What to simulate. Misuse, with what to do, for anything that can't be flown.

    byzantine: how many drones lie, chosen by the seed. transport: one of TRANSPORTS.
    keys: where drones' root keys live, one of KEY_STORES. hardware_only: these sign each vote.
    channels: whether the roster lists channel keys, by which links over ZeroMQ are encrypted.
    secret: whether drones encrypt what they say to each other, whatever carries it.
    behaviour: whether pilots fly the drones, in the memory transport; see sim/squadron.py.
    allow_unsafe: accept more liars than the protocol tolerates. timeout_s: give up after that.
    validators: how many of the drones, the first ones, run consensus; 0 for all. The others vote
    and follow. rule: how the question is settled, by name; sealed: whether votes are committed to
    first. radio: a narrow channel that all share, in the memory transport; loss: of each frame at
    each who hears it, 0 to 1.
    """

    run_dir: Path
    drones: int = 4
    byzantine: int = 1
    target: str = "cup"
    seed: int = 0
    transport: str = "memory"
    keys: str = "software"
    channels: bool = True
    attack: str = "lie"
    allow_unsafe: bool = False
    looks: int = 5
    duration_ms: int = 8_000
    timeout_s: float = 60.0
    secret: bool = False
    consensus: ConsensusEntry = field(default_factory=ConsensusEntry)
    hardware_only: bool = False
    behaviour: bool = False
    rule: str = "majority"
    sealed: bool = False
    validators: int = 0
    radio: RadioEntry | None = None
    loss: float = 0.0

    def __post_init__(self) -> None:
        if not 4 <= self.drones <= MAX_DRONES:
            raise Misuse(
                f"{self.drones} drones can't be flown.",
                remedy=f"Take 4 to {MAX_DRONES}: with fewer than 4, not even one may lie.",
            )
        if self.validators and not 4 <= self.validators <= self.drones:
            raise Misuse(
                f"{self.validators} of {self.drones} drones can't run consensus.",
                remedy=f"Take --validators 4 to {self.drones}.",
            )
        tolerated = faulty(self.drones)
        if not 0 <= self.byzantine < self.drones:
            raise Misuse(
                f"{self.byzantine} of {self.drones} drones can't be Byzantine.",
                remedy=f"Take 0 to {tolerated}.",
            )
        if self.byzantine > tolerated and not self.allow_unsafe:
            raise Misuse(
                f"{self.drones} drones tolerate {tolerated} Byzantine ones, not {self.byzantine}.",
                remedy=f"Take at least {3 * self.byzantine + 1} drones, or pass --allow-unsafe "
                "to see it fail.",
            )
        for what, value, known in (
            ("target", self.target, TARGETS),
            ("transport", self.transport, TRANSPORTS),
            ("key store", self.keys, KEY_STORES),
            ("attack", self.attack, tuple(ATTACKS)),
        ):
            if value not in known:
                raise Misuse(f"unknown {what} {value!r}.", remedy=f"Take {' or '.join(known)}.")
        if self.hardware_only and self.keys == "software":
            raise Misuse(
                "software keys can't be hardware_only.", remedy="Take --keys pkcs11 or tpm2."
            )
        if self.behaviour and self.transport != "memory":
            raise Misuse(
                f"pilots don't fly over {self.transport} from here.",
                remedy="Take --transport memory, or `ros2 launch swarm_ledger sim.launch.py "
                "behaviour:=true`.",
            )
        self._check_radio()
        rule_named(self.rule)
        if not 0 <= self.seed < 2**63:
            raise Misuse(
                f"the seed {self.seed} is not from 0 to 2^63 - 1.", remedy="Take another one."
            )
        if not (math.isfinite(self.timeout_s) and 1 <= self.timeout_s <= MAX_TIMEOUT_S):
            raise Misuse(
                f"a mission can't take {self.timeout_s:g} s.",
                remedy=f"Give it 1 to {MAX_TIMEOUT_S} seconds.",
            )

    def _check_radio(self) -> None:
        if self.radio is None:
            if self.loss:
                raise Misuse("only a radio loses what it is told to.", remedy="Take a --profile.")
            return
        if self.transport != "memory" or self.secret:
            raise Misuse(
                f"there is no simulated radio over {self.transport}"
                f"{' that keeps secrets' * self.secret}.",
                remedy="Take --transport memory, without --secret.",
            )
        if not 0 <= self.loss < 1:
            raise Misuse(f"a radio can't lose {self.loss:g} of all.", remedy="Take 0 to 0.9.")
        Profile(self.drones, self.radio.link())

    @property
    def asks_for_ms(self) -> int:
        """How long the question is open: on a narrow channel, long enough for all to be heard."""
        if self.radio is None:
            return self.duration_ms
        profile = Profile(self.drones, self.radio.link())
        return max(self.duration_ms, _PATIENCE * profile.resend_ms)

    def liars(self) -> frozenset[str]:
        """Return the names of the Byzantine drones, drawn by the seed.

        Of a committee, no more than it tolerates are drawn, unless more lie than all tolerate.
        """
        names = self.names()
        draw = random.Random(f"liars {self.seed}")  # noqa: S311  - a simulation, not a secret
        if not self.validators or self.byzantine > faulty(self.drones):
            return frozenset(draw.sample(names, self.byzantine))
        committee = names[: self.validators]
        ordering = draw.sample(committee, faulty(self.validators))
        spared = set(committee).difference(ordering)
        return frozenset(draw.sample(sorted(set(names) - spared), self.byzantine))

    def settles_by(self) -> AnyRule:
        """Return the rule; of a sealed one, half of the time is for opening ballots."""
        rule = rule_named(self.rule)
        return Sealed(rule, self.asks_for_ms // 2) if self.sealed else rule

    def names(self) -> list[str]:
        """Return the drones' names, drone_1 first."""
        return [f"drone_{number}" for number in range(1, self.drones + 1)]


class Rack(Protocol):
    """Where the drones of one mission have their root keys."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What drones' processes need in their environment to find them."""

    def root(self, name: str) -> tuple[str, Signer]:
        """Make a drone's root key; return its URI for the fleet file, and the key."""


class SoftwareRack:
    """Root keys as files in the drones' folders."""

    def __init__(self, mission: Mission) -> None:
        self._mission = mission
        self.environment: Mapping[str, str] = {}

    def root(self, name: str) -> tuple[str, Signer]:
        """Make a drone's key file."""
        key = _key(self._mission, name)
        key.save(self._mission.run_dir / name / KEY)
        return f"file:{name}/{KEY}", key


def prepare(mission: Mission, *, now: datetime, rack: Rack | None = None) -> Fleet:
    """Lay out a run folder: all keys, signed roster, question, fleet file.

    Keys in files are derived from the seed in the memory transport, whose runs can be repeated to
    the byte, and fresh otherwise. rack: where drones' root keys are made, in files if left out.
    Misuse if the folder already holds a run.
    """
    folder = mission.run_dir
    try:
        if (folder / FLEET).exists():
            raise Misuse(f"{folder} already holds a run.", remedy="Give another --run-dir.")
        _lay_out(mission, now, rack or SoftwareRack(mission))
    except OSError as error:
        raise Misuse(
            f"cannot write to {folder}: {error.strerror}.",
            remedy="Give a --run-dir that you may write to.",
        ) from error
    return Fleet.load(folder / FLEET)


def _lay_out(mission: Mission, now: datetime, rack: Rack) -> None:
    folder, names, liars = mission.run_dir, mission.names(), mission.liars()
    for name in [*names, OPERATOR]:
        (folder / name).mkdir(parents=True, exist_ok=True)
    operator = _key(mission, OPERATOR)
    operator.save(folder / OPERATOR / KEY)
    roots = {name: rack.root(name) for name in names}
    flown = names if mission.channels else ()
    channels = {name: ChannelKeys(_secret(mission, f"{name} channel")) for name in flown}
    for name, keys in channels.items():
        keys.save(folder / name / CHANNEL)
    swarm_id = f"sim-{operator.public_key.hex()[:8]}"
    drones = _members(mission, {name: key for name, (_, key) in roots.items()}, channels)
    signer = Member(len(drones), OPERATOR, operator.public_key, operator.key_store, OPERATORS)
    raw = render_roster(swarm_id, 1, [*drones, signer])
    expires = (now + timedelta(days=ROSTER_DAYS)).replace(microsecond=0)
    write_trust(folder / "roster", raw, [operator], threshold=1, expires=expires)
    question = Question(
        subject="What stands at the centre?",
        labels=TARGETS,
        rule=mission.settles_by(),
        duration_ms=mission.asks_for_ms,
        nonce=_secret(mission, "nonce")[:16],
    )
    sealed = seal(Kind.QUESTION, encode(question), operator, parse_roster(raw))
    (folder / "question.bin").write_bytes(sealed)
    endpoints = _free_endpoints(len(names)) if mission.transport == "zmq" else [""] * len(names)
    file = FleetFile(
        roster="roster",
        drones=[
            DroneEntry(name, roots[name][0], name, endpoint, mission.attack * (name in liars))
            for name, endpoint in zip(names, endpoints, strict=True)
        ],
        consensus=mission.consensus,
        looks=mission.looks,
        question="question.bin",
        world=WorldEntry(mission.target, mission.seed),
        transport="zmq" if mission.transport == "zmq" else "ros",
        secrecy=mission.secret,
        radio=mission.radio,
    )
    (folder / FLEET).write_bytes(msgspec.yaml.encode(file))


def _members(
    mission: Mission, roots: Mapping[str, Signer], channels: Mapping[str, ChannelKeys]
) -> list[Member]:
    return [
        Member(
            index,
            name,
            key.public_key,
            key.key_store,
            VOTERS if index >= (mission.validators or mission.drones) else FLYING,
            hardware_only=mission.hardware_only,
            channel=channels[name].public if name in channels else None,
        )
        for index, (name, key) in enumerate(roots.items())
    ]


def _secret(mission: Mission, purpose: str) -> bytes:
    if mission.transport != "memory":
        return os.urandom(32)
    return hashlib.sha256(f"swarm_ledger simulation {mission.seed} {purpose}".encode()).digest()


def _key(mission: Mission, purpose: str) -> SoftwareSigner:
    return SoftwareSigner(_secret(mission, purpose))


def _free_endpoints(count: int) -> list[str]:
    return [f"tcp://127.0.0.1:{port}" for port in free_ports(count)]


def utc_now() -> datetime:
    """Return the wall clock."""
    return datetime.now(timezone.utc)
