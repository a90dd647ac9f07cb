# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Attacks with single messages, on four running drones over ZeroMQ.

The attacker has sockets of its own, and what each row says: nothing; what a ledger holds, which it
was handed; or drone_4's session file, or drone_4's root key, which it stole.
"""

from __future__ import annotations

import signal
import struct
import time
from dataclasses import replace
from typing import Any

import cbor2

from swarm_ledger.consensus.messages import Checkpoint, Commit, NewView, Status
from swarm_ledger.encoding import digest, encode
from swarm_ledger.envelope import MAX_ENVELOPE_BYTES, Kind, carry, kind_of, seal
from swarm_ledger.identity import cose
from swarm_ledger.identity.roster import Roster, parse_roster, render_roster
from swarm_ledger.identity.session import domain
from swarm_ledger.ledger.checkpoint import Checkpoint as Stated
from swarm_ledger.runtime.identity import Identity, take_up
from swarm_ledger.signers import Signer, SoftwareSigner
from swarm_ledger.voting.observation import Observation
from tests.assault.field import Field, Wire

THIEF = "drone_4"
HOUR_S = 3_600


def session(field: Field, name: str = THIEF) -> Identity:
    """What a thief of a member's session file has."""
    found = field.fleet.keys(name).kept(field.roster)
    assert found is not None
    return found


def delegated(field: Field, roster: Roster, start_s: int, end_s: int) -> Identity:
    """What a thief of drone_4's root key can make."""
    root = field.fleet.root(THIEF)
    return take_up(roster, root, SoftwareSigner.generate(), not_before=start_s, expires=end_s)


def vote(label: int = 1) -> bytes:
    now_ms = int(time.time() * 1000)
    return encode(
        Observation(digest(b"no question"), label, 900_000, now_ms, bytes(32), 500, 3_000)
    )


def token(raw: bytes) -> cose.Sign1:
    return cose.parse1(raw[1:], limit=MAX_ENVELOPE_BYTES)


def rebuilt(raw: bytes, header: Any, signer: Signer, roster: Roster) -> bytes:
    """The same message with another COSE header, which its own signer signed."""
    protected = cbor2.dumps(header, canonical=True)
    aad = domain(roster.swarm_id, raw[0], roster.version)
    payload = token(raw).payload
    signature = signer.sign(encode(["Signature1", protected, aad, payload]))
    return raw[:1] + b"\xd2" + cbor2.dumps([protected, {}, payload, signature])


def test_a_forged_sender(field: Field, attacker: Wire) -> None:
    """A stranger signs as drone_1, as nobody, as a member of its own making, and as operator."""
    evil, roster, before = SoftwareSigner.generate(), field.roster, field.faults()
    theirs = cose.kid(session(field, "drone_1").session.public_key)
    plain = seal(Kind.VOTE, vote(), evil, roster)
    attacker.send(rebuilt(plain, {1: -8, 4: theirs}, evil, roster))
    attacker.send(plain)
    status = seal(Kind.CONSENSUS, encode(Status(9, 9, 9)), evil, roster)
    attacker.send(rebuilt(status, {1: -8, 4: theirs}, evil, roster))
    operator = cose.kid(field.operator.public_key)
    attacker.send(rebuilt(field.question(), {1: -8, 4: operator}, evil, roster))
    attacker.send(seal(Kind.QUESTION, token(field.question()).payload, evil, roster))
    field.refused(before, bad_signature=3, unknown_key=2)
    assert not field.blamed()


def test_one_bit_flipped_in_each_field(field: Field, attacker: Wire) -> None:
    """Bytes all over a vote, a question, a session and a commit, each byte of their headers."""
    kinds = {kind_of(raw): raw for raw in field.captured()}
    before, sent = field.faults(), 0
    for raw in (
        kinds[Kind.VOTE],
        kinds[Kind.QUESTION],
        kinds[Kind.SESSION],
        kinds[Kind.CONSENSUS],
    ):
        for place in [*range(12), *range(12, len(raw), max(1, len(raw) // 24)), len(raw) - 1]:
            changed = bytearray(raw)
            changed[place] ^= 1 << place % 8
            attacker.send(bytes(changed))
            sent += 1
    names = ("malformed", "bad_signature", "unknown_key", "wrong_role", "wrong_algorithm")
    names += ("not_a_member", "oversize")

    def refused(name: str) -> int:
        return sum(field.faults()[name][reason] - before[name][reason] for reason in names)

    field.until("each is refused once", lambda: all(refused(name) == sent for name in field.names))
    assert not field.blamed()


def test_replay_in_the_same_view(field: Field, attacker: Wire) -> None:
    """All that a ledger holds, twice: what counted once counts once."""
    said = field.captured()
    for raw in (*said, *said):
        attacker.send(raw)
    field.decides()
    assert not field.accused()
    assert not field.blamed()


def test_replay_in_another_view(field: Field, attacker: Wire) -> None:
    """The leader is killed; what was said under it is said again under the next."""
    view = max(field.views())
    leader = next(row["leader"] for row in field.seen.values() if row["view"] == view)
    said = [raw for raw in field.captured() if kind_of(raw) is Kind.CONSENSUS]
    field.down.add(leader)
    field.processes.send(leader, signal.SIGKILL)
    field.until(f"{leader} is gone", lambda: leader not in field.seen)
    field.decides()
    for raw in said[-100:]:
        attacker.send(raw, [name for name in field.names if name != leader])
    field.decides()
    field.until("all are in a later view", lambda: min(field.views()) > view)
    field.processes.start(leader)
    field.down.discard(leader)
    field.until(f"{leader} is back", lambda: leader in field.seen)
    field.settle()


def test_replay_in_another_swarm_and_another_epoch(field: Field, attacker: Wire) -> None:
    """Whoever has the same keys in two swarms signs for one of them."""
    members, now_s = list(field.roster.members), int(time.time())
    before = field.faults()
    for swarm_id, version in (("another", 1), (field.roster.swarm_id, 2)):
        roster = parse_roster(render_roster(swarm_id, version, members))
        other = delegated(field, roster, now_s - 60, now_s + HOUR_S)
        attacker.send(other.delegation)
        attacker.send(seal(Kind.VOTE, vote(), session(field).session, roster))
        attacker.send(seal(Kind.QUESTION, b"\x80", field.operator, roster))
    field.refused(before, bad_signature=6)
    assert not field.blamed()


def test_replay_as_another_kind_or_topic(field: Field, attacker: Wire) -> None:
    """A vote as consensus, as a welcome, as a relayed topic's message; and the other way round."""
    kinds = {kind_of(raw): raw for raw in field.captured()}
    before = field.faults()
    for kind in (Kind.CONSENSUS, Kind.WELCOME, Kind.TICK):
        attacker.send(bytes([kind]) + kinds[Kind.VOTE][1:])
    attacker.send(bytes([Kind.VOTE]) + kinds[Kind.CONSENSUS][1:])
    relayed = session(field).seal(Kind.RELAYED, vote())
    attacker.send(relayed)
    attacker.send(bytes([Kind.VOTE]) + relayed[1:])
    field.refused(before, bad_signature=5, malformed=1)


def test_a_signature_made_for_another_protocol(field: Field, attacker: Wire) -> None:
    """Cosignatures, log signatures, delegations and requests to be enrolled, as messages."""
    mine, roster, before = session(field), field.roster, field.faults()
    stated = Stated(roster.origin, 5, bytes(32))
    header = cbor2.dumps({1: -8, 4: mine.session_kid}, canonical=True)
    cosigned = mine.cosign(stated, 1)[8:]
    logged = mine.sign_as_log(stated).signature[-64:]
    possession = cbor2.loads(token(mine.delegation).payload)[-65_537]
    text = stated.text.encode()
    foreign = (
        (cosigned, b"cosignature/v1\ntime 1\n" + text),
        (logged, text),
        (possession, vote()),
    )
    for signature, payload in foreign:
        for kind in (Kind.VOTE, Kind.CONSENSUS):
            parts = [header, {}, payload, signature]
            attacker.send(bytes([kind]) + b"\xd2" + cbor2.dumps(parts))
    attacker.send(bytes([Kind.QUESTION]) + mine.delegation[1:])
    field.refused(before, bad_signature=6, unknown_key=1)
    assert not field.blamed()
    sealed = token(mine.seal(Kind.VOTE, vote())).signature
    claim = Checkpoint(9, 5, bytes(32), bytes(8) + sealed)
    attacker.send(mine.seal(Kind.CONSENSUS, encode(claim)))
    field.refused(before, bad_signature=7)
    assert field.blamed()[THIEF]["bad_signature"] == len(field.names)


def test_a_weaker_algorithm_claimed(field: Field, attacker: Wire) -> None:
    """Whatever the header says, the key decides."""
    mine, roster, before = session(field), field.roster, field.faults()
    raw, kid = mine.seal(Kind.VOTE, vote()), mine.session_kid
    attacker.send(rebuilt(raw, {1: -7, 4: kid}, mine.session, roster))
    odd: list[Any] = [{1: one, 4: kid} for one in (-35, 5, 0, "none")] + [{4: kid}]
    for header in odd:
        attacker.send(rebuilt(raw, header, mine.session, roster))
    unsigned = [token(raw).protected, {}, token(raw).payload, b""]
    attacker.send(bytes([Kind.VOTE]) + b"\xd2" + cbor2.dumps(unsigned))
    field.refused(before, wrong_algorithm=1, malformed=len(odd) + 1)


def test_oversized_and_deeply_nested(field: Field, attacker: Wire) -> None:
    """In the envelope, in what a member signed, and as a frame of ZeroMQ."""
    mine, before = session(field), field.faults()
    bombs = (
        b"\x81" * 100_000,
        b"\x9b" + struct.pack(">Q", 2**63),
        b"\x84\x5b" + struct.pack(">Q", 2**40),
        b"\xa1" * 60_000,
        b"\x9f" * 60_000,
        b"\xc2\x5a\x00\x01\x00\x00" + bytes(65_536),
    )
    for bomb in bombs:
        attacker.send(bytes([Kind.VOTE]) + b"\xd2" + bomb)
        attacker.send(mine.seal(Kind.CONSENSUS, bomb))
    attacker.send(bytes([Kind.CARRIED]) + bytes(MAX_ENVELOPE_BYTES - 1))
    field.refused(before, malformed=2 * len(bombs) + 1)
    assert field.blamed()[THIEF]["malformed"] == len(bombs) * len(field.names)
    other = field.wire()
    other.send(bytes(MAX_ENVELOPE_BYTES + 4096))
    other.send(b"")
    after = field.faults()
    attacker.send(b"\xff")
    field.refused(after, malformed=1)


def test_an_expired_delegation(field: Field, attacker: Wire) -> None:
    """A thief of the root key delegates for the past, and for the future."""
    now_s, before = int(time.time()), field.faults()
    past = delegated(field, field.roster, now_s - HOUR_S, now_s - 5)
    ahead = delegated(field, field.roster, now_s + HOUR_S, now_s + 2 * HOUR_S)
    for one in (past, ahead):
        attacker.send(one.delegation)
        attacker.send(one.seal(Kind.VOTE, vote()))
        commit = one.seal(Kind.CONSENSUS, encode(Commit(0, 9**9, bytes(32))))
        attacker.send(carry(one.delegation, commit))
    field.refused(before, stale_session=4)


def test_sybils(field: Field) -> None:
    """Nobody is somebody by saying so: names, keys and connections cost an attacker nothing."""
    before, now_s, connections = field.faults(), int(time.time()), 60
    members, wires = list(field.roster.members), []
    for number in range(connections):
        root = SoftwareSigner.generate()
        mine = replace(field.roster.named(THIEF), public_key=root.public_key)
        claimed = [mine if one.name == THIEF else one for one in members]
        roster = parse_roster(render_roster(field.roster.swarm_id, 1, claimed))
        span = {"not_before": now_s - 60, "expires": now_s + HOUR_S}
        sybil = take_up(roster, root, SoftwareSigner.generate(), **span)
        wire = field.wire(b"drone_%d" % number)
        wire.send(sybil.delegation)
        wire.send(sybil.seal(Kind.VOTE, vote()))
        wires.append(wire)
    field.refused(before, not_a_member=connections, unknown_key=connections)
    assert max(row["met"] for row in field.seen.values()) == len(field.names)
    for wire in wires:
        wire.close()


def test_a_member_that_says_what_no_member_says(field: Field, attacker: Wire) -> None:
    """With drone_4's session: proposals it may not make, a question; it is blamed for it."""
    mine, before = session(field), field.faults()
    others = [name for name in field.names if name != THIEF]
    attacker.send(mine.seal(Kind.CONSENSUS, encode(NewView(4, ()))), others)
    attacker.send(mine.seal(Kind.QUESTION, vote()), others)
    field.refused(before, of=others, not_leader=1, wrong_role=1)
    assert set(field.blamed()) == {THIEF}
    assert field.blamed()[THIEF]["not_leader"] == len(others)
