# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A drone looks at its roster folder in flight, and remembers what it has seen there."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from swarm_ledger.errors import NotVerified
from swarm_ledger.identity import draft as drafts
from swarm_ledger.identity.roster import Member, Roster
from swarm_ledger.identity.trust import Trust, load_trust
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.fleet import FLEET, Fleet
from swarm_ledger.runtime.lookout import SEEN, Lookout
from swarm_ledger.signers import open_signer
from swarm_ledger.sim.mission import Mission, prepare
from swarm_ledger.sim.mission import utc_now as now

NAME = "drone_1"


@dataclass
class Learner:
    """Stands for the drone: it takes in what goes on from what it knows."""

    trust: Trust
    learnt: list[int] = field(default_factory=list)

    @property
    def roster(self) -> Roster:
        return self.trust.genesis

    def learn(self, trust: Trust, now_ms: int) -> None:
        self.trust.check_learnt(trust)
        self.trust = trust
        self.learnt.append(trust.newest.version)


class Post:
    """One drone's folder, with a lookout over it. Each look comes when one is due."""

    def __init__(self, folder: Path) -> None:
        prepare(Mission(run_dir=folder, byzantine=0, transport="memory"), now=now())
        self.folder, self.rosters = folder, folder / "roster"
        self.said: list[tuple[str, Any]] = []
        self.now_ms = 0
        self.start()

    def start(self) -> None:
        fleet = Fleet.load(self.folder / FLEET)
        self.lookout = Lookout(
            fleet, NAME, lambda event, fields: self.said.append((event, fields))
        )
        self.drone = Learner(fleet.trust)

    def look(self) -> bool:
        self.now_ms += 2_000
        return self.lookout.look(cast(Drone, self.drone), self.now_ms)

    def version(self, days: int = 30, *, operators: bool = False, until_s: int = 0) -> int:
        """Have the next version signed. until_s: when the time of its first member is over."""

        def edit(_: Roster, members: list[Member]) -> list[Member]:
            return [replace(members[0], expires=until_s), *members[1:]]

        expires = (now() + timedelta(days=days)).replace(microsecond=0)
        drafts.change(self.rosters, edit, expires=expires, renew=operators)
        key = open_signer(f"file:{self.folder / 'operator_1' / 'key.pem'}")
        return drafts.sign(self.rosters, key).roster.version


@pytest.fixture
def post(tmp_path: Path) -> Post:
    return Post(tmp_path)


def test_it_learns_what_is_new_and_nothing_else(post: Post) -> None:
    assert not post.look()
    (post.rosters / "notes.txt").write_text("not a roster")
    assert not post.look()
    assert post.version() == 2
    assert not post.lookout.look(cast(Drone, post.drone), post.now_ms + 1_999), "not yet"
    assert post.look()
    assert not post.look()
    assert post.drone.learnt == [2]
    assert post.lookout.fleet.trust.newest.version == 2
    assert post.said == [("roster_found", {"version": 2})]


def test_half_a_copy_is_reported_and_the_whole_is_taken(post: Post) -> None:
    post.version()
    held = (post.rosters / "2.roster.json").rename(post.folder / "held")
    assert not post.look()
    assert not post.look()
    assert [event for event, _ in post.said] == ["roster_refused"]
    assert "cannot read" in post.said[0][1]["what"]
    shutil.copy(held, post.rosters / "2.roster.json")
    assert post.look()
    assert post.drone.learnt == [2]


def test_files_that_nobody_signed_are_reported_and_not_taken(post: Post) -> None:
    post.version()
    path = post.rosters / "2.roster.json"
    path.write_bytes(path.read_bytes().replace(b"drone_4", b"drone_9"))
    assert not post.look()
    assert "not the one that was signed" in post.said[0][1]["what"]
    (post.rosters / "3.root.json").write_bytes((post.rosters / "root.json").read_bytes())
    assert not post.look()
    assert len(post.said) == 2
    assert post.drone.learnt == []


def test_a_fleet_file_that_changes_is_read_again(post: Post) -> None:
    path = post.folder / FLEET
    path.write_text(path.read_text() + "looks: 77\n")
    assert post.look()
    assert post.lookout.fleet.file.looks == 77
    path.write_text("nonsense")
    assert not post.look()
    assert post.lookout.fleet.file.looks == 77


def test_a_rollback_in_flight_is_refused(post: Post) -> None:
    post.version()
    assert post.look()
    (post.rosters / "2.targets.json").unlink()
    assert not post.look()
    assert "version 2 is gone" in post.said[-1][1]["what"]
    assert post.lookout.fleet.trust.newest.version == 2


@pytest.mark.parametrize("how", ["gone", "another", "members", "root"])
def test_a_rollback_between_two_flights_is_refused(post: Post, how: str) -> None:
    """Each folder is validly signed, by itself."""
    before = shutil.copytree(post.rosters, post.folder / "before")
    post.version(operators=how != "members")
    assert post.look()
    if how == "root":
        (post.rosters / "2.root.json").unlink()
    else:
        shutil.rmtree(post.rosters)
        shutil.copytree(before, post.rosters)
        if how == "another":
            post.version(days=31, operators=True)
        elif how == "members":
            post.version(until_s=2**33)
    load_trust(post.rosters, now=now())
    with pytest.raises(NotVerified, match="verified before") as caught:
        post.start()
    assert SEEN in caught.value.explain()


def test_what_was_seen_at_the_start_counts_too(post: Post) -> None:
    post.version()
    post.start()
    for name in ("2.targets.json", "2.roster.json"):
        (post.rosters / name).unlink()
    with pytest.raises(NotVerified, match="version 2, which was verified before, is gone"):
        post.start()


def test_a_memory_that_is_damaged_is_no_memory_to_fly_on(post: Post) -> None:
    path = post.folder / NAME / SEEN
    assert path.exists()
    path.write_bytes(b"\x84")
    with pytest.raises(NotVerified, match="damaged"):
        post.start()
    path.unlink()
    post.start()


def test_nobody_starts_on_a_roster_that_has_expired(post: Post) -> None:
    """Old and validly signed: a freeze. In flight the ledger's time tells (the state machine)."""
    drone = cast(Drone, post.drone)
    post.lookout.check_current(drone, int(now().timestamp() * 1000))
    late = int((now() + timedelta(days=366)).timestamp() * 1000)
    with pytest.raises(NotVerified, match="expired on") as caught:
        post.lookout.check_current(drone, late)
    assert "roster renew" in caught.value.explain()
    post.version(days=400, operators=True)
    post.look()
    post.lookout.check_current(drone, late)
