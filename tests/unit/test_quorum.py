# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How many may lie and how many must agree, for every size of swarm that settings allow."""

from __future__ import annotations

from itertools import combinations

import pytest

from swarm_ledger.consensus.messages import MAX_REPLICAS
from swarm_ledger.consensus.quorum import faulty, quorum
from swarm_ledger.errors import Misuse

KNOWN = {4: (1, 3), 5: (1, 4), 6: (1, 4), 7: (2, 5), 8: (2, 6), 9: (2, 6), 10: (3, 7)}
SIZES = range(4, MAX_REPLICAS + 1)


@pytest.mark.parametrize("n", KNOWN)
def test_known_sizes(n: int) -> None:
    assert (faulty(n), quorum(n)) == KNOWN[n]


@pytest.mark.parametrize("n", SIZES)
def test_any_two_quorums_share_an_honest_replica(n: int) -> None:
    assert 2 * quorum(n) - n > faulty(n)


@pytest.mark.parametrize("n", SIZES)
def test_no_smaller_number_would_do_and_the_honest_ones_suffice(n: int) -> None:
    assert 2 * (quorum(n) - 1) - n <= faulty(n)
    assert quorum(n) <= n - faulty(n)


@pytest.mark.parametrize("n", [5, 6, 8, 9])
def test_quorum_is_not_2f_plus_1_where_n_is_not_3f_plus_1(n: int) -> None:
    """A known bug of others: with 2f + 1, two quorums share no honest replica here."""
    f, wrong = faulty(n), 2 * faulty(n) + 1
    shared = min(
        len(set(a) & set(b))
        for a in combinations(range(n), wrong)
        for b in combinations(range(n), wrong)
    )
    assert shared <= f
    assert quorum(n) > wrong


@pytest.mark.parametrize("n", [0, -1])
def test_a_swarm_has_members(n: int) -> None:
    with pytest.raises(Misuse):
        faulty(n)
