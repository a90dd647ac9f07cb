# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One member of the swarm at work: what it hears, sees, says and wants.

A Drone is driven from outside, by one thread: receive_all() for what arrived, tick() every few
dozen milliseconds, look() for each image. Time is an argument, POSIX milliseconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from swarm_ledger.consensus.ready import Evidence
from swarm_ledger.consensus.settings import Settings
from swarm_ledger.encoding import digest
from swarm_ledger.envelope import BALLOTS, Kind, kind_of
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.identity.roster import Member, Roster
from swarm_ledger.identity.trust import Trust
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.admission import Admission
from swarm_ledger.runtime.ballots import Ballots
from swarm_ledger.runtime.chronicle import Emit, describe
from swarm_ledger.runtime.claims import Claims
from swarm_ledger.runtime.clocks import Clocks
from swarm_ledger.runtime.engine import Engine
from swarm_ledger.runtime.epochs import ELSEWHERE, Epoch, Seat
from swarm_ledger.runtime.feeding import Feeding, Following
from swarm_ledger.runtime.greeting import Greeting
from swarm_ledger.runtime.identity import Identity, Keys
from swarm_ledger.runtime.keeper import Keeper
from swarm_ledger.runtime.machine import Applied, Machine
from swarm_ledger.runtime.membership import roster_request
from swarm_ledger.runtime.prosecutor import Prosecutor
from swarm_ledger.runtime.renewal import Renewal
from swarm_ledger.runtime.rhythm import USUAL, Rhythm
from swarm_ledger.runtime.said import Ballot
from swarm_ledger.runtime.sharing import Sharing
from swarm_ledger.runtime.standing import HEARTBEAT_MS, Pulse, standing, status
from swarm_ledger.runtime.transfer import Transfer
from swarm_ledger.runtime.voter import Look
from swarm_ledger.transport import Transport
from swarm_ledger.transport.secret import Secrets
from swarm_ledger.voting.observation import AnyObservation

_MEET_MS = 5_000
_NOBODY = -1


class Drone:
    """A validator and voter, or one that was, or will be.

    keys: its own; trust: the first roster, and whose signatures later ones need. store: its
    ledger, empty or from an earlier run, which it then continues. settings: the protocol's
    parameters. looks: images that make a vote. question: a sealed one, asked as soon as the swarm
    has met. secrets: those by which the transport conceals what is said, if it does: then what is
    heard in clear counts for nothing. max_bytes: how large its ledger's file may grow, 0 for an
    archive. rhythm: how often it says what nobody asked for. Raises NotVerified where that ledger
    is another swarm's, or contradicts what a quorum cosigned.
    """

    def __init__(
        self,
        keys: Keys,
        trust: Trust,
        store: Store,
        transport: Transport,
        settings: Settings,
        *,
        now_ms: int,
        emit: Emit,
        looks: int = 5,
        question: bytes | None = None,
        secrets: Secrets | None = None,
        max_bytes: int = 0,
        rhythm: Rhythm = USUAL,
    ) -> None:
        self.faults: Counter[str] = Counter()
        self.blamed: dict[str, Counter[str]] = {}
        self._keys, self._trust, self._transport, self._emit = keys, trust, transport, emit
        self.pulse = Pulse(max(HEARTBEAT_MS, 8 * settings.resend_ms))
        self._roster_ms, self._hand_in_ms = 0, rhythm.hand_in_ms
        self._start_ms, self._question = now_ms, question
        self.engine = Engine(
            keys,
            trust,
            store,
            transport,
            settings,
            owner=self,
            now_ms=now_ms,
            emit=emit,
            secrets=secrets,
            max_bytes=max_bytes,
        )
        self.sharing = Sharing(self.engine, secrets, transport) if secrets else None
        self.greeting = Greeting(self.engine, transport, emit, rhythm)
        self.clocks = Clocks(self.engine, transport, emit, settings.max_ahead_ms // 2, rhythm)
        self.clocks.set_time(now_ms)
        self.renewal = Renewal(self.engine, keys, emit)
        self.ballots = Ballots(
            self.engine, keys, transport, emit, looks=looks, tick_ms=rhythm.tick_ms
        )
        often = settings.request_timeout_ms // 4
        self.admission = Admission(self.engine, self.ballots, keys.root_key, often)
        ahead_ms = settings.max_ahead_ms
        self.claims = Claims(self.engine, self.admission, transport, emit, ahead_ms)
        self.prosecutor = Prosecutor(self.engine, transport, emit, settings.resend_ms)
        self.feeding = Feeding(self.engine, transport, settings.resend_ms)
        self.following = Following(self.engine, transport, settings.resend_ms)
        self.transfer = Transfer(self.engine, transport, emit, archive=not max_bytes)
        self._go_on(self.engine.start())
        self.engine.drain()

    def _go_on(self, replayed: Iterable[Applied]) -> None:
        """Take up our work where the ledger ends."""
        for applied in replayed:
            self.on_replayed(applied)
        for question in self.machine.tally.open_questions():
            pledges = self.machine.tally.pledges(question.question_id)
            voters = {one.voter for one in question.votes} | {one.voter for one in pledges}
            if self.member.index in voters:
                self.ballots.voted(question.question_id)
        self.greeting.begin()  # or what our session sealed before the ledger had it were unknown
        self.admission.take_back(restarted=True)
        self.engine.introduce()
        if self.sharing:
            self.sharing.show()

    # what the world does to us

    def receive(self, raw: bytes, now_ms: int) -> None:
        """Take in one message."""
        self.receive_all((raw,), now_ms)

    def receive_all(self, raws: Iterable[bytes], now_ms: int) -> list[int]:
        """Take in what arrived, in order; whatever is wrong with it is counted, not raised.

        What follows from all of it is carried out at the end: one write to disk for what binds us.
        Returns the places of those that were refused at once.
        """
        self._pass_time(now_ms)
        refused: list[int] = []
        for place, raw in enumerate(raws):
            try:
                plain = self.engine.secrets.reveal(raw) if self.engine.secrets else raw
                if plain is not None:
                    self._receive_ahead(plain)
            except PeerFault as fault:
                self.on_fault(fault)
                refused.append(place)
        self.engine.drain()
        return refused

    def submit(self, raw: bytes, now_ms: int) -> None:
        """Have sealed bytes ordered, such as an operator's question; PeerFault if they are bad."""
        self.submit_all((raw,), now_ms)

    def submit_all(self, raws: Iterable[bytes], now_ms: int) -> None:
        """Have several ordered, at one go; PeerFault at the first that is bad."""
        self._pass_time(now_ms)
        try:
            for raw in raws:
                self._receive(raw)
                self._transport.broadcast(raw)
        finally:
            self.engine.drain()

    def learn(self, trust: Trust, now_ms: int) -> None:
        """Take in roster versions that came since: the next one is handed in to the swarm.

        Raises NotVerified where they do not go on from those that are known here, Misuse where
        there could be no secrecy any more.
        """
        self._pass_time(now_ms)
        self._trust.check_learnt(trust)
        if self.engine.secrets and not trust.newest.has_channels:
            raise Misuse(
                f"roster version {trust.newest.version} has no channel keys: all would be mute.",
                remedy="Have the operators list the drones' channel keys: roster channel.",
            )
        self._trust, self.engine.trust, self._roster_ms = trust, trust, 0
        for later in trust.versions:
            self.engine.expect(later.roster)
        self.engine.introduce()
        self.engine.drain()

    def look(self, look: Look) -> None:
        """Take in one judged image; when there are enough of them, vote."""
        self.ballots.look(look)

    def observe(self, observation: AnyObservation) -> bool:
        """Vote with an observation that was made elsewhere; whether it is our first on that."""
        return self.ballots.observe(observation)

    def tick(self, now_ms: int) -> None:
        """Let time pass."""
        self._pass_time(now_ms)
        self.renewal.tick()
        self.greeting.tick()
        self.clocks.tick()
        self.admission.tick()
        self.transfer.tick()
        self.feeding.tick()
        self.following.tick()
        if self.sharing:
            self.sharing.tick()
        self._hand_in_roster()
        self._ask()
        self.ballots.tick()
        self.claims.tick()
        self.prosecutor.tick()
        self.engine.tick(self._now_ms)
        self.engine.drain()

    def _pass_time(self, now_ms: int) -> None:
        self.clocks.set_time(now_ms)
        self.engine.set_time(now_ms)

    # what can be seen from outside

    @property
    def _now_ms(self) -> int:
        return self.engine.now_ms

    @property
    def keeper(self) -> Keeper:
        """The ledger's keeper."""
        return self.engine.keeper

    @property
    def machine(self) -> Machine:
        """The state behind the ledger."""
        return self.engine.machine

    @property
    def roster(self) -> Roster:
        """The roster of the epoch that the ledger has reached."""
        return self.engine.current.seat.roster

    @property
    def identity(self) -> Identity | None:
        """Our session in that epoch, None where we are no member."""
        return self._seat.identity

    @property
    def member(self) -> Member:
        """Ourselves in that roster, or in the last one that we know of and are a member of."""
        given = (version.roster for version in reversed(self._trust.versions))
        past = (era.roster for era in reversed(self.machine.members.eras))
        for roster in (self.roster, *given, *past):
            for member in roster.members:
                if self._is_me(member):
                    return member
        raise Misuse("this drone's key is in no version of the roster.")

    @property
    def curious(self) -> bool:
        """Whether another look would help: a question is open on which we have not voted."""
        return self.ballots.curious

    @property
    def standing(self) -> str:
        """What we are in the present epoch; see standing.standing()."""
        return standing(self)

    def status(self) -> dict[str, Any]:
        """Where this drone is, for screens and logs; see standing.status()."""
        return status(self)

    @property
    def _seat(self) -> Seat:
        return self.engine.current.seat

    def _is_me(self, member: Member | None) -> bool:
        return member is not None and member.public_key == self._keys.root_key

    # taking in

    def _receive_ahead(self, raw: bytes) -> None:
        """Take a message in before what follows from earlier ones is carried out, if possible."""
        try:
            self._receive(raw)
        except PeerFault as fault:
            # A block about to be applied may hold the session, or the roster.
            if fault.reason not in ELSEWHERE or not self.engine.drain():
                raise
            self._receive(raw)

    def _receive(self, raw: bytes) -> None:
        kind = kind_of(raw)
        route = self.engine.epochs.route
        if kind in BALLOTS:
            request = self.admission.take(raw)
            if request and request.author and isinstance(request.content, Ballot):
                self.prosecutor.hear(request.author, request.content, raw)
        elif kind in (Kind.CONSENSUS, Kind.CARRIED):
            now_s = self._now_ms // 1000
            seat, signed = route(lambda seat: seat.doorman.hear(raw, now_s))
            self.pulse.hear(seat.roster.members[signed.sender].name, self.engine.steady_ms)
            self.following.hear(signed)
            self.engine.hear(seat, signed)
        elif kind is Kind.SESSION:
            seat, session = route(lambda seat: seat.doorman.lobby.delegated(raw))
            if seat is self._seat:
                self.admission.take(raw)
            self.greeting.hear(seat, session)
        elif kind is Kind.WELCOME:
            self.greeting.hear_welcome(raw)
        elif kind is Kind.CLOCK:
            self.clocks.hear(raw)
        elif self.sharing and kind is Kind.SHARES:
            self.sharing.hear(raw)
        elif self.sharing and kind is Kind.LACKING:
            self.sharing.hear_lacking(raw)
        elif kind in (Kind.LAGGING, Kind.PIECE, Kind.FOLLOW, Kind.CERTIFIED):
            self._receive_state(kind, raw)
        elif kind in (Kind.SECRET, Kind.CONFIDED) and not self.sharing:
            raise PeerFault("no_key", "others speak in secret: our fleet file says nothing of it.")
        else:
            self.admission.take(raw)

    def _receive_state(self, kind: Kind, raw: bytes) -> None:
        if kind is Kind.LAGGING:
            self.transfer.hear_lagging(raw)
            return
        if kind is Kind.CERTIFIED:
            self.following.hear_certified(raw)
            return
        if kind is Kind.FOLLOW:
            pruned_for = self.feeding.hear(raw)
            if pruned_for is not None:
                self.transfer.offer(*pruned_for)
            return
        state = self.transfer.hear_piece(raw)
        if state is not None:
            self.prosecutor.begin_anew()
            self.clocks.begin()
            self._go_on(self.engine.adopt(*state))

    def on_fault(self, fault: PeerFault) -> None:
        """Count what a peer did wrong, and report it the first time."""
        self.faults[fault.reason] += 1
        if fault.peer:
            self.blamed.setdefault(fault.peer, Counter())[fault.reason] += 1
        if self.faults[fault.reason] == 1:
            fields = {"reason": fault.reason, "what": fault.what}
            self._emit("fault", {**fields, "peer": fault.peer or None})

    # acting by ourselves

    def _hand_in_roster(self) -> None:
        """Have the next roster version ordered, if we were given one: it proves itself."""
        following = self._trust.after(self.roster.version)
        if following is None or self.engine.steady_ms - self._roster_ms < self._hand_in_ms:
            return
        self._roster_ms = self.engine.steady_ms
        self._try_to_submit(roster_request(following))

    def _ask(self) -> None:
        """Ask the first question when all have met, or enough of them and nobody else comes."""
        waited = self.engine.steady_ms - self._start_ms >= _MEET_MS
        settings = self.engine.current.replica.settings
        if self._question is None or self.greeting.met < (
            settings.quorum if waited else settings.n
        ):
            return
        question, self._question = self._question, None
        self._try_to_submit(question)

    def _try_to_submit(self, raw: bytes) -> None:
        try:
            self.submit(raw, self._now_ms)
        except PeerFault as fault:
            self.on_fault(fault)

    # what the ledger tells

    def on_replayed(self, applied: Applied) -> None:
        """Take from a block what concerns us: the votes that were cast, ours among them."""
        for receipt in applied.receipts:
            content = receipt.content
            if isinstance(content, Ballot) and receipt.author is not None:
                if self._is_me(receipt.author):
                    self.ballots.voted(content.question)
                self.prosecutor.hear(receipt.author, content, receipt.body)
        if applied.roster is not None:
            self.prosecutor.begin_anew()

    def on_applied(self, applied: Applied) -> None:
        """Take from a new block what concerns us, and tell who listens."""
        for receipt in applied.receipts:
            sealed_ms = self.ballots.sealed.pop(digest(receipt.body), None)
            if sealed_ms is not None:
                latency_ms = self.engine.steady_ms - sealed_ms
                self.pulse.committed(latency_ms)
                self._emit("committed", {"latency_ms": latency_ms})
        for name, fields in describe(applied, self.machine):
            self._emit(name, {"view": self.engine.current.replica.view, **fields})
        self.feeding.on_applied(applied.height)
        self.on_replayed(applied)

    def on_evidence(self, evidence: Evidence, epoch: Epoch) -> None:
        """A member contradicted itself."""
        self.prosecutor.take(evidence, epoch)

    def on_lagging(self, seat: Seat, member: int) -> None:
        """A member asks for blocks that were pruned here: offer it our state."""
        self.transfer.offer(seat, member)

    def on_turn(self, waiting: Iterable[bytes]) -> None:
        """Begin in a new epoch: introduce ourselves, and take along what still counts."""
        self.greeting.begin()
        self.clocks.begin()
        if self.sharing:
            self.sharing.show()
        for body in waiting:
            if kind_of(body) is Kind.ROSTER:
                with suppress(PeerFault):
                    self._receive(body)
        self.admission.take_back(restarted=False)
