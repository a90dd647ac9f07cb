# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Sessions that outlive a restart, and the fleet file that leads to them."""

from __future__ import annotations

import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarm_ledger.encoding import encode
from swarm_ledger.errors import Misuse
from swarm_ledger.identity.roster import Roster
from swarm_ledger.identity.session import MAX_SESSION_SECONDS
from swarm_ledger.identity.trust import write_trust
from swarm_ledger.runtime.fleet import Fleet
from swarm_ledger.runtime.identity import FolderKeys, Identity, resume, take_up
from tests.crew import DAY_S, T0_S, Crew, key

FLEET = """\
roster: roster
looks: 3
drones:
  - {name: drone_1, key: "file:keys/drone_1.pem", folder: drone_1, endpoint: "tcp://127.0.0.1:1"}
  - {name: drone_2, key: "file:keys/drone_2.pem", folder: drone_2}
"""


@pytest.fixture
def fleet(tmp_path: Path, crew: Crew) -> Fleet:
    expires = datetime(2031, 1, 1, tzinfo=timezone.utc) + timedelta(days=1)
    operator = crew.root("operator_1")
    write_trust(tmp_path / "roster", crew.raw_roster, [operator], threshold=1, expires=expires)
    (tmp_path / "keys").mkdir()
    for name in ("drone_1", "drone_2"):
        crew.root(name).save(tmp_path / "keys" / f"{name}.pem")
    (tmp_path / "fleet.yaml").write_text(FLEET)
    return Fleet.load(tmp_path / "fleet.yaml")


def again(path: Path, crew: Crew, name: str = "drone_1", now_s: int = T0_S) -> Identity:
    root = crew.root(name)
    return resume(path, crew.roster, root, now_s=now_s, before_s=60, after_s=DAY_S)


def test_a_restart_goes_on_with_its_session(tmp_path: Path, crew: Crew) -> None:
    path = tmp_path / "session.key"
    first = again(path, crew)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    second = again(path, crew, now_s=T0_S + DAY_S // 2 - 1)
    assert second.delegation == first.delegation
    assert second.session.sign(b"x") == first.session.sign(b"x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["session.key"]


@pytest.mark.parametrize("late", [DAY_S // 2, DAY_S, 9 * DAY_S, -61])
def test_a_session_that_is_over_soon_is_replaced(tmp_path: Path, crew: Crew, late: int) -> None:
    path = tmp_path / "session.key"
    first = again(path, crew)
    second = again(path, crew, now_s=T0_S + late)
    assert second.session_kid != first.session_kid
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert again(path, crew, now_s=T0_S + late).delegation == second.delegation


@pytest.mark.parametrize("now_s", [0, 1, 59])
def test_simulated_time_may_begin_at_0(tmp_path: Path, crew: Crew, now_s: int) -> None:
    identity = again(tmp_path / "session", crew, now_s=now_s)
    assert identity.not_before == 0 <= now_s < identity.expires


def test_a_session_of_somebody_else_is_not_taken(tmp_path: Path, crew: Crew) -> None:
    path = tmp_path / "session.key"
    first = again(path, crew)
    assert again(path, crew, "drone_2").session_kid != first.session_kid
    for other in (Crew(version=2), Crew(swarm="other")):
        before = path.read_bytes()
        assert again(path, other).member.public_key == other.root("drone_1").public_key
        assert path.read_bytes() != before


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"\x82\x58", bytes(5_000), encode([bytes(32), b""])]
)
def test_a_damaged_session_file_costs_a_session(tmp_path: Path, crew: Crew, data: bytes) -> None:
    path = tmp_path / "session.key"
    path.write_bytes(data)
    (tmp_path / "session.key.new").write_bytes(b"left behind by a crash")
    assert again(path, crew).delegation == again(path, crew).delegation


def test_a_kept_session_needs_its_root_key(tmp_path: Path, crew: Crew) -> None:
    path = tmp_path / "session.key"
    again(path, crew)
    with pytest.raises(Misuse, match="not one in the roster"):
        resume(path, crew.roster, key("x"), now_s=T0_S, before_s=0, after_s=DAY_S)


def test_files_that_cannot_be_used(tmp_path: Path, crew: Crew) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(Misuse, match="cannot read the session file"):
        again(tmp_path / "folder", crew)
    with pytest.raises(Misuse, match="cannot write the session file"):
        again(tmp_path / "nowhere" / "session.key", crew)


def test_take_up(crew: Crew) -> None:
    with pytest.raises(Misuse, match="a session lasts"):
        crew.identity("drone_1", seconds=MAX_SESSION_SECONDS)
    with pytest.raises(Misuse, match="not one in the roster"):
        take_up(crew.roster, key("x"), key("y"), not_before=1, expires=2)


def test_a_fleet_keeps_its_drones_sessions(fleet: Fleet, crew: Crew) -> None:
    one, two = fleet.identity("drone_1", T0_S), fleet.identity("drone_2", T0_S)
    assert one.session_kid != two.session_kid
    assert fleet.identity("drone_1", T0_S + 100).delegation == one.delegation
    assert (fleet.folder / "drone_1" / "session.key").exists()
    assert fleet.settings("drone_2").me == 1
    assert fleet.question() is None


def folder_keys(folder: Path, crew: Crew, name: str = "drone_1") -> FolderKeys:
    return FolderKeys(folder, crew.root(name), before_s=60, after_s=DAY_S)


def begun(keys: FolderKeys, roster: Roster, now_s: int = T0_S) -> Identity:
    identity = keys.begin(roster, now_s)
    assert identity is not None
    return identity


def test_each_roster_version_has_a_session_of_its_own(tmp_path: Path, crew: Crew) -> None:
    keys, two = folder_keys(tmp_path, crew), crew.changed(crew.roster).roster
    first, second = begun(keys, crew.roster), begun(keys, two)
    assert first.session_kid != second.session_kid
    assert sorted(p.name for p in tmp_path.iterdir()) == ["2.session.key", "session.key"]
    assert begun(keys, crew.roster).delegation == first.delegation
    kept = keys.kept(two)
    assert kept is not None
    assert kept.delegation == second.delegation
    assert keys.kept(crew.changed(two).roster) is None
    gone = crew.changed(two, revoke=["drone_1"], add=["drone_5"]).roster
    assert keys.begin(gone, T0_S) is None
    assert folder_keys(tmp_path, crew, "watcher").begin(two, T0_S) is None


def test_it_is_known_which_sessions_were_ever_held(tmp_path: Path, crew: Crew) -> None:
    keys, two = folder_keys(tmp_path, crew), crew.changed(crew.roster).roster
    held = [begun(keys, crew.roster, T0_S + day * DAY_S).session_kid for day in range(30)]
    assert len(set(held)) == 30
    assert [keys.holds(crew.roster, kid) for kid in held] == [False] * 13 + [True] * 17
    assert not keys.holds(two, held[-1])
    assert not folder_keys(tmp_path, crew, "drone_2").holds(crew.roster, held[-1])


def test_sessions_are_set_aside_with_the_ledger_that_they_wrote(
    tmp_path: Path, crew: Crew
) -> None:
    keys, two = folder_keys(tmp_path, crew), crew.changed(crew.roster).roster
    assert keys.lost == 0
    keys.lose()
    assert keys.lost == 0
    first = begun(keys, crew.roster)
    begun(keys, two)
    (tmp_path / "session.keys").write_bytes(b"not a session")
    keys.lose()
    assert folder_keys(tmp_path, crew).lost == keys.lost == 2
    assert not keys.holds(crew.roster, first.session_kid)
    assert begun(keys, crew.roster).session_kid != first.session_kid
    keys.lose()
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "2.session.key.lost",
        "session.key.lost",
        "session.keys",
    ]


def test_a_fleet_says_what_is_missing(fleet: Fleet) -> None:
    for call, said in (
        (lambda: fleet.drone("drone_9"), "no drone 'drone_9'; it has drone_1, drone_2"),
        (lambda: fleet.settings("watcher"), "no drone 'watcher'"),
        (fleet.endpoints, "gives drone_2 no endpoint"),
    ):
        with pytest.raises(Misuse, match=said):
            call()
    (fleet.folder / "drone_2").write_bytes(b"a file")
    with pytest.raises(Misuse, match="cannot use the folder"):
        fleet.store("drone_2")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "roster: x",
        FLEET + "more: 1\n",
        FLEET + "looks: 0\n",
        FLEET.replace("roster: roster", "roster: [1]"),
        FLEET.replace("roster: roster", 'roster: "a\\0b"'),
        FLEET.replace("name: drone_1", "nme: drone_1"),
        FLEET + "consensus: {interval: 0}\n",
        "a: 2001-99-99",
        "a: !!timestamp x",
        "a: !!python/object/apply:os.system [exit]",
        "[" * 100_000,
        "- " * 100_000,
        "x" * (1 << 19),
        "\x00",
        "a: *b",
        "a: &a [*a]",
    ],
)
def test_fleet_files_that_are_none(fleet: Fleet, text: str) -> None:
    (fleet.folder / "fleet.yaml").write_text(text)
    with pytest.raises(Misuse):
        Fleet.load(fleet.folder / "fleet.yaml")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.integers(0, len(FLEET)), st.binary(max_size=6), st.integers(0, 12))
def test_any_bytes_are_a_fleet_file_or_misuse(
    fleet: Fleet, at: int, noise: bytes, cut: int
) -> None:
    raw = FLEET.encode()
    (fleet.folder / "fleet.yaml").write_bytes(raw[:at] + noise + raw[at + cut :])
    try:
        loaded = Fleet.load(fleet.folder / "fleet.yaml")
    except Misuse:
        return
    assert loaded.roster == fleet.roster
