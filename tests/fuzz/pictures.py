# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Targets: pictures as cameras send them, raw and compressed, and labels of other software."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import cbor2
import cv2
import numpy as np

from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.perception import load
from swarm_ledger.perception.frames import ENCODINGS, MAX_PIXELS, from_compressed, from_raw
from swarm_ledger.runtime.labelled import Labelled, looks
from tests.fuzz.mutation import of_bytes, of_cbor
from tests.fuzz.target import Target

_SMALL = 200
_NOW = 1_700_000_000_000


def _image(data: bytes) -> None:
    """A picture of any size and encoding, looked at, or refused."""
    try:
        encoding, width, height, step, content = cbor2.loads(data)
        width, height, step = (abs(int(size)) % 2**32 for size in (width, height, step))
        content = bytes(content) if isinstance(content, bytes) else bytes(height * step % 9)
    except Exception:
        raise PeerFault("malformed", "no image.") from None
    picture = from_raw(str(encoding), width, height, step, content, big_endian=bool(step % 2))
    assert picture.shape == (height, width, 3)
    assert picture.dtype == np.uint8
    if max(width, height) < _SMALL:
        load().classify(picture)


def _of_image(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    if rng.random() < 0.5:
        return of_cbor(rng, data, others)
    encoding = rng.choice(ENCODINGS)
    width, height = rng.choice((0, 1, 2, 8, 33)), rng.choice((0, 1, 8, 33))
    step = width * rng.choice((1, 2, 3, 4, 6)) + rng.choice((0, 0, 1, 7))
    short = rng.choice((0, 0, 0, 1, -1))
    content = rng.randbytes(max(0, step * height + short))
    return cbor2.dumps([encoding, width, height, step, content])


def _picture(data: bytes) -> None:
    picture = from_compressed(data)
    assert picture.dtype == np.uint8
    height, width, channels = picture.shape
    assert channels == 3
    assert 0 < width * height <= MAX_PIXELS


def _label(data: bytes) -> None:
    try:
        label, confidence, stamp, question, bearing, distance = cbor2.loads(data)
        said = Labelled(
            str(label),
            float(confidence),
            int(stamp),
            bytes(question),
            bearing=float(bearing),
            distance=float(distance),
        )
    except Exception:
        raise PeerFault("malformed", "no label.") from None
    assert looks(said, (), _NOW, 2_000) == []


def samples() -> dict[str, list[bytes]]:
    """Return pictures as OpenCV packs them, and labels."""
    noise = np.random.default_rng(1).integers(0, 255, (9, 11, 3), dtype=np.uint8)
    progressive = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    packed = [
        cv2.imencode(".png", noise),
        cv2.imencode(".png", noise[:, :, 0]),
        cv2.imencode(".jpg", noise),
        cv2.imencode(".jpg", noise, progressive),
    ]
    labels = [
        ["cup", 0.9, _NOW - 5, bytes(32), 1.0, 2.0],
        ["unknown", 0.1, _NOW + 9, b"q" * 32, math.nan, math.nan],
    ]
    return {
        "picture": [bytes(data) for _, data in packed],
        "label": [cbor2.dumps(label) for label in labels],
    }


PICTURES = (
    Target("image", _image, _of_image, (PeerFault, Misuse), cost=20, memory=1 << 26),
    Target("picture", _picture, of_bytes, (PeerFault,), cost=20, memory=1 << 27),
    Target("label", _label, of_cbor, (PeerFault,)),
)
