# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Drones that die at any effect, and come back: nothing is unsaid, and everything verifies."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from swarm_ledger.audit.ledger import verify_ledger
from swarm_ledger.errors import NotVerified
from swarm_ledger.ledger.scratch import JournalRecord
from swarm_ledger.ledger.store import Store
from swarm_ledger.light_client import verify_proof
from swarm_ledger.light_client.policies import check_policy_file, policy_file
from swarm_ledger.runtime.export import find_decision, prove, sessions_in
from tests.crew import Crew
from tests.lab import Lab

MakeLab = Callable[..., Lab]


def examine(lab: Lab) -> None:
    """Every live drone's ledger is the same, verifies, and proves its decision to a stranger."""
    lab.assert_no_contradiction()
    assert len({drone.keeper.store.root() for drone in lab.drones.values()}) == 1
    for drone in lab.drones.values():
        store = drone.keeper.store
        verdict = verify_ledger(store, lab.crew.trust)
        assert verdict.covered == verdict.size
        assert verdict.decisions == 1
        index, settled = find_decision(store, 1)
        assert settled.answer == "cup"
        assert settled.decision.voided == 0
        text = policy_file(sessions_in(store, lab.crew.trust))
        policy = check_policy_file(text, lab.crew.trust)
        assert verify_proof(policy, prove(store, index)).entry == store.entry(index)


def examine_dead(lab: Lab, member: int) -> None:
    """What a killed drone leaves behind verifies, however far it came."""
    copy = lab.home / "exam"
    shutil.copytree(lab.folders[member], copy)
    with Store.open(copy / "ledger.db") as store:
        if store.height >= 0:
            verify_ledger(store, lab.crew.trust)


def live_and_die(lab: Lab, member: int, kill_at: int, session: int) -> None:
    for other in range(4):
        lab.start(other, kill_at=kill_at if other == member else None)
    for _ in range(300):
        if member in lab.died:
            break
        lab.step()
    assert member in lab.died
    lab.run(300)
    examine_dead(lab, member)
    lab.start(member, session=session)
    lab.until_decided()
    examine(lab)


@pytest.mark.parametrize("kill_at", [1, 8, 14, 19, 27, 33, 40, 48])
def test_a_backup_dies_at_any_effect(lab: MakeLab, kill_at: int) -> None:
    """It comes back with the same session after even effects, with a fresh one after odd ones."""
    live_and_die(lab(), 1, kill_at, session=kill_at % 2)


@pytest.mark.parametrize("kill_at", [2, 9, 17, 24, 31, 38, 45, 51])
def test_the_leader_dies_at_any_effect(lab: MakeLab, kill_at: int) -> None:
    live_and_die(lab(), 0, kill_at, session=kill_at % 2)


@pytest.mark.slow
@pytest.mark.parametrize("member", [0, 2])
@pytest.mark.parametrize("kill_at", [5, 21, 30])
@pytest.mark.parametrize("session", [0, 1])
def test_it_dies_while_messages_are_lost(
    lab: MakeLab, member: int, kill_at: int, session: int
) -> None:
    live_and_die(lab(seed=kill_at, loss=0.2), member, kill_at, session)


def test_all_die_one_after_the_other_and_change_their_keys(lab: MakeLab) -> None:
    """Old blocks and checkpoints are signed by sessions that nobody has any more."""
    swarm = lab()
    for member in range(4):
        swarm.start(member)
    swarm.until_decided()
    for life in (1, 2):
        for member in range(4):
            swarm.kill(member)
            swarm.run(50)
            swarm.start(member, session=life)
            height = max(d.keeper.store.height for d in swarm.drones.values())
            swarm.until(height + 1)
    examine(swarm)
    policy = policy_file(sessions_in(swarm.stores[-1], swarm.crew.trust))
    assert b"group drone_1 any drone_1/1 drone_1/2 drone_1/3\n" in policy
    assert b"group validators 3 drone_1 drone_2 drone_3 drone_4\n" in policy


@pytest.mark.parametrize("wiped", [False, True])
def test_one_that_slept_catches_up_though_all_others_changed_keys(
    lab: MakeLab, wiped: bool
) -> None:
    swarm = lab()
    for member in range(4):
        swarm.start(member)
    swarm.until_decided()
    swarm.kill(3)
    for member in (0, 1, 2):
        swarm.kill(member)
        swarm.start(member, session=1)
        swarm.run(1_500)
    if wiped:
        del swarm.folders[3]
    swarm.start(3, session=int(wiped))
    swarm.until(max(d.keeper.store.height for d in swarm.drones.values()))
    swarm.run(2_000)
    examine(swarm)


def test_all_die_at_once(lab: MakeLab) -> None:
    swarm = lab()
    for member in range(4):
        swarm.start(member)
    swarm.run(70)
    for member in range(4):
        swarm.kill(member)
    swarm.run(100)
    for member in range(4):
        swarm.start(member, session=member % 2)
    swarm.until_decided()
    examine(swarm)


def test_a_vote_that_was_sent_stands_after_the_restart(lab: MakeLab) -> None:
    """The second life sees other images, and still says what the first one said."""
    swarm = lab()
    for member in range(3):
        swarm.start(member)
    for _ in range(1_000):
        swarm.step()
        if swarm.drones[1].ballots.sealed:  # the vote is on its way, and not yet on the ledger
            break
    (sealed,) = swarm.drones[1].ballots.sealed
    swarm.kill(1)
    swarm.start(1)
    assert sealed in dict(swarm.drones[1].keeper.store.pending_read())
    assert not swarm.drones[1].curious
    swarm.until_decided()
    examine(swarm)


def test_expired_sessions_do_not_stop_a_restart(lab: MakeLab, crew: Crew) -> None:
    """What was accepted while its session was valid is taken up again after that, too."""
    swarm = lab()
    for member in range(4):
        swarm.start(member)
    swarm.until_decided()
    store = swarm.drones[2].keeper.store
    store.pending_put(bytes(32), crew.vote("drone_4", label=1))
    store.pending_put(bytes(31) + b"1", b"\x03 no message at all")
    swarm.kill(2)
    swarm.now_ms += 3 * 86_400_000
    swarm.start(2)
    assert swarm.drones[2].status()["pending"] == 2


def test_a_damaged_journal_is_said_in_words(lab: MakeLab) -> None:
    swarm = lab()
    for member in range(4):
        swarm.start(member)
    swarm.until_decided()
    swarm.drones[2].keeper.store.journal_append([JournalRecord(9, 0, "3", b"\x10damage", "1")])
    swarm.kill(2)
    with pytest.raises(NotVerified, match="journal"):
        swarm.start(2)


def test_a_session_signs_as_the_log_only_once_the_ledger_holds_it(lab: MakeLab) -> None:
    """It died before it certified what it knew to be stable, and comes back with another key."""
    for effect in range(30, 80):
        swarm = lab()
        for member in range(4):
            swarm.start(member, kill_at=effect if member == 1 else None)
        while 1 not in swarm.died:
            swarm.step()
        swarm.start(1, session=1)
        store = swarm.drones[1].keeper.store
        covered = verify_ledger(store, swarm.crew.trust).covered
        if swarm.drones[1].status()["stable"] == store.height and covered < store.size:
            break
    else:
        raise AssertionError("it never died there")
    swarm.until(store.height + 1)
    examine(swarm)
