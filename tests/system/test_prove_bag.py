# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One recorded message: whether, when and by whom it was anchored; its proof, and forged ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from swarm_ledger.audit.ledger import open_ledger
from swarm_ledger.audit.provenance import (
    MAX_PROVENANCE_BYTES,
    Proven,
    Provenance,
    check_provenance,
)
from swarm_ledger.audit.trace import Choice, trace
from swarm_ledger.encoding import decode, encode
from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity.trust import write_trust
from swarm_ledger.ledger.note import Note
from swarm_ledger.ledger.proof import LogProof
from swarm_ledger.ledger.store import Store
from swarm_ledger.light_client.policies import policy_file
from swarm_ledger.relay.anchor import Anchor, Told, told_of
from swarm_ledger.relay.sender import Sender
from swarm_ledger.relay.statement import Notarised, split_delegation
from swarm_ledger.runtime.export import prove, sessions_in
from swarm_ledger.runtime.machine import Machine
from swarm_ledger.runtime.membership import roster_request
from tests.anchored import BLOCK_MS, Scribe, anchoring_sender, sealed_anchor
from tests.bags import write_bag
from tests.crew import END, T0_MS, Crew
from tests.relayed import ODOM, signed, windowed
from tests.system.command import Said, call, flipped, positions

CREW = Crew()
IMU, TF = "/drone_1/imu", "/tf"
SAID_US = (T0_MS + BLOCK_MS) * 1_000
STEP_US = 20_000


@dataclass(frozen=True)
class Flight:
    """said: all that was recorded; late: what came after the last anchor."""

    home: Path
    said: list[Notarised]
    late: Notarised

    @property
    def ledger(self) -> Path:
        return self.home / "drone_2"

    def bag(self, tmp_path: Path, said: Sequence[Notarised] | None = None) -> Path:
        return write_bag(tmp_path / "bag", self.said if said is None else said)

    def prove(self, bag: Path, *more: object) -> Said:
        where = ("--roster", self.home / "roster", "--ledger", self.ledger)
        return call("relay", "prove", bag, *where, *more)

    def check(self, proof: Path, *more: object) -> Said:
        return call("relay", "check", proof, "--roster", self.home / "roster", *more)

    def one(self, topic: str, number: int) -> Notarised:
        return [one for one in self.said if one.topic == topic][number]


def anchor_of(by: Sender, told: Told, said: list[Notarised]) -> tuple[bytes, Anchor]:
    made = by.anchor(told, SAID_US, last=True)
    assert made is not None
    assert made.leaves is not None
    said.append(made.leaves)
    assert by.anchoring is not None
    assert by.anchoring.pending is not None
    return made.sealed, by.anchoring.pending


@pytest.fixture(scope="module")
def flight(tmp_path_factory: pytest.TempPathFactory) -> Flight:
    """drone_1's relay anchors twice, drone_2's once; drone_4 anchors what drone_1 said."""
    home = tmp_path_factory.mktemp("flight")
    roster, operators = home / "roster", [CREW.root("operator_1")]
    write_trust(roster, CREW.raw_roster, operators, threshold=1, expires=END)
    said: list[Notarised] = []
    first, second = anchoring_sender(CREW), anchoring_sender(CREW, "drone_2")
    for number in range(5):
        said.append(signed(first, number, ODOM, SAID_US + number * STEP_US))
    said += windowed(first, 5, IMU, SAID_US)
    for by in (first, second):
        said.append(signed(by, 7, TF, SAID_US))
    one, anchor = anchor_of(first, Told(), said)
    other, _ = anchor_of(second, Told(), said)
    said.append(signed(first, 9, ODOM, SAID_US + 9 * STEP_US))
    more, _ = anchor_of(first, told_of(anchor), said)
    late = signed(first, 10, ODOM, SAID_US + 50 * STEP_US)
    (home / "drone_2").mkdir()
    with Store.open(home / "drone_2" / "ledger.db") as store:
        scribe = Scribe(store, CREW)
        scribe.block(*(CREW.identity(name).delegation for name in CREW.names))
        scribe.block(CREW.asked(), one, sealed_anchor(CREW, "drone_4", anchor), other)
        scribe.certify()
        scribe.block(more)
        scribe.certify()
    return Flight(home, [*said, late], late)


@pytest.fixture(scope="module")
def given(flight: Flight, tmp_path_factory: pytest.TempPathFactory) -> Provenance:
    """The proof of drone_1's second odometry."""
    raw = proof_of(flight, tmp_path_factory.mktemp("given"), flight.one(ODOM, 1))
    found: Provenance = decode(raw, Provenance, limit=MAX_PROVENANCE_BYTES)
    assert encode(found) == raw
    return found


def proof_of(flight: Flight, tmp_path: Path, message: Notarised) -> bytes:
    choice = Choice(message.topic, "drone_1", message.sequence)
    with open_ledger(flight.ledger) as store:
        found = trace(flight.bag(tmp_path), store, CREW.trust, choice)
    assert found.proven is not None
    return found.proof


# what is told


def test_whether_when_and_by_whom(flight: Flight, tmp_path: Path) -> None:
    bag, proof = flight.bag(tmp_path), tmp_path / "odom.provenance"
    wanted = flight.one(ODOM, 2)
    by_number = ("--topic", ODOM, "--sequence", wanted.sequence)
    said = flight.prove(bag, *by_number, "--out", proof, "--json")
    assert said.code == 0, said
    found = said.json
    assert (found["verified"], found["anchored"], found["signer"]) == (True, True, "drone_1")
    assert (found["topic"], found["type"]) == (ODOM, wanted.type_name)
    assert (found["sequence"], found["stamp_us"]) == (wanted.sequence, wanted.stamp_us)
    assert found["id"] == CREW.roster.named("drone_1").drone_id
    with open_ledger(flight.ledger) as store:
        entry = store.entry(found["anchor"]["index"])
        assert entry[0] == Kind.ANCHOR
        assert store.height_of(found["anchor"]["index"]) == found["anchor"]["height"] == 2
    assert found["anchor"]["time_ms"] == T0_MS + 2 * BLOCK_MS
    assert found["cosigned_by"] == ["drone_1", "drone_2", "drone_3"]
    bag.rename(tmp_path / "elsewhere")
    checked = flight.check(proof, "--json")
    assert checked.code == 0, checked
    assert checked.json.items() <= found.items()
    told = flight.check(proof).text
    assert "signed by drone_1 (software key): /drone_1/odom" in told
    assert "number 3 of run 1" in told
    assert "height 2" in told
    assert "cosigned by drone_1, drone_2, drone_3" in told


@pytest.mark.parametrize(
    "at",
    [
        "2030-01-01T00:00:20.049",
        "2030-01-01 00:00:20.030001",
        "2030-01-01T00:00:20.040Z",
        "1893456020.04",
    ],
)
def test_by_its_time(flight: Flight, tmp_path: Path, at: str) -> None:
    """The nearest, by the stamp that was signed."""
    found = flight.prove(flight.bag(tmp_path), "--topic", ODOM, "--at", at, "--json").json
    assert found["sequence"] == flight.one(ODOM, 2).sequence
    assert found["proof"] is None


def test_one_of_a_window_and_one_of_a_later_anchor(flight: Flight, tmp_path: Path) -> None:
    for message, height in ((flight.one(IMU, 3), 2), (flight.one(ODOM, 5), 3)):
        proven = check_provenance(
            proof_of(flight, tmp_path / message.topic[1:], message), CREW.trust
        )
        assert (proven.verified.statement, proven.height) == (message.statement(), height)


def test_not_anchored(flight: Flight, tmp_path: Path) -> None:
    proof = tmp_path / "none"
    where = ("--topic", ODOM, "--sequence", flight.late.sequence, "--out", proof)
    bag = flight.bag(tmp_path)
    said = flight.prove(bag, *where, "--json")
    assert said.code == 1
    assert (said.json["verified"], said.json["anchored"]) == (True, False)
    assert said.json["why"] == "no anchor on this ledger names its number"
    assert "not anchored: no anchor on this ledger" in flight.prove(bag, *where).text
    assert not proof.exists()


def test_not_to_be_shown(flight: Flight, tmp_path: Path) -> None:
    """Others of that time are missing, and the list of leaves with them."""
    wanted = flight.one(ODOM, 1)
    left = [one for one in flight.said if one.topic == IMU or one == wanted]
    said = flight.prove(
        flight.bag(tmp_path, left), "--topic", ODOM, "--sequence", wanted.sequence, "--json"
    )
    assert said.code == 1
    assert "too much of what was signed at that time is missing" in said.json["why"]


def test_another_one_was_anchored_under_its_number(flight: Flight, tmp_path: Path) -> None:
    old = flight.one(ODOM, 0)
    other = signed(anchoring_sender(CREW), 99, ODOM, SAID_US)
    assert other.sequence == old.sequence
    changed = [other if one == old else one for one in flight.said]
    said = flight.prove(
        flight.bag(tmp_path, changed), "--topic", ODOM, "--sequence", old.sequence, "--json"
    )
    assert (said.code, said.json["anchored"]) == (1, False)
    assert "has another message under its number" in said.json["why"]


def test_one_that_was_changed_in_the_bag(flight: Flight, tmp_path: Path) -> None:
    old = flight.one(ODOM, 3)
    other = msgspec.structs.replace(old, data=old.data + b"x")
    changed = [other if one == old else one for one in flight.said]
    bag = flight.bag(tmp_path, changed)
    for choice in (("--sequence", old.sequence), ("--at", f"{old.stamp_us / 1e6:.6f}")):
        said = flight.prove(bag, "--topic", ODOM, *choice, "--json")
        assert (said.code, said.json["verified"], said.json["where"]) == (1, False, "message")
        assert said.json["error"].startswith("mismatch: ")
    assert "message: mismatch: " in flight.prove(bag, "--topic", ODOM, *choice).err


def test_what_stands_beside_it_does_not_hide_it(flight: Flight, tmp_path: Path) -> None:
    """A forgery with its number, and itself again."""
    old = flight.one(ODOM, 3)
    forged = msgspec.structs.replace(old, data=b"")
    bag = flight.bag(tmp_path, [forged, *flight.said, old])
    said = flight.prove(bag, "--topic", ODOM, "--sequence", old.sequence, "--json")
    assert (said.code, said.json["anchored"]) == (0, True)


# what is asked wrongly


def test_several_are_meant(flight: Flight, tmp_path: Path) -> None:
    bag = flight.bag(tmp_path)
    at = ("--at", "2030-01-01T00:00:20")
    assert "drone_1, drone_2" in flight.prove(bag, "--topic", TF, *at).refused()
    found = flight.prove(bag, "--topic", TF, *at, "--signer", "drone_2", "--json").json
    assert (found["signer"], found["anchored"]) == ("drone_2", True)
    assert "several messages" in flight.prove(bag, "--topic", IMU, *at).refused()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "either by its number or by its time"),
        (["--at", "1893456020", "--sequence", "5"], "either by its number or by its time"),
        (["--at", "yesterday"], "is no time"),
        (["--sequence", "5"], "between"),
        (["--sequence", "5", "--signer", "drone_9"], "no message on /drone_1/odom by drone_9"),
    ],
)
def test_none_is_meant(flight: Flight, tmp_path: Path, arguments: list[str], says: str) -> None:
    bag = flight.bag(tmp_path)
    assert says in flight.prove(bag, "--topic", ODOM, *arguments).refused()


def test_nothing_is_there(flight: Flight, tmp_path: Path) -> None:
    bag = flight.bag(tmp_path)
    assert "no message on /x" in flight.prove(bag, "--topic", "/x", "--at", "1").refused()
    assert flight.prove(tmp_path / "no", "--topic", ODOM, "--at", "1").refused()
    assert flight.check(tmp_path / "no").refused()
    nowhere = Flight(tmp_path, [], flight.late)
    (tmp_path / "roster").symlink_to(flight.home / "roster")
    assert nowhere.prove(bag, "--topic", ODOM, "--at", "1").refused()


def test_a_ledger_of_another_swarm(flight: Flight, tmp_path: Path) -> None:
    (tmp_path / "drone_2").mkdir()
    (tmp_path / "roster").symlink_to(flight.home / "roster")
    with Store.open(tmp_path / "drone_2" / "ledger.db") as store:
        Scribe(store, Crew(swarm="other"))
    other = Flight(tmp_path, flight.said, flight.late)
    said = other.prove(other.bag(tmp_path), "--topic", ODOM, "--at", "1", "--json")
    assert (said.code, said.json["where"]) == (1, "height 0")


def test_not_under_a_checkpoint_yet(flight: Flight, tmp_path: Path) -> None:
    by, said = anchoring_sender(CREW), []
    said.append(signed(by, 1, ODOM, SAID_US))
    sealed, _ = anchor_of(by, Told(), said)
    with Store.open(":memory:") as store:
        scribe = Scribe(store, CREW)
        scribe.block(*(CREW.identity(name).delegation for name in CREW.names))
        scribe.certify()
        scribe.block(sealed)
        choice, bag = Choice(ODOM, at_us=SAID_US), flight.bag(tmp_path, said)
        with pytest.raises(Misuse, match="no cosigned checkpoint covers entry"):
            trace(bag, store, CREW.trust, choice)
        scribe.certify()
        assert trace(bag, store, CREW.trust, choice).proven is not None


def test_by_a_checkpoint_of_a_later_epoch(flight: Flight, tmp_path: Path) -> None:
    """A ledger that lacks its earlier checkpoints; anchor and message are of the first."""
    version = CREW.changed(CREW.roster, add=["drone_5"])
    trust, by = CREW.knowing(version), anchoring_sender(CREW)
    said = [signed(by, 1, ODOM, SAID_US)]
    sealed, _ = anchor_of(by, Told(), said)
    with Store.open(":memory:") as store:
        scribe = Scribe(store, CREW, Machine(trust))
        scribe.block(*(CREW.identity(name).delegation for name in CREW.names))
        scribe.block(sealed, roster_request(version))
        later = [CREW.identity(name, roster=version.roster) for name in CREW.names]
        scribe.block(*(one.delegation for one in later))
        scribe.certify(version.roster)
        found = trace(flight.bag(tmp_path, said), store, trust, Choice(ODOM, at_us=SAID_US))
    assert found.proven is not None
    assert found.proven.height == 2
    with pytest.raises(NotVerified, match="policy"):
        check_provenance(found.proof, CREW.trust)


# what is forged


def other_proof(flight: Flight, given: Provenance, kind: Kind, skip: int = 0) -> bytes:
    """A true proof of another entry, by the checkpoint of the given one."""
    note = LogProof.parse(given.anchor).note
    with open_ledger(flight.ledger) as store:
        size = 1 + max(i for i in range(store.size) if prove(store, i).endswith(note))
        found = [i for i, e in enumerate(store.entries(0, size)) if e[0] == kind][skip]
        path = tuple(store.inclusion(found, size))
        return LogProof(store.entry(found), found, path, note).encode()


def later_proof(flight: Flight, index: int) -> bytes:
    """A true proof by the ledger's last checkpoint."""
    with open_ledger(flight.ledger) as store:
        latest = store.latest_checkpoint()
        assert latest is not None
        path = tuple(store.inclusion(index, latest.size))
        return LogProof(store.entry(index), index, path, latest.note).encode()


def last(flight: Flight) -> int:
    """The index of the last anchor, right behind its block's header."""
    with open_ledger(flight.ledger) as store:
        return store.find(Kind.ANCHOR)[-1].index


def below_quorum(proof: bytes) -> bytes:
    parsed = LogProof.parse(proof)
    note = Note.parse(parsed.note)
    return msgspec.structs.replace(
        parsed, note=msgspec.structs.replace(note, signatures=note.signatures[:-1]).encode()
    ).encode()


def with_message(given: Provenance, **more: object) -> Provenance:
    message = msgspec.structs.replace(given.message, **more)
    return msgspec.structs.replace(given, message=message)


Forge = Callable[[Flight, Provenance], Provenance]


def changed(**more: Callable[[Flight, Provenance], object]) -> Forge:
    def forge(flight: Flight, given: Provenance) -> Provenance:
        fields = {name: make(flight, given) for name, make in more.items()}
        return msgspec.structs.replace(given, **fields)

    return forge


def another_message(flight: Flight, given: Provenance) -> Provenance:
    """Holds, and is in the same anchor; but the path is the given one's."""
    other = flight.one(ODOM, 2)
    return with_message(
        given,
        sequence=other.sequence,
        stamp_us=other.stamp_us,
        data=other.data,
        sealed=other.sealed,
    )


FORGED: dict[str, tuple[Forge, str, str]] = {
    "data": (lambda _, g: with_message(g, data=g.message.data + b"x"), "message", "mismatch"),
    "time": (lambda _, g: with_message(g, stamp_us=g.message.stamp_us + 1), "message", "mismatch"),
    "topic": (lambda _, g: with_message(g, topic="/a"), "message", "mismatch"),
    "no form": (lambda _, g: with_message(g, topic="a b"), "message", "malformed"),
    "epoch": (lambda _, g: with_message(g, epoch=2), "message", "other_epoch"),
    "swarm": (lambda _, g: with_message(g, swarm_id="other"), "message", "other_swarm"),
    "no delegation": (
        lambda _, g: with_message(g, sealed=split_delegation(g.message.sealed)[1]),
        "message",
        "unknown_key",
    ),
    "another message": (another_message, "path", "isn't in the anchor"),
    "index": (changed(index=lambda _, g: g.index ^ 1), "path", "isn't in the anchor"),
    "index beyond": (changed(index=lambda _, g: 60_000), "path", "isn't in the anchor"),
    "no path": (changed(path=lambda _, g: ()), "path", "isn't in the anchor"),
    "other's anchor": (
        changed(
            anchor=lambda f, g: other_proof(f, g, Kind.ANCHOR, 1),
            delegation=lambda _f, _g: CREW.identity("drone_4").delegation,
        ),
        "anchor",
        "made by drone_4, not by drone_1",
    ),
    "other's anchor, own delegation": (
        changed(anchor=lambda f, g: other_proof(f, g, Kind.ANCHOR, 1)),
        "anchor",
        "unknown_key",
    ),
    "later anchor": (
        changed(
            anchor=lambda f, _: later_proof(f, last(f)),
            block=lambda f, _: later_proof(f, last(f) - 1),
        ),
        "anchor",
        "doesn't name the message's number",
    ),
    "no anchor": (
        changed(anchor=lambda f, g: other_proof(f, g, Kind.QUESTION)),
        "anchor",
        "the entry is no anchor",
    ),
    "other block": (
        changed(block=lambda f, g: other_proof(f, g, Kind.BLOCK)),
        "block",
        "isn't in this block",
    ),
    "no block": (changed(block=lambda _, g: g.anchor), "block", "no block's header"),
    "other checkpoint": (
        changed(block=lambda f, g: later_proof(f, LogProof.parse(g.block).index)),
        "block",
        "under another checkpoint",
    ),
    "below quorum": (
        changed(
            anchor=lambda _, g: below_quorum(g.anchor), block=lambda _, g: below_quorum(g.block)
        ),
        "anchor",
        "don't satisfy the quorum",
    ),
    "no entry": (
        changed(
            anchor=lambda _, g: msgspec.structs.replace(
                LogProof.parse(g.anchor), extra=b""
            ).encode()
        ),
        "anchor",
        "doesn't carry the entry",
    ),
    "policy below quorum": (
        changed(
            policy=lambda _, g: g.policy.replace(b"group validators 3", b"group validators 1")
        ),
        "policy",
        "not what follows from the roster",
    ),
    "no policy": (changed(policy=lambda _, g: b""), "policy", "only 0 validators"),
    "strangers' policy": (
        changed(policy=lambda _, g: strangers_policy()),
        "policy",
        "",
    ),
}


def strangers_policy() -> bytes:
    other = Crew(swarm="other")
    with Store.open(":memory:") as store:
        scribe = Scribe(store, other)
        scribe.block(*(other.identity(name).delegation for name in other.names))
        return policy_file(sessions_in(store, other.trust))


def refused(raw: bytes) -> NotVerified:
    with pytest.raises(NotVerified) as caught:
        check_provenance(raw, CREW.trust)
    return caught.value


def test_the_given_one_holds(given: Provenance) -> None:
    proven: Proven = check_provenance(encode(given), CREW.trust)
    assert proven.verified.author.name == "drone_1"


@pytest.mark.parametrize("how", FORGED)
def test_a_forged_proof_is_refused(flight: Flight, given: Provenance, how: str) -> None:
    forge, where, says = FORGED[how]
    error = refused(encode(forge(flight, given)))
    assert error.where == where, error
    assert says in error.what


def test_no_byte_can_be_changed_nor_left_out(given: Provenance) -> None:
    raw = encode(given)
    for position in positions(len(raw), 120):
        refused(flipped(raw, position))
    for size in positions(len(raw), 12):
        assert refused(raw[:size]).where == "proof file"
    assert refused(raw + b"\0").where == "proof file"
    assert refused(b"").where == "proof file"


def test_what_is_too_large_is_not_looked_at(
    given: Provenance, flight: Flight, tmp_path: Path
) -> None:
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(1 << 34)
    said = flight.check(huge, "--json")
    assert (said.code, said.json["where"]) == (1, "proof file")
    assert "are allowed" in said.json["error"]


def test_another_swarm_takes_no_proof_of_ours(given: Provenance) -> None:
    with pytest.raises(NotVerified, match="message: other_swarm"):
        check_provenance(encode(given), Crew(swarm="other").trust)
