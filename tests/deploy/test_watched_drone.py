# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A drone's real process, and what it tells systemd, for which a socket stands here."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from swarm_ledger.sim.mission import Mission, prepare, utc_now
from swarm_ledger.sim.processes import Processes, commands, environment
from tests.patience import PATIENCE_S, Late
from tests.system.conftest import needs


def hear(manager: socket.socket, word: str, lines: list[str]) -> None:
    """Take in what is said up to that word; after its patience, Late."""
    while word not in lines:
        try:
            lines += manager.recv(4096).decode().split("\n")
        except TimeoutError:
            raise Late(f"{word} was not said: {lines}") from None


def test_a_drone_is_ready_and_alive_and_ends(tmp_path: Path) -> None:
    needs("ros")
    mission = Mission(tmp_path / "run", byzantine=0, transport="ros")
    prepare(mission, now=utc_now())
    only = {"drone_1": commands(mission)["drone_1"]}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE_S)
        around = environment(mission)
        around |= {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
        with Processes(mission.run_dir, only, around) as processes:
            lines: list[str] = []
            hear(manager, "READY=1", lines)
            assert not [line for line in lines if line.startswith("WATCHDOG")]
            for _ in range(3):
                lines.clear()
                hear(manager, "WATCHDOG=1", lines)
            processes.send("drone_1", signal.SIGTERM)
            hear(manager, "STOPPING=1", lines)
            while True:
                event = processes.next_event(PATIENCE_S)
                assert event is not None
                if event.event == "lost":
                    assert event.fields["how"] == "exit 0"
                    return


def test_a_drone_that_cannot_begin_is_never_ready(tmp_path: Path) -> None:
    needs("ros")
    mission = Mission(tmp_path / "run", byzantine=0, transport="ros")
    prepare(mission, now=utc_now())
    (mission.run_dir / "drone_1" / "key.pem").unlink()
    only = {"drone_1": commands(mission)["drone_1"]}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        around = {**environment(mission), "NOTIFY_SOCKET": str(tmp_path / "notify")}
        with Processes(mission.run_dir, only, around) as processes:
            event = processes.next_event(PATIENCE_S)
            assert event is not None
            assert (event.event, event.fields["how"]) == ("lost", "exit 1")
        with pytest.raises(BlockingIOError):
            manager.recv(4096)
