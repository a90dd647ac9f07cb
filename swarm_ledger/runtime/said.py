# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a voter says about a question: its vote, or a commitment to one that it opens later."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from swarm_ledger.envelope import Kind, Opened
from swarm_ledger.errors import PeerFault
from swarm_ledger.voting.commitment import Commitment, Reveal, parse_commitment, parse_reveal
from swarm_ledger.voting.observation import AnyObservation, parse_observation

Ballot: TypeAlias = AnyObservation | Commitment | Reveal

BALLOT_FORMS: dict[Kind, Callable[[bytes], Ballot]] = {
    Kind.VOTE: parse_observation,
    Kind.COMMIT: parse_commitment,
    Kind.REVEAL: parse_reveal,
}


def read_ballot(opened: Opened) -> Ballot:
    """Parse what a voter says about a question; PeerFault for what is none of BALLOTS."""
    if opened.kind not in BALLOT_FORMS:
        raise PeerFault("malformed", f"a {opened.kind.name} is not a ballot.")
    return BALLOT_FORMS[opened.kind](opened.payload)
