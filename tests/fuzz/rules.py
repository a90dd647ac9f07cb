# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Targets about rules: what operators and members say, what the ledger makes of it, files."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import cbor2

from swarm_ledger.encoding import encode
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.rules.limits import MAX_LISTED, MAX_NUMBER
from swarm_ledger.rules.rule import (
    Accept,
    Action,
    Answer,
    Ask,
    Grant,
    Lease,
    Release,
    Rule,
    Trigger,
    Withdrawal,
    parse_action,
    parse_claim,
    parse_grant,
    parse_instruction,
)
from swarm_ledger.runtime.clerk import WANTED, read_wanted, unsealed, write_wanted
from tests.crew import T0_MS
from tests.fuzz.forging import CREW, of_sealed
from tests.fuzz.mutation import of_bytes, of_cbor, of_json
from tests.fuzz.scratch import put
from tests.fuzz.target import Target
from tests.ruled import PAD, cup_rule, lease_rule, member_id, sealed_claim, sealed_rule


def _wanted(data: bytes) -> None:
    """A drone reads what its pilot wants, and what is written is read alike."""
    folder = put("drone_1/" + WANTED, data).parent
    wanted = read_wanted(folder)
    write_wanted(folder, wanted)
    assert read_wanted(folder) == wanted


def _exact(parse: Callable[[bytes], object]) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        assert encode(parse(data)) == data

    return run


def _unsealed(data: bytes) -> None:
    unsealed(data)


_FORMS: tuple[Callable[[bytes], None], ...] = (
    _exact(parse_instruction),
    _exact(parse_claim),
    _exact(parse_grant),
    _exact(parse_action),
    _unsealed,
    _wanted,
)


def _run(data: bytes) -> None:
    """The first byte says which."""
    if not data:
        raise PeerFault("malformed", "nothing.")
    _FORMS[data[0] % len(_FORMS)](data[1:])


def _mutate(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    pool = [other[1:] for other in others]
    form = data[0] % len(_FORMS) if data else 0
    if not data or rng.random() < 0.05:
        return data[:1] + of_bytes(rng, data[1:], pool)
    if form == 4 and rng.random() < 0.7:
        return data[:1] + of_sealed(rng, data[1:], pool)
    return data[:1] + (of_json if form == 5 else of_cbor)(rng, data[1:], pool)


def ruled_blocks() -> bytes:
    """Return blocks with rules and claims, as the target `machine` takes them."""
    sessions = [CREW.identity(name).delegation for name in CREW.names]
    asked = [Ask(PAD, 1, 1, 4_000), Release(PAD, 2), Ask(PAD, 2, 3, 500)]
    claims = [sealed_claim(CREW, name, one) for name in CREW.names[:3] for one in asked]
    answers = [Answer(PAD, 2, member_id(CREW, "drone_1"), 3, yes) for yes in (True, False)]
    later = [lease_rule(2, accept=Accept.OPERATOR), *answers, Withdrawal(PAD, 2)]
    votes = [CREW.vote(name) for name in CREW.names]
    rules = [sealed_rule(CREW, one) for one in (lease_rule(), cup_rule(once=True))]
    return cbor2.dumps(
        [
            [T0_MS, [*sessions, *rules, CREW.asked()]],
            [T0_MS + 1, [*claims, *votes]],
            [T0_MS + 5_000, [sealed_rule(CREW, later[0]), *claims[2::3]]],
            [T0_MS + 6_000, [sealed_rule(CREW, one) for one in later[1:]]],
        ]
    )


def samples() -> list[bytes]:
    """Return some of each form."""
    members = tuple(bytes([number]) * 16 for number in range(MAX_LISTED))
    said = [
        lease_rule(),
        cup_rule(),
        Rule("n" * 32, 7, Lease(1, 0, Accept.OPERATOR, members[:2])),
        Rule("go", 2, Trigger("s?", "cup", "go", "p" * 256, members, True, 1, 2)),
        Withdrawal(PAD, 1),
        Answer(PAD, 1, members[0], 5, accepted=False),
    ]
    claims = [Ask(PAD, 1, MAX_NUMBER, 86_400_000), Release(PAD, 1)]
    return [
        *(b"\0" + encode(one) for one in said),
        *(b"\1" + encode(one) for one in claims),
        b"\2" + encode(Grant(1, PAD, 1, members[0], 1, T0_MS, T0_MS + 1)),
        b"\3" + encode(Action(1, "go", 1, "go", "x=1", members[:1], 1, T0_MS)),
        b"\4" + sealed_rule(CREW, cup_rule()),
        b'\5{"charging_pad": 60000, "dock": 1}',
    ]


RULES = (Target("rule", _run, _mutate, (PeerFault, Misuse), cost=3),)
