# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What an audit of a bag finds, and where."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from swarm_ledger.bags.form import Recorded

_KEPT = 100
"""Of one reason; all are counted."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where in a bag. number: of the message among all, -1 for what is no message.

    offset: in the file, of the record that holds it; log_ns: when it was recorded.
    """

    number: int = -1
    log_ns: int = 0
    file: str = ""
    offset: int = 0
    topic: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that doesn't hold, or, where it is only careful, that can't be told.

    reason: a stable word; what: a sentence; who: a member whose signature is on it, "" for nobody.
    """

    reason: str
    what: str
    place: Place = Place()
    careful: bool = False
    who: str = ""


@dataclass
class Findings:
    """All of them: counted by reason, the first of each reason kept."""

    wrong: Counter[str] = field(default_factory=Counter)
    careful: Counter[str] = field(default_factory=Counter)
    kept: list[Finding] = field(default_factory=list)

    def add(
        self,
        reason: str,
        what: str,
        place: Place | None = None,
        *,
        careful: bool = False,
        who: str = "",
    ) -> None:
        """Note one."""
        counts = self.careful if careful else self.wrong
        counts[reason] += 1
        if counts[reason] <= _KEPT:
            self.kept.append(Finding(reason, what[:500], place or Place(), careful, who))

    def ordered(self) -> tuple[Finding, ...]:
        """Return those that were kept: first what is wrong, each kind in the bag's order."""
        key = lambda one: (one.careful, one.place, one.reason, one.what)  # noqa: E731
        return tuple(sorted(self.kept, key=key))


def place_of(one: Recorded) -> Place:
    """Return where a message is."""
    return Place(one.number, one.log_ns, one.file, one.offset, one.channel.topic)
