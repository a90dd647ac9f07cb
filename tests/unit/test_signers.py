# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Software keys: RFC 8032's vectors, files that only their owner reads, clear refusals."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as ser
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from swarm_ledger.errors import Misuse
from swarm_ledger.identity.ed25519 import verify
from swarm_ledger.signers import Algorithm, KeyStore, SoftwareSigner, open_signer

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


def test_what_is_no_key_is_refused_in_words(tmp_path: Path) -> None:
    def pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, secret: bytes) -> bytes:
        lock = ser.BestAvailableEncryption(secret) if secret else ser.NoEncryption()
        return key.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8, lock)

    path = tmp_path / "key.pem"
    for content, said in (
        (b"", "not an unencrypted PEM private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "not an unencrypted"),
        (bytes(range(256)), "not an unencrypted"),
        (pem(ed25519.Ed25519PrivateKey.generate(), b"secret"), "not an unencrypted"),
        (pem(ec.generate_private_key(ec.SECP256R1()), b""), "Ed25519 key is needed"),
    ):
        path.write_bytes(content)
        with pytest.raises(Misuse, match=said):
            open_signer(f"file:{path}")
    with pytest.raises(Misuse, match="cannot read the key file"):
        open_signer(f"file:{tmp_path / 'none.pem'}")
    with pytest.raises(Misuse, match="cannot read the key file"):
        open_signer(f"file:{tmp_path}")
    with pytest.raises(Misuse, match="cannot write the key file"):
        SoftwareSigner.generate().save(tmp_path / "none" / "key.pem")


@pytest.mark.parametrize("uri", ["", "file:", "key.pem", "tpm2:0x81000001", "pkcs11:x", "http:x"])
def test_unknown_key_stores(uri: str) -> None:
    with pytest.raises(Misuse, match="no key store"):
        open_signer(uri)


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_seeds_have_32_bytes(size: int) -> None:
    with pytest.raises(Misuse, match="32 bytes"):
        SoftwareSigner(bytes(size))
