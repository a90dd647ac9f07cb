# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Drones whose next block was pruned everywhere get a state from peers whom they don't trust."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from swarm_ledger.audit.ledger import verify_ledger
from swarm_ledger.consensus.messages import Fetch, parse
from swarm_ledger.encoding import decode, encode
from swarm_ledger.envelope import Kind, introduce
from swarm_ledger.identity.cose import parse1
from swarm_ledger.runtime import pruner, snapshot, transfer
from swarm_ledger.runtime.handover import MAX_STATE_BYTES, Handed
from swarm_ledger.runtime.machine import Tick
from swarm_ledger.runtime.membership import roster_request
from swarm_ledger.runtime.transfer import Lagging, Piece
from tests.crew import Crew
from tests.lab import LIMIT, STEP_MS, Lab

MakeLab = Callable[..., Lab]
CREW = Crew()
TWO = CREW.changed(CREW.roster, add=["drone_5"])
LAST = 3


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "EVERY", 2)
    monkeypatch.setattr(pruner, "WINDOW", 2)
    monkeypatch.setattr(transfer, "PIECE_BYTES", 2_000)
    monkeypatch.setattr(transfer, "PATIENCE_MS", 300)


def swarm_of(lab: MakeLab, crew: Crew = CREW, **options: Any) -> Lab:
    """A swarm that has decided once, and keeps as little as it may."""
    made = lab(crew=crew, places=16, **options)
    made.max_bytes = dict.fromkeys(range(16), 1)
    for member in made.names:
        made.start(member)
    made.until_decided()
    return made


def go_on(lab: Lab, blocks: int, by: int = 0) -> None:
    """Have blocks ordered, one after the other, and every second one certified by all."""
    drone = lab.drones[by]
    until(lab, lambda: drone.engine.speaks)
    for number in range(blocks):
        assert drone.identity is not None
        goal = drone.keeper.store.height + 1
        raw = drone.identity.seal(Kind.TICK, encode(Tick(lab.now_ms + 1 + number)))
        drone.submit(raw, lab.clock_ms(by))
        until(lab, lambda goal=goal: drone.keeper.store.height >= goal)  # type: ignore[misc]
        if number % 2 or number == blocks - 1:
            lab.until(goal)


def until(lab: Lab, done: Callable[[], bool], ms: int = 30_000) -> None:
    for _ in range(ms // 10):
        if done():
            return
        lab.step()
    raise AssertionError([drone.status() for drone in lab.drones.values()])


def height_of(lab: Lab, member: int) -> int:
    return lab.drones[member].keeper.store.height


def holds(lab: Lab, member: int) -> int:
    """Check a drone's ledger; return where it begins."""
    store = lab.drones[member].keeper.store
    verify_ledger(store, lab.crew.trust)
    assert store.root() == lab.drones[0].keeper.store.root(store.size)
    return store.base


def test_a_wiped_drone_recovers_among_peers_who_pruned_everything(lab: MakeLab) -> None:
    swarm = swarm_of(lab)
    go_on(swarm, 8)
    swarm.wipe(LAST)
    swarm.lost[LAST] = 1
    go_on(swarm, 1)
    assert all(drone.keeper.store.base > 1 for drone in swarm.drones.values())
    swarm.start(LAST, session=1, first=1)
    until(swarm, lambda: height_of(swarm, LAST) >= height_of(swarm, 0))
    (told,) = swarm.told("state_adopted")
    assert told["base"] > 1
    assert told["before"] == 0
    assert swarm.drones[LAST].standing == "mute"
    go_on(swarm, 3)
    assert holds(swarm, LAST) >= told["base"]
    assert swarm.drones[LAST].machine.tally.decision(1) is not None
    swarm.kill(LAST)
    swarm.start(LAST, session=1, first=1)
    go_on(swarm, 2)
    assert holds(swarm, LAST) > 0
    swarm.assert_no_contradiction()


def test_who_lags_further_than_peers_remember_goes_on_and_speaks(lab: MakeLab) -> None:
    swarm = swarm_of(lab)
    swarm.kill(LAST)
    before = len(swarm.told("state_adopted"))
    go_on(swarm, 8)
    swarm.start(LAST)
    until(swarm, lambda: height_of(swarm, LAST) >= height_of(swarm, 0))
    assert len(swarm.told("state_adopted")) == before + 1
    assert swarm.told("state_adopted")[-1]["before"] > 0
    assert swarm.drones[LAST].standing == "member"
    swarm.kill(1)  # then it is needed for a quorum
    go_on(swarm, 3)
    assert holds(swarm, LAST) > 0
    swarm.assert_no_contradiction()


def test_who_lags_a_little_gets_blocks(lab: MakeLab) -> None:
    swarm = swarm_of(lab)
    swarm.kill(LAST)
    go_on(swarm, 2)
    swarm.start(LAST)
    until(swarm, lambda: height_of(swarm, LAST) >= height_of(swarm, 0))
    assert swarm.told("state_adopted") == []


def test_an_archive_drops_nothing(lab: MakeLab) -> None:
    swarm = swarm_of(lab)
    swarm.max_bytes[LAST] = 0
    swarm.kill(LAST)
    swarm.start(LAST)
    swarm.until(height_of(swarm, 0))
    swarm.kill(LAST)
    stopped_at = swarm.drones[0].keeper.store.height
    go_on(swarm, 8)
    swarm.start(LAST)
    until(swarm, lambda: bool(swarm.told("history_lost")))
    swarm.run(1_000)
    assert height_of(swarm, LAST) <= stopped_at
    (told,) = swarm.told("history_lost")
    assert "drops nothing" in told["remedy"]
    assert verify_ledger(swarm.drones[LAST].keeper.store, CREW.trust).base == 0


def test_a_roster_that_changed_meanwhile_is_taken_along(lab: MakeLab) -> None:
    swarm = swarm_of(lab)
    swarm.kill(LAST)
    swarm.names[6] = "drone_5"
    swarm.drones[1].submit(roster_request(TWO), swarm.now_ms)
    until(swarm, lambda: all(d.roster.version == 2 for d in swarm.drones.values()))
    swarm.trust[6] = CREW.knowing(TWO)
    swarm.start(6)
    go_on(swarm, 8)
    assert min(d.keeper.store.base for d in swarm.drones.values()) > 0
    swarm.start(LAST)
    until(swarm, lambda: height_of(swarm, LAST) >= height_of(swarm, 0))
    assert swarm.told("state_adopted")
    assert swarm.drones[LAST].roster.version == 2
    go_on(swarm, 3)
    assert swarm.drones[LAST].standing == "member"
    assert holds(swarm, LAST) > 0
    swarm.assert_no_contradiction()


def forge(lab: Lab, member: int, change: Callable[[bytes], bytes]) -> None:
    """Have a drone hand out something else than its state."""
    giver = lab.drones[member].transfer
    real = giver._state

    def lie(height: int) -> tuple[int, bytes] | None:
        found = real(height)
        return None if found is None else (found[0] + 1, change(found[1]))

    giver._state = lie  # type: ignore[method-assign]


def without_a_session(state: bytes) -> bytes:
    handed: Handed = decode(state, Handed, limit=MAX_STATE_BYTES)
    kept = [one for one in handed.kept if one.data[0] != Kind.SESSION]
    values = [getattr(handed, name) for name in handed.__struct_fields__]
    values[2] = tuple(kept)
    return encode(Handed(*values))


def test_liars_cost_a_turn_each_and_are_named(lab: MakeLab) -> None:
    swarm = swarm_of(lab)
    go_on(swarm, 8)
    swarm.wipe(LAST)
    swarm.lost[LAST] = 1
    forge(swarm, 0, without_a_session)
    forge(swarm, 1, lambda state: bytes(len(state)))
    swarm.start(LAST, session=1, first=1)
    until(swarm, lambda: height_of(swarm, LAST) >= height_of(swarm, 2))
    drone = swarm.drones[LAST]
    blamed = {name for name, reasons in drone.blamed.items() if "bad_state" in reasons}
    assert "drone_1" in blamed
    assert blamed <= {"drone_1", "drone_2"}
    assert holds(swarm, LAST) > 0


def test_who_sends_nothing_more_is_left(lab: MakeLab) -> None:
    swarm = swarm_of(lab)
    go_on(swarm, 8)
    swarm.wipe(LAST)
    swarm.lost[LAST] = 1
    silent = swarm.drones[0].transfer
    silent.hear_lagging = lambda raw: None  # type: ignore[method-assign]
    swarm.start(LAST, session=1, first=1)
    until(swarm, lambda: height_of(swarm, LAST) >= height_of(swarm, 0))
    assert holds(swarm, LAST) > 0


def test_pieces_that_nobody_asked_for_change_nothing(lab: MakeLab) -> None:
    swarm = swarm_of(lab)
    drone, liar = swarm.drones[LAST], swarm.drones[0].identity
    assert liar is not None
    root = drone.keeper.store.root()
    for piece in (
        Piece(2**53 - 1, MAX_STATE_BYTES, 0, b"x"),
        Piece(1, 1, 0, b"x"),
        Piece(99, 10, 5, b"x"),
    ):
        for _ in range(20):
            sealed = liar.seal(Kind.PIECE, encode(piece))
            drone.receive(introduce(liar.delegation, sealed), swarm.now_ms)
    swarm.run(1_000)
    assert drone.keeper.store.root(swarm.drones[1].keeper.store.size) == root
    assert len(drone.transfer._offers) <= 1
    assert swarm.told("state_adopted") == []


def test_what_is_no_piece_is_refused(lab: MakeLab) -> None:
    swarm = swarm_of(lab)
    drone, liar = swarm.drones[LAST], swarm.drones[0].identity
    assert liar is not None
    for kind, payload in (
        (Kind.PIECE, b""),
        (Kind.PIECE, encode([1, 0, 0, b"x"])),
        (Kind.PIECE, encode([1, MAX_STATE_BYTES + 1, 0, b"x"])),
        (Kind.PIECE, encode([1, 9, 0, b""])),
        (Kind.LAGGING, encode([-1, 0, 1])),
        (Kind.LAGGING, encode([1, 0])),
    ):
        before = drone.faults["malformed"]
        drone.receive(introduce(liar.delegation, liar.seal(kind, payload)), swarm.now_ms)
        assert drone.faults["malformed"] == before + 1


def pieces(lab: Lab, since: int = 0) -> int:
    return sum(raw[0] == Kind.PIECE for _, raw in lab.said[since:])


def asking(lab: Lab, number: int, height: int = 5) -> bytes:
    member = lab.drones[0].identity
    assert member is not None
    asked = encode(Lagging(height, 2**40, number))
    return introduce(member.delegation, member.seal(Kind.LAGGING, asked))


def test_who_asks_again_and_again_is_answered_now_and_then(lab: MakeLab) -> None:
    swarm = swarm_of(lab)
    go_on(swarm, 8)
    drone, since = swarm.drones[LAST], len(swarm.said)
    for number in range(50):  # one answer at most in a few milliseconds
        drone.receive(asking(swarm, number), swarm.now_ms)
    assert pieces(swarm, since) == 1
    drone.receive(asking(swarm, 50), swarm.now_ms + 10)
    assert pieces(swarm, since) == 2


def test_who_asks_too_soon_is_answered_at_the_next_tick_and_need_not_ask_again(
    lab: MakeLab,
) -> None:
    """A fast link brings the next asking within the pause: dropped, it would come 250 ms later."""
    swarm = swarm_of(lab)
    go_on(swarm, 8)
    drone, since = swarm.drones[LAST], len(swarm.said)
    for number in range(3):
        drone.receive(asking(swarm, number), swarm.now_ms)
    assert pieces(swarm, since) == 1
    for later_ms in (10, 20, 30):
        drone.tick(swarm.now_ms + later_ms)
        assert pieces(swarm, since) == 2


def recovered(lab: MakeLab) -> tuple[Lab, list[bytes]]:
    """A swarm in which one was given a state, and all that it said meanwhile."""
    swarm = swarm_of(lab)
    go_on(swarm, 8)
    swarm.wipe(LAST)
    swarm.lost[LAST] = 1
    since = len(swarm.said)
    swarm.start(LAST, session=1, first=1)
    until(swarm, lambda: height_of(swarm, LAST) >= height_of(swarm, 0))
    return swarm, [raw for who, raw in swarm.said[since:] if who == LAST]


def test_what_asked_for_pieces_is_answered_once_however_often_it_is_said(lab: MakeLab) -> None:
    swarm, heard = recovered(lab)
    asked = [raw for raw in heard if raw[0] == Kind.LAGGING]
    assert len(asked) > 1
    since = len(swarm.said)
    for turn in range(1_000):
        for giver in range(3):
            swarm.drones[giver].receive(asked[turn % len(asked)], swarm.now_ms)
        swarm.step()
    assert pieces(swarm, since) <= 3 * len(asked)


def test_what_is_said_again_holds_up_nobody_who_asks(lab: MakeLab) -> None:
    swarm, heard = recovered(lab)
    asked = [raw for raw in heard if raw[0] == Kind.LAGGING]
    swarm.kill(LAST)
    go_on(swarm, 8)
    before = len(swarm.told("state_adopted"))
    swarm.start(LAST, session=1, first=1)
    for _ in range(3_000):
        if len(swarm.told("state_adopted")) > before:
            break
        for giver in range(3):
            for raw in asked:
                swarm.drones[giver].receive(raw, swarm.now_ms)
        swarm.step()
    assert len(swarm.told("state_adopted")) == before + 1
    assert holds(swarm, LAST) > 0


def is_fetch(raw: bytes) -> bool:
    if raw[0] == Kind.CARRIED:
        raw = decode(raw[1:], tuple[bytes, bytes], limit=LIMIT)[1]
    return raw[0] == Kind.CONSENSUS and isinstance(
        parse(parse1(raw[1:], limit=LIMIT).payload), Fetch
    )


def test_who_says_again_that_blocks_were_asked_for_has_few_states_offered(lab: MakeLab) -> None:
    swarm, heard = recovered(lab)
    fetched = [raw for raw in heard if is_fetch(raw)]
    assert fetched
    since = len(swarm.said)
    for _ in range(1_000):
        for giver in range(3):
            swarm.drones[giver].receive(fetched[0], swarm.now_ms)
        swarm.step()
    assert 0 < pieces(swarm, since) <= 3 * (1_000 * STEP_MS // 250 + 1)


@pytest.mark.parametrize("after", [0, 1, 2, 5])
def test_a_crash_while_a_state_is_taken_in_loses_nothing(lab: MakeLab, after: int) -> None:
    """Killed at one of the effects around the installation, it begins again from either ledger."""
    swarm = swarm_of(lab)
    swarm.kill(LAST)
    go_on(swarm, 8)
    swarm.start(LAST)
    drone, fuse = swarm.drones[LAST], swarm.fuses[LAST]
    adopt = drone.engine.adopt

    def lit(*state: Any) -> Any:
        fuse.at = fuse.count + 1 + after
        return adopt(*state)

    drone.engine.adopt = lit  # type: ignore[method-assign]
    until(swarm, lambda: LAST in swarm.died or height_of(swarm, LAST) >= height_of(swarm, 0))
    if LAST in swarm.died:
        swarm.start(LAST)
    fuse.at = None
    until(swarm, lambda: height_of(swarm, LAST) >= height_of(swarm, 0))
    go_on(swarm, 1)
    assert holds(swarm, LAST) > 0
    swarm.assert_no_contradiction()


def test_in_a_fleet_with_secrecy_states_are_secret(lab: MakeLab) -> None:
    swarm = swarm_of(lab, crew=Crew(4, "hidden", secret=True))
    go_on(swarm, 8)
    swarm.wipe(LAST)
    swarm.lost[LAST] = 1
    swarm.start(LAST, session=1, first=1)
    until(swarm, lambda: height_of(swarm, LAST) >= height_of(swarm, 0))
    assert swarm.told("state_adopted")
    assert {raw[0] for _, raw in swarm.air} & {Kind.PIECE, Kind.LAGGING} == set()
