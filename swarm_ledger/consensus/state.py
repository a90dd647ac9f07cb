# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a replica knows. The handlers in this package's other files act on it."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from swarm_ledger.consensus.certificates import CheckedViewChange, Open, PreparedCertificate
from swarm_ledger.consensus.evidence import contradiction
from swarm_ledger.consensus.messages import (
    BINDING,
    Batch,
    Checkpoint,
    Commit,
    Message,
    NewView,
    Prepare,
    PrePrepare,
    Signed,
    Status,
    ViewChange,
)
from swarm_ledger.consensus.pace import Pace
from swarm_ledger.consensus.pool import Pool
from swarm_ledger.consensus.ready import (
    Decided,
    Evidence,
    Outgoing,
    Ready,
    Resend,
    journaled,
)
from swarm_ledger.consensus.settings import Settings

EARLY = 64
"""Messages of views yet to come that are kept per sender."""

MAX_STEP_MS = 1_000
"""A clock that moves further than this at once has jumped, or we were paused: time-outs measure
what peers had a chance to do, so no more than this counts."""

MAX_DOUBLINGS = 4
"""Patience ends at 16 time-outs, so that a healed swarm moves again within a known time."""


@dataclass(slots=True)
class Slot:
    """One sequence number between the watermarks.

    pre_prepare, prepares, commits: those of the current view only. prepared: the certificate of
    the highest view that prepared here; it outlives its view. decided: what committed, if it did.
    held: bodies of the requests that the slot needs, by digest: those that are in its pre-prepare
    and those that its certificate may have to bring back, whatever the pool does with them.
    """

    pre_prepare: Signed[PrePrepare] | None = None
    digest: bytes = b""
    prepares: dict[int, Signed[Prepare]] = field(default_factory=dict)
    commits: dict[int, Signed[Commit]] = field(default_factory=dict)
    prepared: PreparedCertificate | None = None
    decided: Decided | None = None
    prepare_sent: bool = False
    commit_sent: bool = False
    since_ms: int = 0
    held: dict[bytes, bytes] = field(default_factory=dict)

    def new_view(self) -> None:
        """Forget what belonged to the old view, and nothing else."""
        self.pre_prepare, self.digest = None, b""
        self.prepares, self.commits = {}, {}
        self.prepare_sent = self.commit_sent = False
        if self.decided is None:
            keep = self.prepared.batch.requests if self.prepared else ()
            self.held = {key: self.held[key] for key in keep if key in self.held}


@dataclass
class State:
    """Everything a replica knows. Invariants: stable <= committed cosignatures of a quorum;
    applied never shrinks; a slot exists only for min(stable, applied) < seq <= stable + window,
    and under the stable checkpoint only if it is decided.
    """

    settings: Settings
    open: Open
    clock_ms: int = 0
    """The drone's clock, POSIX, which may jump: for the times that leaders state."""
    now_ms: int = 0
    """Follows the clock, but never backwards, and not its jumps: for all that is waited for."""
    retired: bool = False
    """The epoch is over: laggards are shown its end, and nothing new is agreed on."""

    view: int = 0
    active: bool = True
    new_view: Signed[NewView] | None = None
    new_view_changes: tuple[Signed[ViewChange], ...] = ()
    """What the current view rests on, for those who come to it later."""
    applied: int = field(init=False)
    handed: int = field(init=False)
    """Up to here, decided batches were handed out to be applied; applied follows."""
    next_seq: int = field(init=False)
    in_flight: dict[bytes, int] = field(default_factory=dict)
    """Requests that the current view has assigned and that are not applied yet: their number."""
    expected: dict[int, Batch] = field(default_factory=dict)
    """What the current view must begin with (1999, 4.4: the set O), above the stable checkpoint.

    Binding also where it is applied already, or a leader could have it replaced for laggards.
    """
    looked_ms: int = -1
    """When it was last found whether what waits is to be proposed."""
    time_ms: int = 0
    """The ledger's time: the highest of the applied blocks."""

    stable: int = field(init=False)
    stable_proof: tuple[Signed[Checkpoint], ...] = ()
    checkpoints: dict[int, dict[int, Signed[Checkpoint]]] = field(default_factory=dict)
    own_checkpoint: Signed[Checkpoint] | None = None

    ahead: dict[int, Decided] = field(default_factory=dict)
    """Blocks beyond the own window, of those that were asked for last, that came out of order."""

    slots: dict[int, Slot] = field(default_factory=dict)
    pool: Pool = field(init=False)
    early: dict[int, deque[Signed[Message]]] = field(default_factory=dict)

    view_changes: dict[int, CheckedViewChange] = field(default_factory=dict)
    """The latest valid view change of each replica."""
    own_view_change: Signed[ViewChange] | None = None
    new_views: dict[int, Signed[NewView]] = field(default_factory=dict)
    """By leader, a new view some of whose view changes have not come yet."""
    gathered: dict[bytes, CheckedViewChange] = field(default_factory=dict)
    """Those that have, by digest, where they are not their sender's latest any more."""
    attempts: int = 0
    view_since_ms: int = 0
    give_up_ms: int | None = None
    """When a view change under way is given up for the next view; None until a quorum joined."""
    opened: int = 0
    """The last view that this replica opened as its leader."""

    vouched: int = -1
    """The last view in which this replica vouched for a proposal, its own or another's."""
    hushed: int = -1
    """The last view in which it may have done so before a restart, and doesn't any more."""

    pace: Pace = field(default_factory=Pace)

    peers: dict[int, Status] = field(default_factory=dict)
    progress_ms: int = 0
    """When a block was applied last, or we started."""
    last_batch: int = 0
    """Requests in that block."""
    repeated_ms: int = 0
    repeats: int = 0
    """How often everything was repeated without progress: each time after a longer pause."""
    asked: int = -1
    asked_up_to: int = 0
    """Whom we asked for blocks last, and up to where; 0 if nobody."""
    fetched: set[int] = field(default_factory=set)
    """Peers whose Fetch was answered since the last tick: one each, so nobody floods."""
    wanted: Counter[int] = field(default_factory=Counter)
    """How much of what each peer wants was looked up since then, MAX_BATCH at most.

    Apart from `fetched`: where links keep order, whoever lags always says first what open slots
    lack, which nobody may have any more, and then asks for the blocks that would help it.
    """
    costly: dict[tuple[int, str], int] = field(default_factory=dict)
    """When something costly was last done for a peer: not more often than it would ask again."""
    accused: dict[int, int] = field(default_factory=dict)
    """In which view each culprit was last reported: once a view, however often it offends."""
    ready: Ready = field(default_factory=Ready)

    def __post_init__(self) -> None:
        self.pool = Pool(self.settings.quota)
        self.now_ms = self.clock_ms
        self.applied = self.handed = self.stable = self.settings.base
        self.next_seq = self.settings.base + 1

    def set_clock(self, now_ms: int) -> None:
        """Take the drone's clock as it is, and let as much time pass as it can have taken."""
        passed = min(max(now_ms - self.clock_ms, 0), MAX_STEP_MS)
        self.clock_ms, self.now_ms = now_ms, self.now_ms + passed

    @property
    def leader(self) -> int:
        """Who leads the current view."""
        return self.settings.leader(self.view)

    @property
    def leading(self) -> bool:
        """Whether this replica may assign sequence numbers."""
        return self.active and self.leads and self.view > self.hushed

    @property
    def leads(self) -> bool:
        """Whether the current view is this replica's, if it begins at all."""
        return self.settings.speaks and self.leader == self.settings.me

    @property
    def timeout_ms(self) -> int:
        """The current patience: doubled for each view in a row that failed (1999, 4.5.2)."""
        return self.settings.request_timeout_ms << min(self.attempts, MAX_DOUBLINGS)

    def in_window(self, seq: int) -> bool:
        """Whether a sequence number lies between the watermarks (1999, 4.2)."""
        return self.stable < seq <= self.stable + self.settings.window

    def slot(self, seq: int) -> Slot:
        """Return the slot of `seq`, which must be in the window."""
        if seq not in self.slots:
            self.slots[seq] = Slot(since_ms=self.now_ms)
        return self.slots[seq]

    def say(self, message: Message, to: int | None = None) -> None:
        """Hand out a message of our own; whoever only follows says nothing that binds.

        What binds is kept, but for what vouches for proposals, of which only the first one in a
        view is: after a restart that found it, nothing more of that sort is said in that view.
        Writing each to disk would take longer than agreeing on it.
        """
        binding = isinstance(message, BINDING)
        if binding and not self.settings.speaks:
            return
        kept = binding
        if isinstance(message, (PrePrepare, Prepare)):
            if message.view <= self.hushed:
                return
            kept = message.view > self.vouched
            self.vouched = message.view
        self.ready.send.append(Outgoing(message, to, kept))

    def repeat(self, signed: Signed[Message] | None, to: int | None = None) -> None:
        """Hand out sealed bytes once more."""
        if signed is not None:
            self.ready.resend.append(Resend(signed.raw, to))

    def not_lately(self, peer: int, what: str) -> bool:
        """Whether it is time to do something costly for a peer again; never for ourselves."""
        last = self.costly.get((peer, what))
        if peer == self.settings.me or (
            last is not None and self.now_ms - last < self.settings.resend_ms // 2
        ):
            return False
        self.costly[peer, what] = self.now_ms
        return True

    def keep(self, *messages: Signed[Message]) -> None:
        """Have messages on disk before anything more is said."""
        self.ready.journal.extend(journaled(signed) for signed in messages)

    def accuse(self, first: Signed[Message], second: Signed[Message]) -> None:
        """Report two statements of one member if they contradict each other."""
        culprit = second.sender
        if self.accused.get(culprit) == self.view:
            return
        if contradiction(first.message, second.message):
            self.accused[culprit] = self.view
            self.ready.evidence.append(Evidence(culprit, first.raw, second.raw))
