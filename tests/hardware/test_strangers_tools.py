# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Signatures of keys from files, tokens and TPMs, verified by tools that others wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, seal
from swarm_ledger.identity.cose import parse1
from swarm_ledger.identity.session import domain
from swarm_ledger.signers import Algorithm, Signer, new_key, open_signer
from swarm_ledger.sim.rack import Swtpm
from tests.crew import Crew
from tests.hardware.stores import Hsm, lay_out, openssl_verifies, tool
from tests.hardware.test_tpm2 import tpm2_verifies

BOTH = [Algorithm.EDDSA, Algorithm.ES256]


def dgst_verifies(folder: Path, signer: Signer, message: bytes, signature: bytes) -> bool:
    """What `openssl dgst -verify` says, which knows ECDSA only."""
    lay_out(folder, signer, message, signature)
    words = ("openssl", "dgst", "-sha256", "-verify", "public.pem", "-signature", "signature")
    done = tool(*words, "message", cwd=folder)
    return done.returncode == 0 and "Verified OK" in done.stdout


@pytest.mark.parametrize("algorithm", BOTH)
@pytest.mark.parametrize("locked", [False, True])
def test_keys_in_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, algorithm: Algorithm, locked: bool
) -> None:
    monkeypatch.setenv("PASSPHRASE", "a sentence that nobody guesses")
    uri = f"file:{tmp_path}/key.pem" + "?passphrase=env:PASSPHRASE" * locked
    new_key(uri, algorithm)
    signer = open_signer(uri)
    signature = signer.sign(b"a message")
    assert openssl_verifies(tmp_path, signer, b"a message", signature)
    assert not openssl_verifies(tmp_path, signer, b"another", signature)


def test_openssl_reads_our_key_files_and_we_its(tmp_path: Path) -> None:
    for kind, algorithm in (("ed25519", Algorithm.EDDSA), ("EC", Algorithm.ES256)):
        curve = ("-pkeyopt", "ec_paramgen_curve:P-256") if kind == "EC" else ()
        made = tool(
            *("openssl", "genpkey", "-algorithm", kind, *curve, "-out", f"{kind}.pem"),
            cwd=tmp_path,
        )
        assert made.returncode == 0, made.stderr
        theirs = open_signer(f"file:{tmp_path}/{kind}.pem")
        assert theirs.algorithm is algorithm
        assert openssl_verifies(tmp_path, theirs, b"x", theirs.sign(b"x"))


def test_openssl_dgst_for_p256_from_everywhere(hsm: Hsm, tpm: Swtpm, tmp_path: Path) -> None:
    signers = [
        new_key(f"file:{tmp_path}/p256.pem", Algorithm.ES256),
        new_key(hsm.uri(), Algorithm.ES256),
        new_key(f"tpm2:{tmp_path}/key.tpm2?tcti={tpm.tcti}"),
    ]
    for signer in signers:
        signature = signer.sign(b"a message")
        assert dgst_verifies(tmp_path, signer, b"a message", signature)
        assert not dgst_verifies(tmp_path, signer, b"another", signature)


def signed_in(crew: Crew, signer: Signer) -> tuple[bytes, bytes]:
    """The bytes that a sealed vote's signature is over (RFC 9052, 4.4), and that signature."""
    sealed = seal(Kind.VOTE, encode(crew.observation()), signer, crew.roster)
    parsed = parse1(sealed[1:], limit=4096)
    aad = domain(crew.swarm, Kind.VOTE, crew.version)
    return encode(["Signature1", parsed.protected, aad, parsed.payload]), parsed.signature


@pytest.mark.parametrize("algorithm", BOTH)
def test_a_vote_that_a_token_signed(
    hsm: Hsm, tmp_path: Path, crew: Crew, algorithm: Algorithm
) -> None:
    signer = new_key(hsm.uri(), algorithm)
    message, signature = signed_in(crew, signer)
    assert openssl_verifies(tmp_path, signer, message, signature)
    assert not openssl_verifies(tmp_path, signer, message + b"\0", signature)


def test_a_vote_that_a_tpm_signed(tpm: Swtpm, tmp_path: Path, crew: Crew) -> None:
    signer = new_key(f"tpm2:key.tpm2?tcti={tpm.tcti}", None, tmp_path)
    message, signature = signed_in(crew, signer)
    assert openssl_verifies(tmp_path, signer, message, signature)
    assert tpm2_verifies(tpm, tmp_path)
    lay_out(tmp_path, signer, message + b"\0", signature)
    assert not tpm2_verifies(tpm, tmp_path)
