# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import fcntl
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_swarm import Swarm

from swarm_ledger.errors import Misuse, NotVerified, SwarmLedgerError
from swarm_ledger.ledger import merkle
from swarm_ledger.ledger.certified import StoredCheckpoint
from swarm_ledger.ledger.check import Summary, check_store
from swarm_ledger.ledger.checkpoint import Checkpoint
from swarm_ledger.ledger.database import BUSY_SECONDS, ROWS_AT_ONCE
from swarm_ledger.ledger.packing import pack, unpack
from swarm_ledger.ledger.scratch import JournalRecord
from swarm_ledger.ledger.store import Store
from tests.laid_open import lay_open

SWARM = Swarm()
NOISE = random.Random(3).randbytes(60_000)
BLOCKS = [[b"a"], [b"b", b"c", b"d"], [], [b"e"], [b"f", b"g"], [b"h" * 300]]
CHECKPOINTS = (1, 4)


def fill(store: Store) -> None:
    for height, entries in enumerate(BLOCKS):
        store.append_block(height, entries, b"certificate %d" % height)
        if height in CHECKPOINTS:
            SWARM.checkpoint_store(store)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as opened:
        fill(opened)
        yield opened


def test_what_went_in_comes_out(store: Store) -> None:
    flat = [entry for entries in BLOCKS for entry in entries]
    leaves = [merkle.leaf_hash(entry) for entry in flat]
    assert (store.height, store.size) == (5, 8)
    assert store.entries(0, 8) == flat
    assert store.entries(3, 3) == []
    first = 0
    for height, entries in enumerate(BLOCKS):
        block = store.block(height)
        assert (block.height, block.first, list(block.entries)) == (height, first, entries)
        assert block.certificate == b"certificate %d" % height
        for index in range(first, first + len(entries)):
            assert store.height_of(index) == height
            assert store.entry(index) == flat[index]
        first += len(entries)
    for size in range(9):
        assert store.root(size) == merkle.root(leaves[:size])
        for index in range(size):
            proof = store.inclusion(index, size)
            merkle.verify_inclusion(leaves[index], index, size, proof, store.root(size))
            proof = store.consistency(index, size)
            merkle.verify_consistency(index, size, proof, store.root(index), store.root(size))
    assert store.root() == store.root(8)
    assert store.inclusion(2) == store.inclusion(2, 8)


def test_an_empty_ledger(path: Path) -> None:
    with Store.open(path) as store:
        assert (store.height, store.size, store.root()) == (-1, 0, merkle.EMPTY_ROOT)
        assert store.latest_checkpoint() is store.checkpoint(0) is None
        assert store.append_block(0, [], b"") == range(0)
        assert check_store(store, lambda _: SWARM.policy) == Summary(0, 0, merkle.EMPTY_ROOT, 0, 0)


def test_append_returns_indices_and_reopening_goes_on(path: Path, store: Store) -> None:
    root = store.root()
    store.close()
    assert os.listdir(path.parent) == ["ledger.db"]
    with Store.open(path) as again:
        assert (again.height, again.size, again.root()) == (5, 8, root)
        assert again.append_block(6, [b"i", b"j"], b"") == range(8, 10)
        assert check_store(again, lambda _: SWARM.policy) == Summary(6, 10, again.root(), 2, 7)


@given(st.lists(st.lists(st.binary(min_size=1, max_size=4), max_size=5), max_size=12))
def test_any_blocks_make_a_ledger_that_checks(blocks: list[list[bytes]]) -> None:
    with Store.open(":memory:") as store:
        for height, entries in enumerate(blocks):
            store.append_block(height, entries, b"")
        flat = [merkle.leaf_hash(entry) for entries in blocks for entry in entries]
        summary = check_store(store, lambda _: SWARM.policy)
        assert summary == Summary(len(blocks) - 1, len(flat), merkle.root(flat), 0, 0)


def test_wrong_calls_are_misuse_and_change_nothing(store: Store) -> None:
    before = check_store(store, lambda _: SWARM.policy)
    calls = [
        lambda: store.append_block(5, [b"x"], b""),
        lambda: store.append_block(7, [b"x"], b""),
        lambda: store.append_block(6, [b"x", b""], b""),
        lambda: store.append_block(6, [b"x", bytes(65_536)], b""),
        lambda: store.append_block(6, [b"x"], None),
        lambda: store.append_block(6, [b"x"], "text"),
        lambda: store.pending_put("text", b""),
        lambda: store.append_block(6, [b"x"], object()),
        lambda: store.entry(8),
        lambda: store.entry(-1),
        lambda: store.entries(3, 2),
        lambda: store.height_of(8),
        lambda: store.block(6),
        lambda: store.block(-1),
        lambda: store.root(9),
        lambda: store.inclusion(8),
        lambda: store.inclusion(0, 9),
        lambda: store.consistency(2, 9),
        lambda: store.consistency(3, 2),
        lambda: store.journal_append([JournalRecord(2**64, 0, "k", b"")]),
        lambda: store.put_checkpoint(6, SWARM.checkpoint_store(store)),
    ]
    for call in calls[:-1]:
        with pytest.raises(Misuse):
            call()
    assert check_store(store, lambda _: SWARM.policy) == before
    with pytest.raises(Misuse, match="no block 6"):
        calls[-1]()
    store.append_block(6, [bytes(65_535)], b"")


# checkpoints


def test_the_smallest_checkpoint_that_covers_an_entry(store: Store) -> None:
    sizes = []
    for index in range(store.size):
        kept = store.checkpoint(index + 1)
        sizes.append(kept.size if kept else None)
    assert sizes == [4, 4, 4, 4, 7, 7, 7, None]
    latest = store.latest_checkpoint()
    assert latest is not None
    assert (latest.size, latest.height) == (7, 4)
    assert SWARM.policy.check(latest.note).root == store.root(7)


def test_a_checkpoint_of_another_tree_is_not_kept(store: Store) -> None:
    for size, root in ((8, bytes(32)), (7, store.root(7)), (9, store.root())):
        note = SWARM.certificate(Checkpoint(SWARM.origin, size, root)).encode()
        with pytest.raises(NotVerified, match="height 5: the checkpoint is of another tree"):
            store.put_checkpoint(5, note)
    with pytest.raises(NotVerified):
        store.put_checkpoint(5, b"not a note")
    latest = store.latest_checkpoint()
    assert latest is not None
    assert latest.size == 7


def test_a_checkpoint_after_an_empty_block_replaces_the_one_before(store: Store) -> None:
    head = Checkpoint(SWARM.origin, 4, store.root(4))
    newer = SWARM.certificate(head, ["drone_2", "drone_3", "drone_4"]).encode()
    assert store.put_checkpoint(2, newer) == StoredCheckpoint(4, 2, newer)
    assert store.checkpoint(1) == StoredCheckpoint(4, 2, newer)
    assert check_store(store, lambda _: SWARM.policy).checkpoints == 2


# journal and pending requests


def test_a_later_journal_record_takes_the_place_of_its_predecessor(path: Path) -> None:
    with Store.open(path) as store:
        first = [JournalRecord(1, 0, "view", b"old", "drone_1"), JournalRecord(1, 0, "view", b"x")]
        store.journal_append(first)
        newer = JournalRecord(1, 0, "view", b"new", "drone_1")
        store.journal_append([newer])
        assert store.journal_read() == [first[1], newer]


def test_the_journal_keeps_order_and_forgets_below(path: Path) -> None:
    records = [
        JournalRecord(1, 0, "prepare", b"one"),
        JournalRecord(2, 0, "prepare", b"two", "drone_2"),
        JournalRecord(2, 0, "prepare", b"three", "drone_3"),
        JournalRecord(1, 1, "view-change", b""),
        JournalRecord(3, 1, "prepare", b"\x00\xff"),
    ]
    with Store.open(path) as store:
        store.journal_append(records[:3])
        store.journal_append(records[3:])
    with Store.open(path) as store:
        assert store.journal_read() == records
        store.journal_truncate(2)
        assert store.journal_read() == [records[1], records[2], records[4]]
        store.journal_truncate(100)
        assert store.journal_read() == []


def test_pending_requests_stay_until_removed(path: Path) -> None:
    with Store.open(path) as store:
        for digest, data in ((b"z", b"1"), (b"a", b"2"), (b"z", b"3"), (b"m", b"4")):
            store.pending_put(digest, data)
    with Store.open(path) as store:
        assert store.pending_read() == [(b"z", b"1"), (b"a", b"2"), (b"m", b"4")]
        store.pending_remove([b"a", b"unknown"])
        assert store.pending_read() == [(b"z", b"1"), (b"m", b"4")]


# transactions


class StopError(Exception):
    pass


def test_a_group_is_one_commit_or_nothing(path: Path, store: Store) -> None:
    before = (store.height, store.size, store.root())

    def group() -> None:
        with store.transaction():
            store.append_block(6, [b"x"], b"")
            store.journal_append([JournalRecord(6, 0, "commit", b"x")])
            store.pending_put(b"d", b"x")
            assert store.size == 9
            with Store.open(path, read_only=True) as reader:  # not yet there for others
                assert reader.size == 8
                assert reader.journal_read() == []
            raise StopError

    with pytest.raises(StopError):
        group()
    assert (store.height, store.size, store.root()) == before
    assert store.journal_read() == store.pending_read() == []
    assert store.append_block(6, [b"y"], b"") == range(8, 9)
    check_store(store, lambda _: SWARM.policy)


def test_a_failed_inner_block_leaves_the_outer_one_whole(store: Store) -> None:
    def inner() -> None:
        with store.transaction():
            store.append_block(7, [b"y"], b"")
            store.pending_put(b"d", b"y")
            raise StopError

    with store.transaction():
        store.append_block(6, [b"x"], b"")
        root = store.root()
        with pytest.raises(StopError):
            inner()
        assert (store.height, store.root()) == (6, root)
        store.append_block(7, [b"z"], b"")
    assert (store.height, store.entry(9), store.pending_read()) == (7, b"z", [])
    check_store(store, lambda _: SWARM.policy)


def test_a_full_disk_is_said_and_survived(store: Store) -> None:
    pages = store.database.value("PRAGMA page_count", int, "pages")
    store.database.run(f"PRAGMA max_page_count = {pages}")
    before = check_store(store, lambda _: SWARM.policy)

    def two_blocks() -> None:
        with store.transaction():
            with pytest.raises(Misuse, match="full"):
                store.append_block(6, [NOISE], b"")
            store.append_block(6, [NOISE], b"")

    with pytest.raises(Misuse, match=r"full|undone"):
        store.append_block(6, [NOISE], b"")
    with pytest.raises(Misuse, match=r"full|undone"):
        two_blocks()
    assert check_store(store, lambda _: SWARM.policy) == before
    store.database.run("PRAGMA max_page_count = 100000")
    store.append_block(6, [NOISE], b"")
    check_store(store, lambda _: SWARM.policy)


def test_nothing_is_written_after_sqlite_has_undone_a_transaction(store: Store) -> None:
    """As SQLite does by itself after some failures of a disk."""
    before = check_store(store, lambda _: SWARM.policy)

    def go_on() -> None:
        with store.transaction():
            store.append_block(6, [b"x"], b"")
            store.database._connection.execute("ROLLBACK")
            store.pending_put(b"d", b"x")

    with pytest.raises(Misuse, match="undone"):
        go_on()
    assert store.pending_read() == []
    assert check_store(store, lambda _: SWARM.policy) == before
    assert store.append_block(6, [b"y"], b"") == range(8, 9)


def test_a_writer_waits_for_the_disk(store: Store) -> None:
    assert store.database.value("PRAGMA synchronous", int, "") == 2  # FULL
    assert store.database.value("PRAGMA journal_mode", str, "") == "wal"


KILLED = """
import os, signal, sys
from swarm_ledger.ledger.store import Store
from tests.laid_open import lay_open
store = Store.open(sys.argv[1])
for height in range(3):
    store.append_block(height, [b"entry %d" % height], b"")
with store.transaction():
    store.append_block(3, [b"uncommitted"], b"")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_writer_loses_nothing_committed(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False, timeout=60)
    assert done.returncode == -9
    assert (path.parent / "ledger.db-wal").exists()
    with Store.open(path, read_only=True) as reader:
        assert check_store(reader, lambda _: SWARM.policy).height == 2
    with Store.open(path) as store:
        assert store.entries(0, 3) == [b"entry 0", b"entry 1", b"entry 2"]
        store.append_block(3, [b"entry 3"], b"")
        check_store(store, lambda _: SWARM.policy)
    assert os.listdir(path.parent) == ["ledger.db"]


# opening


def test_readers_follow_a_writer_and_cannot_write(path: Path, store: Store) -> None:
    with Store.open(path, read_only=True) as reader:
        store.append_block(6, [b"x"], b"")
        assert reader.size == 8
        assert reader.root() == store.root(8)
        reader.refresh()
        assert (reader.size, reader.height, reader.root()) == (9, 6, store.root())
        check_store(reader, lambda _: SWARM.policy)
        for call in (
            lambda: reader.append_block(7, [b"y"], b""),
            lambda: reader.journal_append([]),
            lambda: reader.pending_remove([b"d"]),
        ):
            with pytest.raises(Misuse, match="only being read"):
                call()
        store.close()  # a reader is still there: closing neither waits nor fails
        assert reader.entry(8) == b"x"
    with Store.open(path) as again:
        assert again.size == 9


def test_a_ledger_has_one_writer(path: Path, store: Store) -> None:
    with pytest.raises(Misuse, match="locked") as caught:
        Store.open(path)
    assert "read-only" in caught.value.remedy
    store.append_block(6, [b"x"], b"")
    store.close()
    store.close()
    with Store.open(path) as again:
        assert again.height == 6


def test_a_lock_file_removed_under_our_hands_is_no_lock(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The previous writer may remove its file between our opening and our locking it."""
    name, real, calls = Path(f"{path}.lock"), fcntl.flock, []

    def flock(descriptor: int, operation: int) -> None:
        if not calls:
            name.unlink()
        calls.append(descriptor)
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with Store.open(path):
        assert len(calls) == 2
        with pytest.raises(Misuse, match="locked"):
            Store.open(path)


def test_closing_waits_for_no_reader_and_no_half_read_query(path: Path, store: Store) -> None:
    store.append_block(6, [b"x"] * 2 * ROWS_AT_ONCE, b"")
    with Store.open(path, read_only=True) as reader:
        half_read = reader.database.rows("SELECT kind FROM rare")
        assert next(half_read) == (ord("a"),)
        started = time.monotonic()
        store.close()
        assert time.monotonic() - started < BUSY_SECONDS / 2
    with Store.open(path) as again:
        own_half_read = again.database.rows("SELECT kind FROM rare")
        assert next(own_half_read) == (ord("a"),)
    assert os.listdir(path.parent) == ["ledger.db"]


def test_another_programs_lock_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swarm_ledger.ledger.database.BUSY_SECONDS", 0.0)
    with Store.open(path) as store:
        fill(store)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Misuse, match="another process is using it"):
            store.append_block(6, [b"x"], b"")
        assert store.height == 5
        other.execute("ROLLBACK")
        other.close()
        store.append_block(6, [b"x"], b"")


def test_a_store_used_after_close_or_from_another_thread_is_misuse(store: Store) -> None:
    caught: list[Exception] = []

    def use() -> None:
        try:
            store.journal_read()
        except Misuse as error:
            caught.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert "thread" in str(caught[0])
    store.close()
    with pytest.raises(Misuse, match="closed"):
        store.journal_read()


def test_paths_that_are_no_ledger_are_misuse(tmp_path: Path) -> None:
    text, other, newer = tmp_path / "text", tmp_path / "other.db", tmp_path / "newer.db"
    text.write_bytes(b"not a database, but long enough to be one " * 100)
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE t (a)")
    connection.close()
    Store.open(newer).close()
    connection = sqlite3.connect(newer)
    connection.execute("UPDATE meta SET value = 99")
    connection.commit()
    connection.close()
    cases = [
        (tmp_path / "missing" / "ledger.db", "no directory"),
        (tmp_path, "is a directory"),
        (text, "not a database"),
        (other, "not a ledger"),
        (newer, "schema 99"),
    ]
    before = {p: p.read_bytes() for p in (text, other, newer)}
    for path, says in cases:
        for read_only in (False, True):
            with pytest.raises(Misuse, match=says):
                Store.open(path, read_only=read_only)
    with pytest.raises(Misuse, match="no ledger"):
        Store.open(tmp_path / "absent.db", read_only=True)
    assert {p: p.read_bytes() for p in before} == before
    assert sorted(os.listdir(tmp_path)) == ["newer.db", "other.db", "text"]


# damage

TALL = [[b"%d" % n for n in range(5 * height, 5 * height + 5)] for height in range(8)]


@pytest.fixture
def tall() -> Iterator[Store]:
    """40 entries: two nodes of 16, and one of 32, are stored."""
    with Store.open(":memory:") as opened:
        for height, entries in enumerate(TALL):
            opened.append_block(height, entries, b"")
        yield opened


HEIGHTS = [height for height, entries in enumerate(BLOCKS) for _ in entries]


def damaged(store: Store, statement: str, arguments: tuple[object, ...]) -> NotVerified | None:
    """Return how the check fails with one statement's damage, which is then taken back."""
    caught: list[NotVerified] = []
    store.database.run("PRAGMA ignore_check_constraints = ON")
    if store.database.row("SELECT 1 FROM sqlite_temp_master") is None:
        lay_open(store.database._connection)

    def damage_and_check() -> None:
        with store.transaction():
            store.database.run(statement, arguments)
            try:
                check_store(store, lambda _: SWARM.policy)
            except NotVerified as error:
                caught.append(error)
            raise StopError

    with pytest.raises(StopError):
        damage_and_check()
    return caught[0] if caught else None


def mutants(data: bytes) -> Iterator[bytes]:
    for place, byte in enumerate(data):
        for bits in (1, 0x20, 0x80):
            yield data[:place] + bytes([byte ^ bits]) + data[place + 1 :]
        yield data[:place] + data[place + 1 :]


@pytest.mark.parametrize("index", range(8))
def test_any_byte_of_an_entry_is_missed(store: Store, index: int) -> None:
    for mutant in mutants(store.entry(index)):
        error = damaged(store, "UPDATE entries SET data = ? WHERE idx = ?", (mutant, index))
        assert error is not None
        assert error.where == f"height {HEIGHTS[index]}"
        assert "not those in the tree" in error.what or "1 to 65535 bytes" in error.what


@pytest.mark.parametrize("size", [4, 7])
def test_any_byte_of_a_checkpoint_is_missed(store: Store, size: int) -> None:
    kept = store.checkpoint(size)
    assert kept is not None
    for mutant in mutants(kept.note):
        error = damaged(store, "UPDATE checkpoints SET note = ? WHERE size = ?", (mutant, size))
        assert error is not None, mutant
        assert error.where == f"height {kept.height}"


def test_any_byte_of_a_tree_node_is_missed(tall: Store) -> None:
    nodes = list(tall.database.rows("SELECT place, hash FROM tree"))
    assert [place for place, _ in nodes] == [16 << 6 | 4, 32 << 6 | 4, 32 << 6 | 5]
    for place, stored in nodes:
        for mutant in mutants(stored):
            error = damaged(tall, "UPDATE tree SET hash = ? WHERE place = ?", (mutant, place))
            assert error is not None
            assert error.where == f"height {((place >> 6) - 1) // 5}"


@pytest.mark.parametrize("height", range(6))
def test_any_byte_of_a_packed_block_and_of_its_root_is_missed(store: Store, height: int) -> None:
    """Or says the same, as deflate says many things in two ways."""
    query = "SELECT packed, root FROM blocks WHERE height = ?"
    packed, root = store.database.row(query, (height,)) or (b"", b"")
    before, missed = check_store(store, lambda _: SWARM.policy), 0
    block = store.block(height)
    for mutant in mutants(packed):
        if damaged(store, "UPDATE blocks SET packed = ? WHERE height = ?", (mutant, height)):
            missed += 1
            continue
        number = len(block.entries) + 1
        *entries, _ = unpack(mutant, number, "the mutant")
        assert entries == list(block.entries)
    assert missed > len(packed)
    for mutant in mutants(root):
        error = damaged(store, "UPDATE blocks SET root = ? WHERE height = ?", (mutant, height))
        assert error is not None
        assert error.where == f"height {height}"
    assert check_store(store, lambda _: SWARM.policy) == before


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("UPDATE entries SET data = 'text' WHERE idx = 4", "height 3"),
        ("DELETE FROM entries WHERE idx = 4", "height 3"),
        ("INSERT INTO kept VALUES (8, 5, x'00')", "height 0"),
        ("INSERT INTO kept SELECT idx, height, data FROM entries WHERE idx = 2", "height 0"),
        (
            "UPDATE blocks SET root = (SELECT root FROM blocks WHERE height = 1) WHERE height = 3",
            "height 3",
        ),
        (
            "UPDATE blocks SET packed = (SELECT packed FROM blocks WHERE height = 0)"
            " WHERE height = 3",
            "height 3",
        ),
        ("UPDATE blocks SET packed = x'' WHERE height = 3", "height 3"),
        ("DELETE FROM rare WHERE idx = 4", "entry 4"),
        ("INSERT INTO rare VALUES (100, 9)", "the index"),
        ("UPDATE rare SET kind = 120 WHERE idx = 4", "entry 4"),
        ("INSERT INTO keyed VALUES (1, 4)", "the index"),
        ("UPDATE blocks SET first = 2 WHERE height = 1", "height 1"),
        ("UPDATE blocks SET count = 2 WHERE height = 1", "height 2"),
        ("UPDATE blocks SET count = 'x' WHERE height = 1", "height 1"),
        ("UPDATE blocks SET count = 2 WHERE height = 5", "height 5"),
        ("UPDATE blocks SET count = 0 WHERE height = 5", "height 5"),
        ("UPDATE blocks SET count = -1 WHERE height = 5", "height 5"),
        ("DELETE FROM blocks WHERE height = 2", "height 2"),
        ("DELETE FROM blocks WHERE height = 5", "the index"),
        ("INSERT INTO blocks VALUES (6, 8, 1, zeroblob(32), x'')", "height 6"),
        ("INSERT INTO blocks VALUES (7, 8, 0, zeroblob(32), x'')", "height 6"),
        ("INSERT INTO nodes VALUES (0, 8, zeroblob(32))", "height 5"),
        ("INSERT INTO nodes VALUES (1, 4, zeroblob(32))", "height 5"),
        ("INSERT INTO nodes VALUES (9, 0, zeroblob(32))", "height 5"),
        ("INSERT INTO tree VALUES (-9223372036854775808, zeroblob(32))", "height 5"),
        ("UPDATE checkpoints SET size = 5 WHERE size = 4", "height 1"),
        ("UPDATE checkpoints SET height = 0 WHERE size = 4", "height 0"),
        ("UPDATE checkpoints SET height = 77 WHERE size = 4", "height 77"),
        ("UPDATE checkpoints SET note = 'text' WHERE size = 4", "height 1"),
    ],
)
def test_rows_changed_removed_or_added_are_missed(
    store: Store, statement: str, where: str
) -> None:
    error = damaged(store, statement, ())
    assert error is not None
    assert error.where == where


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("DELETE FROM nodes WHERE level = 4 AND idx = 0", "height 3"),
        ("DELETE FROM nodes WHERE level = 5 AND idx = 0", "height 6"),
        ("UPDATE nodes SET idx = 9 WHERE level = 4 AND idx = 1", "height 6"),
        ("INSERT INTO nodes VALUES (0, 8, zeroblob(32))", "height 3"),
        ("INSERT INTO nodes VALUES (4, 2, zeroblob(32))", "height 7"),
        ("INSERT INTO nodes VALUES (9, 0, zeroblob(32))", "height 7"),
        ("INSERT INTO tree VALUES (-7, zeroblob(32))", "height 3"),
        ("DELETE FROM tree", "height 3"),
    ],
)
def test_nodes_changed_removed_or_added_are_missed(
    tall: Store, statement: str, where: str
) -> None:
    error = damaged(tall, statement, ())
    assert error is not None
    assert error.where == where


def test_checkpoints_must_be_the_policys_and_without_needless_lines(store: Store) -> None:
    head = Checkpoint(SWARM.origin, 8, store.root())
    generous = Swarm(quorum=4).certificate(head).encode()
    strange = Swarm(origin="other.example").certificate(
        Checkpoint("other.example", 8, store.root())
    )
    wrong_root = SWARM.certificate(Checkpoint(SWARM.origin, 8, bytes(32))).encode()
    wrong_size = SWARM.certificate(Checkpoint(SWARM.origin, 9, store.root())).encode()
    for note, says in (
        (generous, "not needed"),
        (strange.encode(), "no known key"),
        (wrong_root, "not the tree's"),
        (wrong_size, "another size"),
    ):
        error = damaged(store, "INSERT INTO checkpoints VALUES (8, 5, ?)", (note,))
        assert error is not None
        assert error.where == "height 5"
        assert says in error.what
    assert (
        damaged(
            store, "INSERT INTO checkpoints VALUES (8, 5, ?)", (SWARM.certificate(head).encode(),)
        )
        is None
    )


def test_damage_meets_every_reader_as_not_verified(path: Path, store: Store) -> None:
    store.close()
    for statement in (
        "DROP TABLE tree",
        "DROP TABLE blocks",
        "DELETE FROM blocks WHERE height = 4",
        "UPDATE blocks SET packed = x'' WHERE height = 5",
        "UPDATE blocks SET root = zeroblob(32) WHERE height = 5",
        "UPDATE blocks SET first = 'x' WHERE height = 5",
        "UPDATE meta SET value = 0",
        "DELETE FROM meta",
    ):
        copy = path.with_name("copy.db")
        copy.write_bytes(path.read_bytes())
        connection = sqlite3.connect(copy)
        connection.execute(statement)
        connection.commit()
        connection.close()
        with pytest.raises(NotVerified):
            Store.open(copy)


def test_damage_further_up_meets_who_reads_it(path: Path) -> None:
    with Store.open(path) as store:
        for height, entries in enumerate(TALL):
            store.append_block(height, entries, b"")
        SWARM.checkpoint_store(store)
    connection = sqlite3.connect(path)
    connection.executescript("""
        PRAGMA ignore_check_constraints = ON;
        UPDATE blocks SET packed = 'text' WHERE height = 0;
        UPDATE blocks SET count = 99 WHERE height = 1;
        DELETE FROM blocks WHERE height = 2;
        UPDATE tree SET hash = 5 WHERE place = (16 << 6 | 4);
        UPDATE certified SET packed = NULL OR 7;
        INSERT INTO journal VALUES (1, 'x', 1, 'k', 'a', x'00');
        INSERT INTO pending VALUES (1, 'text', x'00');
    """)
    connection.close()
    with Store.open(path, read_only=True) as reader:
        for call in (
            lambda: reader.entry(1),
            lambda: reader.inclusion(1),
            lambda: reader.block(2),
            lambda: reader.block(1),
            lambda: reader.block(0),
            lambda: reader.entry(12),
            lambda: reader.nodes(4, 0, 1),
            lambda: reader.find(ord("1")),
            reader.latest_checkpoint,
            reader.journal_read,
            reader.pending_read,
        ):
            with pytest.raises(NotVerified):
                call()
        assert reader.block(7).entries == tuple(TALL[7])
        assert reader.nodes(0, 33, 34) == [merkle.leaf_hash(TALL[6][3])]


def test_an_empty_entry_is_damage_to_who_looks_for_it(store: Store) -> None:
    emptied = pack([b"", b"c", b"d", b"certificate 1"])
    store.database.run("UPDATE blocks SET packed = ? WHERE height = 1", (emptied,))
    store.reread()
    for call in (lambda: store.find(ord("b")), lambda: store.entries(0, 8)):
        with pytest.raises(NotVerified, match="1 to 65535 bytes"):
            call()


def test_what_only_sqlite_itself_notices_fails_the_check(path: Path, store: Store) -> None:
    store.close()
    connection = sqlite3.connect(path)
    connection.executescript("""
        PRAGMA ignore_check_constraints = ON;
        INSERT INTO pending VALUES (1, x'00', 7);
    """)
    connection.close()
    with Store.open(path) as again, pytest.raises(NotVerified, match=r"damaged .*pending"):
        check_store(again, lambda _: SWARM.policy)


def test_no_damage_to_the_file_becomes_a_traceback(path: Path, store: Store) -> None:
    """Bytes overwritten at random, and files cut anywhere, are refused or are harmless."""
    root = store.root()
    store.close()
    whole, rng, refused = path.read_bytes(), random.Random(5), 0
    for round_number in range(300):
        broken = bytearray(whole)
        if round_number % 10 == 0:
            del broken[rng.randrange(1, len(broken)) :]
        else:
            start = rng.randrange(len(broken))
            length = rng.choice((1, 1, 4, 64, 4096))
            broken[start : start + length] = rng.randbytes(len(broken[start : start + length]))
        copy = path.with_name("broken.db")
        copy.write_bytes(broken)
        try:
            with Store.open(copy, read_only=True) as reader:
                assert check_store(reader, lambda _: SWARM.policy).root == root
                reader.journal_read()
                for height in range(6):
                    reader.block(height)
        except SwarmLedgerError:
            refused += 1
    assert refused > 50


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("DROP TABLE kept; CREATE VIEW kept (idx, height, data) AS {}", "other tables"),
        ("DROP TABLE meta; CREATE VIEW meta (key, value) AS {}", "which schema"),
        ("CREATE TRIGGER t AFTER INSERT ON blocks BEGIN DELETE FROM blocks; END", "other tables"),
        ("ALTER TABLE journal ADD COLUMN more", "other tables"),
        ("DROP TABLE pending", "other tables"),
    ],
)
@pytest.mark.parametrize("read_only", [False, True])
def test_tables_that_are_not_ours_are_not_read(
    path: Path, store: Store, statement: str, what: str, read_only: bool
) -> None:
    """A view may never end: whoever verified a stranger's ledger would wait for ever."""
    store.close()
    endless = "WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n) SELECT x, x"
    endless += ", x FROM n" if "kept" in statement else " FROM n"
    connection = sqlite3.connect(path)
    connection.executescript(statement.format(endless))
    connection.close()
    with pytest.raises(NotVerified, match=what):
        Store.open(path, read_only=read_only)


def test_a_schema_that_is_not_utf_8_is_damage(path: Path, store: Store) -> None:
    """SQLite quotes it in its message, which Python then can't decode."""
    store.close()
    data = path.read_bytes()
    damaged = data.replace(b"tableblocks", b"tablebl\xf5cks").replace(
        b"TABLE blocks", b"TABXX blocks"
    )
    path.write_bytes(damaged)
    with pytest.raises(NotVerified, match="damaged"):
        Store.open(path, read_only=True)
