# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Which session a relay signs with, and which roster a receiver goes by, as files change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity.roster import Roster, parse_roster, render_roster
from swarm_ledger.identity.trust import Version
from swarm_ledger.identity.tuf import sign_roster
from swarm_ledger.nodes.flight import Aboard, Ashore
from swarm_ledger.runtime.fleet import Fleet
from swarm_ledger.signers import open_signer
from swarm_ledger.sim.mission import Mission, prepare, utc_now
from tests.crew import END, put_version

NOW_S = int(utc_now().timestamp())


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    prepare(Mission(run_dir=tmp_path, byzantine=0), now=utc_now())
    return tmp_path


def sign_next(run_dir: Path) -> Roster:
    """Put the next roster version into the run's folder, with the same members."""
    before = Fleet.load(run_dir / "fleet.yaml").trust.newest
    raw = render_roster(before.swarm_id, before.version + 1, before.members)
    operator = next(path for path in run_dir.rglob("*operator*/key.pem"))
    targets = sign_roster(raw, [open_signer(f"file:{operator}")], expires=END)
    put_version(run_dir / "roster", Version(targets, parse_roster(raw)))
    return Fleet.load(run_dir / "fleet.yaml").trust.newest


def test_a_relay_waits_for_its_drone_and_follows_it(run_dir: Path) -> None:
    """It never begins a session itself: the drone's would be replaced, and the drone mute."""
    aboard = Aboard(run_dir / "fleet.yaml", "drone_1", pytest.fail)
    assert aboard.identity(NOW_S) is None
    assert aboard.roster(NOW_S) is None
    assert not list(run_dir.rglob("*session.key"))
    keys = Fleet.load(run_dir / "fleet.yaml").keys("drone_1")
    first = keys.begin(aboard._fleet.value.trust.newest, NOW_S)
    assert first is not None
    held = aboard.identity(NOW_S)
    assert held is not None
    assert held.delegation == first.delegation
    following = sign_next(run_dir)
    held = aboard.identity(NOW_S)
    assert held is not None
    assert held.roster.version == 1, "signed, but not in force yet"
    second = keys.begin(following, NOW_S)
    assert second is not None
    held = aboard.identity(NOW_S)
    assert held is not None
    assert (held.roster.version, held.delegation) == (2, second.delegation)


def test_a_relay_alone_begins_and_goes_on_with_its_session(run_dir: Path) -> None:
    path = run_dir / "fleet.yaml"
    one = Aboard(path, "drone_1", pytest.fail, begins=True).identity(NOW_S)
    other = Aboard(path, "drone_1", pytest.fail, begins=True).identity(NOW_S + 60)
    assert one is not None
    assert other is not None
    assert one.delegation == other.delegation
    renewed = Aboard(path, "drone_1", pytest.fail, begins=True).identity(NOW_S + 50_000)
    assert renewed is not None
    assert renewed.delegation != one.delegation


def test_ashore_the_newest_roster_counts(run_dir: Path) -> None:
    ashore = Ashore(run_dir / "roster", pytest.fail)
    assert ashore.roster(NOW_S).version == 1
    following = sign_next(run_dir)
    assert ashore.roster(NOW_S) == following


def test_a_roster_that_does_not_hold_is_told_and_left(run_dir: Path) -> None:
    told: list[str] = []
    ashore = Ashore(run_dir / "roster", told.append)
    sign_next(run_dir)
    forged = run_dir / "roster" / "2.roster.json"
    forged.write_bytes(forged.read_bytes().replace(b"drone_1", b"drone_8"))
    assert ashore.roster(NOW_S).version == 1
    assert len(told) == 1
    assert ashore.roster(NOW_S).version == 1
    assert len(told) == 1, "once for each change"
    os.utime(forged)
    ashore.roster(NOW_S)
    assert len(told) == 2


def test_what_cannot_be_read_at_first_is_an_error(tmp_path: Path) -> None:
    with pytest.raises((Misuse, NotVerified)):
        Ashore(tmp_path, pytest.fail)
    with pytest.raises(Misuse):
        Aboard(tmp_path / "fleet.yaml", "drone_1", pytest.fail)
