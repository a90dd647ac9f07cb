# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The limits and reserved values that questions, observations and decisions share."""

from __future__ import annotations

from typing import Annotated

import msgspec

MAX_LABELS = 16
MAX_VOTERS = 1024
MAX_DURATION_MS = 86_400_000
MAX_TIME_MS = 2**53 - 1
"""Exact in a double as well, so that a dashboard in JavaScript shows what was signed."""

MAX_OPEN_QUESTIONS = 64
RETAINED_DECISIONS = 1024
"""Closed questions that a tally remembers, so that none of them is opened again."""

ABSTAIN = -1
"""In the place of a label's index: the voter looked and cannot tell, or nothing was decided."""

FULL_CIRCLE_MRAD = 6283

UNMEASURED = -1
"""Instead of a bearing or a distance that nothing measured."""

MAX_MAGNITUDE = 10**12
"""Of a number that is asked for, in its unit."""

ABSTAIN_NAME = "unknown"
"""How an abstention is written for people; no question may use it as a label."""

Digest = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Value = Annotated[int, msgspec.Meta(ge=-MAX_MAGNITUDE, le=MAX_MAGNITUDE)]
LabelIndex = Annotated[int, msgspec.Meta(ge=ABSTAIN, le=MAX_LABELS - 1)]
TimeMs = Annotated[int, msgspec.Meta(ge=0, le=MAX_TIME_MS)]
Height = Annotated[int, msgspec.Meta(ge=0, le=MAX_TIME_MS)]
ConfidencePpm = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
VoterCount = Annotated[int, msgspec.Meta(ge=0, le=MAX_VOTERS)]
