# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a light client asks, and what it is answered: bytes that any carrier can bring.

Neither is signed, as nothing in them is believed: what an answer holds proves itself, or not.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated

from msgspec import Meta

from swarm_ledger.encoding import MAX_ENTRY_BYTES, Record, decode
from swarm_ledger.errors import NotVerified, PeerFault
from swarm_ledger.identity.roster import MAX_ROSTER_BYTES
from swarm_ledger.identity.session import MAX_DELEGATION_BYTES
from swarm_ledger.ledger.lexical import MAX_INTEGER
from swarm_ledger.ledger.merkle import EMPTY_ROOT, HASH_SIZE, MAX_PATH
from swarm_ledger.ledger.note import MAX_NOTE_SIZE, MAX_SIGNATURES

MAX_REQUEST_BYTES = 128
MAX_ANSWER_BYTES = 1 << 20
MAX_ROSTER_PARTS = 32
"""targets.json, roster.json, and the operators' later roots."""

_MAX_METADATA_BYTES = MAX_ROSTER_BYTES
_MAX_TEXT = 200

Hash = Annotated[bytes, Meta(min_length=HASH_SIZE, max_length=HASH_SIZE)]
Path = Annotated[tuple[Hash, ...], Meta(max_length=MAX_PATH)]
Place = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
RosterParts = Annotated[
    tuple[Annotated[bytes, Meta(max_length=_MAX_METADATA_BYTES)], ...],
    Meta(max_length=MAX_ROSTER_PARTS),
]
Delegations = Annotated[
    tuple[Annotated[bytes, Meta(max_length=MAX_DELEGATION_BYTES + 1)], ...],
    Meta(max_length=MAX_SIGNATURES),
]
NoteBytes = Annotated[bytes, Meta(max_length=MAX_NOTE_SIZE)]


class ByIndex(Record, frozen=True, tag=1):
    """The entry at that place in the log, from 0."""

    index: Place


class ByNumber(Record, frozen=True, tag=2):
    """The decision with that number, from 1."""

    number: Annotated[int, Meta(ge=1, lt=2**53)]


class ByQuestion(Record, frozen=True, tag=3):
    """The decision on the question with that id."""

    question: Hash


class Newest(Record, frozen=True, tag=4):
    """The newest decision that a checkpoint covers. That there is no newer one can't be proven."""


Wanted = ByIndex | ByNumber | ByQuestion | Newest


class Request(Record, frozen=True, tag=1):
    """wanted: which entry; size, root: of the checkpoint that the client has, 0 for none.

    epoch: the roster version that it has, 0 for none.
    """

    wanted: Wanted
    size: Place = 0
    root: Hash = EMPTY_ROOT
    epoch: Annotated[int, Meta(ge=0, lt=2**32)] = 0


class Answer(Record, frozen=True, tag=1):
    """What leads from what the client has to the entry, in the order in which it is checked.

    roster: targets.json, roster.json, and all later roots, of the checkpoint's epoch; empty if the
    client has that version. delegations: sealed, of the keys that signed the note. note: the
    cosigned checkpoint; empty, with no delegation and no consistency, if the client has it.
    consistency: from the client's checkpoint. index, entry, path: the entry and its inclusion.
    """

    roster: RosterParts
    delegations: Delegations
    note: NoteBytes
    consistency: Path
    index: Place
    entry: Annotated[bytes, Meta(min_length=1, max_length=MAX_ENTRY_BYTES)]
    path: Path


class Reason(IntEnum):
    """Why there is no answer. NOT_COSIGNED: no checkpoint covers the entry yet.

    BEHIND: the client has a later checkpoint than the server.
    """

    BAD_REQUEST = 1
    NOT_FOUND = 2
    NOT_COSIGNED = 3
    BEHIND = 4
    UNAVAILABLE = 5


class Refusal(Record, frozen=True, tag=2):
    """Why there is no answer. text: printable ASCII, for people, and nobody's proof."""

    reason: Reason
    text: Annotated[str, Meta(max_length=_MAX_TEXT, pattern=r"^[ -~]*\Z")]

    @classmethod
    def saying(cls, reason: Reason, text: str) -> Refusal:
        """Return one whose text is made to fit."""
        plain = "".join(letter if " " <= letter <= "~" else "?" for letter in text)
        return cls(reason, plain[:_MAX_TEXT])


class NoAnswer(NotVerified):
    """A server says that it has no answer. reason: why, if it is to be believed."""

    def __init__(self, refusal: Refusal) -> None:
        self.reason = refusal.reason
        told = refusal.reason.name.lower().replace("_", " ")
        super().__init__(f"there is none: {told}. It says: {refusal.text}", where="answer")


class StateFile(Record, frozen=True, tag=1):
    """What a client keeps: the digest of its root, and what led to its last checkpoint."""

    root: Hash
    roster: RosterParts
    delegations: Delegations
    note: NoteBytes


MAX_STATE_BYTES = MAX_ANSWER_BYTES


def parse_request(raw: bytes) -> Request:
    """Read a request; raises PeerFault("oversize" | "malformed")."""
    return decode(raw, Request, limit=MAX_REQUEST_BYTES)


def parse_answer(raw: bytes) -> Answer:
    """Read an answer; raises NoAnswer for a refusal, NotVerified for what is none."""
    try:
        found: Answer | Refusal = decode(raw, Answer | Refusal, limit=MAX_ANSWER_BYTES)
    except PeerFault as fault:
        raise NotVerified(fault.what, where="answer") from fault
    if isinstance(found, Refusal):
        raise NoAnswer(found)
    return found
