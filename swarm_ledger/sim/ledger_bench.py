# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a ledger costs, by its length: appending, opening, proving, verifying, starting, bytes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import msgspec

from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse
from swarm_ledger.ledger import merkle
from swarm_ledger.ledger.check import check_store
from swarm_ledger.ledger.policy import Policy
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.keeper import Keeper
from swarm_ledger.sim.light_bench import Light, lights, timed
from swarm_ledger.sim.minted import Minted

BLOCK = 10
"""Entries of a block: a header, and votes of about the size that they have."""
DRONES = (4, 7, 16, 31)
DECISIONS = 32
_HEADER_BYTES, _VOTE_BYTES, _CERTIFICATE_BYTES = 54, 240, 600
_BLOCKS_AT_ONCE = 500


class Costs(msgspec.Struct, frozen=True):
    """Medians for one ledger, in milliseconds; check_ms is of one run.

    append: one durable block; open: the store; prove, verify: an inclusion proof with its entry;
    consistency: a proof from half its size on; find: a decision by its number; check: all bytes
    that the ledger itself is made of (`check_store`). entry_bytes: of the file, an entry.
    """

    entries: int
    append_ms: float
    open_ms: float
    prove_ms: float
    verify_ms: float
    consistency_ms: float
    find_ms: float
    check_ms: float
    entry_bytes: float


class Start(msgspec.Struct, frozen=True):
    """How long a drone takes until it stands where its ledger ends: replayed, and by snapshot."""

    entries: int
    blocks: int
    replay_ms: float
    snapshot_ms: float
    followed: int


class Bytes(msgspec.Struct, frozen=True):
    """What n drones' decisions take: a decision in the file, what of it entries are, and so on.

    decision: of the file; entries, certificates, note: of that; entry: of the file, an entry.
    """

    drones: int
    decision: int
    entries: int
    certificates: int
    note: int
    entry: int


class Figures(msgspec.Struct, frozen=True):
    """All that was measured."""

    block_entries: int
    runs: int
    costs: tuple[Costs, ...]
    starts: tuple[Start, ...]
    bytes: tuple[Bytes, ...]
    lights: tuple[Light, ...]


def measure(
    sizes: Sequence[int],
    starts: Sequence[int],
    runs: int,
    tell: Callable[[str], None] = lambda _what: None,
    folder: Path | None = None,
) -> Figures:
    """Measure ledgers of so many entries, and drones' starts with so many.

    runs: how often each is repeated; folder: on which disk, else on that of temporary files.
    Misuse for a folder that can't be used, or a size under one block.
    """
    if min((*sizes, *starts), default=BLOCK) < BLOCK or runs < 1:
        raise Misuse(f"A ledger to measure has at least {BLOCK} entries, and one run.")
    try:
        with TemporaryDirectory(dir=folder) as home:
            return Figures(
                BLOCK,
                runs,
                tuple(_costs(Path(home) / "costs.db", sorted(sizes), runs, tell)),
                tuple(_starts(Path(home) / "starts.db", sorted(starts), runs, tell)),
                tuple(_bytes(Path(home), drones, tell) for drones in DRONES),
                tuple(lights(Path(home), sorted(sizes), DRONES, runs, tell)),
            )
    except OSError as error:
        raise Misuse(f"cannot write to {folder}: {error.strerror}.") from error


def _block(height: int) -> tuple[list[bytes], bytes]:
    """Return a block's entries, of which each tenth block has a decision, and a certificate."""
    rng = random.Random(height)  # noqa: S311
    last = Kind.DECISION if height % 10 == 0 else Kind.VOTE
    kinds = (*[Kind.VOTE] * (BLOCK - 2), last)
    votes = [bytes([kind]) + rng.randbytes(_VOTE_BYTES) for kind in kinds]
    header = bytes([Kind.BLOCK]) + rng.randbytes(_HEADER_BYTES)
    return [header, *votes], rng.randbytes(_CERTIFICATE_BYTES)


def _costs(
    path: Path, sizes: Sequence[int], runs: int, tell: Callable[[str], None]
) -> Iterator[Costs]:
    for size in sizes:
        with Store.open(path) as store:
            _grow(store, size, tell)
        file_bytes = path.stat().st_size
        opened = []
        for _ in range(runs):
            begun = perf_counter()
            with Store.open(path) as store:
                opened.append((perf_counter() - begun) * 1000)
        with Store.open(path) as store:
            yield _cost(store, runs, round(median(opened), 4), file_bytes)


def _grow(store: Store, size: int, tell: Callable[[str], None]) -> None:
    while store.size + BLOCK <= size:
        with store.transaction():
            for _ in range(min(_BLOCKS_AT_ONCE, (size - store.size) // BLOCK)):
                store.append_block(store.height + 1, *_block(store.height + 1))
        tell(f"{store.size} entries")


def _cost(store: Store, runs: int, open_ms: float, file_bytes: int) -> Costs:
    size, root, rng = store.size, store.root(), random.Random(runs)  # noqa: S311
    places = [rng.randrange(size) for _ in range(20 * runs)]
    proofs = [(at, store.entry(at), store.inclusion(at, size)) for at in places]

    def prove() -> None:
        at = rng.choice(places)
        store.entry(at)
        store.inclusion(at, size)

    def verify() -> None:
        at, entry, path = rng.choice(proofs)
        merkle.verify_inclusion(merkle.leaf_hash(entry), at, size, path, root)

    decisions = max(1, size // BLOCK // 10)
    check_ms = timed(lambda: check_store(store, _no_policy), 1)
    prove_ms, verify_ms = timed(prove, 20 * runs), timed(verify, 20 * runs)
    consistency_ms = timed(lambda: store.consistency(size // 2 + 1, size), 20 * runs)
    find_ms = timed(
        lambda: store.find(Kind.DECISION, skip=rng.randrange(decisions), limit=1), 5 * runs
    )
    append_ms = timed(
        lambda: store.append_block(store.height + 1, *_block(store.height + 1)), 20 * runs
    )
    return Costs(
        size,
        append_ms,
        open_ms,
        prove_ms,
        verify_ms,
        consistency_ms,
        find_ms,
        check_ms,
        round(file_bytes / size, 1),
    )


def _no_policy(height: int) -> Policy:
    raise Misuse(f"height {height} has no checkpoint in this ledger.")


def _starts(
    path: Path, sizes: Sequence[int], runs: int, tell: Callable[[str], None]
) -> Iterator[Start]:
    with Store.open(path) as store:
        swarm = Minted(store, DRONES[0])
        for size in sizes:
            while store.size < size:
                swarm.decide()
                tell(f"{store.size} signed entries")
            yield _start(swarm, runs)


def _start(swarm: Minted, runs: int) -> Start:
    store = swarm.store

    def start(*, resumed: bool) -> int:
        keeper = Keeper(store, swarm.trust)
        if resumed:
            keeper.resume(_give_up)
        keeper.requests_before()
        return sum(1 for _ in keeper.replay())

    replayed = timed(lambda: start(resumed=False), 1)
    by_snapshot = timed(lambda: start(resumed=True), runs)
    return Start(store.size, store.height, replayed, by_snapshot, start(resumed=True))


def _give_up(why: Exception) -> None:
    raise why


def _bytes(home: Path, drones: int, tell: Callable[[str], None]) -> Bytes:
    path = home / f"{drones}.db"
    with Store.open(path) as store:
        swarm = Minted(store, drones)
        swarm.decide()
    before = path.stat().st_size
    with Store.open(path) as store:
        first, height = store.size, store.height
        swarm.store = store
        for number in range(DECISIONS):
            swarm.decide()
            tell(f"{number + 1} decisions of {drones} drones")
        blocks = [store.block(at) for at in range(height + 1, store.height + 1)]
        added = store.size - first
        latest = store.latest_checkpoint()
    grown = path.stat().st_size - before
    return Bytes(
        drones=drones,
        decision=grown // DECISIONS,
        entries=sum(len(entry) for block in blocks for entry in block.entries) // DECISIONS,
        certificates=sum(len(block.certificate) for block in blocks) // DECISIONS,
        note=len(latest.note) if latest else 0,
        entry=grown // added,
    )
