# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""NATS JetStream: Raft for each stream, three servers, synced before it is answered; no liars."""

from __future__ import annotations

from pathlib import Path

from bench.peers import go
from bench.peers.peer import Work
from swarm_ledger.sim.ports import free_ports

_SERVERS = 3
# Debian's is too old to sync each message (sync_interval: always came with 2.10).
_SERVER = ("github.com/nats-io/nats-server/v2", "v2.12.1", "nats-server")
_LIBRARY = "github.com/nats-io/nats.go@v1.49.0"
_SETTINGS = """\
server_name: s{own}
listen: {place}
jetstream {{ store_dir: "{store}", sync_interval: always }}
cluster {{ name: peers, listen: {peer}, routes: [{others}] }}
"""


class Nats:
    """NATS from the Go module proxy, with a client of ours in Go."""

    name = "NATS JetStream, synced"
    faults = "1 of 3 may crash"
    durable = True

    def missing(self) -> str:
        """Say what is to be installed; "" for nothing."""
        return go.server(*_SERVER).missing or go.client("nats", _LIBRARY).missing

    def run(self, work: Work, folder: Path) -> dict[str, float]:
        """Run three servers on loopback, their streams in the folder."""
        program = str(go.server(*_SERVER).path)
        ports = free_ports(2 * _SERVERS)
        peers = [f"127.0.0.1:{port}" for port in ports[:_SERVERS]]
        places = [f"127.0.0.1:{port}" for port in ports[_SERVERS:]]
        commands = []
        for own, place in enumerate(places):
            settings = folder / f"s{own}.conf"
            others = ", ".join(f'"nats://{peer}"' for peer in peers if peer != peers[own])
            store = folder / f"s{own}"
            settings.write_text(
                _SETTINGS.format(own=own, place=place, store=store, peer=peers[own], others=others)
            )
            commands.append([program, "--config", str(settings)])
        return go.measured(commands, go.client("nats", _LIBRARY).path, places, work, folder)
