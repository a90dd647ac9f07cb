# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One drone's votes on their way: sealed once, on disk before they are sent."""

from __future__ import annotations

from swarm_ledger.encoding import digest, encode
from swarm_ledger.envelope import Kind, Opened
from swarm_ledger.identity.roster import Role
from swarm_ledger.runtime.engine import Engine
from swarm_ledger.runtime.voter import Look, Voter
from swarm_ledger.transport import Transport
from swarm_ledger.voting.observation import Observation, parse_observation


class Ballots:
    """Votes when a drone has seen enough, and never says anything else. looks: as Voter has it.

    sealed: votes that are not on the ledger yet, by digest, and when that was.
    """

    def __init__(self, engine: Engine, transport: Transport, looks: int) -> None:
        self._engine, self._transport, self._voter = engine, transport, Voter(looks)
        self.sealed: dict[bytes, int] = {}

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
        """Vote on what we have seen enough of."""
        identity = self._engine.current.seat.identity
        if not self._engine.speaks or identity is None or Role.VOTER not in identity.member.roles:
            return
        for question in self._engine.machine.tally.open_questions():
            observation = self._voter.due(question, self._engine.now_ms)
            if observation is not None:
                self._cast(observation)

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
        self.sealed[digest(raw)] = now_ms
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
