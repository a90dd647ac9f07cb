# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What one drone says it saw: the content of its vote."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from swarm_ledger.encoding import DIGEST_HEAD, Record, decode, read_int
from swarm_ledger.voting.limits import (
    ABSTAIN,
    FULL_CIRCLE_MRAD,
    MAX_LABELS,
    MAX_TIME_MS,
    UNMEASURED,
    ConfidencePpm,
    Digest,
    LabelIndex,
    Value,
)

MAX_DISTANCE_MM = 1_000_000_000
OBSERVATION_LIMIT = 128
"""Most bytes that an encoded observation has."""

_Stamp = Annotated[int, msgspec.Meta(ge=1, le=MAX_TIME_MS)]
_Bearing = Annotated[int, msgspec.Meta(ge=UNMEASURED, le=FULL_CIRCLE_MRAD)]
_Distance = Annotated[int, msgspec.Meta(ge=UNMEASURED, le=MAX_DISTANCE_MM)]

_USUAL = b"\x88\x01" + DIGEST_HEAD
"""How an Observation begins: an array of eight, its tag, and a digest."""

_QUESTION_AT = len(_USUAL)


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
    observation: AnyObservation | None = _parse_usual(encoded)
    if observation is None:
        observation = decode(encoded, AnyObservation, limit=OBSERVATION_LIMIT)
    return observation


def _parse_usual(data: bytes) -> Observation | None:
    """Read a label's observation by its one encoding, field by field; None if it is not that.

    A vote is parsed by each replica: decode() costs ten times as much.
    """
    if data[:_QUESTION_AT] != _USUAL:
        return None
    try:
        label, at = read_int(data, _QUESTION_AT + 32)
        confidence, at = read_int(data, at)
        stamp, at = read_int(data, at)
        image_at = at + len(DIGEST_HEAD)
        bearing, at = read_int(data, image_at + 32)
        distance, end = read_int(data, at)
    except (ValueError, IndexError):
        return None
    if not (
        data[image_at - len(DIGEST_HEAD) : image_at] == DIGEST_HEAD
        and end == len(data)
        and ABSTAIN <= label < MAX_LABELS
        and 0 <= confidence <= 1_000_000
        and 1 <= stamp <= MAX_TIME_MS
        and UNMEASURED <= bearing <= FULL_CIRCLE_MRAD
        and UNMEASURED <= distance <= MAX_DISTANCE_MM
    ):
        return None
    question, image = data[_QUESTION_AT : _QUESTION_AT + 32], data[image_at : image_at + 32]
    return Observation(question, label, confidence, stamp, image, bearing, distance)
