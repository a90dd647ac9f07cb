# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Inside a block the order of what arrives changes nothing, whatever the rule, learnt or not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm_ledger.encoding import encode
from swarm_ledger.voting.commitment import Commitment, Reveal, hide
from swarm_ledger.voting.decision import AnyDecision
from swarm_ledger.voting.limits import ABSTAIN
from swarm_ledger.voting.observation import Observation
from swarm_ledger.voting.question import Question, question_id
from swarm_ledger.voting.rules import RULES, LabelRule, Sealed
from swarm_ledger.voting.tally import Tally

VOTERS, FAULTY, OPEN_MS = 7, 2, 100
LABELS = ("cup", "two_faces", "vase")

Said = tuple[int, int, int, int]
"""Voter, label, confidence in millionths, bearing in milliradians."""

SAID = st.tuples(
    st.integers(0, VOTERS),
    st.integers(ABSTAIN, len(LABELS) - 1),
    st.integers(0, 1_000_000),
    st.integers(0, 6_283),
)
BLOCKS = st.lists(st.lists(SAID, max_size=10), min_size=1, max_size=3)


def saw(name: bytes, said: Said) -> Observation:
    _, label, confidence_ppm, bearing = said
    return Observation(name, label, confidence_ppm, 1, bytes(32), bearing, 1)


def run(rule: LabelRule | Sealed, asked: Sequence[Sequence[Sequence[Said]]]) -> list[object]:
    """Ask question after question, with these blocks of votes; return all that came of it."""
    tally, decisions = Tally(frozenset(range(VOTERS)), FAULTY), list[AnyDecision]()
    sealed, height = isinstance(rule, Sealed), 0
    for nonce, blocks in enumerate(asked):
        question = Question("target", LABELS, rule, OPEN_MS, bytes([nonce]) * 16)
        name, start_ms, height = question_id(encode(question)), 1_000 * nonce, height + 1
        tally.open(name, question, start_ms, height)
        decisions += tally.advance(start_ms, height)
        for later, opening in enumerate((False, True) if sealed else (True,)):
            for place, votes in enumerate(blocks, start=1):
                height, now_ms = height + 1, start_ms + later * (OPEN_MS // 2) + place
                for said in votes:
                    reveal = Reveal(bytes(16), saw(name, said))
                    if not sealed:
                        tally.vote(said[0], reveal.observation, now_ms, height)
                    elif opening:
                        tally.reveal(said[0], reveal, now_ms, height)
                    else:
                        hidden = Commitment(name, hide(said[0], reveal))
                        tally.commit(said[0], hidden, now_ms, height)
                decisions += tally.advance(now_ms, height)
        height += 1
        decisions += tally.advance(start_ms + OPEN_MS, height)
    assert len(decisions) == len(asked)
    return [decisions, tally.learnt(), tally.state_digest()]


@pytest.mark.parametrize("name", [*RULES, *(f"sealed {name}" for name in RULES)])
@settings(max_examples=25)
@given(data=st.data())
def test_order_inside_a_block_changes_no_bit(name: str, data: st.DataObject) -> None:
    rule = RULES[name.removeprefix("sealed ")]
    asked = data.draw(st.lists(BLOCKS, min_size=1, max_size=2))
    shuffled = [[data.draw(st.permutations(block)) for block in blocks] for blocks in asked]
    one: LabelRule | Sealed = Sealed(rule, OPEN_MS // 2) if name.startswith("sealed") else rule
    assert run(one, asked) == run(one, shuffled)
