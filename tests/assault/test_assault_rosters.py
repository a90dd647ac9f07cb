# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Attacks with stolen keys and old rosters, on four running drones over ZeroMQ; in this order.

drone_4 loses first its session key, then its root key, and gets a new one by roster version 2.
Then the swarm is shown old rosters, and kept from new ones.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from swarm_ledger.consensus.messages import Commit, Status
from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, kind_of, seal
from swarm_ledger.identity import cose
from swarm_ledger.identity import draft as drafts
from swarm_ledger.identity.draft import Edit
from swarm_ledger.identity.edits import rotate
from swarm_ledger.identity.enrolment import make_request, open_request
from swarm_ledger.identity.trust import load_trust
from swarm_ledger.runtime.identity import Identity, take_up
from swarm_ledger.runtime.membership import roster_request
from swarm_ledger.signers import Signer, SoftwareSigner
from swarm_ledger.sim.mission import KEY, utc_now
from swarm_ledger.voting.observation import Observation
from swarm_ledger.voting.question import question_id
from tests.assault.field import Field, Wire
from tests.patience import PATIENCE_S

THIEF = "drone_4"
OTHERS = ("drone_1", "drone_2", "drone_3")


class Loot:
    """What was stolen of drone_4 under roster version 1, and said: all that the ledger held."""

    def __init__(self, field: Field) -> None:
        self.root: Signer = field.fleet.root(THIEF)
        kept = field.fleet.keys(THIEF).kept(field.fleet.roster)
        assert kept is not None
        self.session: Identity = kept
        self.said: list[bytes] = []


@pytest.fixture(scope="module")
def loot(flying: Field) -> Loot:
    return Loot(flying)


def turn(field: Field, edit: Edit, *, seconds: float) -> int:
    """The operator signs another roster version; return its number."""
    folder = field.home / "roster"
    expires = (utc_now() + timedelta(seconds=seconds)).replace(microsecond=0)
    drafts.change(folder, edit, expires=expires)
    field.roster = drafts.sign(folder, field.operator).roster
    return field.roster.version


def reached(field: Field, version: int) -> None:
    field.until(
        f"all are members in epoch {version}",
        lambda: (
            {(row["epoch"], row["standing"]) for row in field.seen.values()}
            == {(version, "member")}
        ),
    )


def contradicting(question: bytes, label: int) -> bytes:
    key = question_id(cose.parse1(question[1:], limit=4096).payload)
    now_ms = int(time.time() * 1000)
    return encode(Observation(key, label, 900_000, now_ms, bytes(32), 500, 3_000))


def test_a_clone_with_the_same_key_that_says_something_else(
    field: Field, attacker: Wire, loot: Loot
) -> None:
    """Two with one key vote and commit differently: that key is convicted, and nobody else's."""
    question = field.question()
    field.asked += 1
    for wire in (attacker, field.base):
        wire.send(question)
    for label in (0, 1):
        attacker.send(loot.session.seal(Kind.VOTE, contradicting(question, label)), OTHERS)
    for digest in (bytes(32), b"x" * 32):
        commit = encode(Commit(0, field.seen["drone_1"]["height"] + 5, digest))
        attacker.send(loot.session.seal(Kind.CONSENSUS, commit), OTHERS)

    def convicted() -> bool:
        told = {e.drone for e in field.told if e.event == "convicted"}
        return told == set(field.names) and all(
            field.asked in {d["number"] for d in field.decisions(name)} for name in field.names
        )

    field.until("all convict drone_4, and decide", convicted)
    ends = [d for name in OTHERS for d in field.decisions(name) if d["number"] == field.asked]
    assert {(one["outcome"], one["label"]) for one in ends} == {("decided", "cup")}
    assert all(THIEF not in one.values() for one in ends)
    assert field.accused() == {THIEF}


def test_a_clone_that_takes_up_a_session_of_its_own(
    field: Field, attacker: Wire, loot: Loot
) -> None:
    """The true drone finds a session of its own that its disk does not hold, and falls silent."""
    now_s = int(time.time())
    span = {"not_before": now_s - 60, "expires": now_s + 999}
    other = take_up(field.roster, loot.root, SoftwareSigner.generate(), **span)
    attacker.send(other.delegation)
    field.until("drone_4 is mute", lambda: field.seen[THIEF]["standing"] == "mute")
    attacker.send(other.seal(Kind.CONSENSUS, encode(Status(0, 9, 9))), OTHERS)
    field.decides()
    assert {e.drone for e in field.told if e.event == "lost_disk"} == {THIEF}


def test_a_stolen_session_after_its_key_was_revoked(
    field: Field, attacker: Wire, loot: Loot
) -> None:
    """drone_4 gets a new root key; what the old one and its session sign counts nowhere."""
    fresh, folder = SoftwareSigner.generate(), field.home / "roster"
    text = make_request(fresh, field.fleet.roster.swarm_id, THIEF)
    request = open_request(text, field.fleet.roster.swarm_id)
    drafts.keep_request(folder, text, request)
    loot.said = field.captured()
    version = turn(field, lambda old, m: rotate(old, m, THIEF, request), seconds=900_000)
    field.until(
        "drone_4's old key is out",
        lambda: (
            {(row["epoch"], row["standing"]) for row in field.seen.values()}
            == {(version, "member"), (version, "removed")}
        ),
    )
    field.down.add(THIEF)
    field.processes.send(THIEF, signal.SIGINT)
    field.until("drone_4 is down", lambda: THIEF not in field.seen)
    key = field.home / THIEF / KEY
    key.unlink()
    fresh.save(key)
    field.processes.start(THIEF)
    field.down.discard(THIEF)
    field.until("drone_4 is back", lambda: THIEF in field.seen)
    reached(field, version)
    before, now_s = field.faults(), int(time.time())
    old = field.fleet.roster
    assert old.version == version - 1
    for roster in (field.roster, old):
        said = contradicting(field.question(), 1)
        attacker.send(seal(Kind.VOTE, said, loot.session.session, roster))
    span = {"not_before": now_s - 60, "expires": now_s + 999}
    renewed = take_up(old, loot.root, SoftwareSigner.generate(), **span)
    attacker.send(renewed.delegation)
    token = cose.parse1(renewed.delegation[1:], limit=4096)
    aad = encode(["swarm_ledger/v1", old.swarm_id, Kind.SESSION, version])
    attacker.send(bytes([Kind.SESSION]) + cose.sign1(loot.root, token.payload, aad))
    field.refused(before, OTHERS, unknown_key=1, stale_epoch=1, not_a_member=1)


def test_replay_in_another_epoch(field: Field, attacker: Wire, loot: Loot) -> None:
    """All that was signed under version 1, when version 2 is in force."""
    assert field.roster.version == 2
    before, size = field.faults(), field.seen["drone_1"]["size"]
    requests = [raw for raw in loot.said if kind_of(raw) in (Kind.VOTE, Kind.QUESTION)]
    assert len(requests) > 10
    for raw in requests:
        attacker.send(raw)
    for raw in [raw for raw in loot.said if kind_of(raw) is Kind.CONSENSUS][:60]:
        attacker.send(raw)
    field.refused(before, OTHERS, stale_epoch=len(requests))
    field.decides()
    field.settle()
    assert field.seen["drone_1"]["size"] - size < 20, "nothing of it is ordered again"


@pytest.fixture
def older(field: Field, tmp_path: Path) -> Iterator[Path]:
    """The roster folder as it was before, kept by the attacker; the true one is put back."""
    kept, roster = tmp_path / "kept", field.home / "roster"
    shutil.copytree(roster, kept)
    yield roster
    shutil.copytree(kept, roster, dirs_exist_ok=True)


def test_rollback_of_the_roster(field: Field, attacker: Wire, older: Path) -> None:
    """Version 1 is put back in the folder, and sent: in flight it is told, and not followed."""
    trust = load_trust(older)
    assert trust.newest.version == 2
    before = field.faults()
    attacker.send(roster_request(trust.versions[-1]), OTHERS)
    field.refused(before, OTHERS, stale_roster=1)
    told = len(field.told)
    for path in older.glob("2.*"):
        path.unlink()
    field.until(
        "all report it",
        lambda: (
            {e.drone for e in field.told[told:] if e.event == "roster_refused"} == set(field.names)
        ),
    )
    field.decides()
    assert {row["epoch"] for row in field.seen.values()} == {2}
    field.down.add("drone_2")
    field.processes.send("drone_2", signal.SIGKILL)
    field.until("drone_2 is gone", lambda: "drone_2" not in field.seen)
    assert "was verified before, is gone" in refusal(field, "drone_2")
    field.decides()


def test_who_was_kept_from_starting_comes_back(field: Field) -> None:
    """Once the files are there again, drone_2 does start, and catches up."""
    field.processes.start("drone_2")
    field.until("drone_2 is back", lambda: "drone_2" in field.seen)
    field.down.discard("drone_2")
    reached(field, 2)


def refusal(field: Field, name: str) -> str:
    """Start a drone that won't start; return what it says."""
    done = subprocess.run(
        [sys.executable, *field.commands[name]],
        env=field.environment,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1, done
    return done.stderr.decode()


def test_a_roster_that_the_operators_did_not_sign(field: Field, attacker: Wire) -> None:
    before, trust = field.faults(), load_trust(field.home / "roster")
    raw = bytearray(roster_request(trust.versions[-1]))
    raw[len(raw) // 2] ^= 1
    attacker.send(bytes(raw))
    attacker.send(bytes([Kind.ROSTER]) + encode([b"", b""]))
    field.refused(before, bad_roster=2)


def test_freeze(field: Field, attacker: Wire) -> None:
    """The next roster is held back: past the expiry nothing counts; once it is there, all does."""
    version = turn(field, lambda _, members: members, seconds=8)
    reached(field, version)
    field.decides()
    expires = load_trust(field.home / "roster").proven[-1].expires_s
    field.until("it has expired", lambda: time.time() > expires + 0.5)
    before = {name: len(field.decisions(name)) for name in field.names}
    frozen = field.question()
    attacker.send(frozen)
    told = len(field.told)
    field.until(
        "the question is ordered, and does not count",
        lambda: {e.drone for e in field.told[told:] if e.event == "invalid"} == set(field.names),
    )
    assert before == {name: len(field.decisions(name)) for name in field.names}
    field.down.add("drone_3")
    field.processes.send("drone_3", signal.SIGKILL)
    field.until("drone_3 is gone", lambda: "drone_3" not in field.seen)
    assert "expired" in refusal(field, "drone_3")
    version = turn(field, lambda _, members: members, seconds=900_000)
    reached(field, version)
    field.processes.start("drone_3")
    field.until("drone_3 is back", lambda: "drone_3" in field.seen)
    field.down.discard("drone_3")
    reached(field, version)
