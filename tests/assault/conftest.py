# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One running swarm for all attacks of a file; each ends with a new decision of all of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.assault.field import Field, Wire
from tests.system.conftest import needs


@pytest.fixture(scope="module")
def flying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    """Four drones over ZeroMQ, whose ledgers must be one and hold when all is over."""
    yield from fly(tmp_path_factory.mktemp("field") / "run", "zmq")


@pytest.fixture(scope="module")
def on_topics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    """The same over ROS 2."""
    needs("ros")
    yield from fly(tmp_path_factory.mktemp("topics") / "run", "ros")


def fly(home: Path, transport: str) -> Iterator[Field]:
    made = Field(home, transport)
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
    yield from attacked(flying)


@pytest.fixture
def topics(on_topics: Field) -> Iterator[Field]:
    """The same over ROS 2."""
    yield from attacked(on_topics)


def attacked(field: Field) -> Iterator[Field]:
    yield field
    field.decides()
    assert field.accused() | field.blamed().keys() <= {"drone_4"}


@pytest.fixture
def attacker(flying: Field) -> Iterator[Wire]:
    """Sockets of a stranger."""
    wire = flying.wire()
    yield wire
    wire.close()
