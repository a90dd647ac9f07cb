# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The nodes of a drone's one process: which there are, and how they work together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import String
from swarm_interfaces.msg import SignedMessage
from swarm_interfaces.srv import GetProof

from swarm_ledger.errors import Misuse
from swarm_ledger.nodes.declaring import refuse_unknown
from swarm_ledger.nodes.drone import make
from swarm_ledger.nodes.lifecycle import ManagedNode
from swarm_ledger.sim.mission import Mission, prepare, utc_now
from tests.patience import until

SIGN = "\nsign:\n  topics: [chatter]\n  anchor_ms: 0\n"


@contextmanager
def told(folder: Path, more: str = "", *given: str) -> Iterator[None]:
    """A prepared fleet, and the command line of its first drone."""
    mission = Mission(run_dir=folder, transport="ros", byzantine=0)
    prepare(mission, now=utc_now())
    path = folder / "fleet.yaml"
    path.write_text(path.read_text() + more)
    words = [f"fleet:={path}", "drone:=drone_1", *given]
    parameters = [part for word in words for part in ("-p", word)]
    rclpy.init(args=["--ros-args", *parameters, "-r", "__ns:=/drone_1"])
    try:
        yield
    finally:
        rclpy.try_shutdown()


def names(nodes: list[Node]) -> list[str]:
    return [node.get_fully_qualified_name() for node in nodes]


def end(nodes: list[Node]) -> None:
    for node in reversed(nodes):
        if isinstance(node, ManagedNode):
            node.end()
        node.destroy_node()


def test_what_works_for_a_drone_is_in_its_process(tmp_path: Path) -> None:
    with told(tmp_path, SIGN):
        nodes = list(make())
        wanted = [f"/drone_1/{name}" for name in ("drone", "perception", "secure_relay", "prover")]
        assert names(nodes) == wanted
        refuse_unknown(nodes)
        executor, tester = SingleThreadedExecutor(), rclpy.create_node("tester")
        for node in (*nodes, tester):
            executor.add_node(node)
        for node in nodes:
            if isinstance(node, ManagedNode):
                node.begin()
        signed: list[SignedMessage] = []
        tester.create_subscription(SignedMessage, "/swarm/signed", signed.append, 100)
        out = tester.create_publisher(String, "/drone_1/chatter", 10)
        until(
            "something is signed",
            lambda: any(one.topic == "/drone_1/chatter" for one in signed),
            lambda: (out.publish(String(data="hello")), executor.spin_once(timeout_sec=0.02)),
        )
        proofs = tester.create_client(GetProof, "/drone_1/get_proof")
        until("it proves", proofs.service_is_ready, lambda: executor.spin_once(timeout_sec=0.02))
        tester.destroy_node()
        end(nodes)


def test_a_relay_is_there_only_if_topics_are_named(tmp_path: Path) -> None:
    with told(tmp_path):
        nodes = list(make())
        assert names(nodes) == [f"/drone_1/{name}" for name in ("drone", "perception", "prover")]
        end(nodes)


@pytest.mark.parametrize("autostart", [True, False])
def test_a_broken_fleet_file_ends_a_process_that_starts_by_itself(
    tmp_path: Path, autostart: bool
) -> None:
    with told(tmp_path, "\nsing: {}\n", f"autostart:={str(autostart).lower()}"):
        nodes: list[Node] = []
        if autostart:
            with pytest.raises(Misuse, match="sing"):
                nodes.extend(make())
        else:
            nodes.extend(make())
            assert names(nodes) == ["/drone_1/drone", "/drone_1/perception"]
        end(nodes)


def test_a_slip_of_the_pen_is_refused_for_all_nodes_of_the_process(tmp_path: Path) -> None:
    with told(tmp_path, "", "image_transpot:=compressed"):
        nodes = list(make())
        with pytest.raises(Misuse, match="image_transpot") as caught:
            refuse_unknown(nodes)
        assert caught.value.remedy == "Did you mean image_transport?"
        end(nodes)
