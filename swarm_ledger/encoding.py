# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The one deterministic codec: frozen structs as CBOR arrays, and no second way to write them.

A value has exactly one encoding. The decoder enforces it by encoding again what it understood and
comparing, because CBOR libraries accept non-minimal integers, and msgspec accepts base64 text for
bytes: either would give one message two digests (RFC 8949, 4.2; signature malleability).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any, TypeVar

import cbor2
import msgspec

from swarm_ledger.errors import Misuse, PeerFault

T = TypeVar("T")

_SMALL = 512
"""Bytes up to which a message's digest is remembered; a few thousand are."""

Count = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
"""A number of anything, a height or POSIX milliseconds: exact in any language's numbers."""

MAX_ENTRY_BYTES = 65_535
"""Of an entry of the ledger: what tlog-tiles' entry bundles allow for one leaf."""

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


def read_int(data: bytes, at: int) -> tuple[int, int]:
    """Return the integer that stands there as encode() writes it, and where it ends.

    ValueError or IndexError where there is none, or another form of one: for parsers of the usual
    shape of a message, which leave anything else to decode().
    """
    head = data[at]
    value, at = head & 0x1F, at + 1
    if value >= 24:
        size = 1 << value - 24
        if size > 8:
            raise ValueError(f"{head:#x} begins no integer")
        value = int.from_bytes(data[at : at + size], "big")
        at += size
        if value < 24 or (size > 1 and not value >> 4 * size):
            raise ValueError("not in the shortest form")
    if head < 0x20:
        return value, at
    if head < 0x40:
        return -1 - value, at
    raise ValueError(f"{head:#x} begins no integer")


@lru_cache(maxsize=1_024)
def bytes_head(length: int) -> bytes:
    """Return what stands before a byte string of that length, as encode() writes it."""
    return _head(0x40, length)


def array_head(length: int) -> bytes:
    """Return what stands before the items of an array of that length, as encode() writes it."""
    return _head(0x80, length)


def _head(kind: int, length: int) -> bytes:
    """Write a kind of CBOR with its length in the fewest bytes (RFC 8949, 3, 4.2.1)."""
    if length < 24:
        return bytes((kind | length,))
    for more, size in ((24, 1), (25, 2), (26, 4)):
        if length < 1 << 8 * size:
            return bytes((kind | more,)) + length.to_bytes(size, "big")
    raise Misuse(f"nothing here is {length} long.")


DIGEST_HEAD = bytes_head(32)
"""What stands before a digest."""


def digest(data: bytes) -> bytes:
    """Return SHA-256 of `data`, 32 bytes: the only digest of the house.

    Those of small messages are remembered for a while: a vote is named by it a dozen times.
    """
    return _remembered(data) if len(data) <= _SMALL else hashlib.sha256(data).digest()


@lru_cache(maxsize=8_192)
def _remembered(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
