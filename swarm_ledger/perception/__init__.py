# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""From a camera image to a label with a calibrated confidence.

load() gives the shipped model, or a user's own; fuse() makes one answer of several looks.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from swarm_ledger.errors import Misuse
from swarm_ledger.perception.perceived import (
    CUP,
    LABELS,
    THRESHOLD,
    TWO_FACES,
    UNKNOWN,
    Classifier,
    Perceived,
    agree,
    fuse,
)

if TYPE_CHECKING:
    from swarm_ledger.perception.model import Network

__all__ = [
    "CUP",
    "LABELS",
    "THRESHOLD",
    "TWO_FACES",
    "UNKNOWN",
    "Classifier",
    "Perceived",
    "agree",
    "fuse",
    "load",
]


def load(path: str | None = None) -> Classifier:
    """Return the shipped classifier, or one from path: .npz of the training script, or .onnx.

    Raises Misuse when the file is missing, damaged, of another kind, or needs onnxruntime and that
    is not there.
    """
    # NumPy and OpenCV take 30 MB: a drone whose labels are made elsewhere has no use for them.
    from swarm_ledger.perception.model import Network  # noqa: PLC0415
    from swarm_ledger.perception.onnx import OnnxClassifier  # noqa: PLC0415

    if path is None:
        return _shipped()
    suffix = Path(path).suffix.lower()
    if suffix == ".npz":
        return Network.load(Path(path))
    if suffix == ".onnx":
        return OnnxClassifier.load(Path(path))
    raise Misuse(
        f"{path} is neither an .npz nor an .onnx file.",
        remedy="Give a model of one of these kinds.",
    )


@lru_cache(maxsize=1)
def _shipped() -> Network:
    from swarm_ledger.perception.model import WEIGHTS, Network  # noqa: PLC0415

    return Network.load(WEIGHTS)
