# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Check a drone's ledger from its file and the roster alone, trusting nobody.

Three layers, each on top of the last: the stored bytes fit together and the checkpoints are
cosigned by a quorum; each block was committed by a quorum; each entry follows from those before.

A pruned ledger has no beginning. There a quorum's checkpoint vouches for the header of the block
that its oldest snapshot is of, that header's digest for the state, and the rest follows from that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity.roster import Member
from swarm_ledger.identity.trust import Trust
from swarm_ledger.ledger.check import check_store
from swarm_ledger.ledger.store import Store
from swarm_ledger.relay.anchor import Anchor
from swarm_ledger.runtime.fleet import LEDGER
from swarm_ledger.runtime.judging import Policies, begins_with, check_committed
from swarm_ledger.runtime.machine import Applied
from swarm_ledger.runtime.membership import Conviction
from swarm_ledger.runtime.snapshot import members_from, oldest


@dataclass(frozen=True, slots=True)
class Held:
    """An anchor that counts. index: of its entry; time_ms: the ledger's when it was ordered."""

    author: Member
    anchor: Anchor
    index: int
    height: int
    time_ms: int


@dataclass(frozen=True)
class Verdict:
    """A ledger that holds. covered: entries under the last cosigned checkpoint.

    decisions: how many there are. Neither they nor anchors are kept, as there may be any number.
    base: the height of its first block, 0 unless it is pruned; start: the height of the block
    whose state was taken from a snapshot there, behind which all was replayed. Then decisions are
    those that were kept, and convictions those of which the evidence was.
    """

    height: int
    size: int
    root: bytes
    checkpoints: int
    covered: int
    decisions: int
    convictions: tuple[Conviction, ...]
    base: int = 0
    start: int = 0


def open_ledger(folder: Path) -> Store:
    """Open the ledger in a drone's folder, read-only; Misuse if there is none."""
    return Store.open(ledger_file(folder), read_only=True)


def ledger_file(folder: Path) -> Path:
    """Return where the ledger of a drone's folder is, or that file itself; Misuse for none."""
    try:
        path = folder if folder.is_file() else folder / LEDGER
        there = path.is_file()
    except OSError as error:
        raise Misuse(
            f"cannot read {folder}: {error.strerror}.", remedy="Check its permissions."
        ) from error
    if not there:
        raise Misuse(f"{folder} holds no {LEDGER}.", remedy="Name a drone's folder.")
    return path


def verify_ledger(
    store: Store,
    trust: Trust,
    progress: Callable[[int, int], None] = lambda _a, _b: None,
    *,
    commits: bool = True,
    anchored: Callable[[Held], None] = lambda _: None,
) -> Verdict:
    """Check everything that a ledger claims, each block by the roster that ruled at its height.

    progress: called with the height reached and the last one. commits: False for one that was made
    of tiles, which have none: then the checkpoint alone vouches, for all of it. anchored: called
    with each anchor that counts, in order. Raises NotVerified, naming the height and what failed.
    """
    with store.database.snapshot():
        return _verify(store, trust, progress, anchored, commits=commits)


def _verify(
    store: Store,
    trust: Trust,
    progress: Callable[[int, int], None],
    anchored: Callable[[Held], None],
    *,
    commits: bool,
) -> Verdict:
    begins_with(store, trust.genesis)
    summary = check_store(store, Policies(store, trust))
    members, machine = members_from(store, trust), oldest(store, trust)
    start = machine.height
    decisions = _decisions_until(store, start)
    for height in range(max(1, store.base), store.height + 1):
        block = store.block(height)
        try:
            if height > start:
                applied = machine.follow(height, block.entries)
                decisions += len(applied.decisions)
                for held in _anchors(applied, block.first):
                    anchored(held)
            if commits:
                check_committed(block, members.at(height).opener)
        except (NotVerified, PeerFault, Misuse) as error:
            raise NotVerified(str(error), where=f"height {height}") from error
        progress(height, store.height)
    return Verdict(
        summary.height,
        summary.size,
        summary.root,
        summary.checkpoints,
        summary.covered,
        decisions,
        tuple(machine.members.convictions),
        summary.base,
        start,
    )


def _decisions_until(store: Store, start: int) -> int:
    """Return how many decisions are kept up to a snapshot's block, which a checkpoint covers."""
    if not start:
        return 0
    block = store.block(start)
    end = block.first + len(block.entries)
    if store.checkpoint(end) is None:
        raise NotVerified(
            "no cosigned checkpoint vouches for the state there", where=f"height {start}"
        )
    return len(store.find(Kind.DECISION, within=end))


def _anchors(applied: Applied, first: int) -> Iterator[Held]:
    """Yield the anchors that count in a block whose header is entry `first`."""
    for index, receipt in enumerate(applied.receipts, start=first + 1):
        if isinstance(receipt.content, Anchor) and receipt.author is not None:
            yield Held(receipt.author, receipt.content, index, applied.height, applied.time_ms)
