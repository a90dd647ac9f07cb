# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The shipped classifier: what it sees in the world, in photographs, and in what is no picture."""

from __future__ import annotations

import json
import math
import zipfile
from pathlib import Path

import numpy as np
import pytest

from swarm_ledger import perception
from swarm_ledger.errors import Misuse
from swarm_ledger.perception import LABELS, THRESHOLD, Perceived, features, fuse, load
from swarm_ledger.perception.model import WEIGHTS, Network
from swarm_ledger.perception.perceived import decide
from swarm_ledger.sim import camera
from swarm_ledger.sim.camera import render
from swarm_ledger.sim.evaluation import evaluate, evaluate_swarms, outcome
from swarm_ledger.sim.world import TARGETS, World


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    return render(World.create("cup", 4, 1), 1, 0.0)


def _perceived(cup: float, faces: float) -> Perceived:
    return decide({"cup": cup, "two_faces": faces, "unknown": 1.0 - cup - faces})


@pytest.mark.parametrize("hard", [False, True])
def test_views_are_read_mostly_but_not_always(hard: bool) -> None:
    measured = evaluate(load(), seed=0, images=100, hard=hard)
    assert 0.70 <= measured.right <= 0.95
    assert measured.wrong < measured.abstained
    assert measured.wrong < 0.06
    assert measured.right < measured.forced_choice < 1.0
    assert measured.ece < 0.08


def test_hard_views_are_harder() -> None:
    easy, hard = (evaluate(load(), seed=1, images=80, hard=hard) for hard in (False, True))
    assert hard.right < easy.right
    world = World.create("cup", 40, 3)
    severities = [camera.severity(world, drone) for drone in range(1, 41)]
    assert all(0.0 <= severity <= 1.0 for severity in severities)
    assert 5 <= sum(severity >= camera.HARD for severity in severities) <= 25


def test_a_swarm_with_liars_is_right_more_often_than_its_drones() -> None:
    measured = evaluate_swarms(load(), seeds=range(3), drones=7, liars=2)
    assert 0.75 <= measured.votes.right <= 0.97
    assert measured.votes.wrong < measured.votes.abstained
    assert measured.right > measured.votes.right
    assert measured.right + measured.undecided + measured.wrong == pytest.approx(1.0)


def test_drones_err_apart() -> None:
    """No world misleads most of its drones: errors are the views', not the targets'."""
    classifier = load()
    for seed in range(6):
        for target in TARGETS:
            world = World.create(target, 7, seed)
            labels = [classifier.classify(render(world, d, 0.0)).label for d in range(1, 8)]
            assert labels.count(target) >= 3, (seed, target, labels)


@pytest.mark.parametrize(("name", "label"), [("coffee", "cup"), ("astronaut", "two_faces")])
def test_photographs(name: str, label: str) -> None:
    data = pytest.importorskip("skimage.data", reason="the photographs come with scikit-image")
    photograph = getattr(data, name)()
    assert load().classify(photograph).label == label
    height, width = photograph.shape[:2]
    assert load().classify(photograph[:, ::-1]).label == label  # its mirror image too
    assert load().classify(photograph[::2, ::2][: height // 2, : width // 2]).label == label


@pytest.mark.parametrize("name", ["brick", "grass", "gravel", "moon", "coins", "rocket"])
def test_photographs_of_neither(name: str) -> None:
    data = pytest.importorskip("skimage.data", reason="the photographs come with scikit-image")
    assert load().classify(getattr(data, name)()).label == "unknown"


@pytest.mark.parametrize("value", [0, 127, 255])
def test_an_empty_picture_is_unknown(value: int) -> None:
    assert load().classify(np.full((120, 160, 3), value, dtype=np.uint8)).label == "unknown"


def test_noise_is_unknown() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    assert load().classify(noise).label == "unknown"


def test_it_answers_alike_each_time(frame: np.ndarray) -> None:
    classifier = load()
    first = classifier.classify(frame)
    assert all(classifier.classify(frame) == first for _ in range(3))


def test_mirrored_pictures_get_the_same_answer(frame: np.ndarray) -> None:
    one = load().classify(frame).probabilities
    other = load().classify(frame[:, ::-1]).probabilities
    assert all(one[label] == pytest.approx(other[label], abs=1e-4) for label in LABELS)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((120, 160, 3), dtype=np.float32), "float32"),
        (np.zeros((120, 160, 3), dtype=np.uint16), "uint16"),
        (np.zeros((120, 160, 3), dtype=bool), "bool"),
        (np.zeros((0, 0, 3), dtype=np.uint8), "0 x 0"),
        (np.zeros((120, 0, 3), dtype=np.uint8), "0 x 120"),
        (np.zeros((8, 160, 3), dtype=np.uint8), "160 x 8"),
        (np.zeros((120, 160, 2), dtype=np.uint8), "(120, 160, 2)"),
        (np.zeros((120, 160, 3, 1), dtype=np.uint8), "(120, 160, 3, 1)"),
        (np.zeros(57600, dtype=np.uint8), "(57600,)"),
        (np.zeros((16, features.MAX_SIDE + 1, 3), dtype=np.uint8), "16385"),
        ([[0, 1], [2, 3]], "not list"),
        (None, "not NoneType"),
        (b"abc", "not bytes"),
    ],
)
def test_what_is_no_picture_is_refused(image: object, words: str) -> None:
    with pytest.raises(Misuse) as caught:
        load().classify(image)  # type: ignore[arg-type]
    assert words in caught.value.what
    assert caught.value.remedy


def test_grey_and_alpha_are_taken(frame: np.ndarray) -> None:
    grey = frame[:, :, 1]
    thrice = np.stack([grey] * 3, axis=2)
    assert load().classify(grey) == load().classify(grey[:, :, None]) == load().classify(thrice)
    alpha = np.dstack([frame, np.zeros(frame.shape[:2], dtype=np.uint8)])
    assert load().classify(alpha) == load().classify(frame)


@pytest.mark.parametrize("shape", [(16, 16), (17, 400), (1000, 30), (2000, 1500)])
def test_any_size_is_taken(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(2).integers(0, 256, (*shape, 3), dtype=np.uint8)
    before = noise.copy()
    seen = load().classify(noise)
    assert seen.label in LABELS
    assert np.array_equal(noise, before)


def test_views_of_arrays_are_taken(frame: np.ndarray) -> None:
    flipped = frame[:, ::-1]
    assert load().classify(flipped) == load().classify(np.ascontiguousarray(flipped))


def test_the_threshold_divides_answers_from_abstentions() -> None:
    just = _perceived(THRESHOLD, (1 - THRESHOLD) / 2)
    assert (just.label, just.confidence) == ("cup", pytest.approx(THRESHOLD))
    under = _perceived(0.1, THRESHOLD - 0.01)
    assert (under.label, under.confidence) == ("unknown", pytest.approx(1.01 - THRESHOLD))
    assert _perceived(0.02, 0.9).label == "two_faces"
    assert _perceived(0.02, 0.02).confidence == pytest.approx(0.98)


@pytest.mark.parametrize(
    "shares",
    [
        {"cup": 1.0},
        {"cup": 0.5, "two_faces": 0.5, "vase": 0.0},
        {"cup": -0.1, "two_faces": 1.0, "unknown": 0.1},
        {"cup": 0.0, "two_faces": 0.0, "unknown": 0.0},
        {"cup": math.nan, "two_faces": 1.0, "unknown": 0.0},
        {"cup": math.inf, "two_faces": 1.0, "unknown": 0.0},
    ],
)
def test_what_are_no_probabilities(shares: dict[str, float]) -> None:
    with pytest.raises(Misuse):
        decide(shares)


def test_fusing_one_look_changes_nothing() -> None:
    look = _perceived(0.8, 0.15)
    fused = fuse([look])
    assert fused.label == look.label
    assert fused.confidence == pytest.approx(look.confidence)


def test_repeating_a_look_makes_it_no_surer() -> None:
    look = _perceived(0.8, 0.15)
    assert fuse([look] * 50).confidence == pytest.approx(0.8)


def test_fusion_is_the_mean_of_log_probabilities() -> None:
    fused = fuse([_perceived(0.9, 0.05), _perceived(0.4, 0.5)])
    means = [math.sqrt(0.9 * 0.4), math.sqrt(0.05 * 0.5), math.sqrt(0.05 * 0.1)]
    assert fused.probabilities["cup"] == pytest.approx(means[0] / sum(means))
    assert sum(fused.probabilities.values()) == pytest.approx(1.0)


def test_fusion_does_not_depend_on_order_and_no_look_is_a_veto() -> None:
    looks = [_perceived(0.95, 0.04), _perceived(0.0, 1.0), *[_perceived(0.97, 0.02)] * 8]
    assert fuse(looks).confidence == pytest.approx(fuse(looks[::-1]).confidence)
    assert fuse(looks).label == "cup"


def test_fusing_nothing_is_misuse() -> None:
    with pytest.raises(Misuse, match="nothing to fuse"):
        fuse([])


@pytest.mark.parametrize(
    ("said", "result"),
    [
        (["cup", "cup", "two_faces"], "right"),
        (["cup", "two_faces"], "undecided"),
        (["unknown", "unknown", "cup"], "right"),
        (["unknown"] * 3, "undecided"),
        (["two_faces", "two_faces", "cup", "unknown"], "wrong"),
        ([], "undecided"),
    ],
)
def test_a_decision_is_a_plurality_without_abstentions(said: list[str], result: str) -> None:
    assert outcome(said, "cup") == result


@pytest.mark.parametrize("arguments", [{"seed": -1, "images": 5}, {"seed": 0, "images": 0}])
def test_evaluation_refuses_bad_numbers(arguments: dict[str, int]) -> None:
    with pytest.raises(Misuse):
        evaluate(load(), **arguments)
    with pytest.raises(Misuse):
        evaluate_swarms(load(), seeds=range(2), drones=2, liars=2)


def test_evaluation_tells_its_progress() -> None:
    told: list[tuple[int, int]] = []
    evaluate(load(), seed=3, images=3, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_the_shipped_weights_are_small_and_say_how_they_were_made() -> None:
    network = Network.load()
    assert WEIGHTS.stat().st_size < 2 * 2**20
    assert {"trained", "seed", "images", "version", "format"} <= set(network.metadata)


def test_saved_weights_come_back_and_twice_the_same(tmp_path: Path, frame: np.ndarray) -> None:
    network = Network.load()
    network.save(tmp_path / "one.npz")
    network.save(tmp_path / "two.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    assert load(str(tmp_path / "one.npz")).classify(frame) == network.classify(frame)


def test_a_damaged_weights_file_is_misuse(tmp_path: Path) -> None:
    whole = WEIGHTS.read_bytes()
    path = tmp_path / "weights.npz"
    rng = np.random.default_rng(7)
    for damaged in [b"", b"not a zip", whole[: len(whole) // 2], whole[100:]]:
        path.write_bytes(damaged)
        with pytest.raises(Misuse, match="damaged") as caught:
            load(str(path))
        assert "training" in caught.value.remedy
    for _ in range(40):
        flipped = bytearray(whole)
        flipped[int(rng.integers(len(whole)))] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        try:
            load(str(path))
        except Misuse:
            continue  # anything but Misuse fails the test; a bit of zip's padding may go unseen


def _rewritten(path: Path, name: str, content: bytes) -> None:
    with zipfile.ZipFile(WEIGHTS) as source, zipfile.ZipFile(path, "w") as target:
        for entry in source.namelist():
            if entry != name:
                target.writestr(entry, source.read(entry))
        if content:
            target.writestr(name, content)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("metadata.json", json.dumps({"format": 99}).encode(), "format"),
        ("metadata.json", b"[1, 2]", "format"),
        ("metadata.json", b"{", "damaged"),
        ("hidden.npy", b"", "hidden"),
        ("output.npy", b"\x93NUMPY garbage", "damaged"),
    ],
)
def test_weights_of_another_kind(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    path = tmp_path / "weights.npz"
    _rewritten(path, name, content)
    with pytest.raises(Misuse, match=words):
        load(str(path))


@pytest.mark.parametrize(
    ("header", "content"),
    [
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,), }", b""),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (60000, 60000), }", bytes(64)),
        ("'<f2', 'fortran_order': (False, 'shape': (1, 4), }", bytes(8)),
        ("{'descr': '<U400000', 'fortran_order': False, 'shape': (0,), }", b""),
    ],
)
def test_an_array_has_the_size_that_it_states(tmp_path: Path, header: str, content: bytes) -> None:
    """numpy would take the memory first, or raise what tells nothing."""
    text = header.encode() + b"\n"
    array = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content
    _rewritten(tmp_path / "weights.npz", "output.npy", array)
    with pytest.raises(Misuse, match="damaged"):
        load(str(tmp_path / "weights.npz"))


def test_weights_that_would_run_code_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "evil.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    path = tmp_path / "weights.npz"
    _rewritten(path, "output.npy", (tmp_path / "evil.npy").read_bytes())
    with pytest.raises(Misuse, match="damaged"):
        load(str(path))


def test_weights_with_values_that_are_not_finite(tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.array([np.nan], dtype=np.float32))
    path = tmp_path / "weights.npz"
    _rewritten(path, "temperature.npy", (tmp_path / "t.npy").read_bytes())
    with pytest.raises(Misuse, match="temperature"):
        load(str(path))


def test_models_that_are_not_there(tmp_path: Path) -> None:
    for name in ("none.npz", "none.onnx"):
        with pytest.raises(Misuse, match="There is no"):
            perception.load(str(tmp_path / name))
    with pytest.raises(Misuse, match=r"neither an \.npz nor an \.onnx"):
        perception.load(str(tmp_path / "model.pt"))
