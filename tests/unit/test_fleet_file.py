# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What is wrong in a fleet file is told with its line, and what was probably meant."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from swarm_ledger.errors import Misuse
from swarm_ledger.runtime.fleet import FLEET, Fleet
from swarm_ledger.runtime.fleet_file import SignEntry, parse_fleet_file
from swarm_ledger.sim.mission import Mission, prepare, utc_now

GOOD = """\
roster: roster
transport: zmq
drones:
  - name: one
    key: file:one.pem
    folder: one
    endpoint: tcp://10.0.0.1:7400
  - name: two
    key: file:two.pem
    folder: two
    endpoint: tcp://10.0.0.2:7400
    sign: {topics: [], batched: []}
consensus:
  interval: 16
sign:
  topics: [odom, "camera/*"]
  anchor_ms: 30000
"""


def refusal(text: str) -> str:
    with pytest.raises(Misuse) as caught:
        parse_fleet_file("my/fleet.yaml", text.encode())
    return caught.value.explain()


def test_a_good_one_is_taken() -> None:
    file = parse_fleet_file("fleet.yaml", GOOD.encode()).file
    assert file.sign == SignEntry(topics=["odom", "camera/*"])
    assert [entry.name for entry in file.drones] == ["one", "two"]


@pytest.mark.parametrize(
    ("before", "after", "line", "said"),
    [
        (
            "roster: roster",
            "rooster: roster",
            1,
            "no setting 'rooster' here. Did you mean roster?",
        ),
        ("    folder: one", "    foldr: one", 6, "'foldr' here. Did you mean folder?"),
        ("  interval: 16", "  hearts: 1", 14, "Known are request_timeout_ms, batch_delay_ms"),
        ("  interval: 16", "  interval: 0", 14, "interval: expected `int` >= 1."),
        ("  interval: 16", "  interval: [1]", 14, "interval: expected `int`, got `array`."),
        ("transport: zmq", "transport: zmk", 2, "transport can't be 'zmk'. Did you mean zmq?"),
        ("transport: zmq", "transport: tcp", 2, "can't be 'tcp'. Known are ros, zmq."),
        ("    key: file:two.pem\n", "", 8, "missing required field `key`"),
        ("name: two", "name: one", 8, "one has the name 'one' already"),
        ("key: file:two.pem", "key: file:one.pem", 9, "one has the key 'file:one.pem' already"),
        ("folder: two", "folder: one", 10, "one has the folder 'one' already"),
        ("10.0.0.2", "10.0.0.1", 11, "one has the endpoint 'tcp://10.0.0.1:7400' already"),
        (
            "    endpoint: tcp://10.0.0.2:7400\n",
            "",
            8,
            "two has no endpoint, and transport is zmq",
        ),
        (
            "consensus:",
            "transport: ros\nconsensus:",
            13,
            "transport is set twice, first in line 2",
        ),
        ("anchor_ms: 30000", "anchor_ms: 11999", 17, "takes no anchors that often. Give 0"),
        ("batched: []", "anchor_ms: 1", 12, "anchor_ms is 1"),
        ("topics: [odom,", "topics: [o dom,", 16, "topics: expected `str` matching regex"),
        (
            "folder: two",
            "folder: two\n    roles: [votr]",
            11,
            "roles can't be 'votr'. Did you mean",
        ),
        ("folder: two", "folder: : two", 10, "mapping values are not allowed"),
        ("  interval: 16", "\tinterval: 16", 14, "found character that cannot start any token"),
        ("  interval: 16", "  interval: *gone", 14, "undefined alias"),
        ("  interval: 16", "  interval: !mine 16", 14, "could not determine a constructor"),
        ("  interval: 16", "  ? [a, {b: c}]\n  : 16", 14, "found unhashable key"),
        ("folder: two", "folder: 2026-12-01", 10, "folder: expected `str`, got `date`"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    before: str, after: str, line: int, said: str
) -> None:
    assert before in GOOD
    found = refusal(GOOD.replace(before, after, 1))
    assert found.startswith(f"my/fleet.yaml, line {line}: not a valid fleet file: "), found
    assert said in found, found


def test_an_anchor_with_its_alias_is_taken() -> None:
    text = GOOD.replace(
        "endpoint: tcp://10.0.0.1:7400", "ledger: &kept {max_bytes: 9}\n    endpoint: x"
    )
    text = text.replace("folder: two", "folder: two\n    ledger: *kept")
    one, two = parse_fleet_file("fleet.yaml", text.encode()).file.drones
    assert one.ledger == two.ledger is not None


def test_what_holds_itself_is_refused() -> None:
    assert "aliases written out" in refusal("drones: &a [*a]")


def test_a_wrong_line_is_told_through_merged_maps() -> None:
    text = "drones:\n  - &one {name: a, key: b, folder: c}\n  - {<<: *one, name: d, kee: e}\n"
    assert "line 3: not a valid fleet file: there is no setting 'kee' here" in refusal(
        "roster: r\n" + text
    ).replace("line 4", "line 3")


def test_what_is_wrong_in_a_merged_map_is_told_where_it_is_written() -> None:
    text = "roster: r\ndrones:\n  - &one\n    name: 1\n    key: b\n    folder: c\n"
    said = refusal(text + "  - {<<: *one, key: d, folder: e}\n")
    assert "line 4: not a valid fleet file: name: expected `str`, got `int`" in said
    text = text.replace("name: 1", "name: a\n    id: 1")
    said = refusal(text.replace("    id: 1", "") + "  - {<<: *one, key: d, folder: 5}\n")
    assert "line 8: not a valid fleet file: folder: expected `str`, got `int`" in said


def test_an_empty_one_is_refused() -> None:
    for text in ("", "---\n", "# nothing\n"):
        assert "not a valid fleet file: expected `object`, got `null`" in refusal(text)


@pytest.fixture
def flown(tmp_path: Path) -> Path:
    prepare(Mission(run_dir=tmp_path, transport="memory"), now=utc_now())
    return tmp_path / FLEET


def with_roles(path: Path, roles: str) -> Fleet:
    text = path.read_text()
    path.write_text(
        re.sub(r"^(\s*)folder: drone_2$", rf"\g<0>\n\g<1>roles: {roles}", text, flags=re.M)
    )
    return Fleet.load(path)


def test_roles_that_the_roster_has_too(flown: Path) -> None:
    assert with_roles(flown, "[voter, validator]").drone("drone_2").roles


@pytest.mark.parametrize("roles", ["[validator]", "[voter, validator, observer]", "[]"])
def test_roles_that_the_roster_does_not_have(flown: Path, roles: str) -> None:
    with pytest.raises(
        Misuse, match=r"line \d+: .* in the roster, drone_2 is validator and voter"
    ):
        with_roles(flown, roles)


def test_what_a_drone_signs(flown: Path) -> None:
    text = flown.read_text()
    assert Fleet.load(flown).sign("drone_1") is None
    flown.write_text(text + "\nsign: {topics: [odom]}\n")
    assert Fleet.load(flown).sign("drone_1") == SignEntry(topics=["odom"])
    own = re.sub(r"^(\s*)folder: drone_1$", r"\g<0>\n\g<1>sign: {topics: []}", text, flags=re.M)
    flown.write_text(own + "\nsign: {topics: [odom]}\n")
    fleet = Fleet.load(flown)
    assert fleet.sign("drone_1") is None, "its own entry counts alone"
    assert fleet.sign("drone_2") == SignEntry(topics=["odom"])


def test_files_of_rules_are_relative_to_it(flown: Path) -> None:
    flown.write_text(flown.read_text() + "\nrules: [pad.1.rule]\n")
    assert Fleet.load(flown).rules() == [flown.parent / "pad.1.rule"]
