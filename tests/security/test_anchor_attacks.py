# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Anchors in a running swarm: they get onto the ledger whatever is lost, and a liar gains nothing.

drone_4 is the attacker, played by the test; the relay of drone_1 is honest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from swarm_ledger.audit.ledger import verify_ledger
from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, kind_of, seal
from swarm_ledger.errors import Misuse
from swarm_ledger.relay.anchor import Anchor, Told, parse_anchor, told_of
from swarm_ledger.relay.sender import Credentials
from swarm_ledger.runtime.chains import AHEAD_MS, EVERY_MS
from swarm_ledger.runtime.courier import HELD, WANTED, Courier, Outbox
from swarm_ledger.runtime.machine import Machine
from tests.anchored import anchor, anchoring_sender, sealed_anchor
from tests.crew import Crew
from tests.lab import Lab
from tests.relayed import signed, windowed
from tests.security.liar import HONEST, beset, tell


@pytest.fixture
def swarm(lab: Callable[..., Lab], crew: Crew) -> Iterator[Lab]:
    """Three honest drones that know drone_4; it is past the first decision."""
    made = beset(lab(), crew)
    made.until_decided()
    yield made
    for drone in made.drones.values():
        verify_ledger(drone.keeper.store, crew.trust)
    assert {drone.status()["view"] for drone in made.drones.values()} == {0}
    assert not any(drone.status()["pending"] for drone in made.drones.values())
    made.assert_no_contradiction()


def entries(lab: Lab, member: int = 0) -> list[bytes]:
    store = lab.drones[member].keeper.store
    return [one for one in store.entries(0, store.size) if kind_of(one) is Kind.ANCHOR]


def counted(lab: Lab, author: str = "drone_4", member: int = 0) -> list[int]:
    """The anchors of a member that drone_1's ledger let count."""
    return [
        fields["sequence"]
        for by, event, fields in lab.events
        if (by, event, fields.get("author")) == (member, "anchor", author)
    ]


def until(lab: Lab, holds: Callable[[], bool], also: Callable[[], None] = lambda: None) -> None:
    for _ in range(6_000):
        if holds():
            return
        lab.step()
        also()
    raise AssertionError([drone.status() for drone in lab.drones.values()])


def calm(lab: Lab) -> None:
    """Nothing waits anywhere, and everyone has the same."""

    def quiet() -> bool:
        waits = any(drone.status()["pending"] for drone in lab.drones.values())
        roots = {drone.keeper.store.root() for drone in lab.drones.values()}
        return not waits and len(roots) == 1

    lab.run(300)
    until(lab, quiet)


def chain(crew: Crew, count: int) -> list[Anchor]:
    made = [anchor(1)]
    while len(made) < count:
        made.append(anchor(len(made) + 1, made[-1].digest))
    return made


def test_a_flood_costs_the_flooder_only(swarm: Lab, crew: Crew) -> None:
    """All that fit, as fast as it can: the burst counts, and then one in ten seconds."""
    raws = [sealed_anchor(crew, "drone_4", one) for one in chain(crew, 30)]
    honest = [sealed_anchor(crew, "drone_1", one) for one in chain(crew, 2)]
    start = swarm.now_ms
    for round_ in range(300):
        for raw in raws:
            tell(swarm, raw)
        if round_ == 100:
            tell(swarm, honest[0])
        swarm.run(100)
    calm(swarm)
    burst = 1 + AHEAD_MS // EVERY_MS
    most = burst + (swarm.now_ms - start) // EVERY_MS + 1
    assert burst <= len(counted(swarm)) <= most
    assert counted(swarm) == list(range(1, len(counted(swarm)) + 1))
    assert counted(swarm, "drone_1") == [1]
    assert len(entries(swarm)) <= most + 1 + 3, "nor does what doesn't count fill the ledger"


def test_different_anchors_for_one_place_shown_to_each_drone(swarm: Lab, crew: Crew) -> None:
    """One of them counts, the same everywhere; what the others hold is given up."""
    for member in HONEST:
        one = anchor(1, root=bytes([member]) * 32)
        tell(swarm, sealed_anchor(crew, "drone_4", one), (member,))
    swarm.run(4_000)
    calm(swarm)
    assert counted(swarm) == [1]
    told = {
        drone.machine.chains.told(crew.roster.named("drone_4")) for drone in swarm.drones.values()
    }
    assert len(told) == 1


def test_many_for_one_place_shown_to_one_drone(swarm: Lab, crew: Crew) -> None:
    for number in range(200):
        one = anchor(1, root=number.to_bytes(32, "big"))
        tell(swarm, sealed_anchor(crew, "drone_4", one), (0,))
    swarm.run(4_000)
    calm(swarm)
    assert counted(swarm) == [1]
    assert len(entries(swarm)) == 1


REFUSED: dict[str, tuple[Callable[[Crew], bytes], str]] = {
    "another's": (
        lambda crew: seal(
            Kind.ANCHOR, encode(anchor(1)), crew.session("drone_1"), Crew(swarm="other").roster
        ),
        "bad_signature",
    ),
    "observer's": (
        lambda crew: seal(
            Kind.ANCHOR, encode(anchor(1)), crew.session("watcher"), crew.roster
        ),
        "unknown_key",
    ),
    "operator's": (
        lambda crew: seal(
            Kind.ANCHOR, encode(anchor(1)), crew.root("operator_1"), crew.roster
        ),
        "wrong_role",
    ),
    "by a root key": (
        lambda crew: seal(Kind.ANCHOR, encode(anchor(1)), crew.root("drone_4"), crew.roster),
        "unknown_key",
    ),
    "session that nobody knows": (
        lambda crew: sealed_anchor(crew, "drone_4", anchor(1), session=5),
        "unknown_key",
    ),
    "a vote passed off": (
        lambda crew: bytes([Kind.ANCHOR]) + crew.vote("drone_4")[1:],
        "bad_signature",
    ),
    "a window passed off": (
        lambda crew: bytes([Kind.ANCHOR])
        + seal(Kind.WINDOW, encode(anchor(1)), crew.session("drone_4"), crew.roster)[1:],
        "bad_signature",
    ),
    "garbage": (
        lambda crew: seal(Kind.ANCHOR, b"\x80", crew.session("drone_4"), crew.roster),
        "malformed",
    ),
    "gap at the start": (
        lambda crew: sealed_anchor(crew, "drone_4", anchor(2, bytes(32))),
        "broken_chain",
    ),
    "far ahead": (
        lambda crew: sealed_anchor(crew, "drone_4", anchor(2**53 - 1, bytes(32))),
        "broken_chain",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_refused_and_without_effect(swarm: Lab, crew: Crew, what: str) -> None:
    make, reason = REFUSED[what]
    before = swarm.drones[0].machine.state()
    tell(swarm, make(crew))
    assert swarm.drones[0].faults[reason] >= 1, swarm.drones[0].faults
    calm(swarm)
    assert entries(swarm) == []
    assert swarm.drones[0].machine.state() == before


@pytest.mark.parametrize("what", [one for one in REFUSED if one != "another's"])
def test_ordered_all_the_same_it_changes_nothing(crew: Crew, what: str) -> None:
    """A quorum that lies may order anything: whoever replays it judges for itself."""
    machine = Machine(crew.trust)
    machine.apply(1, 1_893_456_000_000, [crew.identity(n).delegation for n in crew.names])
    before = machine.chains.state()
    applied = machine.apply(2, 1_893_456_000_000, [REFUSED[what][0](crew)])
    assert applied.receipts[0].result == f"invalid: {REFUSED[what][1]}"
    assert machine.chains.state() == before == b""


def test_the_state_in_a_header_tells_what_is_anchored(crew: Crew) -> None:
    one, other = Machine(crew.trust), Machine(crew.trust)
    sessions = [crew.identity(n).delegation for n in crew.names]
    raws = [sealed_anchor(crew, "drone_1", anchor(1, root=bytes([at]) * 32)) for at in (1, 2)]
    for machine, raw in ((one, raws[0]), (other, raws[1])):
        machine.apply(1, 1_893_456_000_000, sessions)
        assert machine.apply(2, 1_893_456_000_000, [raw]).receipts[0].result == "anchored"
    assert one.state() != other.state()
    replay = one.apply(3, 1_893_456_060_000, raws)
    assert [r.result for r in replay.receipts] == ["invalid: known", "invalid: stale_anchor"]


def test_an_old_anchor_again(swarm: Lab, crew: Crew) -> None:
    raws = [sealed_anchor(crew, "drone_4", one) for one in chain(crew, 3)]
    for raw in raws:
        tell(swarm, raw)
        calm(swarm)
    swarm.run(31_000)
    before = [drone.keeper.store.height for drone in swarm.drones.values()]
    again = [*raws, sealed_anchor(crew, "drone_4", anchor(2, root=b"\1" * 32))]
    for raw in again:
        tell(swarm, raw)
    swarm.run(3_000)
    assert counted(swarm) == [1, 2, 3]
    assert len(entries(swarm)) == 3
    assert before == [drone.keeper.store.height for drone in swarm.drones.values()]


# from the relay to the ledger


class Relay:
    """A relay besides a drone, without ROS: what the node does, step by step."""

    def __init__(self, lab: Lab, crew: Crew, member: int = 0, run: int = 1) -> None:
        self.lab, self.folder = lab, lab.folders[member]
        self.outbox = Outbox(self.folder)
        pending = self.outbox.pending()
        self.sender = anchoring_sender(crew, crew.names[member], run=run, pending=pending)
        self.lists: list[Any] = []

    def look(self, *, last: bool = False) -> None:
        told = self.outbox.told()
        if told is None:
            return
        made = self.sender.anchor(told, self.lab.now_ms * 1_000, last=last)
        if made is not None:
            self.outbox.put(made.sealed)
            self.lists.append(made.leaves)

    def say(self, count: int = 3) -> None:
        for number in range(count):
            signed(self.sender, number, now_us=self.lab.now_ms * 1_000)
        windowed(self.sender, count, "/imu", self.lab.now_ms * 1_000)


def fly(lab: Lab, relay: Relay, courier: Courier, member: int = 0) -> Callable[[], None]:
    """What goes on besides the swarm's own steps."""

    def also() -> None:
        relay.look()
        if member in lab.drones:
            courier.look(lab.drones[member], lab.now_ms)

    return also


def test_from_the_relay_onto_every_ledger(swarm: Lab, crew: Crew) -> None:
    relay, courier = Relay(swarm, crew), Courier(swarm.folders[0], lambda *_: None)
    also = fly(swarm, relay, courier)
    relay.say()
    until(swarm, lambda: bool(counted(swarm, "drone_1")), also)
    relay.say()
    until(swarm, lambda: len(counted(swarm, "drone_1")) == 2, also)
    calm(swarm)
    opener = swarm.drones[1].machine.opener
    held = [parse_anchor(opener.open(raw).payload) for raw in entries(swarm, 1)]
    assert [one.sequence for one in held] == [1, 2]
    assert held[1].previous == held[0].digest
    assert len(relay.lists) == 2
    until(swarm, lambda: relay.outbox.told() == told_of(held[1]), also)
    relay.outbox.close()


def test_lost_on_the_way_it_is_handed_in_again(lab: Callable[..., Lab], crew: Crew) -> None:
    """Many messages are lost, and the drone restarts, and the relay does, in between."""
    made = lab(loss=0.3)
    for member in range(4):
        made.start(member)
    made.until_decided(120_000)
    relay = Relay(made, crew)
    courier = Courier(made.folders[0], lambda *_: None)
    relay.say()
    also = fly(made, relay, courier)
    until(made, (made.folders[0] / WANTED).exists, also)
    wanted = relay.outbox.pending()
    made.kill(0)
    relay.outbox.close()
    made.run(3_000)
    made.start(0)
    relay = Relay(made, crew, run=2)
    assert relay.sender.anchoring is not None
    assert relay.sender.anchoring.pending == wanted
    courier = Courier(made.folders[0], lambda *_: None)
    relay.say()
    also = fly(made, relay, courier)
    until(made, lambda: counted(made, "drone_1", 1)[:2] == [1, 2], also)
    made.until(made.drones[1].keeper.store.height)
    for drone in made.drones.values():
        verify_ledger(drone.keeper.store, crew.trust)
    relay.outbox.close()


def test_what_the_relay_gathered_at_its_end_is_anchored_without_it(swarm: Lab, crew: Crew) -> None:
    relay, courier = Relay(swarm, crew), Courier(swarm.folders[0], lambda *_: None)
    courier.look(swarm.drones[0], swarm.now_ms)
    relay.say()
    relay.look(last=True)
    relay.outbox.close()
    until(
        swarm,
        lambda: counted(swarm, "drone_1") == [1],
        lambda: courier.look(swarm.drones[0], swarm.now_ms),
    )
    calm(swarm)


def test_over_a_change_of_roster(lab: Callable[..., Lab]) -> None:
    """What was sealed under the old version is void, and is sealed anew; the chain goes on."""
    crew = Crew()
    made = lab(crew=crew, places=16)
    for member in range(4):
        made.start(member)
    made.until_decided()
    relay, courier = Relay(made, crew), Courier(made.folders[0], lambda *_: None)
    also = fly(made, relay, courier)
    relay.say()
    until(made, lambda: counted(made, "drone_1") == [1], also)
    relay.say()
    until(made, lambda: relay.outbox.told() != Told(), also)
    version = crew.changed(crew.roster)
    for member in range(4):
        made.trust[member] = crew.knowing(version)
        made.drones[member].learn(made.trust[member], made.now_ms)
    made.run(12_000)
    relay.look(last=True)  # under the old session: nobody told it yet
    until(
        made,
        lambda: all(drone.roster.version == 2 for drone in made.drones.values()),
        lambda: courier.look(made.drones[0], made.now_ms),
    )
    made.run(6_000)
    courier.look(made.drones[0], made.now_ms)
    assert counted(made, "drone_1") == [1]
    identity = crew.identity("drone_1", roster=version.roster)
    relay.sender.change(Credentials(version.roster, identity.session, identity.delegation))
    until(made, lambda: counted(made, "drone_1") == [1, 2], also)
    relay.outbox.close()
    for drone in made.drones.values():
        verify_ledger(drone.keeper.store, crew.knowing(version))


def test_two_relays_of_one_drone(swarm: Lab, crew: Crew) -> None:
    relay = Relay(swarm, crew)
    with pytest.raises(Misuse, match="another relay anchors"):
        Relay(swarm, crew)
    relay.outbox.close()
    Relay(swarm, crew).outbox.close()


@pytest.mark.parametrize("junk", [b"", b"\x07", b"\x07" + b"\xff" * 300, bytes(20_000), b"\x03x"])
def test_damaged_files_stop_neither(swarm: Lab, crew: Crew, junk: bytes) -> None:
    told: list[str] = []
    courier = Courier(swarm.folders[0], lambda event, _: told.append(event))
    (swarm.folders[0] / WANTED).write_bytes(junk)
    (swarm.folders[0] / HELD).write_bytes(junk)
    outbox = Outbox(swarm.folders[0])
    assert outbox.pending() is None
    assert outbox.told() is None
    for _ in range(3):
        swarm.run(6_000)
        courier.look(swarm.drones[0], swarm.now_ms)
    assert told == (["anchor_refused"] if junk else [])
    assert outbox.told() == Told()
    outbox.close()


def test_another_members_request_in_the_folder_is_no_matter(swarm: Lab, crew: Crew) -> None:
    """Whatever is ordered counts for who sealed it."""
    courier = Courier(swarm.folders[0], lambda *_: None)
    (swarm.folders[0] / WANTED).write_bytes(sealed_anchor(crew, "drone_4", anchor(1)))
    courier.look(swarm.drones[0], swarm.now_ms)
    until(swarm, lambda: counted(swarm) == [1])
    assert counted(swarm, "drone_1") == []
    calm(swarm)


def test_a_leader_that_orders_many_at_once_lets_one_count(crew: Crew) -> None:
    machine = Machine(crew.trust)
    machine.apply(1, 1_893_456_000_000, [crew.identity(n).delegation for n in crew.names])
    raws = [sealed_anchor(crew, "drone_4", one) for one in chain(crew, 20)]
    results = [r.result for r in machine.apply(2, 1_893_456_000_000, raws).receipts]
    assert results == ["anchored"] * 3 + ["invalid: too_soon"] + ["invalid: broken_chain"] * 16


def test_digest_and_replay_agree(crew: Crew) -> None:
    """Whoever follows the blocks gets the same chains."""
    one, other = Machine(crew.trust), Machine(crew.trust)
    blocks: list[list[bytes]] = [
        [crew.identity(n).delegation for n in crew.names],
        [sealed_anchor(crew, "drone_4", a) for a in chain(crew, 5)],
        [sealed_anchor(crew, "drone_1", anchor(1)), sealed_anchor(crew, "drone_4", anchor(9))],
    ]
    for height, block in enumerate(blocks, start=1):
        stored = one.apply(height, 1_893_456_000_000 + height, block).entries
        other.follow(height, stored)
    assert one.chains.state() == other.chains.state() != b""
