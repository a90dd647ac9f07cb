# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Gathers what convicts liars, and hands it in until they are convicted."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress

from swarm_ledger.consensus.messages import MAX_REQUEST_BYTES
from swarm_ledger.consensus.ready import Evidence
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity.roster import Member
from swarm_ledger.runtime.chronicle import Emit
from swarm_ledger.runtime.engine import Engine
from swarm_ledger.runtime.epochs import Epoch
from swarm_ledger.runtime.evidence import accusation, examine
from swarm_ledger.runtime.said import Ballot
from swarm_ledger.transport import Transport

_BALLOTS = 128
"""Of one member that are remembered; two on as many questions as there can be open."""


class Prosecutor:
    """What one drone has against others in the present epoch: a case each, at most.

    Ballots are kept per author, so that whoever floods us displaces only its own. every_ms: how
    often open cases are handed in again.
    """

    def __init__(self, engine: Engine, transport: Transport, emit: Emit, every_ms: int) -> None:
        self._engine, self._transport, self._emit = engine, transport, emit
        self._every_ms, self._tried_ms = every_ms, 0
        self._heard: dict[int, OrderedDict[tuple[bytes, int], tuple[Ballot, bytes]]] = {}
        self._cases: dict[int, bytes] = {}
        self._reported: set[int] = set()

    def begin_anew(self) -> None:
        """Drop all: another epoch begins, in which nothing of this one can be judged."""
        self._heard.clear()
        self._cases.clear()
        self._reported.clear()

    def hear(self, author: Member, ballot: Ballot, raw: bytes) -> None:
        """Take note of a ballot; its author may have told others, or us, something else."""
        heard = self._heard.setdefault(author.index, OrderedDict())
        known, before = heard.setdefault((ballot.question, raw[0]), (ballot, raw))
        if len(heard) > _BALLOTS:
            heard.popitem(last=False)
        if known != ballot:
            self.accuse(author, accusation(before, raw))

    def take(self, evidence: Evidence, epoch: Epoch) -> None:
        """Accuse whom consensus caught; of an epoch that is over it can only be reported."""
        culprit = epoch.seat.roster.members[evidence.culprit]
        if epoch is self._engine.current:
            self.accuse(culprit, accusation(evidence.first, evidence.second))
        else:
            self._emit("evidence", {"culprit": culprit.name})

    def accuse(self, culprit: Member, against: bytes) -> None:
        """Report a contradiction once, and open a case if it is not too large for an entry."""
        index = culprit.index
        if index in self._engine.machine.convicted or self._provable(index):
            return
        if index not in self._reported:
            self._reported.add(index)
            self._emit("evidence", {"culprit": culprit.name})
        if len(against) <= MAX_REQUEST_BYTES:
            self._cases[index] = against
            self._tried_ms = 0

    def _provable(self, culprit: int) -> bool:
        """Whether there is a case that the ledger's sessions prove: only then it stays."""
        try:
            # Not by the epoch at work: there is none yet where a stored ledger is replayed.
            examine(self._cases.get(culprit, b""), self._engine.machine.opener)
        except PeerFault:
            return False
        return True

    def tick(self) -> None:
        """Hand in what there is, until they are convicted.

        It may have to wait: for the culprit's session to be on the ledger, or for room in the
        pool, as it counts against the culprit's own quota.
        """
        steady_ms = self._engine.steady_ms
        if steady_ms - self._tried_ms < self._every_ms:
            return
        self._tried_ms = steady_ms
        epoch = self._engine.current
        for culprit, against in sorted(self._cases.items()):
            if culprit in self._engine.machine.convicted:
                del self._cases[culprit]
                continue
            with suppress(PeerFault):
                epoch.seat.doorman.examine(against)
                if epoch.replica.submit(against, culprit, self._engine.now_ms):
                    self._transport.broadcast(against)
