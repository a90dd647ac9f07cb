# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""prover: answers anybody's questions from a drone's ledger, read-only, while the drone writes it.

In the drone's own process, or in one of its own. Answers are made beside the executor, one at a
time and within a budget, so that whoever asks too much is turned away, and the drone goes on.
"""

from __future__ import annotations

import array
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.task import Future
from swarm_interfaces.msg import Entry
from swarm_interfaces.srv import GetBlock, GetProof

from swarm_ledger.encoding import encode
from swarm_ledger.identity.trust import load_trust
from swarm_ledger.ledger.store import Store
from swarm_ledger.light_client.messages import Reason, Refusal
from swarm_ledger.nodes.convert import checkpoint_message, time_message
from swarm_ledger.nodes.declaring import declare
from swarm_ledger.nodes.diagnostics import Board, status
from swarm_ledger.nodes.process import run
from swarm_ledger.nodes.tables.prover import TABLE
from swarm_ledger.runtime.desk import Desk
from swarm_ledger.runtime.extract import Shown, Trouble, show_block
from swarm_ledger.runtime.fleet import LEDGER
from swarm_ledger.runtime.light import Prover

_PATIENCE_S = 0.25
"""How long the queries of one answer may take: then something is wrong with what was asked."""

_DIAGNOSTICS_S = 1.0

_T = TypeVar("_T")


class ProverNode(Node):
    """Serves `get_proof` and `get_block`, and tells /diagnostics how many were turned away."""

    def __init__(self, **node_arguments: Any) -> None:
        super().__init__("prover", **node_arguments)
        given = declare(self, TABLE)
        self._path = Path(given.text("ledger")) / LEDGER
        trust = load_trust(Path(given.text("roster")))
        self._prover = Prover(self._store, trust, patience_s=_PATIENCE_S)
        self._desk = Desk(share=given.number("share"))
        self._turned_away = 0
        self._board = Board(self)
        self.create_service(GetProof, "get_proof", self._on_proof)
        self.create_service(GetBlock, "get_block", self._on_block)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(_DIAGNOSTICS_S, self._on_diagnostics, clock=steady)

    def destroy_node(self) -> None:
        """Serve no more."""
        self._desk.close()
        super().destroy_node()

    def _store(self) -> Store:
        return Store.open(self._path, read_only=True)

    async def _on_proof(self, request: Any, response: Any) -> Any:
        raw = bytes(request.request)
        served = await self._serve(
            lambda: self._prover.answer(raw),
            lambda busy: encode(Refusal.saying(Reason.UNAVAILABLE, busy)),
        )
        response.answer = array.array("B", served)
        return response

    async def _on_block(self, request: Any, response: Any) -> Any:
        height = int(request.height)
        shown = await self._serve(
            lambda: show_block(self._store, height, _PATIENCE_S),
            lambda busy: Shown(Trouble.UNAVAILABLE, busy),
        )
        _fill(response, shown, self.get_clock().now().to_msg())
        return response

    async def _serve(self, work: Callable[[], _T], busy: Callable[[str], _T]) -> _T:
        """Return what that work makes, which is done at the desk, or else what says it is busy."""
        done: Any = Future()

        def serve() -> None:
            try:
                made = work()
            except Exception:
                self.get_logger().error(traceback.format_exc())
                made = busy("this drone can't answer that; ask another one.")
            done.set_result(made)
            if self.executor is not None:
                self.executor.wake()  # it may be waiting for something else to happen

        said = self._desk.ask(serve)
        served: _T = busy(said) if said else await done
        return served

    def _on_diagnostics(self) -> None:
        desk, before = self._desk, self._turned_away
        self._turned_away = desk.turned_away.total()
        more = self._turned_away - before
        level = DiagnosticStatus.WARN if more else DiagnosticStatus.OK
        said = f"{more} were turned away in the last second" if more else "all are served"
        values = {"served": desk.served, "used_s": f"{desk.used_s:.3f}", **desk.turned_away}
        found = status(level, f"{self.get_name()}: desk", said, self.get_namespace(), values)
        self._board.show(found)


def _fill(response: Any, shown: Shown, now: Any) -> None:
    response.error_code, response.error_msg = int(shown.trouble), shown.said
    extract = shown.extract
    if extract is None:
        return
    response.found = True
    response.height, response.first_index = extract.height, extract.first
    response.entries = [
        Entry(index=index, kind=data[0], data=array.array("B", data))
        for index, data in enumerate(extract.entries, start=extract.first)
    ]
    response.ledger_time = time_message(extract.time_ms)
    if extract.checkpoint is not None:
        response.certificate = checkpoint_message(extract.checkpoint, now)


def make() -> Sequence[Node]:
    """Return the prover's node."""
    return (ProverNode(),)


def main() -> None:
    """Answer until Ctrl-C."""
    sys.exit(run(make))


if __name__ == "__main__":
    main()
