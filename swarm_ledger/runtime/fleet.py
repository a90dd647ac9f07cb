# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The fleet file: one YAML that simulation, drones and tools read alike."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from swarm_ledger.consensus.settings import Settings
from swarm_ledger.errors import Misuse
from swarm_ledger.identity.channel import CHANNEL, ChannelKeys
from swarm_ledger.identity.roster import Member, Roster
from swarm_ledger.identity.trust import Trust, load_trust
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.identity import FolderKeys, Identity, Keys
from swarm_ledger.runtime.pruner import check_budget
from swarm_ledger.runtime.starts import SHARING_RUNS, next_run
from swarm_ledger.signers import Signer, open_signer
from swarm_ledger.transport.secret import Secrets

FLEET = "fleet.yaml"
LEDGER = "ledger.db"
_MAX_FLEET_BYTES = 1 << 18
_NESTING = (b"[", b"{", b"-", b"?")
_MAX_NESTING = 4096
"""What opens a collection in YAML, at most: the parser recurses, and would end the process."""
_MAX_ALIASES = 16
"""Stars, at most: in YAML an alias of a map that merges aliases doubles it, again and again."""

WITHOUT_CHANNELS = (
    "Have the operators list the drones' channel keys (roster channel), or switch secrecy off in "
    "the fleet file, for all drones."
)

_SESSION_SECONDS = 86_400
_CLOCK_LEEWAY_SECONDS = 60


_Path = Annotated[str, Meta(pattern=r"\A[^\x00]*\Z")]


class LedgerEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a drone keeps its ledger. max_bytes: how large it may grow; 0 for an archive."""

    max_bytes: Annotated[int, Meta(ge=0)] = 0


class DroneEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One drone. key: URI of its root key; folder: where its ledger is; endpoint: for ZeroMQ.

    name: a label for people and commands; who it is follows from its key. id: what the roster
    knows it by, where it has another name there. channel: the file of its channel keys,
    channel.key in its folder if left out. ledger: how it keeps its ledger, where that is not as
    the fleet says. attack: only in simulation, how it lies. Paths are relative to the fleet file.
    """

    name: str
    key: _Path
    folder: _Path
    endpoint: str = ""
    attack: str = ""
    id: Annotated[str, Meta(pattern=r"\A([0-9a-f]{32})?\Z")] = ""
    channel: _Path = ""
    ledger: LedgerEntry | None = None


class ConsensusEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The protocol parameters that a fleet may set; milliseconds."""

    request_timeout_ms: Annotated[int, Meta(ge=10)] = 2_000
    batch_delay_ms: Annotated[int, Meta(ge=0)] = 10
    resend_ms: Annotated[int, Meta(ge=1)] = 250
    interval: Annotated[int, Meta(ge=1)] = 16


class WorldEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The built-in world: what stands in it, and the seed of everything about it."""

    target: str
    seed: int


class FleetFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a fleet file holds. roster: the roster directory; question: a sealed one to submit.

    secrecy: whether drones encrypt what they say to each other, and hear nothing else.
    """

    roster: _Path
    drones: Annotated[list[DroneEntry], Meta(min_length=1)]
    consensus: ConsensusEntry = ConsensusEntry()
    looks: Annotated[int, Meta(ge=1, le=1000)] = 5
    question: _Path = ""
    world: WorldEntry | None = None
    secrecy: bool = False
    ledger: LedgerEntry = LedgerEntry()


@dataclass(frozen=True)
class Fleet:
    """A fleet file, in the folder that its paths are relative to, and its verified rosters."""

    path: Path
    file: FleetFile
    trust: Trust
    _roots: dict[str, Signer] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def roster(self) -> Roster:
        """The roster that its ledgers start with."""
        return self.trust.genesis

    @classmethod
    def load(cls, path: Path) -> Fleet:
        """Read a fleet file; Misuse says what is wrong and where."""
        try:
            raw = path.read_bytes()
            if len(raw) > _MAX_FLEET_BYTES or sum(map(raw.count, _NESTING)) > _MAX_NESTING:
                raise Misuse(f"{path} is too large to be a fleet file.")
            if raw.count(b"*") > _MAX_ALIASES:
                raise Misuse(f"{path} has more than {_MAX_ALIASES} aliases, or stars.")
            file = msgspec.yaml.decode(raw, type=FleetFile)
        except OSError as error:
            raise Misuse(f"cannot read {path}: {error.strerror}.") from error
        except (msgspec.MsgspecError, ValueError, AttributeError, RecursionError) as error:
            # The last three are YAML's own: a date that is none, a tag that does not fit.
            raise Misuse(f"{path} is not a valid fleet file: {error}.") from error
        return cls(path, file, load_trust(path.parent / file.roster))

    def again(self) -> Fleet:
        """Read the same files once more; raises as load() does."""
        return Fleet.load(self.path)

    @property
    def folder(self) -> Path:
        """The folder that paths are relative to."""
        return self.path.parent

    def drone(self, name: str) -> DroneEntry:
        """Return the entry of that name; Misuse if there is none."""
        for entry in self.file.drones:
            if entry.name == name:
                return entry
        names = ", ".join(entry.name for entry in self.file.drones)
        raise Misuse(f"the fleet file has no drone {name!r}; it has {names}.")

    def member(self, name: str) -> Member:
        """Return who a drone of ours is in the newest roster, by its root key.

        Misuse if no member has that key.
        """
        found = self.trust.newest.with_key(self.root(name).public_key)
        if found is None:
            raise Misuse(
                f"the key for {name} is not the one in the roster, nor any other's.",
                remedy="Check the key's URI, or enrol the new key with a new roster version.",
            )
        return found

    def settings(self, name: str) -> Settings:
        """Return the consensus settings of a drone of ours, as under the newest roster."""
        member, validators = self.member(name), self.trust.newest.validators
        if member.index not in validators:
            raise Misuse(f"{member.name} is not a validator in the roster.")
        return Settings(validators, member.index, **msgspec.structs.asdict(self.file.consensus))

    def endpoints(self, *rosters: Roster) -> dict[int, str]:
        """Return the ZeroMQ addresses by roster index; Misuse if one is missing.

        rosters: the newest one otherwise; where an index has two owners, the later one counts.
        Entries that stand for nobody in there are left out: a drone may be in the file before it
        is in the roster.
        """
        for entry in self.file.drones:
            if not entry.endpoint:
                raise Misuse(f"the fleet file gives {entry.name} no endpoint.")
        return {
            member.index: entry.endpoint
            for roster in sorted(rosters or (self.trust.newest,), key=lambda one: one.version)
            for entry in self.file.drones
            if (member := roster.listed(entry.id or entry.name)) is not None
        }

    def store(self, name: str) -> Store:
        """Open a drone's ledger, or create it."""
        return Store.open(self.home(name) / LEDGER)

    def max_bytes(self, name: str) -> int:
        """Return a drone's budget for its ledger, 0 for an archive; Misuse if it is too small."""
        return check_budget((self.drone(name).ledger or self.file.ledger).max_bytes)

    def root(self, name: str) -> Signer:
        """Open a drone's root key, wherever it is, once; Misuse if it can't be used."""
        uri = self.drone(name).key
        if uri not in self._roots:
            self._roots[uri] = open_signer(uri, self.folder)
        return self._roots[uri]

    def channel(self, name: str) -> ChannelKeys:
        """Read a drone's channel keys; Misuse if they can't be used."""
        entry = self.drone(name)
        return ChannelKeys.load(self.folder / (entry.channel or f"{entry.folder}/{CHANNEL}"))

    def secrets(self, name: str, now_ms: int) -> Secrets | None:
        """Begin a drone's secrets for this start (POSIX ms), or return None for a fleet without.

        Misuse where its channel keys can't be used, or are not those in the newest roster.
        """
        if not self.file.secrecy:
            return None
        keys, listed = self.channel(name), self.member(name).channel
        if listed is None or listed.hpke != keys.hpke:
            raise Misuse(
                f"the fleet wants secrecy, and the roster does not list {name}'s channel keys.",
                remedy=WITHOUT_CHANNELS,
            )
        run = next_run(self.home(name), now_ms // 1000, SHARING_RUNS)
        return Secrets(keys, run=run, now_ms=now_ms, draw=os.urandom)

    def keys(self, name: str) -> Keys:
        """Open a drone's root key, with the sessions in its folder."""
        return FolderKeys(
            self.home(name),
            self.root(name),
            before_s=_CLOCK_LEEWAY_SECONDS,
            after_s=_SESSION_SECONDS,
        )

    def identity(self, name: str, now_s: int) -> Identity:
        """Return a drone's session under the first roster, going on with it or beginning one.

        now_s: POSIX seconds. Misuse if it is no validator in there.
        """
        identity = self.keys(name).begin(self.roster, now_s)
        if identity is None:
            raise Misuse(f"{name} is not a validator in the roster.")
        return identity

    def question(self) -> bytes | None:
        """Return the sealed question that the fleet starts with, if any."""
        if not self.file.question:
            return None
        try:
            return (self.folder / self.file.question).read_bytes()
        except OSError as error:
            raise Misuse(f"cannot read {self.file.question}: {error.strerror}.") from error

    def home(self, name: str) -> Path:
        """Return a drone's own folder, which is there from then on."""
        folder = self.folder / self.drone(name).folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Misuse(f"cannot use the folder {folder}: {error.strerror}.") from error
        return folder


def wall_clock_ms() -> int:
    """Return the machine's clock, POSIX milliseconds: what drones outside of simulation use."""
    return time.time_ns() // 1_000_000
