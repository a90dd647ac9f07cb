# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One set of entries, one tally: to the bit, on any Python, and as ledgers have it already.

MAJORITY is what the code made before there were other rules: old ledgers hold such states. TALLIES
covers all rules; when a rule changes on purpose, a new tag does, and this digest grows by it.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from decimal import Decimal, localcontext
from pathlib import Path

from swarm_ledger.encoding import decode, encode
from swarm_ledger.voting.commitment import Commitment, Reveal, hide
from swarm_ledger.voting.decision import AnyDecision
from swarm_ledger.voting.observation import AnyObservation, NumberObservation, Observation
from swarm_ledger.voting.question import NumberQuestion, Question, question_id
from swarm_ledger.voting.rules import (
    Bayes,
    LabelRule,
    Majority,
    Median,
    Plurality,
    Sealed,
    SealedNumbers,
    Sequential,
    TrimmedMean,
    Views,
    Weighted,
)
from swarm_ledger.voting.rules.logs import ONE, logarithms
from swarm_ledger.voting.state import LearningState, TallyState
from swarm_ledger.voting.tally import Tally

ROOT = Path(__file__).resolve().parents[2]
MAJORITY = "c71101f47c66606abff102c2943ed93e6079174e2b990ff70a7499b791398bfb"
TALLIES = "145d1b7b94f2fb7e7be4f4d3ced0cc130c8e153e1330b630f6314ce4987ea05a"
LOGARITHMS = "ef7d6cd16e16d587e8a678d4c0361b3f79a07e9fa6fe430b9b4b26cd3dcf1461"


def majorities() -> str:
    """What a tally of majorities comes to, written with what there was before other rules."""
    rng, said = random.Random("majorities"), hashlib.sha256()
    for run in range(40):
        n = rng.randrange(4, 14)
        tally = Tally(frozenset(range(n)), (n - 1) // 3)
        names = []
        for height in range(12):
            if height % 3 == 0:
                nonce = bytes([run, height]) + bytes(14)
                question = Question("What?", ("a", "b", "c"), Majority(), 5, nonce)
                names.append(question_id(encode(question)))
                tally.open(names[-1], question, height, height)
            for _ in range(rng.randrange(8)):
                cast = Observation(
                    rng.choice(names), rng.randrange(-1, 3), 500, 1, bytes(32), 7, 1
                )
                said.update(bytes([tally.vote(rng.randrange(n + 1), cast, height, height)]))
            for decision in tally.advance(height, height):
                said.update(encode(decision))
            said.update(tally.state_digest())
            said.update(encode(tally.state()))
    return said.hexdigest()


def rules(rng: random.Random) -> LabelRule:
    """A rule of each kind, with parameters of all sizes."""
    views = Views(rng.randrange(1, 1_000), rng.randrange(1, 1_001)) if rng.random() < 0.5 else None
    return rng.choice(
        (
            Majority(),
            Plurality(rng.randrange(1, 1_001)),
            Weighted(rng.randrange(10_000, 1_000_001), views),
            Bayes(rng.randrange(500, 1_000), rng.randrange(100, 7_001), views),
            Sequential(rng.randrange(500, 1_000), rng.randrange(100, 7_001), views),
        )
    )


def asked(rng: random.Random, nonce: bytes) -> Question | NumberQuestion:
    if rng.random() < 0.3:
        plain = rng.choice((Median(), TrimmedMean()))
        number = SealedNumbers(plain, 3) if rng.random() < 0.3 else plain
        return NumberQuestion("How many?", "mm", -50, 50, rng.randrange(40), number, 6, nonce)
    labels = tuple("abcdefgh"[: rng.randrange(2, 9)])
    rule = rules(rng)
    return Question("What?", labels, Sealed(rule, 3) if rng.random() < 0.3 else rule, 6, nonce)


def seen(rng: random.Random, question: Question | NumberQuestion) -> AnyObservation:
    name = question_id(encode(question))
    rest = (rng.randrange(1_000_001), 1, bytes(32), rng.randrange(6_284), 1)
    if isinstance(question, NumberQuestion):
        return NumberObservation(name, rng.choice((None, *range(-55, 55))), *rest)
    label = rng.choice((-1, 0, 0, 0, rng.randrange(len(question.labels) + 1)))
    return Observation(name, label, *rest)


def tallies(runs: int = 60) -> str:
    """What tallies of all rules come to: sealed or not, with liars, put down and taken up."""
    said = hashlib.sha256()
    for run in range(runs):
        rng = random.Random(f"tally {run}")
        n = rng.randrange(4, 12)
        voters, faulty = frozenset(range(n)), (n - 1) // 3
        tally = Tally(voters, faulty)
        decisions: list[AnyDecision] = []
        questions: list[Question | NumberQuestion] = []
        hidden: dict[tuple[int, bytes], Reveal] = {}
        for height in range(40):
            if height % 2 == 0:
                question = asked(rng, bytes([run, height]) + bytes(14))
                questions.append(question)
                tally.open(question_id(encode(question)), question, height, height)
            for _ in range(rng.randrange(12)):
                voter, question = rng.randrange(n + 1), rng.choice(questions[-3:])
                name, answer = question_id(encode(question)), seen(rng, question)
                if isinstance(question.rule, Sealed | SealedNumbers):
                    reveal = hidden.setdefault((voter, name), Reveal(bytes(16), answer))
                    commitment = Commitment(name, hide(voter, reveal))
                    said.update(bytes([tally.commit(voter, commitment, height, height)]))
                    said.update(bytes([tally.reveal(voter, reveal, height, height)]))
                else:
                    said.update(bytes([tally.vote(voter, answer, height, height)]))
            closed = tally.advance(height, height)
            decisions += closed
            ids = {voter: bytes([voter]) * 16 for voter in voters}
            changes = tally.judge(ids, {n - 1} if height > 30 else ())
            for entry in (*closed, *changes):
                said.update(encode(entry))
            said.update(tally.state_digest())
            if rng.random() < 0.2:
                state = decode(encode(tally.state()), TallyState | LearningState, limit=1 << 20)
                again = Tally(voters, faulty)
                again.resume(state, decisions, height, height)
                assert again.state_digest() == tally.state_digest()
                tally = again
    return said.hexdigest()


def everything() -> dict[str, str]:
    table = encode(list(logarithms()))
    return {
        "MAJORITY": majorities(),
        "TALLIES": tallies(),
        "LOGARITHMS": hashlib.sha256(table).hexdigest(),
    }


def test_ledgers_of_majorities_are_what_they_were() -> None:
    assert majorities() == MAJORITY


def test_all_rules_tally_as_they_did() -> None:
    assert tallies() == TALLIES


def test_logarithms_are_to_the_nearest_and_what_they_were() -> None:
    """decimal rounds correctly, by another algorithm."""
    with localcontext() as context:
        context.prec = 40
        exact = [(Decimal(k).ln() * ONE).to_integral_value() for k in range(1, 1_001)]
    assert [int(value) for value in exact] == list(logarithms())[1:]
    assert everything()["LOGARITHMS"] == LOGARITHMS


def test_another_process_with_another_hash_seed_tallies_the_same() -> None:
    output = subprocess.run(
        [sys.executable, "-m", "tests.unit.test_voting_pins"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "4242", "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert json.loads(output) == {
        "MAJORITY": MAJORITY,
        "TALLIES": TALLIES,
        "LOGARITHMS": LOGARITHMS,
    }


if __name__ == "__main__":
    print(json.dumps(everything(), indent=4))
