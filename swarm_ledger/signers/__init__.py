# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Where a root key lives: opened by URI, used through one protocol.

    file:PATH[?passphrase=SECRET]           PKCS#8 PEM, Ed25519 or P-256
    pkcs11:token=T;object=O[?pin-source=SECRET&module-path=PATH]   RFC 7512
    tpm2:0x81000001 or tpm2:PATH [?tcti=TCTI&auth=SECRET&pcrs=sha256:0,7]

SECRET: env:NAME, fd:NUMBER, file:PATH or credential:NAME. Python packages for tokens and TPMs are
needed, and imported, only where such a key is opened.
"""

from __future__ import annotations

from pathlib import Path

from swarm_ledger.errors import Misuse
from swarm_ledger.signers.pkcs11 import Pkcs11Signer, new_pkcs11_key
from swarm_ledger.signers.secret import read_secret
from swarm_ledger.signers.signer import Algorithm, KeyStore, Signer, algorithm_of
from swarm_ledger.signers.software import SoftwareP256Signer, SoftwareSigner, read_key
from swarm_ledger.signers.statement import Statement, TokenReport, TpmStatement
from swarm_ledger.signers.tpm2 import Tpm2Signer, new_tpm2_key

__all__ = [
    "Algorithm",
    "KeyStore",
    "Signer",
    "SoftwareP256Signer",
    "SoftwareSigner",
    "Statement",
    "TokenReport",
    "Tpm2Signer",
    "TpmStatement",
    "algorithm_of",
    "file_of",
    "new_key",
    "open_signer",
    "statement_of",
]

_SCHEMES = "Use file:PATH, pkcs11:token=...;object=... or tpm2:HANDLE."
_LOCK = "?passphrase="


def open_signer(uri: str, folder: Path = Path()) -> Signer:
    """Open the key that a URI names; paths in it are relative to folder.

    Misuse for another scheme, or a key that can't be used, with what to do.
    """
    scheme, _, rest = uri.partition(":")
    if scheme == "file" and rest:
        path, passphrase = _file(rest, folder)
        return read_key(path, passphrase)
    if scheme == "pkcs11":
        return Pkcs11Signer(uri, folder)
    if scheme == "tpm2":
        return Tpm2Signer(uri, folder)
    raise Misuse(f"no key store for {uri!r}.", remedy=_SCHEMES)


def new_key(uri: str, algorithm: Algorithm | None = None, folder: Path = Path()) -> Signer:
    """Make a key where a URI says, and open it; never over another one.

    algorithm: Ed25519 where it is left out and the store can. Misuse as open_signer() does.
    """
    scheme, _, rest = uri.partition(":")
    if scheme == "file" and rest:
        path, passphrase = _file(rest, folder)
        kind = SoftwareP256Signer if algorithm is Algorithm.ES256 else SoftwareSigner
        kind.generate().save(path, passphrase)
    elif scheme == "pkcs11":
        new_pkcs11_key(uri, algorithm or Algorithm.EDDSA, folder)
    elif scheme == "tpm2":
        if algorithm is Algorithm.EDDSA:
            raise Misuse("TPMs have no Ed25519.", remedy="Take p256.")
        new_tpm2_key(uri, folder)
    return open_signer(uri, folder)


def file_of(uri: str) -> Path | None:
    """Return the file that a key's URI names, None for one that is in no file."""
    scheme, _, rest = uri.partition(":")
    return Path(_split(rest)[0]) if scheme == "file" and rest else None


def statement_of(signer: Signer, context: bytes) -> Statement | None:
    """Return what a key's store states about it, None for a software key.

    context: at most 32 bytes that a TPM signs with it, so that it serves once. Misuse as sign().
    """
    if isinstance(signer, (Pkcs11Signer, Tpm2Signer)):
        return signer.statement(context)
    return None


def _file(rest: str, folder: Path) -> tuple[Path, str]:
    path, source = _split(rest)
    return folder / path, read_secret(source, folder) if source else ""


def _split(rest: str) -> tuple[str, str]:
    """Split PATH[?passphrase=SECRET]. The path is not percent-encoded, and may hold a "?"."""
    path, asked, source = rest.rpartition(_LOCK)
    return (path, source) if asked else (rest, "")
