# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a decision costs in swarms of any size, in simulated time: delays, messages, bytes, CPU.

Real drones, keys, signatures and ledgers on disk; each message takes exactly DELAY_MS, so that
times are told in message delays. What is counted begins as all hand in their votes at once.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from swarm_ledger.consensus.messages import Commit, NewView, ViewChange, parse
from swarm_ledger.consensus.quorum import quorum
from swarm_ledger.encoding import decode, encode
from swarm_ledger.envelope import MAX_ENVELOPE_BYTES, Kind, kind_of, seal
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity.cose import parse1
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.fleet_file import ConsensusEntry
from swarm_ledger.signers import open_signer
from swarm_ledger.sim.mission import KEY, OPERATOR, Mission
from swarm_ledger.sim.virtual import VirtualSwarm
from swarm_ledger.transport.memory import MemoryNetwork
from swarm_ledger.voting.observation import Observation
from swarm_ledger.voting.question import Question, question_id
from swarm_ledger.voting.rules import Majority

DELAY_MS = 50
"""Of each message; the drones' loops turn every 10 ms."""

_PATIENCE_MS = 60_000
_DURATION_MS = 600_000


class Figures(msgspec.Struct, frozen=True):
    """One size of swarm. decided, certified: in message delays, from the hand-in of all votes.

    decided: until all validators have the decision in their ledgers, followed: until all drones
    have; certified: and its checkpoint. blocks: in which the votes were ordered. messages, bytes:
    sent, by the average validator and follower, by all for a decision. formula_bytes: what
    formula() says of the same. cpu_ms: of a drone, everything included. view_change_bytes,
    new_view_bytes: the largest of each; view_change: message delays from the first to where all
    validators that live are in the new view; view_change_cpu_ms: of a drone, until it has decided.
    """

    drones: int
    validators: int
    decided: float
    followed: float
    certified: float
    blocks: int
    messages: float
    bytes: int
    follower_bytes: int
    formula_bytes: int
    cpu_ms: float
    view_change_bytes: int
    new_view_bytes: int
    view_change: float
    view_change_cpu_ms: float


class CountedNetwork(MemoryNetwork):
    """Counts what is sent, by sender and by what it is. drops: what gets lost, by its name."""

    def __init__(self, members: int) -> None:
        super().__init__(range(members), 0, delay_ms=(DELAY_MS, DELAY_MS))
        self.drops: frozenset[str] = frozenset()
        self._last: tuple[bytes, str] = b"", ""
        self.begin()

    def begin(self) -> None:
        """Count from now on."""
        self.sent: Counter[tuple[int, str]] = Counter()
        self.bytes: Counter[tuple[int, str]] = Counter()
        self.largest: dict[str, int] = {}
        self.first_ms: dict[str, int] = {}

    def carry(self, sender: int, to: int, data: bytes) -> None:
        """Take one message on its way."""
        if data is not self._last[0]:  # a broadcast is the same object for all
            self._last = data, _name(data)
        name = self._last[1]
        self.sent[sender, name] += 1
        self.bytes[sender, name] += len(data)
        self.largest[name] = max(self.largest.get(name, 0), len(data))
        self.first_ms.setdefault(name, self.now_ms)
        if name not in self.drops:
            super().carry(sender, to, data)

    def mean(self, name: str) -> float:
        """Return how long a message of that name is on average, 0 if there was none."""
        sent = sum(count for (_, what), count in self.sent.items() if what == name)
        total = sum(count for (_, what), count in self.bytes.items() if what == name)
        return total / sent if sent else 0.0


def _name(data: bytes) -> str:
    sealed = data
    if kind_of(data) is Kind.CARRIED:
        parts: tuple[bytes, bytes] = decode(data[1:], tuple[bytes, bytes], limit=1 << 22)
        sealed = parts[1]
    if kind_of(sealed) is not Kind.CONSENSUS:
        return kind_of(sealed).name.lower()
    return type(parse(parse1(sealed[1:], limit=MAX_ENVELOPE_BYTES).payload)).__name__


class _Blind(VirtualSwarm):
    """A swarm without cameras: what its drones saw is handed to them."""

    def _look(self, index: int, drone: Drone) -> None:
        pass


def formula(network: CountedNetwork, n: int, blocks: int, checkpoints: int) -> float:
    """Return the bytes that the average of n validators sends for a decision without faults.

    Each says its vote to n - 1 others, and for each block the leader a pre-prepare, the others a
    prepare, all a commit; for each checkpoint all say it. The sizes are those of the run.
    """
    size = network.mean
    block = size("PrePrepare") / n + size("Prepare") * (n - 1) / n + size("Commit")
    return (n - 1) * (size("vote") + blocks * block + checkpoints * size("Checkpoint"))


@dataclass
class _Trial:
    """A swarm under measurement."""

    swarm: VirtualSwarm
    network: CountedNetwork
    validators: int

    def until(self, done: Callable[[Drone], bool], members: Iterable[int], what: str) -> int:
        """Step until all of these drones are done; return the time, ms."""
        waiting, limit = set(members), self.swarm.now_ms + _PATIENCE_MS
        while waiting:
            if self.swarm.now_ms >= limit:
                raise NotVerified(f"{len(waiting)} drones did not come to {what} in a minute.")
            self.swarm.step()
            waiting = {one for one in waiting if not done(self.swarm.drones[one])}
        return self.swarm.now_ms

    def ask(self, number: int) -> bytes:
        """Have one more question asked; return its id."""
        folder = self.swarm.mission.run_dir
        operator = open_signer(f"file:{OPERATOR}/{KEY}", folder)
        nonce = number.to_bytes(16, "big")
        asked = Question("What is it?", ("cup", "two_faces"), Majority(), _DURATION_MS, nonce)
        payload, roster = encode(asked), self.swarm.fleet.roster
        sealed = seal(Kind.QUESTION, payload, operator, roster)
        self.swarm.drones[0].submit(sealed, self.swarm.now_ms)
        return question_id(payload)

    def vote(self, question: bytes, members: Iterable[int]) -> None:
        """Have drones hand in their votes, all in one moment."""
        for one in members:
            image = one.to_bytes(32, "big")
            seen = Observation(question, 0, 900_000, self.swarm.now_ms, image, 10 * one, 3_000)
            self.swarm.drones[one].observe(seen)


def _quiet(drone: Drone) -> bool:
    replica, store = drone.engine.current.replica, drone.keeper.store
    latest = store.latest_checkpoint()
    certified = latest is not None and latest.height == store.height
    return certified and not replica.pending and drone.engine.votes


def measure(drones: int, validators: int = 0) -> Figures:
    """Measure one size; validators: 0 for all. Misuse for what no mission can be."""
    with TemporaryDirectory(prefix="swarm-ledger-scale-") as folder:
        mission = Mission(
            Path(folder) / "run",
            drones=drones,
            byzantine=0,
            validators=validators,
            duration_ms=_DURATION_MS,
            channels=False,
            consensus=ConsensusEntry(),
        )
        network = CountedNetwork(drones)
        with _Blind(mission, lambda _: None, network) as swarm:
            trial = _Trial(swarm, network, validators or drones)
            return _figures(trial, drones)


def _figures(trial: _Trial, drones: int) -> Figures:
    swarm, network, n = trial.swarm, trial.network, trial.validators
    ordering, everybody = range(n), range(drones)
    trial.until(lambda drone: bool(drone.machine.tally.open_questions()), everybody, "a question")
    trial.until(_quiet, everybody, "rest")
    height = swarm.drones[0].keeper.store.height
    asked = swarm.drones[0].machine.tally.open_questions()[0].question_id
    network.begin()
    began_ms, began_s = swarm.now_ms, time.process_time()
    trial.vote(asked, everybody)

    def decided(drone: Drone) -> bool:
        return drone.machine.tally.decision_on(asked) is not None

    decided_ms = trial.until(decided, ordering, "a decision") - began_ms
    followed_ms = trial.until(decided, everybody, "a decision") - began_ms
    first = swarm.drones[0].machine.tally.decision_on(asked)
    at = first.height if first is not None else 0

    def certified(drone: Drone) -> bool:
        latest = drone.keeper.store.latest_checkpoint()
        return latest is not None and latest.height >= at

    certified_ms = trial.until(certified, everybody, "a certificate") - began_ms
    trial.until(_quiet, everybody, "rest")
    cpu_ms = (time.process_time() - began_s) * 1000 / drones
    blocks = swarm.drones[0].keeper.store.height - height
    said = sum(count for (who, what), count in network.sent.items() if what == "Checkpoint")
    checkpoints = round(said / (n * (n - 1)))
    sent = [sum(c for (who, _), c in network.bytes.items() if who == one) for one in everybody]
    messages = sum(c for (who, _), c in network.sent.items() if who < n) / n
    expected = formula(network, n, blocks, checkpoints)
    followers = sent[n:]
    return Figures(
        drones,
        n,
        decided_ms / DELAY_MS,
        followed_ms / DELAY_MS,
        certified_ms / DELAY_MS,
        blocks,
        round(messages, 1),
        round(sum(sent[:n]) / n),
        round(sum(followers) / len(followers)) if followers else 0,
        round(expected),
        round(cpu_ms, 1),
        *_without_leader(trial, drones),
    )


def _without_leader(trial: _Trial, drones: int) -> tuple[int, int, float, float]:
    """Have the leader die where all have prepared and nobody has committed: sizes, delays, CPU."""
    swarm, network = trial.swarm, trial.network
    asked = trial.ask(1)
    living = [one for one in range(drones) if one]

    def open_(drone: Drone) -> bool:
        return any(one.question_id == asked for one in drone.machine.tally.open_questions())

    trial.until(open_, range(drones), "the next question")
    trial.until(_quiet, range(drones), "rest")
    network.begin()
    network.drops = frozenset({Commit.__name__})
    began_s = time.process_time()
    trial.vote(asked, range(drones))
    # Votes, the pre-prepare, and all prepares have arrived; commits are on their way to nowhere.
    for _ in range(4 * DELAY_MS // 10):
        swarm.step()
    swarm.dead.add(0)

    def renewed(drone: Drone) -> bool:
        replica = drone.engine.current.replica
        return replica.view > 0 and replica.active

    ordering = [one for one in living if one < trial.validators]
    while ViewChange.__name__ not in network.first_ms:
        swarm.step()
    network.drops = frozenset()
    entered_ms = trial.until(renewed, ordering, "a new view")
    trial.until(lambda d: d.machine.tally.decision_on(asked) is not None, living, "a decision")
    cpu_ms = (time.process_time() - began_s) * 1000 / drones
    delays = (entered_ms - network.first_ms[ViewChange.__name__]) / DELAY_MS
    largest = network.largest
    sizes = largest[ViewChange.__name__], largest.get(NewView.__name__, 0)
    return *sizes, delays, round(cpu_ms, 1)


def measure_all(sizes: Iterable[int], most: int, tell: Callable[[str], None]) -> list[Figures]:
    """Measure each size with all as validators, and those beyond `most` with a committee, too.

    most: validators of a committee; 0 for none.
    """
    if most and most < 4:
        raise Misuse(f"a committee of {most} bears no liar.", remedy="Take 4 to 100.")
    found = []
    for drones in sizes:
        for validators in (0, most) if most and drones > most else (0,):
            tell(
                f"{drones} drones, {validators or drones} validators, quorum "
                f"{quorum(validators or drones)}"
            )
            found.append(measure(drones, validators))
    return found
