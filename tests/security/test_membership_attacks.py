# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Attacks on what happens while members change, and on drones that lost their disks.

drone_4 is the attacker where a key is needed; else a stranger on the network is enough.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from swarm_ledger.consensus.messages import Committed, Status, parse
from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind
from swarm_ledger.identity.cose import parse1
from swarm_ledger.identity.roster import Roster
from swarm_ledger.identity.trust import Version
from swarm_ledger.runtime.machine import Machine, Tick
from swarm_ledger.runtime.memory import PATIENCE_MS
from tests.crew import DAY_S, T0_MS, T0_S, CrewKeys
from tests.lab import LIMIT, Lab
from tests.security.liar import HONEST, beset, tell
from tests.security.test_changing_members import CREW, ONE, decides, hand_in, until, until_epoch
from tests.security.test_lost_disk import AGAIN, bound, welcome
from tests.security.test_swarm import inner

MakeLab = Callable[..., Lab]


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


def tick(lab: Lab, name: str = "drone_1", roster: Roster | None = None) -> bytes:
    """A request that asks for a block, and nothing else."""
    return CREW.identity(name, roster=roster).seal(Kind.TICK, encode(Tick(lab.now_ms)))


def test_one_that_was_away_for_long_catches_up_with_the_end_of_its_epoch(lab: MakeLab) -> None:
    """It has no newer roster: those who are in the next epoch show it all that is left of its own,
    more often than once each.
    """
    made = lab(crew=CREW, places=16)
    for member in range(4):
        made.start(member)
    made.until_decided()
    made.kill(3)
    for _ in range(130):
        made.drones[0].submit(tick(made), made.now_ms)
        made.run(30)
    hand_in(made, AGAIN)
    until_epoch(made, 2)
    decides(made, 2, AGAIN.roster)
    until_epoch(made, 2)
    made.start(3)
    until(made, lambda: made.drones[3].roster.version == 2)


def three(lab: MakeLab) -> Lab:
    """Three honest drones that have decided, and drone_4, who is played by the test."""
    made = beset(lab(crew=CREW, places=16), CREW)
    made.until_decided()
    return made


def goes_on(lab: Lab, roster: Roster | None = None) -> None:
    """Each member's request is ordered, and all hold the same then."""
    live = list(lab.drones.values())
    for member, drone in lab.drones.items():
        height = drone.keeper.store.height
        drone.submit(tick(lab, lab.names[member], roster), lab.now_ms)
        until(lab, lambda above=height: all(d.keeper.store.height > above for d in live))
    lab.until(min(d.keeper.store.height for d in live))
    lab.assert_no_contradiction()


def test_each_drone_is_shown_other_sessions(lab: MakeLab) -> None:
    """More than it notes of one member: who is shown 16 refuses what another one has ordered."""
    made = three(lab)
    for member in HONEST:
        for number in range(1, 20):
            session = CREW.identity("drone_4", 1 + number + 20 * member)
            tell(made, session.delegation, (member,))
    goes_on(made)


def test_a_vote_by_a_session_that_one_drone_knows(lab: MakeLab) -> None:
    """It was shown to each of them when there was no room for it in the pool."""
    made = three(lab)
    for member in HONEST:
        for _ in range(64):
            made.now_ms += 1
            tell(made, tick(made, "drone_4"), (member,))
        secret = CREW.identity("drone_4", 1 + member)
        tell(made, secret.delegation, (member,))
    until(made, lambda: not any(d.status()["pending"] for d in made.drones.values()))
    for member in HONEST:
        tell(made, CREW.vote("drone_4", session=1 + member), (member,))
    goes_on(made)


def test_a_session_that_was_in_flight_when_its_epoch_ended(lab: MakeLab) -> None:
    """It was prepared behind the end by those who had it, and is void: who does not have it would
    not take it any more.
    """
    made = three(lab)
    void = CREW.identity("drone_4", 7).delegation
    carry_on = made.network.carry
    made.network.carry = lambda sender, to, data: (  # type: ignore[method-assign]
        None if to == 2 and data == void else carry_on(sender, to, data)
    )
    hand_in(made, AGAIN, to=0)
    tell(made, void, (0, 1))
    until(made, lambda: all(d.roster.version == 2 for d in made.drones.values()))
    made.network.carry = carry_on  # type: ignore[method-assign]
    until_epoch(made, 2)
    goes_on(made, AGAIN.roster)
    store = made.drones[0].keeper.store
    assert void not in [store.entry(index) for index in range(store.size)]


# lost disks


def test_a_liar_does_not_keep_a_beginner_quiet_in_a_busy_swarm(lab: MakeLab) -> None:
    """It claims blocks that nobody has, and others go on coming: there is no pause to wait for."""
    made = lab(crew=CREW, places=16)
    made.liars.add("drone_4")
    for member in (0, 1, 3):
        made.start(member)
    made.until_decided()
    lie, carry_on = welcome("drone_4", "drone_3", 10**9), made.network.carry
    made.network.carry = lambda sender, to, data: carry_on(  # type: ignore[method-assign]
        sender, to, lie if (sender, to, data[0]) == (3, 2, Kind.WELCOME) else data
    )
    made.start(2)
    for _ in range(5):
        made.run(4_000)
        made.drones[0].submit(tick(made), made.now_ms)
    assert made.drones[2].engine.speaks


def test_blocks_that_are_kept_from_it_do_not_make_it_speak(lab: MakeLab) -> None:
    """A stranger lets through to it how far the others are, and not what they have."""
    made = lab(crew=CREW, places=16)
    for member in range(4):
        made.start(member)
    made.until_decided()
    made.wipe(2)
    since, carry_on = len(made.said), made.network.carry
    made.network.carry = lambda sender, to, data: (  # type: ignore[method-assign]
        None if to == 2 and says(data, Committed) else carry_on(sender, to, data)
    )
    made.start(2, session=1, first=1)
    made.run(3 * PATIENCE_MS)
    assert not made.drones[2].engine.current.replica.settings.speaks
    made.network.carry = carry_on  # type: ignore[method-assign]
    until(made, lambda: made.drones[2].standing == "mute")
    assert bound(made, since, 2) == []


def says(raw: bytes, form: type) -> bool:
    """Whether sealed bytes are that message of consensus."""
    if raw[0] not in (Kind.CONSENSUS, Kind.CARRIED):
        return False
    return isinstance(parse(parse1(inner(raw)[1:], limit=LIMIT).payload), form)


def test_a_crash_does_not_hide_that_the_ledger_was_lost(
    lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sessions are on disk still; it dies as soon as there is a ledger again."""
    made = lab(crew=CREW, places=16)
    for member in range(4):
        made.start(member)
    made.until_decided()
    made.wipe(3)
    monkeypatch.setattr(CrewKeys, "lose", lambda _: made.lost.update({3: 1}))
    made.start(3, kill_at=2)
    assert made.died == {3}
    made.start(3)
    assert made.drones[3].standing == "mute"


def test_a_vote_said_again_is_known_after_a_crash(lab: MakeLab) -> None:
    """Its drone restarts before the ledger holds its new session: it must not look again."""
    made = lab(crew=CREW, places=16)
    for member in range(4):
        made.start(member)
    carry_on = made.network.carry
    made.network.carry = lambda sender, to, data: (  # type: ignore[method-assign]
        None if sender and data[0] == Kind.VOTE else carry_on(sender, to, data)
    )
    until(made, lambda: any(who == 2 and raw[0] == Kind.VOTE for who, raw in made.said))
    hand_in(made, AGAIN)
    until(made, lambda: made.drones[2].roster.version == 2)
    assert not made.drones[2].engine.speaks
    made.kill(2)
    made.start(2)
    assert not made.drones[2].curious
    made.network.carry = carry_on  # type: ignore[method-assign]
    until_epoch(made, 2)
    made.until_decided()
    made.assert_no_contradiction()


def test_a_delegation_made_earlier_does_not_silence_its_member(lab: MakeLab) -> None:
    """It was heard in another flight under the same roster, and is over since a day."""
    made = three(lab)
    old = CREW.identity("drone_3", 5, start_s=T0_S - 3 * DAY_S)
    tell(made, old.delegation)
    made.run(1_000)
    assert made.drones[2].standing == "member"


def test_status_of_others_from_before_it_lost_its_disk_does_not_make_it_speak(
    lab: MakeLab,
) -> None:
    """A stranger repeats to it how far the others were when the swarm began."""
    made = lab(crew=CREW, places=16)
    for member in range(4):
        made.start(member)
    made.until_decided()
    old = [
        raw
        for sender, raw in made.said
        if sender in (1, 2) and says(raw, Status) and raw[0] == Kind.CARRIED
    ]
    made.wipe(0)
    since, carry_on = len(made.said), made.network.carry
    made.network.carry = lambda sender, to, data: (  # type: ignore[method-assign]
        None if to == 0 else carry_on(sender, to, data)
    )
    old += [raw for _, raw in made.said if raw[0] == Kind.WELCOME]
    made.start(0, session=1, first=1)
    for raw in old:
        tell(made, raw, (0,))
    made.run(1_000)
    assert bound(made, since, 0) == []
