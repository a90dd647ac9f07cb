# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A user's own ONNX model, run for real where onnxruntime and onnx are installed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swarm_ledger.errors import Misuse
from swarm_ledger.perception import load


def _model(
    path: Path,
    *,
    shape: tuple[Any, ...] = (1, 3, 24, 32),
    weights: np.ndarray | None = None,
    metadata: dict[str, str] | None = None,
) -> str:
    """Write a model: the mean of each colour over the picture, times weights (3, K)."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    chosen = np.eye(3, dtype=np.float32) * 8 if weights is None else weights.astype(np.float32)
    spatial = [2, 3] if shape[1] == 3 else [1, 2]
    make = onnx.helper
    nodes = [
        make.make_node("ReduceMean", ["picture", "axes"], ["means"], keepdims=0),
        make.make_node("MatMul", ["means", "weights"], ["scores"]),
    ]
    graph = make.make_graph(
        nodes,
        "means",
        [make.make_tensor_value_info("picture", onnx.TensorProto.FLOAT, shape)],
        [make.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, (1, chosen.shape[1]))],
        [
            onnx.numpy_helper.from_array(np.array(spatial, dtype=np.int64), "axes"),
            onnx.numpy_helper.from_array(chosen, "weights"),
        ],
    )
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 18)], ir_version=8)
    make.set_model_props(model, metadata or {})
    onnx.save(model, str(path))
    return str(path)


def _plain(red: int, green: int, blue: int) -> np.ndarray:
    return np.full((50, 70, 3), (red, green, blue), dtype=np.uint8)


@pytest.mark.parametrize("shape", [(1, 3, 24, 32), (1, 24, 32, 3), ("n", 3, "h", "w")])
def test_it_labels_pictures(tmp_path: Path, shape: tuple[Any, ...]) -> None:
    classifier = load(_model(tmp_path / "m.onnx", shape=shape))
    assert classifier.classify(_plain(255, 0, 0)).label == "cup"
    assert classifier.classify(_plain(0, 255, 0)).label == "two_faces"
    assert classifier.classify(_plain(0, 0, 255)).label == "unknown"
    mixed = classifier.classify(_plain(255, 255, 0))
    assert mixed.label == "unknown"
    assert mixed.probabilities["cup"] == pytest.approx(mixed.probabilities["two_faces"])


def test_probabilities_are_the_softmax_of_its_logits(tmp_path: Path) -> None:
    seen = load(_model(tmp_path / "m.onnx")).classify(_plain(255, 0, 0))
    assert seen.confidence == pytest.approx(np.exp(8) / (np.exp(8) + 2), abs=1e-6)


def test_its_metadata_is_heeded(tmp_path: Path) -> None:
    told = {"labels": json.dumps(["two_faces", "cup"]), "temperature": "4"}
    weights = np.array([[8, 0], [0, 8], [0, 0]])
    classifier = load(_model(tmp_path / "m.onnx", weights=weights, metadata=told))
    seen = classifier.classify(_plain(255, 0, 0))
    assert seen.label == "two_faces"
    assert seen.confidence == pytest.approx(np.exp(2) / (np.exp(2) + 1), abs=1e-6)
    assert seen.probabilities["unknown"] == 0.0


def test_probabilities_may_be_given_as_such(tmp_path: Path) -> None:
    weights = np.array([[0.8, 0.1, 0.1], [0, 0, 0], [0, 0, 0]])
    told = {"output": "probabilities"}
    classifier = load(_model(tmp_path / "m.onnx", weights=weights, metadata=told))
    assert classifier.classify(_plain(255, 9, 9)).confidence == pytest.approx(0.8)
    with pytest.raises(Misuse, match="not probabilities"):
        classifier.classify(_plain(0, 0, 0))


@pytest.mark.parametrize(
    ("shape", "metadata", "words"),
    [
        (("n", "c", "h", "w"), {}, "no 3 colours"),
        ((1, 3, 24, 99999), {}, "99999"),
        ((1, 3, 24, 32), {"labels": '["cup"]'}, "labels"),
        ((1, 3, 24, 32), {"labels": '["cup", "vase", "two_faces"]'}, "labels"),
        ((1, 3, 24, 32), {"labels": "cup"}, "cannot be read"),
        ((1, 3, 24, 32), {"labels": "7"}, "cannot be read"),
        ((1, 3, 24, 32), {"labels": "[[1], [2]]"}, "labels"),
        ((1, 3, 24, 32), {"temperature": "0"}, "temperature"),
        ((1, 3, 24, 32), {"temperature": "nan"}, "temperature"),
        ((1, 3, 24, 32), {"temperature": "warm"}, "cannot be read"),
        ((1, 3, 24, 32), {"output": "votes"}, "output"),
    ],
)
def test_unfit_models_are_refused(
    tmp_path: Path, shape: tuple[Any, ...], metadata: dict[str, str], words: str
) -> None:
    with pytest.raises(Misuse, match=words) as caught:
        load(_model(tmp_path / "m.onnx", shape=shape, metadata=metadata))
    assert caught.value.remedy


def test_more_values_than_labels(tmp_path: Path) -> None:
    classifier = load(_model(tmp_path / "m.onnx", weights=np.ones((3, 5))))
    with pytest.raises(Misuse, match="for the labels"):
        classifier.classify(_plain(1, 2, 3))


def test_values_that_are_not_finite(tmp_path: Path) -> None:
    classifier = load(_model(tmp_path / "m.onnx", weights=np.full((3, 3), np.inf)))
    with pytest.raises(Misuse, match="for the labels"):
        classifier.classify(_plain(9, 9, 9))


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    for content in (b"", b"not a model", bytes(range(256))):
        (tmp_path / "m.onnx").write_bytes(content)
        with pytest.raises(Misuse, match="not an ONNX model"):
            load(str(tmp_path / "m.onnx"))


@pytest.mark.parametrize("value", ["\xff" * 8, "[" * 100_000], ids=["no text", "deep"])
def test_metadata_that_no_program_writes(tmp_path: Path, value: str) -> None:
    path = Path(_model(tmp_path / "m.onnx", metadata={"labels": value}))
    if value[0] == "\xff":  # in place of its two bytes of UTF-8
        path.write_bytes(path.read_bytes().replace(value.encode(), b"\xff" * 16))
    with pytest.raises(Misuse, match="metadata"):
        load(str(path))


def test_bad_pictures_are_refused_as_elsewhere(tmp_path: Path) -> None:
    classifier = load(_model(tmp_path / "m.onnx"))
    with pytest.raises(Misuse, match="float64"):
        classifier.classify(np.zeros((20, 20, 3)))  # type: ignore[arg-type]


def test_without_onnxruntime_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.onnx").write_bytes(b"any")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(Misuse, match="not installed") as caught:
        load(str(tmp_path / "m.onnx"))
    assert "pip install" in caught.value.remedy
