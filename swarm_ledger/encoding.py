# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The one deterministic codec: frozen structs as CBOR arrays, and no second way to write them.

A value has exactly one encoding. The decoder enforces it by encoding again what it understood and
comparing, because CBOR libraries accept non-minimal integers, and msgspec accepts base64 text for
bytes: either would give one message two digests (RFC 8949, 4.2; signature malleability).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

import cbor2
import msgspec

from swarm_ledger.errors import Misuse, PeerFault

T = TypeVar("T")

MAX_DEPTH = 8
"""Nesting of arrays that any of our messages needs, with room to spare."""


class Record(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of everything that is encoded: frozen, written as an array, no unknown fields."""


def _refuse_tag(*_: object) -> object:
    raise ValueError("tags are not part of this codec")


class _NoTags(dict[int, Callable[..., object]]):
    """Refuses every semantic tag: big numbers, shared references and dates cost or hide things."""

    def __contains__(self, key: object) -> bool:
        return True

    def __getitem__(self, key: int) -> Callable[..., object]:
        return _refuse_tag

    def get(self, key: int, default: object = None) -> Any:
        return _refuse_tag


_NO_TAGS = _NoTags()


def _refuse_float(_: object, value: Any) -> None:
    raise ValueError(f"{value!r} is a float; scale it to an integer with a stated unit")


_NO_FLOATS: dict[type, Callable[[Any, Any], None]] = {float: _refuse_float}


def encode(value: object) -> bytes:
    """Return the one encoding of a Record, or of plain integers, bytes, text, arrays, maps.

    Raises Misuse for values that this codec has no form for, such as floats (they have several).
    """
    try:
        plain = msgspec.to_builtins(value, builtin_types=(bytes,))
        return cbor2.dumps(plain, canonical=True, encoders=_NO_FLOATS)
    except (cbor2.CBOREncodeError, ValueError, TypeError, OverflowError) as error:
        raise Misuse(f"cannot encode a {type(value).__name__}: {error}.") from error


def decode(data: bytes, form: type[T] | Any, *, limit: int) -> T:
    """Parse outside bytes into `form`, fully validated.

    form: a Record, a union of tagged Records, or another type that msgspec can convert to.
    limit: the most bytes that are looked at. Raises PeerFault("oversize" | "malformed").
    """
    if len(data) > limit:
        raise PeerFault("oversize", f"{len(data)} bytes where at most {limit} are allowed.")
    try:
        plain = cbor2.loads(
            data,
            tag_hook=_refuse_tag,
            semantic_decoders=_NO_TAGS,
            max_depth=MAX_DEPTH,
            allow_indefinite=False,
            allow_duplicate_keys=False,
        )
        value = msgspec.convert(plain, form, builtin_types=(bytes,))
        again = encode(value)
    except (cbor2.CBORDecodeError, msgspec.ValidationError, Misuse) as error:
        raise PeerFault("malformed", f"not a valid message: {error}.") from error
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise PeerFault("malformed", f"not valid CBOR: {error}.") from error
    if again != data:
        raise PeerFault("malformed", "not in the one deterministic encoding.")
    return value


def digest(data: bytes) -> bytes:
    """Return SHA-256 of `data`, 32 bytes: the only digest of the house."""
    return hashlib.sha256(data).digest()
