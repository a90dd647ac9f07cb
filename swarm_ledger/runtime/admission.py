# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Which requests one drone takes in to be ordered, and which it gives up.

What one honest drone holds and all others refuse would have it blame every leader. So either all
refuse it alike, as its bytes tell; or it was late here by our own clock or ledger: then we take it
in if somebody ordered it, and drop it otherwise, whoever may have accepted it before.

That it was ordered before, a replica remembers for the last 65,536 requests, and one whose blocks
are pruned, or that took a state over, for fewer. So what the ledger's state tells to be of no use
any more is not ordered again, remembered or not.
"""

from __future__ import annotations

from contextlib import suppress

import msgspec

from swarm_ledger.encoding import digest, encode
from swarm_ledger.envelope import BALLOTS, MAX_SESSIONS_PER_MEMBER, Kind, kind_of
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity.roster import Member
from swarm_ledger.relay.anchor import Anchor
from swarm_ledger.rules.rule import Answer, Ask, Release, Rule, Withdrawal
from swarm_ledger.runtime.ballots import Ballots
from swarm_ledger.runtime.engine import Engine
from swarm_ledger.runtime.machine import Note, Said, Tick, read_request
from swarm_ledger.runtime.said import Ballot
from swarm_ledger.voting.question import AnyQuestion

LATE = (
    "stale_session",
    "stale_member",
    "stale_roster",
    "expired_roster",
    "convicted",
    "known",
    "too_many_sessions",
    "stale_anchor",
    "broken_chain",
    "too_soon",
    "no_rule",
    "stale_rule",
    "rules_full",
    "no_request",
    "stale_claim",
    "not_listed",
    "long_term",
    "asked_already",
    "queue_full",
    "nothing_held",
)
"""Why a request that all could have taken in is not taken in any more, or not yet."""

_FREE = Ballot | AnyQuestion | Tick | Note
"""What may be ordered whatever it says."""

_NO_NEWS = ("convicted", "known")
_NOBODY = -1
_OVER_MS = 10_000
"""How long what came too late, a tick, a note or a vote, is still ordered: others may not know."""


class Request(msgspec.Struct, frozen=True):
    """A request that was taken in. author: of evidence the culprit, of a roster nobody."""

    author: Member | None
    content: Said | Tick | None = None


class Admission:
    """The requests of one drone's present epoch.

    root_key: the drone's own, public. every_ms: how often to look for what is to be given up, well
    before a leader would be blamed for it.
    """

    def __init__(self, engine: Engine, ballots: Ballots, root_key: bytes, every_ms: int) -> None:
        self._engine, self._ballots, self._root_key = engine, ballots, root_key
        self._every_ms, self._looked_ms = every_ms, 0
        self._alone: dict[tuple[int, Kind], bytes] = {}

    def take(self, raw: bytes) -> Request | None:
        """Take in what has just arrived; None for what is no news. PeerFault if it is refused."""
        try:
            request = self._judge(raw)
        except PeerFault as fault:
            if fault.reason in LATE:
                self._engine.current.replica.supply(raw, self._engine.now_ms)
            if fault.reason in _NO_NEWS:
                return None
            raise
        if self._spent(request):
            self._engine.current.replica.supply(raw, self._engine.now_ms)
        else:
            self._order(raw, request.author)
        return request

    def _spent(self, request: Request) -> bool:
        """Whether the ledger as it is tells that a request would change nothing, for all alike."""
        machine, content = self._engine.machine, request.content
        if isinstance(content, Ballot) and request.author is not None:
            decision = machine.tally.decision_on(content.question)
            if decision is not None:
                return decision.closed_ms + _OVER_MS <= machine.time_ms
            return machine.has(request.author.index, content)
        if isinstance(content, Tick | Note):
            return content.time_ms + _OVER_MS <= machine.time_ms
        if isinstance(content, AnyQuestion):
            return machine.asked(digest(encode(content))) is not None
        return False

    def _judge(self, raw: bytes) -> Request:
        kind, engine = kind_of(raw), self._engine
        if kind is Kind.ROSTER:
            now_ms = max(engine.now_ms, engine.machine.time_ms)
            roster = engine.machine.members.succeed(raw, now_ms).roster
            if engine.secrets and not roster.has_channels:
                raise PeerFault("no_channels", "without them a secret swarm would be mute.")
            engine.expect(roster)
            return Request(None)
        if kind is Kind.SESSION:
            session = engine.current.seat.doorman.lobby.delegated(raw)
            session.check_not_over(engine.now_ms // 1000)
            held = engine.machine.opener.sessions_of(session.member)
            if session in held:
                raise PeerFault("known", f"the ledger has that session of {session.member.name}.")
            if len(held) >= MAX_SESSIONS_PER_MEMBER:
                raise PeerFault("too_many_sessions", f"{session.member.name} has {len(held)}.")
            return Request(session.member)
        if kind is Kind.EVIDENCE:
            culprit = engine.current.seat.doorman.examine(raw).culprit
            if culprit.index in engine.machine.convicted:
                raise PeerFault("convicted", f"{culprit.name} is convicted already.")
            return Request(culprit)
        seat, opened = engine.epochs.open(raw)
        content = read_request(opened)
        if seat is not engine.current.seat:
            version = seat.roster.version
            raise PeerFault("stale_epoch", f"a {kind.name} of epoch {version}.")
        opened.check_fresh(engine.now_ms // 1000)
        signed_by = opened.session
        if signed_by and not seat.doorman.ledger.knows(opened.author, signed_by.kid):
            name = opened.author.name  # a liar shows each drone another session
            raise PeerFault("unknown_key", f"{name}'s session is not on the ledger yet.")
        self._judge_content(opened.author, content)
        if kind in (Kind.ANCHOR, Kind.CLAIM):
            self._judge_alone(opened.author, kind, digest(raw))
        return Request(opened.author, content)

    def _judge_content(self, author: Member, content: Said | Tick) -> None:
        if isinstance(content, _FREE):
            return
        machine = self._engine.machine
        now_ms = max(self._engine.now_ms, machine.time_ms)
        if isinstance(content, Anchor):
            machine.chains.judge(author, content, now_ms)
        elif isinstance(content, Rule | Withdrawal | Answer):
            machine.rules.judge_instruction(content)
        elif isinstance(content, Ask | Release):
            machine.check_not_convicted(author)
            machine.rules.judge_claim(author.id, content, now_ms)

    def _judge_alone(self, author: Member, kind: Kind, key: bytes) -> None:
        """One of a member waits at a time, or it could have many ordered before the first counts.

        That wait is no fault of anybody's: which one comes first here is chance.
        """
        waits = self._alone.get((author.index, kind), key)
        if waits != key and self._engine.current.replica.holds(waits):
            what = kind.name.lower()
            raise PeerFault("too_soon", f"another {what} of {author.name} is waiting already.")
        self._alone[author.index, kind] = key

    def _order(self, raw: bytes, author: Member | None) -> None:
        index = author.index if author else _NOBODY
        self._engine.current.replica.submit(raw, index, self._engine.now_ms)

    def tick(self) -> None:
        """Give up, now and then, what would not be taken in any more."""
        steady_ms = self._engine.steady_ms
        if steady_ms - self._looked_ms >= self._every_ms:
            self._looked_ms = steady_ms
            dropped = self._engine.current.replica.withdraw(self._late)
            if dropped:
                self._engine.keeper.store.pending_remove(dropped)

    def _late(self, raw: bytes) -> bool:
        try:
            return self._spent(self._judge(raw))
        except PeerFault as fault:
            return fault.reason in LATE

    def take_back(self, *, restarted: bool) -> None:
        """Go on with the requests on disk that belong to the present epoch, and drop the others.

        After a restart, one that can't be opened is kept, as its author has not introduced itself
        again: a batch that we prepared may hold it. What has expired since is kept in any case.
        """
        store = self._engine.keeper.store
        for key, body in store.pending_read():
            try:
                ours = self._resume(body)
            except PeerFault:
                ours = restarted
                if restarted:
                    self._order(body, None)
            if not ours:
                store.pending_remove([key])

    def _resume(self, body: bytes) -> bool:
        """Have a request ordered in the present epoch; False if it belongs to another one.

        Then it is void, but our own vote is said again, and kept until it is. PeerFault if it
        can't be told.
        """
        kind, engine = kind_of(body), self._engine
        here, route, author, kept = engine.current.seat, engine.epochs.route, None, False
        if kind is Kind.ROSTER:
            seat = here
        elif kind is Kind.SESSION:
            seat, author = route(lambda seat: seat.doorman.lobby.delegated(body).member)
            with suppress(PeerFault):
                seat.doorman.lobby.add_session(body)
        elif kind is Kind.EVIDENCE:
            seat, author = route(lambda seat: seat.doorman.examine(body).culprit)
        else:
            seat, opened = engine.epochs.open(body)
            author = opened.author
            if kind in BALLOTS and author.public_key == self._root_key:
                if seat is not here:
                    kept = self._ballots.say_again(opened)
                elif self._ballots.take_back(opened):
                    return True
        if seat is here:
            self._order(body, author)
        return seat is here or kept
