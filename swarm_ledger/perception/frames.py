# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Pictures as cameras send them, raw or compressed, made into RGB. All of it is outside bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from swarm_ledger.errors import Misuse, PeerFault

Picture = NDArray[np.uint8]
"""(height, width, 3) RGB."""

MAX_PIXELS = 1 << 24
"""Of one picture: 16 megapixels, 50 MB decoded."""

MAX_SIDE = 16_384
MAX_COMPRESSED_BYTES = 1 << 24
_MAX_SCANS = 64
"""Of a progressive JPEG: ten bytes can be one, and each goes over the whole picture."""

_SOI, _SOS, _SCAN = b"\xff\xd8", 0xDA, b"\xff\xda"
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset((0x01, *range(0xD0, 0xD8)))
_PNG = b"\x89PNG\r\n\x1a\n"
_IHDR = b"IHDR"


@dataclass(frozen=True)
class _Form:
    """A raw encoding. channels: per pixel; depth: bytes of each; to_rgb: what makes RGB of it."""

    channels: int
    to_rgb: Callable[[Any], Any]
    depth: int = 1


def _convert(code: int) -> Callable[[Any], Any]:
    return lambda image: cv2.cvtColor(image, code)


_FORMS = {
    "rgb8": _Form(3, lambda image: image),
    "bgr8": _Form(3, lambda image: image[:, :, ::-1]),
    "rgba8": _Form(4, lambda image: image[:, :, :3]),
    "bgra8": _Form(4, lambda image: image[:, :, 2::-1]),
    "mono8": _Form(1, lambda image: np.repeat(image, 3, axis=2)),
    "8UC1": _Form(1, lambda image: np.repeat(image, 3, axis=2)),
    "8UC3": _Form(3, lambda image: image[:, :, ::-1]),
    "rgb16": _Form(3, lambda image: image, 2),
    "bgr16": _Form(3, lambda image: image[:, :, ::-1], 2),
    "mono16": _Form(1, lambda image: np.repeat(image, 3, axis=2), 2),
    "yuv422": _Form(2, _convert(cv2.COLOR_YUV2RGB_UYVY)),
    "uyvy": _Form(2, _convert(cv2.COLOR_YUV2RGB_UYVY)),
    "yuv422_yuy2": _Form(2, _convert(cv2.COLOR_YUV2RGB_YUY2)),
    "yuyv": _Form(2, _convert(cv2.COLOR_YUV2RGB_YUY2)),
}
"""By ROS's names (sensor_msgs/image_encodings). 8UC3 is what OpenCV makes of a camera: BGR."""

_IN_PAIRS = frozenset(("yuv422", "uyvy", "yuv422_yuy2", "yuyv"))

ENCODINGS = tuple(_FORMS)
"""The raw encodings that are read."""


def from_raw(
    encoding: str, width: int, height: int, step: int, data: bytes, *, big_endian: bool = False
) -> Picture:
    """Return a raw picture as RGB; of 16 bits, the upper 8. step: bytes from row to row.

    Raises PeerFault("encoding" | "malformed" | "oversize").
    """
    form = _FORMS.get(encoding)
    if form is None:
        known = ", ".join(ENCODINGS)
        raise PeerFault(
            "encoding", f"images are in {encoding[:32]!r}.", remedy=f"Publish {known}, or JPEG."
        )
    _check_size(width, height)
    row = width * form.channels * form.depth
    if step < row or len(data) != step * height:
        raise PeerFault("malformed", f"an image says {width} x {height}, but has other data.")
    if encoding in _IN_PAIRS and width % 2:
        raise PeerFault("malformed", f"an image in {encoding} has an odd width.")
    flat = np.frombuffer(data, np.uint8).reshape(height, step)[:, :row]
    if form.depth > 1:
        flat = flat[:, (0 if big_endian else form.depth - 1) :: form.depth]
    image = np.ascontiguousarray(flat).reshape(height, width, form.channels)
    return np.ascontiguousarray(form.to_rgb(image), dtype=np.uint8)


def from_compressed(data: bytes) -> Picture:
    """Return a JPEG or PNG as RGB. What it would unpack to is known before it is unpacked.

    Raises PeerFault("encoding" | "malformed" | "oversize").
    """
    if len(data) > MAX_COMPRESSED_BYTES:
        raise PeerFault("oversize", f"a compressed image has {len(data)} bytes.")
    if data.startswith(_SOI):
        stated = _jpeg_size(data)
    elif data.startswith(_PNG):
        stated = _png_size(data)
    else:
        raise PeerFault("encoding", "it is neither JPEG nor PNG.", remedy="Publish one of these.")
    _check_size(*stated)
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise PeerFault("malformed", "a compressed image can't be decoded.") from error
    if image is None or image.shape[1::-1] != stated:
        raise PeerFault("malformed", "a compressed image can't be decoded.")
    return np.ascontiguousarray(image[:, :, ::-1], dtype=np.uint8)


def to_png(picture: Picture) -> bytes:
    """Return a picture packed without loss; Misuse where OpenCV can't."""
    done, packed = cv2.imencode(".png", np.ascontiguousarray(picture[:, :, ::-1]))
    if not done:
        raise Misuse("a picture can't be packed as PNG.")
    return bytes(packed)


def _check_size(width: int, height: int) -> None:
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and width * height <= MAX_PIXELS):
        raise PeerFault("oversize", f"an image is {width} x {height}.")


def _png_size(data: bytes) -> tuple[int, int]:
    """Return width and height (PNG 11.2.1: IHDR is the first chunk)."""
    if len(data) < 33 or data[12:16] != _IHDR:
        raise PeerFault("malformed", "a PNG has no header.")
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Return width and height by the first frame header (ITU-T T.81, B.2.2)."""
    if data.count(_SCAN) > _MAX_SCANS:
        raise PeerFault("oversize", "a JPEG has too many scans.")
    place = len(_SOI)
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        if marker in _ALONE:
            place += 2
            continue
        if marker in _FRAMES and place + 9 <= len(data):
            height, width = data[place + 5 : place + 7], data[place + 7 : place + 9]
            return int.from_bytes(width, "big"), int.from_bytes(height, "big")
        if marker == _SOS:
            break
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    raise PeerFault("malformed", "a JPEG has no frame header.")
