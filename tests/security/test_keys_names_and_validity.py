# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Who somebody is follows from a key, for a time; a name is a label, and a place has one key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from swarm_ledger.consensus.messages import Status
from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, Opener, seal
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.identity.roster import (
    Member,
    Roster,
    check_succession,
    drone_id,
    parse_roster,
    render_roster,
)
from swarm_ledger.identity.trust import Trust, Version
from swarm_ledger.identity.tuf import sign_roster
from swarm_ledger.runtime.doorman import Doorman
from swarm_ledger.runtime.fleet import FLEET, Fleet
from swarm_ledger.runtime.machine import Machine
from swarm_ledger.runtime.membership import roster_request
from swarm_ledger.sim.mission import Mission, prepare, utc_now
from tests.crew import END, FLYING, T0_MS, T0_S, Crew, KeyStore, key
from tests.lab import Lab
from tests.security.test_changing_members import decides, examine, hand_in, swarm_of, until_epoch

MakeLab = Callable[..., Lab]
CREW = Crew()


def signed(roster: Roster, members: list[Member], version: int = 0) -> Version:
    raw = render_roster(roster.swarm_id, version or roster.version + 1, members)
    targets = sign_roster(raw, [CREW.root("operator_1")], expires=END)
    return Version(targets, parse_roster(raw))


def rotated(roster: Roster, index: int, new: str) -> Version:
    """The next version, in which a member has the root key of another name."""
    members = list(roster.members)
    old = members[index]
    members[index] = replace(old, roles=frozenset())
    place = len(members)
    members.append(Member(place, old.name, CREW.root(new).public_key, KeyStore.SOFTWARE, FLYING))
    return signed(roster, members)


# a new key


def test_a_drone_gets_a_new_key_in_one_version_and_goes_on(lab: MakeLab) -> None:
    made = swarm_of(lab)
    new = rotated(CREW.roster, 2, "drone_9")
    assert new.roster.named("drone_3").index == 6
    hand_in(made, new)
    until_epoch(made, 2)
    assert made.drones[2].standing == "removed"
    made.names[6], made.trust[6] = "drone_9", CREW.knowing(new)
    made.start(6)
    until_epoch(made, 2)
    assert made.drones[6].member.name == "drone_3"
    made.names[6] = "drone_9"
    decides(made, 2, new.roster)
    until_epoch(made, 2)
    examine(made, new)


def test_the_old_key_is_nobody_from_then_on() -> None:
    """A thief has the old root key: nothing that it makes counts under the same name."""
    new = rotated(CREW.roster, 2, "drone_9").roster
    opener = Opener(new)
    stolen = CREW.root("drone_3")
    for raw, reason in (
        (CREW.identity("drone_3").delegation, "not_a_member"),
        (CREW.identity("drone_3", roster=new).delegation, "not_a_member"),
    ):
        with pytest.raises(PeerFault) as caught:
            opener.add_session(raw)
        assert caught.value.reason == reason
    with pytest.raises(PeerFault):
        opener.open(seal(Kind.VOTE, encode(CREW.observation()), stolen, new))


def test_a_place_never_means_two_keys_in_versions_that_follow_one_another() -> None:
    """Neither in evidence, nor votes, nor certificates, which name members by their places."""
    old, members = CREW.roster, list(CREW.roster.members)
    members[2] = replace(members[2], public_key=CREW.root("drone_9").public_key)
    with pytest.raises(Misuse, match="takes the place of drone_3, who was not revoked"):
        check_succession(old, signed(old, members).roster)
    new = rotated(old, 2, "drone_9").roster
    check_succession(old, new)
    back = [replace(m, roles=FLYING) if m.index == 2 else m for m in new.members]
    with pytest.raises(Misuse, match="name drone_3 stands twice"):
        signed(new, back)
    freed = list(new.members)
    freed[2] = Member(2, "drone_8", CREW.root("drone_8").public_key, KeyStore.SOFTWARE, FLYING)
    check_succession(new, signed(new, freed).roster)


def test_the_vote_of_an_old_key_goes_with_it() -> None:
    machine = Machine(CREW.trust)
    sessions = [CREW.identity(name).delegation for name in CREW.names]
    machine.apply(1, T0_MS, [*sessions, CREW.asked(), CREW.vote("drone_3", 1)])
    new = rotated(CREW.roster, 2, "drone_9")
    machine.apply(2, T0_MS, [roster_request(new)])
    assert [vote.voter for vote in machine.tally.votes(CREW.question_id)] == []


# for a time


def for_a_time(name: str, not_before: int, expires: int) -> Roster:
    members = [
        replace(m, not_before=not_before, expires=expires) if m.name == name else m
        for m in CREW.roster.members
    ]
    return signed(CREW.roster, members, version=1).roster


@pytest.mark.parametrize("name", ["drone_1", "operator_1"])
@pytest.mark.parametrize(("late_s", "counts"), [(-1, False), (0, True), (9, True), (10, False)])
def test_a_members_word_counts_for_its_time_in_the_ledgers_time(
    name: str, late_s: int, counts: bool
) -> None:
    begins = T0_S + 100
    roster = for_a_time(name, begins, begins + 10)
    targets = sign_roster(roster.raw, [CREW.root("operator_1")], expires=END)
    machine = Machine(Trust(CREW.anchor[0], [(targets, roster.raw)]))
    identity = CREW.identity("drone_1", roster=roster)
    raw = (
        seal(Kind.VOTE, encode(CREW.observation()), identity.session, roster)
        if name == "drone_1"
        else seal(Kind.QUESTION, encode(CREW.question), CREW.root(name), roster)
    )
    time_ms = (begins + late_s) * 1000
    done = machine.apply(1, time_ms, [identity.delegation, raw])
    assert done.receipts[0].result == "session"
    assert (done.receipts[1].result == "invalid: stale_member") is not counts
    if name == "drone_1":
        status = seal(Kind.CONSENSUS, encode(Status(0, 0, 0)), identity.session, roster)
        doorman = Doorman(machine.opener)
        if counts:
            doorman.hear(status, begins + late_s)
        else:
            with pytest.raises(PeerFault, match="no member at that time"):
                doorman.hear(status, begins + late_s)


def test_validity_is_left_out_of_a_roster_that_has_none() -> None:
    assert b"expires" not in CREW.raw_roster
    roster = for_a_time("drone_1", 5, 7)
    assert parse_roster(roster.raw).members[0].expires == 7
    assert parse_roster(roster.raw).members[1].valid_at(0)
    for bad in ((7, 7), (8, 7), (-1, 7), (0, 2**40)):
        with pytest.raises(Misuse):
            for_a_time("drone_1", *bad)


# names


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return prepare(Mission(run_dir=tmp_path, byzantine=0, transport="zmq"), now=utc_now())


def renamed(fleet: Fleet, old: str, new: str, *, with_id: bool) -> Fleet:
    """The same fleet file with another label for a drone."""
    member = fleet.trust.newest.named(old)
    drones = [
        msgspec.structs.replace(entry, name=new, id=member.drone_id if with_id else "")
        if entry.name == old
        else entry
        for entry in fleet.file.drones
    ]
    file = msgspec.structs.replace(fleet.file, drones=drones)
    (fleet.folder / FLEET).write_bytes(msgspec.yaml.encode(file))
    return Fleet.load(fleet.folder / FLEET)


def test_a_fleet_entry_that_is_renamed_is_the_same_drone(fleet: Fleet) -> None:
    now_s = int(utc_now().timestamp())
    member, session = fleet.member("drone_2"), fleet.identity("drone_2", now_s)
    other = renamed(fleet, "drone_2", "zebra", with_id=True)
    assert other.member("zebra") == member
    assert other.settings("zebra") == fleet.settings("drone_2")
    assert other.identity("zebra", now_s).delegation == session.delegation
    assert other.endpoints() == fleet.endpoints()


def test_without_an_id_a_renamed_drone_is_itself_and_its_peers_lack_its_address(
    fleet: Fleet,
) -> None:
    other = renamed(fleet, "drone_2", "zebra", with_id=False)
    assert other.member("zebra") == fleet.member("drone_2")
    assert fleet.endpoints().keys() - other.endpoints().keys() == {1}


def test_a_name_that_is_another_drones_gives_nothing_of_it(fleet: Fleet) -> None:
    """drone_2 calls itself drone_1 in its own fleet file: its key tells who it is."""
    two, one = fleet.member("drone_2"), fleet.drone("drone_1")
    swapped = [msgspec.structs.replace(fleet.drone("drone_2"), name="drone_1")]
    swapped += [msgspec.structs.replace(one, name="drone_2"), *fleet.file.drones[2:]]
    file = msgspec.structs.replace(fleet.file, drones=swapped)
    (fleet.folder / FLEET).write_bytes(msgspec.yaml.encode(file))
    other = Fleet.load(fleet.folder / FLEET)
    assert other.member("drone_1") == two
    assert other.identity("drone_1", 1_900_000_000).member == two


def test_a_key_that_is_in_no_roster_is_nobodys(fleet: Fleet) -> None:
    path = fleet.folder / "drone_2" / "key.pem"
    path.unlink()
    key("stranger").save(path)
    with pytest.raises(Misuse, match="not the one in the roster, nor any other's"):
        fleet.member("drone_2")


def test_an_id_follows_from_the_key_and_from_nothing_else() -> None:
    member = CREW.roster.members[0]
    other = replace(member, name="other", index=5, key_store=KeyStore.TPM2)
    assert member.drone_id == other.drone_id == drone_id(member.public_key)
    assert CREW.roster.listed(member.drone_id) == member
