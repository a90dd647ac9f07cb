# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A simulated swarm in which a test decides which messages are lost, to the letter."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from swarm_ledger.consensus.messages import Message, Signed
from swarm_ledger.errors import PeerFault
from swarm_ledger.sim.pbft.cluster import TICK_MS, Cluster
from swarm_ledger.sim.pbft.node import Node

PATIENCE_MS = 500
"""How long these swarms leave a request to a leader."""

Lost = Callable[[int, int, Message], bool]
"""Whether a message from one drone never reaches another one: from, to, message."""


def nothing(_sender: int, _to: int, _message: Message) -> bool:
    return False


class Listener(Node):
    """An honest drone that hears what the test lets through."""

    world: Swarm

    def receive(self, raw: bytes) -> None:
        signed = self._sealed(raw)
        if signed is None or not self.world.lost(signed.sender, self.me, signed.message):
            super().receive(raw)

    def _sealed(self, raw: bytes) -> Signed[Message] | None:
        try:
            return self.world.mint.open(raw).signed
        except PeerFault:
            return None  # a request


class Swarm(Cluster):
    """n drones and spare ones on a calm network. lost: asked about every message that arrives."""

    def __init__(
        self,
        n: int = 4,
        seed: int = 1,
        *,
        spares: int = 0,
        liars: Mapping[int, type[Node]] | None = None,
        **options: int,
    ) -> None:
        self.lost: Lost = nothing
        options = {"request_timeout_ms": PATIENCE_MS, **options}
        super().__init__(
            n, seed, spares=spares, liars=liars, honest=Listener, options=options, real=False
        )

    def holders(self, body: bytes) -> set[int]:
        """Who has a block with that request."""
        return {
            node.me
            for node in self.nodes
            if any(body in block.bodies for block in node.disk.content.blocks)
        }

    def heights(self) -> list[int]:
        """How many blocks each drone has."""
        return [node.ledger.height for node in self.nodes]

    def until(self, done: Callable[[], bool], time_outs: float = 40) -> float:
        """Let time pass until something holds; return the time-outs that it took."""
        begun = self.now
        while not done():
            waited = (self.now - begun) / self.options["request_timeout_ms"]
            if waited > time_outs:
                views = [(node.replica.view, node.replica.active) for node in self.nodes]
                raise AssertionError(f"not within {time_outs} time-outs: {self.heights()} {views}")
            self.run(TICK_MS)
        return (self.now - begun) / self.options["request_timeout_ms"]

    def until_held(self, body: bytes, by: set[int], time_outs: float = 40) -> float:
        """Let time pass until these drones have a request in a block."""
        return self.until(lambda: by <= self.holders(body), time_outs)

    def fall_silent(self, me: int) -> None:
        """A drone loses power, and stays away."""
        self.crash(self.nodes[me])

    def isolate(self, *some: int) -> None:
        """Cut these drones off from everybody, and nobody else from anybody."""
        everybody = range(len(self.nodes))
        self.air.cut = {(a, b) for a in everybody for b in everybody if a in some or b in some}

    def separate(self, *some: int) -> None:
        """Cut these drones off from one another only."""
        self.air.cut = {(a, b) for a in some for b in some}

    def agree(self) -> None:
        """All drones that are up hold the same blocks, and made the same of them."""
        shown = {tuple(node.ledger.roots) for node in self.honest if node.up}
        assert len(shown) == 1, self.heights()
