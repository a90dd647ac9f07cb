# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""swarm_interfaces as compiled here: run in a child process, as the simulator runs its nodes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from swarm_ledger.encoding import MAX_ENTRY_BYTES
from swarm_ledger.envelope import MAX_ENVELOPE_BYTES, Kind
from swarm_ledger.identity.roster import MAX_MEMBERS
from swarm_ledger.light_client.messages import MAX_ANSWER_BYTES, MAX_REQUEST_BYTES
from swarm_ledger.signers import KeyStore
from swarm_ledger.sim.ros_environment import ros_environment, ros_unavailable_reason
from swarm_ledger.voting.limits import MAX_LABELS
from swarm_ledger.voting.rules import TAGS, OutcomeKind

SOURCES = Path(__file__).parents[2] / "ros2_ws" / "src" / "swarm_interfaces"
FILES = sorted(path for kind in ("msg", "srv", "action") for path in SOURCES.glob(f"{kind}/*"))
NAMES = [f"{path.parent.name}/{path.stem}" for path in FILES]
CONSTANT = re.compile(r"^(\w+)\s+([A-Z][A-Z0-9_]*)=(\d+)\s*(#.*)?$")
FIELD = re.compile(r"^([\w/]+(?:<=\d+)?(?:\[(?:<=)?\d*\])?)\s+([a-z]\w*)\s*(#\s*\S.*)?$")

PRELUDE = """
import array, importlib, json, sys
import numpy
from rclpy.serialization import deserialize_message, serialize_message


def carried(message):
    return deserialize_message(serialize_message(message), type(message))


def sections(name):
    kind, stem = name.split("/")
    found = getattr(importlib.import_module("swarm_interfaces." + kind), stem)
    if kind == "msg":
        return [found]
    if kind == "srv":
        return [found.Request, found.Response]
    return [found.Goal, found.Result, found.Feedback]
"""


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    found = ros_environment()
    if found is None:
        pytest.skip(ros_unavailable_reason())
    return found


def run(environment: dict[str, str], code: str) -> Any:
    """Run code in a child that has ROS 2; return the JSON that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def constants_in(text: str) -> dict[str, int]:
    found = (CONSTANT.match(line) for line in text.splitlines())
    return {match[2]: int(match[3]) for match in found if match}


def constants_of(name: str) -> dict[str, int]:
    return constants_in((SOURCES / name).read_text())


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_definitions_follow_the_conventions(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert re.match(r"^# [A-Z].*", lines[0]), "a purpose comment comes first"
    zero: dict[str, int] = {}
    for line in lines:
        if not line or line.startswith("#") or line == "---":
            continue
        constant, field = CONSTANT.match(line), FIELD.match(line)
        if constant:
            assert constant[4], f"{constant[2]} has no comment"
            prefix = constant[2].split("_")[0]
            zero.setdefault(prefix, int(constant[3]))
        else:
            assert field, f"neither a constant nor a field: {line!r}"
            assert field[3], f"no comment or unit: {line!r}"
            assert "float" not in field[1] or "NaN if unmeasured" in field[3] or "0..1" in line
    assert all(first == 0 for first in zero.values()), f"the first constant is 0: {zero}"


def test_package_lists_each_definition() -> None:
    listed = re.findall(
        r'"((?:msg|srv|action)/\w+\.\w+)"', (SOURCES / "CMakeLists.txt").read_text()
    )
    assert sorted(listed) == sorted(f"{path.parent.name}/{path.name}" for path in FILES)


def test_every_interface_survives_cdr(environment: dict[str, str]) -> None:
    code = f"""
same = dict()
for name in {NAMES!r}:
    same[name] = [carried(section()) == section() for section in sections(name)]
print(json.dumps(same))
"""
    same = run(environment, code)
    assert sorted(same) == sorted(NAMES)
    assert all(all(sections) for sections in same.values())
    assert [len(same[name]) for name in ("msg/Envelope", "srv/GetBlock", "action/Decide")] == [
        1,
        2,
        3,
    ]


def test_every_constant_is_compiled(environment: dict[str, str]) -> None:
    code = f"""
found = dict()
for name in {NAMES!r}:
    for section in sections(name):
        numbers = {{c: getattr(section, c) for c in dir(section) if c.isupper()}}
        found.setdefault(name, []).append(
            {{c: n for c, n in numbers.items() if isinstance(n, int)}})
print(json.dumps(found))
"""
    found = run(environment, code)
    for path, name in zip(FILES, NAMES, strict=True):
        expected = [constants_in(part) for part in path.read_text().split("\n---\n")]
        assert found[name] == expected


def test_constants_are_those_of_the_library() -> None:
    kinds = {f"KIND_{kind.name}": kind.value for kind in Kind if kind.value < 32}
    declared = constants_of("msg/Envelope.msg")
    assert declared.pop("KIND_UNKNOWN") == 0
    assert declared.items() <= kinds.items()
    assert {"KIND_SESSION", "KIND_QUESTION", "KIND_VOTE", "KIND_CONSENSUS"} <= declared.keys()
    stores = {f"KEY_STORE_{store.name}": store.value for store in KeyStore}
    status = constants_of("msg/SwarmStatus.msg")
    assert {name: n for name, n in status.items() if name.startswith("KEY_STORE")} == stores
    outcomes = {f"OUTCOME_{kind.name}": kind.value for kind in OutcomeKind}
    assert constants_of("msg/Decision.msg") == outcomes
    rules = {f"RULE_{name.upper()}": tag for name, tag in TAGS.items()}
    assert constants_of("msg/Question.msg") == {"RULE_UNKNOWN": 0, **rules}


def test_bounds_are_those_of_the_library() -> None:
    def text(name: str) -> str:
        return (SOURCES / name).read_text()

    assert f"refuse more than {MAX_ENVELOPE_BYTES}" in text("msg/Envelope.msg")
    assert f"uint8[<={MAX_ENTRY_BYTES}] data" in text("msg/Entry.msg")
    assert f"string[<={MAX_MEMBERS}] signers" in text("msg/Checkpoint.msg")
    assert f"uint8[<={MAX_REQUEST_BYTES}] request" in text("srv/GetProof.srv")
    assert f"uint8[<={MAX_ANSWER_BYTES}] answer" in text("srv/GetProof.srv")
    for name in ("msg/Decision.msg", "msg/Question.msg", "action/Decide.action"):
        assert f"string<=32[<={MAX_LABELS}] labels" in text(name)


def test_an_envelope_keeps_every_byte(environment: dict[str, str]) -> None:
    code = """
from swarm_interfaces.msg import Envelope
sealed = bytes(range(256)) * 1024
sent = Envelope(kind=Envelope.KIND_CONSENSUS, swarm_id="alpha", epoch=7)
sent.data = array.array("B", sealed)
got = carried(sent)
print(json.dumps([bytes(got.data) == sealed, got.kind, got.swarm_id, got.epoch]))
"""
    assert run(environment, code) == [True, 16, "alpha", 7]


def test_nan_and_digests_survive(environment: dict[str, str]) -> None:
    code = """
from swarm_interfaces.msg import Observation
sent = Observation(label="cup", confidence=0.5, bearing=float("nan"), distance=2.0)
sent.question = numpy.frombuffer(bytes(range(32)), dtype=numpy.uint8)
got = carried(sent)
print(json.dumps([got.bearing != got.bearing, got.distance, bytes(got.question).hex()]))
"""
    assert run(environment, code) == [True, 2.0, bytes(range(32)).hex()]


@pytest.mark.parametrize(
    "field",
    [
        'Decision(counts=array.array("H", [1] * 17))',
        'Question(labels=["a"] * 17)',
        'Entry(data=array.array("B", bytes(65536)))',
        'Checkpoint(signers=["x"] * 129)',
    ],
)
def test_lists_beyond_their_bound_are_not_sent(environment: dict[str, str], field: str) -> None:
    code = f"""
from swarm_interfaces.msg import Checkpoint, Decision, Entry, Question
try:
    serialize_message({field})
    print(json.dumps("sent"))
except Exception as refusal:
    print(json.dumps(type(refusal).__name__))
"""
    assert run(environment, code) in ("RMWError", "AssertionError")


def test_a_bounded_list_is_sent_when_full(environment: dict[str, str]) -> None:
    code = """
from swarm_interfaces.msg import Decision, Entry
full = Decision(counts=array.array("H", range(16)), labels=["abc"] * 16)
entry = Entry(data=array.array("B", bytes(65535)))
print(json.dumps([carried(full) == full, len(carried(entry).data)]))
"""
    assert run(environment, code) == [True, 65535]


def test_truncated_cdr_is_refused(environment: dict[str, str]) -> None:
    code = """
from swarm_interfaces.msg import Envelope
raw = serialize_message(Envelope(data=array.array("B", bytes(100))))
try:
    deserialize_message(raw[:60], Envelope)
    print(json.dumps("taken"))
except Exception as refusal:
    print(json.dumps(type(refusal).__name__))
"""
    assert run(environment, code) == "RMWError"
