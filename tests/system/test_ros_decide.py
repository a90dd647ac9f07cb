# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""/swarm/decide as its clients see it: four drones fly, one lies, all is asked of one flight."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from swarm_ledger.envelope import Kind
from swarm_ledger.errors import NotVerified
from swarm_ledger.identity.trust import load_trust
from swarm_ledger.ledger.policy import Policy
from swarm_ledger.ledger.store import Store
from swarm_ledger.light_client import verify_proof
from swarm_ledger.light_client.follower import load
from swarm_ledger.light_client.policies import policy_of
from swarm_ledger.runtime.export import sessions_in
from swarm_ledger.runtime.extract import Trouble
from swarm_ledger.sim.mission import KEY, OPERATOR, Mission, prepare, utc_now
from swarm_ledger.sim.processes import Processes, commands, environment
from swarm_ledger.voting.decision import parse_settled
from tests.patience import PATIENCE_S
from tests.system.conftest import needs

_CLIENT = """
import array, json, sys, time
import rclpy
from action_msgs.msg import GoalStatus
from builtin_interfaces.msg import Duration
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.action import ActionClient
from rclpy.qos import DurabilityPolicy, QoSProfile
from swarm_interfaces.action import Decide
from swarm_interfaces.msg import Decision, Question
from swarm_interfaces.srv import GetBlock, GetProof

rclpy.init()
node = rclpy.create_node("client")
latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
questions, decisions, statuses = [], [], []
node.create_subscription(Question, "/swarm/questions", questions.append, latched)
node.create_subscription(Decision, "/verified_decisions", decisions.append, latched)
node.create_subscription(
    DiagnosticArray, "/diagnostics", lambda message: statuses.extend(message.status), 10
)
client = ActionClient(node, Decide, "/swarm/decide")
deadline = time.monotonic() + 2 * float(sys.argv[1])


def until(what, holds):
    while not holds():
        assert time.monotonic() < deadline, "not in time: " + what
        rclpy.spin_once(node, timeout_sec=0.1)


def result_of(future):
    until("an answer", future.done)
    return future.result()


def goal(labels=("cup", "two_faces"), seconds=60, rule=1):
    subject = "What stands there?"
    return Decide.Goal(
        subject=subject, labels=list(labels), rule=rule, deadline=Duration(sec=seconds)
    )


def send(*given, **named):
    told = []
    future = client.send_goal_async(
        goal(*given, **named), feedback_callback=lambda one: told.append(one.feedback)
    )
    handle = result_of(future)
    assert handle.accepted
    return handle, told


def ended(handle):
    found = result_of(handle.get_result_async())
    said = found.result
    return {
        "status": found.status, "code": said.error_code, "said": said.error_msg,
        "outcome": said.outcome, "label": said.label, "counts": list(said.counts),
        "abstentions": said.abstentions, "number": said.number, "height": said.height,
        "proof": said.proof,
    }


def block(height, drone="/drone_2"):
    asked = blocks.call_async(GetBlock.Request(height=height))
    found = result_of(asked)
    return {
        "code": found.error_code, "said": found.error_msg, "found": found.found,
        "height": found.height, "first": found.first_index,
        "kinds": [entry.kind for entry in found.entries],
        "indices": [entry.index for entry in found.entries],
        "entries": [bytes(entry.data).hex() for entry in found.entries],
        "time": found.ledger_time.sec, "note": found.certificate.note,
    }


until("the server", client.server_is_ready)
report = {}
canceled, _ = send()
result_of(canceled.cancel_goal_async())
report["canceled"] = ended(canceled)
one, told = send()
other, _ = send()
blocks = node.create_client(GetBlock, "/drone_2/get_block")
until("the prover", blocks.service_is_ready)
report["flood"] = []
for _ in range(25):  # DDS keeps ten requests, so not all at once
    wave = [blocks.call_async(GetBlock.Request(height=0)) for _ in range(10)]
    until("the flood", lambda: all(asked.done() for asked in wave))
    report["flood"] += [[asked.result().error_code, asked.result().error_msg] for asked in wave]
report["good"] = ended(one)
report["told"] = [
    [list(f.labels), list(f.counts), f.abstentions, f.missing, f.height,
     f.remaining.sec, bytes(f.question).hex()]
    for f in told
]
report["other"] = ended(other)
report["bad"] = ended(send(labels=("cup", "Cup"))[0])
report["no rule"] = ended(send(rule=9)[0])
asked = {entry[6] for entry in report["told"]}
until("questions", lambda: asked <= {bytes(q.id).hex() for q in questions})
report["questions"] = [
    [bytes(q.id).hex(), q.subject, list(q.labels), q.rule, q.deadline.sec, q.operator_id,
     q.opened.sec > 0]
    for q in questions
]
until("decisions", lambda: report["other"]["number"] <= max([d.number for d in decisions] or [0]))
report["decisions"] = [d.number for d in decisions]
report["blocks"] = [block(height) for height in (0, report["good"]["height"], 10**9, 2**64 - 1)]
proofs = node.create_client(GetProof, "/drone_3/get_proof")
until("the prover", proofs.service_is_ready)
junk = proofs.call_async(GetProof.Request(request=array.array("B", b"junk")))
report["junk"] = bytes(result_of(junk).answer).hex()
statuses.clear()
until("diagnostics", lambda: {"ground_station: ledger", "ground_station: swarm"}
      <= {one.name for one in statuses})
report["statuses"] = {one.name: one.message for one in statuses}
print(json.dumps(report), flush=True)
"""

SUCCEEDED, CANCELED, ABORTED = 4, 5, 6
"""Of action_msgs/GoalStatus."""

Report = dict[str, Any]


@pytest.fixture(scope="module")
def flight(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    """A flight's folder, and what a client saw of it."""
    needs("ros")
    folder = tmp_path_factory.mktemp("decide") / "run"
    mission = Mission(run_dir=folder, transport="ros", byzantine=1, seed=4, looks=8)
    prepare(mission, now=utc_now())
    given = {"fleet": folder / "fleet.yaml", "operator": f"file:{folder / OPERATOR / KEY}"}
    started = {
        **commands(mission),
        "ground_station": [
            *("-m", "swarm_ledger.nodes.ground_station", "--ros-args"),
            *(part for name, value in given.items() for part in ("-p", f"{name}:={value}")),
            *("-p", f"operator_name:={OPERATOR}"),
        ],
        "client": ["-c", _CLIENT, str(PATIENCE_S)],
    }
    around = environment(mission)
    client = started.pop("client")
    with Processes(folder, started, around):
        done = subprocess.run(
            [sys.executable, *client],
            env=around,
            capture_output=True,
            timeout=2.5 * PATIENCE_S,
            check=False,
        )
    log = (folder / "ground_station.log").read_text()
    assert done.returncode == 0, (done.stderr.decode(), log)
    assert "Traceback" not in log
    return folder, json.loads(done.stdout)


def _policy(folder: Path) -> Policy:
    """Return the policy of all whom the longest ledger knows, not only of a note's cosigners."""
    trust, known = load_trust(folder / "roster"), {}
    for ledger in folder.glob("drone_*/ledger.db"):
        with Store.open(ledger, read_only=True) as store:
            known[store.size] = sessions_in(store, trust)
    return policy_of(known[max(known)])


def test_a_goal_is_decided_and_its_proof_holds(flight: tuple[Path, Report]) -> None:
    folder, report = flight
    good = report["good"]
    assert (good["status"], good["code"], good["said"]) == (SUCCEEDED, 0, "")
    assert (good["outcome"], good["label"]) in ((1, "cup"), (2, ""), (3, ""))  # never the liar's
    policy, proof = _policy(folder), good["proof"].encode()
    proven = verify_proof(policy, proof)
    root = (folder / "roster" / "root.json").read_bytes()
    kept = load(root, (folder / "ground_station" / "ledger.state").read_bytes())
    assert kept.checkpoint.size >= proven.size
    settled = parse_settled(proven.entry[1:])
    decision = settled.decision
    assert (settled.answer or "", decision.outcome) == (good["label"], good["outcome"])
    assert [*decision.counts, decision.abstentions] == [*good["counts"], good["abstentions"]]
    assert (decision.number, decision.height) == (good["number"], good["height"])
    assert decision.question.hex() == report["told"][0][-1]
    with pytest.raises(NotVerified):
        verify_proof(policy, proof.replace(b"index ", b"index 1"))


def test_two_goals_at_once_get_decisions_of_their_own(flight: tuple[Path, Report]) -> None:
    _, report = flight
    one, other = report["good"], report["other"]
    assert other["code"] == 0
    assert one["number"] != other["number"]
    assert one["proof"] != other["proof"]


def test_feedback_tells_how_the_vote_goes_on(flight: tuple[Path, Report]) -> None:
    _, report = flight
    told = report["told"]
    assert told
    labels, counts, abstentions, missing, _, remaining, _ = told[0]
    assert labels == ["cup", "two_faces"]
    assert sum(counts) + abstentions + missing == 4
    assert 0 < remaining <= 60
    assert told[-1][4] > 0
    assert len({one[-1] for one in told}) == 1


def test_a_goal_can_be_canceled(flight: tuple[Path, Report]) -> None:
    _, report = flight
    canceled = report["canceled"]
    assert (canceled["status"], canceled["code"]) == (CANCELED, 5)
    assert "may still be ordered" in canceled["said"]
    assert canceled["proof"] == ""


def test_a_bad_goal_is_explained(flight: tuple[Path, Report]) -> None:
    _, report = flight
    bad, no_rule = report["bad"], report["no rule"]
    assert (bad["status"], bad["code"]) == (ABORTED, 2)
    assert bad["said"] == "'Cup' is no label. Take 1 to 32 of a-z, 0-9 and _."
    assert (no_rule["code"], no_rule["said"][:19]) == (2, "there is no rule 9.")


def test_what_is_asked_and_decided_is_told_to_all(flight: tuple[Path, Report]) -> None:
    _, report = flight
    asked = report["told"][0][-1]
    question = next(one for one in report["questions"] if one[0] == asked)
    assert question[1:] == ["What stands there?", ["cup", "two_faces"], 1, 60, OPERATOR, True]
    numbers = report["decisions"]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "each once, in order"
    # They begin with the newest that was proven first: on a busy machine, with a later one.
    assert report["good"]["number"] < numbers[0] + len(numbers)


def test_blocks_are_shown(flight: tuple[Path, Report]) -> None:
    _, report = flight
    genesis, found, missing, beyond = report["blocks"]
    assert (genesis["code"], genesis["found"], genesis["kinds"]) == (0, True, [Kind.GENESIS])
    assert (found["code"], found["height"]) == (0, report["good"]["height"])
    assert found["indices"] == list(range(found["first"], found["first"] + len(found["kinds"])))
    assert found["kinds"][0] == Kind.BLOCK
    settled = [
        parse_settled(bytes.fromhex(entry)[1:]).decision.number
        for entry in found["entries"]
        if bytes.fromhex(entry)[0] == Kind.DECISION
    ]
    assert report["good"]["number"] in settled
    assert found["time"] > 0
    assert found["note"].startswith("swarm_ledger/")
    for one in (missing, beyond):
        assert (one["code"], one["found"]) == (Trouble.NOT_FOUND, False)
        assert "the last one is" in one["said"]


def test_who_asks_again_and_again_is_answered_or_told_why_not(
    flight: tuple[Path, Report],
) -> None:
    _, report = flight
    codes = [code for code, _ in report["flood"]]
    assert len(codes) == 250
    assert set(codes) <= {Trouble.NONE, Trouble.UNAVAILABLE}
    assert codes.count(Trouble.NONE) > 0
    assert all(said.startswith("busy: ") for code, said in report["flood"] if code)
    assert report["junk"].startswith("830201")  # a refusal: a bad request


def test_diagnostics_tell_how_it_goes(flight: tuple[Path, Report]) -> None:
    _, report = flight
    assert "entries are verified" in report["statuses"]["ground_station: ledger"]
    assert report["statuses"]["ground_station: swarm"].endswith("3 must agree")
