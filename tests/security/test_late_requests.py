# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Requests that some drones hold and others refuse: nobody is blamed for them, nothing stands."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from swarm_ledger.consensus.messages import Prepare
from swarm_ledger.encoding import digest, encode
from swarm_ledger.envelope import MAX_SESSIONS_PER_MEMBER, Kind, seal
from swarm_ledger.runtime.machine import Tick
from swarm_ledger.runtime.membership import roster_request
from tests.crew import DAY_S, T0_MS, Crew
from tests.lab import Lab
from tests.security.liar import tell
from tests.security.test_changing_members import hand_in, until_epoch
from tests.security.test_evidence import GUILTY, ONE, OTHER, pair, swarm, until

MakeLab = Callable[..., Lab]
SECOND = pair(Prepare(0, 7, ONE), Prepare(0, 7, OTHER))

__all__ = ["swarm"]


def settled(lab: Lab, ms: int = 5_000) -> None:
    """Nothing waits anywhere any more, nobody left its view for it, and nobody does later."""
    until(lab, lambda: all(not d.status()["pending"] for d in lab.drones.values()))
    assert {d.status()["view"] for d in lab.drones.values()} == {0}
    lab.run(ms)
    assert {d.status()["view"] for d in lab.drones.values()} == {0}
    assert not any(d.status()["pending"] for d in lab.drones.values())


@pytest.mark.parametrize("holders", [(0,), (0, 1), (2,), (1, 2)])
def test_an_accusation_that_only_some_have_stops_nobody(
    swarm: Lab, crew: Crew, holders: tuple[int, ...]
) -> None:
    """Found by Twins, scenario 1999 of 4 rounds: what waits in some pools is ordered some time,
    and whoever lacks it must be able to take it in, whatever the ledger says by then. If none of
    them leads, they give it up."""
    swarm.until_decided()
    tell(swarm, GUILTY)
    tell(swarm, SECOND, holders)  # the block that convicts is on its way
    until(swarm, lambda: all(drone.machine.convicted for drone in swarm.drones.values()))
    vote = msgspec.structs.replace(crew.observation(), question=digest(b"another"))
    raw = seal(Kind.VOTE, encode(vote), crew.session("drone_4"), crew.roster)
    tell(swarm, raw)
    settled(swarm)


def test_one_drone_took_in_what_is_too_late_for_the_others(lab: MakeLab) -> None:
    """Its clock was behind: it alone holds a request whose session has ended meanwhile."""
    crew = Crew()
    made = lab(crew=crew)
    for member in range(4):
        made.start(member, session=1 if member == 3 else 0)
    made.until_decided()
    short = crew.identity("drone_4", 0, seconds=100)
    tell(made, short.delegation)
    made.run(1_000)
    raw = short.seal(Kind.TICK, encode(Tick(T0_MS)))
    clock = made.now_ms
    made.drones[2].receive(raw, made.now_ms)
    for member in (0, 1, 3):
        made.drones[member].tick(clock + 101_000)
    made.now_ms = clock + 101_000
    settled(made)


def test_more_sessions_than_a_member_may_have_shown_to_each_drone_in_another_order(
    swarm: Lab, crew: Crew
) -> None:
    """Each has room for others of them; the ledger counts the first sixteen, alike everywhere."""
    swarm.until_decided()
    many = [crew.identity("drone_4", n).delegation for n in range(MAX_SESSIONS_PER_MEMBER + 9)]
    for member in range(3):
        for raw in many[5 * member :] + many[: 5 * member]:
            swarm.drones[member].receive(raw, swarm.now_ms)
    settled(swarm)
    held = {
        tuple(session.kid for session in drone.machine.opener.sessions_of(drone.roster.members[3]))
        for drone in swarm.drones.values()
    }
    assert [len(kids) for kids in held] == [MAX_SESSIONS_PER_MEMBER]
    assert swarm.drones[0].faults["too_many_sessions"]


def test_what_an_old_epoch_left_on_a_disk_is_gone_with_it(lab: MakeLab) -> None:
    """Found by the drill: sessions that a view change had ordered twice stayed on disk, were
    taken for news in the next epoch, where all others refused them, and one drone stood apart."""
    crew = Crew()
    made = lab(crew=crew, places=16)
    for member in range(4):
        made.start(member)
    made.until_decided()
    ahead = crew.changed(crew.roster)
    for raw in (
        crew.identity("drone_2").delegation,
        crew.vote("drone_3"),
        roster_request(ahead),
        b"\x05 no evidence",
    ):
        made.drones[2].keeper.store.pending_put(digest(raw), raw)
    hand_in(made, ahead, to=1)
    until_epoch(made, 2)
    settled(made)
    assert made.drones[2].keeper.store.pending_read() == []
    made.drones[2].keeper.store.pending_put(digest(crew.asked()), crew.asked())
    made.kill(2)
    made.start(2)
    settled(made)
    assert made.drones[2].keeper.store.pending_read() == []


def test_a_roster_that_one_drone_holds_and_that_expires_is_given_up(lab: MakeLab) -> None:
    crew = Crew()
    made = lab(crew=crew, places=16)
    for member in range(4):
        made.start(member)
    made.until_decided()
    made.drones[2].receive(roster_request(crew.changed(crew.roster)), made.now_ms)
    made.now_ms += 400 * DAY_S * 1000
    for drone in made.drones.values():
        drone.tick(made.now_ms)
    until(made, lambda: not made.drones[2].status()["pending"])
