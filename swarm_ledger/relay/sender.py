# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The signing end: one signature a message, or one for a window of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from swarm_ledger.encoding import digest, encode
from swarm_ledger.envelope import Kind, seal
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.identity.roster import Roster
from swarm_ledger.ledger.merkle import Frontier, inclusion_proof
from swarm_ledger.relay.anchor import (
    LEAVES_TOPIC,
    LEAVES_TYPE,
    Anchoring,
    Draft,
    Told,
    leaves_data,
)
from swarm_ledger.relay.statement import (
    MAX_DATA_BYTES,
    MAX_WINDOW,
    NUMBER_BITS,
    WINDOWS,
    Notarised,
    Statement,
    Window,
    Windowed,
    named,
    number_of,
    run_of,
    sequence_of,
    with_delegation,
)
from swarm_ledger.signers import Signer


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs. delegation: the sealed one, by which `session` speaks for a member."""

    roster: Roster
    session: Signer
    delegation: bytes


@dataclass(frozen=True, slots=True)
class Anchored:
    """An anchor to be handed in, sealed, and the list of its leaves, to be sent once it is kept.

    leaves: None where an anchor is handed in again.
    """

    sealed: bytes
    leaves: Notarised | None


class Sender:
    """Signs messages for one drone.

    next_run: returns a number that no sender with this session ever had before, and that is
    larger than those; it has to be on disk when it returns. announce_us: how often at least one
    message carries the delegation, for whoever came late; 0 for every message. anchoring: if all
    of it is to be anchored in the ledger.
    """

    def __init__(
        self,
        credentials: Credentials,
        next_run: Callable[[], int],
        *,
        announce_us: int,
        anchoring: Anchoring | None = None,
    ) -> None:
        self.credentials = credentials
        self.anchoring = anchoring
        self._stale_seal = anchoring is not None and anchoring.pending is not None
        self._next_run, self._announce_us = next_run, announce_us
        self._run = next_run()
        self._sequences: dict[str, int] = {}
        self._announced_us: int | None = None
        self._waiting: list[tuple[Statement, bytes]] = []
        self.signatures = 0

    def change(self, credentials: Credentials) -> None:
        """Sign with another session from now on; Misuse while a window is open."""
        if self._waiting:
            raise Misuse("a window is open: close it with the session that it began with.")
        self.credentials, self._announced_us = credentials, None
        self._stale_seal = self.anchoring is not None and self.anchoring.pending is not None

    def sign(
        self, topic: str, type_name: str, type_hash: str, data: bytes, now_us: int
    ) -> Notarised:
        """Sign one message by itself. now_us: POSIX microseconds. Misuse if it can't be stated."""
        statement = self._state(topic, type_name, type_hash, data, now_us)
        sealed = self._seal(Kind.RELAYED, encode(statement))
        if self.anchoring is not None:
            self.anchoring.gathering.add(topic, statement.sequence, sealed)
        return self._notarise(statement, data, sealed, now_us)

    def add(self, topic: str, type_name: str, type_hash: str, data: bytes, now_us: int) -> bool:
        """Put a message into the open window; return whether that is full. Misuse as sign()."""
        if len(self._waiting) == MAX_WINDOW:
            raise Misuse(f"a window of {MAX_WINDOW} messages has to be closed.")
        self._waiting.append((self._state(topic, type_name, type_hash, data, now_us), data))
        return len(self._waiting) == MAX_WINDOW

    def close(self, now_us: int) -> Iterator[Notarised]:
        """Sign the open window; yield its messages in order, each with its path. None if empty."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        tree = Frontier()
        nodes: dict[tuple[int, int], bytes] = {}
        for statement, _ in waiting:
            for level, index, node in tree.append(statement.leaf):
                nodes[level, index] = node
        window = Window(self._number(WINDOWS), len(waiting), tree.root())
        sealed = self._seal(Kind.WINDOW, encode(window))
        if self.anchoring is not None:
            said = [(one.topic, one.sequence) for one, _ in waiting]
            self.anchoring.gathering.add(WINDOWS, window.sequence, sealed, said)
        for index, (statement, data) in enumerate(waiting):
            path = inclusion_proof(index, len(waiting), lambda level, at: nodes[level, at])
            tied = bytes([Kind.WINDOWED]) + encode(Windowed(sealed, index, tuple(path)))
            yield self._notarise(statement, data, tied, now_us)

    def anchor(self, told: Told, now_us: int, *, last: bool = False) -> Anchored | None:
        """Return what is to be handed in to the ledger now, if anything: see Anchoring.step().

        What was handed in under another session is sealed anew, and says the same.
        """
        anchoring = self.anchoring
        if anchoring is None:
            return None
        draft = anchoring.step(told, now_us, last=last)
        if draft is None:
            if not self._stale_seal or anchoring.pending is None:
                return None
            draft = Draft(anchoring.pending)
        self._stale_seal = False
        sealed = self._seal(Kind.ANCHOR, encode(draft.anchor))
        if not draft.leaves:
            return Anchored(sealed, None)
        data = leaves_data(draft.leaves)
        return Anchored(sealed, self.sign(LEAVES_TOPIC, LEAVES_TYPE, "", data, now_us))

    def _seal(self, kind: Kind, payload: bytes) -> bytes:
        self.signatures += 1
        return seal(kind, payload, self.credentials.session, self.credentials.roster)

    def _state(
        self, topic: str, type_name: str, type_hash: str, data: bytes, now_us: int
    ) -> Statement:
        if len(data) > MAX_DATA_BYTES:
            raise Misuse(f"a message on {topic} has {len(data)} bytes, over {MAX_DATA_BYTES}.")
        if now_us < 1:
            raise Misuse("stamp 0 is never signed: simulated time has not begun.")
        try:
            named(topic, type_name, type_hash)
        except PeerFault as fault:
            raise Misuse(f"{topic!r} of {type_name!r} can't be signed: {fault.what}") from fault
        sequence = self._number(topic)
        return Statement(topic, type_name, type_hash, sequence, now_us, digest(data))

    def _number(self, topic: str) -> int:
        last = self._sequences.get(topic)
        if last is None:
            following = sequence_of(self._run, 1)
        elif number_of(last) + 1 == 1 << NUMBER_BITS:
            self._run = self._next_run()
            following = sequence_of(self._run, 1)
        else:
            following = sequence_of(run_of(last), number_of(last) + 1)
        self._sequences[topic] = following
        return following

    def _notarise(
        self, statement: Statement, data: bytes, sealed: bytes, now_us: int
    ) -> Notarised:
        due = self._announced_us is None or now_us - self._announced_us >= self._announce_us
        if due or now_us < (self._announced_us or 0):  # the clock may have been set back
            sealed = with_delegation(self.credentials.delegation, sealed)
            self._announced_us = now_us
        return Notarised(
            topic=statement.topic,
            type_name=statement.type_name,
            type_hash=statement.type_hash,
            sequence=statement.sequence,
            stamp_us=statement.stamp_us,
            data=data,
            swarm_id=self.credentials.roster.swarm_id,
            epoch=self.credentials.roster.version,
            sealed=sealed,
        )
