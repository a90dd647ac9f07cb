# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A drone that takes in what arrived together: the same ledger, for fewer writes to disk."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from swarm_ledger.consensus.messages import Batch, Committed, Prepare, PrePrepare, Status
from swarm_ledger.encoding import digest, encode
from swarm_ledger.envelope import Kind
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.machine import Tick
from tests.crew import T0_MS, Crew, look
from tests.lab import STEP_MS, FragileStore, Lab

CREW = Crew()


class Together(Lab):
    """A swarm whose drones get all that arrives in 50 ms at once."""

    def step(self) -> None:
        arrived: dict[int, list[bytes]] = defaultdict(list)
        self.now_ms += 5 * STEP_MS
        for to, data in self.network.deliver(self.now_ms):
            arrived[to].append(data)
        for member in sorted(self.drones):
            with self._mortal(member):
                drone = self.drones[member]
                drone.receive_all(arrived[member], self.now_ms)
                if drone.curious:
                    drone.look(look(self._lives * 1000 + member, stamp_ms=self.now_ms))
                drone.tick(self.now_ms)


def crowd(lab: Lab) -> Lab:
    for member in range(4):
        lab.start(member)
    return lab


def test_a_swarm_that_takes_batches_decides_and_finds_no_fault(tmp_path: Path) -> None:
    lab = crowd(Together(tmp_path, CREW))
    lab.until_decided()
    lab.assert_no_contradiction()
    assert len({drone.keeper.store.root() for drone in lab.drones.values()}) == 1
    assert [dict(drone.faults) for drone in lab.drones.values()] == [{}] * 4
    assert lab.drones[0].status()["view"] == 0, "nobody lost patience"


@pytest.mark.parametrize("kill_at", range(1, 60, 8))
def test_a_drone_killed_in_a_batch_contradicts_nothing(tmp_path: Path, kill_at: int) -> None:
    lab = Together(tmp_path, CREW, seed=kill_at, loss=0.05)
    for member in range(4):
        lab.start(member, kill_at=kill_at if member == 1 else None)
    for _ in range(200):
        lab.step()
        if lab.died:
            break
    assert lab.died == {1}
    lab.start(1)
    lab.until_decided()
    lab.assert_no_contradiction()


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> Counter[FragileStore]:
    """Count each store's transactions, those within others aside."""
    count: Counter[FragileStore] = Counter()
    inner = FragileStore.transaction

    @contextmanager
    def counted(store: FragileStore) -> Iterator[None]:
        count[store] += store._depth == 0
        with inner(store):
            yield

    monkeypatch.setattr(FragileStore, "transaction", counted)
    return count


def tick(name: str, number: int) -> bytes:
    return CREW.identity(name).seal(Kind.TICK, encode(Tick(T0_MS + number)))


def test_one_write_binds_us_to_a_whole_batch(
    tmp_path: Path, writes: Counter[FragileStore]
) -> None:
    """Three proposals that others prepared: to be journaled before they are committed to."""
    lab = crowd(Lab(tmp_path, CREW))
    lab.until(height=2)
    lab.run(2_000)
    height = lab.drones[1].keeper.store.height
    requests = [tick("drone_1", number) for number in range(3)]
    proposals = [
        PrePrepare(0, Batch(height + 1 + number, lab.now_ms, (digest(request),)))
        for number, request in enumerate(requests)
    ]
    others = [Prepare(0, what.batch.seq, what.batch.digest()) for what in proposals]
    raws = [*requests, *(CREW.say("drone_1", proposal) for proposal in proposals)]
    raws += [CREW.say("drone_4", prepare) for prepare in others]
    taken: list[int] = []
    for victim, together in ((lab.drones[1], True), (lab.drones[2], False)):
        before = writes[_store(victim)]
        if together:
            victim.receive_all(raws, lab.now_ms)
        else:
            for raw in raws:
                victim.receive(raw, lab.now_ms)
        taken.append(writes[_store(victim)] - before)
        assert not victim.faults
    assert taken == [1, 3]


def _store(drone: Drone) -> FragileStore:
    store = drone.keeper.store
    assert isinstance(store, FragileStore)
    return store


def test_a_message_may_need_the_block_that_came_before_it(tmp_path: Path) -> None:
    """Its author's session is on the ledger only once that block is applied."""
    lab = Lab(tmp_path, CREW)
    for member in range(3):
        lab.start(member)
    lab.until(height=1)
    lab.start(3)
    late = lab.drones[3]
    served = list(lab.drones[0].keeper.blocks(1, lab.drones[0].keeper.store.height))
    block = [CREW.say("drone_1", message) for message in served]
    proof = CREW.say("drone_2", PrePrepare(1, Batch(9, lab.now_ms, ())))
    sessions = [CREW.identity(name).delegation for name in CREW.names[:3]]
    assert all(isinstance(message, Committed) for message in served)
    late.receive_all([*sessions, *block, proof, CREW.say("drone_1", Status(0, 1, 0))], lab.now_ms)
    assert late.keeper.store.height == len(served)
    assert not late.faults


def test_what_is_wrong_in_a_batch_spoils_nothing_else(tmp_path: Path) -> None:
    lab = crowd(Lab(tmp_path, CREW))
    lab.until(height=1)
    stranger = Crew(swarm="other").say("drone_1", Status(0, 1, 0))
    good = tick("drone_2", 1)
    lab.drones[0].receive_all([b"", stranger, b"\x01junk", good, good], lab.now_ms)
    assert lab.drones[0].faults == {"malformed": 2, "unknown_key": 1}
    lab.run(500)
    assert digest(good) in {digest(raw) for raw in _entries(lab.drones[3])}


def _entries(drone: Drone) -> list[bytes]:
    store = drone.keeper.store
    return [store.entry(index) for index in range(store.size)]
