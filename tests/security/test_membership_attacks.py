# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Attacks on what happens while members change, and on drones that lost their disks.

drone_4 is the attacker where a key is needed; else a stranger on the network is enough.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind
from swarm_ledger.identity.trust import Version
from swarm_ledger.runtime.machine import Machine
from tests.crew import T0_MS
from tests.security.test_membership import CREW, ONE


def nested(version: Version, depth: int) -> bytes:
    """The same roster, with something around its metadata that nobody signed."""
    fields = json.dumps(json.loads(version.targets))[:-1]
    targets = f'{fields}, "x": {"[" * depth}{"]" * depth}}}'.encode()
    return bytes([Kind.ROSTER]) + encode([targets, version.roster.raw])


def deeper(frames: int, call: Callable[[], object]) -> object:
    return call() if frames == 0 else deeper(frames - 1, call)


@pytest.mark.parametrize("depth", range(100, 1_000, 100))
def test_a_roster_is_judged_alike_however_deep_the_call_is(depth: int) -> None:
    """Else a stranger who nests it just so has it take effect on some drones only."""
    raw = nested(ONE, depth)
    judged = {
        deeper(frames, lambda: Machine(CREW.trust).apply(1, T0_MS, [raw]).roster)
        for frames in (0, 100, 300, 500)
    }
    assert len(judged) == 1
