# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A swarm of real drone processes, an operator who asks it questions, an attacker beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zmq

from swarm_ledger.audit.ledger import open_ledger, verify_ledger
from swarm_ledger.encoding import digest, encode
from swarm_ledger.envelope import Kind, kind_of, seal
from swarm_ledger.identity.roster import Roster
from swarm_ledger.identity.trust import load_trust
from swarm_ledger.runtime.blocks import parse_certificate
from swarm_ledger.runtime.fleet import Fleet
from swarm_ledger.runtime.fleet_file import ConsensusEntry
from swarm_ledger.signers import open_signer
from swarm_ledger.sim.events import Event
from swarm_ledger.sim.mission import KEY, OPERATOR, Mission, prepare, utc_now
from swarm_ledger.sim.processes import Processes, commands, environment
from swarm_ledger.voting.question import Question
from swarm_ledger.voting.rules import Majority
from tests import patience
from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]
LABELS = ("cup", "two_faces")
_OPEN_MS = 3_600_000
"""Whoever is too slow is late (patience.py), not undecided."""
_REQUESTS = (Kind.QUESTION, Kind.VOTE, Kind.TICK, Kind.SESSION)


class Wire:
    """Plain sockets of somebody who knows the drones' addresses, a connection to each drone."""

    def __init__(self, endpoints: dict[str, str], name: bytes = b"") -> None:
        self._context = zmq.Context()
        self._sockets = {}
        for drone, address in endpoints.items():
            socket = self._context.socket(zmq.DEALER)
            socket.set(zmq.LINGER, 0)
            socket.set(zmq.SNDHWM, 20_000)
            if name:
                socket.set(zmq.ROUTING_ID, name)
            socket.connect(address)
            self._sockets[drone] = socket

    def send(self, raw: bytes, to: Iterable[str] = ()) -> None:
        """Send bytes to those drones, or to all; wait where they don't take them."""
        for drone in to or self._sockets:
            self._sockets[drone].send(raw)

    def close(self) -> None:
        self._context.destroy(linger=0)


class TopicWire:
    """A node of somebody who knows the drones' topics (topic_wire.py)."""

    def __init__(self, names: list[str], environment: Mapping[str, str]) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.assault.topic_wire", *names],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._child.stdout is not None
        assert self._child.stdout.readline() == "ready\n"

    def send(self, raw: bytes, to: Iterable[str] = ()) -> None:
        """Publish sealed bytes to those drones' inboxes, or where all hear them."""
        for topic in [f"/swarm/inbox/{name}" for name in to] or ["/swarm/envelopes"]:
            self.say(topic=topic, sealed=raw.hex())

    def say(self, **fields: str) -> None:
        """Publish what the fields say."""
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(fields) + "\n")
        self._child.stdin.flush()

    def close(self) -> None:
        self._child.communicate(timeout=PATIENCE_S)


class Field:
    """Four drones that fly until the end.

    Their links are plain, so that a stranger's bytes get as far as they can; for encrypted ones
    see tests/security/test_links.py.
    seen: what each reported last; told: all events; roster: the newest that the operators signed.
    """

    def __init__(self, home: Path, transport: str = "zmq") -> None:
        consensus = ConsensusEntry(request_timeout_ms=1_500, resend_ms=100)
        self.mission = Mission(
            home,
            byzantine=0,
            transport=transport,
            channels=False,
            looks=1,
            consensus=consensus,
            target="cup",
        )
        self.fleet = prepare(self.mission, now=utc_now())
        (home / "question.bin").unlink()
        file = home / "fleet.yaml"
        file.write_text(file.read_text().replace("question: question.bin", "question: ''"))
        self.fleet = Fleet.load(file)
        self.home, self.names = home, self.mission.names()
        self.roster: Roster = self.fleet.roster
        around = environment(self.mission)
        path = os.pathsep.join([str(ROOT), *filter(None, [around.get("PYTHONPATH")])])
        self.environment = {**around, "PYTHONPATH": path}
        self.commands = commands(self.mission)
        self.operator = open_signer(f"file:{home / OPERATOR / KEY}")
        self.seen: dict[str, dict[str, Any]] = {}
        self.told: list[Event] = []
        self.asked = 0
        self.down: set[str] = set()
        self.processes = Processes(home, self.commands, self.environment)
        self.endpoints = {one.name: one.endpoint for one in self.fleet.file.drones}
        self.wires: list[Wire | TopicWire] = []
        self.base: Wire | TopicWire = self.wire() if transport == "zmq" else self.topic_wire()

    def wire(self, name: bytes = b"") -> Wire:
        """Return new sockets, closed with the field."""
        wire = Wire(self.endpoints, name)
        self.wires.append(wire)
        return wire

    def topic_wire(self) -> TopicWire:
        """Return a new node, closed with the field."""
        wire = TopicWire(self.names, self.environment)
        self.wires.append(wire)
        return wire

    @contextmanager
    def flooded(self, *words: str) -> Iterator[None]:
        """Flood all drones meanwhile, 10,000 messages a second to each (bench/flooder.py)."""
        module = "flooder" if self.mission.transport == "zmq" else "topic_flooder"
        child = subprocess.Popen(
            [sys.executable, "-m", f"bench.{module}", str(self.home), *words],
            env=self.environment,
            stdout=subprocess.PIPE,
        )
        try:
            assert child.stdout is not None
            assert child.stdout.readline(), "the flood never began"
            yield
            assert child.poll() is None, "the flood ended early"
        finally:
            child.send_signal(signal.SIGINT)
            child.communicate(timeout=PATIENCE_S)

    def endures(self, *words: str) -> None:
        """It decides while it is flooded, and drops unread what it is flooded with."""
        before = self.overload()
        with self.flooded(*words):
            self.overloaded(before)
            self.decides()

    def overload(self) -> dict[str, Counter[str]]:
        """How much each drone did not look at so far, by why."""
        return {name: Counter(row["overload"]) for name, row in self.seen.items()}

    def overloaded(self, before: dict[str, Counter[str]]) -> None:
        """Wait until each drone drops unread what a flood sends."""

        def dropped() -> bool:
            now = self.overload()
            return all(now[name].total() > before[name].total() + 100 for name in now)

        self.until(f"all drop more than {before}", dropped)

    def close(self) -> None:
        for wire in self.wires:
            wire.close()
        self.processes.stop()

    def take(self, timeout_s: float = 0.05) -> None:
        """Take in an event, if there is one."""
        event = self.processes.next_event(timeout_s)
        if event is None:
            return
        if event.event == "status":
            self.seen[event.drone] = event.fields
        else:
            self.told.append(event)
        if event.event == "lost":
            self.seen.pop(event.drone, None)
            assert event.drone in self.down, f"{event.drone} ended: {event.fields}"

    def until(self, what: str, holds: Callable[[], bool], also: Callable[[], None] = int) -> None:
        """Take events in until that holds, doing something else in between."""
        patience.until(what, holds, lambda: (also(), self.take()), lambda: self.seen)

    # asking

    def begin(self) -> None:
        """Wait until all have met and hold each other's sessions on their ledgers."""
        self.until("all have met", lambda: len(self.seen) == len(self.names) and self.met())

    def met(self) -> bool:
        return all(row["met"] == len(self.names) and row["height"] for row in self.seen.values())

    def question(self, subject: str = "What stands at the centre?") -> bytes:
        """Return another sealed question."""
        asked = Question(subject, LABELS, Majority(), _OPEN_MS, os.urandom(16))
        return seal(Kind.QUESTION, encode(asked), self.operator, self.roster)

    def decisions(self, name: str) -> list[dict[str, Any]]:
        """What that drone says was decided, without the view that it was in."""
        told = [e.fields for e in self.told if (e.drone, e.event) == (name, "decision")]
        return [{key: one[key] for key in one if key != "view"} for one in told]

    def decides(self, *, votes: int = 3, also: Callable[[], None] = int) -> dict[str, Any]:
        """Ask one more question; return the one decision that all who fly come to."""
        raw = self.question()
        self.asked += 1
        flying = [name for name in self.names if name not in self.down]
        self.base.send(raw, flying)

        def decided() -> bool:
            return all(self.asked in self._numbers(name) for name in flying)

        self.until(f"question {self.asked} is decided", decided, also)
        ends = [
            one for name in flying for one in self.decisions(name) if one["number"] == self.asked
        ]
        assert all(one == ends[0] for one in ends), ends
        assert (ends[0]["outcome"], ends[0]["label"]) == ("decided", "cup"), ends[0]
        assert ends[0]["votes"]["cup"] >= votes
        return ends[0]

    def _numbers(self, name: str) -> set[int]:
        return {int(one["number"]) for one in self.decisions(name)}

    def settle(self) -> None:
        """Wait until all hold the same ledger, certified to its end, and nothing waits."""

        def one() -> bool:
            ends = {(row["size"], row["root"]) for row in self.seen.values()}
            idle = all(r["stable"] == r["height"] and not r["pending"] for r in self.seen.values())
            return len(self.seen) == len(self.names) - len(self.down) and len(ends) == 1 and idle

        self.until("all hold one ledger", one)

    def views(self) -> list[int]:
        """The view that each drone is in."""
        return [row["view"] for row in self.seen.values()]

    # what was refused

    def faults(self) -> dict[str, Counter[str]]:
        """How often each drone refused something so far, by reason."""
        return {name: Counter(row["faults"]) for name, row in self.seen.items()}

    def blamed(self) -> dict[str, Counter[str]]:
        """Who is blamed by any drone, with how often for what in all."""
        found: dict[str, Counter[str]] = {}
        for row in self.seen.values():
            for name, reasons in row["blamed"].items():
                found.setdefault(name, Counter()).update(reasons)
        return found

    def refused(
        self, before: dict[str, Counter[str]], of: Iterable[str] = (), **reasons: int
    ) -> None:
        """Wait until each drone, or each of those, refused so many more for these reasons."""
        chosen = list(of or self.names)

        def counted() -> bool:
            now = self.faults()
            return all(
                now[name][reason] - before[name][reason] >= count
                for name in chosen
                for reason, count in reasons.items()
            )

        self.until(f"refused: {reasons} more than {before}", counted)

    def accused(self) -> set[str]:
        """Whom any drone has accused or convicted."""
        events = ("evidence", "convicted")
        return {str(e.fields["culprit"]) for e in self.told if e.event in events}

    # what an attacker gets hold of

    def captured(self, name: str = "drone_1") -> list[bytes]:
        """Return sealed messages that somebody's ledger holds: requests, and commits."""
        found: list[bytes] = []
        with open_ledger(self.home / name) as store:
            for index in range(store.size):
                entry = store.entry(index)
                if kind_of(entry) in _REQUESTS:
                    found.append(entry)
            for height in range(1, store.height + 1):
                found += parse_certificate(store.block(height).certificate)
        return found

    def check_ledgers(self) -> None:
        """All ledgers verify, and are the same, with no request in it twice."""
        trust = load_trust(self.home / "roster")
        ledgers = []
        for name in self.names:
            with open_ledger(self.home / name) as store:
                verdict = verify_ledger(store, trust)
                assert {c.culprit.name for c in verdict.convictions} <= self.accused()
                ledgers.append([store.entry(index) for index in range(store.size)])
            log = (self.home / f"{name}.log").read_text()
            assert "Traceback" not in log, log
        assert all(ledger == ledgers[0] for ledger in ledgers)
        requests = [digest(entry) for entry in ledgers[0] if kind_of(entry) in _REQUESTS]
        assert len(requests) == len(set(requests)), "a request was ordered twice"
