# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a tally says of each entry, and what it remembers between two blocks."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated

import msgspec

from swarm_ledger.encoding import Record
from swarm_ledger.voting.limits import MAX_OPEN_QUESTIONS, MAX_TIME_MS, Digest
from swarm_ledger.voting.poll import OpenQuestion, Pledged
from swarm_ledger.voting.reputation import Learnt


class OpenResult(IntEnum):
    """What became of a question. ALREADY_ASKED: it is open, or among those remembered closed."""

    UNKNOWN = 0
    OPENED = 1
    ALREADY_ASKED = 2
    FULL = 3


class VoteResult(IntEnum):
    """What became of a vote.

    CONFLICT: the voter had said something else; its ballot is voided by this, and the two signed
    votes are evidence. VOIDED: it said something more after that. LATE: at or past the deadline.
    BAD_LABEL, BAD_VALUE: the question has no such answer. COMMITTED: its ballot is fixed, and to
    be opened. EARLY: it was opened before that was asked for. NOT_COMMITTED: it had committed to
    something else, or nothing, or nobody asked it to. SEALED: the question takes commitments.
    """

    UNKNOWN = 0
    COUNTED = 1
    DUPLICATE = 2
    CONFLICT = 3
    VOIDED = 4
    UNKNOWN_QUESTION = 5
    CLOSED = 6
    LATE = 7
    NOT_A_VOTER = 8
    BAD_LABEL = 9
    BAD_VALUE = 10
    COMMITTED = 11
    EARLY = 12
    NOT_COMMITTED = 13
    SEALED = 14


class TallyState(Record, frozen=True, tag=1):
    """What a tally remembers between two blocks, but for decisions, which the ledger itself has.

    decided: how many were ever made; history: their hash chain; open: in order of opening.
    """

    decided: Annotated[int, msgspec.Meta(ge=0, le=MAX_TIME_MS)]
    history: Digest
    open: Annotated[tuple[OpenQuestion, ...], msgspec.Meta(max_length=MAX_OPEN_QUESTIONS)]


class LearningState(TallyState, frozen=True, tag=2):
    """The same once reputations are kept. pledged: for each open question with commitments."""

    learnt: Learnt
    pledged: Annotated[tuple[Pledged, ...], msgspec.Meta(max_length=MAX_OPEN_QUESTIONS)] = ()
