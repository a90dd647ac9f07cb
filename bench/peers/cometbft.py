# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""CometBFT: four validators with the key-value store that comes with them, blocks on disk.

Validators' votes are signed and checked; who signed a request is left to the application, and this
one doesn't ask.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from bench.peers import go
from bench.peers.peer import Work
from swarm_ledger.sim.ports import free_ports

_SERVERS = 4
_SERVER = ("github.com/cometbft/cometbft/cmd/cometbft", "v0.38.26", "cometbft")
_START_S = 60
# As it comes it waits a second after each block, gossips every 100 ms, makes blocks of nothing
# and has an index of what each request did. Without: the next block as soon as there is something
# for it, and no index, since nobody asks it here.
_TUNED = """\
[p2p]
flush_throttle_timeout = "1ms"
[consensus]
timeout_commit = "0s"
skip_timeout_commit = true
create_empty_blocks = false
peer_gossip_sleep_duration = "5ms"
[tx_index]
indexer = "null"
"""


class CometBFT:
    """CometBFT from the Go module proxy, with a client of ours in Go."""

    faults = "1 of 4 may lie"
    durable = True

    def __init__(self, *, tuned: bool) -> None:
        self.name = f"CometBFT, {'tuned' if tuned else 'as it comes'}"
        self._settings = _TUNED if tuned else ""

    def missing(self) -> str:
        """Say what is to be installed; "" for nothing."""
        return go.server(*_SERVER).missing or go.client("cometbft").missing

    def run(self, work: Work, folder: Path) -> dict[str, float]:
        """Run four validators on loopback, their data in the folder."""
        program = str(go.server(*_SERVER).path)
        homes = self._homes(program, folder)
        ports = free_ports(2 * _SERVERS)
        peers = [f"127.0.0.1:{port}" for port in ports[:_SERVERS]]
        places = [f"127.0.0.1:{port}" for port in ports[_SERVERS:]]
        names = [_said(program, home, "show-node-id").strip() for home in homes]
        known = [f"{name}@{peer}" for name, peer in zip(names, peers, strict=True)]
        commands = [
            [
                *(program, "start", "--home", str(home), "--log_level", "error"),
                *("--proxy_app", "persistent_kvstore"),
                *("--p2p.laddr", f"tcp://{peers[own]}", "--rpc.laddr", f"tcp://{places[own]}"),
                *("--p2p.persistent_peers", ",".join(known[:own] + known[own + 1 :])),
            ]
            for own, home in enumerate(homes)
        ]
        return go.measured(commands, go.client("cometbft").path, places, work, folder)

    def _homes(self, program: str, folder: Path) -> list[Path]:
        """Have the validators' keys, their genesis and their settings written."""
        settings = folder / "settings.toml"
        settings.write_text(self._settings)
        _said(
            *(program, folder / "unused", "testnet", "--v", str(_SERVERS), "--o", str(folder)),
            *("--populate-persistent-peers=false", "--config", str(settings)),
        )
        return [folder / f"node{place}" for place in range(_SERVERS)]


def _said(program: str, home: Path, *arguments: str) -> str:
    command = [program, *arguments, "--home", str(home)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=_START_S)
    return done.stdout
