# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Check a drone's ledger from its file and the roster alone, trusting nobody.

Three layers, each on top of the last: the stored bytes fit together and the checkpoints are
cosigned by a quorum; each block was committed by a quorum; each entry follows from those before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from swarm_ledger.consensus.certificates import check_commits
from swarm_ledger.consensus.messages import Message, Signed, parse
from swarm_ledger.consensus.settings import Settings
from swarm_ledger.envelope import Kind, Opener
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity.roster import Roster
from swarm_ledger.ledger.check import check_store
from swarm_ledger.ledger.policy import Policy
from swarm_ledger.ledger.store import Block, Store
from swarm_ledger.runtime.export import policy_of, sessions_in
from swarm_ledger.runtime.fleet import LEDGER
from swarm_ledger.runtime.keeper import parse_certificate
from swarm_ledger.runtime.machine import Machine, batch_of, genesis_entry, split_block
from swarm_ledger.runtime.membership import Conviction
from swarm_ledger.voting.decision import Settled


@dataclass(frozen=True)
class Verdict:
    """A ledger that holds. covered: entries under the last cosigned checkpoint."""

    height: int
    size: int
    root: bytes
    checkpoints: int
    covered: int
    decisions: tuple[Settled, ...]
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
    store: Store, roster: Roster, progress: Callable[[int, int], None] = lambda _a, _b: None
) -> Verdict:
    """Check everything that a ledger claims.

    progress: called with the height reached and the last one. Raises NotVerified, naming the
    height and what failed.
    """
    _begins_with(store, roster)
    summary = check_store(store, lambda: _policy(store, roster))
    opener = sessions_in(store, roster)
    machine = Machine(roster)
    decisions: list[Settled] = []
    for height in range(1, store.height + 1):
        block = store.block(height)
        try:
            decisions += machine.follow(height, block.entries).decisions
            _committed(block, opener)
        except (NotVerified, PeerFault, Misuse) as error:
            raise NotVerified(error.what, where=f"height {height}") from error
        progress(height, store.height)
    return Verdict(
        summary.height,
        summary.size,
        summary.root,
        summary.checkpoints,
        summary.covered,
        tuple(decisions),
        tuple(machine.members.convictions),
    )


def _begins_with(store: Store, roster: Roster) -> None:
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


def _policy(store: Store, roster: Roster) -> Policy:
    """Return the policy that checkpoints must satisfy; without any, there need be none yet."""
    if not store.database.value("SELECT count(*) FROM checkpoints", int, "checkpoints"):
        return Policy.parse(b"quorum none\n")
    return policy_of(sessions_in(store, roster))


def _committed(block: Block, opener: Opener) -> None:
    """Check a block's commit certificate: exactly a quorum, in order, no byte unneeded."""
    roster = opener.roster
    settings = Settings(roster.validators, -1)
    header, requests = split_block(block.entries)
    commits = parse_certificate(block.certificate)

    def open_(raw: bytes) -> Signed[Message]:
        opened = opener.open(raw)
        if opened.kind is not Kind.CONSENSUS:
            raise PeerFault("bad_certificate", f"a {opened.kind.name} among the commits.")
        return Signed(opened.author.index, parse(opened.payload), raw)

    batch = batch_of(header, requests).digest()
    if commits != check_commits(batch, block.height, commits, settings, open_):
        raise NotVerified("its certificate is not exactly a quorum in order")
