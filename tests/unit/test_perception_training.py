# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Training: the same pictures and weights from the same seed, and honest arithmetic."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from swarm_ledger.errors import Misuse
from swarm_ledger.perception import features
from swarm_ledger.perception.model import Network, softmax
from swarm_ledger.perception.parts import PATCH, POOLS, Parts
from swarm_ledger.perception.perceived import LABELS
from swarm_ledger.sim import evaluation, training
from swarm_ledger.sim.training import Pictures

_PARTS_SHAPES = ((PATCH,), (PATCH, 8), (5, 8))


def test_pictures_follow_from_their_seed_and_are_of_all_kinds() -> None:
    seeds = range(training.FIRST_TRAINING_SEED, training.FIRST_TRAINING_SEED + 40)
    labels = set()
    for seed in seeds:
        image, label, _ = training.picture(seed)
        again, same, _ = training.picture(seed)
        assert np.array_equal(image, again)
        assert label == same
        assert image.shape == (120, 160, 3)
        assert image.dtype == np.uint8
        labels.add(LABELS[label])
    assert labels == set(LABELS)


def test_no_picture_serves_twice() -> None:
    """Training, validation and evaluation draw from ranges of seeds that do not meet."""
    most = 255 * 2**32 + 2**32
    assert training.FIRST_TRAINING_SEED + most <= training.FIRST_VALIDATION_SEED
    assert training.FIRST_VALIDATION_SEED + most <= evaluation.FIRST_HELD_OUT_SEED
    last = evaluation.MAX_SEED * evaluation.MAX_IMAGES + evaluation.MAX_IMAGES
    assert evaluation.FIRST_HELD_OUT_SEED + last < 2**63


def test_the_same_seed_gives_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    monkeypatch.setattr(training, "PARTS", 16)
    monkeypatch.setattr(training, "PATCHES", 3000)
    pictures = training.draw(training.FIRST_TRAINING_SEED, 130, lambda _: None)
    one, other = (training.fit(pictures, 5, {"trained": "2026-01-01"}) for _ in range(2))
    described = pictures.described[:50]
    assert np.allclose(one.logits(described), other.logits(described), atol=1e-4)
    right = one.logits(pictures.described).argmax(axis=1) == pictures.labels
    assert right.mean() > 0.9  # it can learn what it was shown
    one.save(tmp_path / "weights.npz")
    back = Network.load(tmp_path / "weights.npz")
    assert np.array_equal(back.logits(described), one.logits(described))
    assert back.metadata["trained"] == "2026-01-01"


def test_joined_members_give_the_mean_of_their_logits() -> None:
    rng = np.random.default_rng(2)
    parts = Parts(*(rng.normal(0, 1, shape).astype(np.float32) for shape in _PARTS_SHAPES))
    inputs = features.LENGTH + POOLS * _PARTS_SHAPES[2][0]
    norm = (np.zeros(inputs, dtype=np.float32), np.full(inputs, 0.5, dtype=np.float32))
    shapes = [(inputs, 7), (7, 3), (7,), (3,)]
    members = [[rng.normal(0, 0.1, shape) for shape in shapes] for _ in range(3)]
    described = rng.random((5, features.LENGTH)).astype(np.float32)
    alone = [training.joined(parts, norm, [member], {}).logits(described) for member in members]
    together = training.joined(parts, norm, members, {}).logits(described)
    assert np.allclose(together, np.mean(alone, axis=0), atol=0.02)
    assert np.abs(alone[0] - alone[1]).max() > 0.2


def test_without_scikit_learn_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    few = Pictures(np.zeros((2, 1)), np.zeros(2, dtype=int), np.zeros(2, dtype=bool))
    with pytest.raises(Misuse, match="scikit-learn"):
        training.fit(few, 1, {})


def test_the_temperature_makes_overconfidence_good() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 1.5, (4000, 3)).astype(np.float32)
    shares = softmax(logits, 1.0)
    labels = (rng.random((4000, 1)) > shares.cumsum(axis=1)).sum(axis=1)
    assert training.best_temperature(logits, labels) == pytest.approx(1.0, rel=0.1)
    assert training.best_temperature(logits * 3, labels) == pytest.approx(3.0, rel=0.1)


def test_the_threshold_table_by_hand() -> None:
    shares = np.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.62, 0.3, 0.08], [0.1, 0.8, 0.1]])
    labels = np.array([0, 0, 0, 1])
    rows = {round(row[0], 2): row[1:] for row in training.threshold_table(shares, labels)}
    assert rows[0.5] == (0.75, 0.0, 0.25)
    assert rows[0.65] == (0.5, 0.25, 0.25)
    assert rows[0.85] == (0.25, 0.75, 0.0)


@pytest.mark.parametrize("arguments", [["--seed", "256"], ["--images", "5"], ["--seed", "-1"]])
def test_bad_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        training.main(["--date", "2026-01-01", *arguments])
    assert caught.value.code == 2
    assert "--images 200" in capsys.readouterr().err
