# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""docs/formats.md is true: its kinds, its shapes and its worked example."""

from __future__ import annotations

import re
from pathlib import Path

import cbor2
from nacl.signing import VerifyKey

from swarm_ledger.consensus import messages
from swarm_ledger.consensus.messages import Commit
from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, carry
from swarm_ledger.identity.cose import kid
from swarm_ledger.identity.session import domain
from swarm_ledger.runtime.blocks import BlockHeader, genesis_entry
from swarm_ledger.runtime.machine import Tick
from tests.crew import T0_MS, Crew
from tests.relayed import DATA, ODOM, ODOMETRY, T0_US, sender

PAGE = (Path(__file__).parents[2] / "docs" / "formats.md").read_text()
EXAMPLE = {
    name: bytes.fromhex(value)
    for name, value in re.findall(r"^    (\w+) = ([0-9a-f]+)$", PAGE, re.M)
}
CREW = Crew()
COUNTED = bytes(range(32))


def test_the_worked_example() -> None:
    assert EXAMPLE["key"] == CREW.session("drone_1").public_key
    assert EXAMPLE["external_aad"] == domain("test", Kind.CONSENSUS, 1)
    assert EXAMPLE["payload"] == encode(Commit(2, 7, COUNTED))
    assert EXAMPLE["sealed"] == CREW.say("drone_1", Commit(2, 7, COUNTED))
    assert EXAMPLE["block"] == b"\x21" + encode(BlockHeader(7, T0_MS, 2, COUNTED))
    assert EXAMPLE["genesis"] == genesis_entry(CREW.roster)
    assert f"{{1: -8, 4: {kid(EXAMPLE['key']).hex()}}}" in PAGE


def test_the_relayed_example() -> None:
    by = sender(CREW, announce_us=1)
    for _ in range(2):
        message = by.sign(ODOM, ODOMETRY, "", DATA, T0_US)
    assert EXAMPLE["statement"] == encode(message.statement())
    assert EXAMPLE["relayed"] == message.sealed
    assert len(DATA) == 44


def test_the_example_verifies_by_hand() -> None:
    """As a stranger would do it: with a CBOR library and Ed25519, and nothing of ours."""
    kind, tagged = EXAMPLE["sealed"][0], cbor2.loads(EXAMPLE["sealed"][1:])
    protected, unprotected, payload, signature = tagged.value
    assert (kind, tagged.tag, unprotected) == (0x10, 18, {})
    signed = cbor2.dumps(["Signature1", protected, EXAMPLE["external_aad"], payload])
    VerifyKey(EXAMPLE["key"]).verify(signed, signature)
    assert cbor2.loads(EXAMPLE["external_aad"]) == ["swarm_ledger/v1", "test", 0x10, 1]
    assert cbor2.loads(payload) == [3, 2, 7, COUNTED]


def test_every_kind_is_on_the_page() -> None:
    rows = re.findall(r"^\| ([0-9a-f]{2}) \| (\w+) \|", PAGE, re.M)
    assert {(int(byte, 16), name) for byte, name in rows} == {
        (kind.value, kind.name.lower()) for kind in Kind
    }


def test_every_consensus_message_is_on_the_page() -> None:
    named = dict(re.findall(r"^    (\d+) ([a-z -]+?) +\[\1, ", PAGE, re.M))
    forms = messages.Message.__args__
    assert {int(tag): name.replace("-", "").replace(" ", "") for tag, name in named.items()} == {
        form.__struct_config__.tag: form.__name__.lower() for form in forms
    }


def test_shapes() -> None:
    assert cbor2.loads(encode(CREW.question))[3] == [1]
    assert cbor2.loads(encode(CREW.observation())) == [
        1,
        CREW.question_id,
        0,
        900_000,
        T0_MS,
        bytes(32),
        500,
        3_000,
    ]
    assert cbor2.loads(encode(Tick(5))) == [1, 5]
    delegation = CREW.identity("drone_1").delegation
    said = CREW.say("drone_1", Commit(0, 1, COUNTED))
    carried = carry(delegation, said)
    assert (carried[0], cbor2.loads(carried[1:])) == (0x11, [delegation, said])
    claims = cbor2.loads(cbor2.loads(delegation[1:]).value[2])
    assert sorted(claims) == [-65_537, 1, 4, 5, 8]
    aad = domain("test", 1, 1)
    possession = ["swarm_ledger/v1 possession", aad, claims[1], claims[5], claims[4]]
    VerifyKey(claims[8][1][-2]).verify(cbor2.dumps(possession), claims[-65_537])
