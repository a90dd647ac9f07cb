# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a swarm on ROS 2 costs one machine: 4, 7 and 10 drones, asked again and again in flight.

Each drone is a process as `swarm-ledger sim --transport ros` starts it. Fast DDS has the profile
that drones are deployed with (deploy/dds/fastdds.xml), restricted to loopback, where all that it
sends is counted (rtps.py; that needs root, or CAP_NET_RAW). An operator asks the next question
once all have decided the last. --write keeps the figures in docs/ros2-performance.json and the
table in docs/ros2-performance.md.

    python bench/ros_swarm.py --questions 20 --write
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.rtps import DISCOVERY, Capture, Traffic  # noqa: E402
from bench.tables import table  # noqa: E402
from swarm_ledger.encoding import encode  # noqa: E402
from swarm_ledger.envelope import Kind, seal  # noqa: E402
from swarm_ledger.runtime.fleet import FLEET, Fleet  # noqa: E402
from swarm_ledger.signers import open_signer  # noqa: E402
from swarm_ledger.sim.mission import KEY, OPERATOR, Mission, prepare, utc_now  # noqa: E402
from swarm_ledger.sim.processes import WORLD, Processes, commands, environment  # noqa: E402
from swarm_ledger.voting.question import Question  # noqa: E402
from swarm_ledger.voting.rules import Majority  # noqa: E402
from tests.assault.field import TopicWire  # noqa: E402

DOCS = ROOT / "docs"
FIGURES, PAGE = DOCS / "ros2-performance.json", DOCS / "ros2-performance.md"
BEGIN, END = "<!-- figures: begin -->\n", "<!-- figures: end -->\n"
PROFILE = ROOT / "deploy" / "dds" / "fastdds.xml"
LOOPBACK = "<interfaceWhiteList><address>127.0.0.1</address></interfaceWhiteList>"
TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE_S = 240.0
DOMAIN = 101
"""Of nobody else: missions and tests draw theirs from 1 to 100."""
SETTLED_S = 3.0
IDLE_S = 10.0
ROWS = {
    "drones": "drones",
    "participants": "DDS participants",
    "met_s": "until all had met, s",
    "met_kb": "discovery until then, kB",
    "met_packets": "packets",
    "asked": "questions",
    "decided": "decided",
    "decision_ms": "a decision, ms",
    "cpu": "CPU of a drone, %",
    "idle_cpu": "idle, %",
    "rss_mb": "RSS of a drone, MB",
    "world_cpu": "CPU of the world, %",
    "load": "load",
}
TRAFFIC = {
    "drones": "drones",
    "idle_discovery_kb": "discovery, idle, kB/s",
    "idle_discovery_packets": "packets/s",
    "alive_packets": "of these liveliness",
    "idle_data_kb": "data, idle, kB/s",
    "idle_data_packets": "packets/s",
    "discovery_kb": "discovery, deciding, kB/s",
    "data_kb": "data, deciding, kB/s",
    "data_packets": "packets/s",
    "decision_kb": "data for a decision, kB",
    "sensors_kb": "the world's, kB/s",
    "lost": "not counted",
}


class Swarm:
    """Drones in flight, the world, and an operator."""

    def __init__(self, home: Path, drones: int, capture: Capture, around: dict[str, str]) -> None:
        mission = Mission(
            home, drones=drones, byzantine=0, transport="ros", channels=False, looks=1
        )
        prepared = prepare(mission, now=utc_now())
        bare = msgspec.structs.replace(prepared.file, question="")
        (home / FLEET).write_bytes(msgspec.yaml.encode(bare))
        self.fleet, self.names, self.asked = Fleet.load(home / FLEET), mission.names(), 0
        self.operator = open_signer(f"file:{home / OPERATOR / KEY}")
        self.processes = Processes(home, commands(mission), around)
        capture.sensors = {self.processes.pids[WORLD] & 0xFFFF}
        self.seen: dict[str, dict[str, Any]] = {}
        self.told: dict[int, set[str]] = {}
        self.wire: TopicWire | None = None

    def meet(self) -> None:
        """Wait until all know each other, and have begun their ledgers."""
        self.until(lambda: len(self.seen) == len(self.names) and all(map(self._met, self.names)))

    def decide(self) -> float:
        """Ask once, and wait until all have decided; return how long that took, s."""
        asked = Question("What is it?", ("cup", "two_faces"), Majority(), 60_000, os.urandom(16))
        raw = seal(Kind.QUESTION, encode(asked), self.operator, self.fleet.roster)
        assert self.wire is not None  # noqa: S101
        self.asked += 1
        begun = time.monotonic()
        self.wire.send(raw, self.names)
        self.until(lambda: len(self.told.get(self.asked, ())) == len(self.names))
        return time.monotonic() - begun

    def until(self, holds: Any) -> None:
        """Take events in until that holds; SystemExit if it never does, or a drone is lost."""
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            self.take(0.2)
            if time.monotonic() > deadline:
                raise SystemExit(f"it did not come to that in {PATIENCE_S:.0f} s: {self.seen}")

    def take(self, timeout_s: float) -> None:
        """Take in an event, if there is one."""
        event = self.processes.next_event(timeout_s)
        if event is None:
            return
        if event.event == "lost":
            raise SystemExit(f"{event.drone} is lost: {event.fields}")
        if event.event == "status":
            self.seen[event.drone] = event.fields
        elif event.event == "decision" and event.fields["outcome"] == "decided":
            self.told.setdefault(int(event.fields["number"]), set()).add(event.drone)

    def rest(self, seconds: float) -> None:
        """Take events in for that long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.take(left)

    def cpu_s(self, name: str) -> float:
        """Return the processor time that a process has had."""
        text = Path(f"/proc/{self.processes.pids[name]}/stat").read_text()
        fields = text.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def rss_mb(self, name: str) -> float:
        """Return what a process has in memory, shared libraries with it."""
        text = Path(f"/proc/{self.processes.pids[name]}/statm").read_text()
        return int(text.split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6

    def close(self) -> None:
        """End all of it."""
        if self.wire is not None:
            self.wire.close()
        self.processes.stop()

    def _met(self, name: str) -> bool:
        row = self.seen[name]
        return row["met"] == len(self.names) and row["height"] > 0


class Stretch:
    """What processes and network took from here to its end."""

    def __init__(self, swarm: Swarm, capture: Capture) -> None:
        self._swarm, self._capture = swarm, capture
        capture.cut()
        self._begun = time.monotonic()
        self._cpu = {name: swarm.cpu_s(name) for name in (*swarm.names, WORLD)}

    def end(self) -> tuple[float, dict[str, float], Traffic]:
        """Return its length, s; processor time of each process, %; and the traffic."""
        took = time.monotonic() - self._begun
        cpu = {n: 100 * (self._swarm.cpu_s(n) - before) / took for n, before in self._cpu.items()}
        return took, cpu, self._capture.cut()


def measure(drones: int, questions: int, scratch: Path) -> dict[str, Any]:
    """Fly one swarm; return its figures."""
    profile = scratch / "fastdds.xml"
    profile.write_text(PROFILE.read_text().replace("<TTL>", f"{LOOPBACK}<TTL>"))
    home = scratch / "run"
    around = environment(Mission(home, drones=drones, byzantine=0, transport="ros"))
    path = os.pathsep.join([str(ROOT), *filter(None, [around.get("PYTHONPATH")])])
    older = around.get("ROS_DISTRO") in ("humble", "jazzy")
    around |= {
        "PYTHONPATH": path,
        "ROS_DOMAIN_ID": str(DOMAIN),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET",  # or rclpy takes its own transports
        "ROS_LOCALHOST_ONLY": "0",
        f"FAST{'RTPS' if older else 'DDS'}_DEFAULT_PROFILES_FILE": str(profile),
        "SKIP_DEFAULT_XML": "1",
    }
    with Capture(DOMAIN) as capture:
        begun = time.monotonic()
        swarm = Swarm(home, drones, capture, around)
        try:
            swarm.meet()
            met_s, met = time.monotonic() - begun, capture.cut()
            swarm.wire = TopicWire(swarm.names, around)
            swarm.rest(SETTLED_S)
            stretch = Stretch(swarm, capture)
            swarm.rest(IDLE_S)
            idle_s, idle_cpu, idle = stretch.end()
            stretch = Stretch(swarm, capture)
            times = [swarm.decide() for _ in range(questions)]
            busy_s, cpu, busy = stretch.end()
            rss = [swarm.rss_mb(name) for name in swarm.names]
        finally:
            swarm.close()
        lost = capture.lost()
    return {
        "drones": drones,
        "participants": len(met.senders),
        "met_s": met_s,
        "met_kb": kb(met, *DISCOVERY),
        "met_packets": sum(met.packets[kind] for kind in DISCOVERY),
        "asked": questions,
        "decided": len(times),
        "decision_ms": median(times) * 1000,
        "cpu": median(cpu[name] for name in swarm.names),
        "idle_cpu": median(idle_cpu[name] for name in swarm.names),
        "rss_mb": median(rss),
        "world_cpu": cpu[WORLD],
        "load": os.getloadavg()[0],
        "idle_discovery_kb": kb(idle, *DISCOVERY) / idle_s,
        "idle_discovery_packets": sum(idle.packets[kind] for kind in DISCOVERY) / idle_s,
        "alive_packets": idle.packets["liveliness"] / idle_s,
        "idle_data_kb": kb(idle, "data") / idle_s,
        "idle_data_packets": idle.packets["data"] / idle_s,
        "discovery_kb": kb(busy, *DISCOVERY) / busy_s,
        "data_kb": kb(busy, "data") / busy_s,
        "data_packets": busy.packets["data"] / busy_s,
        "decision_kb": (kb(busy, "data") - kb(idle, "data") * busy_s / idle_s) / questions,
        "sensors_kb": kb(busy, "sensors") / busy_s,
        "lost": lost,
    }


def kb(traffic: Traffic, *kinds: str) -> float:
    """Return kilobytes of some kinds of packets."""
    return sum(traffic.bytes[kind] for kind in kinds) / 1000


def tables(found: dict[str, Any]) -> str:
    """Return the figures as Markdown tables."""
    parts = [table(found["swarms"], heads) for heads in (ROWS, TRAFFIC)]
    return "\n".join(parts) + f"\n{found['machine']}; {found['date']}.\n"


def write(found: dict[str, Any]) -> None:
    """Put figures beside the page, and the tables between the page's markers."""
    FIGURES.write_text(json.dumps(found, indent=1) + "\n")
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + tables(found) + END + rest.partition(END)[2])


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--drones", type=int, nargs="+", default=[4, 7, 10])
    parser.add_argument("--questions", type=int, default=20)
    parser.add_argument("--write", action="store_true", help="keep the figures in docs/")
    given = parser.parse_args()
    swarms = []
    for drones in given.drones:
        with tempfile.TemporaryDirectory() as scratch:
            swarms.append(measure(drones, given.questions, Path(scratch)))
        print(json.dumps(swarms[-1]), file=sys.stderr, flush=True)
    machine = (
        f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}, "
        f"a virtual machine (load: before the swarm's end)"
    )
    found = {"machine": machine, "date": f"{utc_now():%Y-%m-%d}", "swarms": swarms}
    print(tables(found))
    if given.write:
        write(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
