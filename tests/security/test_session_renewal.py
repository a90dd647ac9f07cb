# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Sessions that run out in flight: replaced without a pause, and nothing is said twice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from swarm_ledger.audit.ledger import verify_ledger
from swarm_ledger.encoding import decode
from swarm_ledger.envelope import Kind, Opener, kind_of
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.identity.roster import Roster
from swarm_ledger.runtime.identity import FolderKeys, Identity
from tests.crew import Crew
from tests.lab import LIMIT, Lab
from tests.security.test_changing_members import decides, hand_in, until, until_epoch

MakeLab = Callable[..., Lab]
SPAN_S = 8
"""How long a session lasts here: from the fourth second on it is to be replaced."""


class Folder(FolderKeys):
    """Keys in a folder that outlives its drone. broken: the root key can't be used."""

    lost: int = 0
    broken = False

    def begin(self, roster: Roster, now_s: int) -> Identity | None:
        if self.broken:
            raise Misuse("the token is not there.")
        return super().begin(roster, now_s)


class ShortLived(Crew):
    """A crew whose sessions are files, and last a few seconds."""

    home: Path

    def keys(self, name: str, number: int = 0, first: int = 0) -> Any:
        folder = self.home / name
        folder.mkdir(parents=True, exist_ok=True)
        return Folder(folder, self.root(name), before_s=0, after_s=SPAN_S)


@pytest.fixture
def flying(lab: MakeLab, tmp_path: Path) -> Lab:
    """Four drones that have decided once."""
    crew = ShortLived()
    crew.home = tmp_path / "keys"
    made = lab(crew=crew, places=16)
    for member in range(4):
        made.start(member)
    made.until_decided()
    return made


def sessions(lab: Lab) -> dict[bytes, tuple[str, int]]:
    """Who has which session, by all delegations that were ever sent."""
    rosters = {era.roster.version: era.roster for era in lab.drones[0].machine.members.eras}
    found: dict[bytes, tuple[str, int]] = {}
    shown = {raw for _, raw in lab.said if kind_of(raw) is Kind.SESSION}
    for raw in {raw for _, raw in lab.said if kind_of(raw) is Kind.CARRIED}:
        parts: tuple[bytes, bytes] = decode(raw[1:], tuple[bytes, bytes], limit=LIMIT)
        shown.add(parts[0])
    for version, roster in rosters.items():
        for raw in shown:
            with suppress(PeerFault):  # of another version
                session = Opener(roster).delegated(raw)
                found[session.kid] = session.member.name, version
    return found


def examine(lab: Lab) -> None:
    """One ledger that verifies, no contradiction, nobody's words refused for their age."""
    found = sessions(lab)
    lab._names_by_kid = lambda: found
    lab.assert_no_contradiction()
    assert len({drone.keeper.store.root() for drone in lab.drones.values()}) == 1
    for drone in lab.drones.values():
        verdict = verify_ledger(drone.keeper.store, lab.crew.trust)
        assert verdict.covered == verdict.size
        assert drone.standing == "member"


def held(lab: Lab, name: str) -> int:
    """How many sessions of a member the ledger holds in the present epoch."""
    opener = lab.drones[0].machine.opener
    return len(opener.sessions_of(opener.roster.named(name)))


def test_sessions_are_replaced_without_a_pause(flying: Lab) -> None:
    speaking = True
    for _ in range(2_500):
        flying.step()
        speaking = speaking and all(d.engine.speaks for d in flying.drones.values())
    assert speaking, "somebody had no session on the ledger for a while"
    assert all(d.faults["stale_session"] == 0 for d in flying.drones.values())
    assert all(held(flying, name) >= 5 for name in flying.crew.names)
    first = flying.drones[0].machine.opener.sessions()
    assert any(not session.valid_at(flying.now_ms // 1000) for session in first)
    decides(flying, 2, flying.crew.roster)
    flying.until(flying.drones[0].keeper.store.height)
    examine(flying)


def test_both_sessions_count_while_one_follows_the_other(flying: Lab) -> None:
    """It is ordered while the present one counts, and taken once the ledger knows it."""
    seat = flying.drones[2].engine.current.seat
    until(flying, lambda: seat.following is not None, ms=SPAN_S * 1000)
    before, following = seat.identity, seat.following
    assert before is not None
    assert following is not None
    assert before.expires > flying.now_ms // 1000 >= following.not_before
    assert seat.known
    assert not seat.doorman.ledger.knows(following.member, following.session_kid)
    until(flying, lambda: seat.identity is not before)
    assert seat.identity is following
    assert seat.known
    assert before.expires > flying.now_ms // 1000


@pytest.mark.parametrize("effect", range(1, 12, 2))
def test_it_dies_while_it_renews(flying: Lab, effect: int) -> None:
    """The new session is on disk before anybody hears of it: it is a member again at once."""
    until(flying, lambda: flying.drones[2].engine.current.seat.following is not None)
    fuse = flying.fuses[2]
    fuse.at = fuse.count + effect
    until(flying, lambda: 2 in flying.died)
    flying.run(200)
    flying.start(2)
    until(flying, lambda: flying.drones[2].engine.speaks)
    assert flying.told("lost_disk") == []
    decides(flying, 2, flying.crew.roster)
    flying.until(flying.drones[0].keeper.store.height)
    examine(flying)


def test_a_disk_that_lost_its_sessions_is_known_by_any_of_them(flying: Lab) -> None:
    """The ledger shows four sessions; the file that names them is gone, the ledger is not."""
    until(flying, lambda: held(flying, "drone_3") >= 4, ms=60_000)
    flying.kill(2)
    crew = flying.crew
    assert isinstance(crew, ShortLived)
    (crew.home / "drone_3" / "session.key").unlink()
    flying.start(2)
    until(flying, lambda: flying.drones[2].standing == "mute")


def test_a_root_key_that_is_away_costs_no_vote_until_the_session_ends(flying: Lab) -> None:
    keys = flying.drones[3].renewal._keys
    assert isinstance(keys, Folder)
    keys.broken = True
    until(flying, lambda: bool(flying.told("session_not_renewed")))
    assert "the token is not there" in str(flying.told("session_not_renewed")[0]["what"])
    decides(flying, 2, flying.crew.roster)
    assert flying.drones[0].machine.tally.votes is not None
    assert flying.drones[3].engine.speaks


def test_a_swarm_cut_apart_for_longer_than_a_session_goes_on(flying: Lab) -> None:
    """No delegation can be ordered meanwhile, and view changes are repeated by whoever made them:
    both are said with the new session, and carry it.
    """
    carry = flying.network.carry
    halves = {0: 0, 1: 0, 2: 1, 3: 1}

    def cut(sender: int, to: int, data: bytes) -> None:
        if halves.get(sender) == halves.get(to):
            carry(sender, to, data)

    flying.network.carry = cut
    height = flying.drones[0].keeper.store.height
    flying.run(3 * SPAN_S * 1000)
    assert all(d.keeper.store.height <= height + 1 for d in flying.drones.values())
    flying.network.carry = carry
    until(flying, lambda: all(d.engine.speaks for d in flying.drones.values()), ms=60_000)
    decides(flying, 2, flying.crew.roster)
    flying.until(flying.drones[0].keeper.store.height)
    examine(flying)


def test_a_thief_of_an_old_session_is_refused(flying: Lab) -> None:
    """It is over by our clock, and in the ledger's time."""
    thief = flying.drones[1].identity
    assert thief is not None
    flying.run((SPAN_S + 2) * 1000)
    drone = flying.drones[0]
    before = drone.faults["stale_session"]
    drone.receive(thief.seal(Kind.VOTE, b"anything"), flying.now_ms)
    drone.receive(thief.seal(Kind.CONSENSUS, b"\x84\x08\x00\x00\x00"), flying.now_ms)
    assert drone.faults["stale_session"] + drone.faults["malformed"] == before + 2
    assert drone.faults["stale_session"] > before


def test_a_roster_version_ends_all_sessions(flying: Lab) -> None:
    again = flying.crew.changed(flying.crew.roster)
    old = flying.drones[1].identity
    assert old is not None
    hand_in(flying, again)
    until_epoch(flying, 2)
    new = flying.drones[1].identity
    assert new is not None
    assert new.session_kid != old.session_kid
    drone = flying.drones[0]
    before = drone.faults["stale_epoch"] + drone.faults["stale_session"]
    drone.receive(old.seal(Kind.VOTE, b"\x00"), flying.now_ms)
    assert sum(drone.faults[r] for r in ("stale_epoch", "stale_session", "malformed")) > before
    flying.run(2 * SPAN_S * 1000)
    decides(flying, 2, again.roster)


def test_one_that_was_away_for_long_is_served_in_its_old_epoch(flying: Lab) -> None:
    """Its peers' sessions of that epoch are over; they go on answering there with new ones."""
    flying.kill(3)
    again = flying.crew.changed(flying.crew.roster)
    hand_in(flying, again)
    until_epoch(flying, 2)
    flying.run(4 * SPAN_S * 1000)
    flying.start(3)
    until_epoch(flying, 2)
    assert flying.drones[3].standing == "member"
