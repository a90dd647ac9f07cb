# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A root key that takes its time, or is gone, when a new epoch wants its signature."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest

from swarm_ledger.envelope import Kind, kind_of
from swarm_ledger.errors import Misuse
from swarm_ledger.identity.cose import kid, parse1
from swarm_ledger.runtime.errand import RETRY_S
from swarm_ledger.runtime.identity import FolderKeys
from swarm_ledger.signers import KeyStore
from tests.crew import DAY_S, T0_S, Crew
from tests.lab import Lab
from tests.security.test_changing_members import (
    decides,
    examine,
    hand_in,
    swarm_of,
    until,
    until_epoch,
)

MakeLab = Callable[..., Lab]
SLOW = 2
NAME = "drone_3"
CREW = Crew(5)
NEXT = CREW.changed(CREW.roster)
"""The same members, who need new sessions."""


def turn(made: Lab, *slow: int) -> None:
    """Let epoch 2 begin while some root keys don't sign yet."""
    for member in slow:
        made.keys[member].signs = False
    hand_in(made, NEXT, to=0)
    until(made, lambda: all(d.roster.version == 2 for d in made.drones.values()))
    assert [made.drones[member].standing for member in slow] == ["waiting"] * len(slow)


def votes_of_drone_2(made: Lab) -> set[bytes]:
    """All that were ever sent, by whomever: others pass them on."""
    kids = {kid(CREW.session("drone_2", 0, version).public_key) for version in (1, 2)}
    votes = {raw for _, raw in made.said if kind_of(raw) is Kind.VOTE}
    return {raw for raw in votes if parse1(raw[1:], limit=4096).kid in kids}


def said_in(made: Lab, epoch: int, name: str) -> list[object]:
    return [message for who, where, message in made.statements() if (who, where) == (name, epoch)]


def test_a_drone_says_nothing_until_its_root_key_has_signed(lab: MakeLab) -> None:
    made = swarm_of(lab, crew=CREW)
    turn(made, SLOW)
    others = [made.drones[m] for m in (0, 1, 3, 4)]
    until(made, lambda: all(d.engine.speaks for d in others))
    made.run(2_000)
    assert said_in(made, 2, NAME) == []
    assert said_in(made, 2, "drone_1")
    assert not made.drones[SLOW].engine.speaks
    made.keys[SLOW].signs = True
    until(made, lambda: made.drones[SLOW].engine.speaks)
    until_epoch(made, 2)
    until(made, lambda: bool(said_in(made, 2, NAME)))
    decides(made, 2, NEXT.roster)
    until_epoch(made, 2)
    examine(made, NEXT)


def test_its_blocks_come_from_the_others_meanwhile(lab: MakeLab) -> None:
    """It hears what they commit, and keeps its ledger, without a word."""
    made = swarm_of(lab, crew=CREW)
    turn(made, SLOW)
    before = made.drones[SLOW].keeper.store.height
    until(made, lambda: made.drones[SLOW].keeper.store.height > before)
    assert said_in(made, 2, NAME) == []


def test_a_swarm_whose_keys_are_all_slow_waits_and_goes_on(lab: MakeLab) -> None:
    made = swarm_of(lab, crew=CREW)
    turn(made, 0, 1, 2, 3, 4)
    made.run(3_000)
    assert {d.keeper.store.height for d in made.drones.values()} == {
        made.drones[0].engine.current.base
    }
    for member in (3, 1, 4, 0, 2):
        made.keys[member].signs = True
        made.run(300)
    until_epoch(made, 2)
    decides(made, 2, NEXT.roster)
    until_epoch(made, 2)
    examine(made, NEXT)


def test_its_vote_that_the_change_overtook_waits_with_it(
    lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was sealed and not heard; the same content is sealed again, and counts."""

    class Unheard:
        said: ClassVar[list[bytes]] = []

        def broadcast(self, data: bytes) -> None:
            self.said.append(data)

    made = lab(crew=CREW, places=16)
    for member in range(5):
        made.start(member)
    # Drone 5 sees nothing: with its vote the others could decide without drone 2.
    monkeypatch.setattr(made.drones[4].ballots, "look", lambda _look: None)
    with monkeypatch.context() as patched:
        patched.setattr(made.drones[1].ballots, "_transport", Unheard())
        until(made, lambda: bool(made.drones[1].ballots.sealed))
        turn(made, 1)
    (sealed,) = Unheard.said
    made.run(50)
    assert said_in(made, 2, "drone_2") == []
    assert votes_of_drone_2(made) <= {sealed}
    made.keys[1].signs = True
    made.until_decided()
    again = votes_of_drone_2(made) - {sealed}
    assert len(again) == 1, "its vote is sealed anew, once"
    decision = made.drones[1].machine.tally.decision(1)
    assert decision is not None
    assert sum(decision.counts) >= 4
    until_epoch(made, 2)
    examine(made, NEXT)


def test_another_change_comes_while_it_waits(lab: MakeLab) -> None:
    crew, made = CREW, swarm_of(lab, crew=CREW)
    first = crew.changed(crew.roster, add=["drone_6"])
    second = crew.changed(first.roster, revoke=["drone_2"])
    made.keys[4].signs = False
    hand_in(made, first, to=0)
    until(made, lambda: all(d.roster.version == 2 for d in made.drones.values()))
    made.trust[7] = crew.knowing(first)
    made.start(7)
    until(made, lambda: all(d.engine.speaks for m, d in made.drones.items() if m != 4))
    hand_in(made, second, to=0)
    until(made, lambda: all(d.roster.version == 3 for d in made.drones.values()))
    made.run(3_000)
    assert made.drones[4].standing == "waiting"
    assert not made.drones[4].engine.current.replica.settings.speaks, "it has caught up meanwhile"
    made.keys[4].signs = True
    until(made, lambda: made.drones[4].engine.speaks)
    until_epoch(made, 3)
    assert said_in(made, 2, "drone_5") == []
    examine(made, first, second)


def test_one_that_is_removed_does_not_wait(lab: MakeLab) -> None:
    crew, made = CREW, swarm_of(lab, crew=CREW)
    gone = crew.changed(crew.roster, revoke=["drone_5"])
    hand_in(made, gone, to=0)
    until(made, lambda: made.drones[4].roster.version == 2)
    assert made.drones[4].standing == "removed"


def test_what_its_token_says_is_told_once(lab: MakeLab) -> None:
    made = swarm_of(lab, crew=CREW)
    made.keys[SLOW].trouble = Misuse("the token was removed.", remedy="Put it back.")
    turn(made, SLOW)
    made.run(1_000)
    assert made.told("key") == [{"what": "the token was removed.", "remedy": "Put it back."}]


# the worker beside the loop


class SlowToken:
    """A drone's root key, in a token that signs when it is told to."""

    key_store = KeyStore.PKCS11

    def __init__(self, crew: Crew, name: str = "drone_1") -> None:
        self._inner = crew.root(name)
        self.algorithm, self.public_key = self._inner.algorithm, self._inner.public_key
        self.attributes = self._inner.attributes
        self.may, self.asked = threading.Event(), threading.Event()
        self.signed, self.failure = 0, ""
        self.thread: threading.Thread | None = None

    def sign(self, message: bytes) -> bytes:
        self.thread = threading.current_thread()
        self.asked.set()
        assert self.may.wait(30)
        if self.failure:
            raise Misuse(self.failure)
        self.signed += 1
        return self._inner.sign(message)

    def end(self) -> None:
        """Let the signature under way end, and wait for that."""
        assert self.asked.wait(30)
        assert self.thread is not None
        assert self.thread is not threading.main_thread()
        self.may.set()
        self.thread.join(30)
        assert not self.thread.is_alive()
        self.asked.clear()
        self.may.clear()


@pytest.fixture
def token(crew: Crew) -> SlowToken:
    return SlowToken(crew)


def keys_of(token: SlowToken, folder: Path) -> FolderKeys:
    return FolderKeys(folder, token, before_s=60, after_s=DAY_S)


def test_a_token_signs_beside_the_loop_and_once(
    tmp_path: Path, crew: Crew, token: SlowToken
) -> None:
    keys = keys_of(token, tmp_path)
    assert [keys.ready(crew.roster, T0_S) for _ in range(3)] == [False] * 3
    token.end()
    assert keys.ready(crew.roster, T0_S)
    assert keys.trouble is None
    begun = keys.begin(crew.roster, T0_S)
    assert begun is not None
    kept = keys.kept(crew.roster)
    assert kept is not None
    assert kept.delegation == begun.delegation
    assert token.signed == 1


def test_a_token_that_fails_is_asked_again_after_a_while(
    tmp_path: Path, crew: Crew, token: SlowToken
) -> None:
    keys = keys_of(token, tmp_path)
    token.failure = "the token was removed."
    assert not keys.ready(crew.roster, T0_S)
    token.end()
    assert not keys.ready(crew.roster, T0_S)
    assert keys.trouble is not None
    assert keys.trouble.what == "the token was removed."
    assert not keys.ready(crew.roster, T0_S + RETRY_S - 1)
    assert not token.asked.is_set(), "not yet"
    token.failure = ""
    assert not keys.ready(crew.roster, T0_S + RETRY_S)
    token.end()
    assert keys.ready(crew.roster, T0_S + RETRY_S)
    assert keys.trouble is None


def test_who_need_not_sign_is_ready(tmp_path: Path, crew: Crew, token: SlowToken) -> None:
    assert FolderKeys(tmp_path, crew.root("drone_1"), before_s=60, after_s=DAY_S).ready(
        crew.roster, T0_S
    )
    gone = crew.changed(crew.roster, revoke=["drone_1"], add=["drone_5"]).roster
    assert keys_of(token, tmp_path).ready(gone, T0_S)
    assert not token.asked.is_set()


class Kept(FolderKeys):
    """A drone's keys on a disk that lost nothing."""

    lost = 0


def test_a_swarm_turns_while_a_token_takes_its_time(
    lab: MakeLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The drone's own thread never waits for the token, which signs in one of its own."""
    token, usual = SlowToken(CREW, NAME), CREW.keys
    keys = Kept(tmp_path, token, before_s=60, after_s=DAY_S)
    token.may.set()

    def given(name: str, number: int = 0, first: int = 0) -> object:
        return keys if name == NAME else usual(name, number, first)

    monkeypatch.setattr(CREW, "keys", given)
    made = swarm_of(lab, crew=CREW)
    token.may.clear()
    token.asked.clear()
    hand_in(made, NEXT, to=0)
    drone = made.drones[SLOW]
    until(made, lambda: drone.roster.version == 2)
    height = drone.keeper.store.height
    until(made, lambda: drone.keeper.store.height > height)
    assert (drone.standing, drone.identity) == ("waiting", None)
    token.end()
    until(made, lambda: drone.engine.speaks)
    assert drone.standing == "member"
    assert token.signed == 2
    decides(made, 2, NEXT.roster)
    assert len({d.keeper.store.root() for d in made.drones.values()}) == 1
