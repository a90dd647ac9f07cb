# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Rules and wishes from files in a drone's folder, and what the drone writes there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse
from swarm_ledger.rules.rule import Accept, Answer, Withdrawal
from swarm_ledger.runtime.clerk import (
    HELD,
    RULES,
    WANTED,
    Clerk,
    Status,
    read_wanted,
    unsealed,
    write_wanted,
)
from tests.crew import Crew
from tests.lab import STEP_MS, Lab
from tests.ruled import PAD, cup_rule, lease_rule, member_id, sealed_rule

CREW = Crew()


class Post:
    """A swarm whose first drone has a clerk."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.told = lab, list[str]()
        for member in range(4):
            lab.start(member)
        self.folder = lab.folders[0]
        self.clerk = Clerk(self.folder, self._note)

    def _note(self, event: str, fields: dict[str, Any]) -> None:
        assert event == "rule_refused"
        self.told.append(fields["what"])

    def put(self, name: str, raw: bytes) -> None:
        (self.folder / RULES).mkdir(exist_ok=True)
        (self.folder / RULES / name).write_bytes(raw)

    def until(self, done: Callable[[], object], ms: int = 30_000) -> None:
        for _ in range(ms // STEP_MS):
            if done():
                return
            self.lab.step()
            self.clerk.look(self.lab.drones[0], self.lab.now_ms)
        raise AssertionError((self.told, self.lab.drones[0].status()))

    def run(self, ms: int) -> None:
        end_ms = self.lab.now_ms + ms
        self.until(lambda: self.lab.now_ms >= end_ms)

    @property
    def status(self) -> Status:
        raw = (self.folder / HELD).read_bytes()
        return msgspec.json.decode(raw, type=Status)

    def standing(self, name: str = PAD, member: int = 2) -> Any:
        return self.lab.drones[member].machine.rules.standing(name)


@pytest.fixture
def post(lab: Callable[..., Lab]) -> Iterator[Post]:
    return Post(lab())


def test_from_a_sealed_file_to_a_lease_and_an_action(post: Post) -> None:
    post.put("1.rule", sealed_rule(CREW, lease_rule()))
    post.put("2.rule", sealed_rule(CREW, cup_rule()))
    write_wanted(post.folder, {PAD: 3_000})
    post.until(lambda: (post.folder / HELD).exists() and post.status.leases)
    assert post.standing().held.member == member_id(CREW, "drone_1")
    assert list(post.status.leases) == [PAD]
    assert post.status.leases[PAD].until_ms > post.lab.now_ms
    post.until(lambda: post.status.actions)
    (due,) = post.status.actions
    assert (due.action, due.parameters, due.number) == ("approach", "speed=2", 1)
    write_wanted(post.folder, {})
    post.until(lambda: not post.status.leases)
    assert post.standing(member=0).held is None
    post.clerk = Clerk(post.folder, post._note)
    post.run(2_000)
    assert post.status.actions == [due], "a restart tells it again, by the same number"
    assert post.told == []


def test_what_the_ledger_holds_is_not_said_again(post: Post) -> None:
    raw = sealed_rule(CREW, lease_rule())
    post.put("1.rule", raw)
    post.until(lambda: post.standing() is not None)
    before = [one for _, one in post.lab.said if one == raw]
    post.run(12_000)
    assert [one for _, one in post.lab.said if one == raw] == before
    assert post.told == []


def test_files_count_whatever_their_order(post: Post) -> None:
    """An answer waits for its request, a withdrawal for its rule."""
    post.put("1.rule", sealed_rule(CREW, Withdrawal("approach_cups", 1)))
    post.put("2.rule", sealed_rule(CREW, cup_rule()))
    post.put("3.rule", sealed_rule(CREW, lease_rule(accept=Accept.OPERATOR)))
    post.until(lambda: post.standing("approach_cups") and post.standing("approach_cups").body)
    post.lab.drones[3].claims.want(PAD, 2_000)
    post.until(lambda: post.standing() and post.standing().waiting)
    (wish,) = post.standing().waiting
    assert not wish.accepted
    answer = Answer(PAD, 1, wish.member, wish.number, accepted=True)
    post.put("0.rule", sealed_rule(CREW, answer))
    post.until(lambda: post.standing().held)
    post.until(lambda: post.standing("approach_cups").body is None)
    assert post.told == []


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "malformed"),
        (b"\x08", "malformed"),
        (bytes(10_000), "malformed"),
        (b"\x08" + bytes(10_000), "malformed"),
        (CREW.asked(), "malformed"),
        (sealed_rule(CREW, lease_rule())[:-1] + b"\0", "bad_signature"),
        (sealed_rule(Crew(swarm="other"), lease_rule()), "unknown_key"),
    ],
)
def test_a_file_that_is_no_rule_of_ours_is_refused_once(post: Post, raw: bytes, why: str) -> None:
    post.put("1.rule", raw)
    post.put("2.rule", sealed_rule(CREW, lease_rule()))
    post.until(post.standing)
    post.run(6_000)
    (told,) = post.told
    assert "1.rule" in told
    assert why in told


@pytest.mark.parametrize(
    "said",
    [b"{", b"[]", b'{"pad": 0}', b'{"pad": 1e9}', b'{"../pad": 5}', b"\xff", b" " * 9_000,
     b'{"pad": 86400001}', b'{"pad": "5"}', b"[" * 5_000],
)  # fmt: skip
def test_a_damaged_wish_is_told_once_and_changes_nothing(post: Post, said: bytes) -> None:
    (post.folder / WANTED).write_bytes(said)
    with pytest.raises(Misuse, match="does not say which leases are wanted"):
        read_wanted(post.folder)
    post.run(2_500)
    assert len(post.told) == 1
    assert post.lab.drones[0].claims.wanted == set()


def test_folders_that_are_not_what_they_should_be_end_nothing(post: Post) -> None:
    (post.folder / RULES).write_bytes(b"a file")
    (post.folder / WANTED).mkdir()
    post.run(2_500)
    assert any("leases.wanted" in told for told in post.told)
    (post.folder / WANTED).rmdir()
    (post.folder / RULES).unlink()
    (post.folder / RULES).mkdir()
    (post.folder / RULES / "x.rule").mkdir()
    post.run(6_000)
    assert any("x.rule" in told for told in post.told)


def test_what_is_no_lease_can_not_be_wanted(post: Post) -> None:
    claims = post.lab.drones[0].claims
    for name, term_ms in (("Pad!", 5), ("pad", 0), ("pad", 2**40)):
        with pytest.raises(Misuse):
            claims.want(name, term_ms)
    for number in range(64):
        claims.want(f"pad_{number}", 5)
    with pytest.raises(Misuse, match="at most"):
        claims.want("pad_64", 5)
    claims.drop("pad_1")
    claims.drop("never_heard_of")
    claims.want("pad_64", 5)


def test_unsealed_is_what_was_sealed() -> None:
    assert unsealed(sealed_rule(CREW, cup_rule())) == cup_rule()
    assert sealed_rule(CREW, cup_rule())[:1] == bytes([Kind.RULE])


def test_nothing_is_wanted_where_there_is_no_file(tmp_path: Path) -> None:
    assert read_wanted(tmp_path) == {}


def test_files_that_the_fleet_file_names_are_handed_in(post: Post, tmp_path: Path) -> None:
    named = [tmp_path / "pad.rule", tmp_path / "gone.rule"]
    named[0].write_bytes(sealed_rule(CREW, lease_rule()))
    post.clerk = Clerk(post.folder, post._note, named)
    post.until(lambda: post.standing() is not None)
    post.run(6_000)
    assert post.told == [f"{named[1]}, which the fleet file names, is not there."]
