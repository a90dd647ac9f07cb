# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Follows a ledger through many provers, of whom none is trusted: each question to the next one.

So whoever does not answer, lies, lags or holds something back costs one turn. Whatever carries the
questions: what is to be asked comes out, what came back goes in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.light_client.follower import Forked, Head
from swarm_ledger.light_client.messages import (
    ByIndex,
    ByNumber,
    ByQuestion,
    Newest,
    NoAnswer,
    Reason,
    Wanted,
)
from swarm_ledger.runtime.following import Follower, Verified
from swarm_ledger.voting.decision import Settled, parse_settled

_GENESIS = ByIndex(0)
_SOON_MS = 100
"""Until what is on a ledger, and not cosigned yet, is asked for again."""

_BY_ID = 4
"""Each so many rounds, a question is asked for by its id: it may be older than what we saw."""


@dataclass(frozen=True)
class Inquiry:
    """One question to one prover. request: the bytes to bring there; since_ms: when it was put."""

    source: str
    request: bytes
    wanted: Wanted
    since_ms: int


@dataclass(frozen=True)
class Found:
    """A decision that holds. first: whether it is the next one, each once and in their order."""

    settled: Settled
    verified: Verified
    first: bool


class Pursuit:
    """A light client's questions. sources: names of provers.

    every_ms: how often to look for something new; patience_ms: how long a prover may take. Times
    are of a clock that never goes back. said: how the last question ended, and wrong: whether that
    was a lie. lies: how many of each prover's answers did not hold. forked: the last fork shown.
    """

    def __init__(
        self, follower: Follower, sources: Sequence[str], *, every_ms: int, patience_ms: int
    ) -> None:
        if not sources:
            raise Misuse("there is nobody to ask for proofs.", remedy="Name a prover.")
        self._follower, self._sources = follower, tuple(sources)
        self._every_ms, self._patience_ms = every_ms, patience_ms
        self.said, self.wrong = "nothing is verified yet", False
        self.lies: dict[str, int] = dict.fromkeys(sources, 0)
        self.answered_ms: dict[str, int] = {}
        self.forked: Forked | None = None
        self._sought: dict[bytes, None] = {}
        self._next_up: deque[Wanted] = deque()
        self._pending: Inquiry | None = None
        self._turn = self._round = self._due_ms = 0
        self._failed = self._gone = 0
        self._number = self._known = 0

    @property
    def head(self) -> Head | None:
        """The last checkpoint that holds."""
        return self._follower.head

    def seek(self, question_id: bytes) -> None:
        """Look for the decision on a question, until drop()."""
        self._sought[question_id] = None

    def drop(self, question_id: bytes) -> None:
        """Look for it no more."""
        self._sought.pop(question_id, None)

    def next(self, now_ms: int) -> Inquiry | None:
        """Return whom to ask what now, if anybody: one question at a time."""
        if self._pending is not None:
            if now_ms - self._pending.since_ms < self._patience_ms:
                return None
            self.fail(self._pending, "it does not answer", now_ms)
        if now_ms < self._due_ms:
            return None
        if not self._next_up:
            self._next_up.append(self._look())
        wanted, source = self._next_up[0], self._sources[self._turn % len(self._sources)]
        self._turn += 1
        self._pending = Inquiry(source, self._follower.request(wanted), wanted, now_ms)
        return self._pending

    def _look(self) -> Wanted:
        self._round += 1
        if self._sought and self._round % _BY_ID == 0:
            oldest = next(iter(self._sought))
            self._sought[oldest] = self._sought.pop(oldest)  # the others have their turn
            return ByQuestion(oldest)
        return Newest()

    def fail(self, inquiry: Inquiry, why: str, now_ms: int) -> None:
        """Note that a prover did not answer, or could not be asked."""
        if inquiry is self._pending:
            self._go_on(f"{inquiry.source}: {why}", now_ms)

    def take(self, inquiry: Inquiry, raw: bytes, now: datetime, now_ms: int) -> Found | None:
        """Verify an answer; return the decision in it, if there is one. What is wrong is noted.

        now: by which rosters have expired or not.
        """
        if inquiry is not self._pending:
            return None  # it came too late
        try:
            verified = self._follower.take(raw, inquiry.wanted, now)
        except NoAnswer as none:
            self._refused(inquiry, none, now_ms)
            return None
        except (NotVerified, PeerFault) as error:
            self.lies[inquiry.source] += 1
            if isinstance(error, Forked):
                self.forked = error
            self._go_on(f"{inquiry.source}: {error.explain()}", now_ms, wrong=True)
            return None
        except Misuse as error:
            self._go_on(error.explain(), now_ms)
            return None
        self.answered_ms[inquiry.source] = now_ms
        found = self._decision(verified, inquiry.wanted) if _is_decision(verified) else None
        self._settle(f"{verified.head.checkpoint.size} entries are verified", now_ms)
        return found

    def _decision(self, verified: Verified, wanted: Wanted) -> Found:
        settled = parse_settled(verified.entry.entry[1:])
        number = settled.decision.number
        first = number == self._number + 1 if self._number else isinstance(wanted, Newest)
        if first:
            self._number = number
        self._known = max(self._known, number)
        return Found(settled, verified, first)

    def _refused(self, inquiry: Inquiry, none: NoAnswer, now_ms: int) -> None:
        said, missing = f"{inquiry.source}: {none.what}", none.reason is Reason.NOT_FOUND
        if missing and not isinstance(inquiry.wanted, ByNumber):
            # Nothing is decided, or not yet: no fault. Without a head, genesis leads to one.
            self.answered_ms[inquiry.source] = now_ms
            if self.head is None:
                self._next_up.append(_GENESIS)
            self._settle(said if self.head is None else self.said, now_ms)
            return
        self._gone += missing
        self._go_on(said, now_ms, soon=none.reason is Reason.NOT_COSIGNED)

    def _settle(self, said: str, now_ms: int) -> None:
        self.said, self.wrong, self._pending = said, False, None
        self._failed = self._gone = 0
        self._next_up.popleft()
        self._catch_up()
        self._due_ms = now_ms if self._next_up else now_ms + self._every_ms

    def _catch_up(self) -> None:
        if self._number and self._known > self._number and not self._next_up:
            self._next_up.append(ByNumber(self._number + 1))

    def _go_on(self, said: str, now_ms: int, *, wrong: bool = False, soon: bool = False) -> None:
        """Ask the next one the same; after a round in vain, wait, and begin with a new look."""
        self.said, self.wrong, self._pending = said, wrong, None
        self._failed += 1
        self._due_ms = now_ms + _SOON_MS * soon
        if self._failed < len(self._sources):
            return
        if 2 * self._gone > len(self._sources):
            self._number += 1  # most have pruned it: go on with what follows
        self._failed = self._gone = 0
        self._next_up.clear()
        self._due_ms = now_ms + self._every_ms


def _is_decision(verified: Verified) -> bool:
    return verified.entry.entry[:1] == bytes([Kind.DECISION])
