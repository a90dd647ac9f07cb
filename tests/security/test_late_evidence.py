# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Two accusations of one member, the second of which comes while the first is being ordered."""

from __future__ import annotations

import msgspec
import pytest

from swarm_ledger.consensus.messages import Prepare
from swarm_ledger.encoding import digest, encode
from swarm_ledger.envelope import Kind, seal
from tests.crew import Crew
from tests.lab import Lab
from tests.security.test_evidence import GUILTY, ONE, OTHER, pair, swarm, tell, until

SECOND = pair(Prepare(0, 7, ONE), Prepare(0, 7, OTHER))

__all__ = ["swarm"]


@pytest.mark.parametrize("holders", [(0,), (0, 1)])
def test_an_accusation_that_only_some_have_stops_nobody(
    swarm: Lab, crew: Crew, holders: tuple[int, ...]
) -> None:
    """Found by Twins, scenario 1999 of 4 rounds: what waits in some pools is ordered some time,
    and whoever lacks it must be able to take it in, whatever the ledger says by then."""
    swarm.until_decided()
    tell(swarm, GUILTY)
    tell(swarm, SECOND, holders)  # the block that convicts is on its way
    until(swarm, lambda: all(drone.machine.convicted for drone in swarm.drones.values()))
    vote = msgspec.structs.replace(crew.observation(), question=digest(b"another"))
    raw = seal(Kind.VOTE, encode(vote), crew.session("drone_4"), crew.roster)
    tell(swarm, raw)
    until(swarm, lambda: all(d.status()["pending"] == 0 for d in swarm.drones.values()))
