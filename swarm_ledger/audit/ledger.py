# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Check a drone's ledger from its file and the roster alone, trusting nobody.

Three layers, each on top of the last: the stored bytes fit together and the checkpoints are
cosigned by a quorum; each block was committed by a quorum; each entry follows from those before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from swarm_ledger.consensus.certificates import check_commits
from swarm_ledger.consensus.messages import Message, Signed, parse
from swarm_ledger.consensus.settings import Settings
from swarm_ledger.envelope import Kind, Opener
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity.roster import Member, Roster
from swarm_ledger.identity.trust import Trust
from swarm_ledger.ledger.check import check_store
from swarm_ledger.ledger.policy import Policy
from swarm_ledger.ledger.store import Block, Store
from swarm_ledger.light_client.policies import policy_of
from swarm_ledger.relay.anchor import Anchor
from swarm_ledger.runtime.blocks import batch_of, genesis_entry, split_block
from swarm_ledger.runtime.fleet import LEDGER
from swarm_ledger.runtime.keeper import parse_certificate
from swarm_ledger.runtime.machine import Applied, Machine
from swarm_ledger.runtime.membership import Conviction, Membership, membership_of


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
    """

    height: int
    size: int
    root: bytes
    checkpoints: int
    covered: int
    decisions: int
    convictions: tuple[Conviction, ...]


def open_ledger(folder: Path) -> Store:
    """Open the ledger in a drone's folder, read-only; Misuse if there is none."""
    try:
        path = folder if folder.is_file() else folder / LEDGER
        there = path.is_file()
    except OSError as error:
        raise Misuse(
            f"cannot read {folder}: {error.strerror}.", remedy="Check its permissions."
        ) from error
    if not there:
        raise Misuse(f"{folder} holds no {LEDGER}.", remedy="Name a drone's folder.")
    return Store.open(path, read_only=True)


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
    begins_with(store, trust.genesis)
    summary = check_store(store, _Policies(store, trust))
    members = membership_of(store, trust)
    machine = Machine(trust)
    decisions = 0
    for height in range(1, store.height + 1):
        block = store.block(height)
        try:
            applied = machine.follow(height, block.entries)
            decisions += len(applied.decisions)
            for held in _anchors(applied, block.first):
                anchored(held)
            if commits:
                _committed(block, members.at(height).opener)
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
    )


def _anchors(applied: Applied, first: int) -> Iterator[Held]:
    """Yield the anchors that count in a block whose header is entry `first`."""
    for index, receipt in enumerate(applied.receipts, start=first + 1):
        if isinstance(receipt.content, Anchor) and receipt.author is not None:
            yield Held(receipt.author, receipt.content, index, applied.height, applied.time_ms)


def begins_with(store: Store, roster: Roster) -> None:
    """Raise NotVerified unless a ledger begins as this roster's swarm began."""
    if store.height < 0:
        raise NotVerified("there is no genesis.", where="height 0")
    try:
        genesis = store.block(0)
    except NotVerified as error:
        raise NotVerified(str(error), where="height 0") from error
    if genesis.entries != (genesis_entry(roster),):
        raise NotVerified("it does not begin with this roster.", where="height 0")
    if genesis.certificate:
        raise NotVerified("genesis needs no certificate.", where="height 0")


class _Policies:
    """The policy that a checkpoint must satisfy: that of the members of its era, once asked."""

    def __init__(self, store: Store, trust: Trust) -> None:
        self._ledger = store, trust
        self._members: Membership | None = None
        self._known: dict[int, Policy] = {}

    def __call__(self, height: int) -> Policy:
        self._members = self._members or membership_of(*self._ledger)
        era = self._members.at(height)
        if era.base not in self._known:
            self._known[era.base] = policy_of(era.opener)
        return self._known[era.base]


def _committed(block: Block, opener: Opener) -> None:
    """Check a block's commit certificate: exactly a quorum, in order, no byte unneeded."""
    roster = opener.roster
    settings = Settings(roster.validators, -1)
    commits = parse_certificate(block.certificate)

    def open_(raw: bytes) -> Signed[Message]:
        opened = opener.open(raw)
        if opened.kind is not Kind.CONSENSUS:
            raise PeerFault("bad_certificate", f"a {opened.kind.name} among the commits.")
        return Signed(opened.author.index, parse(opened.payload), raw)

    batch = batch_of(*split_block(block.entries)).digest()
    if commits != check_commits(batch, block.height, commits, settings, open_):
        raise NotVerified("its certificate is not exactly a quorum in order")
