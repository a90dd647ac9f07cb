# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a ledger gives to strangers: a policy of whom to trust, and proofs of what it holds."""

from __future__ import annotations

from swarm_ledger.consensus.quorum import quorum
from swarm_ledger.envelope import Kind, Opener
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity.roster import Roster
from swarm_ledger.ledger.policy import Policy
from swarm_ledger.ledger.proof import LogProof
from swarm_ledger.ledger.store import Store
from swarm_ledger.voting.decision import Settled, parse_settled


def sessions_in(store: Store, roster: Roster) -> Opener:
    """Return an opener that knows every delegation on a ledger, each checked by its root key."""
    opener = Opener(roster)
    for index in range(store.size):
        entry = store.entry(index)
        if entry[:1] == bytes([Kind.SESSION]):
            try:
                opener.add_session(entry)
            except PeerFault as fault:
                raise NotVerified(
                    f"entry {index} is no valid delegation ({fault})",
                    where=f"height {store.height_of(index)}",
                ) from fault
    return opener


def policy_of(opener: Opener) -> Policy:
    """Return the policy that follows from a roster and its delegations.

    Each validator's latest session key cosigns; a quorum of all validators is needed. Raises
    NotVerified while fewer than a quorum have delegated.
    """
    roster = opener.roster
    keys = {}
    for index in roster.validators:
        session = opener.session_of(roster.members[index])
        if session is not None:
            keys[session.member.name] = session.public_key
    needed = quorum(len(roster.validators))
    if len(keys) < needed:
        raise NotVerified(f"only {len(keys)} validators have a session, {needed} are needed.")
    return Policy.for_swarm(roster.origin, keys, needed)


def find_decision(store: Store, number: int) -> tuple[int, Settled]:
    """Return the index and content of decision `number` (1, 2, ...); Misuse if there is none."""
    made = 0
    for index in range(store.size):
        entry = store.entry(index)
        if entry[:1] == bytes([Kind.DECISION]):
            made += 1
            if made == number:
                return index, parse_settled(entry[1:])
    raise Misuse(f"the ledger has no decision {number}.", remedy=f"It has {made}, counted from 1.")


def prove(store: Store, index: int) -> bytes:
    """Return the tlog-proof file of one entry, which carries the entry itself.

    Raises Misuse while no cosigned checkpoint covers it.
    """
    entry = store.entry(index)
    checkpoint = store.checkpoint(index + 1)
    if checkpoint is None:
        raise Misuse(
            f"no cosigned checkpoint covers entry {index} yet.",
            remedy="Wait for the next one; a quiet swarm makes it within a second.",
        )
    path = tuple(store.inclusion(index, checkpoint.size))
    return LogProof(entry, index, path, checkpoint.note).encode()
