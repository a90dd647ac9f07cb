# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Real drones that speak in secret: killed and started again over ZeroMQ, overheard over ROS 2."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from swarm_ledger.envelope import Kind, kind_of
from swarm_ledger.identity.encrypt0 import parse0
from swarm_ledger.identity.secrecy import KeyId, parse_key_id
from swarm_ledger.runtime.fleet import Fleet
from swarm_ledger.runtime.fleet_file import ConsensusEntry
from swarm_ledger.sim.mission import Mission, prepare, utc_now
from swarm_ledger.sim.processes import Processes, commands, environment
from swarm_ledger.sim.watch import Watch
from swarm_ledger.transport.curve import Curve
from swarm_ledger.transport.secret import CLEAR
from swarm_ledger.transport.zmq import ZmqTransport
from tests import patience
from tests.patience import PATIENCE_S
from tests.system.command import call
from tests.system.conftest import needs

LIMIT = 1 << 22
VICTIM, ENOUGH = "drone_2", 15


def ear(fleet: Fleet) -> ZmqTransport:
    """The socket of drone_4, which hears what the others send and never says anything."""
    places = fleet.endpoints(fleet.roster)
    keys = fleet.channel("drone_4")
    return ZmqTransport(fleet.member("drone_4").index, places, Curve.among(keys, [fleet.roster]))


def secrets(heard: list[bytes], sender: int) -> Iterator[tuple[KeyId, int]]:
    """Under which secret and counter each ciphertext of a sender is, in the order of arrival."""
    for raw in heard:
        if kind_of(raw) is Kind.SECRET:
            message = parse0(raw[1:], limit=LIMIT)
            key_id = parse_key_id(message.kid)
            if key_id.sender == sender:
                yield key_id, message.count


def test_a_killed_drone_never_uses_a_key_and_nonce_twice(tmp_path: Path) -> None:
    mission = Mission(
        run_dir=tmp_path,
        transport="zmq",
        byzantine=0,
        secret=True,
        consensus=ConsensusEntry(request_timeout_ms=1_000, resend_ms=100),
    )
    fleet = prepare(mission, now=utc_now())
    sender = fleet.member(VICTIM).index
    flying = {name: told for name, told in commands(mission).items() if name != "drone_4"}
    heard: list[bytes] = []
    with ear(fleet) as listener, Processes(tmp_path, flying, environment(mission)) as processes:

        def until(done: Callable[[], bool]) -> None:
            patience.until(
                "enough is heard", done, lambda: heard.extend(listener.receive(200)), heard.__len__
            )

        until(lambda: len(list(secrets(heard, sender))) >= ENOUGH)
        processes.send(VICTIM, signal.SIGKILL)
        while (event := processes.next_event(PATIENCE_S)) is not None:
            if (event.drone, event.event) == (VICTIM, "lost"):
                break
        heard.extend(listener.receive(500))
        first = [key for key, _ in secrets(heard, sender)]
        processes.start(VICTIM)
        until(lambda: sum(key not in first for key, _ in secrets(heard, sender)) >= ENOUGH)
    used = list(secrets(heard, sender))
    assert len(used) == len(set(used)), "a key and nonce were used twice"
    lives = list(dict.fromkeys(key for key, _ in used))
    assert len(lives) == 2
    assert lives[0].order < lives[1].order
    for life in lives:
        counts = [count for key, count in used if key == life]
        assert counts[0] < ENOUGH, "each life counts from the beginning"
    assert {kind_of(raw) for raw in heard} <= {*CLEAR, Kind.SECRET}


_EAVESDROPPER = """
import json, sys, threading
import rclpy
from rclpy.qos import QoSProfile
from swarm_interfaces.msg import Envelope

ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
rclpy.init()
node = rclpy.create_node("eavesdropper")
kinds, found, words = {}, [], [word.encode() for word in json.loads(sys.argv[1])]

def hear(message):
    data = bytes(message.data)
    kinds[data[0]] = kinds.get(data[0], 0) + 1
    found.extend(word.decode() for word in words if word in data)

for topic in ("/swarm/envelopes", *(f"/swarm/inbox/drone_{n}" for n in range(1, 5))):
    node.create_subscription(Envelope, topic, hear, QoSProfile(depth=1000))
print("listening", flush=True)
while not ended.is_set():
    rclpy.spin_once(node, timeout_sec=0.2)
print(json.dumps([kinds, found]))
"""


def test_an_eavesdropper_on_ros_hears_no_vote_and_no_label(tmp_path: Path) -> None:
    needs("ros")
    mission = Mission(run_dir=tmp_path, transport="ros", seed=5, secret=True)
    fleet = prepare(mission, now=utc_now())
    question = fleet.question()
    assert question is not None
    watch = Watch(mission.names(), mission.names())
    surroundings = environment(mission)
    words = ["cup", "two_faces", "What stands at the centre?"]
    with subprocess.Popen(
        [sys.executable, "-c", _EAVESDROPPER, json.dumps(words)],
        env=surroundings,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as listener:
        assert listener.stdout is not None
        assert listener.stdin is not None
        assert listener.stdout.readline() == b"listening\n"
        with Processes(tmp_path, commands(mission), surroundings) as processes:
            while not watch.done:
                event = processes.next_event(PATIENCE_S)
                assert event is not None
                watch.take(event)
        listener.stdin.close()
        kinds, found = json.loads(listener.stdout.read())
        assert listener.wait(PATIENCE_S) == 0
    assert watch.flying[0].decision is not None
    heard = {Kind(int(kind)): number for kind, number in kinds.items()}
    assert heard.keys() <= {*CLEAR, Kind.SECRET}
    assert heard[Kind.SECRET] > 20
    assert found == []


@pytest.mark.parametrize("secret", [True, False])
def test_sim_says_whether_messages_were_encrypted(tmp_path: Path, secret: bool) -> None:
    option = ["--secret"] * secret
    told = call("sim", "--transport", "memory", "--run-dir", tmp_path, "--json", *option)
    assert told.json["secrecy"] is secret


def test_a_drone_whose_roster_lacks_its_channel_keys_does_not_start(tmp_path: Path) -> None:
    mission = Mission(run_dir=tmp_path, transport="zmq", byzantine=0, secret=True)
    fleet = prepare(mission, now=utc_now())
    other = msgspec.structs.replace(fleet.drone("drone_1"), channel="drone_2/channel.key")
    drones = [other, *fleet.file.drones[1:]]
    file = msgspec.structs.replace(fleet.file, drones=drones)
    fleet.path.write_bytes(msgspec.yaml.encode(file))
    told = subprocess.run(
        [sys.executable, *commands(mission)["drone_1"]],
        env=environment(mission),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert told.returncode == 1
    assert "does not list drone_1's channel keys" in told.stderr
