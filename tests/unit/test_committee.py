# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A committee orders, all vote: who only follows has the same ledger, and is believed nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from swarm_ledger.audit.ledger import verify_ledger
from swarm_ledger.consensus.messages import Commit, Committed, Prepare, Status, parse
from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, kind_of, seal
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity.cose import parse1
from swarm_ledger.identity.roster import FLYING, VOTERS
from swarm_ledger.runtime.feeding import Follow, parse_follow
from tests.crew import T0_MS, Crew
from tests.lab import LIMIT, Lab

VALIDATORS, FOLLOWERS = range(4), range(4, 7)


@pytest.fixture
def crew() -> Crew:
    return Crew(7, followers=3)


@pytest.fixture
def swarm(crew: Crew, tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path, crew)
    for member in (*VALIDATORS, *FOLLOWERS):
        lab.start(member)
    yield lab
    lab.close()


def verdict(lab: Lab) -> str:
    """What all live drones decided, whose ledgers hold."""
    decisions = {str(drone.machine.tally.decision(1)) for drone in lab.drones.values()}
    assert len({drone.keeper.store.root() for drone in lab.drones.values()}) == 1
    for drone in lab.drones.values():
        verify_ledger(drone.keeper.store, lab.crew.trust)
    (one,) = decisions
    return one


def votes_on_ledger(lab: Lab, member: int) -> set[str]:
    return {
        fields["author"]
        for who, event, fields in lab.events
        if who == member and event == "vote" and "invalid" not in fields["result"]
    }


def test_all_vote_and_all_have_the_certified_ledger(swarm: Lab, crew: Crew) -> None:
    swarm.until_decided()
    swarm.run(2_000)
    assert verdict(swarm) != "None"
    for member in (0, 6):
        assert votes_on_ledger(swarm, member) == set(crew.names)
    assert [swarm.drones[n].standing for n in (0, 6)] == ["member", "follower"]
    assert not swarm.drones[6].engine.current.replica.settings.speaks


def test_followers_say_nothing_of_consensus_and_are_sent_only_blocks(swarm: Lab) -> None:
    swarm.until_decided()
    by_followers = {kind_of(raw) for member, raw in swarm.said if member in FOLLOWERS}
    assert by_followers == {Kind.SESSION, Kind.VOTE, Kind.FOLLOW}
    to_followers = Counter[type]()
    for member, to, raw in swarm.told_alone:
        if to not in FOLLOWERS:
            continue
        assert member in VALIDATORS
        if kind_of(raw) is Kind.CONSENSUS:
            to_followers[type(parse(parse1(raw[1:], limit=LIMIT).payload))] += 1
    assert set(to_followers) == {Status, Committed}


def test_who_votes_only_can_order_nothing(swarm: Lab, crew: Crew) -> None:
    swarm.run(500)
    drone = swarm.drones[0]
    for said in (Prepare(0, 1, bytes(32)), Commit(0, 1, bytes(32)), Status(0, 9, 0)):
        before = drone.faults["wrong_role"]
        drone.receive(crew.say("drone_7", said), swarm.now_ms)
        assert drone.faults["wrong_role"] == before + 1


def test_a_block_without_a_quorum_is_believed_of_nobody(swarm: Lab, crew: Crew) -> None:
    swarm.until_decided()
    drone = swarm.drones[6]
    height = drone.keeper.store.height
    commits = tuple(crew.say(name, Commit(0, height + 1, bytes(32))) for name in crew.names[:2])
    forged = Committed(height + 1, swarm.now_ms, (crew.vote("drone_1"),), commits)
    drone.receive(crew.say("drone_1", forged), swarm.now_ms)
    assert drone.faults["bad_certificate"] == 1
    assert drone.blamed["drone_1"]["bad_certificate"] == 1
    assert drone.keeper.store.height == height


def test_a_late_certificate_is_told_as_what_it_covers(
    swarm: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    drone, kept = swarm.drones[6], list[bytes]()
    with monkeypatch.context() as patch:
        patch.setattr(drone.following, "hear_certified", kept.append)
        swarm.run(1_500)
        size, another = drone.keeper.store.size, replace(swarm.crew.question, nonce=b"2" * 16)
        swarm.drones[1].submit(swarm.crew.asked(another), swarm.now_ms)
        for _ in range(1_000):
            if kept and drone.keeper.store.size > size:
                break
            swarm.step()
    before = len(swarm.events)
    drone.receive(kept[0], swarm.now_ms)
    (told,) = [one for who, name, one in swarm.events[before:] if (who, name) == (6, "checkpoint")]
    block = drone.keeper.store.block(told["height"])
    size = block.first + len(block.entries)
    assert size < drone.keeper.store.size
    assert told["size"] == size
    assert told["root"] == drone.keeper.store.root(size).hex()


@pytest.mark.parametrize("silent", VALIDATORS)
def test_a_silent_feeder_costs_turns_not_decisions(
    crew: Crew, tmp_path: Path, silent: int
) -> None:
    lab = Lab(tmp_path, crew, loss=0.1)
    for member in (*VALIDATORS, *FOLLOWERS):
        if member != silent:
            lab.start(member)
    lab.drones[0 if silent else 1].submit(crew.asked(), lab.now_ms)
    lab.until_decided()
    assert verdict(lab) != "None"
    lab.close()


def test_a_follower_that_was_away_catches_up_and_votes_once(swarm: Lab, crew: Crew) -> None:
    swarm.kill(6)
    swarm.until_decided()
    swarm.start(6)
    swarm.until(swarm.drones[0].keeper.store.height)
    swarm.assert_no_contradiction()
    assert verdict(swarm) != "None"


def test_a_follower_that_lost_its_disk_votes_no_more(swarm: Lab) -> None:
    swarm.until_decided()
    swarm.wipe(6)
    swarm.start(6, session=1, first=1)
    swarm.run(6_000)
    assert swarm.drones[6].standing == "mute"
    assert not swarm.drones[6].engine.votes
    swarm.assert_no_contradiction()


def test_the_roster_names_the_committee_and_changes_it_in_flight(
    crew: Crew, tmp_path: Path
) -> None:
    swarm = Lab(tmp_path, crew)
    swarm.audience = frozenset({*VALIDATORS, 6})  # as links do that know the roster to come
    for member in (*VALIDATORS, *FOLLOWERS):
        swarm.start(member)
    swarm.until_decided()
    changed = crew.changed(crew.roster, roles={"drone_1": VOTERS, "drone_7": FLYING})
    swarm.drones[5].learn(crew.knowing(changed), swarm.now_ms)
    for _ in range(3_000):
        if {drone.roster.version for drone in swarm.drones.values()} == {2}:
            break
        swarm.step()
    swarm.run(3_000)
    assert [swarm.drones[n].standing for n in (0, 6)] == ["follower", "member"]
    assert swarm.drones[6].engine.speaks
    assert not swarm.drones[0].engine.speaks
    assert swarm.drones[0].engine.votes
    assert verdict(swarm) != "None"
    swarm.close()


def test_who_asks_to_follow_is_a_voter_and_asks_within_bounds(swarm: Lab, crew: Crew) -> None:
    swarm.until_decided()
    drone, said = swarm.drones[1], len(swarm.said)
    drone.receive(follow(crew, "watcher", 0), swarm.now_ms)
    assert len(swarm.said) == said
    drone.receive(follow(crew, "drone_1", 0), swarm.now_ms)  # a validator has consensus for that
    assert len(swarm.said) == said
    later_ms = swarm.now_ms + 1_000
    drone.receive(follow(crew, "drone_5", 0), later_ms)
    served = len(swarm.said)
    drone.receive(follow(crew, "drone_5", 0, 2 * T0_MS + 1), later_ms)  # too soon after the first
    assert said < served == len(swarm.said)


def test_what_a_follower_asked_is_answered_once(swarm: Lab) -> None:
    swarm.until_decided()
    asked = [raw for who, _, raw in swarm.told_alone if (who, kind_of(raw)) == (6, Kind.FOLLOW)]
    swarm.run(3_000)

    def blocks() -> int:
        sent = (
            raw for _, to, raw in swarm.told_alone if to == 6 and kind_of(raw) is Kind.CONSENSUS
        )
        return sum(
            isinstance(parse(parse1(raw[1:], limit=LIMIT).payload), Committed) for raw in sent
        )

    before = blocks()
    for _ in range(100):
        for feeder in VALIDATORS:
            swarm.drones[feeder].receive(asked[0], swarm.now_ms)
        swarm.step()
    assert blocks() - before <= len(VALIDATORS) * swarm.drones[6].keeper.store.height


def follow(crew: Crew, name: str, height: int, number: int = 2 * T0_MS) -> bytes:
    payload = encode(Follow(height, 0, True, number))
    return seal(Kind.FOLLOW, payload, crew.session(name), crew.roster)


@pytest.mark.parametrize(
    "raw", [b"", b"\x84\x00\x00", encode([0, -1, True, 1]), encode([0, 0, 1, 1])]
)
def test_a_bad_payload_is_a_fault(raw: bytes) -> None:
    with pytest.raises(PeerFault):
        parse_follow(raw)
