# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Train the shipped classifier: python -m swarm_ledger.sim.training --date YYYY-MM-DD.

Renders pictures, fits the network with scikit-learn, sets its temperature on other pictures,
prints what it measured, and writes the weights. Needs scikit-learn, which only this script uses.
One core, a few minutes.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm_ledger.errors import Misuse
from swarm_ledger.perception import features
from swarm_ledger.perception.model import WEIGHTS, Network, softmax
from swarm_ledger.perception.parts import PATCH, Parts, patches
from swarm_ledger.perception.perceived import LABELS
from swarm_ledger.sim import camera, clutter, snapshots
from swarm_ledger.sim.world import TARGETS, World

# Seeds of worlds: people use small ones, evaluation those from 2**42; no picture serves twice.
FIRST_TRAINING_SEED, FIRST_VALIDATION_SEED = 2**40, 2**41
HIDDEN = 64  # units of one member
MEMBERS = 3  # networks fitted apart, logits averaged: less sure of what is new to them
PENALTY = 1.0  # of squared weights; chosen on the validation pictures
EPOCHS = 14
BATCH = 256
PARTS = 256
# Inputs other than the parts are turned down: they are tied to places in the frame, and photos
# are framed otherwise. It costs no accuracy on validation frames.
FEATURES_WEIGHT = 0.4
PATCHES = 80_000  # that the parts are learned from
WHITENED = 48  # dimensions kept of a patch

_PICTURE_TAG = 0x71C5
_FLIGHT_SECONDS = 60.0
_SHARES = (
    0.56,
    0.14,
    0.14,
)  # of the world's frames, cups on tables, portraits; the rest shows neither


@dataclass(frozen=True)
class Pictures:
    """Described pictures.

    described: (M, F) features; labels: (M,) indices of LABELS; worldly: (M,) from a world.
    """

    described: NDArray[np.float32]
    labels: NDArray[np.int64]
    worldly: NDArray[np.bool_]


def picture(seed: int) -> tuple[NDArray[np.uint8], int, bool]:
    """Return a seed's picture (120, 160, 3), its label's index, and whether a world's frame."""
    rng = np.random.default_rng([seed, _PICTURE_TAG])
    lot = rng.random()
    world, table, people = np.cumsum(_SHARES)
    if lot < world:
        label = int(rng.integers(len(TARGETS)))
        view = World.create(TARGETS[label], 1, seed)
        return camera.render(view, 1, float(rng.uniform(0, _FLIGHT_SECONDS))), label, True
    if lot < table:
        return snapshots.cup_on_table(rng), LABELS.index("cup"), False
    if lot < people:
        return snapshots.portrait(rng), LABELS.index("two_faces"), False
    return clutter.neither(rng), LABELS.index("unknown"), False


def draw(first: int, count: int, progress: Callable[[int], None]) -> Pictures:
    """Return count pictures and their mirror images, from seeds first, first + 1 and so on.

    progress: gets the number done.
    """
    described = np.empty((2 * count, features.LENGTH), dtype=np.float32)
    labels = np.empty(2 * count, dtype=np.int64)
    worldly = np.empty(2 * count, dtype=np.bool_)
    for index in range(count):
        image, label, from_world = picture(first + index)
        pair = slice(2 * index, 2 * index + 2)
        described[pair] = features.describe(image), features.describe(image[:, ::-1])
        labels[pair], worldly[pair] = label, from_world
        progress(index + 1)
    return Pictures(described, labels, worldly)


def learn_parts(pictures: Pictures, seed: int) -> Parts:
    """Return the dictionary of parts: k-means on whitened patches of some of the pictures."""
    clustering = _learners("sklearn.cluster")
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(pictures.labels))[:3000]
    some = patches(pictures.described[chosen]).reshape(-1, PATCH)
    some = some[rng.permutation(len(some))[:PATCHES]].astype(np.float64)
    mean = some.mean(axis=0)
    spread, axes = np.linalg.eigh(np.cov(some.T))
    whiten = (axes / np.sqrt(spread + 0.02))[:, -WHITENED:]
    learner = clustering.MiniBatchKMeans(
        PARTS, random_state=seed, batch_size=4096, n_init=1, max_iter=30
    )
    centres = learner.fit((some - mean) @ whiten).cluster_centers_
    return Parts(mean.astype(np.float32), _as_stored(whiten), _as_stored(centres))


def fit(pictures: Pictures, seed: int, metadata: dict[str, Any]) -> Network:
    """Return a network fitted to pictures, not calibrated; Misuse when scikit-learn is missing."""
    networks = _learners("sklearn.neural_network")
    parts = learn_parts(pictures, seed)
    pieces = np.array_split(pictures.described, max(1, len(pictures.labels) // 500))
    strengths = np.concatenate([parts.encode(piece) for piece in pieces])
    inputs = np.concatenate([pictures.described, strengths], axis=1)
    mean = inputs.mean(axis=0)
    scale = (1.0 / (inputs.std(axis=0) + 0.05)).astype(np.float32)
    scale[: features.LENGTH] *= np.float32(FEATURES_WEIGHT)
    members = []
    for member in range(MEMBERS):
        learner = networks.MLPClassifier(
            (HIDDEN,),
            alpha=PENALTY,
            batch_size=BATCH,
            learning_rate_init=1e-3,
            random_state=MEMBERS * seed + member,
        )
        rng = np.random.default_rng([seed, member])
        for _ in range(EPOCHS):
            order = rng.permutation(len(pictures.labels))
            # Equal batches only: the learner divides the penalty by a batch's size.
            for some in order[: len(order) // BATCH * BATCH].reshape(-1, BATCH):
                scaled = (inputs[some] - mean) * scale
                learner.partial_fit(scaled, pictures.labels[some], classes=np.arange(len(LABELS)))
        members.append((*learner.coefs_, *learner.intercepts_))
    return joined(parts, (mean, scale), members, metadata)


def joined(
    parts: Parts,
    norm: tuple[NDArray[np.float32], NDArray[np.float32]],
    members: Sequence[Sequence[NDArray[np.floating]]],
    metadata: dict[str, Any],
) -> Network:
    """Return the one network whose logits are the mean of all members' logits.

    norm: mean and scale of the inputs; members: of each, hidden, output, and their biases.
    """
    hidden, output, hidden_bias, output_bias = zip(*members, strict=True)
    return Network(
        parts,
        *norm,
        _as_stored(np.concatenate(hidden, axis=1)),
        np.concatenate(hidden_bias).astype(np.float32),
        _as_stored(np.concatenate(output) / len(members)),
        np.mean(output_bias, axis=0).astype(np.float32),
        np.ones(1, dtype=np.float32),
        metadata,
    )


def _learners(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as fault:
        raise Misuse(
            "Training needs scikit-learn.", remedy="Install it with: pip install scikit-learn"
        ) from fault


def _as_stored(array: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return array rounded as the file rounds it, so that what is measured is what ships."""
    return np.asarray(array, dtype=np.float16).astype(np.float32)


def best_temperature(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the temperature of least negative log-likelihood (Guo et al. 2017).

    logits: (M, 3); labels: (M,).
    """

    def loss(temperature: float) -> float:
        shares = softmax(logits, temperature)[np.arange(len(labels)), labels]
        return float(-np.log(np.maximum(shares, 1e-12)).mean())

    return float(min(np.geomspace(0.3, 10.0, 200), key=loss))


def mirrored_logits(network: Network, pictures: Pictures) -> NDArray[np.float32]:
    """Return the mean logits (M / 2, 3) of each picture and its mirror image."""
    pieces = np.array_split(pictures.described, max(1, len(pictures.labels) // 500))
    logits = np.concatenate([network.logits(piece) for piece in pieces])
    means: NDArray[np.float32] = logits.reshape(-1, 2, len(LABELS)).mean(axis=1)
    return means


def threshold_table(
    shares: NDArray[np.float64], labels: NDArray[np.int64]
) -> list[tuple[float, float, float, float]]:
    """Return rows (threshold, right, abstained, wrong) of the world's pictures, as shares of 1."""
    best = shares[:, :2].argmax(axis=1)
    sure = shares[:, :2].max(axis=1)
    rows = []
    for threshold in np.arange(0.5, 0.96, 0.05):
        said = sure >= threshold
        rows.append(
            (
                float(threshold),
                float((said & (best == labels)).mean()),
                float((~said).mean()),
                float((said & (best != labels)).mean()),
            )
        )
    return rows


def train(seed: int, images: int, date: str, say: Callable[[str], None]) -> Network:
    """Return a trained and calibrated network; say gets lines of progress.

    Raises Misuse as fit does.
    """

    def progress(what: str, total: int) -> Callable[[int], None]:
        step = max(1, total // 10)
        return lambda done: say(f"{what}: {done} of {total}") if done % step == 0 else None

    held_back = max(200, images // 6)
    seen = draw(FIRST_TRAINING_SEED + seed * 2**32, images, progress("training pictures", images))
    other = draw(
        FIRST_VALIDATION_SEED + seed * 2**32, held_back, progress("validation pictures", held_back)
    )
    say("fitting")
    metadata = {
        "trained": date,
        "seed": seed,
        "images": images,
        "hidden": HIDDEN,
        "members": MEMBERS,
        "version": 1,
    }
    return calibrated(fit(seen, seed, metadata), other, say)


def calibrated(network: Network, other: Pictures, say: Callable[[str], None]) -> Network:
    """Return network with its temperature set on pictures not trained on.

    say: gets what it measured.
    """
    labels, worldly = other.labels[::2], other.worldly[::2]
    logits = mirrored_logits(network, other)
    temperature = best_temperature(logits[worldly], labels[worldly])
    say(f"temperature {temperature:.3f}")
    shares = softmax(logits, temperature)
    say("threshold  right  abstained  wrong   (frames of the world)")
    for row in threshold_table(shares[worldly], labels[worldly]):
        say("   {:.2f}    {:.3f}    {:.3f}    {:.3f}".format(*row))
    for index, label in enumerate(LABELS):
        mine = ~worldly & (labels == index)
        right = float((shares[mine].argmax(axis=1) == index).mean())
        say(f"snapshots of {label}: {right:.3f} right")
    return Network(**{**vars(network), "temperature": np.array([temperature], dtype=np.float32)})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m swarm_ledger.sim.training", description=__doc__
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="decides pictures and weights (0 to 255)"
    )
    parser.add_argument("--images", type=int, default=24_000, help="training pictures, >= 200")
    parser.add_argument(
        "--date", required=True, help="training date to record in the weights, YYYY-MM-DD"
    )
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="weights file to write")
    chosen = parser.parse_args(arguments)
    if not 0 <= chosen.seed <= 255 or not 200 <= chosen.images <= 1_000_000:
        parser.error("--seed is 0 to 255 and --images 200 to 1000000")
    try:
        network = train(
            chosen.seed, chosen.images, chosen.date, lambda line: print(line, flush=True)
        )
    except Misuse as fault:
        print(fault.explain(), file=sys.stderr)
        return 2
    network.save(chosen.out)
    print(f"{chosen.out}: {chosen.out.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
