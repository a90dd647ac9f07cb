# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Where a root key lives: opened by URI, used through one protocol."""

from __future__ import annotations

from pathlib import Path

from swarm_ledger.errors import Misuse
from swarm_ledger.signers.signer import Algorithm, KeyStore, Signer
from swarm_ledger.signers.software import SoftwareSigner

__all__ = ["Algorithm", "KeyStore", "Signer", "SoftwareSigner", "open_signer"]


def open_signer(uri: str) -> Signer:
    """Open the key that a URI names: `file:PATH`, a PKCS#8 PEM file.

    Raises Misuse for another scheme or a key that can't be used.
    """
    scheme, _, rest = uri.partition(":")
    if scheme == "file" and rest:
        return SoftwareSigner.load(Path(rest))
    raise Misuse(f"no key store for {uri!r}.", remedy="Use file:PATH.")
