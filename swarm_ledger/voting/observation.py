# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What one drone says it saw: the content of its vote."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from swarm_ledger.encoding import Record, decode
from swarm_ledger.voting.limits import (
    ABSTAIN,
    FULL_CIRCLE_MRAD,
    MAX_TIME_MS,
    UNMEASURED,
    ConfidencePpm,
    Digest,
    LabelIndex,
    Value,
)

OBSERVATION_LIMIT = 128
"""Most bytes that an encoded observation has."""

_Stamp = Annotated[int, msgspec.Meta(ge=1, le=MAX_TIME_MS)]
_Bearing = Annotated[int, msgspec.Meta(ge=UNMEASURED, le=FULL_CIRCLE_MRAD)]
_Distance = Annotated[int, msgspec.Meta(ge=UNMEASURED, le=1_000_000_000)]


class Observation(Record, frozen=True, tag=1):
    """One look at the subject of a question, judged by one drone.

    question: its id. label: index into its labels, or ABSTAIN (-1). confidence_ppm: 0..1_000_000,
    that the label is right. stamp_ms: when the image was taken, by the drone's clock; 0, a
    simulated clock that nobody has set, is refused. image: SHA-256 of the image. bearing_mrad:
    0..6283, from the subject to the drone, counter-clockwise from east (REP 103). distance_mm: to
    the subject. Either may be UNMEASURED.
    """

    question: Digest
    label: LabelIndex
    confidence_ppm: ConfidencePpm
    stamp_ms: _Stamp
    image: Digest
    bearing_mrad: _Bearing
    distance_mm: _Distance


class NumberObservation(Record, frozen=True, tag=2):
    """What one drone measured, where a question is about a number; the rest as in Observation.

    value: in the question's unit, None to abstain. image: b"" where the sensor makes none.
    """

    question: Digest
    value: Value | None
    confidence_ppm: ConfidencePpm
    stamp_ms: _Stamp
    image: Annotated[bytes, msgspec.Meta(max_length=32)]
    bearing_mrad: _Bearing
    distance_mm: _Distance

    @property
    def label(self) -> int:
        """ABSTAIN, or 0 for a value: a number has no labels, and anything else is one answer."""
        return ABSTAIN if self.value is None else 0


AnyObservation: TypeAlias = Observation | NumberObservation


def parse_observation(encoded: bytes) -> AnyObservation:
    """Return the observation in outside bytes, valid in every field.

    Whether its label or value fits depends on the question, so the tally checks that.
    Raises PeerFault("oversize" | "malformed").
    """
    observation: AnyObservation = decode(encoded, AnyObservation, limit=OBSERVATION_LIMIT)
    return observation
