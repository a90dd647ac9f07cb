# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A user's own model in ONNX form, run by onnxruntime if that is installed."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from swarm_ledger.errors import Misuse
from swarm_ledger.perception import features
from swarm_ledger.perception.model import softmax
from swarm_ledger.perception.perceived import CUP, LABELS, TWO_FACES, UNKNOWN, Perceived, decide

_DEFAULT_SIDES = (120, 160)
_MAX_SIDE = 4096


@dataclass(frozen=True)
class OnnxClassifier:
    """A Classifier on an ONNX model.

    The model takes one float32 RGB picture in 0..1, (1, 3, H, W) or (1, H, W, 3), and gives logits
    (1, 2) or (1, 3). Its metadata may say "labels" (a JSON list, default cup, two_faces, unknown),
    "temperature" (a number > 0, default 1) and "output" ("logits", the default, or
    "probabilities").
    """

    session: Any
    input_name: str
    sides: tuple[int, int]
    channels_first: bool
    labels: tuple[str, ...]
    temperature: float
    gives_logits: bool

    @staticmethod
    def load(path: Path) -> OnnxClassifier:
        """Open the model at path.

        Raises Misuse when it, its shape, its metadata or onnxruntime is unfit.
        """
        if not path.is_file():
            raise Misuse(
                f"There is no ONNX model at {path}.", remedy="Give the path of an .onnx file."
            )
        try:
            runtime = importlib.import_module("onnxruntime")
        except ImportError as fault:
            raise Misuse(
                "ONNX models need onnxruntime, which is not installed.",
                remedy="Install it with: pip install 'swarm_ledger[onnx]'",
            ) from fault
        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1  # the same sums in the same order each time
        options.log_severity_level = 4
        try:
            session = runtime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as fault:  # onnxruntime's own classes differ between its versions
            raise Misuse(
                f"{path} is not an ONNX model that onnxruntime can open: {_first_line(fault)}.",
                remedy="Export it again, with an opset that this onnxruntime knows.",
            ) from fault
        return _described(session, path)

    def classify(self, image: NDArray[np.uint8]) -> Perceived:
        """Label an image (H, W, 3) RGB uint8 of any size.

        Raises Misuse as features.checked does.
        """
        picture = features.checked(image)
        resized = cv2.resize(picture, (self.sides[1], self.sides[0]), interpolation=cv2.INTER_AREA)
        batch = resized.astype(np.float32)[None] / np.float32(255.0)
        if self.channels_first:
            batch = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
        try:
            raw = np.asarray(
                self.session.run(None, {self.input_name: batch})[0], dtype=np.float32
            ).reshape(-1)
        except Exception as fault:  # onnxruntime's own classes differ between its versions
            raise Misuse(
                f"The ONNX model failed on an image: {_first_line(fault)}.",
                remedy="Check its input.",
            ) from fault
        if raw.shape != (len(self.labels),) or not np.isfinite(raw).all():
            raise Misuse(
                f"The ONNX model gave {raw.tolist()[:8]} for the labels {self.labels}.",
                remedy="Let it give one finite value a label, named in its metadata.",
            )
        values = softmax(raw[None], self.temperature)[0] if self.gives_logits else raw
        named = dict.fromkeys(LABELS, 0.0) | dict(zip(self.labels, values.tolist(), strict=True))
        return decide(named)


def _described(session: Any, path: Path) -> OnnxClassifier:
    """Return the classifier that the session's input and metadata describe, or raise Misuse."""
    inputs = session.get_inputs()
    if [(len(one.shape), one.type) for one in inputs] != [(4, "tensor(float)")]:
        raise Misuse(
            f"{path} does not take one float32 picture.",
            remedy="Give it one input of shape (1, 3, H, W).",
        )
    entry, shape = inputs[0], list(inputs[0].shape)
    if 3 not in (shape[1], shape[3]):
        raise Misuse(
            f"{path} takes {shape}, with no 3 colours.", remedy="Use (1, 3, H, W) or (1, H, W, 3)."
        )
    first = shape[1] == 3
    wanted = shape[2:] if first else shape[1:3]
    sides = tuple(
        side if isinstance(side, int) else default
        for side, default in zip(wanted, _DEFAULT_SIDES, strict=True)
    )
    if not all(1 <= side <= _MAX_SIDE for side in sides):
        raise Misuse(
            f"{path} takes pictures of {sides} pixels.", remedy=f"Sides must be 1 to {_MAX_SIDE}."
        )
    try:
        metadata = dict(session.get_modelmeta().custom_metadata_map)
        labels = tuple(map(str, json.loads(metadata.get("labels", json.dumps(LABELS)))))
        temperature = float(metadata.get("temperature", "1"))
    except (ValueError, TypeError, RecursionError) as fault:
        raise Misuse(
            f"The metadata of {path} cannot be read: {fault}.", remedy="See docs/perception.md."
        ) from fault
    if sorted(labels) not in (sorted(LABELS), sorted({CUP, TWO_FACES})):
        raise Misuse(
            f"{path} has the labels {labels}.",
            remedy=f"They must be {CUP}, {TWO_FACES}, perhaps {UNKNOWN}.",
        )
    output = metadata.get("output", "logits")
    if not 0 < temperature < float("inf") or output not in ("logits", "probabilities"):
        raise Misuse(
            f"{path} has the temperature {temperature} and the output {output!r}.",
            remedy="The temperature is above 0, the output logits or probabilities.",
        )
    return OnnxClassifier(
        session, entry.name, (sides[0], sides[1]), first, labels, temperature, output == "logits"
    )


def _first_line(fault: Exception) -> str:
    return str(fault).strip().splitlines()[0][:200] if str(fault).strip() else type(fault).__name__
