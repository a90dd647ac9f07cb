# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One drone's vote: looks are gathered until they suffice, then become one observation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from swarm_ledger.perception import Perceived, agree, fuse
from swarm_ledger.voting.limits import (
    ABSTAIN,
    FULL_CIRCLE_MRAD,
    MAX_OPEN_QUESTIONS,
    RETAINED_DECISIONS,
    UNMEASURED,
)
from swarm_ledger.voting.observation import AnyObservation, NumberObservation, Observation
from swarm_ledger.voting.poll import OpenQuestion
from swarm_ledger.voting.question import NumberQuestion


@dataclass(frozen=True, slots=True)
class Look:
    """One image, judged. stamp_ms: when it was taken; image: its SHA-256, 32 bytes, 0 for none.

    bearing: from the target to the drone, radians counter-clockwise from east; distance: metres;
    NaN if unmeasured. measured: integers by their unit, for questions about
    numbers. question: the one that somebody else's label is on, b"" for our own looks.
    """

    perceived: Perceived
    stamp_ms: int
    image: bytes
    bearing: float
    distance: float
    question: bytes = b""
    measured: Mapping[str, int] = field(default_factory=dict)

    def is_on(self, question_id: bytes) -> bool:
        """Whether it answers that question."""
        return self.question in (b"", question_id)


REMEMBERED_VOTES = RETAINED_DECISIONS + MAX_OPEN_QUESTIONS
"""Of our own, at least: as many as the ledger itself knows questions."""


@dataclass
class Voter:
    """Decides when a drone has seen enough. looks: how many images make a vote."""

    looks: int
    _seen: dict[bytes, list[Look]] = field(default_factory=dict)
    _voted: dict[bytes, None] = field(default_factory=dict)

    def look(self, look: Look, questions: tuple[OpenQuestion, ...]) -> None:
        """Take one look into account for each question that was open when it was taken."""
        for question in questions:
            if question.question_id not in self._voted and look.is_on(question.question_id):
                seen = self._seen.setdefault(question.question_id, [])
                seen.append(look)
                del seen[: -self.looks]

    def curious(self, questions: tuple[OpenQuestion, ...]) -> bool:
        """Whether there is a question that more looks are needed for."""
        return any(
            question.question_id not in self._voted
            and len(self._seen.get(question.question_id, [])) < self.looks
            for question in questions
        )

    def due(self, question: OpenQuestion, now_ms: int) -> AnyObservation | None:
        """Return the vote on a question once there are enough looks, or half its time is over."""
        seen = self._seen.get(question.question_id, [])
        end_ms = question.reveal_from_ms or question.deadline_ms
        late = now_ms >= (question.opened_ms + end_ms) // 2
        if question.question_id in self._voted or not seen:
            return None
        if len(seen) < self.looks and not late:
            return None
        self._voted[question.question_id] = None
        del self._seen[question.question_id]
        return observe(question, seen)

    def first(self, question_id: bytes) -> bool:
        """Note a vote that was made elsewhere; False if there is one already."""
        first = question_id not in self._voted
        self.voted(question_id)
        return first

    def voted(self, question_id: bytes) -> None:
        """Note a vote that the ledger has already, such as one from before a restart."""
        self._voted[question_id] = None
        self._seen.pop(question_id, None)

    def forget(self, questions: tuple[OpenQuestion, ...]) -> None:
        """Forget what was seen of others than these, and votes on them that are long over.

        Not before the ledger has forgotten them, too: what is asked again is another question.
        """
        asked = {question.question_id for question in questions}
        self._seen = {key: seen for key, seen in self._seen.items() if key in asked}
        if len(self._voted) > 2 * REMEMBERED_VOTES:
            over = [key for key in self._voted if key not in asked]
            for key in over[: len(self._voted) - REMEMBERED_VOTES]:
                del self._voted[key]


def observe(question: OpenQuestion, looks: list[Look]) -> AnyObservation:
    """Fuse looks into one observation, in the integers that are signed.

    Of a number it is the lower median of what was measured in the question's unit.
    """
    asked, last = question.question, looks[-1]
    own = all(look.question == b"" for look in looks)
    perceived = (fuse if own else agree)([look.perceived for look in looks])
    confidence_ppm = round(min(max(perceived.confidence, 0.0), 1.0) * 1_000_000)
    if isinstance(asked, NumberQuestion):
        values = [look.measured[asked.unit] for look in looks if asked.unit in look.measured]
        value = sorted(values)[(len(values) - 1) // 2] if values else None
        known = value is not None and asked.low <= value <= asked.high
        return NumberObservation(
            question=question.question_id,
            value=value if known else None,
            confidence_ppm=confidence_ppm,
            stamp_ms=last.stamp_ms,
            image=last.image,
            bearing_mrad=_milliradians(last.bearing),
            distance_mm=_millimetres(last.distance),
        )
    labels = asked.labels
    return Observation(
        question=question.question_id,
        label=labels.index(perceived.label) if perceived.label in labels else ABSTAIN,
        confidence_ppm=confidence_ppm,
        stamp_ms=last.stamp_ms,
        image=last.image,
        bearing_mrad=_milliradians(last.bearing),
        distance_mm=_millimetres(last.distance),
    )


def _milliradians(bearing: float) -> int:
    if math.isnan(bearing):
        return UNMEASURED
    return round(math.fmod(bearing, math.tau) * 1000) % (FULL_CIRCLE_MRAD + 1)


def _millimetres(distance: float) -> int:
    return UNMEASURED if math.isnan(distance) else min(round(distance * 1000), 1_000_000_000)
