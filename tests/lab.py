# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Drones with ledgers on disk over the memory network, which can be killed at any effect.

A kill keeps a copy of the drone's files as they were at that instant, and nothing else: what comes
up again starts from the copy, in a folder of its own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from swarm_ledger.consensus.messages import (
    Checkpoint,
    Commit,
    Message,
    Prepare,
    PrePrepare,
    ViewChange,
    parse,
)
from swarm_ledger.consensus.settings import Settings
from swarm_ledger.encoding import decode, digest, encode
from swarm_ledger.envelope import Kind, kind_of
from swarm_ledger.identity.cose import kid, parse1
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.starts import SHARING_RUNS, next_run
from swarm_ledger.sim.pbft.clock import Clock
from swarm_ledger.transport.memory import MemoryNetwork
from swarm_ledger.transport.secret import Secrets, veiled
from swarm_ledger.voting.observation import parse_observation
from tests.crew import T0_MS, Crew, CrewKeys, look

STEP_MS = 10
LIMIT = 1 << 22


class Killed(BaseException):
    """Nothing in a drone may catch this: the process is gone."""


class Fuse:
    """Counts a drone's effects, and kills it at one of them."""

    def __init__(self, folder: Path, grave: Path, at: int | None = None) -> None:
        self.folder, self.grave, self.at, self.count = folder, grave, at, 0

    def burn(self) -> None:
        self.count += 1
        if self.count == self.at:
            shutil.copytree(self.folder, self.grave)
            raise Killed


class FragileStore(Store):
    """A store whose drone may die before and after each commit to disk."""

    fuse: Fuse | None = None
    _depth = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self.fuse is not None and self._depth == 0:
            self.fuse.burn()
        self._depth += 1
        try:
            with super().transaction():
                yield
        finally:
            self._depth -= 1
        if self.fuse is not None and self._depth == 0:
            self.fuse.burn()


class Tap:
    """What an eavesdropper on the medium hears."""

    def __init__(self, lab: Lab, member: int) -> None:
        self._lab, self._member = lab, member
        self._inner = lab.network.join(member, lab.audience)

    def send(self, to: int, data: bytes) -> None:
        self._lab.air.append((self._member, data))
        self._inner.send(to, data)

    def broadcast(self, data: bytes) -> None:
        self._lab.air.append((self._member, data))
        self._inner.broadcast(data)


class Radio:
    """A transport that remembers what was said, and may be the last that its drone touches."""

    def __init__(self, lab: Lab, member: int, fuse: Fuse) -> None:
        self._lab, self._member, self._fuse = lab, member, fuse
        self._inner = veiled(Tap(lab, member), lab.secrets.get(member))

    def send(self, to: int, data: bytes) -> None:
        self._fuse.burn()
        self._lab.said.append((self._member, data))
        self._lab.answered.append((self._member, to))
        self._lab.told_alone.append((self._member, to, data))
        self._inner.send(to, data)

    def broadcast(self, data: bytes) -> None:
        self._fuse.burn()
        self._lab.said.append((self._member, data))
        self._inner.broadcast(data)


class Lab:
    """A swarm under test.

    died: who was killed and is not up again; said: all that was sent; answered: who sent to whom
    alone, told_alone: what besides; liars: who may contradict itself; lost: up to which version
    whose sessions were set aside; audience: who hears broadcasts, if not all; clocks: those that
    aren't right; max_bytes: whose ledgers have a budget. Where the crew has channel keys, they
    speak in secret: air is what was sent then, and secrets what those who are up encrypt with.
    """

    def __init__(
        self, home: Path, crew: Crew, seed: int = 1, loss: float = 0.0, places: int = 0
    ) -> None:
        self.home, self.crew, self.now_ms = home, crew, T0_MS
        members = range(places or len(crew.roster.members))
        self.network = MemoryNetwork(members, seed, loss=loss)
        self.names = dict(enumerate(crew.names))
        self.trust = dict.fromkeys(members, crew.trust)
        self.drones: dict[int, Drone] = {}
        self.keys: dict[int, CrewKeys] = {}
        self.stores: list[FragileStore] = []
        self.folders: dict[int, Path] = {}
        self.lost: dict[int, int] = {}
        self.fuses: dict[int, Fuse] = {}
        self.sessions: dict[int, int] = {}
        self.said: list[tuple[int, bytes]] = []
        self.air: list[tuple[int, bytes]] = []
        self.secrets: dict[int, Secrets] = {}
        self.answered: list[tuple[int, int]] = []
        self.told_alone: list[tuple[int, int, bytes]] = []
        self.events: list[tuple[int, str, dict[str, Any]]] = []
        self.died: set[int] = set()
        self.liars: set[str] = set()
        self.clocks: dict[int, Clock] = {}
        self.audience = crew.roster.committee
        self.max_bytes: dict[int, int] = {}
        self._lives = 0

    def clock_ms(self, member: int) -> int:
        """Return what a drone's clock shows."""
        clock = self.clocks.get(member)
        return clock.read(self.now_ms) if clock else self.now_ms

    def start(
        self, member: int, *, kill_at: int | None = None, session: int = 0, first: int = 0
    ) -> None:
        """Bring a drone up, in the folder that its last life left.

        kill_at: which effect. session: the number of its session; first: of the first one that
        its disk knows of.
        """
        self._lives += 1
        folder = self.folders.setdefault(member, self.home / f"life_{self._lives}")
        folder.mkdir(parents=True, exist_ok=True)
        fuse = Fuse(folder, self.home / f"grave_{self._lives}", kill_at)
        self.fuses[member], self.sessions[member] = fuse, session
        store = FragileStore.open(folder / "ledger.db")
        self.stores.append(store)
        store.fuse, members = fuse, tuple(range(len(self.crew.names)))
        self.died.discard(member)
        self.network.now_ms = self.now_ms
        keys = self.keys[member] = self.crew.keys(self.names[member], session, first)
        keys.lost = self.lost.get(member, 0)
        if self.crew.secret:
            self.secrets[member] = Secrets(
                self.crew.channel(self.names[member]),
                run=next_run(folder, self.now_ms // 1000, SHARING_RUNS),
                now_ms=self.now_ms,
                draw=os.urandom,
            )
        with self._mortal(member):
            self.drones[member] = Drone(
                keys,
                self.trust[member],
                store,
                Radio(self, member, fuse),
                Settings(
                    members,
                    members[0],
                    request_timeout_ms=800,
                    resend_ms=100,
                ),
                now_ms=self.clock_ms(member),
                emit=lambda event, fields: self.events.append((member, event, fields)),
                looks=2,
                question=self.crew.asked() if member == 0 else None,
                secrets=self.secrets.get(member),
                max_bytes=self.max_bytes.get(member, 0),
            )

    def kill(self, member: int) -> None:
        """Kill a drone between two effects."""
        fuse = self.fuses[member]
        fuse.at = fuse.count + 1
        with self._mortal(member):
            fuse.burn()

    def wipe(self, member: int) -> None:
        """Kill a drone, and lose all that was on its disk."""
        self.kill(member)
        del self.folders[member]

    def step(self) -> None:
        """Let one hundredth of a second pass."""
        self.now_ms += STEP_MS
        for to, data in self.network.deliver(self.now_ms):
            if to in self.drones:
                with self._mortal(to):
                    self.drones[to].receive(data, self.clock_ms(to))
        for member in sorted(self.drones):
            with self._mortal(member):
                drone = self.drones[member]
                if drone.curious:
                    # Each life sees something else: a second vote would contradict the first.
                    drone.look(look(self._lives * 1000 + member, stamp_ms=self.now_ms))
                drone.tick(self.clock_ms(member))

    def run(self, ms: int) -> None:
        """Let time pass."""
        for _ in range(ms // STEP_MS):
            self.step()

    def until(self, height: int, ms: int = 30_000) -> None:
        """Let time pass until all live drones hold the same, a block of that height, certified."""
        for _ in range(ms // STEP_MS):
            live = self.drones.values()
            one_height = len({drone.keeper.store.height for drone in live}) == 1
            if one_height and all(self._settled(drone, height) for drone in live):
                return
            self.step()
        raise AssertionError([drone.status() for drone in self.drones.values()])

    def until_decided(self, ms: int = 30_000) -> None:
        """Let time pass until every live drone has decided, and certified it."""
        for _ in range(ms // STEP_MS):
            done = [d for d in self.drones.values() if d.machine.tally.decision(1) is not None]
            if self.drones and len(done) == len(self.drones):
                self.until(min(d.keeper.store.height for d in done))
                return
            self.step()
        raise AssertionError([drone.status() for drone in self.drones.values()])

    def told(self, event: str) -> list[dict[str, Any]]:
        """Return the fields of all events of a name."""
        return [fields for _, name, fields in self.events if name == event]

    def close(self) -> None:
        for store in self.stores:
            store.fuse = None
            store.close()

    def statements(self) -> Iterator[tuple[str, int, Message]]:
        """Yield all consensus messages ever sent, with who sealed each, and in which epoch."""
        by_kid = self._names_by_kid()
        for _, raw in self.said:
            sealed = raw
            if kind_of(raw) is Kind.CARRIED:
                parts: tuple[bytes, bytes] = decode(raw[1:], tuple[bytes, bytes], limit=LIMIT)
                sealed = parts[1]
            if kind_of(sealed) is Kind.CONSENSUS:
                token = parse1(sealed[1:], limit=LIMIT)
                yield *by_kid[token.kid], parse(token.payload)

    def assert_no_contradiction(self) -> None:
        """No honest drone ever said two things where a replica says one; none voted twice."""
        said: dict[tuple[object, ...], bytes] = {}
        for name, epoch, message in self.statements():
            if name in self.liars:
                continue
            for claim, content in _claims(message):
                place = (name, epoch, *claim)
                assert said.setdefault(place, content) == content, place
        votes = {raw for _, raw in self.said if kind_of(raw) is Kind.VOTE}
        by_kid = self._names_by_kid()
        sealed: set[tuple[str, int, bytes]] = set()
        meant: dict[tuple[str, bytes], bytes] = {}
        for token in (parse1(raw[1:], limit=LIMIT) for raw in votes):
            name, epoch = by_kid[token.kid]
            question = parse_observation(token.payload).question
            if name not in self.liars:
                assert (name, epoch, question) not in sealed, "a drone sealed two votes"
                sealed.add((name, epoch, question))
                assert meant.setdefault((name, question), token.payload) == token.payload
        assert {str(fields["culprit"]) for fields in self.told("evidence")} <= self.liars

    def _names_by_kid(self) -> dict[bytes, tuple[str, int]]:
        return {
            kid(self.crew.session(name, number, version).public_key): (name, version)
            for name in (f"drone_{place}" for place in range(1, 12))
            for number in range(10)
            for version in range(1, 8)
        }

    @contextmanager
    def _mortal(self, member: int) -> Iterator[None]:
        try:
            yield
        except Killed:
            self.drones.pop(member, None)
            self.folders[member] = self.fuses[member].grave
            self.died.add(member)

    def _settled(self, drone: Drone, height: int) -> bool:
        latest = drone.keeper.store.latest_checkpoint()
        return (
            drone.keeper.store.height >= height
            and latest is not None
            and latest.size == drone.keeper.store.size
        )


def _claims(message: Message) -> Iterator[tuple[tuple[object, ...], bytes]]:
    if isinstance(message, PrePrepare):
        yield ("pre-prepare", message.view, message.batch.seq), message.batch.digest()
        yield ("assigns", message.view, message.batch.seq), message.batch.digest()
    elif isinstance(message, Prepare):
        yield ("assigns", message.view, message.seq), message.digest
    elif isinstance(message, Commit):
        yield ("commit", message.view, message.seq), message.digest
        yield ("assigns", message.view, message.seq), message.digest
    elif isinstance(message, Checkpoint):
        yield ("checkpoint", message.seq), encode([message.size, message.root])
    elif isinstance(message, ViewChange):
        yield ("view change", message.view), digest(encode(message))
