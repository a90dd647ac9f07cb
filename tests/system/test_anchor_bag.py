# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A bag and a ledger of one flight: since when each message exists, and what was taken out.

The flight: three honest drones order what the relays of drone_1 and drone_2 anchor; drone_1's
relay restarts in between. drone_4 lies.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from swarm_ledger.audit.anchors import Anchors, check_place
from swarm_ledger.audit.ledger import Held, open_ledger, verify_ledger
from swarm_ledger.audit.relay import check_bag
from swarm_ledger.envelope import Kind, kind_of
from swarm_ledger.errors import NotVerified
from swarm_ledger.identity.trust import write_trust
from swarm_ledger.ledger.merkle import leaf_hash, verify_inclusion
from swarm_ledger.relay.anchor import LEAVES_TOPIC, Range
from swarm_ledger.relay.sender import Sender
from swarm_ledger.relay.statement import Notarised, sequence_of
from swarm_ledger.relay.verifier import Verified
from swarm_ledger.runtime.courier import Courier, Outbox
from tests.anchored import anchor, anchoring_sender, sealed_anchor
from tests.bags import write_bag
from tests.crew import END, Crew
from tests.lab import Lab
from tests.laid_open import lay_open
from tests.relayed import signed, windowed
from tests.system.command import Said, call

CREW = Crew()
SECOND_MS = 1_000


@dataclass
class Relay:
    """A drone's relay, and what it said, in order."""

    lab: Lab
    member: int
    run: int = 1
    said: list[Notarised] = field(default_factory=list)
    sender: Sender = field(init=False)
    outbox: Outbox = field(init=False)

    def __post_init__(self) -> None:
        self.begin()

    @property
    def name(self) -> str:
        return CREW.names[self.member]

    def begin(self) -> None:
        self.outbox = Outbox(self.lab.folders[self.member])
        pending = self.outbox.pending()
        self.sender = anchoring_sender(
            CREW, self.name, run=self.run, pending=pending, announce_us=1_000_000
        )

    def say(self) -> None:
        """What a second brings: odometry one by one, an IMU by windows."""
        now_us = self.lab.now_ms * 1_000
        self.said.append(signed(self.sender, 1, f"/{self.name}/odom", now_us))
        for _ in range(2):
            self.said += windowed(self.sender, 4, f"/{self.name}/imu", now_us)

    def look(self, *, last: bool = False) -> None:
        told = self.outbox.told()
        made = self.sender.anchor(told, self.lab.now_ms * 1_000, last=last) if told else None
        if made is not None:
            self.outbox.put(made.sealed)
            if made.leaves is not None:
                self.said.append(made.leaves)


@dataclass(frozen=True)
class Flight:
    """What is left of it. said: by all relays, in the order of time; folders: of the ledgers."""

    home: Path
    said: list[Notarised]
    folders: dict[int, Path]
    roster: Path

    def verify(self, bag: Path, *more: object) -> Said:
        ledger = self.folders[2]
        return call("relay", "verify", bag, "--roster", self.roster, "--ledger", ledger, *more)


class Company:
    """Two relays beside their drones, and the lab that they fly in."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        for member in range(3):
            lab.start(member)
        self.tell(CREW.identity("drone_4").delegation)
        lab.until_decided()
        self.relays = [Relay(lab, member) for member in (0, 1)]
        self.couriers = [Courier(lab.folders[member], lambda *_: None) for member in (0, 1)]

    def tell(self, raw: bytes) -> None:
        for drone in self.lab.drones.values():
            drone.receive(raw, self.lab.now_ms)

    def second(self, *, say: bool) -> None:
        if say:
            for relay in self.relays:
                relay.say()
        self.lab.run(SECOND_MS)
        for member, courier in enumerate(self.couriers):
            courier.look(self.lab.drones[member], self.lab.now_ms)
        for relay in self.relays:
            relay.look()

    def fly(self) -> None:
        for at in range(45):
            self.second(say=True)
            if at == 20:  # killed: what it had not handed in yet is in no anchor
                self.relays[0].outbox.close()
                self.relays[0].run = 2
                self.relays[0].begin()
        for relay in self.relays:
            relay.look(last=True)
        # A liar's: drone_1's messages as its own, and numbers that it never said.
        ranges = (Range("/drone_1/odom", sequence_of(1, 1), 20), Range("/x", sequence_of(1, 1), 9))
        self.tell(sealed_anchor(CREW, "drone_4", anchor(1, ranges=ranges)))
        for _ in range(15):
            self.second(say=False)
        for relay in self.relays:
            relay.outbox.close()
        self.lab.until(self.lab.drones[0].keeper.store.height)


@pytest.fixture(scope="module")
def flight(tmp_path_factory: pytest.TempPathFactory) -> Flight:
    home = tmp_path_factory.mktemp("flight")
    lab = Lab(home / "lab", CREW)
    company = Company(lab)
    company.fly()
    lab.close()
    roster = home / "roster"
    write_trust(roster, CREW.raw_roster, [CREW.root("operator_1")], threshold=1, expires=END)
    said = [one for relay in company.relays for one in relay.said]
    return Flight(home, sorted(said, key=lambda one: one.stamp_us), dict(lab.folders), roster)


def topics(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What the honest ones' topics came to."""
    return {one["topic"]: one for one in found["topics"] if one["signer"] != "drone_4"}


def test_the_whole_bag(flight: Flight, tmp_path: Path) -> None:
    said = flight.verify(write_bag(tmp_path / "bag", flight.said), "--json")
    assert said.code == 0, said
    found = said.json
    assert (found["verified"], found["whole"]) == (True, True)
    honest = [one for one in found["anchors"] if one["signer"] != "drone_4"]
    assert {one["shown"] for one in honest} == {"whole"}
    assert len(honest) >= 6
    by_topic = topics(found)
    odom = by_topic["/drone_2/odom"]
    assert (odom["recorded"], odom["anchored"], odom["not_anchored"]) == (45, 45, 0)
    assert odom["missing"] == {"middle": 0, "end": 0}
    assert odom["first"]["height"] < odom["last"]["height"]
    assert odom["last"]["time_ms"] > odom["first"]["time_ms"]
    killed = by_topic["/drone_1/imu"]
    assert killed["recorded"] == 360
    assert 0 < killed["not_anchored"] < 8 * 13, "what a relay that was killed had not handed in"
    assert killed["anchored"] == 360 - killed["not_anchored"]
    told = flight.verify(tmp_path / "bag")
    assert "nothing that was anchored is missing" in told.text
    assert f"/drone_1/imu: {killed['not_anchored']} messages are not anchored" in told.text


def test_cut_at_its_end(flight: Flight, tmp_path: Path) -> None:
    half = len(flight.said) // 2
    said = flight.verify(write_bag(tmp_path / "bag", flight.said[:half]), "--json")
    assert said.code == 1
    found = said.json
    assert (found["verified"], found["whole"]) == (True, False)
    for name in ("drone_1", "drone_2"):
        for topic in ("odom", "imu"):
            one = topics(found)[f"/{name}/{topic}"]
            assert one["missing"]["end"] > 0
            assert one["missing"]["middle"] == 0
    odom = topics(found)["/drone_2/odom"]
    assert odom["recorded"] + odom["missing"]["end"] == 45
    told = flight.verify(tmp_path / "bag")
    assert told.code == 1
    gone = odom["missing"]["end"]
    assert f"drone_2 /drone_2/odom: {gone} messages were anchored and are missing at the end" in (
        told.text
    )


def test_cut_at_its_beginning(flight: Flight, tmp_path: Path) -> None:
    """Whoever begins to record later has nothing taken out."""
    half = len(flight.said) // 2
    said = flight.verify(write_bag(tmp_path / "bag", flight.said[half:]), "--json")
    assert said.code == 0, said
    found = said.json
    assert found["whole"]
    odom = topics(found)["/drone_2/odom"]
    assert odom["earlier"] + odom["recorded"] == 45
    assert odom["anchored"] + odom["unproven"] == odom["recorded"]


OUT: dict[str, Callable[[Notarised], bool]] = {
    "/drone_2/odom": lambda one: one.topic == "/drone_2/odom" and one.sequence & 0xFF == 20,
    "/drone_2/imu": lambda one: one.topic == "/drone_2/imu" and one.sequence & 0xFFF in (161, 162),
}


@pytest.mark.parametrize("topic", OUT)
def test_a_message_taken_out(flight: Flight, tmp_path: Path, topic: str) -> None:
    """It is missed, and what is left is proven all the same, by the list of leaves."""
    left = [one for one in flight.said if not OUT[topic](one)]
    taken = len(flight.said) - len(left)
    assert taken in (1, 2)
    said = flight.verify(write_bag(tmp_path / "bag", left), "--json")
    assert said.code == 1
    found = said.json
    assert (found["verified"], found["whole"]) == (True, False)
    one = topics(found)[topic]
    assert one["missing"] == {"middle": taken, "end": 0}
    assert (one["anchored"], one["unproven"]) == (one["recorded"], 0)
    others = [other for name, other in topics(found).items() if name != topic]
    assert {str(other["missing"]) for other in others} == {str({"middle": 0, "end": 0})}


def test_a_message_taken_out_and_all_lists_with_it(flight: Flight, tmp_path: Path) -> None:
    """Lists are leaves of the next anchor: without them only the first can be shown."""
    left = [
        one for one in flight.said if not OUT["/drone_2/odom"](one) and one.topic != LEAVES_TOPIC
    ]
    found = flight.verify(write_bag(tmp_path / "bag", left), "--json").json
    one = topics(found)["/drone_2/odom"]
    assert one["missing"]["middle"] == 1
    mine = [each["shown"] for each in found["anchors"] if each["signer"] == "drone_2"]
    assert mine == ["whole"] + ["unproven"] * (len(mine) - 1)
    assert one["unproven"] > one["anchored"] > 0
    assert (one["contradicted"], one["not_anchored"]) == (0, 0)
    assert topics(found)[LEAVES_TOPIC]["missing"]["end"] > 0
    told = flight.verify(tmp_path / "bag").text
    assert f"drone_2 /drone_2/odom: {one['unproven']} messages may be anchored" in told


def test_a_drone_that_is_in_no_bag(flight: Flight, tmp_path: Path) -> None:
    """Told as such: whether it was recorded is nobody's statement."""
    left = [one for one in flight.said if "drone_2" not in one.topic and one.topic != LEAVES_TOPIC]
    found = flight.verify(write_bag(tmp_path / "bag", left), "--json").json
    one = topics(found)["/drone_2/odom"]
    assert (one["recorded"], one["anchored"], one["earlier"]) == (0, 0, 45)
    assert one["missing"] == {"middle": 0, "end": 0}


def test_a_liar_speaks_for_itself(flight: Flight, tmp_path: Path) -> None:
    """drone_4 anchored drone_1's numbers under a root of its own, and nothing of it is there."""
    found = flight.verify(write_bag(tmp_path / "bag", flight.said), "--json").json
    mine = [one for one in found["topics"] if one["signer"] == "drone_4"]
    assert {one["topic"]: one["earlier"] for one in mine} == {"/drone_1/odom": 20, "/x": 9}
    theirs = next(
        one
        for one in found["topics"]
        if (one["signer"], one["topic"]) == ("drone_1", "/drone_1/odom")
    )
    assert theirs["contradicted"] == 0
    assert [one["shown"] for one in found["anchors"] if one["signer"] == "drone_4"] == ["unproven"]


def test_another_message_than_the_anchored_one(flight: Flight, tmp_path: Path) -> None:
    """Signed by the drone itself: it changed its mind after it had anchored."""
    at = next(i for i, one in enumerate(flight.said) if OUT["/drone_2/odom"](one))
    old = flight.said[at]
    by = anchoring_sender(CREW, "drone_2")
    other = None
    while other is None or other.sequence < old.sequence:
        other = signed(by, 99, "/drone_2/odom", old.stamp_us)
    assert other.sequence == old.sequence
    changed = [*flight.said[:at], other, *flight.said[at + 1 :]]
    said = flight.verify(write_bag(tmp_path / "bag", changed), "--json")
    assert said.code == 1
    found = said.json
    assert (found["verified"], found["whole"]) == (True, False)
    assert topics(found)["/drone_2/odom"]["contradicted"] == 1
    assert "are not those that were anchored" in flight.verify(tmp_path / "bag").text


def test_a_root_of_its_own(flight: Flight, tmp_path: Path) -> None:
    """A member whose anchor's root is none, though all its messages are there."""
    with open_ledger(flight.folders[2]) as store:
        held: list[Held] = []
        verify_ledger(store, CREW.trust, anchored=held.append)
    liar = CREW.roster.named("drone_4")
    by = anchoring_sender(CREW, "drone_4")
    said = [signed(by, number, "/a") for number in range(4)]
    forged = Held(liar, anchor(1), 7, 3, 1)
    anchors = Anchors([*held, forged])
    check_bag(write_bag(tmp_path / "bag", said), CREW.trust, anchors.hear)
    report = anchors.report()
    assert not report.whole
    assert (forged, "other_root") in [(one, shown.value) for one, shown in report.anchors]
    assert report.topics["drone_4", "/a"].contradicted == 4


def test_each_message_has_a_way_to_the_ledger(flight: Flight, tmp_path: Path) -> None:
    """Message, window, anchor, entry: checked without the code that found it."""
    left = [one for one in flight.said if not OUT["/drone_2/odom"](one)]
    heard: list[tuple[Verified, Notarised]] = []
    with open_ledger(flight.folders[2]) as store:
        on_ledger: list[Held] = []
        verify_ledger(store, CREW.trust, anchored=on_ledger.append)
        anchors = Anchors(on_ledger)

        def hear(verified: Verified, message: Notarised) -> None:
            anchors.hear(verified, message)
            heard.append((verified, message))

        check_bag(write_bag(tmp_path / "bag", left), CREW.trust, hear)
        report = anchors.report()
        placed = [(message, anchors.place(who, message)) for who, message in heard]
        found = [(message, place) for message, place in placed if place is not None]
        assert len(found) == sum(one.anchored for one in report.topics.values())
        assert len(found) > 700
        for message, place in found:
            check_place(message, place)
            index, held = place.held.index, place.held
            verify_inclusion(
                leaf_hash(store.entry(index)),
                index,
                store.size,
                store.inclusion(index),
                store.root(),
            )
            assert kind_of(store.entry(index)) is Kind.ANCHOR
            assert held.time_ms * 1_000 >= message.stamp_us - 500_000
        message, place = found[0]
        with pytest.raises(NotVerified):
            check_place(message, replace(place, index=place.index ^ 1))
        with pytest.raises(NotVerified):
            check_place(found[-1][0], place)


def test_a_ledger_of_an_earlier_time(flight: Flight, tmp_path: Path) -> None:
    """It holds, and says nothing about what came later: nothing is missing by it."""
    older = Lab(tmp_path / "older", CREW)
    for member in range(4):
        older.start(member)
    older.until_decided()
    folder = older.folders[0]
    older.close()
    bag = write_bag(tmp_path / "bag", flight.said)
    said = call("relay", "verify", bag, "--roster", flight.roster, "--ledger", folder, "--json")
    assert said.code == 0, said
    found = said.json
    assert found["anchors"] == []
    assert {one["anchored"] for one in found["topics"]} == {0}
    assert {one["not_anchored"] == one["recorded"] for one in found["topics"]} == {True}


def test_a_ledger_of_another_swarm_and_one_that_was_touched(
    flight: Flight, tmp_path: Path
) -> None:
    bag = write_bag(tmp_path / "bag", flight.said[:20])
    theirs = Lab(tmp_path / "theirs", Crew(swarm="other"))
    for member in range(4):
        theirs.start(member)
    theirs.until_decided()
    folder = theirs.folders[0]
    theirs.close()
    touched = tmp_path / "touched"
    shutil.copytree(flight.folders[2], touched)
    with closing(sqlite3.connect(touched / "ledger.db")) as connection:
        lay_open(connection)
        query = "SELECT idx, data FROM entries WHERE instr(data, ?) ORDER BY idx DESC LIMIT 1"
        index, data = connection.execute(query, (b"/drone_2/odom",)).fetchone()
        change = "UPDATE entries SET data = ? WHERE idx = ?"
        connection.execute(change, (data.replace(b"/drone_2/odom", b"/drone_3/odom"), index))
        connection.commit()
    for ledger in (folder, touched):
        said = call(
            "relay", "verify", bag, "--roster", flight.roster, "--ledger", ledger, "--json"
        )
        assert said.code == 1, said
        assert said.json["verified"] is False
        assert said.json["where"].startswith("ledger: ")
        assert (
            call("relay", "verify", bag, "--roster", flight.roster, "--ledger", ledger).code == 1
        )


def test_no_ledger_there(flight: Flight, tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag", flight.said[:5])
    for nowhere in (tmp_path / "nowhere", tmp_path):
        call("relay", "verify", bag, "--roster", flight.roster, "--ledger", nowhere).refused()
