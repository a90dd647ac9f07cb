# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A publisher that is refused too often isn't looked at for a while; others are."""

from __future__ import annotations

from swarm_ledger.relay.patience import _REMEMBERED, Patience

NOW_US = 1_893_456_000_000_000


def test_spent_for_the_rest_of_the_second() -> None:
    patience = Patience(per_second=3)
    for at in range(3):
        assert not patience.spent(b"flooder", NOW_US + at)
        patience.try_it(b"flooder", NOW_US + at)
    assert patience.spent(b"flooder", NOW_US + 999_999)
    assert not patience.spent(b"other", NOW_US + 4)
    assert not patience.spent(b"flooder", NOW_US + 1_000_000)
    patience.try_it(b"flooder", NOW_US + 1_000_000)
    assert not patience.spent(b"flooder", NOW_US + 1_000_001)


def test_who_is_refused_now_and_then_is_heard() -> None:
    patience = Patience(per_second=3)
    for tenth in range(100):
        assert not patience.spent(b"honest", NOW_US + tenth * 500_000)
        patience.try_it(b"honest", NOW_US + tenth * 500_000)


def test_many_publishers_cost_bounded_memory() -> None:
    patience = Patience(per_second=1)
    for number in range(3 * _REMEMBERED):
        patience.try_it(b"%d" % number, NOW_US)
    assert len(patience._refused) == _REMEMBERED
    assert patience.spent(b"%d" % (3 * _REMEMBERED - 1), NOW_US)
