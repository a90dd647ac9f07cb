# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The recorder and the player: what is said is in the bag, and comes out of it again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image
from std_msgs.msg import String
from swarm_interfaces.msg import Decision, Observation

from swarm_ledger.bags.bag import Bag
from swarm_ledger.bags.messages import COMPRESSED, parse
from swarm_ledger.bags.qos import parse_qos
from swarm_ledger.bags.writing import McapWriter
from swarm_ledger.errors import Misuse
from swarm_ledger.nodes.lifecycle import ManagedNode
from swarm_ledger.nodes.player import PlayerNode
from swarm_ledger.nodes.qos import LATCHED, SENSOR
from swarm_ledger.nodes.recorder import RecorderNode
from swarm_ledger.nodes.signed import message_class
from swarm_ledger.perception.frames import from_compressed
from tests.patience import until


@contextmanager
def ros(**parameters: object) -> Iterator[SingleThreadedExecutor]:
    """rclpy with parameters for whatever node is made."""
    given = [f"{name}:={value}" for name, value in parameters.items()]
    words = [word for one in given for word in ("-p", one)]
    rclpy.init(args=["--ros-args", *words])
    try:
        yield SingleThreadedExecutor()
    finally:
        rclpy.try_shutdown()


def end(*nodes: Node) -> None:
    for node in nodes:
        if isinstance(node, ManagedNode):
            node.end()
        node.destroy_node()


def record(bag: Path) -> None:
    """Record one decision, two texts, and one image of two, of which a drone judged one."""
    with ros(bag=bag, images="true", topics="['/swarm/*','/probe/*','*/observation']") as executor:
        talker = Node("talker", use_global_arguments=False)
        decisions = talker.create_publisher(Decision, "/swarm/decisions", LATCHED)
        texts = talker.create_publisher(String, "/probe/text", 10)
        images = talker.create_publisher(Image, "/drone_1/camera/image", SENSOR)
        looks = talker.create_publisher(Observation, "/drone_1/observation", SENSOR)
        decisions.publish(Decision(number=7, label="cup"))
        recorder = RecorderNode()
        for node in (talker, recorder):
            executor.add_node(node)
        recorder.begin()

        def spin() -> None:
            executor.spin_once(timeout_sec=0.05)

        def heard() -> bool:
            return all(one.get_subscription_count() for one in (texts, images, looks))

        until("the recorder listens", heard, spin)
        for stamp in (1_000, 2_000):
            image = Image(height=20, width=30, encoding="rgb8", step=90)
            image.header.stamp.sec = stamp
            image.data = np.full(1800, stamp % 251, np.uint8).tobytes()
            images.publish(image)
        look = Observation(drone="drone_1", label="cup")
        look.header.stamp.sec = 2_000
        looks.publish(look)
        texts.publish(String(data="first"))
        texts.publish(String(data="second"))
        recording = recorder._recording
        assert recording is not None
        until("five are recorded", lambda: recording.messages >= 5, spin)
        end(recorder, talker)


def by_topic(bag: Bag) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for one in bag.messages():
        found.setdefault(one.channel.topic, []).append(one)
    return found


@pytest.fixture(scope="module")
def flight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bag = tmp_path_factory.mktemp("recorded") / "bag"
    record(bag)
    return bag


def test_what_is_said_is_recorded(flight: Path) -> None:
    bag = Bag(flight)
    found = by_topic(bag)
    assert not bag.faults
    assert found.keys() == {
        "/swarm/decisions",
        "/probe/text",
        "/drone_1/observation",
        "/drone_1/camera/image/compressed",
    }
    (decision,) = found["/swarm/decisions"]
    assert parse(decision.channel.type_name, decision.data).number == 7
    assert parse_qos(decision.channel.qos).latched
    assert "MSG: std_msgs/Header" in decision.channel.definition
    assert len(found["/probe/text"]) == 2
    assert not parse_qos(found["/drone_1/observation"][0].channel.qos).reliable
    (image,) = found["/drone_1/camera/image/compressed"]
    told = parse(COMPRESSED, image.data)
    assert told.stamp_ns == 2_000 * 10**9
    assert (from_compressed(told.data) == 2_000 % 251).all()


def test_a_folder_that_is_there_is_told(flight: Path) -> None:
    with ros(bag=flight):
        recorder = RecorderNode()
        with pytest.raises(Misuse, match="never overwritten"):
            recorder.begin()
        end(recorder)


@pytest.mark.parametrize(
    "type_name", ["this/msg/Zen", "/msg/Zen", "test.__main__/msg/X", "std_msgs/srv/String", "x"]
)
def test_what_a_stranger_calls_a_type_is_not_imported(type_name: str) -> None:
    before = set(sys.modules)
    with pytest.raises(Misuse, match="isn't installed"):
        message_class(type_name)
    assert not {one for one in set(sys.modules) - before if one.startswith(("this", "test."))}
    assert message_class("std_msgs/msg/String") is String


def play(flight: Path, **parameters: object) -> tuple[list[str], list[int]]:
    """Return what was heard of /renamed, and the times of /clock."""
    texts: list[str] = []
    clocks: list[int] = []
    with ros(bag=flight, delay="0.0", **parameters) as executor:
        listener = Node("listener", use_global_arguments=False)
        listener.create_subscription(String, "/renamed", lambda m: texts.append(m.data), 10)
        clock = listener.create_subscription(
            Clock, "/clock", lambda m: clocks.append(m.clock.sec * 10**9 + m.clock.nanosec), 10
        )
        player = PlayerNode()
        for node in (player, listener):
            executor.add_node(node)
        player.set_parameters([Parameter("paused", Parameter.Type.BOOL, True)])

        def spin() -> None:
            executor.spin_once(timeout_sec=0.05)

        until("they know each other", lambda: player.count_subscribers("/renamed") > 0, spin)
        until("the clock is known", lambda: player.count_publishers(clock.topic_name) > 0, spin)
        assert not texts
        player.set_parameters([Parameter("paused", Parameter.Type.BOOL, False)])
        wanted = 2 if parameters.get("loop") != "true" else 4
        until("all was heard", lambda: len(texts) >= wanted, spin)
        late: list[int] = []
        listener.create_subscription(
            Decision, "/swarm/decisions", lambda m: late.append(m.number), LATCHED
        )
        until("whoever comes late hears what is latched", lambda: bool(late), spin)
        assert set(late) == {7}
        end(player, listener)
    return texts, clocks


def test_what_was_recorded_is_played_again_and_again(flight: Path) -> None:
    texts, clocks = play(flight, remap="['/probe/text:=/renamed']", clock="true", loop="true")
    assert texts[:4] == ["first", "second"] * 2
    span = Bag(flight)
    times = [one.log_ns for one in span.messages()]
    assert min(clocks) >= min(times)
    assert any(later < earlier for earlier, later in pairwise(clocks))


def test_what_is_no_topic_is_left_out(tmp_path: Path) -> None:
    writer = McapWriter(tmp_path / "bag.mcap")
    for topic in ("/good", "/no topic//", "7"):
        number = writer.add_channel(topic, "std_msgs/msg/String", "")
        writer.write(number, 10**9, bytes(12))
    writer.close()
    with ros(bag=tmp_path / "bag.mcap"):
        player = PlayerNode()
        assert [one for one, begun in player._kinds.items() if begun] == ["/good"]
        end(player)


def test_what_is_no_bag_is_told(tmp_path: Path) -> None:
    with ros(bag=tmp_path / "gone"), pytest.raises(Misuse, match="no bag"):
        PlayerNode()


def test_a_second_type_keeps_nothing_out_of_a_bag(tmp_path: Path) -> None:
    """Somebody announces another type on a drone's topic before there is a recorder."""
    with ros(bag=tmp_path / "bag", topics="['*/observation']") as executor:
        strange = Context()
        rclpy.init(context=strange)
        elsewhere = SingleThreadedExecutor(context=strange)
        liar = Node("liar", context=strange, use_global_arguments=False)
        liar.create_publisher(String, "/drone_1/observation", 10)
        talker, recorder = Node("talker", use_global_arguments=False), RecorderNode()
        looks = talker.create_publisher(Observation, "/drone_1/observation", SENSOR)
        elsewhere.add_node(liar)
        for node in (talker, recorder):
            executor.add_node(node)

        def spin() -> None:
            executor.spin_once(timeout_sec=0.05)
            elsewhere.spin_once(timeout_sec=0)

        def both() -> bool:
            told = recorder.get_publishers_info_by_topic("/drone_1/observation")
            return len({one.topic_type for one in told}) == 2

        until("both types are known", both, spin)
        recorder.begin()
        until("the recorder listens", lambda: looks.get_subscription_count() > 0, spin)
        looks.publish(Observation(drone="drone_1", label="cup"))
        recording = recorder._recording
        assert recording is not None
        until("it is recorded", lambda: recording.messages >= 1, spin)
        end(recorder, talker, liar)
        rclpy.try_shutdown(context=strange)
    (one,) = Bag(tmp_path / "bag").messages()
    assert parse(one.channel.type_name, one.data).label == "cup"
