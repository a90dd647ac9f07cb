# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Whoever announces what keeps nothing out of a recording that the house or an operator named."""

from __future__ import annotations

import pytest

from swarm_ledger.bags.choosing import Choice

STATUS, TEXT, OTHER = "swarm_interfaces/msg/SwarmStatus", "std_msgs/msg/String", "a/msg/B"
IMAGE = "sensor_msgs/msg/Image"
HOUSE = {"/swarm/signed": "signed", "/drone_1/status": STATUS, "/drone_1/camera/image": IMAGE}


@pytest.fixture
def choice() -> Choice:
    return Choice(
        ("/swarm/*", "*/status", "/my/topic"),
        HOUSE,
        usual={"*/status": STATUS},
        most=10,
        beside=("/drone_1/camera/image",),
    )


def test_what_is_named_is_taken_once(choice: Choice) -> None:
    names = ("/swarm/signed", "/drone_1/status", "/drone_9/status", "/my/topic")
    for name in (*names, "/drone_1/camera/image"):
        assert choice.open(name)
        choice.take(name)
        assert not choice.open(name)
    for name in ("/drone_1/odom", "/my/topic/else", "/swarm/_hidden"):
        assert not choice.open(name)
    assert choice.open("/drone_9/camera/image", also=True)
    assert not choice.crowded
    choice.begin()
    assert all(choice.open(name) for name in names)


@pytest.mark.parametrize("others", [[], [TEXT], [TEXT, TEXT, OTHER]])
def test_a_topic_of_the_house_is_of_its_type_or_waits(choice: Choice, others: list[str]) -> None:
    assert choice.type_of("/drone_1/status", others) is None
    assert choice.type_of("/drone_1/status", [*others, STATUS]) == STATUS


def test_what_mostly_is_of_a_type_is_preferably_so(choice: Choice) -> None:
    assert choice.type_of("/drone_9/status", [TEXT, TEXT, STATUS]) == STATUS
    assert choice.type_of("/battery/status", [TEXT]) == TEXT


def test_of_others_the_most_publishers_count(choice: Choice) -> None:
    assert choice.type_of("/my/topic", [OTHER, TEXT, TEXT]) == TEXT
    assert choice.type_of("/my/topic", [TEXT, OTHER]) == OTHER
    assert choice.type_of("/my/topic", []) is None


def test_many_topics_crowd_out_nothing_that_is_named(choice: Choice) -> None:
    """Four are named, so that six others find room."""
    taken = 0
    for number in range(1_000):
        if choice.open(f"/swarm/{number}"):
            choice.take(f"/swarm/{number}")
            taken += 1
    assert taken == 6
    assert choice.crowded
    assert not choice.open("/drone_9/status")
    for name in (*HOUSE, "/my/topic"):
        assert choice.open(name)


def test_where_more_is_named_than_there_is_room_no_other_is_taken() -> None:
    names = [f"/named/{number}" for number in range(20)]
    choice = Choice([*names, "*"], {}, usual={}, most=10)
    assert all(choice.open(name) for name in names)
    assert not choice.open("/other")


OBSERVATION = "swarm_interfaces/msg/Observation"


@pytest.fixture
def unnamed() -> Choice:
    """Without a fleet file: three topics for each thing that drones say, three for others."""
    return Choice(
        ("/swarm/*", "*/status", "*/observation"),
        {"/swarm/signed": "signed"},
        usual={"*/status": STATUS, "*/observation": OBSERVATION},
        most=10,
        rooms={"*/status": 3, "*/observation": 3},
    )


def announce(choice: Choice, name: str, type_name: str) -> bool:
    """Have a topic announced, as the recorder sees it; whether it is recorded."""
    kind = choice.type_of(name, [type_name]) if choice.open(name, [type_name]) else None
    if kind is not None:
        choice.take(name, kind)
    return kind is not None


@pytest.mark.parametrize(
    ("name", "type_name"),
    [
        ("/swarm/{}", TEXT),
        ("/junk_{}/status", TEXT),
        ("/junk_{}/status", OBSERVATION),
        ("/junk_{}/observation", STATUS),
    ],
)
def test_what_is_not_as_a_drones_keeps_out_no_drone(
    unnamed: Choice, name: str, type_name: str
) -> None:
    taken = sum(announce(unnamed, name.format(number), type_name) for number in range(1_024))
    assert taken == 3
    assert unnamed.crowded
    assert not unnamed.open(name.format(5), [type_name]), "so that nobody asks who publishes it"
    for drone in ("/drone_1", "/drone_2", "/drone_3"):
        assert announce(unnamed, f"{drone}/status", STATUS)
        assert announce(unnamed, f"{drone}/observation", OBSERVATION)
    assert announce(unnamed, "/swarm/signed", "signed")
    assert not announce(unnamed, "/drone_4/status", STATUS)


def test_a_drones_topic_that_others_announce_too_is_taken_as_the_drones(unnamed: Choice) -> None:
    for number in range(3):
        assert announce(unnamed, f"/swarm/{number}", TEXT)
    assert unnamed.type_of("/drone_1/status", [TEXT, TEXT]) is None
    assert unnamed.open("/drone_1/status", [TEXT, STATUS])
    assert unnamed.type_of("/drone_1/status", [TEXT, STATUS]) == STATUS


def test_false_drones_of_one_kind_take_that_kinds_room_and_strangers(unnamed: Choice) -> None:
    assert sum(announce(unnamed, f"/false_{n}/status", STATUS) for n in range(1_024)) == 6
    assert unnamed.crowded
    assert announce(unnamed, "/drone_1/observation", OBSERVATION)
    assert not announce(unnamed, "/swarm/other", TEXT)
    unnamed.begin()
    assert not unnamed.crowded
    assert announce(unnamed, "/drone_1/status", STATUS)
