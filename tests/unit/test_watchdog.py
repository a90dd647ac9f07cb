# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What systemd is told: over a real socket, and what it is not told when a loop stands still."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarm_ledger.runtime.watchdog import Watchdog


class Loop:
    """A loop that turns when it is told to; not meant to turn while turns is None."""

    def __init__(self, turns: int | None = 0, text: str = "height 3") -> None:
        self.turns, self.text = turns, text

    def pulse(self) -> tuple[int, str] | None:
        return None if self.turns is None else (self.turns, self.text)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
        own.bind(str(tmp_path / "notify"))
        own.setblocking(False)
        yield own


def told(manager: socket.socket) -> list[list[str]]:
    """Return what has been said by now, each datagram in lines."""
    found = []
    while True:
        try:
            found.append(manager.recv(4096).decode().split("\n"))
        except BlockingIOError:
            return found


def made(manager: socket.socket, **more: str) -> Watchdog:
    around = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "4000000"}
    return Watchdog.of({**around, **more})


def test_it_is_ready_once_all_loops_are_active(manager: socket.socket) -> None:
    watchdog, loops = made(manager), [Loop(None), Loop(7, "height 9"), object()]
    watchdog.look(loops, 0)
    watchdog.look(loops, 60_000)
    assert told(manager) == []
    loops[0] = Loop(1)
    watchdog.look(loops, 60_001)
    assert told(manager) == [["READY=1", "STATUS=height 3; height 9"]]


def test_it_says_so_twice_in_the_time_allowed_and_not_more(manager: socket.socket) -> None:
    watchdog, loop = made(manager), Loop()
    for now_ms in range(0, 10_000, 10):
        loop.turns = now_ms
        watchdog.look([loop], now_ms)
    words = [lines[0] for lines in told(manager)]
    assert words == ["READY=1", *["WATCHDOG=1"] * 4]


def test_a_loop_that_stands_still_is_not_alive(manager: socket.socket) -> None:
    watchdog, turning, still = made(manager), Loop(), Loop()
    for now_ms in range(0, 20_000, 100):
        turning.turns = now_ms
        watchdog.look([turning, still], now_ms)
    assert [lines[0] for lines in told(manager)] == ["READY=1"]
    still.turns = 1
    watchdog.look([turning, still], 20_000)
    assert told(manager) == [["WATCHDOG=1"]]


def test_a_node_that_was_deactivated_is_alive_all_the_same(manager: socket.socket) -> None:
    watchdog, loop = made(manager), Loop()
    watchdog.look([loop], 0)
    loop.turns = None
    watchdog.look([loop], 2_000)
    watchdog.look([loop], 4_000)
    assert told(manager)[1:] == [["WATCHDOG=1", "STATUS=inactive"], ["WATCHDOG=1"]]


def test_a_process_without_such_loops_lives_by_its_turning(manager: socket.socket) -> None:
    watchdog = made(manager)
    for now_ms in (0, 2_000, 4_000):
        watchdog.look([object()], now_ms)
    watchdog.ending()
    assert told(manager) == [["READY=1"], ["WATCHDOG=1"], ["WATCHDOG=1"], ["STOPPING=1"]]


def test_a_status_is_one_line_and_not_long(manager: socket.socket) -> None:
    watchdog = made(manager)
    watchdog.look([Loop(1, "two\nWATCHDOG=1\nlines" + "x" * 5_000)], 0)
    ((ready, status),) = told(manager)
    assert ready == "READY=1"
    assert status.startswith("STATUS=two WATCHDOG=1 linesx")
    assert len(status) < 300


@pytest.mark.parametrize(
    "more",
    [
        {"WATCHDOG_PID": str(os.getpid() + 1)},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "-4000000"},
    ],
)
def test_without_a_watchdog_it_is_ready_and_no_more(
    manager: socket.socket, more: dict[str, str]
) -> None:
    watchdog, loop = made(manager, **more), Loop()
    for now_ms in range(0, 60_000, 1_000):
        loop.turns = now_ms
        watchdog.look([loop], now_ms)
    assert [lines[0] for lines in told(manager)] == ["READY=1"]


def test_names_that_are_no_files_are_known(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
        own.bind(f"\0swarm_ledger_test_{os.getpid()}")
        own.setblocking(False)
        name = f"@swarm_ledger_test_{os.getpid()}"
        Watchdog.of({"NOTIFY_SOCKET": name}).look([], 0)
        assert told(own) == [["READY=1"]]


@pytest.mark.parametrize("address", ["", "notify", "/nowhere/notify"])
def test_nobody_who_listens_is_no_accident(address: str) -> None:
    watchdog = Watchdog.of({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "2000"})
    for now_ms in range(10):
        watchdog.look([Loop(now_ms)], now_ms)
    watchdog.ending()
