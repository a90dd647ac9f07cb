# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A process forked from one that has the imports is as good as one that was started."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from swarm_ledger.errors import Misuse
from swarm_ledger.sim.nursery import Nursery
from swarm_ledger.sim.processes import Processes
from tests.patience import PATIENCE_S

AROUND = {**os.environ, "PYTHONPATH": os.getcwd()}
OWN = {"OF_THE_CHILD": "yes"}


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with closing(Nursery("tests.nursling", AROUND)) as opened:
        yield opened


def test_a_child_has_its_own_arguments_environment_output_and_end(
    nursery: Nursery, tmp_path: Path
) -> None:
    children = [
        nursery.fork("child", [str(code)], OWN, tmp_path / f"{code}.log") for code in (0, 3)
    ]
    said = [child.stdout.read().split() for child in children]
    assert [child.wait(PATIENCE_S) for child in children] == [0, 3]
    assert [child.poll() for child in children] == [0, 3]
    pids = [str(child.pid).encode() for child in children]
    assert [words[0] for words in said] == pids
    assert said[0][1] == said[1][1] not in pids  # warmed up once, before they were
    assert [words[2:] for words in said] == [[b"yes", b"0"], [b"yes", b"3"]]
    assert (tmp_path / "3.log").read_text() == "a word to the log\n"


def test_a_child_can_be_waited_for_and_ended(nursery: Nursery, tmp_path: Path) -> None:
    child = nursery.fork("child", ["wait"], OWN, tmp_path / "log")
    child.stdout.readline()
    assert child.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.01)
    child.kill()
    assert child.wait(PATIENCE_S) == -signal.SIGKILL
    child.send_signal(signal.SIGINT)  # to nobody


def test_processes_fork_what_runs_its_module_and_start_the_rest(
    nursery: Nursery, tmp_path: Path
) -> None:
    say = "from swarm_ledger.sim.events import StdoutEvents; StdoutEvents('b')('up', {})"
    commands = {"a": ["-m", "tests.nursling", "7"], "b": ["-c", say]}
    with Processes(tmp_path, commands, {**AROUND, **OWN}, nursery) as running:
        lost = {}
        while len(lost) < 2:
            event = running.next_event(PATIENCE_S)
            assert event is not None
            if event.event == "lost":
                lost[event.drone] = event.fields["how"]
    assert lost == {"a": "exit 7", "b": "exit 0"}


def test_with_the_nursery_all_children_end(tmp_path: Path) -> None:
    with closing(Nursery("tests.nursling", AROUND)) as nursery:
        child = nursery.fork("child", ["wait"], OWN, tmp_path / "log")
        child.stdout.readline()
    assert child.stdout.read() == b""  # its end of the pipe is closed
    assert child.wait(PATIENCE_S) == -signal.SIGKILL
    with pytest.raises(Misuse, match="is gone"):
        nursery.fork("child", ["0"], OWN, tmp_path / "log")
