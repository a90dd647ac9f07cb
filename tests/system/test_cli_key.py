# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`swarm-ledger key`, with keys in files; tests/hardware has those in tokens and TPMs."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from swarm_ledger.encoding import digest
from swarm_ledger.identity import p256
from swarm_ledger.signers import SoftwareSigner, open_signer
from tests.system.command import call, run


@pytest.mark.parametrize(
    ("asked", "algorithm", "size"),
    [
        ([], "Ed25519", 32),
        (["--algorithm", "ed25519"], "Ed25519", 32),
        (["--algorithm", "p256"], "P-256", 33),
    ],
)
def test_a_new_key_is_made_and_shown(
    tmp_path: Path, asked: list[str], algorithm: str, size: int
) -> None:
    path = tmp_path / "key.pem"
    made = call("key", "new", f"file:{path}", *asked, "--json")
    assert made.code == 0, made
    found = made.json
    public_key = bytes.fromhex(found["public_key"])
    assert (found["key_store"], found["algorithm"]) == ("software", algorithm)
    assert len(public_key) == size
    assert found["kid"] == digest(public_key)[:8].hex()
    assert found["drone_id"] == digest(public_key)[:16].hex()
    assert (found["works"], found["attributes"]) == (True, {})
    assert found["sign_ms"] > 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    shown = call("key", "show", f"file:{path}", "--json").json
    assert {**shown, "sign_ms": 0} == {**found, "sign_ms": 0}


def test_a_software_key_is_loudly_one(tmp_path: Path) -> None:
    said = call("key", "new", f"file:{tmp_path / 'a [red] key.pem'}")
    assert "SOFTWARE KEY: whoever can read the file" in said.text
    assert f"Key: file:{tmp_path}/a [red] key.pem\n" in said.text
    assert "Works: yes, " in said.text


def test_an_encrypted_key_is_made_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"file:{tmp_path / 'key.pem'}?passphrase=env:SECRET"
    made = run("key", "new", uri, "--json", SECRET="open sesame")
    assert made.code == 0, made
    assert b"ENCRYPTED" in (tmp_path / "key.pem").read_bytes()
    assert b"sesame" not in made.out
    shown = run("key", "show", uri, "--json", SECRET="open sesame")
    assert shown.json["public_key"] == made.json["public_key"]
    monkeypatch.setenv("SECRET", "open says me")
    wrong = call("key", "show", uri).refused()
    assert "the passphrase is wrong" in wrong
    assert "says me" not in wrong
    monkeypatch.delenv("SECRET")
    assert "SECRET is not set" in call("key", "show", uri).refused()


def test_a_key_that_does_not_work_exits_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SoftwareSigner.generate().save(tmp_path / "key.pem")
    monkeypatch.setattr(SoftwareSigner, "sign", lambda *_: bytes(64))
    said = call("key", "show", f"file:{tmp_path / 'key.pem'}")
    assert said.code == 1
    assert "NO: its signature does not verify" in said.text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["new"], "Missing argument"),
        (["new", "key.pem"], "no key store for 'key.pem'. Use file:PATH"),
        (["new", "file:x", "--algorithm", "rsa"], "unknown algorithm 'rsa'. Take ed25519 or p256"),
        (["new", "file:x", "--label", "y"], "a label is for a key in a PKCS#11 token"),
        (["new", "pkcs11:object=x", "--label", "y"], "a label is for a key in a PKCS#11 token"),
        (["show", "file:/nowhere/key.pem"], "cannot read the key file /nowhere/key.pem"),
        (["new", "file:/nowhere/key.pem"], "cannot write the key file /nowhere/key.pem"),
        (["show", "pkcs11:token=x"], "must say which key is meant. Add object=LABEL"),
        (["new", "tpm2:"], "names no key in a TPM"),
        (["new", "tpm2:x", "--algorithm", "ed25519"], "TPMs have no Ed25519. Take p256"),
    ],
)
def test_what_cannot_be_done_exits_2_and_says_what_to_do(arguments: list[str], words: str) -> None:
    assert words in " ".join(call("key", *arguments).refused().split())


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    uri = f"file:{tmp_path / 'key.pem'}"
    call("key", "new", uri)
    before = open_signer(uri).public_key
    assert "never overwritten" in call("key", "new", uri, "--algorithm", "p256").refused()
    assert open_signer(uri).public_key == before


def test_what_a_p256_key_signs_is_judged_by_us(tmp_path: Path) -> None:
    call("key", "new", f"file:{tmp_path / 'key.pem'}", "--algorithm", "p256")
    signer = open_signer(f"file:{tmp_path / 'key.pem'}")
    assert p256.verify(signer.public_key, b"x", signer.sign(b"x"))
