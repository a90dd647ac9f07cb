# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Orders come from a drone's ledger; pilots in simulated time carry them out, each time alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarm_ledger.behaviour import Order, Phase
from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, seal
from swarm_ledger.errors import Misuse
from swarm_ledger.rules.rule import Rule, Trigger
from swarm_ledger.runtime.orders import Orders
from swarm_ledger.signers import open_signer
from swarm_ledger.sim.events import Event
from swarm_ledger.sim.mission import KEY, OPERATOR, Mission
from swarm_ledger.sim.virtual import START_MS, VirtualSwarm
from swarm_ledger.sim.watch import Watch
from swarm_ledger.sim.world import World

SUBJECT = "What stands at the centre?"


class Flight:
    """A mission with pilots, flown to its end, and what it told."""

    def __init__(self, folder: Path, rule: Rule | None = None, **given: object) -> None:
        self.mission = Mission(folder, behaviour=True, seed=3, looks=1, **given)  # type: ignore[arg-type]
        liars = self.mission.liars()
        watch = Watch(self.mission.names(), set(self.mission.names()) - liars)
        self.events: list[Event] = []

        def hear(event: Event) -> None:
            watch.take(event)
            self.events.append(event)

        with VirtualSwarm(self.mission, hear) as swarm:
            if rule is not None:
                operator = open_signer(f"file:{OPERATOR}/{KEY}", folder)
                raw = seal(Kind.RULE, encode(rule), operator, swarm.fleet.roster)
                swarm.drones[0].submit(raw, swarm.now_ms)
            self.done = swarm.run(watch)
            assert swarm.squadron is not None
            self.pilots = list(swarm.squadron.pilots.values())
            self.poses = [swarm.squadron.air.flown(n + 1) for n in range(self.mission.drones)]
            drone = swarm.drones[0]
            self.orders = [
                Orders(drone.keeper.store, drone.member.id, newest_ms).look(now_ms)
                for newest_ms, now_ms in (
                    (600_000, swarm.now_ms),
                    (600_000, swarm.now_ms + 700_000),
                    (1, swarm.now_ms + 60_000),
                )
            ]
            self.root = drone.keeper.store.root()

    def flights(self) -> list[tuple[str, str]]:
        return [(e.drone, e.fields["text"]) for e in self.events if e.event == "flight"]


@pytest.fixture(scope="module")
def flight(tmp_path_factory: pytest.TempPathFactory) -> Flight:
    return Flight(tmp_path_factory.mktemp("one"))


def test_the_swarm_approaches_a_cup(flight: Flight) -> None:
    assert flight.done
    assert {pilot.phase for pilot in flight.pilots} == {Phase.NEAR}
    told = [text for drone, text in flight.flights() if drone == "drone_1"]
    assert told[-2:] == ["approaching", "near"]
    assert told.index("gathering") < told.index("approaching")


def test_the_same_seed_flies_the_same_flight(flight: Flight, tmp_path: Path) -> None:
    again = Flight(tmp_path / "again")
    assert again.poses == flight.poses
    assert again.flights() == flight.flights()
    assert again.root == flight.root


def test_an_old_decision_is_no_order(flight: Flight) -> None:
    fresh, late, old = flight.orders
    assert fresh is not None
    assert (fresh.order, fresh.decision) == (Order.APPROACH, 1)
    assert late is None
    assert old is None


def test_a_trigger_on_the_ledger_goes_before_the_label(tmp_path: Path) -> None:
    trigger = Trigger(SUBJECT, "cup", "keep_clear")
    flight = Flight(tmp_path / "run", Rule("caution", 1, trigger))
    assert flight.done
    assert {pilot.phase for pilot in flight.pilots} == {Phase.CLEAR}
    assert flight.orders[0] is not None
    assert flight.orders[0].order is Order.KEEP_CLEAR


def test_a_ledger_without_decisions_orders_nothing(tmp_path: Path) -> None:
    mission = Mission(tmp_path / "run", behaviour=True)
    with VirtualSwarm(mission, lambda event: None) as swarm:
        drone = swarm.drones[0]
        for _ in range(30):
            swarm.step()
        assert Orders(drone.keeper.store, drone.member.id).look(swarm.now_ms) is None
        assert swarm.squadron is not None
        assert not swarm.squadron.acted


def test_without_pilots_drones_circle_as_ever(tmp_path: Path) -> None:
    mission = Mission(tmp_path / "run", seed=3)
    with VirtualSwarm(mission, lambda event: None) as swarm:
        swarm.step()
        assert swarm.squadron is None
        assert swarm.now_ms > START_MS
    world = World.create("cup", 4, 3)
    assert world.pose(1, 2.0) == World.create("cup", 4, 3).pose(1, 2.0)


@pytest.mark.parametrize("transport", ["ros", "zmq"])
def test_pilots_in_processes_are_launched_by_ros(transport: str, tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="pilots don't fly over") as caught:
        Mission(tmp_path, behaviour=True, transport=transport)
    assert "behaviour:=true" in caught.value.remedy
