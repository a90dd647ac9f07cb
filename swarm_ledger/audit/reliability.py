# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Who is how reliable, by all votes on all questions at once, afterwards (Dawid & Skene 1979).

The ledger's own reputations take each decision for the truth. This takes nothing for the truth:
it estimates true labels and each voter's errors together, by expectation and maximisation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm_ledger.errors import Misuse
from swarm_ledger.identity.trust import Trust
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.machine import Machine
from swarm_ledger.runtime.said import Ballot
from swarm_ledger.runtime.snapshot import oldest
from swarm_ledger.voting.commitment import Commitment, Reveal
from swarm_ledger.voting.limits import ABSTAIN
from swarm_ledger.voting.observation import Observation
from swarm_ledger.voting.question import Question

_SMOOTH = 0.1
_ROUNDS = 200
_STILL = 1e-9

Votes = Mapping[str, Mapping[str, int]]
"""By question, by voter: the index of the label that it gave."""


@dataclass(frozen=True)
class Estimate:
    """What the votes on questions with the same labels came to.

    truth: by question, the probability of each label. accuracy: by voter, how likely it gives the
    true label, averaged over how often each is true; answered: how many questions it did.
    confusion: by voter, [true label][given label]. rounds: until nothing moved any more.
    """

    labels: tuple[str, ...]
    truth: dict[str, list[float]]
    accuracy: dict[str, float]
    answered: dict[str, int]
    confusion: dict[str, list[list[float]]]
    rounds: int


def dawid_skene(votes: Votes, labels: Sequence[str]) -> Estimate:
    """Estimate true labels and voters' errors; Misuse where there are no votes.

    Each voter's errors begin with a tenth of a vote for each pair of labels, so that a few votes
    prove nothing. It begins with the shares of the votes, and so knows only what most voters are
    right about more often than not: where most lie alike, it believes them.
    """
    questions = sorted(votes)
    voters = sorted({voter for given in votes.values() for voter in given})
    if not voters:
        raise Misuse("there are no votes to estimate anything from.")
    given = np.zeros((len(questions), len(voters), len(labels)))
    for row, question in enumerate(questions):
        for voter, label in votes[question].items():
            given[row, voters.index(voter), label] = 1
    truth = given.sum(axis=1) + _SMOOTH
    truth /= truth.sum(axis=1, keepdims=True)
    rounds, still = 0, False
    while not still and rounds < _ROUNDS:
        moved = _expect(given, *_maximise(given, truth))
        still = float(np.abs(moved - truth).max()) < _STILL
        truth, rounds = moved, rounds + 1
    prior, errors = _maximise(given, truth)
    right = np.einsum("vll,l->v", errors, prior)
    return Estimate(
        labels=tuple(labels),
        truth={question: truth[row].tolist() for row, question in enumerate(questions)},
        accuracy={voter: float(right[place]) for place, voter in enumerate(voters)},
        answered={voter: int(given[:, place].sum()) for place, voter in enumerate(voters)},
        confusion={voter: errors[place].tolist() for place, voter in enumerate(voters)},
        rounds=rounds,
    )


def _maximise(
    given: NDArray[np.float64], truth: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how often each label is true, and each voter's errors [voter][true][given]."""
    prior = truth.sum(axis=0) + _SMOOTH
    errors = np.einsum("ql,qvg->vlg", truth, given) + _SMOOTH
    return prior / prior.sum(), errors / errors.sum(axis=2, keepdims=True)


def _expect(
    given: NDArray[np.float64], prior: NDArray[np.float64], errors: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how likely each label is the true one, [question][label]."""
    logs = np.log(prior) + np.einsum("qvg,vlg->ql", given, np.log(errors))
    odds = np.exp(logs - logs.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = odds / odds.sum(axis=1, keepdims=True)
    return shares


class Collected:
    """The votes in ledgers, by the labels that their questions have."""

    def __init__(self) -> None:
        self.votes: dict[tuple[str, ...], dict[str, dict[str, int]]] = {}

    def take(self, store: Store, trust: Trust) -> None:
        """Take in the votes of one ledger, replayed; NotVerified for a block that doesn't follow.

        Only those that counted, and whose voter did not take them back. The same question in
        several ledgers is one.
        """
        machine = oldest(store, trust)
        for height in range(machine.height + 1, store.height + 1):
            applied = machine.follow(height, store.block(height).entries)
            for receipt in applied.receipts:
                if receipt.author is not None and isinstance(receipt.content, Ballot):
                    self._take(machine, receipt.author.name, receipt.content, receipt.result)

    def _take(self, machine: Machine, author: str, ballot: Ballot, result: str) -> None:
        said = ballot.observation if isinstance(ballot, Reveal) else ballot
        asked = None if isinstance(said, Commitment) else machine.asked(said.question)
        if not isinstance(said, Observation) or not isinstance(asked, Question):
            return
        given = self.votes.setdefault(asked.labels, {}).setdefault(said.question.hex(), {})
        if result == "conflict":
            given.pop(author, None)
        elif result == "counted" and said.label != ABSTAIN:
            given[author] = said.label

    def estimates(self) -> Iterable[Estimate]:
        """Return an estimate for each set of labels with any votes."""
        for labels, votes in sorted(self.votes.items()):
            if any(votes.values()):
                yield dawid_skene(votes, labels)


def fields(estimate: Estimate) -> dict[str, Any]:
    """Return an estimate as JSON has it."""
    return {
        "labels": list(estimate.labels),
        "questions": len(estimate.truth),
        "rounds": estimate.rounds,
        "voters": [
            {
                "name": voter,
                "accuracy": accuracy,
                "answered": estimate.answered[voter],
                "confusion": estimate.confusion[voter],
            }
            for voter, accuracy in sorted(estimate.accuracy.items())
        ],
        "truth": estimate.truth,
    }
