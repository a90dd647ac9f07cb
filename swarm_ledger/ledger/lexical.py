# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The lexical rules that C2SP's texts share: base64, decimals, key names, lines."""

from __future__ import annotations

import base64
import re

from swarm_ledger.errors import NotVerified

MAX_INTEGER = 2**63 - 1
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


def to_base64(data: bytes) -> str:
    """Return the standard base64 text of some bytes (RFC 4648, 4)."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str, where: str) -> bytes:
    """Return the bytes of a base64 text in its one canonical form.

    Raises NotVerified, naming where, for anything else, padding bits that aren't zero included.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise NotVerified("this is not base64", where=where) from error
    if to_base64(data) != text:
        raise NotVerified("this base64 is not canonical", where=where)
    return data


def from_decimal(text: str, where: str) -> int:
    """Return an ASCII decimal from 0 to 2**63 - 1 without leading zeros; raises NotVerified."""
    if not _DECIMAL.fullmatch(text) or int(text) > MAX_INTEGER:
        raise NotVerified(f"{text[:24]!r} is not a decimal from 0 to 2^63 - 1", where=where)
    return int(text)


def from_utf8(data: bytes, limit: int, where: str) -> str:
    """Return UTF-8 text without control characters but newlines, of at most limit bytes."""
    if len(data) > limit:
        raise NotVerified(f"{len(data)} bytes are more than {limit}", where=where)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotVerified(f"byte {error.start} is not UTF-8", where=where) from error
    if _CONTROL.search(text):
        raise NotVerified("it has control characters", where=where)
    return text


def is_key_name(name: str) -> bool:
    """Tell whether a key name is allowed: not empty, no Unicode space, no plus, no control."""
    if not name or _CONTROL.search(name):
        return False
    return not any(c.isspace() or c == "+" for c in name)
