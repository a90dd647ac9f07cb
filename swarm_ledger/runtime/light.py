# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Answers light clients from a ledger's file, which a drone may go on writing.

Any carrier may bring the requests, from anybody: each is small, and costs a bounded number of
reads, but for a question's id, for which the index of decisions is read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from swarm_ledger.encoding import MAX_ENTRY_BYTES, decode, encode
from swarm_ledger.envelope import Kind, delegation_of
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity.trust import Trust
from swarm_ledger.ledger.checkpoint import Checkpoint, log_key, witness_key
from swarm_ledger.ledger.merkle import HASH_SIZE
from swarm_ledger.ledger.note import Note
from swarm_ledger.ledger.store import Store
from swarm_ledger.ledger.tile_files import certified
from swarm_ledger.light_client.messages import (
    MAX_ANSWER_BYTES,
    Answer,
    ByIndex,
    ByNumber,
    ByQuestion,
    Reason,
    Refusal,
    Request,
    Wanted,
    parse_request,
)
from swarm_ledger.runtime.export import pruned_before
from swarm_ledger.runtime.membership import Era, Membership, follow_members
from swarm_ledger.runtime.snapshot import members_and_time
from swarm_ledger.voting.decision import parse_settled

_NO_ROOT = bytes(HASH_SIZE)
"""No tree's: who asks so has not the same checkpoint, and is sent all of it."""


class Prover:
    """Answers for one ledger, from any thread.

    opened: opens it, read-only. trust: whose first roster it begins with; later ones are on it.
    Who belongs to the swarm is worked out once, and followed from then on. patience_s: how long
    it may take to find what is wanted, 0 for as long as it takes.
    """

    def __init__(
        self, opened: Callable[[], Store], trust: Trust, *, patience_s: float = 0.0
    ) -> None:
        self._opened, self._trust, self._patience_s = opened, trust, patience_s
        self._guard = threading.Lock()
        self._followed: tuple[Membership, int, int] | None = None

    def answer(self, raw: bytes) -> bytes:
        """Return the answer to a request, or why there is none; nothing is raised."""
        try:
            request = parse_request(raw)
            with self._opened() as store, store.database.snapshot():
                store.refresh()  # so that the checkpoint isn't newer than the entries are
                return encode(self._answer(store, request))
        except PeerFault as fault:
            return encode(Refusal.saying(Reason.BAD_REQUEST, fault.what))
        except Misuse as error:
            return encode(Refusal.saying(Reason.UNAVAILABLE, error.what))
        except NotVerified:
            return encode(Refusal.saying(Reason.UNAVAILABLE, "the ledger here is damaged."))

    def _answer(self, store: Store, request: Request) -> Answer | Refusal:
        stated, note = certified(store)
        if stated.size < request.size:
            said = f"the last checkpoint here is of {stated.size} entries."
            return Refusal.saying(Reason.BEHIND, said)
        with store.database.bounded(self._patience_s):
            found = find(store, stated.size, request.wanted)
        if isinstance(found, Refusal):
            return found
        entry, path = store.entry(found), tuple(store.inclusion(found, stated.size))
        if (stated.size, stated.root) == (request.size, request.root):
            return Answer((), (), b"", (), found, entry, path)
        with self._guard:
            era = self._members(store).at(store.height_of(stated.size - 1))
        parts = () if era.roster.version == request.epoch else _roster_of(store, self._trust, era)
        consistency = tuple(store.consistency(request.size, stated.size))
        delegations = _delegations(era, stated, note)
        return Answer(parts, delegations, note, consistency, found, entry, path)

    def _members(self, store: Store) -> Membership:
        followed, self._followed = self._followed, None
        if followed is None or not store.base <= followed[1] + 1 <= store.height + 1:
            members, time_ms = members_and_time(store, self._trust)
        else:
            members, height, before_ms = followed
            time_ms = follow_members(members, store, height, before_ms)
        self._followed = members, store.height, time_ms
        return members


def export_answer(prover: Prover, index: int, since: int = 0) -> bytes:
    """Return an answer for a file: to a client that knows nothing, or a checkpoint of that size.

    Raises Misuse where there is none.
    """
    raw = prover.answer(encode(Request(ByIndex(index), since, _NO_ROOT)))
    found: Answer | Refusal = decode(raw, Answer | Refusal, limit=MAX_ANSWER_BYTES)
    if isinstance(found, Refusal):
        raise Misuse(f"cannot prove entry {index}: {found.text}")
    return raw


def find(store: Store, size: int, wanted: Wanted) -> int | Refusal:
    """Return the index of what is wanted among the first `size` entries of a ledger."""
    if isinstance(wanted, ByNumber) and wanted.number <= pruned_before(store, 0):
        gone = f"decision {wanted.number} was pruned; an archive has it."
        return Refusal.saying(Reason.NOT_FOUND, gone)
    if isinstance(wanted, ByIndex):
        index: int | None = wanted.index if wanted.index < store.size else None
    else:
        index = _decision(store, size, wanted)
        if index is None:
            index = _decision(store, store.size, wanted)
    if index is None:
        return Refusal.saying(Reason.NOT_FOUND, "the ledger here does not hold it.")
    if index >= size:
        return Refusal.saying(Reason.NOT_COSIGNED, "it is on the ledger here: ask again.")
    return index


def _decision(store: Store, size: int, wanted: Wanted) -> int | None:
    if isinstance(wanted, ByNumber):
        skip = wanted.number - 1 - pruned_before(store, 0)
        found = store.find(Kind.DECISION, skip=skip, limit=1, within=size)
    elif isinstance(wanted, ByQuestion):
        found = store.find(Kind.DECISION, holding=wanted.question, limit=1, within=size)
    else:
        found = store.find(Kind.DECISION, newest=True, limit=1, within=size)
    for one in found:
        with suppress(PeerFault):
            decision = parse_settled(one.data[1:]).decision
            if not isinstance(wanted, ByQuestion) or decision.question == wanted.question:
                return one.index
    return None


def _roster_of(store: Store, trust: Trust, era: Era) -> tuple[bytes, ...]:
    """Return the files by which operators signed an era's roster, from the ledger itself."""
    if era.base == 0:
        first = trust.first.version
        return first.targets, first.roster.raw
    for found in store.find(Kind.ROSTER):
        if found.height == era.base:
            with suppress(PeerFault):
                parts: tuple[bytes, ...] = decode(
                    found.data[1:], tuple[bytes, ...], limit=MAX_ENTRY_BYTES
                )
                if parts[1:2] == (era.roster.raw,):
                    return parts
    raise NotVerified("the entry of its roster is gone", where=f"height {era.base}")


def _delegations(era: Era, stated: Checkpoint, note: bytes) -> tuple[bytes, ...]:
    """Return the delegations of the keys that signed a note."""
    signed = {(line.name, line.key_id) for line in Note.parse(note).signatures}
    found = []
    for session in era.opener.sessions():
        keys = (
            log_key(stated.origin, session.public_key),
            witness_key(stated.origin, session.member.name, session.public_key),
        )
        if any((key.name, key.key_id) in signed for key in keys):
            found.append(delegation_of(session))
    return tuple(found)
