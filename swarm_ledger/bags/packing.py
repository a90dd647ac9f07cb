# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Unpacks what is packed in bags, and never to more than was announced."""

from __future__ import annotations

import io

import lz4.frame
import zstandard

_MOST = 64 << 20
_ALWAYS = 1 << 20
_RATIO = 4096
"""A black picture packs that well; what packs better is there to fill memory."""
_MAX_WINDOW = 1 << 27


class Unpackable(ValueError):  # noqa: N818  - a fault, named as the house names it
    """Packed bytes that aren't what they are said to be."""


def unpack(form: str, data: bytes, size: int) -> bytes:
    """Return packed bytes as they were. form: "", "lz4" or "zstd"; size: how many they must be."""
    if size > _MOST or size > max(_ALWAYS, _RATIO * len(data)):
        raise Unpackable(f"it would unpack from {len(data)} to {size} bytes")
    if form == "":
        found = data
    elif form == "zstd":
        found = _zstd(data, size)
    elif form == "lz4":
        found = _lz4(data, size)
    else:
        raise Unpackable(f"it is packed by {form[:40]!r}")
    if len(found) != size:
        raise Unpackable("it does not unpack to what it says")
    return found


def _zstd(data: bytes, size: int) -> bytes:
    unpacker = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
    try:
        with unpacker.stream_reader(io.BytesIO(data)) as stream:
            found: bytes = stream.read(size + 1)
            return found
    except (zstandard.ZstdError, MemoryError) as error:
        raise Unpackable(f"zstd: {error}") from error


def _lz4(data: bytes, size: int) -> bytes:
    try:
        found: bytes = lz4.frame.LZ4FrameDecompressor().decompress(data, max_length=size + 1)
    except (RuntimeError, EOFError, MemoryError) as error:
        raise Unpackable(f"lz4: {error}") from error
    return found
