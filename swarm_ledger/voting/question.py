# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What the swarm is asked: a subject, the answers it may give, and the rule that settles it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from swarm_ledger.encoding import Record, decode, digest
from swarm_ledger.errors import Misuse
from swarm_ledger.voting.limits import ABSTAIN_NAME, MAX_DURATION_MS, MAX_LABELS
from swarm_ledger.voting.rules import AnyRule

QUESTION_LIMIT = 1024
"""Most bytes that an encoded question has."""

# ASCII by explicit ranges: Unicode's tables differ between Python versions, and replicas that
# disagree on what is printable would disagree on what is valid. \Z, as $ lets a newline pass.
Subject = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[ -~]+\Z")]
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=32, pattern=r"^[a-z0-9_]+\Z")]


class Question(Record, frozen=True, tag=1):
    """A question, as it is signed and put on the ledger; its digest is its name.

    subject: 1..64 printable ASCII characters, for people. labels: 2..16 different answers of
    [a-z0-9_]{1,32}; "unknown" is reserved for abstention. duration_ms: how long it stays open, in
    the ledger's time. nonce: 16 random bytes, so that the same thing can be asked again.
    Raises Misuse for labels that repeat or are reserved.
    """

    subject: Subject
    labels: Annotated[tuple[Label, ...], msgspec.Meta(min_length=2, max_length=MAX_LABELS)]
    rule: AnyRule
    duration_ms: Annotated[int, msgspec.Meta(ge=1, le=MAX_DURATION_MS)]
    nonce: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]

    def __post_init__(self) -> None:
        if len(set(self.labels)) != len(self.labels):
            raise Misuse("a question has the same label twice", remedy="Name each label once.")
        if ABSTAIN_NAME in self.labels:
            raise Misuse(
                f'the label "{ABSTAIN_NAME}" is reserved for abstention',
                remedy="Leave it out: every voter may abstain on every question.",
            )


def question_id(encoded: bytes) -> bytes:
    """Return the name of a question: SHA-256 of its encoding, 32 bytes."""
    return digest(encoded)


def parse_question(encoded: bytes) -> Question:
    """Return the question in outside bytes, valid in every field.

    Raises PeerFault("oversize" | "malformed").
    """
    return decode(encoded, Question, limit=QUESTION_LIMIT)
