# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The policy that follows from a roster and the sessions that its members' keys delegated to."""

from __future__ import annotations

import base64
import binascii
from contextlib import suppress

from swarm_ledger.consensus.quorum import quorum
from swarm_ledger.envelope import Opener, delegation_of
from swarm_ledger.errors import NotVerified, PeerFault
from swarm_ledger.identity.roster import Roster
from swarm_ledger.identity.session import Session
from swarm_ledger.identity.trust import Trust
from swarm_ledger.ledger.policy import Policy

_DELEGATION = b"# delegation "


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
        _DELEGATION + base64.b64encode(delegation_of(session)) for session in _cosigners(opener)
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
