# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A drone that lost its disk: it gets the ledger back, and contradicts nobody, itself least."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from swarm_ledger.consensus.messages import BINDING
from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, seal
from swarm_ledger.identity.cose import kid
from swarm_ledger.runtime.greeting import Welcome
from swarm_ledger.runtime.memory import PATIENCE_MS, Caution
from tests.crew import Crew
from tests.lab import Lab
from tests.security.test_changing_members import (
    CREW,
    decides,
    examine,
    hand_in,
    until,
    until_epoch,
)

MakeLab = Callable[..., Lab]
AGAIN = CREW.changed(CREW.roster)
"""The same members once more, so that who lost its disk may take part again."""


def decided(lab: MakeLab, **options: object) -> Lab:
    made = lab(crew=CREW, places=16, **options)
    for member in range(4):
        made.start(member)
    made.until_decided()
    return made


def bound(lab: Lab, since: int, member: int) -> list[object]:
    """What a drone has sent since then that binds it; others may repeat what it said before."""
    everything = lab.said
    lab.said = [(sender, raw) for sender, raw in everything[since:] if sender == member]
    said = [m for name, _, m in lab.statements() if name == lab.names[member]]
    lab.said = everything
    return [message for message in said if isinstance(message, BINDING)]


def welcome(by: str, to: str, height: int, session: int = 0) -> bytes:
    kid_of = kid(CREW.session(to, session).public_key)
    return seal(Kind.WELCOME, encode(Welcome(kid_of, height)), CREW.session(by), CREW.roster)


@pytest.mark.parametrize("member", [0, 2])
def test_it_catches_up_follows_and_takes_part_from_the_next_roster_on(
    lab: MakeLab, member: int
) -> None:
    """The leader, or a backup; the other three decide meanwhile."""
    made = decided(lab)
    made.wipe(member)
    since = len(made.said)
    made.start(member, session=1, first=1)
    until(made, lambda: made.drones[member].standing == "mute")
    decides(made, 2, CREW.roster)
    until(made, lambda: len({d.keeper.store.root() for d in made.drones.values()}) == 1)
    assert bound(made, since, member) == []
    assert [fields["version"] for fields in made.told("lost_disk")] == [1]
    assert "next roster version" in str(made.told("lost_disk")[0]["remedy"])
    hand_in(made, AGAIN, to=1)
    until_epoch(made, 2)
    assert made.drones[member].standing == "member"
    decides(made, 3, AGAIN.roster)
    decision = made.drones[1].machine.tally.decision(3)
    assert decision is not None
    assert sum(decision.counts) == 4
    until_epoch(made, 2)
    examine(made, AGAIN)


@pytest.mark.parametrize("effect", [2, 5, 9, 14])
def test_it_dies_again_while_it_catches_up(lab: MakeLab, effect: int) -> None:
    """Its disk is not empty any more then; that its ledger is not its own is still known."""
    made = decided(lab)
    made.wipe(2)
    since = len(made.said)
    made.start(2, session=1, first=1, kill_at=effect)
    until(made, lambda: 2 in made.died)
    made.start(2, session=1, first=1)
    until(made, lambda: made.drones[2].standing == "mute")
    decides(made, 2, CREW.roster)
    assert bound(made, since, 2) == []
    made.assert_no_contradiction()


def test_it_lost_its_disk_in_an_epoch_that_is_over(lab: MakeLab) -> None:
    """It may speak as soon as it has caught up: in the present epoch it never did."""
    made = decided(lab)
    made.wipe(2)
    hand_in(made, AGAIN, to=1)
    until_epoch(made, 2)
    made.trust[2] = CREW.knowing(AGAIN)
    made.start(2, session=1, first=1)
    until(made, lambda: made.drones[2].engine.speaks)
    assert made.drones[2].standing == "member"
    until_epoch(made, 2)
    examine(made, AGAIN)


def test_its_ledger_is_gone_and_its_sessions_are_not(lab: MakeLab) -> None:
    """Sessions that were set aside tell it at once, before it hears of anybody."""
    made = lab(crew=CREW, places=16)
    for member in range(4):
        made.lost[member] = 1 if member == 3 else 0
        made.start(member, session=int(member == 3), first=int(member == 3))
    assert made.drones[3].standing == "mute"
    made.until_decided()
    assert bound(made, 0, 3) == []


def test_a_new_swarm_is_not_kept_from_starting_by_a_liar(lab: MakeLab) -> None:
    """It claims blocks that nobody has, at each of the others; one such claim is believed in for
    a while."""
    made = lab(crew=CREW, places=16)
    made.liars.add("drone_4")
    for member in range(3):
        made.start(member)

    def told() -> bool:
        for drone in made.drones.values():
            drone.receive(CREW.identity("drone_4").delegation, made.now_ms)
            drone.receive(welcome("drone_4", drone.member.name, 10**9), made.now_ms)
        return all(drone.machine.tally.decision(1) for drone in made.drones.values())

    until(made, told, ms=PATIENCE_MS + 20_000)


def test_an_old_welcome_is_none(lab: MakeLab) -> None:
    """Nor is one for another: what counts names the session that we show now."""
    made = decided(lab)
    drone = made.drones[2]
    for raw in (
        welcome("drone_2", "drone_1", 9),
        welcome("drone_2", "drone_3", 9, session=1),
        welcome("drone_2", "watcher", 9, session=2),
    ):
        before = drone.faults["replayed"]
        drone.receive(raw, made.now_ms)
        assert drone.faults["replayed"] == before + 1
    for content in ([bytes(7), 1], [bytes(8), -1], [bytes(8)], 5):
        before = drone.faults["malformed"]
        sealed = seal(Kind.WELCOME, encode(content), CREW.session("drone_2"), CREW.roster)
        drone.receive(sealed, made.now_ms)
        assert drone.faults["malformed"] == before + 1


# when to speak


def test_caution_waits_for_a_quorum_and_for_the_highest_of_them() -> None:
    caution = Caution(3, 1, 0)
    assert not caution.over([], 0, 0)
    assert not caution.over([7], 7, PATIENCE_MS * 5)
    assert not caution.over([2, 7], 6, PATIENCE_MS * 5)
    assert not caution.over([90, 95], 6, PATIENCE_MS * 5 + 1), "what they had when we came counts"
    assert caution.over([90, 95], 7, PATIENCE_MS * 5 + 1)


def test_of_more_liars_than_could_be_left_the_claims_are_set_aside() -> None:
    """Seven drones, one of which lost its disk: one of the others lies at most."""
    caution = Caution(5, 2, 0)
    assert not caution.over([10**9, 7, 7, 6], 6, 1)
    assert caution.over([10**9, 7, 7, 6], 7, 1)


def test_caution_is_patient_as_long_as_blocks_come() -> None:
    caution = Caution(3, 1, 0)
    for second in range(100):
        assert not caution.over([10**6, 3], second, second * 1000)
    assert not caution.over([10**6, 3], 99, 99_000 + PATIENCE_MS - 1)
    assert caution.over([10**6, 3], 99, 99_000 + PATIENCE_MS)


def test_a_whole_crew_of_seven_starts_at_once(lab: MakeLab) -> None:
    made = lab(crew=Crew(7))
    for member in range(7):
        made.start(member)
    made.until_decided(ms=5_000)
