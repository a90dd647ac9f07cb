# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""When which message of a bag is due: rate, start, loops, pauses, without a clock of its own."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path

from swarm_ledger.bags.bag import Bag
from swarm_ledger.bags.form import Channel, Recorded
from swarm_ledger.errors import Misuse

_REORDER = 1024
"""Messages that may be out of the order of their times: as many as are looked at together."""
_NAME = r"/?[A-Za-z_~][\w/~]*"
_RULE = re.compile(rf"({_NAME}):=({_NAME})", re.ASCII)


def parse_remaps(rules: Iterable[str]) -> dict[str, str]:
    """Return new names by old ones from rules A:=B; Misuse for anything else."""
    found: dict[str, str] = {}
    for rule in rules:
        match = _RULE.fullmatch(rule)
        if match is None or match[1] in found:
            raise Misuse(f"{rule!r} is no rule, or the second of its kind.", remedy="Try /a:=/b.")
        old, new = (name if name.startswith("/") else f"/{name}" for name in match.groups())
        found[old] = new
    return found


def in_order(messages: Iterable[Recorded]) -> Iterator[Recorded]:
    """Yield messages by the times of recording, with bounded memory."""
    waiting: list[tuple[int, int, Recorded]] = []
    numbers = count()
    for one in messages:
        heapq.heappush(waiting, (one.log_ns, next(numbers), one))
        if len(waiting) > _REORDER:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


class Playback:
    """A bag in play. Times are given: steady_ns, by a clock that only goes on.

    rate: how much faster than recorded; offset_s: what is passed over at each beginning; loop:
    whether it begins again at its end. channels: all topics; over: whether all was played;
    now_ns: how far it is, in the bag's time. Misuse for what is no bag, or an empty one.
    """

    def __init__(self, path: Path, *, rate: float, offset_s: float, loop: bool) -> None:
        if not rate > 0 or offset_s < 0:
            raise Misuse("a rate is more than 0, and an offset 0 or more.")
        self._bag, self._rate, self._loop = Bag(path), rate, loop
        for _ in self._bag.messages():  # so that all topics are known, and when it begins
            pass
        if self._bag.span is None or self._bag.unreadable:
            raise Misuse(f"{path} has no message to play.")
        self.channels: tuple[Channel, ...] = self._bag.channels
        self._first = self._bag.span[0] + int(offset_s * 1e9)
        if self._first > self._bag.span[1]:
            raise Misuse(f"{path} ends before {offset_s} s.")
        self._anchor: int | None = None
        self._paused_at: int | None = None
        self.over = False
        self.rounds = 0
        self._begin()

    def _begin(self) -> None:
        self._messages = (
            one for one in in_order(self._bag.messages()) if one.log_ns >= self._first
        )
        self._next: Recorded | None = next(self._messages, None)
        self.now_ns = self._first

    @property
    def paused(self) -> bool:
        """Whether it stands still."""
        return self._paused_at is not None

    def pause(self, steady_ns: int) -> None:
        """Stand still."""
        if self._paused_at is None:
            self._paused_at = steady_ns

    def resume(self, steady_ns: int) -> None:
        """Go on from where it stood still."""
        if self._paused_at is not None and self._anchor is not None:
            self._anchor += steady_ns - self._paused_at
        self._paused_at = None

    def due(self, steady_ns: int) -> Iterator[Recorded]:
        """Yield what is due by now. At the end of a round it stops; the next call begins anew."""
        if self.paused or self.over:
            return
        if self._anchor is None:
            self._anchor = steady_ns
        reached = self._first + int((steady_ns - self._anchor) * self._rate)
        while self._next is not None and self._next.log_ns <= reached:
            one, self._next = self._next, next(self._messages, None)
            self.now_ns = one.log_ns
            yield one
        if self._next is not None:
            self.now_ns = max(self.now_ns, reached)
            return
        self.rounds += 1
        if self._loop:
            self._anchor = None
            self._begin()
        else:
            self.over = True
