# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Our COSE_Sign1 objects, verified by two libraries that others wrote: pycose and cwt.

They want another cbor2 than we do, so they are installed into a folder of their own, and run in
another process, which knows nothing of swarm_ledger.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, seal
from swarm_ledger.identity.cose import sign1
from swarm_ledger.identity.session import delegate, domain
from swarm_ledger.signers import Algorithm, Signer, SoftwareP256Signer
from swarm_ledger.signers.p256 import ORDER, point
from tests.crew import T0_S, Crew

THEIRS = ("cwt==3.3.0", "pycose==1.1.0")
BOTH = {"pycose", "cwt"}
Ask = Callable[[list[dict[str, str]]], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def ask(request: pytest.FixtureRequest) -> Ask:
    """What the strangers took from each object. Skips where they can't be installed."""
    folder = Path(request.config.cache.mkdir("strangers")) / "-".join(THEIRS)
    if not folder.exists():
        fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--target", fresh),
                *("--retries", "1", "--timeout", "15", *THEIRS),
            ],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"{', '.join(THEIRS)} can't be installed: {done.stderr[-200:].strip()}")
        with suppress(OSError):  # another worker was first
            fresh.rename(folder)

    def asked(questions: list[dict[str, str]]) -> list[dict[str, Any]]:
        done = subprocess.run(
            [sys.executable, "-I", Path(__file__).with_name("strangers_cose.py"), folder],
            input=json.dumps(questions),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)
        assert all(verdicts.keys() == BOTH for verdicts in found)
        return found

    return asked


def asked_of(signer: Signer, aad: bytes, message: bytes) -> dict[str, str]:
    x, y = signer.public_key, b""
    if signer.algorithm is Algorithm.ES256:
        key: EllipticCurvePublicKey = point(signer.public_key)
        numbers = key.public_numbers()
        x, y = (number.to_bytes(32, "big") for number in (numbers.x, numbers.y))
    return {"x": x.hex(), "y": y.hex(), "aad": aad.hex(), "message": message.hex()}


def taken(payload: bytes) -> dict[str, str | None]:
    return dict.fromkeys(BOTH, payload.hex())


NONE: dict[str, str | None] = dict.fromkeys(BOTH)
P256 = SoftwareP256Signer.generate()


def test_a_sealed_vote(ask: Ask, crew: Crew) -> None:
    session, payload = crew.session("drone_1"), encode(crew.observation())
    aad = domain(crew.swarm, Kind.VOTE, crew.version)
    sealed = seal(Kind.VOTE, payload, session, crew.roster)
    assert sealed[0] == Kind.VOTE, "what is behind it is COSE's"
    other = domain(crew.swarm, Kind.VOTE, crew.version + 1)
    verdicts = ask(
        [
            asked_of(session, aad, sealed[1:]),
            asked_of(session, other, sealed[1:]),
            asked_of(session, aad, sealed[1:-1] + bytes([sealed[-1] ^ 1])),
            asked_of(crew.session("drone_2"), aad, sealed[1:]),
        ]
    )
    assert verdicts == [taken(payload), NONE, NONE, NONE]


@pytest.mark.parametrize("kind", ["Ed25519", "P-256"])
def test_a_session_delegation_and_what_it_claims(ask: Ask, crew: Crew, kind: str) -> None:
    root: Signer = crew.root("drone_1") if kind == "Ed25519" else P256
    session = crew.session("drone_1")
    aad = domain(crew.swarm, Kind.SESSION, crew.version)
    token = delegate(root, session, aad, not_before=T0_S, expires=T0_S + 60)
    (verdict,) = ask([asked_of(root, aad, token)])
    assert verdict["pycose"] == verdict["cwt"] is not None
    claims = cbor2.loads(bytes.fromhex(verdict["cwt"]))
    assert (claims[5], claims[4]) == (T0_S, T0_S + 60)
    confirmed = claims[8][1]
    as_key = {"x": confirmed[-2].hex(), "y": "", "aad": "", "message": ""}
    said = sign1(session, b"by the session", b"")
    (by_session,) = ask([{**as_key, "message": said.hex()}])
    assert by_session == taken(b"by the session")


def test_a_vote_by_a_root_key_of_p256(ask: Ask, crew: Crew) -> None:
    """As a hardware_only member's TPM signs it; they take its second form too, and we don't."""
    payload = encode(crew.observation())
    aad = domain(crew.swarm, Kind.VOTE, crew.version)
    sealed = seal(Kind.VOTE, payload, P256, crew.roster)[1:]
    s = int.from_bytes(sealed[-32:], "big")
    second = sealed[:-32] + (ORDER - s).to_bytes(32, "big")
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    verdicts = ask([asked_of(P256, aad, raw) for raw in (sealed, second, changed)])
    assert verdicts == [taken(payload), taken(payload), NONE]
