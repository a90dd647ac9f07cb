# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A bag of signed messages proves itself with the roster alone, and tells what was touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from swarm_ledger.audit.relay import check_bag
from swarm_ledger.errors import Misuse
from swarm_ledger.identity.trust import write_trust
from swarm_ledger.relay.sender import Credentials, Sender
from swarm_ledger.relay.statement import Notarised, split_delegation
from tests.bags import write_bag
from tests.crew import END, Crew, put_version
from tests.relayed import DATA, HASH, LATER_US, ODOM, ODOMETRY, sender, signed, windowed
from tests.system.command import call

IMU = "/drone_1/imu"


def flight(crew: Crew) -> list[Notarised]:
    """Two drones; one delegation a second, and not with the first message."""
    messages: list[Notarised] = []
    for name in ("drone_1", "drone_2"):
        by = sender(crew, name, announce_us=1_000_000)
        for tick in range(30):
            now_us = LATER_US + tick * 100_000
            messages.append(signed(by, tick, f"/{name}/odom", now_us))
            messages += windowed(by, 10, f"/{name}/imu", now_us)
    return [replace(messages[0], sealed=split_delegation(messages[0].sealed)[1]), *messages[1:]]


@pytest.fixture
def roster(tmp_path: Path, crew: Crew) -> Path:
    folder = tmp_path / "roster"
    operators = [crew.root("operator_1")]
    write_trust(folder, crew.raw_roster, operators, threshold=1, expires=END)
    return folder


@pytest.mark.parametrize("mcap", [True, False])
def test_a_bag_verifies_with_the_roster_alone(
    tmp_path: Path, roster: Path, crew: Crew, mcap: bool
) -> None:
    bag = write_bag(tmp_path / "bag", flight(crew), mcap)
    said = call("relay", "verify", bag, "--roster", roster, "--json")
    assert said.code == 0, said
    found = said.json
    assert found["verified"]
    assert (found["messages"], found["accepted"], found["rejected"]) == (660, 660, {})
    assert found["first"] is None
    assert [(one["signer"], one["topic"], one["messages"]) for one in found["said"]] == [
        ("drone_1", "/drone_1/imu", 300),
        ("drone_1", "/drone_1/odom", 30),
        ("drone_2", "/drone_2/imu", 300),
        ("drone_2", "/drone_2/odom", 30),
    ]
    assert {one["lost"] for one in found["said"]} == {0}
    assert {one["type"] for one in found["said"]} == {ODOMETRY}
    told = call("relay", "verify", bag, "--roster", roster)
    assert "all 660 signed messages hold" in told.text


TOUCHED: dict[str, tuple[Callable[[list[Notarised]], list[Notarised | bytes]], str, int]] = {
    "data": (lambda m: [*m[:40], replace(m[40], data=DATA), *m[41:]], "bad_path", 40),
    "topic": (lambda m: [replace(m[0], topic="/a"), *m[1:]], "mismatch", 0),
    "stamp": (lambda m: [replace(m[0], stamp_us=1 + LATER_US), *m[1:]], "mismatch", 0),
    "twice": (lambda m: [*m, m[5]], "replayed", 660),
    "garbage": (lambda m: [*m[:9], b"\x00\x01\x00\x00" + b"\xff" * 60, *m[9:]], "malformed", 9),
    "other swarm": (
        lambda m: [*m, signed(sender(Crew(swarm="other")))],
        "other_swarm",
        660,
    ),
    "epoch that isn't known": (lambda m: [replace(m[0], epoch=7), *m[1:]], "other_epoch", 0),
}


@pytest.mark.parametrize("touched", TOUCHED)
def test_what_was_touched_is_told(tmp_path: Path, roster: Path, crew: Crew, touched: str) -> None:
    change, reason, position = TOUCHED[touched]
    bag = write_bag(tmp_path / "bag", change(flight(crew)))
    said = call("relay", "verify", bag, "--roster", roster, "--json")
    assert said.code == 1
    found = said.json
    assert not found["verified"]
    assert found["rejected"] == {reason: 1}
    assert (found["first"]["position"], found["first"]["reason"]) == (position, reason)
    told = call("relay", "verify", bag, "--roster", roster)
    assert told.code == 1
    assert f"(1 {reason})" in told.text


def test_what_is_missing_is_counted(tmp_path: Path, roster: Path, crew: Crew) -> None:
    messages = [one for at, one in enumerate(flight(crew)) if at not in (1, 12, 13, 44)]
    bag = write_bag(tmp_path / "bag", messages)
    found = call("relay", "verify", bag, "--roster", roster, "--json").json
    assert found["verified"]
    assert [one["lost"] for one in found["said"]] == [2, 1, 0, 0]


def test_messages_of_two_epochs(tmp_path: Path, roster: Path) -> None:
    """Each counts under the roster that it was signed under."""
    crew = Crew()
    version = crew.changed(crew.roster, add=["drone_9"])
    put_version(roster, version)
    identity = crew.identity("drone_9", roster=version.roster)
    credentials = Credentials(version.roster, identity.session, identity.delegation)
    later = Sender(credentials, lambda: 1, announce_us=0).sign(
        ODOM, ODOMETRY, HASH, DATA, LATER_US
    )
    bag = write_bag(tmp_path / "bag", [*flight(crew), later])
    found = call("relay", "verify", bag, "--roster", roster, "--json").json
    assert (found["verified"], found["messages"]) == (True, 661)
    assert found["said"][-1]["signer"] == "drone_9"


def test_what_is_no_bag(tmp_path: Path, roster: Path, crew: Crew) -> None:
    (tmp_path / "x.mcap").write_bytes(b"nothing")
    (tmp_path / "folder").mkdir()
    for path in ("nowhere", "x.mcap", "folder"):
        call("relay", "verify", tmp_path / path, "--roster", roster).refused()
    empty = write_bag(tmp_path / "bag", [])
    with pytest.raises(Misuse, match="has no message of type"):
        check_bag(empty, crew.trust)
