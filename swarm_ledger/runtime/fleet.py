# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The fleet file: one YAML that simulation, drones and tools read alike."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from swarm_ledger.consensus.settings import Settings
from swarm_ledger.errors import Misuse
from swarm_ledger.identity.roster import Roster
from swarm_ledger.identity.trust import Trust, load_trust
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.identity import FolderKeys, Identity, Keys
from swarm_ledger.signers import open_signer

FLEET = "fleet.yaml"
LEDGER = "ledger.db"
_MAX_FLEET_BYTES = 1 << 18
_NESTING = (b"[", b"{", b"-", b"?")
_MAX_NESTING = 4096
"""What opens a collection in YAML, at most: the parser recurses, and would end the process."""
_MAX_ALIASES = 16
"""Stars, at most: in YAML an alias of a map that merges aliases doubles it, again and again."""

_SESSION_SECONDS = 86_400
_CLOCK_LEEWAY_SECONDS = 60


_Path = Annotated[str, Meta(pattern=r"\A[^\x00]*\Z")]


class DroneEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One drone. key: URI of its root key; folder: where its ledger is; endpoint: for ZeroMQ.

    attack: only in simulation, how it lies. Paths are relative to the fleet file.
    """

    name: str
    key: _Path
    folder: _Path
    endpoint: str = ""
    attack: str = ""


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
    """What a fleet file holds. roster: the roster directory; question: a sealed one to submit."""

    roster: _Path
    drones: Annotated[list[DroneEntry], Meta(min_length=1)]
    consensus: ConsensusEntry = ConsensusEntry()
    looks: Annotated[int, Meta(ge=1, le=1000)] = 5
    question: _Path = ""
    world: WorldEntry | None = None


@dataclass(frozen=True)
class Fleet:
    """A fleet file with the folder that its paths are relative to, and its verified rosters."""

    folder: Path
    file: FleetFile
    trust: Trust

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
        return cls(path.parent, file, load_trust(path.parent / file.roster))

    def drone(self, name: str) -> DroneEntry:
        """Return the entry of that name; Misuse if there is none."""
        for entry in self.file.drones:
            if entry.name == name:
                return entry
        names = ", ".join(entry.name for entry in self.file.drones)
        raise Misuse(f"the fleet file has no drone {name!r}; it has {names}.")

    def settings(self, name: str) -> Settings:
        """Return the consensus settings of a drone, as under the newest roster."""
        member = self.trust.newest.named(name)
        validators = self.trust.newest.validators
        if member.index not in validators:
            raise Misuse(f"{name} is not a validator in the roster.")
        return Settings(validators, member.index, **msgspec.structs.asdict(self.file.consensus))

    def endpoints(self) -> dict[int, str]:
        """Return the ZeroMQ addresses by roster index; Misuse if one is missing."""
        for entry in self.file.drones:
            if not entry.endpoint:
                raise Misuse(f"the fleet file gives {entry.name} no endpoint.")
        newest = self.trust.newest
        return {newest.named(e.name).index: e.endpoint for e in self.file.drones}

    def store(self, name: str) -> Store:
        """Open a drone's ledger, or create it."""
        return Store.open(self._folder(name) / LEDGER)

    def keys(self, name: str) -> Keys:
        """Open a drone's root key, with the sessions in its folder."""
        return FolderKeys(
            self._folder(name),
            name,
            open_signer(self._key_uri(name)),
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

    def _folder(self, name: str) -> Path:
        folder = self.folder / self.drone(name).folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Misuse(f"cannot use the folder {folder}: {error.strerror}.") from error
        return folder

    def _key_uri(self, name: str) -> str:
        scheme, _, rest = self.drone(name).key.partition(":")
        return f"{scheme}:{self.folder / rest}" if scheme == "file" else self.drone(name).key


def wall_clock_ms() -> int:
    """Return the machine's clock, POSIX milliseconds: what drones outside of simulation use."""
    return time.time_ns() // 1_000_000
