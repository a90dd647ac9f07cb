# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One drone's votes, sealed once, on disk before they are sent, and the deadlines of questions."""

from __future__ import annotations

from swarm_ledger.encoding import digest, encode
from swarm_ledger.envelope import Kind, Opened
from swarm_ledger.identity.roster import Role
from swarm_ledger.runtime.engine import Engine
from swarm_ledger.runtime.identity import Identity
from swarm_ledger.runtime.machine import Tick
from swarm_ledger.runtime.voter import Look, Voter
from swarm_ledger.transport import Transport
from swarm_ledger.voting.observation import Observation, parse_observation

_TICK_MS = 1_000


class Ballots:
    """Votes when a drone has seen enough, and never says anything else. looks: as Voter has it.

    sealed: votes that are not on the ledger yet, by digest, and when that was.
    """

    def __init__(self, engine: Engine, transport: Transport, looks: int) -> None:
        self._engine, self._transport, self._voter = engine, transport, Voter(looks)
        self.sealed: dict[bytes, int] = {}
        self._tick_ms = 0

    @property
    def curious(self) -> bool:
        """Whether another look would help: a question is open on which we have not voted."""
        return self._voter.curious(self._engine.machine.tally.open_questions())

    def look(self, look: Look) -> None:
        """Take in one judged image."""
        self._voter.look(look, self._engine.machine.tally.open_questions())

    def voted(self, question: bytes) -> None:
        """Note that we have voted on a question: the ledger or our disk says so."""
        self._voter.voted(question)

    def tick(self) -> None:
        """Vote on what we have seen enough of, and have questions closed whose time is up."""
        identity = self._engine.current.seat.identity
        if identity is None:
            return
        if self._engine.speaks and Role.VOTER in identity.member.roles:
            for question in self._engine.machine.tally.open_questions():
                observation = self._voter.due(question, self._engine.now_ms)
                if observation is not None:
                    self._cast(observation)
        self._pass_deadlines(identity)

    def _pass_deadlines(self, identity: Identity) -> None:
        """Ask for a block when a question's time is up; the leader first, the others after it."""
        replica, now_ms = self._engine.current.replica, self._engine.now_ms
        settings = replica.settings
        if not settings.speaks or self._engine.steady_ms - self._tick_ms < _TICK_MS:
            return
        order = settings.members
        rank = (order.index(settings.me) - order.index(replica.leader)) % settings.n
        patience = rank * settings.resend_ms
        questions = self._engine.machine.tally.open_questions()
        if any(question.deadline_ms + patience <= now_ms for question in questions):
            self._tick_ms = self._engine.steady_ms
            raw = identity.seal(Kind.TICK, encode(Tick(now_ms)))
            replica.submit(raw, settings.me, now_ms)
            self._transport.broadcast(raw)

    def _cast(self, observation: Observation, instead_of: bytes | None = None) -> None:
        """Seal a vote and send it. instead_of: the same one as it was sealed in another epoch.

        On disk before it is sent: after a restart another look would contradict it.
        """
        epoch, store, now_ms = self._engine.current, self._engine.keeper.store, self._engine.now_ms
        identity = epoch.seat.identity
        if identity is None:
            return
        raw = identity.seal(Kind.VOTE, encode(observation))
        with store.transaction():
            store.pending_put(digest(raw), raw)
            if instead_of is not None:
                store.pending_remove([digest(instead_of)])
        self.sealed[digest(raw)] = self._engine.steady_ms
        epoch.replica.submit(raw, identity.member.index, now_ms)
        self._transport.broadcast(raw)

    def say_again(self, opened: Opened) -> None:
        """Seal our vote of an epoch that is over once more, if its question still waits for it."""
        vote = parse_observation(opened.payload)
        self._voter.voted(vote.question)
        for question in self._engine.machine.tally.open_questions():
            counted = {cast.voter for cast in question.votes}
            if question.question_id == vote.question and opened.author.index not in counted:
                self._cast(vote, instead_of=opened.raw)
