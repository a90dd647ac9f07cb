# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Run by test_strangers_cose.py in a process of its own, with the libraries of strangers alone.

argv: the folder with these. stdin: JSON, a list of {"x", "y", "aad", "message"} in hex, y being
empty for Ed25519. stdout: JSON, for each what each library took from it, null for a refusal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

sys.path.insert(0, sys.argv[1])

import cbor2
from cwt import COSE, COSEKey
from pycose.keys import EC2Key, OKPKey
from pycose.messages import Sign1Message


def by_pycose(asked: Mapping[str, bytes]) -> bytes | None:
    """Return the payload that pycose verified."""
    message: Any = Sign1Message.decode(asked["message"])
    message.external_aad = asked["aad"]
    if asked["y"]:
        message.key = EC2Key(crv="P_256", x=asked["x"], y=asked["y"])
    else:
        message.key = OKPKey(crv="ED25519", x=asked["x"])
    return bytes(message.payload) if message.verify_signature() else None


def by_cwt(asked: Mapping[str, bytes]) -> bytes | None:
    """Return the payload that cwt verified. It finds the key by the message's key identifier."""
    kid = cbor2.loads(cbor2.loads(asked["message"]).value[0])[4]
    if asked["y"]:
        parts = {1: 2, -1: 1, -2: asked["x"], -3: asked["y"], 3: -7, 2: kid}
    else:
        parts = {1: 1, -1: 6, -2: asked["x"], 3: -8, 2: kid}
    key = COSEKey.new(parts)
    return bytes(COSE.new().decode(asked["message"], key, external_aad=asked["aad"]))


def verdict(look: Callable[[Mapping[str, bytes]], bytes | None], asked: Any) -> str | None:
    """Return the payload in hex, None where they refuse it, by whatever they raise then."""
    try:
        found = look({name: bytes.fromhex(value) for name, value in asked.items()})
    except Exception:
        return None
    return None if found is None else found.hex()


if __name__ == "__main__":
    libraries = {"pycose": by_pycose, "cwt": by_cwt}
    questions = json.load(sys.stdin)
    json.dump(
        [{name: verdict(look, one) for name, look in libraries.items()} for one in questions],
        sys.stdout,
    )
