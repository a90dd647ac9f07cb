# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Labels of other software: what becomes a look, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from swarm_ledger.encoding import encode
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.perception import Perceived, agree
from swarm_ledger.runtime.labelled import ANY_QUESTION, Labelled, looks
from swarm_ledger.runtime.voter import Voter
from swarm_ledger.voting.limits import ABSTAIN
from swarm_ledger.voting.observation import UNMEASURED, parse_observation
from swarm_ledger.voting.question import Question, question_id
from swarm_ledger.voting.rules import Majority
from swarm_ledger.voting.tally import OpenQuestion

NOW = 1_700_000_000_000
CUP = Labelled("cup", 0.8, NOW - 100)


def asked(number: int, *labels: str) -> OpenQuestion:
    question = Question(f"Question {number}?", labels, Majority(), 60_000, bytes(16))
    return OpenQuestion(question_id(encode(question)), question, NOW - 5_000, 1)


FIRST, SECOND = asked(1, "cup", "two_faces"), asked(2, "left", "right")


def test_a_label_is_a_look_on_what_is_open() -> None:
    (look,) = looks(replace(CUP, bearing=1.0, distance=2.0), [FIRST, SECOND], NOW, 1_000)
    assert look.question == FIRST.question_id
    assert (look.perceived.label, look.perceived.confidence) == ("cup", 0.8)
    assert (look.stamp_ms, look.bearing, look.distance) == (NOW - 100, 1.0, 2.0)
    assert looks(CUP, [], NOW, 1_000) == []


def test_a_label_may_name_its_question() -> None:
    left = replace(CUP, label="left", question=SECOND.question_id)
    (look,) = looks(left, [FIRST, SECOND], NOW, 1_000)
    assert look.question == SECOND.question_id


def test_an_abstention_is_on_all_questions() -> None:
    assert len(looks(replace(CUP, label="unknown"), [FIRST, SECOND], NOW, 1_000)) == 2


def test_a_stamp_a_little_ahead_is_signed_as_now() -> None:
    (look,) = looks(replace(CUP, stamp_ms=NOW + 200), [FIRST], NOW, 1_000)
    assert look.stamp_ms == NOW


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"confidence": math.nan}, "bad_confidence"),
        ({"confidence": -0.01}, "bad_confidence"),
        ({"confidence": 1.01}, "bad_confidence"),
        ({"confidence": math.inf}, "bad_confidence"),
        ({"stamp_ms": 0}, "bad_stamp"),
        ({"stamp_ms": -5}, "bad_stamp"),
        ({"stamp_ms": NOW + 251}, "future"),
        ({"stamp_ms": NOW - 1_001}, "stale"),
        ({"question": b"q" * 32}, "no_question"),
        ({"question": SECOND.question_id}, "bad_label"),
        ({"label": "dog"}, "bad_label"),
        ({"label": ""}, "bad_label"),
        ({"bearing": math.inf}, "bad_position"),
        ({"distance": -1.0}, "bad_position"),
        ({"distance": math.inf}, "bad_position"),
    ],
    ids=str,
)
def test_what_is_wrong_is_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(PeerFault) as caught:
        looks(replace(CUP, **changes), [FIRST, SECOND], NOW, 1_000)  # type: ignore[arg-type]
    assert caught.value.reason == reason


def test_labels_of_one_drone_become_one_vote() -> None:
    voter = Voter(looks=3)
    for label, confidence in (("two_faces", 0.9), ("cup", 0.6), ("two_faces", 0.3)):
        said = Labelled(label, confidence, NOW - 10)
        for look in looks(said, [FIRST, SECOND], NOW, 1_000):
            voter.look(look, (FIRST, SECOND))
    assert voter.due(SECOND, NOW) is None
    vote = voter.due(FIRST, NOW)
    assert vote is not None
    assert (vote.label, vote.confidence_ppm) == (1, 400_000)
    assert (vote.bearing_mrad, vote.distance_mm) == (UNMEASURED, UNMEASURED)
    assert parse_observation(encode(vote)) == vote


def test_an_abstention_votes_for_nothing() -> None:
    voter = Voter(looks=1)
    for look in looks(replace(CUP, label="unknown", question=ANY_QUESTION), [FIRST], NOW, 1_000):
        voter.look(look, (FIRST,))
    vote = voter.due(FIRST, NOW)
    assert vote is not None
    assert vote.label == ABSTAIN


def test_nothing_to_agree_on_is_our_own_mistake() -> None:
    with pytest.raises(Misuse):
        agree([])
    assert agree([Perceived("a", 0.5, {}), Perceived("b", 0.5, {})]).label == "a"
