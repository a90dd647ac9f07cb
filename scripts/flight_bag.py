# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Fly four drones of which one lies, and record it: tests/data/flight is made by this.

    .venv/bin/python scripts/flight_bag.py tests/data/flight

It needs ROS 2, a ROS_DOMAIN_ID in which nobody else speaks (a random one unless it is set), and a
quiet machine: what DDS or the recorder lose is missing in the bag.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from swarm_ledger.audit.bag import Options, audit_bag
from swarm_ledger.sim import processes
from swarm_ledger.sim.mission import Mission, prepare, utc_now
from swarm_ledger.sim.rack import open_rack
from swarm_ledger.sim.watch import Watch

_RECORDED = "--ros-args -p images:=true -p bag:={run}/flight -p fleet:={run}/fleet.yaml"
_SIGNED = "--ros-args -r __ns:=/{name} -p fleet:={run}/fleet.yaml -p drone:={name} -p {topics}"
_BEGIN_S = 3.0
_LONGER_S = 2.0
_LIMIT_S = 60.0
_ATTEMPTS = 8


def commands(run: Path, mission: Mission) -> dict[str, list[str]]:
    """Return the mission's processes, and relays: one signs one by one, another by windows."""
    relays = {}
    for name, topics in (
        ("drone_1", "topics:=[odom]"),
        ("drone_3", "batched:=[odom] -p window_ms:=400"),
    ):
        given = _SIGNED.format(run=run, name=name, topics=topics).split()
        relays[f"{name}_relay"] = ["-m", "swarm_ledger.nodes.relay", *given]
    return processes.commands(mission) | relays


def fly(run: Path) -> None:
    """Fly and record into a new folder."""
    mission = Mission(run_dir=run, transport="ros", looks=2)
    liars = mission.liars()
    honest = (name for name in mission.names() if name not in liars)
    watch = Watch(mission.names(), honest)
    with open_rack(mission) as rack:
        prepare(mission, now=utc_now(), rack=rack)
        around = {**processes.environment(mission), **rack.environment}
        around["ROS_DOMAIN_ID"] = os.environ.get("ROS_DOMAIN_ID", around["ROS_DOMAIN_ID"])
        recorder = ["-m", "swarm_ledger.nodes.recorder", *_RECORDED.format(run=run).split()]
        with processes.Processes(run, {"recorder": recorder}, around):
            time.sleep(_BEGIN_S)  # so that it hears each drone's first word
            with processes.Processes(run, commands(run, mission), around) as flying:
                end = time.monotonic() + _LIMIT_S
                while time.monotonic() < end:
                    event = flying.next_event(0.1)
                    if event is not None:
                        watch.take(event)
                    if watch.done:
                        end = min(end, time.monotonic() + _LONGER_S)


def main(target: Path) -> None:
    """Make the folder anew from a flight whose bag is clean, and in which all four voted."""
    for _ in range(_ATTEMPTS):
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            fly(run)
            found = audit_bag(run / "flight", Options(roster=run / "roster"))
            if found.clean and not found.careful and found.said and found.kinds["vote"] >= 4:
                for name in ("bag", "roster"):
                    shutil.rmtree(target / name, ignore_errors=True)
                shutil.copytree(run / "roster", target / "roster")
                shutil.copytree(run / "flight", target / "bag")
                print(f"{found.messages} messages, {found.signatures} signed, {found.size} bytes")
                return
            print(f"not kept: {dict(found.wrong)} {dict(found.careful)} {dict(found.kinds)}")
    sys.exit("no flight was good enough: is the machine busy?")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
