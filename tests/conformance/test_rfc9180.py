# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""HPKE as RFC 9180 has it (A.2.1: X25519, HKDF-SHA256, ChaCha20Poly1305, mode_base)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from swarm_ledger.encoding import encode
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity import secrecy
from swarm_ledger.identity.secrecy import KeyId, open_share

INFO = bytes.fromhex("4f6465206f6e2061204772656369616e2055726e")
PRIVATE = bytes.fromhex("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb")
ENCAPSULATED = bytes.fromhex("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a")
KEY = bytes.fromhex("ad2744de8e17f4ebba575b3f5f5a8fa1f69c2a07f6e7500bc60ca6e3e3ec1c91")
NONCE = bytes.fromhex("5c4d98150661b848853b547f")
AAD = b"Count-0"
PLAIN = b"Beauty is truth, truth beauty"
CIPHERTEXT = bytes.fromhex(
    "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28"
)
ID = KeyId(1, 0, 2, 3)


@contextmanager
def fault(*reasons: str) -> Iterator[None]:
    with pytest.raises(PeerFault) as caught:
        yield
    assert caught.value.reason in reasons


def test_the_key_and_nonce_of_the_vector_are_those_of_its_ciphertext() -> None:
    assert ChaCha20Poly1305(KEY).encrypt(NONCE, PLAIN, AAD) == CIPHERTEXT


def test_a_share_made_by_the_vectors_key_schedule_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key that the RFC derives from its private key, encapsulation and info is ours."""
    monkeypatch.setattr(secrecy, "_info", lambda *_: INFO)
    share = ENCAPSULATED + ChaCha20Poly1305(KEY).encrypt(NONCE, bytes(range(32)), b"")
    private = X25519PrivateKey.from_private_bytes(PRIVATE)
    found = open_share(share, private, "test", ID, 1)
    same = secrecy.Secret("test", ID, bytes(range(32)))
    concealed = same.conceal(b"x")
    assert found.conceal(b"x") == concealed
    with fault("bad_share"):
        open_share(share[:-1] + bytes([share[-1] ^ 1]), private, "test", ID, 1)


def test_what_binds_a_share_is_its_swarm_key_identifier_and_receiver() -> None:
    infos = {
        secrecy._info(swarm, key, receiver)
        for swarm in ("a", "b")
        for key in (ID, KeyId(2, 0, 2, 3), KeyId(1, 1, 2, 3), KeyId(1, 0, 3, 3), KeyId(1, 0, 2, 4))
        for receiver in (0, 1)
    }
    assert len(infos) == 20
    assert secrecy._info("a", ID, 7) == encode(["swarm_ledger/v1 share", "a", encode(ID), 7])
