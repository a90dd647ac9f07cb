# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Questions that operators confide to drones that speak in secret, and attacks on that."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, kind_of, seal
from swarm_ledger.identity.confided import (
    MAX_CONFIDED_BYTES,
    Confided,
    confide,
    parse_confided,
)
from swarm_ledger.identity.roster import Roster
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.membership import roster_request
from swarm_ledger.signers import Signer
from swarm_ledger.transport.secret import CLEAR
from swarm_ledger.voting.question import question_id
from tests.crew import T0_MS, Crew
from tests.lab import Lab
from tests.ruled import lease_rule

MakeLab = Callable[..., Lab]
CREW = Crew(secret=True)
SECOND = msgspec.structs.replace(CREW.question, subject="And there?", nonce=b"another question")
SECOND_ID = question_id(encode(SECOND))
OPERATOR = CREW.root("operator_1")


def swarm_of(lab: MakeLab, crew: Crew = CREW) -> Lab:
    made = lab(crew=crew)
    for member in range(4):
        made.start(member)
    made.until_decided()
    return made


def confided(data: bytes, roster: Roster = CREW.roster) -> bytes:
    return bytes([Kind.CONFIDED]) + confide(data, roster, lambda size: b"\7" * size)


def asked(signer: Signer = OPERATOR, roster: Roster = CREW.roster) -> bytes:
    return seal(Kind.QUESTION, encode(SECOND), signer, roster)


def hears(drone: Drone, raw: bytes, now_ms: int) -> list[str]:
    """Why a drone refuses a message, nothing if it doesn't."""
    before = dict(drone.faults)
    drone.receive(raw, now_ms)
    return [reason for reason, n in drone.faults.items() if n > before.get(reason, 0)]


def until_decided_again(lab: Lab) -> None:
    for _ in range(3_000):
        if all(drone.machine.tally.decision(2) for drone in lab.drones.values()):
            return
        lab.step()
    raise AssertionError([(drone.status(), drone.faults) for drone in lab.drones.values()])


@pytest.mark.parametrize("heard_by", [0, 3])
def test_one_that_hears_it_is_enough(lab: MakeLab, heard_by: int) -> None:
    """A leader, or another: it passes the question on in secret."""
    made = swarm_of(lab)
    raw = confided(asked())
    assert hears(made.drones[heard_by], raw, made.now_ms) == []
    until_decided_again(made)
    for drone in made.drones.values():
        decision = drone.machine.tally.decision(2)
        assert decision is not None
        assert decision.question == SECOND_ID
    everything = b"\0".join(data for _, data in made.air) + raw
    assert b"And there?" not in everything
    assert asked() not in everything
    assert {kind_of(data) for _, data in made.air} <= {*CLEAR, Kind.SECRET}


def test_the_same_again_counts_once(lab: MakeLab) -> None:
    """To all, before, during and after the vote, also encrypted anew by whoever could read it."""
    made = swarm_of(lab)
    again = bytes([Kind.CONFIDED]) + confide(asked(), CREW.roster, lambda size: b"\1" * size)
    for _ in range(3):
        for drone in made.drones.values():
            for raw in (confided(asked()), again):
                assert hears(drone, raw, made.now_ms) == []
        made.run(200)
    until_decided_again(made)
    made.run(20_000)
    height = made.drones[0].keeper.store.height
    for drone in made.drones.values():
        assert hears(drone, confided(asked()), made.now_ms) == []
    made.run(2_000)
    assert made.drones[0].keeper.store.height <= height + 1
    for drone in made.drones.values():
        assert drone.machine.tally.decision(3) is None
        assert drone.machine.tally.open_questions() == ()


def test_who_may_not_ask_may_not_confide_either(lab: MakeLab) -> None:
    made = swarm_of(lab)
    stranger = Crew(swarm="other", secret=True).root("operator_1")
    for signer, reason in (
        (stranger, "unknown_key"),
        (CREW.root("watcher"), "unknown_key"),
        (CREW.root("drone_2"), "unknown_key"),
        (CREW.session("drone_2"), "wrong_role"),
    ):
        assert hears(made.drones[0], confided(asked(signer)), made.now_ms) == [reason]
    bent = asked()[:-1] + bytes([asked()[-1] ^ 1])
    assert hears(made.drones[0], confided(bent), made.now_ms) == ["bad_signature"]
    made.run(2_000)
    assert made.drones[0].machine.tally.open_questions() == ()


def test_nothing_but_a_question_is_heard_so(lab: MakeLab) -> None:
    made = swarm_of(lab)
    drone, session = made.drones[0], CREW.session("drone_2")
    for data in (
        CREW.vote("drone_2", 1),
        seal(Kind.TICK, encode([1, T0_MS]), session, CREW.roster),
        seal(Kind.RULE, encode(lease_rule()), OPERATOR, CREW.roster),
        CREW.identity("drone_2").delegation,
        roster_request(CREW.changed(CREW.roster, revoke=["watcher"])),
        confided(asked()),
    ):
        assert hears(drone, confided(data), made.now_ms) == ["not_asked"], kind_of(data)
    assert hears(drone, confided(b""), made.now_ms) == ["malformed"]
    assert hears(drone, confided(b"\xff"), made.now_ms) == ["malformed"]
    with made.secrets[1].within(1):
        nested = made.secrets[1].conceal(confided(asked()))
    assert nested is not None
    assert hears(drone, nested, made.now_ms) == ["malformed"], "drones confide nothing"
    made.run(1_000)
    assert not made.told("evidence")


def test_bytes_that_are_not_as_they_were_made(lab: MakeLab) -> None:
    made = swarm_of(lab)
    drone, raw = made.drones[0], confided(asked())
    found = parse_confided(raw[1:])[0]

    def heard(record: Confided) -> list[str]:
        return hears(drone, bytes([Kind.CONFIDED]) + encode(record), made.now_ms)

    assert hears(drone, raw[:-1] + bytes([raw[-1] ^ 1]), made.now_ms) == ["bad_tag"]
    assert hears(drone, raw[:-1], made.now_ms) == ["malformed"]
    assert hears(drone, raw + b"\0", made.now_ms) == ["malformed"]
    assert hears(drone, raw[:1], made.now_ms) == ["malformed"]
    replace = msgspec.structs.replace
    assert heard(replace(found, shares=found.shares[1:])) == ["no_share"]
    assert heard(replace(found, shares=found.shares[:1] * 2)) == ["malformed"]
    assert heard(replace(found, shares=((0, found.shares[1][1]),))) == ["bad_share"]
    assert heard(replace(found, version=2)) == ["malformed"]
    assert hears(drone, raw + bytes(MAX_CONFIDED_BYTES), made.now_ms) == ["oversize"]
    assert made.secrets[0].lacking == set(), "nobody is asked for a secret because of that"
    assert drone.machine.tally.open_questions() == ()


def test_it_is_for_the_roster_in_force(lab: MakeLab) -> None:
    """Under one that is over, or not known, it asks nothing; in the present one it does."""
    made = swarm_of(lab)
    later = CREW.changed(CREW.roster, revoke=["watcher"])
    ahead = confided(asked(roster=later.roster), later.roster)
    assert hears(made.drones[0], ahead, made.now_ms) == ["no_key"]
    made.drones[0].submit(roster_request(later), made.now_ms)
    for _ in range(3_000):
        if all(d.roster.version == 2 and d.engine.speaks for d in made.drones.values()):
            break
        made.step()
    assert hears(made.drones[0], confided(asked()), made.now_ms) == ["stale_epoch"]
    wrong = confided(asked(), later.roster)
    assert hears(made.drones[0], wrong, made.now_ms) == ["stale_epoch"]
    assert hears(made.drones[0], ahead, made.now_ms) == []
    until_decided_again(made)


def test_another_swarm_is_not_asked_by_it(lab: MakeLab) -> None:
    made = swarm_of(lab)
    other = Crew(swarm="other", secret=True)
    raw = confided(asked(roster=other.roster), other.roster)
    assert hears(made.drones[0], raw, made.now_ms) == ["bad_share"]


def test_a_drone_without_secrecy_says_why_it_does_not_understand(lab: MakeLab) -> None:
    made = swarm_of(lab, Crew())
    assert hears(made.drones[0], confided(asked()), made.now_ms) == ["no_key"]
    assert "fleet file" in made.told("fault")[-1]["what"]


def test_a_flood_of_it_leaves_nothing_behind(lab: MakeLab) -> None:
    made = swarm_of(lab)
    drone, air = made.drones[0], len(made.air)
    raw = confided(asked(CREW.session("drone_2")))
    for number in range(300):
        junk = Confided(1 + number % 3, ((0, bytes([number % 256]) * 80),), b"\xd0" + raw[-40:])
        drone.receive(bytes([Kind.CONFIDED]) + encode(junk), made.now_ms)
        drone.receive(raw, made.now_ms)
    assert len(made.air) == air
    assert made.secrets[0].lacking == set()
    assert drone.faults["wrong_role"] == 300
