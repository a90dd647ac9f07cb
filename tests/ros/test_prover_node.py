# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The prover's node: whatever is asked of it, it goes on to answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter

from swarm_ledger.nodes.prover import ProverNode
from swarm_ledger.sim.mission import Mission, prepare, utc_now
from tests.patience import until


@pytest.mark.usefixtures("ros")
def test_a_request_that_breaks_something_ends_no_service(tmp_path: Path) -> None:
    prepare(Mission(run_dir=tmp_path, transport="memory"), now=utc_now())
    given = {"ledger": str(tmp_path / "drone_1"), "roster": str(tmp_path / "roster")}
    node = ProverNode(
        parameter_overrides=[Parameter(k, Parameter.Type.STRING, v) for k, v in given.items()]
    )
    executor = SingleThreadedExecutor()
    executor.add_node(node)

    def broken() -> str:
        raise ZeroDivisionError

    asked = [
        executor.create_task(node._serve, work, lambda why: f"refused: {why}")
        for work in (broken, lambda: "answered")
    ]
    until(
        "both are over", lambda: all(one.done() for one in asked), lambda: executor.spin_once(0.05)
    )
    assert [one.result() for one in asked] == [
        "refused: this drone can't answer that; ask another one.",
        "answered",
    ]
    node.destroy_node()
