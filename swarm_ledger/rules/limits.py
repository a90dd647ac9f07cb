# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The limits and forms that rules, claims and what follows from them share."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

MAX_RULES = 64
"""Names in use at a time; one that was withdrawn is in use until the next roster version."""

MAX_QUEUE = 64
MAX_LISTED = 64
"""Members that one rule names."""

MAX_TERM_MS = 86_400_000
MAX_NUMBER = 2**53 - 1
"""Exact in a double as well, as all that JSON shows."""

RULE_LIMIT = 2048
"""Most bytes that an operator's encoded instruction has."""

CLAIM_LIMIT = 96
"""Most bytes that a member's encoded claim has."""

OUTCOME_LIMIT = 2048
"""Most bytes that an encoded grant or action has."""

CLAIM_EVERY_MS = 1_000
"""How much of the ledger's time each claim of a member takes up."""

AHEAD_MS = 16_000
"""How much of it may be taken up in advance: leaders' clocks may be ten seconds behind, and some
claims come close together.
"""

# ASCII by explicit ranges, as for questions: replicas must agree on what is valid.
Name = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"\A[a-z0-9_]+\Z")]
Subject = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"\A[ -~]+\Z")]
Parameters = Annotated[str, Meta(max_length=256, pattern=r"\A[ -~]*\Z")]
MemberId = Annotated[bytes, Meta(min_length=16, max_length=16)]
"""Of a member's root key (identity.roster.drone_id), so that it outlives rosters."""

Members = Annotated[tuple[MemberId, ...], Meta(max_length=MAX_LISTED)]
Number = Annotated[int, Meta(ge=1, le=MAX_NUMBER)]
Count = Annotated[int, Meta(ge=0, le=MAX_NUMBER)]
Version = Annotated[int, Meta(ge=1, lt=2**32)]
TimeMs = Annotated[int, Meta(ge=0, le=MAX_NUMBER)]
TermMs = Annotated[int, Meta(ge=1, le=MAX_TERM_MS)]
