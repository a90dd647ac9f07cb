# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The report's arithmetic, on an example small enough to do by hand."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_ledger.errors import Misuse
from swarm_ledger.perception.perceived import decide
from swarm_ledger.perception.report import (
    Bin,
    expected_calibration_error,
    likelier,
    reliability,
    report,
)


def _look(truth: str, cup: float, faces: float):  # type: ignore[no-untyped-def]
    return truth, decide({"cup": cup, "two_faces": faces, "unknown": 1.0 - cup - faces})


LOOKS = [
    _look("cup", 0.92, 0.04),  # right, sure
    _look("cup", 0.96, 0.02),  # right, sure
    _look("cup", 0.55, 0.40),  # abstains; cup is likelier: right if forced
    _look("two_faces", 0.08, 0.86),  # right
    _look("two_faces", 0.94, 0.03),  # wrong
    _look("two_faces", 0.10, 0.20),  # abstains; right if forced
    _look("two_faces", 0.52, 0.45),  # abstains; wrong if forced
    _look("cup", 0.06, 0.84),  # wrong
]


def test_by_hand() -> None:
    measured = report(LOOKS)
    assert measured.looks == 8
    assert measured.confusion == {
        "cup": {"cup": 2, "two_faces": 1, "unknown": 1},
        "two_faces": {"cup": 1, "two_faces": 1, "unknown": 2},
    }
    assert (measured.right, measured.abstained, measured.wrong) == (3 / 8, 3 / 8, 2 / 8)
    assert measured.forced_choice == 5 / 8
    # Bins: 0.2: one of 0.20, right; 0.5: 0.55 right and 0.52 wrong; 0.8: 0.86 right and 0.84
    # wrong; 0.9: 0.92 and 0.96 right, 0.94 wrong.
    assert [(b.low, b.high, b.count) for b in measured.bins] == [
        (0.2, 0.3, 1),
        (0.5, 0.6, 2),
        (0.8, 0.9, 2),
        (0.9, 1.0, 3),
    ]
    assert [b.accuracy for b in measured.bins] == pytest.approx([1.0, 0.5, 0.5, 2 / 3])
    assert [b.confidence for b in measured.bins] == pytest.approx([0.2, 0.535, 0.85, 0.94])
    gaps = (1 * 0.8 + 2 * 0.035 + 2 * 0.35 + 3 * (0.94 - 2 / 3)) / 8
    assert measured.ece == pytest.approx(gaps)


def test_it_is_fit_for_json() -> None:
    plain = report(LOOKS).to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["bins"][0]["count"] == 1
    assert plain["confusion"]["cup"]["unknown"] == 1


def test_certain_answers_fall_in_the_last_bin() -> None:
    assert reliability([(1.0, True), (0.0, False)]) == (
        Bin(0.0, 0.1, 1, 0.0, 0.0),
        Bin(0.9, 1.0, 1, 1.0, 1.0),
    )
    assert expected_calibration_error(()) == 0.0


def test_a_tie_counts_as_cup() -> None:
    assert likelier(_look("cup", 0.3, 0.3)[1]) == "cup"


def test_nothing_and_other_truths_are_misuse() -> None:
    with pytest.raises(Misuse, match="nothing"):
        report([])
    with pytest.raises(Misuse, match="'vase' is no truth"):
        report([_look("vase", 0.5, 0.5)])


_LOOK = st.tuples(st.sampled_from(["cup", "two_faces"]), st.floats(0, 1), st.floats(0, 1)).filter(
    lambda look: look[1] + look[2] > 0.01
)


@given(st.lists(_LOOK, min_size=1, max_size=60))
def test_shares_are_shares(drawn: list[tuple[str, float, float]]) -> None:
    looks = [(truth, decide({"cup": a, "two_faces": b, "unknown": 0.3})) for truth, a, b in drawn]
    measured = report(looks)
    assert measured.right + measured.abstained + measured.wrong == pytest.approx(1.0)
    assert sum(b.count for b in measured.bins) == measured.looks == len(looks)
    assert measured.right <= measured.forced_choice <= 1.0
    assert 0.0 <= measured.ece <= 1.0
    assert all(b.low - 1e-9 <= b.confidence <= b.high + 1e-9 for b in measured.bins)
