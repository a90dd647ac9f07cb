# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Rosters: what they may say, and who signed that they do (TUF)."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity.roster import (
    MAX_ROSTER_BYTES,
    Member,
    Role,
    parse_roster,
    render_roster,
)
from swarm_ledger.identity.trust import load_trust, write_trust
from swarm_ledger.signers import KeyStore, SoftwareSigner
from tests.crew import Crew, key

NOW = datetime(2030, 1, 1, tzinfo=timezone.utc)
SOON = NOW + timedelta(days=30)
OPERATORS = [key("op 1"), key("op 2"), key("op 3")]
CREW = Crew()
FILES = ("root.json", "targets.json", "roster.json")


def changed(**changes: Any) -> bytes:
    form = json.loads(CREW.raw_roster)
    form.update(changes)
    return json.dumps(form).encode()


def members(**changes: Any) -> bytes:
    form = json.loads(CREW.raw_roster)
    form["members"][0].update(changes)
    return json.dumps(form).encode()


def write(
    folder: Path,
    signers: list[SoftwareSigner],
    threshold: int = 1,
    roster: bytes = CREW.raw_roster,
    expires: datetime = SOON,
) -> Path:
    write_trust(folder, roster, signers, threshold=threshold, expires=expires)
    return folder


def test_what_is_rendered_is_parsed() -> None:
    roster = CREW.roster
    assert render_roster("test", 1, roster.members) == CREW.raw_roster == roster.raw
    assert roster.validators == roster.voters == (0, 1, 2, 3)
    assert roster.origin == "swarm_ledger/test"
    assert roster.named("operator_1").roles == {Role.OPERATOR}
    assert roster.named("drone_1").key_store.label == "software"
    assert len({member.drone_id for member in roster.members}) == 6
    with pytest.raises(Misuse, match="no member 'nobody'; it has drone_1, "):
        roster.named("nobody")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (changed(swarm="Test"), "not a valid roster"),
        (changed(swarm="a b"), "not a valid roster"),
        (changed(swarm="test\n"), "not a valid roster"),
        (changed(version=0), "not a valid roster"),
        (changed(version=2**32), "not a valid roster"),
        (changed(version=True), "not a valid roster"),
        (changed(more=1), "not a valid roster"),
        (changed(members=[]), "has 0 validators"),
        (members(name="drone_2"), "name drone_2 stands twice"),
        (members(name="a/b"), "not a valid roster"),
        (members(name="drone_1\n"), "not a valid roster"),
        (members(key="00" * 31), "not a valid roster"),
        (members(key="AB" * 32), "not a valid roster"),
        (members(key=json.loads(CREW.raw_roster)["members"][1]["key"]), "stands twice"),
        (members(key_store="unknown"), "not a valid roster"),
        (members(roles=[]), "has 3 validators"),
        (members(roles=["king"]), "not a valid roster"),
        (members(roles=["voter"]), "has 3 validators"),
        (members(roles=["operator", "validator"]), "may be nothing else"),
        (b"", "not a valid roster"),
        (b"[" * 20_000, "not a valid roster"),
        (b"\xff", "not a valid roster"),
        (b" " * (MAX_ROSTER_BYTES + 1), "at most"),
    ],
)
def test_rosters_that_are_none(raw: bytes, said: str) -> None:
    with pytest.raises(Misuse, match=said):
        parse_roster(raw)


@pytest.mark.parametrize(
    "name", ["drone-1", "drone.1", "1a", "..", "a__b", "_a", "none", "validators", "", "a b"]
)
def test_names_are_fit_for_ros_topics_folders_and_policies(name: str) -> None:
    flying = frozenset({Role.VALIDATOR, Role.VOTER})
    names = ["drone_1", "drone_2", "drone_3", name]
    members = [
        Member(i, n, key(f"named {i}").public_key, KeyStore.TPM2, flying)
        for i, n in enumerate(names)
    ]
    with pytest.raises(Misuse):
        parse_roster(render_roster("s", 1, members))


def test_at_least_as_many_vote_as_validate() -> None:
    both, only = frozenset({Role.VALIDATOR, Role.VOTER}), frozenset({Role.VALIDATOR})
    members = [
        Member(i, f"d{i}", key(f"few {i}").public_key, KeyStore.TPM2, both if i < 3 else only)
        for i in range(10)
    ]
    with pytest.raises(Misuse, match="3 voters and 10 validators"):
        parse_roster(render_roster("s", 1, members))


def test_a_roster_has_at_most_128_members() -> None:
    drone = frozenset({Role.VALIDATOR, Role.VOTER})
    many = [
        Member(i, f"d{i}", key(f"many {i}").public_key, KeyStore.TPM2, drone) for i in range(129)
    ]
    assert len(parse_roster(render_roster("s", 1, many[:128])).validators) == 128
    with pytest.raises(Misuse, match="not a valid roster"):
        parse_roster(render_roster("s", 1, many))


@given(st.binary(max_size=200), st.integers(0, len(CREW.raw_roster)), st.integers(0, 20))
def test_any_bytes_are_a_roster_or_misuse(noise: bytes, at: int, cut: int) -> None:
    for raw in (noise, CREW.raw_roster[:at] + noise[:5] + CREW.raw_roster[at + cut :]):
        try:
            roster = parse_roster(raw)
        except Misuse:
            continue
        assert len(roster.validators) >= 4


def test_signed_and_loaded(tmp_path: Path) -> None:
    roster = load_trust(write(tmp_path, OPERATORS, 2), now=NOW).genesis
    assert roster == CREW.roster


def test_two_of_three_operators(tmp_path: Path) -> None:
    """Whatever two of three have signed holds; with one signature, or one key's twice, not."""
    write(tmp_path, OPERATORS, 2)
    path = tmp_path / "targets.json"
    whole = json.loads(path.read_bytes())
    for kept in ([0, 1], [1, 2], [2, 0]):
        path.write_text(
            json.dumps({**whole, "signatures": [whole["signatures"][i] for i in kept]})
        )
        assert load_trust(tmp_path).genesis.swarm_id == "test"
    one, two = whole["signatures"][:2]
    for few in ([one], [], [one, {**two, "sig": one["sig"]}], [one, {**two, "keyid": "00" * 20}]):
        path.write_text(json.dumps({**whole, "signatures": few}))
        with pytest.raises(NotVerified):
            load_trust(tmp_path)
    path.write_text(json.dumps({**whole, "signatures": [one, one]}))
    with pytest.raises(NotVerified):
        load_trust(tmp_path)


@pytest.mark.parametrize("threshold", [0, 4, -1])
def test_a_threshold_that_cannot_be_met(tmp_path: Path, threshold: int) -> None:
    with pytest.raises(Misuse, match="can't meet a threshold"):
        write(tmp_path, OPERATORS, threshold)


def test_metadata_of_other_operators(tmp_path: Path) -> None:
    """A stranger signs targets or root anew: neither is what the trusted root asks for."""
    write(tmp_path / "ours", OPERATORS[:1])
    write(tmp_path / "theirs", [key("stranger")])
    for name in ("targets.json", "root.json"):
        kept = (tmp_path / "ours" / name).read_bytes()
        (tmp_path / "ours" / name).write_bytes((tmp_path / "theirs" / name).read_bytes())
        with pytest.raises(NotVerified):
            load_trust(tmp_path / "ours")
        (tmp_path / "ours" / name).write_bytes(kept)


def test_expired_metadata(tmp_path: Path) -> None:
    write(tmp_path, OPERATORS)
    assert load_trust(tmp_path, now=SOON - timedelta(seconds=1)).genesis
    with pytest.raises(NotVerified, match="expired"):
        load_trust(tmp_path, now=SOON)
    assert load_trust(tmp_path).genesis == CREW.roster  # an investigator, years later


def test_another_version_than_was_signed(tmp_path: Path) -> None:
    """An old roster beside new metadata, or the other way round: a rollback of one file."""
    old = write(tmp_path / "old", OPERATORS)
    new = write(tmp_path / "new", OPERATORS, roster=Crew(version=2).raw_roster)
    (new / "roster.json").write_bytes((old / "roster.json").read_bytes())
    with pytest.raises(NotVerified):
        load_trust(new)
    (new / "roster.json").write_bytes(Crew(version=2).raw_roster)
    assert load_trust(new).genesis.version == 2
    (new / "targets.json").write_bytes((old / "targets.json").read_bytes())
    with pytest.raises(NotVerified):
        load_trust(new)


@pytest.mark.parametrize("name", FILES)
def test_missing_and_oversize_files(tmp_path: Path, name: str) -> None:
    write(tmp_path, OPERATORS)
    (tmp_path / name).write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(NotVerified, match="larger than"):
        load_trust(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(Misuse, match="cannot read"):
        load_trust(tmp_path)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"[]", b"null", b"[" * 50_000, b'{"signed": 1}', b"\xff"]
)
def test_files_that_are_something_else(tmp_path: Path, name: str, raw: bytes) -> None:
    write(tmp_path, OPERATORS)
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(NotVerified):
        load_trust(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(FILES), st.integers(0, 5_000), st.binary(max_size=4), st.integers(0, 9))
def test_no_change_goes_unnoticed(
    tmp_path: Path, name: str, at: int, noise: bytes, cut: int
) -> None:
    """A changed file is refused, or says the same (white space, order of keys)."""
    write(tmp_path, OPERATORS, 2)
    raw = (tmp_path / name).read_bytes()
    at %= len(raw)
    (tmp_path / name).write_bytes(raw[:at] + noise + raw[at + cut :])
    try:
        roster = load_trust(tmp_path, now=NOW).genesis
    except NotVerified:
        return
    assert roster == CREW.roster
