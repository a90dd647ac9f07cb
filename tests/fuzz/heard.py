# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a ground station makes of anything that it hears: no more votes than voters."""

from __future__ import annotations

from contextlib import suppress

from swarm_ledger.errors import PeerFault
from swarm_ledger.runtime.hearing import Hearing
from tests.fuzz.forging import CREW, of_sealed
from tests.fuzz.target import Target


def _heard(data: bytes) -> None:
    """Heard twice it counts once, whether the voter's session is known yet or not."""
    hearing = Hearing(CREW.roster)
    hearing.open(CREW.question_id, CREW.question)
    poll = hearing.polls[CREW.question_id]
    with suppress(PeerFault):
        hearing.hear(data, 0)
    hearing.learn(CREW.roster, CREW.opener(["drone_1", "drone_2", "drone_3"]).sessions())
    before = poll.votes(CREW.roster)
    assert len(before) <= 1
    try:
        hearing.hear(data, 1)
    finally:
        assert poll.votes(CREW.roster) in (before, poll.votes(CREW.roster)[:1])
        assert hearing.heard_since(2) == 0
        assert hearing.height == 0  # one drone's word is not enough


HEARD = (Target("heard", _heard, of_sealed, (PeerFault,)),)
