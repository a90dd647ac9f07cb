# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Evidence: two sealed statements of one member that contradict each other, as an entry.

It proves itself, so nobody need sign it, and a liar can't forge it: both signatures are the
culprit's own. Whoever replays the ledger examines it anew, with the sessions that stand there.
"""

from __future__ import annotations

from dataclasses import dataclass

from swarm_ledger.consensus.evidence import contradiction
from swarm_ledger.consensus.messages import MAX_REQUEST_BYTES, parse
from swarm_ledger.encoding import decode, encode
from swarm_ledger.envelope import BALLOTS, Kind, Opened, Opener, kind_of
from swarm_ledger.errors import PeerFault
from swarm_ledger.identity.roster import Member
from swarm_ledger.runtime.said import read_ballot


@dataclass(frozen=True, slots=True)
class Charge:
    """Who contradicted itself, and about what: such as "the commit of 7 in view 0"."""

    culprit: Member
    about: str


def accusation(first: bytes, second: bytes) -> bytes:
    """Return the entry that two sealed messages make: Kind.EVIDENCE, the lesser one first.

    It may be larger than a request may be: then nobody can order it.
    """
    return bytes([Kind.EVIDENCE]) + encode(sorted([first, second]))


def examine(raw: bytes, opener: Opener) -> Charge:
    """Return whom evidence convicts, by the sessions that an opener knows.

    Raises PeerFault: what Opener.open() does, "malformed", "oversize", and "no_contradiction" for
    statements of two members, about different things, or that agree.
    """
    if kind_of(raw) is not Kind.EVIDENCE:
        raise PeerFault("malformed", "not evidence.")
    pair: tuple[bytes, bytes] = decode(raw[1:], tuple[bytes, bytes], limit=MAX_REQUEST_BYTES)
    if not pair[0] < pair[1]:
        raise PeerFault("malformed", "evidence is two messages, in the order of their bytes.")
    first, second = (opener.open(sealed) for sealed in pair)
    if first.author != second.author:
        raise PeerFault("no_contradiction", "two members may say different things.")
    about = _conflict(first, second)
    if not about:
        raise PeerFault("no_contradiction", f"{first.author.name} may say both of that.")
    return Charge(first.author, about)


def _conflict(first: Opened, second: Opened) -> str:
    kinds = {first.kind, second.kind}
    if kinds == {Kind.CONSENSUS}:
        return contradiction(parse(first.payload), parse(second.payload))
    if len(kinds) == 1 and first.kind in BALLOTS:
        one, other = read_ballot(first), read_ballot(second)
        if one.question == other.question and one != other:
            return f"the {first.kind.name.lower()} on question {one.question.hex()[:16]}"
    return ""
