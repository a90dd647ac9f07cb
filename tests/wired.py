# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Drones over real ZeroMQ sockets within one process, in turn, and what arrived at each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from swarm_ledger.identity import draft as drafts
from swarm_ledger.identity import edits
from swarm_ledger.identity.channel import CHANNEL, ChannelKeys
from swarm_ledger.identity.enrolment import make_request, open_request
from swarm_ledger.identity.roster import FLYING, Member
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.fleet import FLEET, Fleet, wall_clock_ms
from swarm_ledger.runtime.fleet_file import ConsensusEntry, DroneEntry
from swarm_ledger.runtime.lookout import Lookout
from swarm_ledger.signers import SoftwareSigner, open_signer
from swarm_ledger.sim.load import Load
from swarm_ledger.sim.mission import KEY, OPERATOR, Mission, prepare, utc_now
from swarm_ledger.sim.ports import free_ports
from swarm_ledger.sim.wiring import Wiring
from swarm_ledger.transport.secret import veiled
from tests import patience

TIMING = ConsensusEntry(request_timeout_ms=1_000, resend_ms=100)

Edit = Callable[[list[Member]], list[Member]]


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has at the moment."""
    return free_ports(1)[0]


@dataclass
class Flown:
    """One drone at work."""

    drone: Drone
    store: Store
    wiring: Wiring
    lookout: Lookout
    load: Load


class Wired:
    """A fleet of drones on one run folder. Use it as a context manager.

    heard: all that came out of each drone's socket. events: (drone, event, fields).
    """

    def __init__(self, folder: Path, drones: int = 4, *, secret: bool = False) -> None:
        mission = Mission(
            run_dir=folder,
            drones=drones,
            byzantine=0,
            transport="zmq",
            consensus=TIMING,
            secret=secret,
        )
        fleet = prepare(mission, now=utc_now())
        self.folder, self.directory = folder, folder / fleet.file.roster
        self.flown: dict[str, Flown] = {}
        self.heard: dict[str, list[bytes]] = defaultdict(list)
        self.events: list[tuple[str, str, dict[str, Any]]] = []
        self.rewrite(lambda entries: entries)

    def fleet(self) -> Fleet:
        """The fleet file as it is now."""
        return Fleet.load(self.folder / FLEET)

    def address(self, name: str) -> str:
        """Where a drone's socket is."""
        return self.fleet().drone(name).endpoint

    def rewrite(self, edit: Callable[[list[DroneEntry]], list[DroneEntry]]) -> None:
        """Change the fleet file's drones, and leave out its question."""
        file = self.fleet().file
        drones = edit(list(file.drones))
        file = msgspec.structs.replace(file, drones=drones, question="", world=None)
        (self.folder / FLEET).write_bytes(msgspec.yaml.encode(file))

    def start(self, *names: str) -> None:
        """Start drones, all of the first four if none is named."""
        for name in names or [f"drone_{number}" for number in range(1, 5)]:
            fleet, now_ms = self.fleet(), wall_clock_ms()

            def emit(event: str, fields: dict[str, Any], name: str = name) -> None:
                self.events.append((name, event, fields))

            lookout = Lookout(fleet, name, emit)
            store, wiring = fleet.store(name), Wiring(fleet, name, emit)
            secrets = fleet.secrets(name, now_ms)
            try:
                drone = Drone(
                    fleet.keys(name),
                    fleet.trust,
                    store,
                    veiled(wiring, secrets),
                    fleet.settings(name),
                    now_ms=now_ms,
                    emit=emit,
                    secrets=secrets,
                    max_bytes=fleet.max_bytes(name),
                )
                wiring.follow(fleet, drone, now_ms)
            except BaseException:
                wiring.close()
                store.close()
                raise
            self.flown[name] = Flown(drone, store, wiring, lookout, Load(5))

    def stop(self, name: str) -> None:
        """End a drone; its folder stays."""
        gone = self.flown.pop(name)
        gone.wiring.close()
        gone.store.close()

    def step(self) -> None:
        """Let each drone do what it does in one turn."""
        for name, one in self.flown.items():
            arrived = one.wiring.receive(1)
            self.heard[name] += arrived
            one.wiring.judge(one.drone.receive_all(arrived, wall_clock_ms()))
            now_ms = wall_clock_ms()
            one.load(one.drone, now_ms)
            one.drone.tick(now_ms)
            one.lookout.look(one.drone, now_ms)
            one.wiring.follow(one.lookout.fleet, one.drone, now_ms)

    def until(self, what: str, holds: Callable[[], bool]) -> None:
        """Fly until that holds."""
        patience.until(what, holds, self.step, self.places)

    def places(self) -> dict[str, tuple[int, int]]:
        """Epoch and height of each."""
        return {
            name: (one.drone.roster.version, one.store.height) for name, one in self.flown.items()
        }

    def go_on(self, names: Iterable[str] = (), blocks: int = 10) -> None:
        """Fly until each of them, or all, is that much higher than any is now."""
        chosen = list(names) or list(self.flown)
        goal = max(one.store.height for one in self.flown.values()) + blocks
        self.until(
            f"{chosen} are at height {goal}",
            lambda: all(self.flown[name].store.height >= goal for name in chosen),
        )

    def report(self, name: str) -> dict[str, Any]:
        """What a drone says of its links."""
        return self.flown[name].wiring.report()

    def refused(self, name: str, reason: str) -> int:
        """How many were refused at a drone for that reason."""
        return int(self.report(name)["refused"].get(reason, 0))

    # what the operator does

    def change(self, edit: Edit) -> int:
        """Sign the next roster into the folder that all drones look at; return its version."""
        expires = (utc_now() + timedelta(days=30)).replace(microsecond=0)
        drafts.change(self.directory, lambda _, members: edit(members), expires=expires)
        operator = open_signer(f"file:{self.folder / OPERATOR / KEY}")
        return drafts.sign(self.directory, operator).roster.version

    def in_epoch(self, version: int, names: Iterable[str] = ()) -> None:
        """Fly until these, or all, have that roster in force."""
        chosen = list(names) or list(self.flown)
        self.until(
            f"{chosen} are in epoch {version}",
            lambda: all(self.flown[one].drone.roster.version == version for one in chosen),
        )

    def ask(self, name: str, *, plain: bool = False) -> Edit:
        """Have a drone ask for the channel keys in its folder, and for enrolment if it is new."""
        home, swarm_id = self.folder / name, self.fleet().roster.swarm_id
        home.mkdir(exist_ok=True)
        if not (home / KEY).exists():
            SoftwareSigner.generate().save(home / KEY)
        keys = None if plain else ChannelKeys.load_or_make(home / CHANNEL).public
        text = make_request(open_signer(f"file:{home / KEY}"), swarm_id, name, keys)
        request = open_request(text, swarm_id)
        drafts.keep_request(self.directory, text, request)

        def edit(members: list[Member]) -> list[Member]:
            if any(member.public_key == request.public_key for member in members):
                return edits.channel(members, [request])
            return edits.enrol(None, members, request, FLYING)

        return edit

    def close(self) -> None:
        """End all drones."""
        for name in list(self.flown):
            self.stop(name)


def without_channels(members: list[Member]) -> list[Member]:
    """The same members, whose links are not encrypted."""
    return [replace(member, channel=None) for member in members]
