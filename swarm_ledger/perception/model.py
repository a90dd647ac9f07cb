# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The shipped model: features, one hidden layer, calibrated probabilities.

Its weights are a small .npz file.
"""

from __future__ import annotations

import io
import json
import math
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm_ledger.errors import Misuse
from swarm_ledger.perception import features
from swarm_ledger.perception.parts import PATCH, POOLS, Parts
from swarm_ledger.perception.perceived import LABELS, Perceived, decide

WEIGHTS = Path(__file__).with_name("weights.npz")
FORMAT = 2  # of the weights file; a change of features or layers is a new one

_MAX_BYTES = 16 * 2**20
_MAX_UNITS = 4096
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_PARTS = ("part_mean", "part_whiten", "part_centres")
_LAYERS = ("mean", "scale", "hidden", "hidden_bias", "output", "output_bias", "temperature")


@dataclass(frozen=True)
class Network:
    """Weights of the model, a Classifier.

    parts: the dictionary that turns features (F,) into inputs (I,), which are the features and the
    parts' strengths; mean, scale: (I,) of the inputs; hidden: (I, N); output: (N, 3); temperature:
    (1,), the logits' divisor (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017);
    metadata: how it was trained.
    """

    parts: Parts
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    hidden: NDArray[np.float32]
    hidden_bias: NDArray[np.float32]
    output: NDArray[np.float32]
    output_bias: NDArray[np.float32]
    temperature: NDArray[np.float32]
    metadata: dict[str, Any]

    def logits(self, described: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (M, 3) logits, not yet divided by the temperature, for features (M, F)."""
        inputs = np.concatenate([described, self.parts.encode(described)], axis=1)
        scaled = (inputs - self.mean) * self.scale
        active = np.maximum(scaled @ self.hidden + self.hidden_bias, 0.0)
        found: NDArray[np.float32] = active @ self.output + self.output_bias
        return found

    def classify(self, image: NDArray[np.uint8]) -> Perceived:
        """Label an image (H, W, 3) RGB uint8 of any size.

        Raises Misuse as features.checked does.
        """
        picture = features.checked(image)
        looks = np.stack([features.describe(picture), features.describe(picture[:, ::-1])])
        shares = softmax(
            self.logits(looks).mean(axis=0, keepdims=True), float(self.temperature[0])
        )[0]
        return decide(dict(zip(LABELS, shares.tolist(), strict=True)))

    def save(self, path: Path) -> None:
        """Write the weights to path.

        Large arrays as float16, and the same bytes for the same weights.
        """
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            pieces = (self.parts.mean, self.parts.whiten, self.parts.centres)
            layers = tuple(getattr(self, name) for name in _LAYERS)
            for name, array in zip(_PARTS + _LAYERS, pieces + layers, strict=True):
                stored = array.astype(np.float16) if array.ndim == 2 else array.astype(np.float32)
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as entry:
                    np.lib.format.write_array(entry, stored, allow_pickle=False)
            text = json.dumps({**self.metadata, "format": FORMAT}, sort_keys=True)
            archive.writestr(zipfile.ZipInfo("metadata.json"), text)

    @staticmethod
    def load(path: Path = WEIGHTS) -> Network:
        """Read weights from path.

        Raises Misuse when it is missing, damaged, or of another format.
        """
        if not path.is_file():
            raise Misuse(
                f"There is no weights file at {path}.", remedy="Reinstall, or give another path."
            )
        if path.stat().st_size > _MAX_BYTES:
            raise Misuse(
                f"{path} is too large for a weights file.",
                remedy="Give a file made by the training script.",
            )
        try:
            with zipfile.ZipFile(path) as archive:
                for entry in archive.infolist():
                    if entry.file_size > _MAX_BYTES or entry.compress_type not in _PACKED:
                        raise ValueError("an array is too large, or packed in another way")
                metadata = json.loads(archive.read("metadata.json"))
                arrays = {name: _array(archive.read(f"{name}.npy")) for name in _PARTS + _LAYERS}
            _check(metadata, arrays)
        except (
            OSError,
            ValueError,
            KeyError,
            EOFError,
            RuntimeError,  # encrypted, or nested too deeply
            SyntaxError,
            tokenize.TokenError,
            zipfile.BadZipFile,
            zlib.error,
        ) as fault:
            raise Misuse(
                f"The weights file {path} is damaged or of another version: {fault}.",
                remedy="Reinstall, or make it anew with python -m swarm_ledger.sim.training.",
            ) from fault
        parts = Parts(*(arrays.pop(name) for name in _PARTS))
        return Network(parts=parts, **arrays, metadata=metadata)


def softmax(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """Return probabilities (M, K) of logits (M, K) divided by temperature."""
    raised = np.asarray(logits, dtype=np.float64) / temperature
    raised = np.exp(raised - raised.max(axis=-1, keepdims=True))
    shares: NDArray[np.float64] = raised / raised.sum(axis=-1, keepdims=True)
    return shares


def _array(data: bytes) -> NDArray[np.float32]:
    """Return the array in a .npy file; ValueError where it states another size than it has.

    numpy takes the memory that a file asks for before it looks how much there is.
    """
    file = io.BytesIO(data)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("an array is in another version of its format")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype not in (np.float16, np.float32):
        raise ValueError(f"an array is of {dtype}")
    if math.prod(shape) * dtype.itemsize != len(data) - file.tell():
        raise ValueError(f"an array does not have the size {shape} that it states")
    file.seek(0)
    read: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return read.astype(np.float32)


def _check(metadata: Any, arrays: dict[str, NDArray[np.float32]]) -> None:
    """Raise ValueError unless the arrays fit together and the format is ours."""
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT}")
    size, whitened = arrays["hidden_bias"].size, arrays["part_whiten"].size // PATCH
    count = arrays["part_centres"].size // max(whitened, 1)
    inputs = features.LENGTH + POOLS * count
    if not (1 <= size <= _MAX_UNITS and 1 <= count <= _MAX_UNITS and 1 <= whitened <= PATCH):
        raise ValueError(f"it has {size} hidden units and {count} parts of {whitened} values")
    wanted = {
        "part_mean": (PATCH,),
        "part_whiten": (PATCH, whitened),
        "part_centres": (count, whitened),
        "mean": (inputs,),
        "scale": (inputs,),
        "hidden": (inputs, size),
        "hidden_bias": (size,),
        "output": (size, len(LABELS)),
        "output_bias": (len(LABELS),),
        "temperature": (1,),
    }
    for name, shape in wanted.items():
        if arrays[name].shape != shape or not np.isfinite(arrays[name]).all():
            raise ValueError(
                f"{name} has the shape {arrays[name].shape}, not {shape}, or is not finite"
            )
    if arrays["temperature"][0] <= 0:
        raise ValueError("the temperature is not above 0")
