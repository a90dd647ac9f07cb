# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Each decoder of outside bytes, as a function of bytes: it accepts, or refuses as it should.

A target raises nothing but its refusals. Whatever else it raises is a bug, and so is a second
encoding of what it accepted, or another verdict on the same bytes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

import cbor2

from swarm_ledger.consensus.messages import parse
from swarm_ledger.encoding import decode, encode
from swarm_ledger.envelope import Kind, kind_of
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity.confided import parse_confided
from swarm_ledger.identity.roster import check_succession, parse_roster
from swarm_ledger.identity.secrecy import parse_key_id, parse_lacking, parse_shares
from swarm_ledger.identity.trust import Trust
from swarm_ledger.ledger.checkpoint import Checkpoint
from swarm_ledger.ledger.note import Note, NoteVerifier
from swarm_ledger.ledger.policy import Policy
from swarm_ledger.ledger.proof import LogProof
from swarm_ledger.light_client import verify_proof
from swarm_ledger.light_client.policies import check_policy_file, policy_of
from swarm_ledger.runtime.blocks import Genesis, parse_certificate, parse_header
from swarm_ledger.runtime.clocks import parse_reading
from swarm_ledger.runtime.doorman import Doorman
from swarm_ledger.runtime.greeting import Welcome
from swarm_ledger.runtime.machine import Machine, Tick
from swarm_ledger.runtime.snapshot import parse_snapshot
from swarm_ledger.sim.events import parse_line
from swarm_ledger.voting.commitment import parse_commitment, parse_reveal
from swarm_ledger.voting.decision import parse_decision, parse_settled
from swarm_ledger.voting.observation import parse_observation
from swarm_ledger.voting.question import parse_question
from swarm_ledger.voting.reputation import parse_standing_change
from tests.crew import T0_S
from tests.fuzz.anchors import ANCHORS
from tests.fuzz.attesting import ATTESTING
from tests.fuzz.bagged import BAGGED
from tests.fuzz.files import FILES
from tests.fuzz.forging import CREW, SECOND, of_note, of_proof, of_sealed
from tests.fuzz.gossip import GOSSIP
from tests.fuzz.handed import HANDED
from tests.fuzz.heard import HEARD
from tests.fuzz.light import LIGHT
from tests.fuzz.mutation import MOST, of_bytes, of_cbor, of_json, of_text
from tests.fuzz.packed import PACKED
from tests.fuzz.pictures import PICTURES
from tests.fuzz.provenances import PROVENANCES
from tests.fuzz.radio import RADIO
from tests.fuzz.rules import RULES
from tests.fuzz.sockets import SOCKETS
from tests.fuzz.strangers import STRANGERS
from tests.fuzz.swarm import swarm
from tests.fuzz.target import Target
from tests.fuzz.veiled import of_secret, secret


def _records(data: bytes) -> None:
    """The first byte says which."""
    forms: list[Callable[[bytes], object]] = [
        parse_question,
        parse_observation,
        parse_decision,
        parse_settled,
        parse,
        parse_certificate,
        lambda raw: decode(raw, Tick, limit=32),
        lambda raw: decode(raw, Welcome, limit=64),
        lambda raw: decode(raw, Genesis, limit=256),
        lambda raw: decode(raw, dict[int, Any], limit=512),
        lambda raw: decode(raw, dict[int, int | bytes], limit=64),
        parse_reading,
        parse_shares,
        parse_key_id,
        parse_lacking,
        parse_snapshot,
        parse_commitment,
        parse_reveal,
        parse_standing_change,
        lambda raw: parse_confided(raw)[0],
    ]
    found = forms[data[0] % len(forms)](data[1:]) if data else None
    assert found is None or encode(found) == data[1:]


def _of_records(rng: random.Random, data: bytes, others: Any) -> bytes:
    if rng.random() < 0.05:
        return rng.randbytes(1) + data[1:]
    return data[:1] + of_cbor(rng, data[1:], [other[1:] for other in others])


def _entry(data: bytes) -> None:
    """A block's header, and what a reader of a ledger takes a decision from."""
    if data[:1] == bytes([Kind.DECISION]):
        parse_settled(data[1:])
    else:
        parse_header(data)


def _doorman() -> Doorman:
    ledger = CREW.opener(["drone_1", "drone_2", "drone_3"])
    return Doorman(ledger)


def _envelope(data: bytes) -> None:
    """All that a drone does to a message before anything follows from it."""
    doorman, kind = _doorman(), kind_of(data)
    if kind is Kind.SESSION:
        session = doorman.lobby.add_session(data)
        assert doorman.lobby.delegated(data) == session
    elif kind in (Kind.CONSENSUS, Kind.CARRIED):
        signed = doorman.hear(data, T0_S)
        assert doorman.hear(data, T0_S) == signed
    elif kind is Kind.EVIDENCE:
        doorman.examine(data)
    else:
        opened = doorman.open(data)
        assert doorman.open(data) == opened


def _machine(data: bytes) -> None:
    """Whatever a quorum ordered is applied, and whoever follows gets the same."""
    try:
        blocks = cbor2.loads(data, max_depth=8)
        asked = [(abs(int(time)) % 2**53, list(map(bytes, bodies))) for time, bodies in blocks]
    except Exception:
        raise PeerFault("malformed", "no blocks.") from None
    one, other = Machine(CREW.trust), Machine(CREW.trust)
    for height, (time_ms, bodies) in enumerate(asked[:50], start=1):
        whole = [body[:65_534] for body in bodies[:256] if body]
        applied = one.apply(height, time_ms, whole)
        assert other.follow(height, applied.entries).entries == applied.entries


def _of_blocks(rng: random.Random, data: bytes, others: Any) -> bytes:
    blocks = cbor2.loads(data)
    pool = [body for _, bodies in blocks for body in bodies]
    for _ in range(rng.choice((1, 2, 8))):
        block = rng.choice(blocks)
        deed, at = rng.randrange(5), rng.randrange(len(block[1]) + 1)
        if deed == 0:
            block[0] = max(0, block[0] + rng.choice((-1, 1, 10_000, 2**40)))
        elif deed == 1:
            block[1].insert(at, rng.choice(pool))
        elif deed == 2:
            rng.shuffle(blocks)
        else:
            block[1].insert(at, of_sealed(rng, rng.choice(pool), pool))
    return cbor2.dumps(blocks)[: 4 * MOST]


def _roster(data: bytes) -> None:
    roster = parse_roster(data)
    with suppress(Misuse):
        check_succession(CREW.roster, roster)


def _trust(data: bytes) -> None:
    """Root metadata, believed as it is, and a later version judged by it."""
    first, _, rest = data.partition(b"\n\n")
    if rest:
        Trust(first, [CREW.anchor[1]])
    else:
        Trust(CREW.anchor[0], [(data, CREW.raw_roster)])


def _of_trust(rng: random.Random, data: bytes, others: Any) -> bytes:
    first, blank, rest = data.partition(b"\n\n")
    return of_json(rng, first, ()).replace(b"\n\n", b"\n") + blank + rest


def _succession(data: bytes) -> None:
    Machine(CREW.trust).members.succeed(bytes([Kind.ROSTER]) + data, T0_S * 1000)


def _note(data: bytes) -> None:
    note = Note.parse(data)
    assert note.encode() == data
    checkpoint = Checkpoint.parse(note.text)
    assert checkpoint.text == note.text
    _policy_of_ours().examine(data)
    with suppress(NotVerified):
        _policy_of_ours().examine(data, exact=True)


@cache
def _policy_of_ours() -> Policy:
    return policy_of(CREW.opener())


def _vkey(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    with suppress(UnicodeEncodeError):
        text.encode()
        assert NoteVerifier.from_vkey(text).vkey == text


def _policy(data: bytes) -> None:
    policy = Policy.parse(data)
    names = list(policy.witnesses)
    assert not policy.satisfied(frozenset()) or policy.quorum == "none"
    policy.satisfied(frozenset(names[::2]))
    with suppress(NotVerified):
        check_policy_file(data, CREW.knowing(SECOND))


def _policy_file(data: bytes) -> None:
    check_policy_file(data, CREW.knowing(SECOND))


def _proof(data: bytes) -> None:
    parsed = LogProof.parse(data)
    assert LogProof.parse(parsed.encode()) == parsed
    verify_proof(_policy_of_ours(), data)


def _event(data: bytes) -> None:
    parse_line(data)


_TARGETS = (
    Target("records", _records, _of_records, (PeerFault,)),
    Target("entry", _entry, of_cbor, (PeerFault,)),
    Target("envelope", _envelope, of_sealed, (PeerFault,)),
    Target("secret", secret, of_secret, (PeerFault,), cost=3),
    Target("machine", _machine, _of_blocks, (PeerFault,), cost=20, lines=200_000),
    Target("roster", _roster, of_json, (Misuse,)),
    Target("trust", _trust, _of_trust, (NotVerified,)),
    Target("succession", _succession, of_sealed.of_roster, (PeerFault,)),
    Target("note", _note, of_note, (NotVerified,)),
    Target("vkey", _vkey, of_text, (Misuse,)),
    Target("policy", _policy, of_text, (Misuse,)),
    Target("policy_file", _policy_file, of_text, (NotVerified,)),
    Target("proof", _proof, of_proof, (NotVerified,)),
    Target("event", _event, of_json, ()),
    *ANCHORS,
    *BAGGED,
    *HANDED,
    *HEARD,
    *PACKED,
    *ATTESTING,
    *FILES,
    *LIGHT,
    *RULES,
    *GOSSIP,
    *PROVENANCES,
    *RADIO,
    *PICTURES,
    *SOCKETS,
    *STRANGERS,
    Target("swarm", swarm, of_bytes, (), cost=20_000),
)
TARGETS = {target.name: target for target in _TARGETS}
