# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Keys in a TPM 2.0, with swtpm: they sign, stay where they are, and fail in words."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from swarm_ledger.errors import Misuse
from swarm_ledger.identity.signature import verify
from swarm_ledger.signers import Algorithm, KeyStore, new_key, open_signer
from swarm_ledger.signers.tpm2 import identify
from swarm_ledger.sim.rack import Swtpm
from tests.hardware.stores import lay_out, openssl_verifies, tool

HANDLE = "0x81000001"


def uri(tpm: Swtpm, place: str = "key.tpm2", more: str = "") -> str:
    return f"tpm2:{place}?tcti={tpm.tcti}{more}"


def refused(asked: str, folder: Path) -> str:
    with pytest.raises(Misuse) as caught:
        open_signer(asked, folder).sign(b"x")
    return caught.value.explain()


@pytest.mark.parametrize("place", ["key.tpm2", HANDLE])
def test_a_key_is_made_in_its_tpm_and_stays_there(tpm: Swtpm, tmp_path: Path, place: str) -> None:
    signer = new_key(uri(tpm, place), None, tmp_path)
    assert (signer.algorithm, signer.key_store) == (Algorithm.ES256, KeyStore.TPM2)
    assert signer.attributes == {
        "fixed_tpm": True,
        "fixed_parent": True,
        "local": True,
        "user_with_auth": True,
    }
    again = open_signer(uri(tpm, place), tmp_path)
    assert again.public_key == signer.public_key
    for number in range(20):
        message = b"%d" % number
        assert verify(signer.public_key, message, again.sign(message))
    assert not verify(signer.public_key, b"other", again.sign(b"message"))
    assert (tmp_path / "key.tpm2").exists() is (place != HANDLE)


def test_a_key_file_is_its_owners(tpm: Swtpm, tmp_path: Path) -> None:
    new_key(uri(tpm), None, tmp_path)
    path = tmp_path / "key.tpm2"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes().startswith(b"-----BEGIN TSS2 PRIVATE KEY-----\n")


def test_its_signatures_verify_with_strangers_tools(tpm: Swtpm, tmp_path: Path) -> None:
    signer = new_key(uri(tpm), None, tmp_path)
    signature = signer.sign(b"a message")
    assert openssl_verifies(tmp_path, signer, b"a message", signature)
    assert tpm2_verifies(tpm, tmp_path)
    lay_out(tmp_path, signer, b"another", signature)
    assert not tpm2_verifies(tpm, tmp_path)


def tpm2_verifies(tpm: Swtpm, folder: Path) -> bool:
    """What `tpm2_verifysignature` says."""
    words = ("tpm2_loadexternal", "-Q", "-C", "n", "-G", "ecc", "-u", "public.pem", "-c", "pub")
    loaded = tool(*words, cwd=folder, tcti=tpm.tcti)
    assert loaded.returncode == 0, loaded.stderr
    given = ("-g", "sha256", "-m", "message", "-s", "signature", "-f", "ecdsa")
    done = tool("tpm2_verifysignature", "-c", "pub", *given, cwd=folder, tcti=tpm.tcti)
    return done.returncode == 0


def test_a_key_that_tpm2_tools_made_is_taken(tpm: Swtpm, tmp_path: Path) -> None:
    for words in (
        ("tpm2_createprimary", "-Q", "-C", "o", "-G", "ecc", "-c", "primary"),
        ("tpm2_flushcontext", "-Q", "-t"),
        ("tpm2_create", "-Q", "-C", "primary", "-G", "ecc256", "-u", "pub", "-r", "priv"),
        ("tpm2_flushcontext", "-Q", "-t"),
        ("tpm2_load", "-Q", "-C", "primary", "-u", "pub", "-r", "priv", "-c", "key"),
        ("tpm2_flushcontext", "-Q", "-t"),
        ("tpm2_evictcontrol", "-Q", "-C", "o", "-c", "key", HANDLE),
        ("tpm2_flushcontext", "-Q", "-t"),
    ):
        done = tool(*words, cwd=tmp_path, tcti=tpm.tcti)
        assert done.returncode == 0, done.stderr
    signer = open_signer(uri(tpm, HANDLE))
    assert verify(signer.public_key, b"x", signer.sign(b"x"))


@pytest.mark.parametrize("place", ["key.tpm2", HANDLE])
def test_a_key_with_a_password(
    tpm: Swtpm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("AUTH", "open sesame")
    signer = new_key(uri(tpm, place, "&auth=env:AUTH"), None, tmp_path)
    assert verify(signer.public_key, b"x", signer.sign(b"x"))
    monkeypatch.setenv("WRONG", "open says me")
    assert "refuses the password" in refused(uri(tpm, place, "&auth=env:WRONG"), tmp_path)
    said = refused(uri(tpm, place), tmp_path)
    assert "has a password. Add ?auth=env:NAME" in said or "refuses the password" in said
    assert "NOWHERE is not set" in refused(uri(tpm, place, "&auth=env:NOWHERE"), tmp_path)


def test_a_tpm_locks_after_wrong_passwords(
    tpm: Swtpm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTH", "open sesame")
    signer = new_key(uri(tpm, more="&auth=env:AUTH"), None, tmp_path)
    limits = ("--max-tries=2", "--recovery-time=1000", "--lockout-recovery-time=1000")
    done = tool("tpm2_dictionarylockout", "-s", *limits, cwd=tmp_path, tcti=tpm.tcti)
    assert done.returncode == 0, done.stderr
    monkeypatch.setenv("WRONG", "open says me")
    for _ in range(2):
        assert "refuses the password" in refused(uri(tpm, more="&auth=env:WRONG"), tmp_path)
    with pytest.raises(Misuse) as caught:
        signer.sign(b"x")
    assert "is locked, as wrong passwords were tried" in caught.value.explain()
    done = tool("tpm2_dictionarylockout", "-c", cwd=tmp_path, tcti=tpm.tcti)
    assert done.returncode == 0, done.stderr
    assert verify(signer.public_key, b"x", signer.sign(b"x"))


@pytest.mark.parametrize("auth", ["", "&auth=env:AUTH"])
@pytest.mark.parametrize("place", ["key.tpm2", HANDLE])
def test_a_key_that_wants_the_pcrs_as_they_were(
    tpm: Swtpm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, auth: str, place: str
) -> None:
    monkeypatch.setenv("AUTH", "open sesame")
    bound = uri(tpm, place, f"&pcrs=sha256:0,16{auth}")
    signer = new_key(bound, None, tmp_path)
    assert signer.attributes["user_with_auth"] is False
    assert verify(signer.public_key, b"x", signer.sign(b"x"))
    assert "TPM" in refused(uri(tpm, place, auth), tmp_path), "the policy can't be left out"
    assert "other PCRs" in refused(uri(tpm, place, f"&pcrs=sha256:0,7{auth}"), tmp_path)
    done = tool("tpm2_pcrextend", "16:sha256=" + "ab" * 32, cwd=tmp_path, tcti=tpm.tcti)
    assert done.returncode == 0, done.stderr
    said = refused(bound, tmp_path)
    assert "is not in the state that the key needs: other PCRs" in said


def test_a_key_file_is_of_no_use_to_another_tpm(tpm: Swtpm, tmp_path: Path) -> None:
    new_key(uri(tpm), None, tmp_path)
    with Swtpm(tmp_path / "other") as other:
        assert "did not make that key file" in refused(uri(other), tmp_path)


def test_a_tpm_that_is_gone(tpm: Swtpm, tmp_path: Path) -> None:
    signer = new_key(uri(tpm), None, tmp_path)
    assert identify(tpm.tcti) == "IBM"
    tpm.stop()
    with pytest.raises(Misuse, match="can't be reached"):
        identify(tpm.tcti)
    with pytest.raises(Misuse) as caught:
        signer.sign(b"x")
    assert "can't be reached" in caught.value.explain()
    assert "is swtpm running" in caught.value.explain()
    assert "can't be reached" in refused("tpm2:0x81000001?tcti=nonsense:x", tmp_path)


def test_a_key_is_never_overwritten(tpm: Swtpm, tmp_path: Path) -> None:
    for place in ("key.tpm2", HANDLE):
        made = new_key(uri(tpm, place), None, tmp_path).public_key
        with pytest.raises(Misuse, match=r"already|another key at that handle"):
            new_key(uri(tpm, place), None, tmp_path)
        assert open_signer(uri(tpm, place), tmp_path).public_key == made
    with pytest.raises(Misuse, match="TPMs have no Ed25519"):
        new_key(uri(tpm, "more.tpm2"), Algorithm.EDDSA, tmp_path)


def test_keys_that_are_not_there(tpm: Swtpm, tmp_path: Path) -> None:
    assert "has no key at that handle. Make one" in refused(uri(tpm, HANDLE), tmp_path)
    assert "cannot read the key file" in refused(uri(tpm, "none"), tmp_path)
    new_key(uri(tpm), None, tmp_path)
    good = (tmp_path / "key.tpm2").read_bytes()
    head, tail = good.splitlines(keepends=True)[0], good.splitlines(keepends=True)[-1]
    for number, data in enumerate(
        (b"", b"\0" * 100, head, head + tail, head + b"AAAA\n" + tail, good[:200], good[40:])
    ):
        (tmp_path / f"bad {number}").write_bytes(data)
        assert "is not a TPM's key file" in refused(uri(tpm, f"bad%20{number}"), tmp_path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-G", "rsa"), "is not of P-256"),
        (("-G", "ecc384"), "is not of P-256"),
        (("-G", "ecc"), "is not made for signing"),
    ],
)
def test_keys_of_other_kinds_are_refused(
    tpm: Swtpm, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    made = tool(
        *("tpm2_createprimary", "-Q", "-C", "o", *words, "-c", "key"), cwd=tmp_path, tcti=tpm.tcti
    )
    if made.returncode and "384" in words[1]:
        pytest.skip("this TPM has no P-384")
    done = tool(
        "tpm2_evictcontrol", "-Q", "-C", "o", "-c", "key", HANDLE, cwd=tmp_path, tcti=tpm.tcti
    )
    assert done.returncode == 0, done.stderr
    assert said in refused(uri(tpm, HANDLE), tmp_path)
