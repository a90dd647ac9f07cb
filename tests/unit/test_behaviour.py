# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Pilots: around the target, apart from one another, bounded, and still when they are blind."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations, product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarm_ledger.behaviour import Command, Limits, Order, Phase, Pilot, Place, order_for
from swarm_ledger.behaviour.phases import ACTED, TABLE, Event
from swarm_ledger.behaviour.steering import Bound, bend, dot, gap
from swarm_ledger.errors import Misuse
from swarm_ledger.sim.airspace import ACCELERATION, GROUND, HOLD_S, MAX_SPEED, Airspace
from swarm_ledger.sim.world import MIN_DISTANCE, Pose, World

SAFE = 0.75
"""Metres that pilots never get nearer to one another, who steer to keep 1 m."""
PERIOD_S = 0.1


class Sky:
    """Pilots in the built-in world; each hears of all, itself included, ten times a second."""

    def __init__(self, poses: Sequence[Pose], order: Order = Order.HOLD) -> None:
        self.air = Airspace(World.create("cup", len(poses), 1, poses))
        self.pilots = {number: Pilot(number) for number in range(1, len(poses) + 1)}
        for pilot in self.pilots.values():
            pilot.order = order
        self.now_s = 0.0
        self.nearest, self.fastest, self.inmost = math.inf, 0.0, math.inf

    def places(self) -> dict[int, Place]:
        poses = {number: self.air.pose(number, self.now_s) for number in self.pilots}
        return {number: Place(p.x, p.y, p.z, p.yaw) for number, p in poses.items()}

    def fly(self, seconds: float) -> None:
        for _ in range(round(seconds / PERIOD_S)):
            self.now_s += PERIOD_S
            places = self.places()
            self.judge(places)
            for pilot in self.pilots.values():
                for number, place in places.items():
                    if number == pilot.number:
                        pilot.see(place, self.now_s, self.now_s)
                    else:
                        pilot.see_other(number, place, self.now_s, self.now_s)
                command = pilot.steer(self.now_s)
                if command is not None:
                    speed = math.hypot(command.forward, command.left, command.up)
                    self.fastest = max(self.fastest, speed)
                    assert abs(command.turn) <= pilot.limits.turn
                    assert self.air.command(pilot.number, command, self.now_s)

    def judge(self, places: Mapping[int, Place]) -> None:
        for one, other in combinations(places.values(), 2):
            apart = gap((one.x, one.y, one.z), (other.x, other.y, other.z))
            self.nearest = min(self.nearest, apart)
        self.inmost = min(self.inmost, *(math.hypot(p.x, p.y) for p in places.values()))


def around(bearings: Sequence[float], distance: float = 3.2, height: float = 0.0) -> list[Pose]:
    return [Pose(distance * math.cos(b), distance * math.sin(b), height, 0.0) for b in bearings]


def bearings(sky: Sky) -> list[float]:
    return sorted(math.atan2(p.y, p.x) for p in sky.places().values())


def gaps(sky: Sky) -> list[float]:
    turned = bearings(sky)
    return [(b - a) % math.tau for a, b in zip(turned, turned[1:] + turned[:1], strict=True)]


@pytest.mark.parametrize("drones", [1, 4, 7, 10])
def test_drones_spread_evenly_and_hold(drones: int) -> None:
    sky = Sky(around([0.6 * number for number in range(drones)]))
    sky.fly(40)
    assert {pilot.phase for pilot in sky.pilots.values()} == {Phase.HOLDING}
    assert all(pilot.acted for pilot in sky.pilots.values())
    assert max(gaps(sky)) - min(gaps(sky)) < 0.35
    for pilot, place in zip(sky.pilots.values(), sky.places().values(), strict=True):
        assert abs(math.hypot(place.x, place.y) - pilot.limits.around) < 0.3
        ahead = math.atan2(-place.y, -place.x)
        assert abs(math.remainder(place.yaw - ahead, math.tau)) < 0.1  # it faces the target
        assert 0.2 < place.z < 1.7


@pytest.mark.parametrize(
    ("order", "phase", "distance"),
    [(Order.APPROACH, Phase.NEAR, 2.1), (Order.KEEP_CLEAR, Phase.CLEAR, 5.5)],
)
def test_drones_act_on_what_was_decided(order: Order, phase: Phase, distance: float) -> None:
    sky = Sky(around([0.0, 1.6, 3.1, 4.7]))
    sky.fly(10)
    assert not any(pilot.phase is phase for pilot in sky.pilots.values())
    for pilot in sky.pilots.values():
        pilot.order = order
        assert not pilot.acted
    sky.fly(20)
    for pilot, place in zip(sky.pilots.values(), sky.places().values(), strict=True):
        assert (pilot.phase, pilot.acted) == (phase, True)
        assert abs(math.hypot(place.x, place.y) - distance) < 0.3
    assert sky.nearest >= SAFE
    assert sky.inmost >= MIN_DISTANCE


def test_the_cyclic_order_stays_and_who_is_lost_leaves_room() -> None:
    sky = Sky(around([0.0, 0.4, 0.8, 1.2, 1.6]))
    sky.fly(30)
    at = {number: math.atan2(p.y, p.x) % math.tau for number, p in sky.places().items()}
    turned = sorted(at, key=lambda number: (at[number] - at[1]) % math.tau)
    assert turned == [1, 2, 3, 4, 5]
    del sky.pilots[3]  # silent from now on
    sky.fly(40)
    assert max(gaps(sky)) - min(gaps(sky)) < 0.35
    assert len(gaps(sky)) == 4


def test_on_the_ground_they_rise_first() -> None:
    sky = Sky(around([0.0, 2.0, 4.0], height=GROUND))
    sky.fly(0.5)
    assert {pilot.phase for pilot in sky.pilots.values()} == {Phase.RISING}
    places = sky.places().values()
    assert all(abs(math.hypot(p.x, p.y) - 3.2) < 0.01 for p in places)
    sky.fly(30)
    assert {pilot.phase for pilot in sky.pilots.values()} == {Phase.HOLDING}


@st.composite
def starts(draw: st.DrawFn) -> list[Pose]:
    """Poses anywhere that pilots may be, none nearer to another than they keep."""
    poses: list[Pose] = []
    for _ in range(draw(st.integers(2, 6))):
        bearing, distance = draw(st.floats(0, 6.3)), draw(st.floats(1.8, 6.0))
        height, yaw = draw(st.floats(-0.9, 2.0)), draw(st.floats(-3.1, 3.1))
        pose = Pose(distance * math.cos(bearing), distance * math.sin(bearing), height, yaw)
        if all(gap((pose.x, pose.y, pose.z), (o.x, o.y, o.z)) >= 1.0 for o in poses):
            poses.append(pose)
    return poses


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(starts(), st.sampled_from(list(Order)), st.sampled_from(list(Order)))
def test_never_too_near_and_never_too_fast(poses: list[Pose], one: Order, other: Order) -> None:
    sky = Sky(poses, one)
    sky.fly(8)
    for pilot in sky.pilots.values():
        pilot.order = other
    sky.fly(8)
    assert sky.nearest >= SAFE
    assert sky.inmost >= MIN_DISTANCE
    assert sky.fastest <= Limits().speed + 1e-9


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*[st.floats(-3, 3)] * 3),
    st.lists(st.tuples(st.tuples(*[st.floats(-1, 1)] * 3), st.floats(0, 2)), max_size=8),
)
def test_bent_velocities_keep_every_bound(wish: tuple, drawn: list) -> None:
    bounds = [Bound(direction, most) for direction, most in drawn if math.hypot(*direction) > 0.1]
    bent = bend(wish, bounds, 1.0)
    assert math.hypot(*bent) <= 1.0 + 1e-9
    assert all(dot(bound.direction, bent) <= bound.most + 1e-6 for bound in bounds)


def test_a_free_wish_is_left_and_a_blocked_one_slides() -> None:
    assert bend((0.3, 0.4, 0.0), [], 1.0) == (0.3, 0.4, 0.0)
    x, y, _ = bend((1.0, 1.0, 0.0), [Bound((1.0, 0.0, 0.0), 0.0)], 2.0)
    assert (round(x, 6), round(y, 6)) == (0.0, 1.0)
    squeezed = [Bound((1.0, 0, 0), -0.4), Bound((-1.0, 0, 0), -0.4), Bound((0, 1.0, 0), 0.0)]
    assert bend((0.0, 1.0, 0.0), squeezed, 1.0)[1] <= 1e-6


def ready(number: int = 1) -> Pilot:
    pilot = Pilot(number)
    pilot.see(Place(4.0, 0.0, 1.0, 3.1), 10.0, 10.0)
    command = pilot.steer(10.0)
    assert command is not None
    assert command != Command()
    return pilot


def test_nothing_is_said_before_it_knows_where_it_is() -> None:
    pilot = Pilot(1)
    pilot.see_other(2, Place(3, 0, 1, 0), 1.0, 1.0)
    assert pilot.steer(1.0) is None
    assert pilot.phase is Phase.WAITING


NUMBERS = [math.nan, math.inf, -math.inf, 1e9]


@pytest.mark.parametrize(("field", "value"), list(product(("x", "y", "z", "yaw"), NUMBERS)))
def test_odometry_that_can_not_be_true_is_not_believed(field: str, value: float) -> None:
    pilot = ready()
    place = Place(**{"x": 4.0, "y": 0.0, "z": 1.0, "yaw": 0.0, field: value})
    for tenth in range(1, 8):
        pilot.see(place, 10 + tenth / 10, 10 + tenth / 10)
        pilot.see_other(2, place, 10 + tenth / 10, 10 + tenth / 10)
    assert pilot.refused == 14
    assert pilot.steer(10.7) == Command()


@pytest.mark.parametrize("stamp", [10.0, 9.0, math.nan])
def test_odometry_that_repeats_itself_is_stale(stamp: float) -> None:
    pilot = ready()
    pilot.see(Place(4.0, 0.0, 1.0, 3.1), stamp, 10.6)
    assert pilot.steer(10.6) == Command()
    pilot.see(Place(4.0, 0.0, 1.0, 3.1), 10.5, 10.7)
    assert pilot.steer(10.7) != Command()


def test_time_that_goes_back_makes_it_stand_still_until_it_is_told_anew() -> None:
    pilot = ready()
    pilot.see_other(2, Place(4.0, 1.2, 1.0, 0.0), 10.0, 10.0)
    assert pilot.steer(2.0) == Command()
    pilot.see(Place(4.0, 0.0, 1.0, 3.1), 2.1, 2.1)
    assert pilot.steer(2.1) != Command()


def test_disabled_it_stands_still_and_then_obeys_again() -> None:
    pilot = ready()
    pilot.order = Order.APPROACH
    pilot.enabled = False
    assert pilot.steer(10.1) == Command()
    assert pilot.phase is Phase.WAITING
    pilot.enabled = True
    seen = []
    for tenth in range(2, 9):
        pilot.see(Place(2.1, 0.0, 1.0, 3.1), 10 + tenth / 10, 10 + tenth / 10)
        pilot.steer(10 + tenth / 10)
        seen.append(pilot.phase)
    assert Phase.APPROACHING in seen


def test_an_unseen_neighbour_takes_more_room_but_chases_nobody() -> None:
    pilot = ready()
    pilot.order = Order.APPROACH
    pilot.see_other(2, Place(2.4, 0.0, 1.0, 0.0), 10.0, 10.0)
    for tenth in range(1, 20):
        pilot.see(Place(4.0, 0.0, 1.0, math.pi), 10 + tenth / 10, 10 + tenth / 10)
        command = pilot.steer(10 + tenth / 10)
    assert command is not None
    assert abs(command.forward) < 1e-6  # 0.6 m left, and it may have come a metre nearer


def test_in_one_place_with_another_it_leaves() -> None:
    pilot = ready()
    pilot.see_other(2, Place(4.0, 0.0, 1.0, 0.0), 10.0, 10.0)
    command = pilot.steer(10.0)
    assert command is not None
    assert math.hypot(command.forward, command.left) > 0.2


def test_table_has_a_way_to_and_from_every_phase() -> None:
    phases = {phase for phase, _ in TABLE}
    assert phases == set(Phase)
    assert set(TABLE.values()) == set(Phase) - {Phase.WAITING}
    assert set(ACTED) == set(Order)
    assert {event for _, event in TABLE} == set(Event)
    assert all((ACTED[order], Event(order.value)) in TABLE for order in Order)


@pytest.mark.parametrize(
    ("answer", "actions", "order"),
    [
        ("cup", [], Order.APPROACH),
        ("two_faces", [], Order.KEEP_CLEAR),
        (None, [], Order.HOLD),
        ("cup", ["light_on", "keep_clear"], Order.KEEP_CLEAR),
        ("cup", ["light_on"], Order.APPROACH),
        (None, ["approach"], Order.APPROACH),
    ],
)
def test_what_a_decision_asks_for(answer: str | None, actions: list[str], order: Order) -> None:
    assert order_for(("cup", "two_faces"), answer, actions) is order


def test_a_decision_about_something_else_moves_nobody() -> None:
    assert order_for(("yes", "no"), "yes", []) is None
    assert order_for(("yes", "no"), "yes", ["hold"]) is Order.HOLD


@pytest.mark.parametrize(
    "wrong",
    [
        *({"speed": 0.0}, {"speed": math.nan}, {"near": 1.0}, {"far": 40.0}, {"stale": -1.0}),
        *({"floor": math.inf}, {"ceiling": -1.0}),
    ],
)
def test_limits_that_can_not_be_flown_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(Misuse):
        Limits(**wrong)


def test_bodies_have_limits() -> None:
    air = Airspace(World.create("cup", 2, 1, around([0.0, 3.0])))
    air.command(1, Command(forward=1e6, up=-1e6, turn=1e6), 0.0)
    before = air.pose(1, 0.0)
    after = air.pose(1, 0.1)
    moved = math.dist((before.x, before.y, before.z), (after.x, after.y, after.z))
    assert moved <= ACCELERATION * 0.1**2 / 2 * 1.2
    air.pose(1, 0.4)
    assert math.hypot(*air.velocity(1)) <= MAX_SPEED
    assert air.flown(2) is None
    assert air.pose(2, 9.0) == air.world.pose(2, 9.0)


def test_a_body_without_commands_hovers_and_the_target_is_a_wall() -> None:
    air = Airspace(World.create("cup", 1, 1, around([0.0], distance=2.0)))
    for tenth in range(30):
        air.command(1, Command(forward=-2.0), tenth / 10)  # yaw 0: towards the axis
        air.pose(1, tenth / 10)
    assert math.hypot(air.pose(1, 3.0).x, air.pose(1, 3.0).y) == pytest.approx(MIN_DISTANCE)
    air.pose(1, 3.0 + HOLD_S + 2.0)
    assert math.hypot(*air.velocity(1)) < 1e-6


def test_time_that_goes_back_begins_the_world_anew_and_a_nap_is_skipped() -> None:
    air = Airspace(World.create("cup", 1, 1))
    air.command(1, Command(up=1.0), 1.0)
    assert air.pose(1, 1e9).z < 10  # no loop of a thousand million seconds
    assert air.pose(1, 0.5) == air.world.pose(1, 0.5)
    assert not air.command(1, Command(up=math.nan), 0.6)
    assert air.flown(1) is None
