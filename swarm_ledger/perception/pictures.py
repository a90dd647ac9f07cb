# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Packed pictures, read from outside bytes and written without loss.

A digest that was signed is over the pixels, so what is kept as evidence is a PNG.
"""

from __future__ import annotations

import struct
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from swarm_ledger.errors import Misuse

MAX_PIXELS = 1 << 24
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG's markers that state a size."""

Pixels = NDArray[np.uint8]


def unpack(data: bytes) -> Pixels:
    """Return a PNG's or JPEG's pixels, (height, width, 3) RGB; Misuse for what is none.

    Its size is read before its pixels are: a few bytes can state any.
    """
    height, width = _size(data)
    if not 0 < height * width <= MAX_PIXELS:
        raise Misuse(f"a picture of {width} x {height} is too large.")
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        found: Any = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise Misuse("a picture is damaged.") from error
    if found is None or found.shape[:2] != (height, width):
        raise Misuse("a picture is damaged.")
    return np.ascontiguousarray(found[:, :, ::-1])


def pack(image: Pixels) -> bytes:
    """Return pixels, (height, width, 3) RGB, as a PNG."""
    done, packed = cv2.imencode(".png", np.ascontiguousarray(image[:, :, ::-1]))
    if not done:
        raise Misuse("a picture can't be packed.")
    return bytes(packed)


def of_raw(data: bytes, height: int, width: int, step: int, encoding: str) -> Pixels:
    """Return a raw image's pixels, (height, width, 3) RGB; Misuse for what we don't read."""
    channels = {"rgb8": 3, "bgr8": 3, "mono8": 1}.get(encoding)
    if channels is None:
        raise Misuse(f"images are in {encoding[:40]!r}.", remedy="Publish rgb8, bgr8, mono8.")
    row = width * channels
    if step < row or len(data) != step * height or not row * height:
        raise Misuse(f"an image states {width} x {height}, but has other data.")
    flat = np.frombuffer(data, np.uint8).reshape(height, step)
    image = flat[:, :row].reshape(height, width, channels)
    if channels == 1:
        image = np.repeat(image, 3, axis=2)
    return np.ascontiguousarray(image[:, :, ::-1] if encoding == "bgr8" else image)


def _size(data: bytes) -> tuple[int, int]:
    if data[:8] == _PNG and data[12:16] == b"IHDR" and len(data) > 24:
        width, height = struct.unpack_from(">II", data, 16)
        return height, width
    if data[:2] == _JPEG:
        at = 2
        while at + 9 <= len(data) and data[at] == 0xFF:
            marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
            if marker in _FRAMES:
                height, width = struct.unpack_from(">HH", data, at + 5)
                return height, width
            at += 2 + max(length, 2)
    raise Misuse("a picture is neither PNG nor JPEG.", remedy="Publish one of these.")
