# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Pictures as cameras send them: what is read right, and what must not hurt."""

from __future__ import annotations

import struct
import time
import zlib

import cv2
import numpy as np
import pytest

from swarm_ledger.errors import PeerFault
from swarm_ledger.perception.frames import (
    ENCODINGS,
    MAX_COMPRESSED_BYTES,
    from_compressed,
    from_raw,
)

RGB = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3) * 10
GREY = RGB[:, :, :1]
ALPHA = np.full((2, 4, 1), 7, np.uint8)


def wide(image: np.ndarray, order: str) -> bytes:
    return (image.astype(np.uint16) * 256 + 99).astype(f"{order}u2").tobytes()


@pytest.mark.parametrize(
    ("encoding", "data", "wanted"),
    [
        ("rgb8", RGB.tobytes(), RGB),
        ("bgr8", RGB[:, :, ::-1].tobytes(), RGB),
        ("8UC3", RGB[:, :, ::-1].tobytes(), RGB),
        ("rgba8", np.dstack([RGB, ALPHA]).tobytes(), RGB),
        ("bgra8", np.dstack([RGB[:, :, ::-1], ALPHA]).tobytes(), RGB),
        ("mono8", GREY.tobytes(), np.repeat(GREY, 3, 2)),
        ("8UC1", GREY.tobytes(), np.repeat(GREY, 3, 2)),
        ("mono16", wide(GREY, "<"), np.repeat(GREY, 3, 2)),
        ("rgb16", wide(RGB, "<"), RGB),
        ("bgr16", wide(RGB[:, :, ::-1], "<"), RGB),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_an_encoding_is_read(encoding: str, data: bytes, wanted: np.ndarray) -> None:
    got = from_raw(encoding, 4, 2, len(data) // 2, data)
    assert (got.dtype, got.tolist()) == (np.uint8, wanted.tolist())


def test_a_big_endian_camera_is_read() -> None:
    data = wide(GREY, ">")
    assert from_raw("mono16", 4, 2, 8, data, big_endian=True)[:, :, :1].tolist() == GREY.tolist()


@pytest.mark.parametrize(
    ("encoding", "pair"),
    [
        ("uyvy", (90, 82, 240, 82)),
        ("yuv422", (90, 82, 240, 82)),
        ("yuyv", (82, 90, 82, 240)),
        ("yuv422_yuy2", (82, 90, 82, 240)),
    ],
)
def test_red_is_red_in_yuv(encoding: str, pair: tuple[int, ...]) -> None:
    """ITU-R BT.601: red is Y 82, U 90, V 240."""
    red, green, blue = from_raw(encoding, 2, 1, 4, bytes(pair))[0, 1].tolist()
    assert red > 240
    assert max(green, blue) < 15


def test_rows_may_be_padded() -> None:
    padded = b"".join(row.tobytes() + b"\xff" * 5 for row in RGB)
    assert from_raw("rgb8", 4, 2, 17, padded).tolist() == RGB.tolist()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (("bayer_rggb8", 4, 2, 4, bytes(8)), "encoding"),
        (("", 4, 2, 4, bytes(8)), "encoding"),
        (("rgb8", 4, 2, 12, bytes(23)), "malformed"),
        (("rgb8", 4, 2, 11, bytes(22)), "malformed"),
        (("rgb8", 0, 2, 0, b""), "oversize"),
        (("rgb8", 4, 0, 12, b""), "oversize"),
        (("mono8", 2**32 - 1, 2**32 - 1, 2**32 - 1, b""), "oversize"),
        (("mono8", 16_385, 1, 16_385, bytes(16_385)), "oversize"),
        (("uyvy", 3, 1, 6, bytes(6)), "malformed"),
    ],
)
def test_what_is_no_picture_is_refused(
    given: tuple[str, int, int, int, bytes], reason: str
) -> None:
    with pytest.raises(PeerFault) as caught:
        from_raw(*given)
    assert caught.value.reason == reason


def test_all_encodings_bear_the_least_picture() -> None:
    for encoding in ENCODINGS:
        for step in (2, 4, 6, 8, 12):
            try:
                got = from_raw(encoding, 2, 1, step, bytes(step))
            except PeerFault:
                continue
            assert got.shape == (1, 2, 3)


def jpeg(image: np.ndarray, *options: int) -> bytes:
    return bytes(cv2.imencode(".jpg", image[:, :, ::-1], list(options))[1])


def png(image: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", image[:, :, ::-1])[1])


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_of(width: int, height: int, data: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_png_and_jpeg_are_read() -> None:
    assert from_compressed(png(RGB)).tolist() == RGB.tolist()
    flat = np.full((40, 60, 3), (200, 40, 90), np.uint8)
    for options in ((), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)):
        got = from_compressed(jpeg(flat, *options)).astype(int)
        assert got.shape == flat.shape
        assert abs(got - flat).max() < 6


def test_grey_and_alpha_become_rgb() -> None:
    grey = bytes(cv2.imencode(".png", GREY)[1])
    assert from_compressed(grey).tolist() == np.repeat(GREY, 3, 2).tolist()
    four = bytes(cv2.imencode(".png", np.dstack([RGB[:, :, ::-1], ALPHA]))[1])
    assert from_compressed(four).tolist() == RGB.tolist()


def test_a_bomb_is_not_unpacked() -> None:
    """A tenth of a megabyte that would be a gigabyte."""
    packed = zlib.compress(bytes(1 << 20), 9) * 8
    started = time.process_time()
    for width, height in ((30_000, 30_000), (16_384, 16_384), (2**31 - 1, 2**31 - 1), (0, 5)):
        with pytest.raises(PeerFault) as caught:
            from_compressed(png_of(width, height, packed))
        assert caught.value.reason == "oversize"
    assert time.process_time() - started < 1.0


def test_a_jpeg_of_a_thousand_scans_is_not_read() -> None:
    whole = jpeg(RGB, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    scan = whole[whole.index(b"\xff\xda") : -2]
    with pytest.raises(PeerFault) as caught:
        from_compressed(whole[:-2] + scan * 1000 + whole[-2:])
    assert caught.value.reason == "oversize"


def test_a_jpeg_that_says_to_be_huge_is_not_read() -> None:
    whole = bytearray(jpeg(RGB))
    frame = whole.index(b"\xff\xc0")
    whole[frame + 5 : frame + 9] = struct.pack(">HH", 65_000, 65_000)
    with pytest.raises(PeerFault) as caught:
        from_compressed(bytes(whole))
    assert caught.value.reason == "oversize"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "encoding"),
        (b"GIF89a" + bytes(30), "encoding"),
        (b"BM" + bytes(60), "encoding"),
        (b"\xff\xd8", "malformed"),
        (b"\xff\xd8\xff\xe0\x00\x00", "malformed"),
        (b"\xff\xd8" + b"\xff" * 1000, "malformed"),
        (b"\x89PNG\r\n\x1a\n", "malformed"),
        (png(RGB)[:40], "malformed"),
        (jpeg(RGB)[:200], "malformed"),
        (bytes(MAX_COMPRESSED_BYTES + 1), "oversize"),
    ],
    ids=range(10),
)
def test_what_is_no_compressed_picture_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(PeerFault) as caught:
        from_compressed(data)
    assert caught.value.reason == reason
