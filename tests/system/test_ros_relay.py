# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The relay's nodes as processes: what a drone says arrives byte by byte, what is forged doesn't.

The drone's topics and what was verified are in one ROS domain; the radio, with the attacker on
it, is another.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from swarm_ledger.audit.relay import check_bag
from swarm_ledger.identity.trust import load_trust
from swarm_ledger.sim.domains import free_domain
from swarm_ledger.sim.mission import Mission, prepare, utc_now
from swarm_ledger.sim.processes import Processes, commands, environment
from swarm_ledger.sim.watch import Watch
from tests.bags import write_bag
from tests.patience import PATIENCE_S
from tests.system.command import ROOT, call
from tests.system.conftest import needs

AIR = "air.json"
"""What was on the radio, as hexadecimal CDR."""

_PRELUDE = """
import array, json, sys, time
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image, Imu
from std_msgs.msg import String
from swarm_interfaces.msg import Rejection, SignedMessage

PATIENCE_S, RADIO = float(sys.argv[1]), int(sys.argv[2])
rclpy.init()
air = Context()
rclpy.init(args=[], context=air, domain_id=RADIO)
node, attacker = Node("tester"), Node("attacker", context=air)
executor = SingleThreadedExecutor()
executor.add_node(node)
executor.add_node(attacker)
latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
many = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)


def until(holds, also=lambda: None):
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "not in time"
        also()
        executor.spin_once(timeout_sec=0.02)


heard, refusals, told, overheard, signed = {}, {}, {}, [], set()

def listen(kind, topic):
    heard[topic] = []
    node.create_subscription(kind, topic, heard[topic].append, many, raw=True)


def on_rejection(message):
    refusals[message.reason_name, message.peer] = message.count

def on_diagnostics(message):
    for status in message.status:
        values = {pair.key: pair.value for pair in status.values}
        told[status.name] = [int.from_bytes(status.level, "big"), values, status.hardware_id]

node.create_subscription(Rejection, "rejections", on_rejection, many)
node.create_subscription(DiagnosticArray, "/diagnostics", on_diagnostics, many)
def on_air(raw):
    try:
        signed.add(bytes(deserialize_message(raw, SignedMessage).data))
    except Exception:
        return  # our own garbage
    overheard.append(raw)

attacker.create_subscription(SignedMessage, "/swarm/signed", on_air, many, raw=True)
forger = attacker.create_publisher(SignedMessage, "/swarm/signed", many)
"""

_SAID = (
    _PRELUDE
    + """
TOPICS = {
    "/drone_1/odom": (Odometry, qos_profile_sensor_data),
    "/drone_1/imu": (Imu, qos_profile_sensor_data),
    "/drone_1/camera/image": (Image, many),
    "/drone_1/map_name": (String, latched),
}
publishers = {t: node.create_publisher(kind, t, qos) for t, (kind, qos) in TOPICS.items()}
for topic, (kind, _) in TOPICS.items():
    listen(kind, "/verified/drone_1" + topic)
# These are not to be relayed, though the pattern /drone_1/* matches each.
node.create_publisher(String, "/drone_1/verified/drone_2/odom", many)
loop = node.create_publisher(SignedMessage, "/drone_1/signed", many)

def messages(number):
    odometry = Odometry(child_frame_id="drone_1/base_link")
    odometry.header.frame_id = "map"
    odometry.pose.pose.position.x = 1.5 * number
    imu = Imu()
    imu.linear_acceleration.z = 9.81 + number
    image = Image(height=240, width=320, encoding="rgb8", step=960)
    image.data = array.array("B", bytes((i * 7 + number) % 256 for i in range(240 * 960)))
    return odometry, imu, image, String(data="map %d" % number)

sent = {topic: [] for topic in TOPICS}
numbers = iter(range(100000))

def say():
    for topic, message in zip(TOPICS, messages(next(numbers))):
        sent[topic].append(message)
        publishers[topic].publish(message)

print("ready", flush=True)
until(lambda: all(len(got) >= 5 for got in heard.values()), say)
same = {}
for topic, (kind, _) in TOPICS.items():
    got = heard["/verified/drone_1" + topic]
    same[topic] = all(deserialize_message(raw, kind) in sent[topic] for raw in got)
# DDS pads what it sends: what is signed, and has to arrive, is what went over the wire.
until(lambda: all({bytes(r) for r in got} & signed for got in heard.values()), say)
notarised = [deserialize_message(raw, SignedMessage) for raw in overheard]
until(lambda: "secure_relay: drone_1" in told and "secure_receiver: base: drone_1" in told)
def carried():
    return any(deserialize_message(r, SignedMessage).envelope.data[0] == 0x11 for r in overheard)

until(carried, say)
with open(sys.argv[3], "w") as file:
    json.dump([raw.hex() for raw in overheard], file)
relay, receiver = told["secure_relay: drone_1"], told["secure_receiver: base: drone_1"]
print(json.dumps({
    "same": same,
    "relayed": sorted({m.topic + " " + m.type for m in notarised}),
    "kinds": sorted({bytes(m.envelope.data)[0] for m in notarised}),
    "hashes": sorted({m.type_hash[:7] for m in notarised}),
    "twice": len(notarised) - len({(m.topic, m.sequence) for m in notarised}),
    "fewer signatures": int(relay[1]["signatures"]) < int(relay[1]["signed"]),
    "hardware": [relay[2].split("/")[0] == receiver[2], len(receiver[2])],
    "ahead_ms": float(receiver[1]["ahead_ms"] or 0),
}))
"""
)

_FORGED = (
    _PRELUDE
    + """
speaker = node.create_publisher(String, "/drone_1/chatter", many)
listen(String, "/verified/drone_1/drone_1/chatter")
got = heard["/verified/drone_1/drone_1/chatter"]
# On the radio's domain it can say what it likes under the drone's names: nobody listens there.
liar = attacker.create_publisher(String, "/drone_1/chatter", many)
numbers = iter(range(100000))

def say():
    speaker.publish(String(data="honest %d" % next(numbers)))
    liar.publish(String(data="forged"))

print("ready", flush=True)
until(lambda: len(got) >= 3 and len(overheard) >= 3, say)
until(lambda: "secure_receiver: base" in told)
before = dict(refusals)  # what was said in its first moments is stale to a receiver

first = overheard[-1]
for number in range(20):
    forger.publish(first)                                    # replayed, byte by byte
    stolen = deserialize_message(first, SignedMessage)
    stolen.sequence += 1 + number
    forger.publish(stolen)                                   # its number changed
    stolen = deserialize_message(first, SignedMessage)
    stolen.topic = "/drone_1/other"
    forger.publish(stolen)                                   # another topic
    stolen = deserialize_message(first, SignedMessage)
    stolen.envelope.data[-1] ^= 1
    forger.publish(stolen)                                   # the signature changed
    forger.publish(SignedMessage(topic="/drone_1/chatter", type="std_msgs/msg/String"))
    forger.publish(first[:60])                               # CDR that ends too early
    forger.publish(b"\\x00\\x01\\x00\\x00" + b"\\xff" * 40)  # no message at all
    executor.spin_once(timeout_sec=0.01)

count = len(got)
until(lambda: len(got) >= count + 5, say)                    # the honest one is still heard
names = ["replayed", "mismatch", "bad_signature", "other_swarm", "malformed"]
until(lambda: sum(refusals.values()) - sum(before.values()) >= 20 * 7)
refused = {key: count - before.get(key, 0) for key, count in refusals.items()}

def flood():
    for _ in range(200):
        forger.publish(first[:60])
    say()

count = len(got)
until(lambda: len(got) >= count + 50 and ("overload", "") in refusals, flood)
until(lambda: told["secure_receiver: base"][1].keys() >= set(names))
texts = [deserialize_message(raw, String).data for raw in got]
print(json.dumps({
    "before": {" ".join(key): count for key, count in before.items()},
    "refused": {" ".join(key): count for key, count in refused.items()},
    "honest": all(text.startswith("honest") for text in texts),
    "once": len(texts) == len(set(texts)),
    "diagnosed": sorted(set(names) & set(told["secure_receiver: base"][1])),
}))
"""
)


_BESIDE = (
    _PRELUDE
    + """
listen(Odometry, "/verified/drone_1/drone_1/odom")
got = heard["/verified/drone_1/drone_1/odom"]
print("ready", flush=True)
until(lambda: len(got) >= 5)
odometry = deserialize_message(got[-1], Odometry)
message = deserialize_message(overheard[-1], SignedMessage)
print(json.dumps([odometry.child_frame_id, message.envelope.swarm_id, message.envelope.epoch]))
"""
)


@contextmanager
def node(module: str, parameters: Mapping[str, object], env: Mapping[str, str]) -> Iterator[Any]:
    """Run a node's process, which must end well when it is interrupted."""
    given = [part for name, value in parameters.items() for part in ("-p", f"{name}:={value}")]
    command = [sys.executable, "-m", f"swarm_ledger.nodes.{module}", "--ros-args", *given]
    process = subprocess.Popen(command, env=dict(env), cwd=ROOT, stderr=subprocess.PIPE)
    try:
        yield process
        assert process.poll() is None, process.stderr and process.stderr.read().decode()
    finally:
        process.send_signal(signal.SIGINT)
        try:
            _, said = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert process.returncode == 0, said.decode()
    assert b"Traceback" not in said, said.decode()


def exercised(folder: Path, script: str, relay: Mapping[str, object]) -> dict[str, Any]:
    """Run a script beside a relay and a receiver; return the JSON that it prints."""
    mission = Mission(run_dir=folder, transport="ros", byzantine=0)
    prepare(mission, now=utc_now())
    env = environment(mission)
    radio = free_domain()
    on_drone = {"fleet": folder / "fleet.yaml", "drone": "drone_1", "begin_session": "true"}
    ashore = {"roster": folder / "roster", "name": "base", "radio_domain": radio}
    with ExitStack() as running:
        tester = running.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", script, str(PATIENCE_S), str(radio), str(folder / AIR)],
                env=env,
                stdout=subprocess.PIPE,
            )
        )
        running.callback(tester.kill)
        assert tester.stdout is not None
        assert tester.stdout.readline() == b"ready\n"
        running.enter_context(node("receiver", ashore, env))
        running.enter_context(node("relay", {**on_drone, "radio_domain": radio, **relay}, env))
        said = tester.stdout.read()
        assert tester.wait(PATIENCE_S) == 0
    found = json.loads(said)
    assert isinstance(found, dict)
    return found


def test_what_a_drone_says_arrives_as_it_was(tmp_path: Path) -> None:
    needs("ros")
    relay = {
        "topics": "['/drone_1/camera/*','/drone_1/map_name','/drone_1/signed',"
        "'/drone_1/verified/*']",
        "batched": "['/drone_1/odom','/drone_1/imu']",
    }
    found = exercised(tmp_path, _SAID, relay)
    topics = ("odom", "imu", "camera/image", "map_name")
    assert found["same"] == {f"/drone_1/{topic}": True for topic in topics}
    assert found["relayed"] == [
        "/drone_1/camera/image sensor_msgs/msg/Image",
        "/drone_1/imu sensor_msgs/msg/Imu",
        "/drone_1/map_name std_msgs/msg/String",
        "/drone_1/odom nav_msgs/msg/Odometry",
    ]
    assert set(found["kinds"]) >= {0x13, 0x15}
    assert set(found["kinds"]) <= {0x11, 0x13, 0x15}
    assert found["twice"] == 0
    assert found["fewer signatures"]
    assert found["hardware"] == [True, 32]
    assert found["ahead_ms"] < 100  # one clock for all of them here
    if os.environ.get("ROS_DISTRO") != "humble":
        assert found["hashes"] == ["RIHS01_"]
    if importlib.util.find_spec("rosbags"):
        raws = [bytes.fromhex(text) for text in json.loads((tmp_path / AIR).read_text())]
        report = check_bag(write_bag(tmp_path / "bag", raws), load_trust(tmp_path / "roster"))
        assert report.holds, report.first
        assert report.messages == len(raws)
        assert {signer for signer, _ in report.said} == {"drone_1"}


def test_what_an_attacker_sends_is_refused_and_counted(tmp_path: Path) -> None:
    needs("ros")
    found = exercised(tmp_path, _FORGED, {"topics": "['/drone_1/chatter']"})
    # What was said in its first moments, and what came before its session did.
    assert found["before"].keys() <= {"stale drone_1", "unknown_key "}
    assert found["honest"]
    assert found["once"]
    refused = found["refused"]
    assert refused["bad_signature "] == refused["other_swarm "] == 20
    assert refused["malformed "] == 40
    late = refused.get("stale drone_1", 0)  # on a busy machine
    assert refused["replayed drone_1"] + refused["mismatch drone_1"] + late >= 60
    names = ["bad_signature", "malformed", "mismatch", "other_swarm", "replayed"]
    assert found["diagnosed"] == names


def test_beside_a_swarm_that_votes(tmp_path: Path) -> None:
    """The relay takes the session that the drone began, and the drone flies on undisturbed."""
    needs("ros")
    mission = Mission(run_dir=tmp_path, transport="ros", byzantine=0, seed=5)
    fleet = prepare(mission, now=utc_now())
    env = environment(mission)
    radio = free_domain()
    given = {"fleet": tmp_path / "fleet.yaml", "radio_domain": radio}
    watch = Watch(mission.names(), mission.names())
    script = [sys.executable, "-c", _BESIDE, str(PATIENCE_S), str(radio)]
    with ExitStack() as running:
        tester = running.enter_context(subprocess.Popen(script, env=env, stdout=subprocess.PIPE))
        running.callback(tester.kill)
        assert tester.stdout is not None
        assert tester.stdout.readline() == b"ready\n"
        relay = {**given, "drone": "drone_1", "topics": "['/drone_1/odom']"}
        running.enter_context(node("relay", relay, env))
        running.enter_context(node("receiver", {**given, "drone": "drone_2"}, env))
        processes = running.enter_context(Processes(tmp_path, commands(mission), env))
        while not watch.done:
            event = processes.next_event(PATIENCE_S)
            assert event is not None
            watch.take(event)
        said = tester.stdout.read()
        assert tester.wait(PATIENCE_S) == 0
    assert json.loads(said) == ["drone_1/base_link", fleet.roster.swarm_id, fleet.roster.version]
    assert len(list((tmp_path / "drone_1").glob("*session.key*"))) == 1
    for name in mission.names():
        assert call("ledger", "verify", tmp_path / name).code == 0


@pytest.mark.parametrize(
    ("module", "parameters", "words"),
    [
        ("relay", ["fleet:={fleet}", "drone:=drone_1"], "neither topics nor batched"),
        ("relay", ["fleet:={fleet}", "drone:=drone_9", "topics:=['a']"], "no drone 'drone_9'"),
        ("relay", ["fleet:={fleet}", "drone:=drone_1", "topics:=['a']", "topix:=1"], "topix"),
        ("receiver", [], "needs either roster, or fleet and drone"),
        ("receiver", ["roster:={roster}", "drone:=drone_1"], "needs either roster, or fleet"),
        ("receiver", ["roster:=/nowhere"], "cannot read /nowhere/root.json"),
    ],
)
def test_a_node_refuses_what_it_does_not_understand(
    tmp_path: Path, module: str, parameters: list[str], words: str
) -> None:
    needs("ros")
    mission = Mission(run_dir=tmp_path, transport="ros", byzantine=0)
    prepare(mission, now=utc_now())
    places = {"fleet": tmp_path / "fleet.yaml", "roster": tmp_path / "roster"}
    arguments = [part for word in parameters for part in ("-p", word.format(**places))]
    done = subprocess.run(
        [sys.executable, "-m", f"swarm_ledger.nodes.{module}", "--ros-args", *arguments],
        env=environment(mission),
        cwd=ROOT,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    said = done.stderr.decode()
    assert done.returncode == 1, said
    assert words in said
    assert "Traceback" not in said
