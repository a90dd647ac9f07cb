# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Plays one Twins scenario: real replicas in lockstep, on a network that the scenario decides.

In PBFT a view's number says who leads it, so a scenario chooses a round's leader by the network: a
round begins with time-outs, and none but its leader is heard as the leader of a view, until that
leader has opened one. A message passes within a set, at once and in order, or never. Commits alone
take a round longer, and so pass within the sets of the next one: a round then ends with batches
that some have prepared and that fewer, or others, will see committed, which is what a view change
must get right. HotStuff's pipeline has the same effect in the paper.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from swarm_ledger.consensus.messages import Commit, NewView, PrePrepare
from swarm_ledger.errors import SwarmLedgerError
from swarm_ledger.sim.pbft.checkers import Violation
from swarm_ledger.sim.pbft.cluster import Cluster, OnEvent
from swarm_ledger.sim.pbft.liars import Liar
from swarm_ledger.sim.pbft.node import Node
from swarm_ledger.sim.pbft.requests import Vote
from swarm_ledger.sim.pbft.scenarios import INSTANCES, MEMBERS, TWIN, Round, Scenario

TICK_MS = 1_000
"""Longer than any patience: 16 doubled time-outs, twice that for those who lag."""

OPTIONS = {"request_timeout_ms": 25, "resend_ms": 25, "max_batch": 16}
BOUND = 12
"""Ticks within which a healed swarm commits new votes everywhere."""

_STORM = 5_000
_TOGETHER = (0,) * INSTANCES


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a scenario. violation: which invariant does not hold, "" if all do; stalled:
    what a healed swarm did not get done in time, "" if it did. took: ticks that it took.
    """

    scenario: Scenario
    violation: str
    stalled: str
    commits: int
    view_changes: int
    evidence: int
    took: int

    @property
    def fine(self) -> bool:
        """Whether nothing went wrong."""
        return not (self.violation or self.stalled)

    def __str__(self) -> str:
        end = self.violation or self.stalled or f"all held; recovery took {self.took} ticks"
        return f"{self.scenario}\n  {end}"


class Stage(Cluster):
    """Instances 0 to 3 are members 0 to 3; instance 4 is member 0 once more, with its own disk.

    delivered: how many messages arrived.
    """

    def __init__(self, *, honest: type[Node] = Node, on_event: OnEvent | None = None) -> None:
        self.delivered = 0
        self._acting = 0
        self._sides = _TOGETHER
        self._leader: int | None = None
        self._opened = -1
        self._arriving: deque[tuple[int, bytes]] = deque()
        self._commits: list[tuple[int, int | None, bytes]] = []
        self._said: set[bytes] = set()
        self._waits = False
        super().__init__(
            MEMBERS, 0, liars={TWIN: Liar}, honest=honest, options=OPTIONS, on_event=on_event
        )
        self._acting = MEMBERS
        self.nodes.append(Liar(self, TWIN))

    def post(self, sender: int, to: int | None, raw: bytes) -> None:
        """Have bytes of the acting instance arrive where the scenario lets them."""
        if self._leader is None or self._passes(raw, to):
            self._send(self._acting, to, raw)

    def _passes(self, raw: bytes, to: int | None) -> bool:
        if self._waits and (raw[:1] != b"s" or raw in self._said):
            return False
        self._said.add(raw)
        if raw[:1] != b"s":
            return True
        signed = self.mint.open(raw).signed
        if isinstance(signed.message, Commit):
            self._commits.append((self._acting, to, raw))
            return False
        leads = isinstance(signed.message, (PrePrepare, NewView))
        return not leads or signed.sender == self._leader

    def _send(self, sender: int, to: int | None, raw: bytes) -> None:
        side = self._sides[sender]
        for other, node in enumerate(self.nodes):
            if other != sender and self._sides[other] == side and to in (None, node.me):
                self._arriving.append((other, raw))

    def play(self, round_: Round) -> None:
        """Let the last round's commits arrive, ask each side a question, and change the view."""
        self._sides, self._leader = round_.sides, round_.leader
        self._release()
        for side in (0, 1):
            inside = [one for one in range(INSTANCES) if round_.sides[one] == side]
            self._ask(self.nodes[inside[0]].me, inside)
        self._settle()
        for _ in range(MEMBERS):  # by then everybody's turn has come
            before = self._views()
            if not self._led():
                self._tick()
            if before == self._views():
                break
        self._opened = max([self._opened, *(node.replica.view for node in self._leading())])

    def demand_progress(self) -> int:
        """Heal, ask new questions, and return the ticks until all honest members hold them.

        BOUND + 1 if it took longer.
        """
        self._sides, self._leader = _TOGETHER, None
        self._release()
        wanted = {self._ask(node.me, list(range(INSTANCES))) for node in self.honest}
        self._settle()
        took = 0
        while took <= BOUND and not all(self._holds(node, wanted) for node in self.honest):
            self._tick()
            took += 1
        for node in self.honest:
            self.watch.verdicts(node)
        return took

    def _release(self) -> None:
        commits, self._commits = self._commits, []
        for sender, to, raw in commits:
            self._send(sender, to, raw)
        self._settle()

    def _ask(self, author: int, instances: list[int]) -> bytes:
        body = self.office.sign(Vote(author, next(self._question), 0))
        self.watch.votes.add(body)
        self._arriving.extend((one, body) for one in instances)
        return body

    def _settle(self) -> None:
        """Deliver until nothing is left to deliver."""
        until = self.delivered + _STORM
        while self._arriving:
            self._acting, raw = self._arriving.popleft()
            if self._on_event is not None:
                self._on_event(self.now, "raw", self._acting, raw)
            self.nodes[self._acting].receive(raw)
            self.delivered += 1
            if self.delivered > until:
                self.watch.violation("messages call forth messages without end")

    def _tick(self) -> None:
        self.now += TICK_MS
        self._waits = True
        for instance, node in enumerate(self.nodes):
            self._acting = instance
            node.tick()
            if node.honest:
                self.watch.bounds(node)
        self._waits = False
        self._settle()

    def _views(self) -> list[int]:
        return [node.replica.view for node in self.nodes]

    def _leading(self) -> list[Node]:
        return [
            node for node in self.nodes if node.replica.active and node.replica.leader == node.me
        ]

    def _led(self) -> bool:
        """Whether the round's leader has opened a view that no earlier round had."""
        return any(
            node.me == self._leader and node.replica.view > self._opened
            for node in self._leading()
        )

    def _holds(self, node: Node, wanted: set[bytes]) -> bool:
        return wanted <= {body for block in node.disk.content.blocks for body in block.bodies}


def perform(
    scenario: Scenario, *, honest: type[Node] = Node, on_event: OnEvent | None = None
) -> Outcome:
    """Play a scenario round by round, heal, demand progress, and say what came of it."""
    stage = Stage(honest=honest, on_event=on_event)
    violation, stalled, took = "", "", 0
    try:
        for round_ in scenario.rounds:
            stage.play(round_)
        took = stage.demand_progress()
        stalled = f"no progress in {BOUND} ticks: {_where(stage)}" if took > BOUND else ""
    except (Violation, SwarmLedgerError) as found:
        violation = str(found)
    except Exception as error:  # whatever breaks is a finding, and has a number
        violation = repr(error)
    watch = stage.watch
    return Outcome(
        scenario,
        violation,
        stalled,
        watch.commits,
        len(watch.views),
        len(watch.accused),
        took,
    )


def _where(stage: Stage) -> str:
    return ", ".join(
        f"{node.me}: height {node.ledger.height} view {node.replica.view}"
        f"{'' if node.replica.active else '?'}"
        for node in stage.nodes
    )
