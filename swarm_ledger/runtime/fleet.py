# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A fleet: its file, which simulation, drones and tools read alike, its keys and its rosters."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from swarm_ledger.consensus.settings import Settings
from swarm_ledger.errors import Misuse
from swarm_ledger.identity.channel import CHANNEL, ChannelKeys
from swarm_ledger.identity.roster import Member, Role, Roster
from swarm_ledger.identity.trust import Trust, load_trust
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.fleet_file import (
    DroneEntry,
    FleetFile,
    FleetText,
    SignEntry,
    parse_fleet_file,
)
from swarm_ledger.runtime.identity import FolderKeys, Identity, Keys
from swarm_ledger.runtime.lpwan import Profile
from swarm_ledger.runtime.pruner import check_budget
from swarm_ledger.runtime.rhythm import USUAL, Rhythm
from swarm_ledger.runtime.starts import SHARING_RUNS, next_run
from swarm_ledger.signers import Signer, open_signer
from swarm_ledger.transport.secret import Secrets

FLEET = "fleet.yaml"
LEDGER = "ledger.db"

WITHOUT_CHANNELS = (
    "Have the operators list the drones' channel keys (roster channel), or switch secrecy off in "
    "the fleet file, for all drones."
)

_SESSION_SECONDS = 86_400
_CLOCK_LEEWAY_SECONDS = 60


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
            text = parse_fleet_file(str(path), path.read_bytes())
        except OSError as error:
            raise Misuse(f"cannot read {path}: {error.strerror}.") from error
        fleet = cls(path, text.file, load_trust(path.parent / text.file.roster))
        fleet.check_roles(text)
        return fleet

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

    def check_roles(self, text: FleetText) -> None:
        """Raise Misuse where the file says of a drone that it has other roles than it has."""
        for place, entry in enumerate(self.file.drones):
            listed = self.trust.newest.listed(entry.id or entry.name)
            if entry.roles is None or listed is None:
                continue
            signed = sorted(role.value for role in listed.roles if role is not Role.OPERATOR)
            if sorted(set(entry.roles)) != signed:
                raise text.wrong(
                    f"in the roster, {entry.name} is {' and '.join(signed) or 'revoked'}",
                    *("drones", place, "roles"),
                    remedy="Operators say who may do what: change the roster, or this line.",
                )

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
        member, roster = self.member(name), self.trust.newest
        if member.index not in roster.flying:
            raise Misuse(f"{member.name} is neither validator nor voter in the roster.")
        given = msgspec.structs.asdict(self.file.consensus)
        settings = Settings(roster.validators, member.index, **given)
        profile = self.profile()
        return profile.settings(settings) if profile else settings

    def profile(self) -> Profile | None:
        """Return the times that follow from the radio's, None where the fleet has no such radio.

        Misuse where it is too narrow for so many validators.
        """
        radio = self.file.radio
        if radio is None:
            return None
        return Profile(len(self.trust.newest.validators), radio.link())

    def rhythm(self) -> Rhythm:
        """Return how often its drones say what nobody asked for; Misuse as profile() does."""
        profile = self.profile()
        return profile.rhythm() if profile else USUAL

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

        now_s: POSIX seconds. Misuse if it is neither validator nor voter in there.
        """
        identity = self.keys(name).begin(self.roster, now_s)
        if identity is None:
            raise Misuse(f"{name} is neither validator nor voter in the roster.")
        return identity

    def question(self) -> bytes | None:
        """Return the sealed question that the fleet starts with, if any."""
        if not self.file.question:
            return None
        try:
            return (self.folder / self.file.question).read_bytes()
        except OSError as error:
            raise Misuse(f"cannot read {self.file.question}: {error.strerror}.") from error

    def rules(self) -> list[Path]:
        """Return the files of sealed rules that the fleet starts with."""
        return [self.folder / name for name in self.file.rules]

    def sign(self, name: str) -> SignEntry | None:
        """Return which topics a drone's relay signs, None for none."""
        wanted = self.drone(name).sign or self.file.sign
        return wanted if wanted and (wanted.topics or wanted.batched) else None

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
