# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What perception makes of images, labels and detections, with and without a position."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import Pose
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from swarm_interfaces.msg import Observation

from swarm_ledger.encoding import digest, encode
from swarm_ledger.errors import Misuse
from swarm_ledger.nodes.clock import NodeTime
from swarm_ledger.nodes.convert import image_message, millis
from swarm_ledger.nodes.frames import Frames, transform
from swarm_ledger.nodes.perception import PerceptionNode
from swarm_ledger.nodes.seeing import classes, detected
from swarm_ledger.perception import load
from swarm_ledger.runtime.voter import Look
from swarm_ledger.voting.question import Question, question_id
from swarm_ledger.voting.rules import Majority
from swarm_ledger.voting.tally import OpenQuestion
from tests.patience import until
from tests.ros.squad import overrides

ASKED = Question("What is it?", ("cup", "two_faces"), Majority(), 60_000, bytes(16))
OPEN = OpenQuestion(question_id(encode(ASKED)), ASKED, 1, 1)
GREY = np.full((48, 64, 3), 90, np.uint8)


class Voting:
    """Stands in for a drone that wants looks."""

    def __init__(self, node: Any) -> None:
        self.name, self.hardware_id = "drone_1", "0" * 32
        self.time, self.looks = NodeTime(node, print), list[Look]()

    def wanted(self) -> bool:
        return True

    def questions(self) -> tuple[OpenQuestion, ...]:
        return (OPEN,)

    def look(self, look: Look) -> None:
        self.looks.append(look)


class Bench:
    """A perception node with somebody who publishes to it."""

    def __init__(self) -> None:
        self.tester, self.executor = rclpy.create_node("tester"), SingleThreadedExecutor()
        self.executor.add_node(self.tester)
        self.drone = Voting(self.tester)
        self.nodes: list[PerceptionNode] = []

    def begin(self, **given: Any) -> PerceptionNode:
        node = PerceptionNode(
            self.drone, lambda model: load(model or None), parameter_overrides=overrides(given)
        )
        self.nodes.append(node)
        self.executor.add_node(node)
        node.begin()
        return node

    def header(self, frame: str = "map") -> Header:
        return Header(stamp=self.tester.get_clock().now().to_msg(), frame_id=frame)

    def until(self, what: str, holds: Any, kind: type, topic: str, make: Any) -> None:
        publisher = self.tester.create_publisher(kind, topic, 10)

        def also() -> None:
            publisher.publish(make())
            self.executor.spin_once(timeout_sec=0.02)

        until(what, holds, also)
        self.tester.destroy_publisher(publisher)

    def until_seen(self, kind: type, topic: str, make: Any) -> Look:
        self.drone.looks.clear()
        self.until("there is a look", lambda: bool(self.drone.looks), kind, topic, make)
        return self.drone.looks[-1]


@pytest.fixture
def bench(ros: None) -> Iterator[Bench]:
    made = Bench()
    yield made
    for node in made.nodes:
        node.end()
        node.destroy_node()
    made.tester.destroy_node()


def test_an_image_without_odometry_is_a_look_from_nowhere(bench: Bench) -> None:
    bench.begin()
    stamp = bench.header().stamp
    look = bench.until_seen(Image, "camera/image", lambda: image_message(GREY, "c", stamp))
    assert math.isnan(look.bearing)
    assert math.isnan(look.distance)
    assert look.image == digest(GREY.tobytes())
    assert look.stamp_ms == millis(stamp)
    assert look.question == b""


def test_odometry_of_the_same_time_says_from_where(bench: Bench) -> None:
    node = bench.begin()

    def odometry(age_s: int = 0) -> Odometry:
        message = Odometry(header=bench.header())
        message.header.stamp.sec -= age_s
        message.pose.pose.position.x, message.pose.pose.position.y = -3.0, 0.0
        message.pose.pose.position.z = 4.0
        return message

    where: Any = node._where
    known = lambda: millis(where._last.header.stamp) > 0  # noqa: E731
    bench.until("odometry is heard", known, Odometry, "odom", odometry)
    frame = lambda: image_message(GREY, "c", bench.header().stamp)  # noqa: E731
    look = bench.until_seen(Image, "camera/image", frame)
    assert (round(look.bearing, 3), look.distance) == (3.142, 5.0)
    where._last = odometry(age_s=5)
    assert math.isnan(bench.until_seen(Image, "camera/image", frame).distance)


def test_a_compressed_image_is_known_by_its_bytes(bench: Bench) -> None:
    node = bench.begin(image_transport="compressed", position="none")
    data = bytes(cv2.imencode(".jpg", GREY)[1])

    def make(content: bytes = data) -> CompressedImage:
        return CompressedImage(header=bench.header(), format="jpeg", data=content)

    look = bench.until_seen(CompressedImage, "camera/image/compressed", make)
    assert look.image == digest(data)
    bomb = b"\x89PNG\r\n\x1a\n" + bytes(8)
    broken = lambda: make(bomb)  # noqa: E731
    refused = lambda: node.refused["malformed"] > 0  # noqa: E731
    bench.until("it is refused", refused, CompressedImage, "camera/image/compressed", broken)
    assert node.active
    assert bench.until_seen(CompressedImage, "camera/image/compressed", make).image == look.image


def test_an_image_in_a_strange_encoding_is_refused_and_told(bench: Bench) -> None:
    node = bench.begin()

    def make() -> Image:
        message = image_message(GREY, "c", bench.header().stamp)
        message.encoding = "32FC1"
        return message

    refused = lambda: node.refused["encoding"] > 0  # noqa: E731
    bench.until("it is refused", refused, Image, "camera/image", make)
    assert not bench.drone.looks
    assert "32FC1" in str(node._finding().values["last_error"])


def test_a_label_of_ones_own_is_checked(bench: Bench) -> None:
    node = bench.begin(source="labels")

    def make(**changes: Any) -> Observation:
        message = Observation(header=bench.header(), label="cup", confidence=0.75)
        message.bearing, message.distance = 1.0, 2.5
        for name, value in changes.items():
            setattr(message, name, value)
        return message

    look = bench.until_seen(Observation, "labels", make)
    assert (look.perceived.label, look.perceived.confidence) == ("cup", 0.75)
    assert (look.question, look.distance) == (OPEN.question_id, 2.5)
    for reason, changes in (
        ("bad_label", {"label": "dog"}),
        ("bad_confidence", {"confidence": math.nan}),
        ("bad_stamp", {"header": Header()}),
        ("no_question", {"question": np.ones(32, np.uint8)}),
    ):
        bench.drone.looks.clear()
        refused = lambda reason=reason: node.refused[reason] > 0  # noqa: E731
        wrong = lambda changes=changes: make(**changes)  # noqa: E731
        bench.until(f"{reason} is refused", refused, Observation, "labels", wrong)
        assert node.active


def hypothesis(name: str, score: float) -> SimpleNamespace:
    return SimpleNamespace(class_id=name, score=score)


def test_the_surest_class_that_has_a_label_counts() -> None:
    found = {"39": "cup", "0": "two_faces"}
    header = Header(frame_id="c")
    header.stamp.sec = 7
    boxes = [
        SimpleNamespace(results=[SimpleNamespace(hypothesis=hypothesis("39", 0.6))]),
        SimpleNamespace(results=[SimpleNamespace(hypothesis=hypothesis("0", 0.7))]),
        SimpleNamespace(results=[SimpleNamespace(hypothesis=hypothesis("16", 0.9))]),
    ]
    array = SimpleNamespace(header=header, detections=boxes)
    said = detected(array, "Detection2DArray", found)
    assert said is not None
    assert (said.label, said.confidence, said.stamp_ms) == ("two_faces", 0.7, 7_000)
    one = SimpleNamespace(header=header, results=[hypothesis("39", 0.2), hypothesis("x", 1.0)])
    said = detected(one, "Classification", found)
    assert said is not None
    assert (said.label, said.confidence) == ("cup", 0.2)
    assert detected(SimpleNamespace(header=header, results=[]), "Classification", found) is None


@pytest.mark.parametrize("given", [[], ["cup"], ["=cup"], ["39="], ["39=cup", "39=two_faces"]])
def test_classes_that_say_nothing_are_refused(given: list[str]) -> None:
    with pytest.raises(Misuse):
        classes(given)
    assert classes(["a=b=cup"]) == {"a=b": "cup"}


def test_real_detections_become_looks(bench: Bench) -> None:
    vision = pytest.importorskip("vision_msgs.msg", reason="vision_msgs isn't installed here")
    bench.begin(source="detections", classes=["39=cup"])
    result = vision.ObjectHypothesisWithPose()
    result.hypothesis.class_id, result.hypothesis.score = "39", 0.5

    def make() -> Any:
        box = vision.Detection2D(results=[result])
        return vision.Detection2DArray(header=bench.header(), detections=[box])

    assert bench.until_seen(vision.Detection2DArray, "detections", make).perceived.label == "cup"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"source": "detections", "classes": ["1=cup"]}, "vision_msgs"),
        ({"source": "detections"}, "classes is not set"),
        ({"position": "tf"}, "tf2_ros"),
        ({"model": "/nowhere.npz"}, "nowhere.npz"),
    ],
)
def test_what_is_not_there_is_said_when_it_is_asked_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], words: str
) -> None:
    for name in ("vision_msgs.msg", "tf2_ros"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(Misuse, match=words):
        bench.begin(**given)


def test_by_tf_a_look_is_from_where_the_cameras_frame_was(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in for tf2_ros, which is in no wheel."""
    asked: list[tuple[str, str]] = []

    class Buffer:
        def __init__(self, node: Any) -> None:
            self.there = True

        def lookup_transform(self, parent: str, child: str, at: Any) -> Any:
            asked.append((parent, child))
            if len(asked) > 1:
                raise LookupError(child)
            pose = Pose()
            pose.position.y = 2.0
            return transform(parent, child, bench.header().stamp, pose)

    module = ModuleType("tf2_ros")
    module.Buffer, module.TransformException = Buffer, LookupError  # type: ignore[attr-defined]
    module.TransformListener = lambda buffer, node: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tf2_ros", module)
    bench.begin(position="tf")
    frame = lambda: image_message(GREY, "drone_1/camera", bench.header().stamp)  # noqa: E731
    look = bench.until_seen(Image, "camera/image", frame)
    assert asked[0] == ("map", "drone_1/camera")
    assert (round(bench.drone.looks[0].bearing, 3), bench.drone.looks[0].distance) == (1.571, 2.0)
    del look
    assert math.isnan(bench.until_seen(Image, "camera/image", frame).distance)


def test_frames_of_several_drones_are_one_tree(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in for tf2_msgs, which is in no wheel."""
    sent: dict[str, list[Any]] = {}

    class Node:
        def create_publisher(self, form: Any, topic: str, qos: Any) -> Any:
            return SimpleNamespace(publish=sent.setdefault(topic, []).append)

    module = ModuleType("tf2_msgs.msg")
    module.TFMessage = SimpleNamespace  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tf2_msgs.msg", module)
    frames: Any = Frames(Node())  # type: ignore[arg-type]
    stamp, pose = bench.header().stamp, Pose()
    pose.position.x = 5.0
    pose.orientation.w = 1.0
    for name in ("drone_1", "drone_2"):
        frames.place(name, pose, stamp)
        frames.mount(name, stamp)
    latched = sent["/tf_static"][-1].transforms
    every = [one for message in sent["/tf"] for one in message.transforms] + latched
    tree = {one.child_frame_id: one.header.frame_id for one in every}
    assert tree == {
        "drone_1/odom": "map",
        "drone_1/base_link": "drone_1/odom",
        "drone_1/camera": "drone_1/base_link",
        "drone_2/odom": "map",
        "drone_2/base_link": "drone_2/odom",
        "drone_2/camera": "drone_2/base_link",
    }
    assert every[1].transform.translation.x == 5.0
    assert all(one.transform.rotation.w == 1.0 for one in every)


def test_without_tf2_msgs_nothing_is_on_tf(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tf2_msgs.msg", None)
    frames = Frames(bench.tester)
    frames.place("drone_1", Pose(), bench.header().stamp)
    frames.mount("drone_1", bench.header().stamp)
    assert not frames.available
    assert "/tf" not in dict(bench.tester.get_topic_names_and_types())
