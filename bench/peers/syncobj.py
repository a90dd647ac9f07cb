# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""PySyncObj: Raft in Python, three servers, tuned; its journal is written, and never synced."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import msgspec

from bench.peers.peer import Work, quantile
from swarm_ledger.sim.ports import free_ports

_SERVERS = 3
_NODE = Path(__file__).with_name("syncobj_node.py")


class PySyncObj:
    """PySyncObj with clients in each server's process, as ours are."""

    name = "PySyncObj, tuned"
    faults = "1 of 3 may crash"
    durable = False

    def missing(self) -> str:
        """Say what is to be installed; "" for nothing."""
        found = find_spec("pysyncobj")
        return "" if found else f"there is no PySyncObj: {sys.executable} -m pip install pysyncobj"

    def run(self, work: Work, folder: Path) -> dict[str, float]:
        """Run three servers on loopback, their journals in the folder."""
        places = [f"127.0.0.1:{port}" for port in free_ports(_SERVERS)]
        children = []
        try:
            for place, own in enumerate(places):
                others = ",".join(other for other in places if other != own)
                mine = len(range(place, work.clients, _SERVERS))
                command = [
                    *(sys.executable, str(_NODE), own, others, str(folder / f"{place}.journal")),
                    *("--clients", str(mine), "--payload", str(work.payload)),
                    *("--seconds", str(work.seconds), "--warm-up", str(work.warm_up_s)),
                ]
                children.append(subprocess.Popen(command, stdout=subprocess.PIPE))
            found = [_report(child) for child in children]
        finally:
            for child in children:
                child.kill()
                child.wait()
        ordered = sorted(us for one in found for us in one["latencies_us"])
        seconds = sum(one["seconds"] for one in found) / len(found)
        return {
            "throughput_tps": len(ordered) / seconds,
            "p50_ms": quantile(ordered, 0.5) / 1_000,
            "p99_ms": quantile(ordered, 0.99) / 1_000,
            "cpu_us_per_commit": sum(one["cpu_us"] for one in found) / max(1, len(ordered)),
        }


def _report(child: subprocess.Popen[bytes]) -> dict[str, object]:
    assert child.stdout is not None
    return dict(msgspec.json.decode(child.stdout.readline()))
