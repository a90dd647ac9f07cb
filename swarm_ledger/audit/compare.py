# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Several drones' ledgers, side by side: one log of different lengths, or a fork, and by whom.

Each ledger is judged on its own first; one that doesn't hold is named, and left out. Of two that
hold, one extends the other (RFC 9162, 2.1.4), or each went on from the same block by itself. Of
pruned ledgers that can't always be told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path

from swarm_ledger.audit.culprits import Side, Statements, confront
from swarm_ledger.audit.ledger import Verdict, verify_ledger
from swarm_ledger.audit.sources import Source, open_source
from swarm_ledger.consensus.quorum import faulty
from swarm_ledger.errors import Misuse, NotVerified, PeerFault, SwarmLedgerError
from swarm_ledger.identity.trust import Trust
from swarm_ledger.ledger.merkle import verify_consistency
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.snapshot import members_from

Progress = Callable[[Path, int, int], None]
"""Called with the ledger that is replayed, the height reached and the last one."""


@dataclass(frozen=True)
class Behind:
    """How far a ledger is behind another one, and the proof that it is the beginning of it.

    of: the other one, whose size and root it is proven against; proof: hashes (RFC 9162, 2.1.4).
    """

    of: Path
    size: int
    root: bytes
    blocks: int
    entries: int
    proof: tuple[bytes, ...]


@dataclass(frozen=True)
class Judged:
    """One ledger. verdict: None where it doesn't hold; then error and where tell why.

    behind: the longest ledger that extends it, None for one that none extends.
    """

    path: Path
    verdict: Verdict | None = None
    behind: Behind | None = None
    error: str = ""
    where: str = ""


@dataclass(frozen=True)
class Fork:
    """Two histories of one swarm. height: of the first block that differs; size: entries before.

    sides: the ledgers that hold that block, on either side; more than `faulty` of `members`
    validators must have lied.
    """

    height: int
    size: int
    epoch: int
    members: int
    faulty: int
    sides: tuple[tuple[Path, ...], tuple[Path, ...]]
    statements: Statements


@dataclass(frozen=True)
class Untold:
    """Two ledgers that hold, of which pruning left too little to tell more.

    forked: whether they are surely two histories, of which only the place where they part is gone.
    """

    ledgers: tuple[Path, Path]
    forked: bool
    why: str


@dataclass(frozen=True)
class Comparison:
    """All that was compared, in the order in which it was named."""

    ledgers: tuple[Judged, ...]
    forks: tuple[Fork, ...]
    untold: tuple[Untold, ...] = ()

    @property
    def consistent(self) -> bool:
        """Whether all ledgers hold, and are one log."""
        return not self.forks and not self.untold and all(one.verdict for one in self.ledgers)

    @property
    def forked(self) -> bool:
        """Whether there are surely two histories."""
        return bool(self.forks) or any(one.forked for one in self.untold)


@dataclass(frozen=True)
class _Held:
    path: Path
    source: Source
    verdict: Verdict

    @property
    def store(self) -> Store:
        return self.source.store


def compare_ledgers(
    paths: Sequence[Path], trust: Trust, progress: Progress = lambda _p, _a, _b: None
) -> Comparison:
    """Judge each ledger by the roster, and all that hold by one another.

    paths: drones' folders, their ledger.db, or folders of tiles; all are read as they are now.
    Raises Misuse for fewer than two, or one that is named twice.
    """
    _check_different(paths)
    with ExitStack() as stack:
        judged: dict[Path, Judged] = {}
        held: list[_Held] = []
        for path, source in [(path, _opened(path, stack)) for path in paths]:
            try:
                if isinstance(source, SwarmLedgerError):
                    raise source
                verdict = verify_ledger(
                    source.store, trust, partial(progress, path), commits=source.commits
                )
            except (NotVerified, PeerFault, Misuse) as error:
                where = error.where if isinstance(error, NotVerified) else ""
                judged[path] = Judged(path, error=error.what, where=where)
            else:
                held.append(_Held(path, source, verdict))
        held.sort(key=lambda one: -one.verdict.size)
        heads: list[_Held] = []
        for one in held:
            behind = next(filter(None, (_behind(one, head) for head in heads)), None)
            judged[one.path] = Judged(one.path, one.verdict, behind)
            if behind is None:
                heads.append(one)
        found = [_fork(*pair, held, trust) for pair in combinations(heads, 2)]
    forks = tuple(one for one in found if isinstance(one, Fork))
    untold = tuple(one for one in found if isinstance(one, Untold))
    return Comparison(tuple(judged[path] for path in paths), forks, untold)


def _opened(path: Path, stack: ExitStack) -> Source | SwarmLedgerError:
    """Open a ledger until the end of the comparison, or return why it can't be."""
    try:
        return stack.enter_context(open_source(path))
    except (NotVerified, PeerFault, Misuse) as error:
        return error


def _check_different(paths: Sequence[Path]) -> None:
    if len(paths) < 2:
        raise Misuse("there is nothing to compare.", remedy="Name two ledgers or more.")
    files = [path / "ledger.db" if (path / "ledger.db").is_file() else path for path in paths]
    for (first, one), (second, other) in combinations(zip(paths, files, strict=True), 2):
        if one.exists() and other.exists() and one.samefile(other):
            raise Misuse(
                f"{first} and {second} are one ledger.", remedy="Name each drone's ledger once."
            )


def _behind(one: _Held, other: _Held) -> Behind | None:
    """Return how far a ledger is behind one that is as long at least.

    None for a fork, and where that was pruned before the shorter one ends.
    """
    size, of = one.verdict.size, other.verdict
    if size < other.store.first or other.store.root(size) != one.verdict.root:
        return None
    proof = tuple(other.store.consistency(size, of.size))
    verify_consistency(size, of.size, proof, one.verdict.root, of.root)
    blocks, entries = of.height - one.verdict.height, of.size - size
    return Behind(other.path, of.size, of.root, blocks, entries, proof)


def _fork(one: _Held, other: _Held, held: Sequence[_Held], trust: Trust) -> Fork | Untold:
    """Find where two ledgers part, of which neither extends the other, and who signed both."""
    same, differs = _lowest(one, other), min(one.verdict.height, other.verdict.height)
    paths = one.path, other.path
    if same > differs:
        why = f"one of them ends before height {same}, below which the other was pruned"
        return Untold(paths, forked=False, why=why)
    if same and _end(one.store, same) != _end(other.store, same):
        why = f"they are forked; they part before height {same}, and what tells where was pruned"
        return Untold(paths, forked=True, why=why)
    while differs - same > 1:
        middle = (same + differs) // 2
        if _end(one.store, middle) == _end(other.store, middle):
            same = middle
        else:
            differs = middle
    size, _ = _end(one.store, same)
    sides = (
        Side(one.store, members_from(one.store, trust)),
        Side(other.store, members_from(other.store, trust)),
    )
    statements = confront(sides, same + 1, size)
    roster = sides[0].members.at(same + 1).roster
    ends = [_end(side.store, same + 1) for side in sides]
    holding = [tuple(each.path for each in held if _has(each, same + 1, end)) for end in ends]
    return Fork(
        same + 1,
        size,
        roster.version,
        len(roster.validators),
        faulty(len(roster.validators)),
        (holding[0], holding[1]),
        statements,
    )


def _lowest(one: _Held, other: _Held) -> int:
    """Return the lowest height at which both know how many entries there are, and the root."""
    return max(one.verdict.base, other.verdict.base)


def _has(one: _Held, height: int, end: tuple[int, bytes]) -> bool:
    there = one.verdict.base <= height <= one.verdict.height
    return there and _end(one.store, height) == end


def _end(store: Store, height: int) -> tuple[int, bytes]:
    """Return how many entries there are after a block, and their root."""
    block = store.block(height)
    size = block.first + len(block.entries)
    return size, store.root(size)
