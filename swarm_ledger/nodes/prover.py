# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""prover: answers light clients from a drone's ledger, read-only, while the drone writes it.

A process of its own: whoever asks too much holds up others who ask, and never the drone.
"""

from __future__ import annotations

import array
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rclpy.node import Node
from swarm_interfaces.srv import GetProof

from swarm_ledger.identity.trust import load_trust
from swarm_ledger.ledger.store import Store
from swarm_ledger.nodes.declaring import declare
from swarm_ledger.nodes.process import run
from swarm_ledger.nodes.tables.prover import TABLE
from swarm_ledger.runtime.fleet import LEDGER
from swarm_ledger.runtime.light import Prover


class ProverNode(Node):
    """Serves `get_proof`. Parameters ledger (a drone's folder) and roster (the roster folder)."""

    def __init__(self, **node_arguments: Any) -> None:
        super().__init__("prover", **node_arguments)
        given = declare(self, TABLE)
        path = Path(given.text("ledger")) / LEDGER
        trust = load_trust(Path(given.text("roster")))
        self._prover = Prover(lambda: Store.open(path, read_only=True), trust)
        self.create_service(GetProof, "get_proof", self._on_request)

    def _on_request(self, request: Any, response: Any) -> Any:
        response.answer = array.array("B", self._prover.answer(bytes(request.request)))
        return response


def make() -> Sequence[Node]:
    """Return the prover's node."""
    return (ProverNode(),)


def main() -> None:
    """Answer until Ctrl-C."""
    sys.exit(run(make))


if __name__ == "__main__":
    main()
