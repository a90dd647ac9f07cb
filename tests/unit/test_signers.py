# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Software keys: the RFCs' vectors, files that only their owner reads, clear refusals."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as ser
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from swarm_ledger.errors import Misuse
from swarm_ledger.identity import p256
from swarm_ledger.identity.ed25519 import verify
from swarm_ledger.signers import (
    Algorithm,
    KeyStore,
    SoftwareSigner,
    algorithm_of,
    new_key,
    open_signer,
)
from swarm_ledger.signers.secret import read_secret

# RFC 8032, 7.1: secret key, public key, message, signature
VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac"
        "c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e"
        "458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
]


@pytest.mark.parametrize(("secret", "public", "message", "signature"), VECTORS)
def test_rfc_8032(secret: str, public: str, message: str, signature: str) -> None:
    signer = SoftwareSigner(bytes.fromhex(secret))
    assert signer.public_key.hex() == public
    assert signer.sign(bytes.fromhex(message)).hex() == signature
    assert verify(signer.public_key, bytes.fromhex(message), bytes.fromhex(signature))


def test_a_software_key_says_so() -> None:
    signer = SoftwareSigner.generate()
    assert (signer.algorithm, signer.key_store.label) == (Algorithm.EDDSA, "software")
    assert signer.public_key != SoftwareSigner.generate().public_key
    assert [store.label for store in KeyStore] == ["unknown", "software", "pkcs11", "tpm2"]


def test_saved_and_opened_by_uri(tmp_path: Path) -> None:
    signer, path = SoftwareSigner.generate(), tmp_path / "key.pem"
    signer.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert open_signer(f"file:{path}").public_key == signer.public_key
    before = path.read_bytes()
    with pytest.raises(Misuse, match="never overwritten"):
        SoftwareSigner.generate().save(path)
    assert path.read_bytes() == before


def pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, secret: bytes = b"") -> bytes:
    lock = ser.BestAvailableEncryption(secret) if secret else ser.NoEncryption()
    return key.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8, lock)


def test_what_is_no_key_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    for content, said in (
        (b"", "not a PEM private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "not a PEM"),
        (bytes(range(256)), "not a PEM"),
        (pem(ed25519.Ed25519PrivateKey.generate(), b"secret"), "is encrypted. Say where its pass"),
        (pem(ec.generate_private_key(ec.SECP384R1())), "a P-256 key is needed, not one of secp38"),
        (x448(), "holds a X448PrivateKey; Ed25519 or P-256 is needed"),
    ):
        path.write_bytes(content)
        with pytest.raises(Misuse) as caught:
            open_signer(f"file:{path}")
        assert said in caught.value.explain()
    with pytest.raises(Misuse, match="cannot read the key file"):
        open_signer(f"file:{tmp_path / 'none.pem'}")
    with pytest.raises(Misuse, match="cannot read the key file"):
        open_signer(f"file:{tmp_path}")
    with pytest.raises(Misuse, match="cannot write the key file"):
        SoftwareSigner.generate().save(tmp_path / "none" / "key.pem")


def x448() -> bytes:
    from cryptography.hazmat.primitives.asymmetric.x448 import X448PrivateKey

    key = X448PrivateKey.generate()
    return key.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8, ser.NoEncryption())


def test_p256_keys_sign_in_one_form(tmp_path: Path) -> None:
    signer = new_key(f"file:{tmp_path / 'key.pem'}", Algorithm.ES256)
    assert (signer.algorithm, signer.key_store.label) == (Algorithm.ES256, "software")
    assert len(signer.public_key) == 33
    for number in range(40):  # half of them would have an s in the upper half
        message = b"%d" % number
        assert p256.verify(signer.public_key, message, signer.sign(message))
    again = open_signer("file:key.pem", tmp_path)
    assert again.public_key == signer.public_key


def test_a_public_key_tells_its_algorithm() -> None:
    assert algorithm_of(bytes(32)) is Algorithm.EDDSA
    assert algorithm_of(bytes(33)) is Algorithm.ES256
    for size in (0, 31, 34, 64, 65):
        with pytest.raises(Misuse, match=f"not {size}"):
            algorithm_of(bytes(size))


@pytest.mark.parametrize("algorithm", [None, Algorithm.EDDSA, Algorithm.ES256])
def test_an_encrypted_file_needs_its_passphrase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, algorithm: Algorithm | None
) -> None:
    monkeypatch.setenv("HERE", "open sesame")
    monkeypatch.setenv("WRONG", "open says me")
    signer = new_key("file:a key?.pem?passphrase=env:HERE", algorithm, tmp_path)
    path = tmp_path / "a key?.pem"
    assert path.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = open_signer(f"file:{path}?passphrase=env:HERE")
    assert again.public_key == signer.public_key
    for asked, said in (
        ("", "is encrypted"),
        ("?passphrase=env:WRONG", "the passphrase is wrong"),
        ("?passphrase=env:NOWHERE", "NOWHERE is not set"),
        ("?passphrase=open sesame", "names no place for a secret"),
    ):
        with pytest.raises(Misuse, match=said):
            open_signer(f"file:{path}{asked}")


def test_a_passphrase_for_an_open_file_is_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERE", "open sesame")
    SoftwareSigner.generate().save(tmp_path / "key.pem")
    with pytest.raises(Misuse, match="is not encrypted: whoever reads it has the key"):
        open_signer("file:key.pem?passphrase=env:HERE", tmp_path)


def test_a_passphrase_comes_through_a_descriptor(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"open sesame\n")
    os.close(writing)
    uri = f"file:{tmp_path / 'key.pem'}?passphrase=fd:{reading}"
    assert new_key(uri).public_key == open_signer(uri).public_key
    (tmp_path / "secret").write_text("open sesame")
    (tmp_path / "secret").chmod(0o600)
    open_signer("file:key.pem?passphrase=file:secret", tmp_path)


def test_secrets_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPTY", "")
    for name, content, mode in (
        ("open", b"secret", 0o644),
        ("group", b"secret", 0o640),
        ("empty", b"\n", 0o600),
        ("zero", b"a\0b", 0o600),
        ("large", b"x" * 1025, 0o600),
        ("binary", b"\xff\xfe", 0o600),
    ):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(mode)
    for source, said in (
        ("file:open", "others may read"),
        ("file:group", "others may read"),
        ("file:empty", "is empty"),
        ("file:zero", "not text"),
        ("file:large", "more than 1024 bytes"),
        ("file:binary", "is not text"),
        ("file:none", "cannot read the secret"),
        ("file:a\0b", "cannot read the secret"),
        ("file:", "names no place"),
        ("env:", "names no place"),
        ("env:EMPTY", "is empty"),
        ("fd:x", "names no place"),
        # The last one that can be asked for; this process may have opened a smaller one.
        ("fd:999999", "cannot read file descriptor 999999"),
        ("fd:99999999999999999999", "names no place"),
        ("secret", "names no place"),
        ("", "names no place"),
    ):
        with pytest.raises(Misuse, match=said):
            read_secret(source, tmp_path)


def test_a_credential_is_what_systemd_hands_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(Misuse, match="systemd did not start this process") as caught:
        read_secret("credential:passphrase", tmp_path)
    assert "LoadCredential=passphrase:PATH" in caught.value.remedy
    folder = tmp_path / "credentials"
    folder.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    (folder / "passphrase").write_text("open sesame\n")
    (folder / "passphrase").chmod(0o440)  # as systemd's are, by an ACL's mask
    assert read_secret("credential:passphrase", tmp_path) == "open sesame"
    (tmp_path / "outside").write_text("not yours")
    (folder / "large").write_text("x" * 1025)
    for source, said in (
        ("credential:none", "cannot read the credential none"),
        ("credential:large", "more than 1024 bytes"),
        ("credential:../outside", "names no place"),
        ("credential:..", "names no place"),
        ("credential:", "names no place"),
    ):
        with pytest.raises(Misuse, match=said):
            read_secret(source, tmp_path)


@pytest.mark.parametrize("uri", ["", "file:", "key.pem", "http:x", "tpm", "PKCS11:object=x"])
def test_unknown_key_stores(uri: str) -> None:
    for call in (open_signer, new_key):
        with pytest.raises(Misuse, match="no key store"):
            call(uri)


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_seeds_have_32_bytes(size: int) -> None:
    with pytest.raises(Misuse, match="32 bytes"):
        SoftwareSigner(bytes(size))


@pytest.mark.parametrize(
    ("uri", "package", "what_to_do"),
    [
        ("pkcs11:object=x?module-path=/dev/null", "pkcs11", "swarm_ledger[pkcs11]"),
        ("tpm2:0x81000001", "tpm2_pytss", "swarm_ledger[tpm2]"),
    ],
)
def test_a_package_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, uri: str, package: str, what_to_do: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    for call in (open_signer, new_key):
        with pytest.raises(Misuse) as caught:
            call(uri)
        assert what_to_do in caught.value.explain()
