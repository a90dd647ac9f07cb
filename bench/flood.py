# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a flood costs a swarm: decisions a second and latency, with one and without.

Four drones over ZeroMQ fly as processes; an operator asks the next question once the last is
decided. Each flood (see flooder.py) goes to all four while that goes on, in turns with stretches
without one. Medians of all rounds; the ratio is that of the decisions a second. CPU: seconds of
processor time that a drone takes in a second.

    python bench/flood.py --rounds 3 --questions 20
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import msgspec
import zmq

from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, seal
from swarm_ledger.runtime.fleet import FLEET, Fleet
from swarm_ledger.signers import open_signer
from swarm_ledger.sim.events import Event
from swarm_ledger.sim.mission import KEY, OPERATOR, Mission, prepare, utc_now
from swarm_ledger.sim.processes import Processes, commands, environment
from swarm_ledger.voting.question import Question
from swarm_ledger.voting.rules import Majority

RATE = 10_000
FLOODS = {
    "none": [],
    "noise, 1 connection": ["--kind", "noise"],
    "noise, 20 connections": ["--kind", "noise", "--sources", "20"],
    "forged, 1 connection": ["--kind", "forged"],
    "forged, 20 connections": ["--kind", "forged", "--sources", "20"],
    "a member's true statements": ["--kind", "member"],
    "1 MiB each, 100/s": ["--kind", "large", "--rate", "100"],
}
PATIENCE_S = 60.0
CLOCK_HZ = os.sysconf("SC_CLK_TCK")


@dataclass
class Figures:
    """One flood's. rates: decisions a second; commits: ms from a vote's seal to its block."""

    rates: list[float] = field(default_factory=list)
    decided: list[float] = field(default_factory=list)
    commits: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)


class Swarm:
    """Four drones, and the operator who asks them."""

    def __init__(self, home: Path) -> None:
        mission = Mission(home, byzantine=0, transport="zmq", channels=False, looks=1)
        prepared = prepare(mission, now=utc_now())
        bare = msgspec.structs.replace(prepared.file, question="")
        (home / FLEET).write_bytes(msgspec.yaml.encode(bare))
        self.fleet, self.names = Fleet.load(home / FLEET), mission.names()
        self.operator = open_signer(f"file:{home / OPERATOR / KEY}")
        self.processes = Processes(home, commands(mission), environment(mission))
        self.context, self.asked, self.ready = zmq.Context(), 0, set[str]()
        self.wires = [self.context.socket(zmq.DEALER) for _ in self.names]
        for wire, name in zip(self.wires, self.names, strict=True):
            wire.connect(self.fleet.drone(name).endpoint)
        while len(self.ready) < len(self.names):
            event = self.next_event()
            if event.event == "status" and event.fields["met"] == len(self.names):
                self.ready.add(event.drone)

    def decide(self) -> list[float]:
        """Ask once, and wait until all have decided; return the votes' latencies, ms."""
        asked = Question("What is it?", ("cup", "two_faces"), Majority(), 30_000, os.urandom(16))
        raw = seal(Kind.QUESTION, encode(asked), self.operator, self.fleet.roster)
        for wire in self.wires:
            wire.send(raw)
        self.asked += 1
        done, latencies = set[str](), []
        while len(done) < len(self.names):
            event = self.next_event()
            if event.event == "committed":
                latencies.append(float(event.fields["latency_ms"]))
            if event.event == "decision" and event.fields["number"] == self.asked:
                done.add(event.drone)
        return latencies

    def next_event(self) -> Event:
        """Return what a drone tells next."""
        event = self.processes.next_event(PATIENCE_S)
        if event is None or event.event == "lost":
            raise SystemExit(f"the swarm is gone, or silent: {event}")
        return event

    def cpu_s(self) -> float:
        """Return the processor time that all drones have had."""
        texts = [Path(f"/proc/{pid}/stat").read_text() for pid in self.processes.pids.values()]
        fields = [text.rpartition(")")[2].split() for text in texts]
        return sum(int(one[11]) + int(one[12]) for one in fields) / CLOCK_HZ

    def measure(self, questions: int, figures: Figures) -> None:
        """Ask so many questions, one after another."""
        start, cpu = time.monotonic(), self.cpu_s()
        for _ in range(questions):
            before = time.monotonic()
            figures.commits += self.decide()
            figures.decided.append(1000 * (time.monotonic() - before))
        took = time.monotonic() - start
        figures.rates.append(questions / took)
        figures.cpu.append((self.cpu_s() - cpu) / took / len(self.names))

    def close(self) -> None:
        """End all drones."""
        self.context.destroy(linger=0)
        self.processes.stop()


@contextmanager
def flooded(home: Path, words: list[str], figures: Figures) -> Iterator[None]:
    """Flood all drones meanwhile; none where there are no words."""
    if not words:
        yield
        return
    script = Path(__file__).with_name("flooder.py")
    rate = [] if "--rate" in words else ["--rate", str(RATE)]
    command = [sys.executable, str(script), str(home), *words, *rate]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as flooder:  # noqa: S603
        lines = flooder.stdout or ()
        next(iter(lines))
        try:
            yield
        finally:
            flooder.send_signal(signal.SIGINT)
            figures.sent += [float(line) for line in lines]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--questions", type=int, default=20)
    given = parser.parse_args()
    found = {name: Figures() for name in FLOODS}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "run"
        swarm = Swarm(home)
        try:
            swarm.decide()
            for _ in range(given.rounds):
                for name, words in FLOODS.items():
                    with flooded(home, words, found[name]):
                        swarm.measure(given.questions, found[name])
        finally:
            swarm.close()
    base = median(found["none"].rates)
    print("| each drone gets | sent/s | decisions/s | ratio | decision | vote to commit | CPU |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, one in found.items():
        sent = f"{median(one.sent):,.0f}" if one.sent else "0"
        print(
            f"| {name} | {sent} | {median(one.rates):.1f} | {median(one.rates) / base:.2f} "
            f"| {median(one.decided):.0f} ms | {median(one.commits):.0f} ms "
            f"| {median(one.cpu):.2f} |"
        )


if __name__ == "__main__":
    main()
