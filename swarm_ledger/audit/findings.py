# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What an audit of a bag finds, and where."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from dataclasses import dataclass, field

from swarm_ledger.bags.form import Recorded

_KEPT = 100
"""Of one reason; all are counted."""

MAX_WHAT = 500
"""Characters of a sentence: it may name what a bag says, of any length."""


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
    """All of them: counted by reason, the first in the bag of each reason kept.

    What is found doesn't depend on the order in which it is added.
    """

    wrong: Counter[str] = field(default_factory=Counter)
    careful: Counter[str] = field(default_factory=Counter)
    kept: dict[tuple[str, bool], list[Finding]] = field(default_factory=dict)

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
        kept = self.kept.setdefault((reason, careful), [])
        found = Finding(reason, what[:MAX_WHAT], place or Place(), careful, who)
        if len(kept) < _KEPT or _order(found) < _order(kept[-1]):
            insort(kept, found, key=_order)
            del kept[_KEPT:]

    def ordered(self) -> tuple[Finding, ...]:
        """Return those that were kept: first what is wrong, each kind in the bag's order."""
        kept = (one for each in self.kept.values() for one in each)
        return tuple(sorted(kept, key=lambda one: (one.careful, _order(one))))


def _order(one: Finding) -> tuple[Place, str, str, str]:
    return one.place, one.reason, one.what, one.who


def place_of(one: Recorded) -> Place:
    """Return where a message is."""
    return Place(one.number, one.log_ns, one.file, one.offset, one.channel.topic)
