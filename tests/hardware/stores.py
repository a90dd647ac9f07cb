# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What the tests of key stores share: URIs, and strangers' tools that verify signatures."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from swarm_ledger.signers import Algorithm, Signer
from swarm_ledger.signers.p256 import pem, to_der
from swarm_ledger.sim.rack import SoftHsm

PIN = "1234"


@dataclass(frozen=True)
class Hsm:
    """SoftHSM, and the folder where it keeps its tokens."""

    soft: SoftHsm
    tokens: Path

    def uri(self, key: str = "object=root", token: str = "drone%201", query: str = "") -> str:
        found = query or "pin-source=env:PIN"
        return f"pkcs11:token={token};{key}?module-path={self.soft.module}&{found}"


def public_pem(signer: Signer) -> str:
    if signer.algorithm is Algorithm.ES256:
        return pem(signer.public_key)
    key = Ed25519PublicKey.from_public_bytes(signer.public_key)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def lay_out(folder: Path, signer: Signer, message: bytes, signature: bytes) -> None:
    """Write key, message and signature where other tools find them."""
    (folder / "public.pem").write_text(public_pem(signer))
    (folder / "message").write_bytes(message)
    if signer.algorithm is Algorithm.ES256:
        signature = to_der(signature)
    (folder / "signature").write_bytes(signature)


def openssl_verifies(folder: Path, signer: Signer, message: bytes, signature: bytes) -> bool:
    """What `openssl pkeyutl -verify` says."""
    lay_out(folder, signer, message, signature)
    digest = ["-digest", "sha256"] if signer.algorithm is Algorithm.ES256 else []
    done = tool(
        *("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "public.pem", "-rawin", *digest),
        *("-in", "message", "-sigfile", "signature"),
        cwd=folder,
    )
    return done.returncode == 0 and "Verified Successfully" in done.stdout


def tool(*words: str, cwd: Path, tcti: str = "") -> subprocess.CompletedProcess[str]:
    """Run somebody else's tool; skip where it isn't installed."""
    if not shutil.which(words[0]):
        pytest.skip(f"{words[0]} is not installed")
    around = {**os.environ, **({"TPM2TOOLS_TCTI": tcti} if tcti else {})}
    return subprocess.run(
        words, cwd=cwd, env=around, capture_output=True, text=True, timeout=60, check=False
    )
