# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Several bags of one swarm, each audited by itself and then held against the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from swarm_ledger.audit.bag import BagAudit, Options, audit_bag
from swarm_ledger.audit.findings import Place
from swarm_ledger.errors import Misuse


@dataclass(frozen=True, slots=True)
class Divergence:
    """What two bags tell in two ways, and where in each."""

    what: str
    one: Path
    other: Path
    place: Place
    other_place: Place


@dataclass(frozen=True)
class FlightsAudit:
    """All bags, as they were named. unreadable: those that are none, and why."""

    bags: tuple[BagAudit, ...]
    unreadable: tuple[tuple[Path, str], ...]
    divergences: tuple[Divergence, ...]

    @property
    def clean(self) -> bool:
        """Whether all bags could be read, hold, and agree."""
        return not self.unreadable and self.holds

    @property
    def holds(self) -> bool:
        """Whether all that could be read holds and agrees."""
        return not self.divergences and all(one.clean for one in self.bags)


def audit_bags(
    paths: Sequence[Path],
    options: Options,
    progress: Callable[[Path], None] = lambda _: None,
) -> FlightsAudit:
    """Audit bags and compare them. Misuse for whom to trust, or a bag that is named twice."""
    same = [path for path in paths if sum(_same(path, other) for other in paths) > 1]
    if same:
        raise Misuse(f"{same[0]} is named twice.", remedy="Name each bag once.")
    bags, unreadable = [], []
    for path in paths:
        progress(path)
        try:
            bags.append(audit_bag(path, options))
        except (Misuse, OSError) as error:
            if isinstance(error, Misuse):
                said = error.explain()
            else:
                said = f"{error.filename or path}: {error.strerror}."
            unreadable.append((path, said))
    found = [one for pair in combinations(bags, 2) for one in _compare(*pair)]
    found.sort(key=lambda one: (one.place.log_ns, one.what))
    return FlightsAudit(tuple(bags), tuple(unreadable), tuple(found))


def _same(one: Path, other: Path) -> bool:
    return one == other or (one.exists() and other.exists() and one.samefile(other))


def _compare(one: BagAudit, other: BagAudit) -> Iterator[Divergence]:
    """Yield what two bags tell in two ways: the first of each kind."""

    def diverge(what: str, place: Place, other_place: Place) -> Divergence:
        return Divergence(what, one.path, other.path, place, other_place)

    if one.swarm_id != other.swarm_id:
        what = f"they are of two swarms, {one.swarm_id} and {other.swarm_id}"
        yield diverge(what, Place(), Place())
        return
    for height in sorted(one.blocks.keys() & other.blocks.keys()):
        (size, root, place), (size_, root_, place_) = one.blocks[height], other.blocks[height]
        if (size, root) != (size_, root_):
            yield diverge(f"block {height} is another one", place, place_)
            break
    for size in sorted(one.heads.keys() & other.heads.keys()):
        head, head_ = one.heads[size], other.heads[size]
        if head.root != head_.root:
            what = f"the checkpoint of size {size} has another root"
            yield diverge(what, head.place, head_.place)
            break
    for number in sorted(one.decisions.keys() & other.decisions.keys()):
        told, told_ = one.decisions[number], other.decisions[number]
        if told.told != told_.told:
            yield diverge(f"decision {number} is another one", told.place, told_.place)
            break
