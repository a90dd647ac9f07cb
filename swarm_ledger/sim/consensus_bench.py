# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a signed vote costs until it is in every replica's ledger, and how long it takes."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import msgspec

from swarm_ledger.consensus.quorum import quorum
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity.roster import (
    OPERATORS,
    Member,
    Role,
    Roster,
    parse_roster,
    render_roster,
)
from swarm_ledger.identity.trust import write_trust
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.fleet import FLEET, Fleet, wall_clock_ms
from swarm_ledger.runtime.fleet_file import DroneEntry, FleetFile
from swarm_ledger.runtime.identity import take_up
from swarm_ledger.runtime.machine import MAX_NOTE_BYTES
from swarm_ledger.signers import KeyStore, SoftwareSigner
from swarm_ledger.sim.consensus_bench_load import Counts, Plan, check_us, peak_mb
from swarm_ledger.sim.consensus_bench_replica import MARK, TICK_MS, Measured, Replica
from swarm_ledger.sim.mission import KEY, Mission
from swarm_ledger.sim.ports import free_ports
from swarm_ledger.sim.processes import Processes, environment
from swarm_ledger.transport.memory import MemoryNetwork

TRANSPORTS = ("zmq", "ros", "memory")
MAX_MEMBERS = 127
"""Replicas and voters: with the operator, what a roster has room for."""

MEASURED = (
    "A commit is a vote (or a note of --payload bytes), sealed by one of many voters and checked "
    "by each replica, that is in the ledgers of all, on their disks. Its latency runs from when a "
    "replica takes it in until it is in that replica's ledger. Questions, decisions and "
    "checkpoints are made beside, as in flight; links are not encrypted. Sealing the clients' "
    "votes is not in cpu_us_per_commit."
)

_SESSION_S = 86_400
_LEEWAY_S = 60
_PATIENCE_S = 60.0


class Setting(msgspec.Struct, frozen=True):
    """What to measure. clients: votes under way; seconds: counted, after warm_up_s that are not.

    payload: 0 for votes, or the bytes of a note.

    Misuse for what no swarm can be.
    """

    replicas: int = 4
    clients: int = 50
    transport: str = "zmq"
    seconds: float = 10.0
    warm_up_s: float = 2.0
    payload: int = 0
    voters: int = 100

    def __post_init__(self) -> None:
        if self.transport not in TRANSPORTS:
            raise Misuse(
                f"unknown transport {self.transport!r}.", remedy=f"Take {', '.join(TRANSPORTS)}."
            )
        if not 4 <= self.replicas <= self.voters <= MAX_MEMBERS - self.replicas:
            raise Misuse(
                f"{self.replicas} replicas and {self.voters} voters can't be measured.",
                remedy=f"Take 4 replicas or more, at least as many voters, {MAX_MEMBERS} in all.",
            )
        if not 1 <= self.clients <= 10_000 or self.seconds <= 0 or self.warm_up_s < 0:
            raise Misuse("there must be 1 to 10,000 clients, and some time to measure.")
        if not 0 <= self.payload <= MAX_NOTE_BYTES:
            raise Misuse(
                f"a request can't carry {self.payload} bytes.",
                remedy=f"Take 1 to {MAX_NOTE_BYTES}, or 0 for votes.",
            )


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds, of the votes counted."""

    p50: float
    p99: float
    p999: float


class Run(msgspec.Struct, frozen=True):
    """One run. A commit is a vote that is in the ledgers of all replicas, on their disks.

    cpu_us_per_commit: processor time of all replicas together, without sealing the clients' votes
    (client_us_per_commit); floor_us_per_commit: signatures_per_commit, which is how many have to
    be checked, times check_us, which one takes in this run; floor_ratio: the floor's share of cpu.
    bytes_per_commit: handed to the transport, by all. syncs_per_commit: transactions on disk, of
    all replicas; fsyncs: of the whole run. rss_mb: the largest replica's peak. check_us: measured
    by each replica after the run; the median.
    """

    throughput_tps: float
    latency_ms: Latency
    cpu_us_per_commit: float
    floor_us_per_commit: float
    floor_ratio: float
    client_us_per_commit: float
    signatures_per_commit: float
    check_us: float
    bytes_per_commit: float
    rss_mb: float
    fsyncs: int
    syncs_per_commit: float
    commits: int
    decisions: int
    blocks: int


def measure(setting: Setting, folder: Path | None = None) -> Run:
    """Measure one run, on the disk of that folder, or of temporary files.

    Raises Misuse where it can't be run here, NotVerified where the swarm does not get going.
    """
    with TemporaryDirectory(prefix="swarm-ledger-bench-", dir=folder) as run_dir:
        fleet = prepare(setting, Path(run_dir))
        if setting.transport == "memory":
            return evaluate(setting, *_in_one_process(setting, fleet))
        return evaluate(setting, *_in_processes(setting, fleet))


def prepare(setting: Setting, folder: Path) -> Fleet:
    """Lay out replicas, voters and an operator with fresh keys."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    names = [f"drone_{place + 1}" for place in range(setting.replicas)]
    voters = [f"voter_{n + 1}" for n in range(setting.voters)]
    keys = {name: SoftwareSigner.generate() for name in (*names, *voters)}
    seed = os.urandom(32)
    operator = SoftwareSigner(seed)
    for name in names:
        (folder / name).mkdir()
        keys[name].save(folder / name / KEY)
    roles = dict.fromkeys(names, Role.VALIDATOR) | dict.fromkeys(voters, Role.VOTER)
    members = [
        Member(index, name, keys[name].public_key, KeyStore.SOFTWARE, frozenset({role}))
        for index, (name, role) in enumerate(roles.items())
    ]
    signer = Member(len(members), "operator", operator.public_key, KeyStore.SOFTWARE, OPERATORS)
    members.append(signer)
    raw = render_roster("bench", 1, members)
    write_trust(folder / "roster", raw, [operator], threshold=1, expires=now + timedelta(days=2))
    ports = free_ports(len(names)) if setting.transport == "zmq" else [0] * len(names)
    endpoints = [f"tcp://127.0.0.1:{port}" if port else "" for port in ports]
    drones = [
        DroneEntry(name, f"file:{name}/{KEY}", name, endpoint)
        for name, endpoint in zip(names, endpoints, strict=True)
    ]
    file = FleetFile("roster", drones, "zmq" if setting.transport == "zmq" else "ros")
    (folder / FLEET).write_bytes(msgspec.yaml.encode(file))
    sessions = _sessions(parse_roster(raw), [keys[name] for name in voters])
    Plan(setting.clients, setting.payload, seed, sessions).write(folder)
    return Fleet.load(folder / FLEET)


def _sessions(roster: Roster, voters: Sequence[SoftwareSigner]) -> list[tuple[bytes, bytes]]:
    now_s, sessions = wall_clock_ms() // 1_000, []
    for root in voters:
        seed = os.urandom(32)
        span = {"not_before": now_s - _LEEWAY_S, "expires": now_s + _SESSION_S}
        sessions.append((seed, take_up(roster, root, SoftwareSigner(seed), **span).delegation))
    return sessions


def _in_processes(setting: Setting, fleet: Fleet) -> tuple[list[Measured], int]:
    names = [entry.name for entry in fleet.file.drones]
    module = (
        "sim.consensus_bench_replica" if setting.transport == "zmq" else "nodes.consensus_bench"
    )
    commands = {
        name: ["-m", f"swarm_ledger.{module}", "--fleet", str(fleet.path), "--drone", name]
        for name in names
    }
    around = environment(Mission(fleet.folder, byzantine=0, transport=setting.transport))
    with Processes(fleet.folder, commands, around) as processes:
        _await(processes, "ready", names[: setting.clients], fleet.folder)
        time.sleep(setting.warm_up_s)
        for name in names:
            processes.send(name, MARK)
        time.sleep(setting.seconds)
        for name in names:
            processes.send(name, MARK)
        found = _await(processes, "measured", names, fleet.folder)
    replicas = [msgspec.convert(fields, Measured) for fields in found]
    return replicas, sum(one.counts.cpu_us for one in replicas)


def _await(
    processes: Processes, event: str, names: Sequence[str], folder: Path
) -> list[dict[str, object]]:
    """Wait until each has told that; NotVerified where one ends, or it takes too long."""
    told: dict[str, dict[str, object]] = {}
    deadline = time.monotonic() + _PATIENCE_S
    while len(told) < len(names):
        heard = processes.next_event(0.1)
        if heard is not None and heard.event == "lost":
            log = (folder / f"{heard.drone}.log").read_text(errors="replace").strip()
            raise NotVerified(f"{heard.drone} ended ({heard.fields['how']}): {log[-500:]}")
        if heard is not None and heard.event == event:
            told[heard.drone] = heard.fields
        if time.monotonic() > deadline:
            missing = ", ".join(sorted(set(names) - told.keys()))
            raise NotVerified(f"{missing} did not report {event!r} within {_PATIENCE_S:g} s.")
    return list(told.values())


class Swarm:
    """All replicas in one process and thread, which hand each other bytes: no sockets.

    Their clock goes on a millisecond a turn, however long that takes: what is said, checked and
    written for a vote doesn't depend on the machine.
    """

    def __init__(self, fleet: Fleet, clients: int, stack: ExitStack) -> None:
        self._clients = clients
        names = [entry.name for entry in fleet.file.drones]
        self._network = MemoryNetwork(range(len(names)), 0, delay_ms=(0, 0))
        self.replicas = [Replica(fleet, name) for name in names]
        self._now_ms = now_ms = wall_clock_ms()
        self.drones: list[Drone] = [
            replica.make(
                fleet.keys(name),
                fleet.trust,
                stack.enter_context(fleet.store(name)),
                self._network.join(place),
                fleet.settings(name),
                now_ms=now_ms,
            )
            for place, (name, replica) in enumerate(zip(names, self.replicas, strict=True))
        ]
        self._ticked_ms = 0

    def turn(self) -> None:
        """Let each take in what is there, and its clients hand in what they want."""
        self._now_ms = now_ms = self._now_ms + 1
        waiting: list[deque[bytes]] = [deque() for _ in self.drones]
        for to, data in self._network.deliver(now_ms):
            waiting[to].append(data)
        ticks = now_ms - self._ticked_ms >= TICK_MS
        for drone, replica, raws in zip(self.drones, self.replicas, waiting, strict=True):
            if raws:
                drone.receive_all(raws, now_ms)
            replica.clients(drone, now_ms)
            if ticks:
                drone.tick(now_ms)
        self._ticked_ms = now_ms if ticks else self._ticked_ms

    def counts(self) -> list[Counts]:
        """Return what each replica has done so far; the processor's time is not theirs alone."""
        pairs = zip(self.replicas, self.drones, strict=True)
        return [replica.counts(drone, 0) for replica, drone in pairs]

    def run(self, seconds: float) -> None:
        """Take turns for so long, and until each replica's clients had something committed.

        NotVerified where they wait for that too long.
        """
        started, busy = time.monotonic(), self.replicas[: self._clients]
        begun = [len(replica.clients.latencies_us) for replica in busy]
        while True:
            passed = time.monotonic() - started
            pairs = zip(busy, begun, strict=True)
            if all(len(one.clients.latencies_us) > before for one, before in pairs):
                if passed >= seconds:
                    return
            elif passed >= seconds + _PATIENCE_S:
                raise NotVerified(f"no vote was committed within {_PATIENCE_S:g} s.")
            self.turn()


def _in_one_process(setting: Setting, fleet: Fleet) -> tuple[list[Measured], int]:
    with ExitStack() as stack:
        swarm = Swarm(fleet, setting.clients, stack)
        swarm.run(setting.warm_up_s)
        before, started_ns = swarm.counts(), time.process_time_ns()
        for replica in swarm.replicas:
            replica.clients.latencies_us = []
        swarm.run(setting.seconds)
        cpu_us = (time.process_time_ns() - started_ns) // 1_000
        after = swarm.counts()
    cost, peak = check_us(), peak_mb()
    counts = [now.since(then) for now, then in zip(after, before, strict=True)]
    measured = [
        Measured(one, replica.clients.latencies_us, cost, peak)
        for one, replica in zip(counts, swarm.replicas, strict=True)
    ]
    return measured, cpu_us - sum(one.client_us for one in counts)


def evaluate(setting: Setting, replicas: Sequence[Measured], cpu_us: int) -> Run:
    """Make of what replicas report what one vote cost. cpu_us: of all, without the clients'."""
    counts = [one.counts for one in replicas]
    commits = min(one.votes for one in counts)
    if not commits:
        raise NotVerified("no vote was committed in the time measured.")
    n, need = setting.replicas, quorum(setting.replicas)
    certificates = 2 * (need - 1)
    requests, blocks = (median(values) for values in _columns(counts, "requests", "blocks"))
    checkpoints = median(one.checkpoints for one in counts)
    checks = n * (requests + certificates * (blocks + checkpoints)) / commits
    check = median(one.check_us for one in replicas)
    seconds = median(one.at_us for one in counts) / 1e6
    latencies = sorted(us for one in replicas for us in one.latencies_us)
    return Run(
        throughput_tps=commits / seconds,
        latency_ms=Latency(*(_quantile(latencies, part) for part in (0.5, 0.99, 0.999))),
        cpu_us_per_commit=cpu_us / commits,
        floor_us_per_commit=checks * check,
        floor_ratio=checks * check * commits / cpu_us,
        client_us_per_commit=sum(one.client_us for one in counts) / commits,
        signatures_per_commit=checks,
        check_us=check,
        bytes_per_commit=sum(one.sent for one in counts) / commits,
        rss_mb=max(one.peak_mb for one in replicas),
        fsyncs=sum(one.syncs for one in counts),
        syncs_per_commit=sum(one.syncs for one in counts) / commits,
        commits=commits,
        decisions=max(one.decisions for one in counts),
        blocks=int(blocks),
    )


def medians(runs: Sequence[Run]) -> Run:
    """Return the median of each figure."""
    rows = [msgspec.structs.asdict(run) for run in runs]
    found = {
        name: median(row[name] for row in rows)
        for name in rows[0]
        if not isinstance(rows[0][name], Latency)
    }
    parts = zip(*(msgspec.structs.astuple(run.latency_ms) for run in runs), strict=True)
    found["latency_ms"] = Latency(*(median(part) for part in parts))
    return Run(**found)


def _columns(counts: Sequence[msgspec.Struct], *names: str) -> Iterator[list[int]]:
    return ([getattr(one, name) for one in counts] for name in names)


def _quantile(ordered: Sequence[int], part: float) -> float:
    """Return a quantile of ascending microseconds, in milliseconds; 0 of nothing."""
    place = min(len(ordered) - 1, int(part * len(ordered)))
    return ordered[place] / 1_000 if ordered else 0.0
