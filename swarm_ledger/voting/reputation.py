# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Reputations: how often each voter was right, as the ledger's own decisions tell.

A Beta distribution for each voter, in integers: what it got right and wrong, older answers less
than newer ones, beside what is presumed of a stranger. It learns from decided questions only: what
nobody knows says nothing of who was right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Annotated

from msgspec import Meta

from swarm_ledger.encoding import Record, decode
from swarm_ledger.voting.limits import MAX_TIME_MS, MAX_VOTERS

ONE = 1024
"""One answer."""

PRESUMED_RIGHT = 7 * ONE
PRESUMED_WRONG = 1 * ONE
FADES = 32
"""With each further answer, one part in that many of all before is forgotten."""

MOST = FADES * ONE
"""More than that is never remembered: what fades is then what comes."""

_FEW = 4 * ONE
_MANY = 8 * ONE
_PPM = 1_000_000
CHANGE_LIMIT = 64

_Answers = Annotated[int, Meta(ge=0, le=MOST)]


class Standing(IntEnum):
    """What follows from a reputation. GOOD: nothing.

    SUSPECT: it was wrong more often than right, of four answers or more. EXCLUDE: four fifths of
    eight or more were wrong, or it contradicted itself; the swarm proposes to exclude it. Only
    operators can. Back to GOOD: it was right twice as often as wrong.
    """

    UNKNOWN = 0
    GOOD = 1
    SUSPECT = 2
    EXCLUDE = 3


class Reason(IntEnum):
    """Why a standing changed."""

    UNKNOWN = 0
    OFTEN_WRONG = 1
    OFTEN_RIGHT = 2
    CONTRADICTION = 3


class Reputation(Record, frozen=True):
    """What one voter's answers came to. right, wrong: in 1/1024 of an answer."""

    voter: Annotated[int, Meta(ge=0)]
    right: _Answers = 0
    wrong: _Answers = 0
    standing: Standing = Standing.GOOD
    reason: Reason = Reason.UNKNOWN

    @property
    def reliability_ppm(self) -> int:
        """How likely its next answer is right: the mean of its Beta distribution, in millionths.

        0 for who contradicted itself.
        """
        if self.reason is Reason.CONTRADICTION:
            return 0
        right = PRESUMED_RIGHT + self.right
        return _PPM * right // (right + PRESUMED_WRONG + self.wrong)

    def after(self, *, right: bool) -> Reputation:
        """Return the same with one answer more."""
        told = [
            value - value // FADES + ONE * new
            for value, new in ((self.right, right), (self.wrong, not right))
        ]
        return self._judged(min(told[0], MOST), min(told[1], MOST))

    def convicted(self) -> Reputation:
        """Return the same of who is proven to have contradicted itself, which is not forgotten."""
        reason = Reason.CONTRADICTION
        return Reputation(self.voter, self.right, self.wrong, Standing.EXCLUDE, reason)

    def _judged(self, right: int, wrong: int) -> Reputation:
        standing, reason = self.standing, self.reason
        answers = right + wrong
        if reason is not Reason.CONTRADICTION:
            if answers >= _MANY and 5 * wrong >= 4 * answers:
                standing, reason = Standing.EXCLUDE, Reason.OFTEN_WRONG
            elif answers >= _FEW and wrong > right and standing is Standing.GOOD:
                standing, reason = Standing.SUSPECT, Reason.OFTEN_WRONG
            elif standing is not Standing.GOOD and right >= 2 * wrong:
                standing, reason = Standing.GOOD, Reason.OFTEN_RIGHT
        return Reputation(self.voter, right, wrong, standing, reason)


class StandingChange(Record, frozen=True, tag=1):
    """An entry of the ledger: what the swarm thinks of a member now, and why.

    number: 1, 2, ... over the whole ledger. member: its drone id. right, wrong: its reputation, in
    1/1024 of an answer. decision: the number of the last one before. height: of the block.
    """

    number: Annotated[int, Meta(ge=1, le=MAX_TIME_MS)]
    member: Annotated[bytes, Meta(min_length=16, max_length=16)]
    standing: Standing
    reason: Reason
    right: _Answers
    wrong: _Answers
    decision: Annotated[int, Meta(ge=0, le=MAX_TIME_MS)]
    height: Annotated[int, Meta(ge=1, le=MAX_TIME_MS)]


def parse_standing_change(encoded: bytes) -> StandingChange:
    """Return the entry in outside bytes; PeerFault("oversize" | "malformed")."""
    return decode(encoded, StandingChange, limit=CHANGE_LIMIT)


class Learnt(Record, frozen=True):
    """What reputations are between two blocks. changes: how many entries there were ever.

    voters: those that answered or were convicted, ascending.
    """

    changes: Annotated[int, Meta(ge=0, le=MAX_TIME_MS)] = 0
    voters: Annotated[tuple[Reputation, ...], Meta(max_length=MAX_VOTERS)] = ()


class Reputations:
    """Everybody's reputation, and who in this block came to be thought of otherwise."""

    def __init__(self, learnt: Learnt | None = None) -> None:
        learnt = learnt or Learnt()
        self._changes = learnt.changes
        self._known = {one.voter: one for one in learnt.voters}
        self._before: dict[int, Standing] = {}

    def of(self, voter: int) -> Reputation:
        """Return a voter's reputation; a stranger's, if nothing is known."""
        return self._known.get(voter) or Reputation(voter)

    def learn(self, answers: Iterable[tuple[int, bool]]) -> None:
        """Take in who was right, and who wrong, about one question that was decided."""
        for voter, right in sorted(answers):
            self._put(self.of(voter).after(right=right))

    def convict(self, voters: Iterable[int]) -> None:
        """Take in who is proven to have contradicted itself."""
        for voter in sorted(voters):
            if self.of(voter).reason is not Reason.CONTRADICTION:
                self._put(self.of(voter).convicted())

    def keep(self, voters: frozenset[int]) -> None:
        """Forget who may not vote any more: its place may be another's one day."""
        self._known = {voter: one for voter, one in self._known.items() if voter in voters}

    def changed(
        self, members: Mapping[int, bytes], decision: int, height: int
    ) -> list[StandingChange]:
        """Return, once, what came of this block, in the order of voters.

        members: drone ids by index.
        """
        found = []
        for voter, before in sorted(self._before.items()):
            now = self.of(voter)
            if now.standing is not before and voter in members:
                self._changes += 1
                found.append(
                    StandingChange(
                        self._changes,
                        members[voter],
                        now.standing,
                        now.reason,
                        now.right,
                        now.wrong,
                        decision,
                        height,
                    )
                )
        self._before = {}
        return found

    def learnt(self) -> Learnt:
        """Return what Reputations() takes up again."""
        known: Sequence[Reputation] = [self._known[voter] for voter in sorted(self._known)]
        return Learnt(self._changes, tuple(known))

    def _put(self, now: Reputation) -> None:
        self._before.setdefault(now.voter, self.of(now.voter).standing)
        self._known[now.voter] = now
