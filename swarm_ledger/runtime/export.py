# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a ledger gives to strangers: a policy of whom to trust, and proofs of what it holds."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from contextlib import suppress

from swarm_ledger.consensus.quorum import quorum
from swarm_ledger.envelope import Kind, Opener
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity.roster import Roster
from swarm_ledger.identity.session import Session
from swarm_ledger.identity.trust import Trust
from swarm_ledger.ledger.policy import Policy
from swarm_ledger.ledger.proof import LogProof
from swarm_ledger.ledger.store import Found, Store
from swarm_ledger.runtime.snapshot import members_in
from swarm_ledger.voting.decision import Settled, parse_settled

_DELEGATION = b"# delegation "
_PAGE = 256


def sessions_in(store: Store, trust: Trust, *, entry: int | None = None) -> Opener:
    """Return an opener that knows the sessions on a ledger, each checked by its root key.

    They are those of one roster version: of the members who certify that entry, or else of the
    newest. What the state machine refused, such as a key that another member has, is not among
    them.
    """
    members = members_in(store, trust)
    checkpoint = store.checkpoint(entry + 1) if entry is not None else None
    return (members.at(checkpoint.height) if checkpoint else members.now).opener


def policy_of(opener: Opener) -> Policy:
    """Return the policy that follows from a roster and its delegations.

    Any of a validator's session keys cosigns for it; a quorum of all validators is needed. Raises
    NotVerified while fewer than a quorum have delegated.
    """
    roster = opener.roster
    keys: dict[str, list[bytes]] = {}
    for session in _cosigners(opener):
        keys.setdefault(session.member.name, []).append(session.public_key)
    needed = quorum(len(roster.validators))
    if len(keys) < needed:
        raise NotVerified(f"only {len(keys)} validators have a session, {needed} are needed.")
    return Policy.for_swarm(roster.origin, keys, needed)


def policy_file(opener: Opener) -> bytes:
    """Return the policy with the delegations as comments, which tie its keys to the roster."""
    lines = [
        _DELEGATION + base64.b64encode(bytes([Kind.SESSION]) + session.raw)
        for session in _cosigners(opener)
    ]
    return b"".join(line + b"\n" for line in lines) + policy_of(opener).text


def check_policy_file(text: bytes, trust: Trust) -> Policy:
    """Return the policy in a file if it is exactly what follows from a version of the roster.

    Only root keys in the roster are trusted: the file's keys must be delegated to by them.
    Raises NotVerified.
    """
    sessions_of_policy(text, trust)
    return Policy.parse(text)


def sessions_of_policy(text: bytes, trust: Trust) -> Opener:
    """Return an opener for the roster version and the sessions of a policy file.

    Raises NotVerified as check_policy_file() does.
    """
    for version in reversed(trust.versions[1:]):
        with suppress(NotVerified):
            return _follows(text, version.roster)
    return _follows(text, trust.genesis)


def _follows(text: bytes, roster: Roster) -> Opener:
    opener = Opener(roster)
    for line in text.split(b"\n"):
        if line.startswith(_DELEGATION):
            try:
                opener.add_session(base64.b64decode(line[len(_DELEGATION) :], validate=True))
            except (PeerFault, binascii.Error) as error:
                raise NotVerified(
                    f"a delegation does not hold ({error})", where="policy"
                ) from error
    if text != policy_file(opener):
        raise NotVerified("it is not what follows from the roster.", where="policy")
    return opener


def _cosigners(opener: Opener) -> list[Session]:
    members = (opener.roster.members[index] for index in opener.roster.validators)
    return [session for member in members for session in opener.sessions_of(member)]


def find_decision(store: Store, number: int, *, height: int | None = None) -> tuple[int, Settled]:
    """Return the index and content of decision `number` (1, 2, ...); Misuse if there is none.

    height: of its block, where that is known: then the ledger before it is not searched.
    """
    if height is not None:
        block = store.block(height)
        for index, entry in enumerate(block.entries, start=block.first):
            if entry[:1] == bytes([Kind.DECISION]):
                settled = parse_settled(entry[1:])
                if settled.decision.number == number:
                    return index, settled
        raise Misuse(f"block {height} has no decision {number}.")
    for found in store.find(Kind.DECISION, skip=number - 1, limit=1) if number > 0 else ():
        return found.index, parse_settled(found.data[1:])
    made = len(store.find(Kind.DECISION))
    raise Misuse(f"the ledger has no decision {number}.", remedy=f"It has {made}, counted from 1.")


def decisions_in(store: Store) -> Iterator[Settled]:
    """Yield all decisions of a ledger, in order, as they are read."""
    return (parse_settled(one.data[1:]) for one in each(store, Kind.DECISION))


def each(store: Store, kind: Kind) -> Iterator[Found]:
    """Yield all entries of a kind as Store.find() does, without holding them all at once."""
    skip = 0
    while found := store.find(kind, skip=skip, limit=_PAGE):
        yield from found
        skip += len(found)


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
