# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What drones send to operators: requests, what TPMs state in them, challenges and answers."""

from __future__ import annotations

import base64
import random
from collections.abc import Sequence
from contextlib import suppress

from swarm_ledger.encoding import decode, encode
from swarm_ledger.errors import NotVerified, PeerFault
from swarm_ledger.identity import attesting, cose, tpm2
from swarm_ledger.identity.attestation import check_statement
from swarm_ledger.identity.channel import ChannelKeys
from swarm_ledger.identity.enrolment import make_request, open_request
from swarm_ledger.signers import KeyStore, Signer, TokenReport, TpmStatement
from tests.crew import key
from tests.fuzz.mutation import of_bytes, of_cbor, of_text
from tests.fuzz.target import Target

SWARM, NAME = "survey", "drone_1"
_PREFIX = b"swarm_ledger/request/v1 "
_MOST = 8192


class _Token:
    """A root key that says it is in a token, and signs the same each time."""

    key_store = KeyStore.PKCS11

    def __init__(self) -> None:
        inner = key("fuzzed drone")
        self.algorithm, self.public_key = inner.algorithm, inner.public_key
        self.attributes, self.sign = inner.attributes, inner.sign


_TOKEN: Signer = _Token()


def _request(data: bytes) -> None:
    request = open_request(_PREFIX + base64.b64encode(data), SWARM)
    assert encode(request) == cose.parse1(data, limit=_MOST).payload


def _of_request(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change what is asked for, and have the root key sign it again."""
    try:
        payload = cose.parse1(data, limit=_MOST).payload
    except PeerFault:
        return of_bytes(rng, data, others)
    if rng.random() < 0.1:
        return of_cbor(rng, data, others)
    aad = encode(["swarm_ledger/v1 enrolment", SWARM])
    return cose.sign1(_TOKEN, of_cbor(rng, payload, ()), aad)


def _statement(data: bytes) -> None:
    """A public key, compressed, and a statement about it; its parts are read one by one, too."""
    statement: TpmStatement = decode(data[33:], TpmStatement, limit=_MOST)
    for raw in (statement.key, statement.ak, statement.ek):
        with suppress(PeerFault):
            tpm2.parse_public(raw)
    with suppress(PeerFault):
        tpm2.parse_certify(statement.attest)
    check_statement(statement, data[:33], bytes(32))


def _of_statement(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    return data[:33] + of_cbor(rng, data[33:], [other[33:] for other in others])


def _lines(data: bytes) -> None:
    first, _, rest = data.partition(b"\n")
    made = attesting.open_challenge(first)
    assert attesting.open_challenge(first + b"\n") == made
    attesting.open_answer(rest)


ATTESTING = (
    Target("request", _request, _of_request, (NotVerified,)),
    Target("statement", _statement, _of_statement, (PeerFault,), cost=4),
    Target("challenge", _lines, of_text, (NotVerified,)),
)


def samples() -> dict[str, list[bytes]]:
    """Return one of each form."""
    from tests.security.test_attestation import RSA, Program, certificate, of

    report = TokenReport("t", "maker", "model", "1", True, True, False, None, True)
    lines = [
        make_request(_TOKEN, SWARM, NAME, hardware_only=True, statement=report),
        make_request(key("fuzzed drone"), SWARM, NAME),
        make_request(key("fuzzed drone"), SWARM, NAME, ChannelKeys(bytes(32)).public),
    ]
    program = Program()
    plain = program.public_key + encode(program.statement(bytes(32)))
    program.certificate = of(certificate(RSA[0], RSA[1]))
    certified = program.public_key + encode(program.statement(bytes(32)))
    asked = attesting.Challenge(SWARM, NAME, bytes(32), bytes(68), bytes(256), bytes(32))
    line = b"swarm_ledger/challenge/v1 " + base64.b64encode(encode(asked)) + b"\n"
    return {
        "request": [base64.b64decode(one[len(_PREFIX) :]) for one in lines],
        "statement": [plain, certified],
        "challenge": [line + attesting.answer(line, bytes(32))],
    }
