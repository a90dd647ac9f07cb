# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One drone's votes, sealed once, on disk before they are sent, and the deadlines of questions.

Where a question asks for it, a vote is committed to first, and waits on disk to be opened. Its
salt is a digest of a signature that is never sent: nobody else can tell it, and a simulated flight
has the same one each time.

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
from swarm_ledger.runtime.said import Ballot, read_ballot
from swarm_ledger.runtime.voter import Look, Voter
from swarm_ledger.transport import Transport
from swarm_ledger.voting.commitment import SALT_BYTES, Commitment, Reveal, hide
from swarm_ledger.voting.observation import AnyObservation
from swarm_ledger.voting.poll import OpenQuestion

_UNTOLD = 256


@dataclass(frozen=True, slots=True)
class _Unsealed:
    """What is yet to be sealed. instead_of: digest of it as another epoch had it sealed."""

    kind: Kind
    content: Ballot
    instead_of: tuple[bytes, ...] = ()


class Ballots:
    """Votes when a drone has seen enough, and never says anything else. looks: as Voter has it.
    tick_ms: how soon a block is asked for again because a time is up.

    sealed: votes that are not on the ledger yet, by digest, and when that was. What is committed
    to waits in _unopened, by question, until the ledger's time asks for it.
    """

    def __init__(
        self,
        engine: Engine,
        keys: Keys,
        transport: Transport,
        emit: Emit,
        *,
        looks: int,
        tick_ms: int,
    ) -> None:
        self._pause_ms = tick_ms
        self._engine, self._transport, self._voter = engine, transport, Voter(looks)
        self._keys, self._emit = keys, emit
        self._waiting: dict[tuple[bytes, Kind], _Unsealed] = {}
        self._unopened: dict[bytes, bytes] = {}
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

    def observe(self, observation: AnyObservation) -> bool:
        """Vote with what somebody else made of what the drone saw; whether it is our first vote.

        Nothing happens unless its question is open here, and we are a member.
        """
        identity = self._engine.current.seat.identity
        for asked in self._engine.machine.tally.open_questions():
            if asked.question_id == observation.question and identity is not None:
                first = self._voter.first(observation.question)
                if first:
                    self._say(identity, asked, observation)
                return first
        return False

    def voted(self, question: bytes) -> None:
        """Note that we have voted on a question: the ledger or our disk says so."""
        self._voter.voted(question)

    def tick(self) -> None:
        """Vote on what we have seen enough of, and have questions closed whose time is up."""
        identity = self._engine.current.seat.identity
        if identity is None:
            return
        if self._engine.votes and Role.VOTER in identity.member.roles:
            for question in self._engine.machine.tally.open_questions():
                observation = self._voter.due(question, self._engine.now_ms)
                if observation is not None:
                    self._say(identity, question, observation)
        self._voter.forget(self._engine.machine.tally.open_questions())
        self._cast_all()
        self._open_all(identity)
        self._pass_deadlines(identity)

    def _say(self, identity: Identity, asked: OpenQuestion, observation: AnyObservation) -> None:
        if asked.reveal_from_ms is None:
            self._await(Kind.VOTE, observation)
            return
        unsent = identity.seal(Kind.REVEAL, encode(observation))
        reveal = Reveal(digest(unsent)[:SALT_BYTES], observation)
        self._await(Kind.REVEAL, reveal)
        self._commit_to(reveal)

    def _await(self, kind: Kind, content: Ballot, instead_of: tuple[bytes, ...] = ()) -> None:
        self._waiting[content.question, kind] = _Unsealed(kind, content, instead_of)

    def _open_all(self, identity: Identity) -> None:
        """Open what the ledger's time asks for, and forget what it does not any more."""
        machine = self._engine.machine
        asked = {open_.question_id: open_ for open_ in machine.tally.open_questions()}
        for question, raw in list(self._unopened.items()):
            since_ms = asked[question].reveal_from_ms if question in asked else None
            if since_ms is None:
                self._engine.keeper.store.pending_remove([digest(raw)])
            elif machine.time_ms < since_ms or self._engine.forgetful:
                continue
            else:
                self._send(identity, raw)
            del self._unopened[question]

    def _pass_deadlines(self, identity: Identity) -> None:
        """Ask for a block when a question's or a lease's time is up, and somebody waits for that.

        The leader first, the others after it.
        """
        replica, now_ms = self._engine.current.replica, self._engine.now_ms
        settings = replica.settings
        if not settings.speaks or self._engine.steady_ms - self._tick_ms < self._pause_ms:
            return
        order = settings.members
        rank = (order.index(settings.me) - order.index(replica.leader)) % settings.n
        patience = rank * settings.resend_ms
        machine = self._engine.machine
        ends = [_next_ms(question, machine.time_ms) for question in machine.tally.open_questions()]
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
        for (question, kind), ballot in list(self._waiting.items()):
            if question not in asked:
                self._give_up(question, ballot)
            elif kind is Kind.COMMIT and (question, Kind.REVEAL) in self._waiting:
                continue  # what can't be opened is not committed to
            elif identity is not None and not self._engine.forgetful:
                self._cast(identity, ballot)
        self._tell(self._keys.trouble if self._waiting else None)

    def _cast(self, identity: Identity, ballot: _Unsealed) -> None:
        """Seal a ballot and send it, unless its key has yet to sign, or it is to be opened later.

        On disk before it is sent: after a restart another look would contradict it.
        """
        store, now_ms = self._engine.keeper.store, self._engine.now_ms
        if Role.VOTER not in identity.member.roles:
            return
        raw = self._keys.vote(identity, encode(ballot.content), now_ms // 1000, ballot.kind)
        if raw is None:
            return
        with store.transaction():
            store.pending_put(digest(raw), raw)
            store.pending_remove(ballot.instead_of)
        question = ballot.content.question
        del self._waiting[question, ballot.kind]
        if ballot.kind is Kind.REVEAL:
            self._unopened[question] = raw
        else:
            self._send(identity, raw)

    def _send(self, identity: Identity, raw: bytes) -> None:
        self.sealed[digest(raw)] = self._engine.steady_ms
        if len(self.sealed) > _UNTOLD:  # some were never ordered: their questions were over
            del self.sealed[next(iter(self.sealed))]
        self._engine.current.replica.submit(raw, identity.member.index, self._engine.now_ms)
        self._transport.broadcast(raw)

    def _give_up(self, question: bytes, ballot: _Unsealed) -> None:
        del self._waiting[question, ballot.kind]
        self._engine.keeper.store.pending_remove(ballot.instead_of)
        trouble = self._keys.trouble
        why = trouble.explain() if trouble else "The root key did not sign in time."
        self._emit("vote_given_up", {"question": question.hex(), "what": why})

    def _tell(self, trouble: Misuse | None) -> None:
        if trouble is not None and trouble is not self._trouble:
            self._emit("key", {"what": trouble.what, "remedy": trouble.remedy})
        self._trouble = trouble

    def say_again(self, opened: Opened) -> bool:
        """Seal our ballot of an epoch that is over once more, if its question still waits for it.

        True if it is yet to be sealed: until then the old one stays on disk, so that a restart
        does not forget what we said.
        """
        ballot = read_ballot(opened)
        question = ballot.question
        self._voter.voted(question)
        if self._engine.machine.lacks(opened.author.index, ballot):
            self._await(opened.kind, ballot, (digest(opened.raw),))
            self._commit_to(ballot)
            self._cast_all()
        return (question, opened.kind) in self._waiting or question in self._unopened

    def take_back(self, opened: Opened) -> bool:
        """Go on with our own ballot from disk; True if it is one that waits to be opened."""
        ballot = read_ballot(opened)
        self._voter.voted(ballot.question)
        if not isinstance(ballot, Reveal):
            return False
        if not self._engine.machine.lacks(opened.author.index, ballot):
            return False
        self._unopened[ballot.question] = opened.raw
        self._commit_to(ballot)
        return True

    def _commit_to(self, ballot: Ballot) -> None:
        """Commit to what is on disk to be opened, unless the ledger has that already.

        It is the same commitment each time, whether it was sent before or not.
        """
        identity = self._engine.current.seat.identity
        if identity is None or not isinstance(ballot, Reveal):
            return
        hidden = hide(identity.member.index, ballot)
        commitment = Commitment(ballot.observation.question, hidden)
        waits = (commitment.question, Kind.COMMIT) in self._waiting
        if not waits and self._engine.machine.lacks(identity.member.index, commitment):
            self._await(Kind.COMMIT, commitment)


def _next_ms(asked: OpenQuestion, time_ms: int) -> int:
    """Return when, in the ledger's time, something about a question is due next."""
    since_ms = asked.reveal_from_ms
    return since_ms if since_ms is not None and time_ms < since_ms else asked.deadline_ms
