# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One running swarm for all attacks of a file; each ends with a new decision of all of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.assault.field import Field, Wire


@pytest.fixture(scope="module")
def flying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    """Four drones over ZeroMQ, whose ledgers must be one and hold when all is over."""
    made = Field(tmp_path_factory.mktemp("field") / "run")
    try:
        made.begin()
        made.decides()
        yield made
        made.settle()
    finally:
        made.close()
    made.check_ledgers()


@pytest.fixture
def field(flying: Field) -> Iterator[Field]:
    """The swarm, which decides one more question after the attack, and blames nobody innocent."""
    yield flying
    flying.decides()
    assert flying.accused() | flying.blamed().keys() <= {"drone_4"}


@pytest.fixture
def attacker(flying: Field) -> Iterator[Wire]:
    """Sockets of a stranger."""
    wire = flying.wire()
    yield wire
    wire.close()
