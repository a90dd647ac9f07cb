# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One drone's votes, sealed once, on disk before they are sent, and the deadlines of questions.

A hardware_only member's votes are sealed by its root key, which may take long, or be gone: they
wait for it, and are given up when their question is over.
"""

from __future__ import annotations

from dataclasses import dataclass

from swarm_ledger.encoding import digest, encode
from swarm_ledger.envelope import Kind, Opened
from swarm_ledger.errors import Misuse
from swarm_ledger.identity.roster import Role
from swarm_ledger.runtime.chronicle import Emit
from swarm_ledger.runtime.engine import Engine
from swarm_ledger.runtime.identity import Identity, Keys
from swarm_ledger.runtime.machine import Tick
from swarm_ledger.runtime.voter import Look, Voter
from swarm_ledger.transport import Transport
from swarm_ledger.voting.observation import Observation, parse_observation

_TICK_MS = 1_000


@dataclass(frozen=True, slots=True)
class _Unsealed:
    """A vote that is yet to be sealed. instead_of: digest of it as another epoch had it sealed."""

    observation: Observation
    instead_of: tuple[bytes, ...] = ()


class Ballots:
    """Votes when a drone has seen enough, and never says anything else. looks: as Voter has it.

    sealed: votes that are not on the ledger yet, by digest, and when that was.
    """

    def __init__(
        self, engine: Engine, keys: Keys, transport: Transport, emit: Emit, looks: int
    ) -> None:
        self._engine, self._transport, self._voter = engine, transport, Voter(looks)
        self._keys, self._emit = keys, emit
        self._waiting: dict[bytes, _Unsealed] = {}
        self._trouble: Misuse | None = None
        self.sealed: dict[bytes, int] = {}
        self._tick_ms = 0

    @property
    def curious(self) -> bool:
        """Whether another look would help: a question is open on which we have not voted."""
        return self._voter.curious(self._engine.machine.tally.open_questions())

    def look(self, look: Look) -> None:
        """Take in one judged image."""
        self._voter.look(look, self._engine.machine.tally.open_questions())

    def observe(self, observation: Observation) -> bool:
        """Vote with what somebody else made of what the drone saw; whether it is our first vote.

        Nothing happens unless its question is open here.
        """
        asked = {one.question_id for one in self._engine.machine.tally.open_questions()}
        first = observation.question in asked and self._voter.first(observation.question)
        if first:
            self._waiting[observation.question] = _Unsealed(observation)
        return first

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
                    self._waiting[observation.question] = _Unsealed(observation)
        self._cast_all()
        self._pass_deadlines(identity)

    def _pass_deadlines(self, identity: Identity) -> None:
        """Ask for a block when a question's or a lease's time is up, and somebody waits for that.

        The leader first, the others after it.
        """
        replica, now_ms = self._engine.current.replica, self._engine.now_ms
        settings = replica.settings
        if not settings.speaks or self._engine.steady_ms - self._tick_ms < _TICK_MS:
            return
        order = settings.members
        rank = (order.index(settings.me) - order.index(replica.leader)) % settings.n
        patience = rank * settings.resend_ms
        machine = self._engine.machine
        ends = [question.deadline_ms for question in machine.tally.open_questions()]
        turn_ms = machine.rules.due_ms()
        if turn_ms is not None:
            ends.append(turn_ms)
        if any(end_ms + patience <= now_ms for end_ms in ends):
            self._tick_ms = self._engine.steady_ms
            raw = identity.seal(Kind.TICK, encode(Tick(now_ms)))
            replica.submit(raw, settings.me, now_ms)
            self._transport.broadcast(raw)

    def _cast_all(self) -> None:
        """Send the votes that can be sealed by now, and give up those that nobody waits for."""
        identity = self._engine.current.seat.identity
        asked = {open_.question_id for open_ in self._engine.machine.tally.open_questions()}
        for question, vote in list(self._waiting.items()):
            if question not in asked:
                self._give_up(question, vote)
            elif identity is not None and not self._engine.forgetful:
                self._cast(identity, vote)
        self._tell(self._keys.trouble if self._waiting else None)

    def _cast(self, identity: Identity, vote: _Unsealed) -> None:
        """Seal a vote and send it, unless its key has yet to sign.

        On disk before it is sent: after a restart another look would contradict it.
        """
        epoch, store, now_ms = self._engine.current, self._engine.keeper.store, self._engine.now_ms
        if Role.VOTER not in identity.member.roles:
            return
        raw = self._keys.vote(identity, encode(vote.observation), now_ms // 1000)
        if raw is None:
            return
        with store.transaction():
            store.pending_put(digest(raw), raw)
            store.pending_remove(vote.instead_of)
        del self._waiting[vote.observation.question]
        self.sealed[digest(raw)] = self._engine.steady_ms
        epoch.replica.submit(raw, identity.member.index, now_ms)
        self._transport.broadcast(raw)

    def _give_up(self, question: bytes, vote: _Unsealed) -> None:
        del self._waiting[question]
        self._engine.keeper.store.pending_remove(vote.instead_of)
        trouble = self._keys.trouble
        why = trouble.explain() if trouble else "The root key did not sign in time."
        self._emit("vote_given_up", {"question": question.hex(), "what": why})

    def _tell(self, trouble: Misuse | None) -> None:
        if trouble is not None and trouble is not self._trouble:
            self._emit("key", {"what": trouble.what, "remedy": trouble.remedy})
        self._trouble = trouble

    def say_again(self, opened: Opened) -> bool:
        """Seal our vote of an epoch that is over once more, if its question still waits for it.

        True if it is yet to be sealed: until then the old one stays on disk, so that a restart
        does not forget what we said.
        """
        vote = parse_observation(opened.payload)
        self._voter.voted(vote.question)
        for question in self._engine.machine.tally.open_questions():
            counted = {cast.voter for cast in question.votes}
            if question.question_id == vote.question and opened.author.index not in counted:
                self._waiting[vote.question] = _Unsealed(vote, (digest(opened.raw),))
                self._cast_all()
        return vote.question in self._waiting
