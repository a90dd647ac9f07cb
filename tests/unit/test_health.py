# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What /diagnostics says of a drone: each trouble has its level and its sentence."""

from __future__ import annotations

from typing import Any

import pytest

from swarm_ledger.consensus.messages import Commit, Prepare, PrePrepare, Status
from swarm_ledger.consensus.phase import Phase
from swarm_ledger.identity.roster import Member, Role
from swarm_ledger.nodes import health
from swarm_ledger.nodes.health import Level, Losses
from swarm_ledger.runtime.standing import Pulse
from swarm_ledger.signers import KeyStore, SoftwareSigner
from tests.unit.consensus_desk import Desk, batch

STATUS: dict[str, Any] = {
    "phase": "idle",
    "standing": "member",
    "epoch": 1,
    "view": 0,
    "leader": "drone_1",
    "height": 7,
    "stable": 7,
    "pending": 0,
    "heard": 3,
    "expected": 3,
    "latency_ms": None,
}


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({}, Level.OK, "height 7"),
        ({"heard": 2}, Level.OK, "height 7"),
        ({"heard": 1}, Level.ERROR, "hears 1 of 3 peers, and a quorum needs 2"),
        ({"phase": "view change"}, Level.WARN, "replaces a leader"),
        ({"phase": "sync"}, Level.WARN, "fetches blocks"),
        ({"standing": "mute", "phase": "stopped"}, Level.WARN, "lost what it had signed"),
        ({"standing": "waiting", "phase": "stopped"}, Level.WARN, "root key has not signed"),
        ({"standing": "joining", "phase": "stopped"}, Level.WARN, "takes effect"),
        ({"standing": "removed", "phase": "stopped"}, Level.WARN, "is no member"),
    ],
    ids=str,
)
def test_consensus(changes: dict[str, Any], level: Level, words: str) -> None:
    found = health.consensus({**STATUS, **changes})
    assert (found.name, found.level) == ("consensus", level)
    assert words in found.said
    assert found.values["peers"] == f"{changes.get('heard', 3)} of 3"


def test_latency_is_told_once_there_is_one() -> None:
    assert health.consensus(STATUS).values["commit_latency_ms"] == ""
    told = health.consensus({**STATUS, "latency_ms": 12.5}).values
    assert told["commit_latency_ms"] == "12"


@pytest.mark.parametrize("store", [KeyStore.SOFTWARE, KeyStore.PKCS11, KeyStore.TPM2])
def test_a_key_in_software_is_never_simply_fine(store: KeyStore) -> None:
    key = SoftwareSigner.generate().public_key
    roles = frozenset((Role.VALIDATOR, Role.VOTER))
    member = Member(0, "drone_1", key, store, roles)
    found = health.identity(member)
    assert found.level == (Level.WARN if store is KeyStore.SOFTWARE else Level.OK)
    assert store.label in found.said
    assert found.values["key_fingerprint"] == member.drone_id


def test_time_that_has_not_begun_is_a_warning() -> None:
    assert health.time(0, True, 0).level == Level.WARN
    assert health.time(5, True, 2).values["jumps_back"] == 2
    assert health.time(5, False, 0).level == Level.OK


def test_only_what_is_new_is_a_warning() -> None:
    losses = Losses()
    assert losses.judge("links", "dropped", {"full": 0}).level == Level.OK
    found = losses.judge("links", "dropped", {"full": 3, "rate": 1}, links="dds")
    assert (found.level, found.said) == (Level.WARN, "4 dropped since the last report")
    assert found.values == {"links": "dds", "full": 3, "rate": 1}
    again = losses.judge("links", "dropped", {"full": 3, "rate": 1})
    assert (again.level, again.said) == (Level.OK, "nothing dropped")


def test_who_fell_silent_is_heard_no_more() -> None:
    pulse = Pulse(heartbeat_ms=1_000)
    pulse.hear("drone_2", 5_000)
    pulse.hear("drone_3", 5_900)
    assert pulse.heard(6_000) == {"drone_2", "drone_3"}
    assert pulse.heard(6_001) == {"drone_3"}
    assert pulse.latency_ms is None
    for latency in (30, 10, 1_000):
        pulse.committed(latency)
    assert pulse.latency_ms == 30


def test_a_replica_says_what_it_waits_for() -> None:
    """From idle over the three phases of PBFT back to idle."""
    desk, what = Desk(), batch(1, b"a")
    assert desk.replica.phase is Phase.IDLE
    desk.submit(b"a")
    assert desk.replica.phase is Phase.PRE_PREPARE
    desk.hear(0, PrePrepare(0, what))
    assert desk.replica.phase is Phase.PREPARE
    desk.hear(2, Prepare(0, 1, what.digest()))
    assert desk.replica.phase is Phase.COMMIT
    desk.hear(2, Commit(0, 1, what.digest()))
    desk.hear(3, Commit(0, 1, what.digest()))
    assert desk.replica.phase is Phase.IDLE
    desk.submit(b"b")
    desk.wait(desk.settings.request_timeout_ms + 500)
    assert desk.replica.phase is Phase.VIEW_CHANGE
    desk.replica.retire()
    assert desk.replica.phase is Phase.STOPPED


def test_one_liars_word_of_blocks_is_no_reason_to_say_that_we_fetch_them() -> None:
    desk = Desk()
    desk.hear(2, Status(0, 9, 0))
    desk.wait(desk.settings.resend_ms * 8)
    assert desk.replica.phase is Phase.IDLE
    desk.hear(3, Status(0, 9, 0))
    desk.wait(desk.settings.resend_ms * 8)
    assert desk.replica.phase is Phase.SYNC
