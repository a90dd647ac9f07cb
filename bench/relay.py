# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What signing and verifying any message costs: throughput, bytes, and added latency.

First without ROS, on one core: messages per second that a Sender signs and a Receiver takes, by
size, one by one and in windows, medians of several runs. Then with ROS 2, if it is here: the time
from a publisher to a subscriber in the same process, straight through DDS, and through a relay and
a receiver, which are processes of their own. The last column is the ratio of the two medians.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from statistics import median

from swarm_ledger.encoding import digest
from swarm_ledger.identity.roster import FLYING, Member, Roster, parse_roster, render_roster
from swarm_ledger.relay.sender import Credentials, Sender
from swarm_ledger.relay.statement import Notarised
from swarm_ledger.relay.verifier import Limits, Receiver
from swarm_ledger.runtime.identity import take_up
from swarm_ledger.signers import KeyStore, SoftwareSigner
from swarm_ledger.sim.domains import free_domain
from swarm_ledger.sim.mission import Mission, prepare, utc_now
from swarm_ledger.sim.ros_environment import ros_environment, ros_unavailable_reason

NOW_S = 1_893_456_000
NOW_US = NOW_S * 1_000_000
SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
WINDOWS = (1, 10, 20, 100)
TOPIC, TYPE, HASH = "/drone_1/imu", "sensor_msgs/msg/Imu", "RIHS01_" + "0" * 64

PING = """
import array, json, sys, time
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from statistics import median, quantiles
from std_msgs.msg import UInt8MultiArray

sizes, count, patience = json.loads(sys.argv[1]), int(sys.argv[2]), 60.0
rclpy.init()
node = Node("ping")
executor = SingleThreadedExecutor()
executor.add_node(node)
qos = QoSProfile(depth=10)
arrived = {}

def listen(way, topic):
    def heard(raw):
        arrived[way] = time.perf_counter()
    node.create_subscription(UInt8MultiArray, topic, heard, qos, raw=True)

listen("direct", "/drone_1/ping")
listen("single", "/verified/drone_1/drone_1/ping")
listen("windowed", "/verified/drone_1/drone_1/pong")
publishers = {
    "direct": node.create_publisher(UInt8MultiArray, "/drone_1/ping", qos),
    "windowed": node.create_publisher(UInt8MultiArray, "/drone_1/pong", qos),
}
print("ready", flush=True)

def send(message, ways, publisher):
    arrived.clear()
    start = time.perf_counter()
    publisher.publish(message)
    deadline = start + 0.5
    while not all(way in arrived for way in ways) and time.perf_counter() < deadline:
        executor.spin_once(timeout_sec=0.05)
    return {way: arrived[way] - start for way in ways if way in arrived}

small = UInt8MultiArray(data=array.array("B", bytes(10)))
end = time.monotonic() + patience
while "single" not in send(small, ["direct", "single"], publishers["direct"]):
    assert time.monotonic() < end
while "windowed" not in send(small, ["windowed"], publishers["windowed"]):
    assert time.monotonic() < end
result = {}
for size in sizes:
    message = UInt8MultiArray(data=array.array("B", bytes(size)))
    taken = {"direct": [], "single": [], "windowed": []}
    for _ in range(count):
        for ways, way in ((["direct", "single"], "direct"), (["windowed"], "windowed")):
            for name, seconds in send(message, ways, publishers[way]).items():
                taken[name].append(seconds * 1000)
    result[size] = {way: [median(all), quantiles(all, n=20)[-1], len(all)]
                    for way, all in taken.items() if len(all) > 1}
print(json.dumps(result), flush=True)
"""


def member() -> tuple[Roster, Credentials]:
    """Return a roster of four drones, and the first one's credentials."""
    names = [f"drone_{number}" for number in range(1, 5)]
    roots = [SoftwareSigner(digest(name.encode())) for name in names]
    members = [
        Member(index, name, root.public_key, KeyStore.SOFTWARE, FLYING)
        for index, (name, root) in enumerate(zip(names, roots, strict=True))
    ]
    roster = parse_roster(render_roster("bench", 1, members))
    session = SoftwareSigner(digest(b"session"))
    span = {"not_before": NOW_S - 60, "expires": NOW_S + 3_600}
    identity = take_up(roster, roots[0], session, **span)
    return roster, Credentials(roster, identity.session, identity.delegation)


def rate(runs: int, amount: int, prepare_run: Callable[[], Callable[[], object]]) -> float:
    """Return messages per second, the median of several runs."""
    taken = []
    for _ in range(runs):
        run = prepare_run()
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return amount / median(taken)


def core(size: int, window: int, runs: int, amount: int) -> tuple[float, float, int]:
    """Return signed/s, taken/s, and the bytes that a message has besides its own."""
    roster, credentials = member()
    data = [os.urandom(size) for _ in range(min(amount, 16))]
    made: list[Notarised] = []

    def sign(sender: Sender) -> None:
        made.clear()
        for number in range(amount):
            each = data[number % len(data)]
            if window == 1:
                made.append(sender.sign(TOPIC, TYPE, HASH, each, NOW_US))
            else:
                sender.add(TOPIC, TYPE, HASH, each, NOW_US)
                if number % window == window - 1 or number == amount - 1:
                    made.extend(sender.close(NOW_US))

    def signing() -> Callable[[], object]:
        runs_of = count(1)
        sender = Sender(credentials, lambda: next(runs_of), announce_us=1_000_000)
        return lambda: sign(sender)

    def taking() -> Callable[[], object]:
        receiver = Receiver(roster, Limits(), NOW_US - 10_000_000)
        return lambda: [receiver.take(message, NOW_US) for message in made]

    signed = rate(runs, amount, signing)
    taken = rate(runs, amount, taking)
    last = made[-1]
    texts = len(last.topic) + len(last.type_name) + len(last.type_hash) + len(last.swarm_id)
    return signed, taken, texts + len(last.sealed)


def show_core(runs: int) -> None:
    """Print the table without ROS."""
    _, credentials = member()
    print(f"delegation: {len(credentials.delegation)} bytes, once a second")
    print("| bytes | window | signed/s | taken/s | taken, of one by one | bytes besides |")
    print("| --- | --- | --- | --- | --- | --- |")
    for size in SIZES:
        base = 0.0
        for window in WINDOWS:
            amount = max(100, min(1_000, 20_000_000 // size))
            signed, taken, besides = core(size, window, runs, amount)
            base = base or taken
            print(
                f"| {size:,} | {window} | {signed:,.0f} | {taken:,.0f} | x {taken / base:.2f} "
                f"| {besides} |",
                flush=True,
            )


def show_ros(environment: dict[str, str], pings: int, runs: int) -> None:
    """Print the table of latencies, each the median of several runs' medians."""
    found: list[dict[str, dict[str, list[float]]]] = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            found.append(fly(Path(folder), environment, pings))
    print("| bytes | direct, ms | signed and verified | p95 | ratio | windows of 10 ms | p95 |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for size in map(str, SIZES):
        ways: dict[str, tuple[float, float]] = {}
        for way in ("direct", "single", "windowed"):
            each = [run[size][way] for run in found if way in run[size]]
            ways[way] = median(one[0] for one in each), median(one[1] for one in each)
        direct, single, windowed = (ways[way] for way in ("direct", "single", "windowed"))
        print(
            f"| {int(size):,} | {direct[0]:.2f} | {single[0]:.2f} | {single[1]:.2f} "
            f"| x {single[0] / direct[0]:.1f} | {windowed[0]:.2f} | {windowed[1]:.2f} |"
        )


def fly(
    folder: Path, environment: dict[str, str], pings: int
) -> dict[str, dict[str, list[float]]]:
    """Run relay, receiver and the pinging process once."""
    prepare(Mission(run_dir=folder, transport="ros", byzantine=0), now=utc_now())
    given = {
        "receiver": [f"roster:={folder / 'roster'}"],
        "relay": [
            f"fleet:={folder / 'fleet.yaml'}",
            "drone:=drone_1",
            "begin_session:=true",
            "topics:=['/drone_1/ping']",
            "batched:=['/drone_1/pong']",
            "window_ms:=10",
        ],
    }
    nodes = []
    arguments = [json.dumps(SIZES), str(pings)]
    ping = subprocess.Popen(  # noqa: S603  - our own interpreter and script
        [sys.executable, "-c", PING, *arguments], env=environment, stdout=subprocess.PIPE
    )
    try:
        for name, parameters in given.items():
            words = [part for one in parameters for part in ("-p", one)]
            command = [sys.executable, "-m", f"swarm_ledger.nodes.{name}", "--ros-args", *words]
            nodes.append(subprocess.Popen(command, env=environment))  # noqa: S603
        said = ping.communicate(timeout=600)[0]
    finally:
        ping.kill()
        for node in nodes:
            node.terminate()
            node.wait()
    lines = said.decode().splitlines()
    found: dict[str, dict[str, list[float]]] = json.loads(lines[-1])
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--pings", type=int, default=200)
    parser.add_argument("--ros-runs", type=int, default=3)
    given = parser.parse_args()
    show_core(given.runs)
    environment = ros_environment()
    if environment is None:
        print(ros_unavailable_reason())
        return
    environment["ROS_DOMAIN_ID"] = str(free_domain())
    show_ros(environment, given.pings, given.ros_runs)


if __name__ == "__main__":
    main()
