# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Floods of 10,000 messages a second at each of four running drones, which go on deciding."""

from __future__ import annotations

import pytest

from tests.assault.field import Field


@pytest.mark.slow(30)
@pytest.mark.parametrize(("kind", "sources"), [("noise", "20"), ("forged", "1")])
def test_garbage(field: Field, kind: str, sources: str) -> None:
    """Bytes at random from twenty connections; from one, what costs the check of a signature.

    How many there are, and what they say, are judged apart from each other: two pairs have all.
    """
    before, faults = field.overload(), field.faults()
    with field.flooded("--kind", kind, "--sources", sources):
        field.overloaded(before)
        field.decides()
    reason = "malformed" if kind == "noise" else "bad_signature"
    field.refused(faults, **{reason: 100})


def test_a_member_that_floods_with_true_statements(field: Field) -> None:
    """drone_4's stolen session: nothing is refused, and the others' messages get their turns."""
    field.endures("--kind", "member")
    field.settle()


def test_large_messages(field: Field) -> None:
    field.endures("--kind", "large", "--rate", "200")
    field.settle()
