# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Labels that somebody else's software gives, checked before they become a look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from swarm_ledger.errors import PeerFault
from swarm_ledger.perception import Perceived
from swarm_ledger.runtime.voter import Look
from swarm_ledger.voting.limits import ABSTAIN_NAME
from swarm_ledger.voting.tally import OpenQuestion

ANY_QUESTION = bytes(32)
"""Instead of a question's id: whatever is open."""

NO_IMAGE = bytes(32)

_AHEAD_MS = 250
"""Nodes don't hear of a simulated time at once; a stamp that far ahead counts as now."""


@dataclass(frozen=True)
class Labelled:
    """What was said. question: an id, or ANY_QUESTION; bearing, distance: NaN if unmeasured.

    stamp_ms: when the image was taken, POSIX milliseconds; image: its digest, or NO_IMAGE.
    """

    label: str
    confidence: float
    stamp_ms: int
    question: bytes = ANY_QUESTION
    image: bytes = NO_IMAGE
    bearing: float = math.nan
    distance: float = math.nan


def looks(
    said: Labelled, questions: Sequence[OpenQuestion], now_ms: int, max_age_ms: int
) -> list[Look]:
    """Return a look for each open question that is meant, none if none is open.

    Raises PeerFault: "no_question", "bad_label", "bad_confidence", "bad_stamp", "stale", "future",
    "bad_position".
    """
    if not 0.0 <= said.confidence <= 1.0:  # NaN neither
        raise PeerFault("bad_confidence", f"a confidence of {said.confidence:g} is not in 0..1.")
    _check_stamp(said.stamp_ms, now_ms, max_age_ms)
    _check_position(said)
    meant = [one for one in questions if said.question in (ANY_QUESTION, one.question_id)]
    if said.question != ANY_QUESTION and not meant:
        raise PeerFault("no_question", f"no question {said.question.hex()[:16]}... is open.")
    fitting = [one for one in meant if said.label in (ABSTAIN_NAME, *one.question.labels)]
    if meant and not fitting:
        labels = ", ".join(dict.fromkeys(name for one in meant for name in one.question.labels))
        raise PeerFault("bad_label", f"{said.label[:32]!r} is no answer; {labels} are.")
    perceived = Perceived(said.label, said.confidence, {said.label: said.confidence})
    stamp_ms = min(said.stamp_ms, now_ms)
    return [
        Look(perceived, stamp_ms, said.image, said.bearing, said.distance, one.question_id)
        for one in fitting
    ]


def _check_stamp(stamp_ms: int, now_ms: int, max_age_ms: int) -> None:
    if stamp_ms <= 0:
        raise PeerFault("bad_stamp", "a label has no stamp.", remedy="Stamp it with its image's.")
    if stamp_ms > now_ms + _AHEAD_MS:
        raise PeerFault("future", f"a label is from {stamp_ms - now_ms} ms ahead of now.")
    if stamp_ms < now_ms - max_age_ms:
        raise PeerFault("stale", f"a label is {now_ms - stamp_ms} ms old.")


def _check_position(said: Labelled) -> None:
    for what, value, most in (
        ("bearing", said.bearing, 2 * math.tau),
        ("distance", said.distance, 1e6),
    ):
        if not math.isnan(value) and not (-math.tau if what == "bearing" else 0) <= value <= most:
            raise PeerFault("bad_position", f"a {what} of {value:g} can't be.")
