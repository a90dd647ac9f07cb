# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Events on a child's stdout, and children that end with their supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_ledger.sim.events import PARENT, Event, die_with_parent, parse_line

_SAY = """
from swarm_ledger.sim.events import StdoutEvents
say = StdoutEvents("drone_1")
say("vote", {"label": "cup", "n": 1})
print("something else")
say("status", {})
"""


def test_events_survive_the_pipe() -> None:
    said = subprocess.run([sys.executable, "-c", _SAY], capture_output=True, check=True).stdout
    events = [parse_line(line) for line in said.splitlines()]
    assert events == [
        Event("drone_1", "vote", {"label": "cup", "n": 1}),
        Event("drone_1", "status", {}),
        None,
    ] or events == [
        Event("drone_1", "vote", {"label": "cup", "n": 1}),
        None,
        Event("drone_1", "status", {}),
    ]


@given(st.binary(max_size=200))
def test_any_other_line_is_no_event(line: bytes) -> None:
    assert parse_line(line) is None


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"[]",
        b"null",
        b"1",
        b'{"swarm_ledger": "x", "drone": "y"}',
        b'{"swarm_ledger": "x", "drone": "y", "fields": 3}',
        b'{"swarm_ledger": "x", "drone": "y", "fields": "ab"}',
        b"[" * 100_000,
    ],
)
def test_json_that_is_no_event_is_none(line: bytes) -> None:
    assert parse_line(line) is None


def test_nobody_listening_is_no_accident() -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        [sys.executable, "-c", _SAY.replace("print", "str")],
        stdout=theirs,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(theirs)
    assert b"Traceback" not in done.stderr


_CHILD = "from swarm_ledger.sim.events import die_with_parent; die_with_parent(); print('lives')"


@pytest.mark.parametrize(("parent", "code"), [("0", -signal.SIGTERM), (None, 0)])
def test_a_child_whose_supervisor_is_gone_already_ends(parent: str | None, code: int) -> None:
    environment = {name: value for name, value in os.environ.items() if name != PARENT}
    if parent is not None:
        environment[PARENT] = parent
    done = subprocess.run([sys.executable, "-c", _CHILD], env=environment, check=False)
    assert done.returncode == code


def test_a_process_without_supervisor_is_let_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PARENT, raising=False)
    die_with_parent()
