# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""etcd: Raft, three servers, each put on disk before it is answered; no Byzantine faults."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.peers import go
from bench.peers.peer import Work
from swarm_ledger.sim.ports import free_ports

_SERVERS = 3
_LIBRARY = "go.etcd.io/etcd/client/v3@v3.6.13"


class Etcd:
    """Debian's etcd-server with a client of ours in Go."""

    name = "etcd"
    faults = "1 of 3 may crash"
    durable = True

    def missing(self) -> str:
        """Say what is to be installed; "" for nothing."""
        if shutil.which("etcd") is None:
            return "there is no `etcd`: apt-get install etcd-server"
        return go.client("etcd", _LIBRARY).missing

    def run(self, work: Work, folder: Path) -> dict[str, float]:
        """Run three servers on loopback, their data in the folder."""
        ports = free_ports(2 * _SERVERS)
        peers = [f"http://127.0.0.1:{port}" for port in ports[:_SERVERS]]
        places = [f"127.0.0.1:{port}" for port in ports[_SERVERS:]]
        urls = [f"http://{place}" for place in places]
        cluster = ",".join(f"s{place}={peer}" for place, peer in enumerate(peers))
        commands = [
            [
                *("etcd", "--name", f"s{place}", "--data-dir", str(folder / f"s{place}")),
                *("--listen-peer-urls", peers[place]),
                *("--initial-advertise-peer-urls", peers[place]),
                *("--listen-client-urls", urls[place], "--advertise-client-urls", urls[place]),
                *("--initial-cluster", cluster, "--initial-cluster-state", "new"),
                *("--log-level", "error"),
            ]
            for place in range(_SERVERS)
        ]
        return go.measured(commands, go.client("etcd", _LIBRARY).path, places, work, folder)
