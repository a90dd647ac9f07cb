# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What is pruned is gone and said to be; all that is kept stays provable, whatever comes later."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_swarm import Swarm

from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.ledger import merkle
from swarm_ledger.ledger.check import check_store
from swarm_ledger.ledger.checkpoint import Checkpoint
from swarm_ledger.ledger.finding import Found
from swarm_ledger.ledger.note import Note
from swarm_ledger.ledger.pruning import ENTRIES_AT_ONCE, Keep
from swarm_ledger.ledger.store import Store
from tests.laid_open import lay_open

SWARM = Swarm()
NOISE = random.Random(7)
KEEP, DECISION, HEADER = 1, 0x22, 0x21


def entry(kind: int, number: int) -> bytes:
    return bytes([kind]) + b"%d" % number


def kept(found: Found) -> bool:
    return found.data[0] == KEEP


def keep(last: int = 2, checkpoints: tuple[int, ...] = ()) -> Keep:
    return Keep(kept, {DECISION: last}, checkpoints)


def prune(store: Store, below: int, how: Keep) -> None:
    while store.prune(below, how):
        pass


def leaves_of(blocks: list[list[bytes]]) -> list[bytes]:
    return [merkle.leaf_hash(one) for block in blocks for one in block]


def check(store: Store) -> int:
    return check_store(store, lambda _: SWARM.policy).size


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[list[bytes]], list[int], list[tuple[int, Keep]]]:
    kinds = st.lists(st.sampled_from([KEEP, DECISION, 3, 3, 3, 4, 4]), max_size=6)
    drawn = draw(st.lists(kinds, min_size=2, max_size=10))
    counted = iter(range(10_000))
    blocks = [[entry(HEADER, next(counted)), *(entry(k, next(counted)) for k in b)] for b in drawn]
    heights = sorted(draw(st.sets(st.integers(0, len(blocks) - 2))) | {len(blocks) - 1})
    places = st.integers(0, len(blocks) - 1)
    spared = st.sets(st.sampled_from(heights))
    how = st.builds(lambda last, at: keep(last, tuple(at)), st.integers(0, 3), spared)
    steps = draw(st.lists(st.tuples(places, how), min_size=1, max_size=3))
    return blocks, heights, steps


@settings(max_examples=60, deadline=None)
@given(histories(), st.integers(0, 5))
def test_all_that_is_kept_is_proven_in_every_later_tree(
    history: tuple[list[list[bytes]], list[int], list[tuple[int, Keep]]], more: int
) -> None:
    blocks, certified, steps = history
    with Store.open(":memory:") as store:
        for height, entries in enumerate(blocks):
            store.append_block(height, entries, b"c")
            if height in certified:
                SWARM.checkpoint_store(store)
        for below, how in steps:
            prune(store, below, how)
            assert check(store) == store.size
        blocks = [*blocks, *([entry(HEADER, 20_000 + n), entry(3, n)] for n in range(more))]
        for height in range(len(blocks) - more, len(blocks)):
            store.append_block(height, blocks[height], b"c")
        check(store)
        leaves = leaves_of(blocks)
        below, how = max(steps, key=lambda step: step[0])[0], steps[-1][1]
        assert store.base == max(step[0] for step in steps) == below
        flat = [one for block in blocks for one in block]
        rare = [i for i in range(store.first) if flat[i][0] == KEEP]
        decided = [i for i in range(store.first) if flat[i][0] == DECISION]
        assert set(rare) <= set(stored_below(store))
        assert len(set(stored_below(store)) - set(rare)) <= len(decided)
        for size in range(store.first, len(leaves) + 1):
            root = merkle.root(leaves[:size])
            assert store.root(size) == root
            for index in stored_below(store):
                path = store.inclusion(index, size)
                merkle.verify_inclusion(leaves[index], index, size, path, root)
            for old in checkpoints_of(store):
                if old <= size:
                    path = store.consistency(old, size)
                    merkle.verify_consistency(old, size, path, store.root(old), root)
                for index in stored_below(store):
                    if index < old:
                        path = store.inclusion(index, old)
                        merkle.verify_inclusion(leaves[index], index, old, path, store.root(old))


def stored_below(store: Store) -> list[int]:
    query = "SELECT idx FROM kept WHERE idx < ? ORDER BY idx"
    return [index for (index,) in store.database.rows(query, (store.first,))]


def checkpoints_of(store: Store) -> list[int]:
    return [size for (size,) in store.database.rows("SELECT size FROM certified")]


BLOCKS = [
    [b"\x20genesis"],
    [entry(HEADER, 1), entry(KEEP, 1), entry(3, 1)],
    [entry(HEADER, 2), entry(DECISION, 1)],
    [entry(HEADER, 3), entry(3, 2), entry(3, 3), entry(DECISION, 2)],
    [entry(HEADER, 4), entry(KEEP, 2), entry(DECISION, 3)],
    [entry(HEADER, 5), entry(3, 4)],
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as opened:
        for height, entries in enumerate(BLOCKS):
            opened.append_block(height, entries, b"certificate")
            if height in (2, 4, 5):
                SWARM.checkpoint_store(opened)
        yield opened


@pytest.mark.parametrize("read_only", [False, True])
def test_what_is_pruned_is_said_to_be(path: Path, store: Store, read_only: bool) -> None:
    prune(store, 4, keep())
    if read_only:
        store.close()
        store = Store.open(path, read_only=True)
    assert (store.base, store.first, store.height, store.size) == (4, 10, 5, 15)
    gone: list[tuple[Callable[[], object], str]] = [
        (lambda: store.entry(3), "entry 3 was pruned; an archive has it"),
        (lambda: store.entries(2, 11), "entry 3 was pruned"),
        (lambda: store.height_of(3), "entry 3 was pruned"),
        (lambda: store.block(3), "block 3 was pruned; an archive has it"),
        (lambda: store.nodes(0, 0, 4), r"tree node \(0, 0\) was pruned"),
        (lambda: store.inclusion(7), r"tree node \(0, 6\) was pruned"),
        (lambda: store.root(7), "was pruned"),
        (lambda: store.consistency(7, 15), "was pruned"),
    ]
    for call, said in gone:
        with pytest.raises(Misuse, match=said):
            call()
    assert [found.index for found in store.find(KEEP)] == [2, 11]
    assert [found.index for found in store.find(DECISION)] == [5, 9, 12]
    assert [found.index for found in store.find(DECISION, limit=2, newest=True, within=12)] == [
        5,
        9,
    ]
    assert store.entry(5) == entry(DECISION, 1)
    assert (store.height_of(5), store.block(4).first) == (2, 10)
    assert store.checkpoint(1) == store.checkpoint(13)
    assert check(store) == 15
    store.close()


def test_only_what_a_checkpoint_covers_may_go(path: Path, store: Store) -> None:
    store.append_block(6, [entry(HEADER, 6)], b"")
    for wrong in (6, 7, -1):
        with pytest.raises(Misuse, match=f"No cosigned checkpoint covers block {wrong}"):
            store.prune(wrong, keep())
    with pytest.raises(Misuse, match="have no index"):
        store.prune(3, Keep(kept, {3: 1}))
    assert (store.base, store.first) == (0, 0)
    assert not store.prune(0, keep())
    with (
        Store.open(path, read_only=True) as reader,
        pytest.raises(Misuse, match="only being read"),
    ):
        reader.prune(3, keep())
    with Store.open(":memory:") as empty, pytest.raises(Misuse, match="No cosigned checkpoint"):
        empty.prune(0, keep())
    assert check(store) == store.size


def test_a_failed_step_changes_nothing(store: Store) -> None:
    def fail() -> None:
        with store.transaction():
            store.prune(4, keep())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (store.base, store.first) == (0, 0)
    assert store.entry(3) == BLOCKS[1][2]
    assert check(store) == store.size


def test_steps_are_short_and_each_leaves_a_ledger_that_holds(path: Path) -> None:
    with Store.open(path) as store:
        for height in range(40):
            entries = [entry(HEADER, height), *(entry(3, 100 * height + n) for n in range(40))]
            store.append_block(height, [*entries, entry(DECISION, height)], b"c" * 500)
            SWARM.checkpoint_store(store)
        steps, first = 0, 0
        while store.prune(30, keep(5)):
            steps += 1
            assert store.first - first <= ENTRIES_AT_ONCE
            first = store.first
            check(store)
            assert len(stored_below(store)) <= 5
        assert (store.base, steps) == (30, 4)
        assert list(store.database.rows("SELECT min(height) FROM blocks")) == [(30,)]
        store.append_block(40, [entry(3, n) for n in range(2 * ENTRIES_AT_ONCE)], b"")
        SWARM.checkpoint_store(store)
        store.append_block(41, [entry(HEADER, 41)], b"")
        SWARM.checkpoint_store(store)
        prune(store, 41, keep(5))
        assert store.first == store.size - 1
        check(store)


def test_what_is_kept_no_more_goes_with_its_nodes(store: Store) -> None:
    prune(store, 3, keep())
    assert [found.index for found in store.find(KEEP)] == [2, 11]
    prune(store, 4, Keep(lambda found: False, {DECISION: 1}))
    assert [found.index for found in store.find(KEEP)] == [11]
    assert stored_below(store) == [9]
    assert check(store) == store.size


def test_space_returns_to_the_file_system(path: Path) -> None:
    with Store.open(path) as store:
        store.database.make_shrinkable(1 << 16)
        for height in range(100):
            store.append_block(
                height,
                [entry(HEADER, height), bytes([3]) + NOISE.randbytes(4000)],
                NOISE.randbytes(1000),
            )
        SWARM.checkpoint_store(store)
        before, free, _ = store.database.bytes()
        assert free == 0
        prune(store, 95, keep())
        _, free, wal = store.database.bytes()
        assert free > before // 2
        while store.database.bytes()[1]:
            store.database.shrink(16)
        assert store.database.bytes()[0] < before // 4
        assert wal <= 1 << 20
        check(store)
    assert path.stat().st_size < before // 4


def test_a_file_of_an_earlier_program_learns_to_shrink(path: Path) -> None:
    with Store.open(path) as store:
        for height in range(50):
            store.append_block(
                height, [entry(HEADER, height), bytes([3]) + NOISE.randbytes(4000)], b""
            )
        SWARM.checkpoint_store(store)
        store.database.run("PRAGMA auto_vacuum = NONE")
        store.database.run("VACUUM")
        prune(store, 45, keep())
        store.database.shrink(1000)
        large = store.database.bytes()[0]
        store.database.make_shrinkable(1 << 20)
        prune(store, 49, keep())
        store.database.shrink(1000)
        assert store.database.bytes()[0] < large // 3
        check(store)


TAMPERED = {
    "an entry": "UPDATE entries SET data = x'0102' WHERE idx = 2",
    "an entry's height": "UPDATE entries SET height = 9 WHERE idx = 2",
    "an entry less": "DELETE FROM entries WHERE idx = 2",
    "an entry more": "INSERT INTO kept VALUES (4, 2, x'2142')",
    "a node": "UPDATE nodes SET hash = zeroblob(32) WHERE level = 2 AND idx = 1",
    "a peak": "UPDATE nodes SET hash = zeroblob(32) WHERE level = 3 AND idx = 0",
    "a leaf": "UPDATE nodes SET hash = zeroblob(32) WHERE level = 0 AND idx = 2",
    "an entry among the others": "INSERT INTO kept VALUES (11, 4, x'0132')",
    "the index": "DELETE FROM rare WHERE idx = 2",
    "an index of what is gone": "INSERT INTO rare VALUES (1, 3)",
    "a node less": "DELETE FROM nodes WHERE level = 1 AND idx = 0",
    "a node more": "INSERT INTO nodes VALUES (0, 7, zeroblob(32))",
    "the base": "UPDATE meta SET value = 5 WHERE key = 'base'",
    "no base": "UPDATE meta SET value = 0 WHERE key = 'base'",
    "the base gone": "DELETE FROM meta WHERE key = 'base'",
    "the first block": "DELETE FROM blocks WHERE height = 4",
    "where it begins": "UPDATE blocks SET first = 9 WHERE height = 4",
    "no checkpoint that covers it": "DELETE FROM checkpoints WHERE size > 6",
    "an old checkpoint": "UPDATE checkpoints SET size = 5 WHERE size = 6",
}


def test_a_checkpoint_of_a_later_tree_is_of_no_block_that_was_pruned(store: Store) -> None:
    store.append_block(6, [entry(HEADER, 6)], b"")
    SWARM.checkpoint_store(store)
    assert store.size == 16  # its root is one stored node
    prune(store, 4, keep())
    check(store)
    store.database.run("UPDATE certified SET height = 3 WHERE size = 16")
    with pytest.raises(NotVerified, match="doesn't end at checkpoint size 16"):
        check(store)


def test_an_empty_entry_in_a_tree_that_was_forged_with_it_is_damage(store: Store) -> None:
    prune(store, 4, keep(checkpoints=(2,)))
    store.database.run("PRAGMA ignore_check_constraints = ON")
    lay_open(store.database._connection)

    def read(level: int, index: int) -> bytes:
        return store.nodes(level, index, index + 1)[0]

    leaf = merkle.leaf_hash(b"")
    left = merkle.node_hash(read(1, 0), merkle.node_hash(leaf, read(0, 3)))
    forged = {0: (2, leaf), 2: (0, left), 3: (0, merkle.node_hash(left, read(2, 1)))}
    store.database.run("UPDATE kept SET data = x'' WHERE idx = 2")
    for level, (index, node) in forged.items():
        update = "UPDATE nodes SET hash = ? WHERE level = ? AND idx = ?"
        store.database.run(update, (node, level, index))
    for call in (lambda: check(store), lambda: store.find(KEEP)):
        with pytest.raises(NotVerified):
            call()


@pytest.mark.parametrize("what", TAMPERED)
def test_no_changed_row_of_a_pruned_ledger_passes(path: Path, store: Store, what: str) -> None:
    prune(store, 4, keep(checkpoints=(2,)))
    assert checkpoints_of(store) == [6, 13, 15]
    check(store)
    lay_open(store.database._connection)
    store.database.run(TAMPERED[what])
    with pytest.raises(NotVerified), Store.open(path, read_only=True) as reader:
        check(reader)


def test_the_last_cosigned_tree_must_be_the_one(store: Store) -> None:
    """A pruned ledger whose checkpoint nobody cosigned proves nothing."""
    prune(store, 4, keep())
    stated = Checkpoint(SWARM.origin, store.size, store.root())
    note = SWARM.certificate(stated, SWARM.names[:3]).encode()
    lines = Note.parse(note).signatures
    assert len(lines) == 4
    cut = b"".join(line + b"\n" for line in note.split(b"\n")[:-2])
    lay_open(store.database._connection)
    store.database.run("UPDATE checkpoints SET note = ? WHERE size = 15", (cut,))
    with pytest.raises(NotVerified):
        check(store)
