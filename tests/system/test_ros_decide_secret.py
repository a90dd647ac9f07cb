# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""/swarm/decide where drones speak in secret: asked in secret, and overheard by the client."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from swarm_ledger.envelope import Kind
from swarm_ledger.ledger.store import Store
from swarm_ledger.light_client import verify_proof
from swarm_ledger.light_client.policies import policy_of
from swarm_ledger.runtime.export import sessions_in
from swarm_ledger.sim.mission import KEY, OPERATOR, Mission, prepare, utc_now
from swarm_ledger.sim.processes import Processes, commands, environment
from swarm_ledger.transport.secret import CLEAR
from swarm_ledger.voting.decision import parse_settled
from tests.patience import PATIENCE_S
from tests.system.conftest import needs

_CLIENT = """
import json, sys, time
import rclpy
from builtin_interfaces.msg import Duration
from rclpy.action import ActionClient
from rclpy.qos import QoSProfile
from swarm_interfaces.action import Decide
from swarm_interfaces.msg import Envelope

rclpy.init()
node = rclpy.create_node("client")
kinds, found, told = {}, [], []
words = [b"What stands there?", b"two_faces"]

def hear(message):
    data = bytes(message.data)
    kinds[data[0]] = kinds.get(data[0], 0) + 1
    found.extend(word.decode() for word in words if word in data)

for topic in ("/swarm/envelopes", *(f"/swarm/inbox/drone_{n}" for n in range(1, 5))):
    node.create_subscription(Envelope, topic, hear, QoSProfile(depth=1000))
client = ActionClient(node, Decide, "/swarm/decide")
deadline = time.monotonic() + float(sys.argv[1])


def until(what, holds):
    while not holds():
        assert time.monotonic() < deadline, "not in time: " + what
        rclpy.spin_once(node, timeout_sec=0.1)


until("the server", client.server_is_ready)
until("all who speak", lambda: node.count_publishers("/swarm/envelopes") > 4)
goal = Decide.Goal(
    subject="What stands there?", labels=["cup", "two_faces"], rule=1, deadline=Duration(sec=60)
)
sent = client.send_goal_async(goal, feedback_callback=lambda one: told.append(one.feedback))
until("it is accepted", sent.done)
ended = sent.result().get_result_async()
until("it has ended", ended.done)
said = ended.result().result
print(json.dumps({
    "kinds": kinds, "found": found, "code": said.error_code, "said": said.error_msg,
    "number": said.number, "proof": said.proof,
    "told": [[sum(one.counts), one.missing] for one in told],
}))
"""


@pytest.mark.slow
def test_a_goal_is_decided_and_nobody_who_listens_hears_what_it_asks(tmp_path: Path) -> None:
    needs("ros")
    folder = tmp_path / "run"
    mission = Mission(run_dir=folder, transport="ros", byzantine=0, seed=4, looks=8, secret=True)
    fleet = prepare(mission, now=utc_now())
    given = {"fleet": fleet.path, "operator": f"file:{folder / OPERATOR / KEY}"}
    started = {
        **commands(mission),
        "ground_station": [
            *("-m", "swarm_ledger.nodes.ground_station", "--ros-args"),
            *(part for name, value in given.items() for part in ("-p", f"{name}:={value}")),
        ],
    }
    around = environment(mission)
    with Processes(folder, started, around):
        done = subprocess.run(
            [sys.executable, "-c", _CLIENT, str(PATIENCE_S)],
            env=around,
            capture_output=True,
            timeout=1.5 * PATIENCE_S,
            check=False,
        )
    log = (folder / "ground_station.log").read_text()
    assert done.returncode == 0, (done.stderr.decode(), log)
    assert "Traceback" not in log
    report = json.loads(done.stdout)
    assert (report["code"], report["said"], report["found"]) == (0, "", [])
    heard = {Kind(int(kind)) for kind in report["kinds"]}
    assert {Kind.CONFIDED, Kind.SECRET} <= heard <= {*CLEAR, Kind.SECRET, Kind.CONFIDED}
    assert all(one == [0, 4] for one in report["told"]), "no vote can be heard"
    with Store.open(folder / "drone_1" / "ledger.db", read_only=True) as store:
        proven = verify_proof(policy_of(sessions_in(store, fleet.trust)), report["proof"].encode())
    assert parse_settled(proven.entry[1:]).decision.number == report["number"]
