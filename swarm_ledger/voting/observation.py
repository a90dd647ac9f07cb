# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What one drone says it saw: the content of its vote."""

from __future__ import annotations

from typing import Annotated

import msgspec

from swarm_ledger.encoding import Record, decode
from swarm_ledger.voting.limits import MAX_TIME_MS, Digest, LabelIndex

OBSERVATION_LIMIT = 128
"""Most bytes that an encoded observation has."""

FULL_CIRCLE_MRAD = 6283

UNMEASURED = -1
"""Instead of a bearing or a distance that nothing measured."""


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
    confidence_ppm: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
    stamp_ms: Annotated[int, msgspec.Meta(ge=1, le=MAX_TIME_MS)]
    image: Digest
    bearing_mrad: Annotated[int, msgspec.Meta(ge=UNMEASURED, le=FULL_CIRCLE_MRAD)]
    distance_mm: Annotated[int, msgspec.Meta(ge=UNMEASURED, le=1_000_000_000)]


def parse_observation(encoded: bytes) -> Observation:
    """Return the observation in outside bytes, valid in every field.

    Whether its label exists depends on the question, so the tally checks that.
    Raises PeerFault("oversize" | "malformed").
    """
    return decode(encoded, Observation, limit=OBSERVATION_LIMIT)
