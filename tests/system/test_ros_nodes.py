# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The ROS 2 nodes from outside: what they publish, and how they refuse what is wrong."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from swarm_ledger.audit.ledger import open_ledger, verify_ledger
from swarm_ledger.identity import draft as drafts
from swarm_ledger.identity.edits import rotate
from swarm_ledger.identity.enrolment import make_request, open_request
from swarm_ledger.runtime.membership import membership_of
from swarm_ledger.signers import SoftwareSigner, open_signer
from swarm_ledger.sim.mission import Mission, prepare, utc_now
from swarm_ledger.sim.processes import Processes, commands, environment
from swarm_ledger.sim.watch import Watch
from tests.patience import PATIENCE_S
from tests.system.command import ROOT
from tests.system.conftest import needs

_LISTENER = """
import json, sys, time
import rclpy
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import Image
from swarm_interfaces.msg import Checkpoint, Decision, Envelope, Observation, SwarmStatus

rclpy.init()
node = rclpy.create_node("listener")
heard = {}

def listen(kind, topic, qos):
    node.create_subscription(kind, topic, lambda message: heard.setdefault(topic, message), qos)

latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
listen(Image, "/drone_1/camera/image", qos_profile_sensor_data)
listen(Observation, "/drone_2/observation", qos_profile_sensor_data)
listen(SwarmStatus, "/drone_3/status", 1)
listen(Envelope, "/swarm/envelopes", 100)
listen(Checkpoint, "/swarm/checkpoints", latched)
listen(Decision, "/swarm/decisions", latched)
print("listening", flush=True)
deadline = time.monotonic() + float(sys.argv[1])
while len(heard) < 6 and time.monotonic() < deadline:
    rclpy.spin_once(node, timeout_sec=0.2)
image = heard["/drone_1/camera/image"]
print(json.dumps({
    "topics": sorted(heard),
    "image": [image.height, image.width, image.encoding, len(image.data)],
    "stamped": image.header.stamp.sec > 0,
    "frame": image.header.frame_id,
    "swarm": heard["/swarm/envelopes"].swarm_id,
    "epoch": heard["/swarm/envelopes"].epoch,
    "decision": heard["/swarm/decisions"].label,
}))
"""


def test_what_is_flown_can_be_heard_by_any_node(tmp_path: Path) -> None:
    needs("ros")
    mission = Mission(run_dir=tmp_path, transport="ros", byzantine=0, seed=5, looks=30)
    fleet = prepare(mission, now=utc_now())
    surroundings = environment(mission)
    watch = Watch(mission.names(), mission.names())
    with subprocess.Popen(
        [sys.executable, "-c", _LISTENER, str(PATIENCE_S)],
        env=surroundings,
        stdout=subprocess.PIPE,
    ) as listener:
        assert listener.stdout is not None
        assert listener.stdout.readline() == b"listening\n"
        with Processes(tmp_path, commands(mission), surroundings) as processes:
            said = listener.stdout.read()
            while not watch.done:
                event = processes.next_event(PATIENCE_S)
                assert event is not None
                watch.take(event)
        assert listener.wait(PATIENCE_S) == 0
    heard = json.loads(said)
    assert heard["topics"] == [
        "/drone_1/camera/image",
        "/drone_2/observation",
        "/drone_3/status",
        "/swarm/checkpoints",
        "/swarm/decisions",
        "/swarm/envelopes",
    ]
    height, width, encoding, size = heard["image"]
    assert (encoding, size) == ("rgb8", height * width * 3)
    assert heard["stamped"]
    assert heard["frame"] == "drone_1/camera"
    assert (heard["swarm"], heard["epoch"]) == (fleet.roster.swarm_id, fleet.roster.version)
    decision = watch.flying[0].decision
    assert decision is not None
    assert heard["decision"] == (decision["label"] or "")


@pytest.mark.parametrize(
    ("module", "parameters", "words"),
    [
        ("drone", [], "the parameter fleet of /drone is not set"),
        ("drone", ["fleet:={fleet}"], "the parameter drone of /drone is not set"),
        ("drone", ["fleet:={fleet}", "drone:=drone_9"], "no drone 'drone_9'"),
        ("drone", ["fleet:={fleet}", "drone:=drone_1", "flet:=x"], "has the parameter flet"),
        ("drone", ["fleet:=/nowhere.yaml", "drone:=drone_1"], "cannot read /nowhere.yaml"),
        ("world", [], "the parameter fleet of /world is not set"),
        ("world", ["fleet:={fleet}", "speed:=3"], "has the parameter speed"),
    ],
)
def test_a_node_refuses_what_it_does_not_understand(
    tmp_path: Path, module: str, parameters: list[str], words: str
) -> None:
    needs("ros")
    mission = Mission(run_dir=tmp_path, transport="ros", byzantine=0)
    prepare(mission, now=utc_now())
    given = [word.format(fleet=tmp_path / "fleet.yaml") for word in parameters]
    arguments = ["--ros-args", *(part for word in given for part in ("-p", word))]
    done = subprocess.run(
        [sys.executable, "-m", f"swarm_ledger.nodes.{module}", *(arguments if given else [])],
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
    assert done.stdout == b""
    assert not (tmp_path / "drone_1" / "ledger.db-wal").exists()


def test_nodes_under_other_names_are_the_same_drones(tmp_path: Path) -> None:
    """Who a drone is follows from its key: the node's name is a label."""
    needs("ros")
    mission = Mission(run_dir=tmp_path, transport="ros", byzantine=0, seed=6)
    fleet = prepare(mission, now=utc_now())
    started = commands(mission)
    for name in mission.names():
        started[name] += ["-r", f"drone:__node:=bird_of_{name}"]
    watch = Watch(mission.names(), mission.names())
    with Processes(tmp_path, started, environment(mission)) as processes:
        while not watch.done:
            event = processes.next_event(PATIENCE_S)
            assert event is not None
            watch.take(event)
    with open_ledger(tmp_path / "drone_1") as store:
        verify_ledger(store, fleet.trust)
        sessions = membership_of(store, fleet.trust).now.opener.sessions()
    assert {session.member.index for session in sessions} == {0, 1, 2, 3}


def test_a_roster_that_is_signed_in_flight_is_found_and_a_new_key_is_heard(tmp_path: Path) -> None:
    """drone_4 gets a new key; its node, started with it, is reached at its old inbox."""
    needs("ros")
    mission = Mission(run_dir=tmp_path, transport="ros", byzantine=0, seed=7)
    fleet = prepare(mission, now=utc_now())
    roster, home = tmp_path / "roster", tmp_path / "drone_4"
    operator = open_signer(f"file:{tmp_path / 'operator_1' / 'key.pem'}")
    fresh = SoftwareSigner.generate()
    keys = fleet.channel("drone_4").public
    text = make_request(fresh, fleet.roster.swarm_id, "drone_4", keys)
    request = open_request(text, fleet.roster.swarm_id)
    heard: dict[str, tuple[object, object]] = {}
    with Processes(tmp_path, commands(mission), environment(mission)) as processes:

        def until(wanted: dict[str, tuple[object, object]]) -> None:
            while heard != wanted:
                event = processes.next_event(PATIENCE_S)
                assert event is not None, heard
                if event.event == "status":
                    heard[event.drone] = event.fields["epoch"], event.fields["standing"]

        members = dict.fromkeys(mission.names(), (1, "member"))
        until(members)
        expires = (utc_now() + timedelta(days=9)).replace(microsecond=0)
        drafts.keep_request(roster, text, request)
        drafts.change(roster, lambda old, m: rotate(old, m, "drone_4", request), expires=expires)
        drafts.sign(roster, operator)
        until({**dict.fromkeys(mission.names(), (2, "member")), "drone_4": (2, "removed")})
        processes.send("drone_4", signal.SIGINT)
        while (event := processes.next_event(PATIENCE_S)) is not None and event.event != "lost":
            pass
        (home / "key.pem").unlink()
        fresh.save(home / "key.pem")
        processes.start("drone_4")
        until(dict.fromkeys(mission.names(), (2, "member")))
