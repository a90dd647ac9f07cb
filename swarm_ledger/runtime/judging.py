# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a ledger must show to whoever has the roster alone: its genesis, checkpoints, commits."""

from __future__ import annotations

from swarm_ledger.consensus.certificates import check_commits
from swarm_ledger.consensus.messages import Message, Signed, parse
from swarm_ledger.consensus.settings import Settings
from swarm_ledger.envelope import Kind, Opener
from swarm_ledger.errors import NotVerified, PeerFault
from swarm_ledger.identity.roster import Roster
from swarm_ledger.identity.trust import Trust
from swarm_ledger.ledger.policy import Policy
from swarm_ledger.ledger.store import Block, Store
from swarm_ledger.light_client.policies import policy_of
from swarm_ledger.runtime.blocks import batch_of, genesis_entry, parse_certificate, split_block
from swarm_ledger.runtime.membership import Membership
from swarm_ledger.runtime.snapshot import members_from


def begins_with(store: Store, roster: Roster) -> None:
    """Raise NotVerified unless a ledger begins as this roster's swarm began."""
    if store.height < 0:
        raise NotVerified("there is no genesis.", where="height 0")
    if store.base:
        if [found.data for found in store.find(Kind.GENESIS)] != [genesis_entry(roster)]:
            raise NotVerified("it does not begin with this roster.", where="height 0")
        return
    try:
        genesis = store.block(0)
    except NotVerified as error:
        raise NotVerified(str(error), where="height 0") from error
    if genesis.entries != (genesis_entry(roster),):
        raise NotVerified("it does not begin with this roster.", where="height 0")
    if genesis.certificate:
        raise NotVerified("genesis needs no certificate.", where="height 0")


class Policies:
    """The policy that a checkpoint must satisfy: that of the members of its era, once asked."""

    def __init__(self, store: Store, trust: Trust) -> None:
        self._ledger = store, trust
        self._members: Membership | None = None
        self._known: dict[int, Policy] = {}

    def __call__(self, height: int) -> Policy:
        """Return that of the block of a height."""
        self._members = self._members or members_from(*self._ledger)
        era = self._members.at(height)
        if era.base not in self._known:
            self._known[era.base] = policy_of(era.opener)
        return self._known[era.base]


def check_committed(block: Block, opener: Opener) -> None:
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
