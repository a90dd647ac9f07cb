# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The load of `bench consensus`: votes of many voters on question after question, or notes.

A request is what this system is for: a sealed vote on an open question, by a voter with a key of
its own. A client is a vote under way: as soon as it is in the ledger of the replica that took it
in, the next one follows, of the next voter. An operator asks so that there are always questions
open; each is decided by a majority, and the decision certified, as in flight.

All votes have one size. Where another is wanted, a request is a sealed note of so many bytes,
which voters may put on record; there are no questions then.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import msgspec

from swarm_ledger.encoding import digest, encode
from swarm_ledger.envelope import Kind, seal
from swarm_ledger.identity import ed25519
from swarm_ledger.identity.roster import Roster
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.machine import Applied, Note
from swarm_ledger.signers import SoftwareSigner
from swarm_ledger.transport import Transport
from swarm_ledger.voting.observation import Observation
from swarm_ledger.voting.question import Question, question_id
from swarm_ledger.voting.rules import Majority

PLAN = "bench.json"
OPEN = 8
"""Questions that are open at a time."""

_HOUR_MS = 3_600_000
_AGAIN_MS = 1_000
_CHECKS = 400


class Plan(msgspec.Struct, frozen=True):
    """What each replica needs to know. clients: requests under way at all replicas together.

    payload: bytes of a note, 0 for votes.

    operator: the seed of its key; voters: those of their sessions, and the sealed delegations.
    """

    clients: int
    payload: int
    operator: bytes
    voters: list[tuple[bytes, bytes]]

    def write(self, folder: Path) -> None:
        """Put it where the replicas' processes find it."""
        (folder / PLAN).write_bytes(msgspec.json.encode(self))

    @classmethod
    def read(cls, folder: Path) -> Plan:
        """Read what was written."""
        return msgspec.json.decode((folder / PLAN).read_bytes(), type=cls)


class Counts(msgspec.Struct, frozen=True):
    """What one replica has done, since its start or between two moments.

    cpu_us: of its process, without what clients took; client_us: sealing votes. sent: bytes to
    all others; syncs: transactions on disk. votes, requests, blocks, decisions, checkpoints: in
    its ledger. at_us: a steady clock.
    """

    at_us: int
    cpu_us: int
    client_us: int
    sent: int
    syncs: int
    votes: int
    requests: int
    blocks: int
    decisions: int
    checkpoints: int

    def since(self, before: Counts) -> Counts:
        """Return what came after."""
        pairs = zip(msgspec.structs.astuple(self), msgspec.structs.astuple(before), strict=True)
        return Counts(*(now - then for now, then in pairs))


class Counted:
    """A transport that counts what it is given to send. others: how many hear a broadcast."""

    def __init__(self, transport: Transport, others: int) -> None:
        self._transport, self._others = transport, others
        self.sent = 0

    def send(self, to: int, data: bytes) -> None:
        """Send to one member."""
        self.sent += len(data)
        self._transport.send(to, data)

    def broadcast(self, data: bytes) -> None:
        """Send to all other members."""
        self.sent += len(data) * self._others
        self._transport.broadcast(data)


class Clients:
    """The clients of one replica. place: which of `replicas` it is, from 0; the first one asks.

    latencies_us: of each vote since begin(), from when it was handed in until it was in this
    replica's ledger, on its disk. enough: hand in nothing more.
    """

    def __init__(self, plan: Plan, roster: Roster, place: int, replicas: int) -> None:
        self._roster, self._payload = roster, plan.payload
        self._asks = place == 0 and not plan.payload
        self._operator = SoftwareSigner(plan.operator)
        aboard = min(plan.clients, replicas)  # else voters that never vote keep questions open
        mine = plan.voters[place::aboard] if place < aboard else ()
        self._voters = [SoftwareSigner(seed) for seed, _ in mine]
        self._turns = cycle(self._voters)
        self._delegations = [delegation for _, delegation in mine]
        self._shown_ms = 0
        self._free = len(range(place, plan.clients, replicas))
        self._under_way: dict[bytes, int] = {}
        self._open: dict[bytes, Iterator[SoftwareSigner]] = {}
        self._asked = 0
        self._client_ns = self._votes = self._requests = self._blocks = self._decisions = 0
        self.latencies_us: list[int] = []
        self.enough = self._met = False

    def __call__(self, drone: Drone, now_ms: int) -> None:
        """Hand in what is to be handed in now."""
        if self.enough or not drone.engine.speaks or not self._all_met(drone):
            return
        if self._delegations:
            self._introduce(drone, now_ms)
            return
        raws: list[bytes] = []
        started = time.thread_time_ns()
        while self._asks and len(self._open) + self._asked < OPEN:
            raws.append(self._question())
        while self._free and (raw := self._vote()):
            self._free -= 1
            self._under_way[digest(raw)] = time.perf_counter_ns()
            raws.append(raw)
        self._client_ns += time.thread_time_ns() - started
        if raws:
            drone.submit_all(raws, now_ms)

    def _all_met(self, drone: Drone) -> bool:
        """Whether all replicas were met, once: what is handed in before would only be repeated."""
        self._met = self._met or drone.greeting.met >= drone.engine.current.replica.settings.n
        return self._met

    def _introduce(self, drone: Drone, now_ms: int) -> None:
        """Have our voters' sessions ordered, again until they are."""
        known = {session.raw for session in drone.machine.opener.sessions()}
        self._delegations = [raw for raw in self._delegations if raw[1:] not in known]
        if not 0 <= now_ms - self._shown_ms < _AGAIN_MS:
            self._shown_ms = now_ms
            drone.submit_all(self._delegations, now_ms)

    def _question(self) -> bytes:
        self._asked += 1
        labels, nonce = ("cup", "two_faces"), time.time_ns().to_bytes(16, "big")
        asked = encode(Question("What stands there?", labels, Majority(), _HOUR_MS, nonce))
        return seal(Kind.QUESTION, asked, self._operator, self._roster)

    def _vote(self) -> bytes | None:
        """Seal the next vote on the oldest open question that one of our voters has not seen.

        Or the next voter's note.
        """
        if self._payload:
            said = encode(Note(time.time_ns() // 1_000_000, os.urandom(self._payload)))
            return seal(Kind.NOTE, said, next(self._turns), self._roster)
        for question, voters in self._open.items():
            voter = next(voters, None)
            if voter is not None:
                stamp_ms = time.time_ns() // 1_000_000
                seen = Observation(question, 0, 900_000, stamp_ms, digest(question), 785, 3_000)
                return seal(Kind.VOTE, encode(seen), voter, self._roster)
        return None

    def applied(self, applied: Applied) -> None:
        """Take note of a block that is in this replica's ledger."""
        now_ns = time.perf_counter_ns()
        self._blocks += 1
        self._requests += len(applied.receipts)
        for receipt in applied.receipts:
            if isinstance(receipt.content, Question):
                self._open[question_id(encode(receipt.content))] = iter(self._voters)
                self._asked -= self._asks
            if receipt.kind is not (Kind.NOTE if self._payload else Kind.VOTE):
                continue
            self._votes += 1
            since_ns = self._under_way.pop(digest(receipt.body), None)
            if since_ns is not None:
                self._free += 1
                self.latencies_us.append((now_ns - since_ns) // 1_000)
        for settled in applied.decisions:
            self._decisions += 1
            self._open.pop(settled.decision.question, None)

    def counts(self, sent: int, syncs: int, checkpoints: int, cpu_ns: int) -> Counts:
        """Return what was done so far, by a process that took cpu_ns in all."""
        return Counts(
            at_us=time.perf_counter_ns() // 1_000,
            cpu_us=(cpu_ns - self._client_ns) // 1_000,
            client_us=self._client_ns // 1_000,
            sent=sent,
            syncs=syncs,
            votes=self._votes,
            requests=self._requests,
            blocks=self._blocks,
            decisions=self._decisions,
            checkpoints=checkpoints,
        )


def check_us() -> float:
    """Return what it takes to check one signature of a vote here, microseconds of processor."""
    signer, message = SoftwareSigner(digest(b"bench")), bytes(220)
    signature = signer.sign(message)
    started = time.thread_time_ns()
    for _ in range(_CHECKS):
        ed25519.verify(signer.public_key, message, signature)
    return (time.thread_time_ns() - started) / _CHECKS / 1_000


def peak_mb() -> float:
    """Return the most memory that this process ever had, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
