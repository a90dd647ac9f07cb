# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A drone's containers hold as much after three times as many votes, but for what has a bound."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from swarm_ledger.runtime.voter import REMEMBERED_VOTES, Voter
from swarm_ledger.sim.soak import BOUNDED, Soak
from swarm_ledger.voting.poll import OpenQuestion
from swarm_ledger.voting.question import Question
from swarm_ledger.voting.rules import Majority
from tests.crew import look

_MOMENT = 40
"""By so much sizes may differ from one moment to another: votes are under way."""


def test_nothing_grows_with_the_number_of_votes(tmp_path: Path) -> None:
    with closing(Soak(tmp_path)) as soak:
        soak.run(150)
        before = soak.sizes()
        soak.run(300)
        after = soak.sizes()
        assert soak.votes >= 450
    grown = {what: size for what, size in after.items() if size > before.get(what, 0) + _MOMENT}
    assert "Pool._applied" in grown  # so this can tell
    assert grown.keys() <= BOUNDED.keys()
    assert all(size <= BOUNDED[what] for what, size in grown.items())


def test_a_voter_forgets_questions_but_never_an_open_one() -> None:
    voter, asked = Voter(2), Question("?", ("cup", "two_faces"), Majority(), 8_000, bytes(16))
    first = OpenQuestion(bytes(32), asked, 0, 8_000, ())
    voter.look(look(), (first,))
    for number in range(3 * REMEMBERED_VOTES):
        voter.voted(number.to_bytes(32, "big"))
        voter.forget((first,))
        assert len(voter._voted) <= 2 * REMEMBERED_VOTES + 1
    assert not voter.first(bytes(32))
    assert voter.first(REMEMBERED_VOTES.to_bytes(32, "big"))  # long over, and forgotten
    other = OpenQuestion(bytes([1]) * 32, asked, 0, 8_000, ())
    voter.look(look(), (other,))
    voter.forget(())
    assert not voter._seen
