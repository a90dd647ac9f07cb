# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Old files are brought up to date whole or not at all, newer ones refused; the index is right."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from ledger_swarm import Swarm

from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.ledger.check import check_store
from swarm_ledger.ledger.finding import Found
from swarm_ledger.ledger.migration import OLD_TABLES
from swarm_ledger.ledger.pruning import Keep
from swarm_ledger.ledger.rare import COMMON, KEYED, key_of
from swarm_ledger.ledger.schema import LAST_OF_ROWS, LEDGER, SCHEMA_VERSION, own_objects
from swarm_ledger.ledger.store import Store
from tests.laid_open import lay_open
from tests.unit.older_files import as_older

SWARM = Swarm()
DIGEST = bytes(range(32))
BLOCKS = [
    [b"\x20g"],
    [b"\x21h", b"\x01a", b"\x03v"],
    [b"\x21h", b"\x03w", b"\x01b", b"\x22d\x58\x20" + DIGEST],
]
SESSIONS = [Found(2, 1, b"\x01a"), Found(6, 2, b"\x01b")]


def fill(store: Store) -> None:
    for height, entries in enumerate(BLOCKS):
        store.append_block(height, entries, b"c")
    SWARM.checkpoint_store(store)


def tables(path: Path) -> tuple[int, frozenset[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
        query = "SELECT type, name, tbl_name, sql FROM sqlite_master"
        return version, frozenset(connection.execute(query))


@pytest.fixture
def new(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    with Store.open(path) as store:
        fill(store)
    return path


@pytest.fixture(params=range(1, LAST_OF_ROWS + 1))
def old(new: Path, request: pytest.FixtureRequest) -> Path:
    """A file as an earlier version of the schema has it."""
    as_older(new, request.param)
    assert tables(new) == (request.param, own_objects(request.param))
    return new


def test_the_index_leaves_out_votes_and_headers() -> None:
    assert set(COMMON) == {Kind.VOTE, Kind.BLOCK}
    assert KEYED == Kind.DECISION


def test_a_writer_brings_an_old_file_up_to_date(old: Path) -> None:
    with Store.open(old) as store:
        assert store.database.schema == SCHEMA_VERSION
        assert store.find(Kind.SESSION) == SESSIONS
        assert [found.index for found in store.find(Kind.DECISION, holding=DIGEST)] == [7]
        store.append_block(3, [b"\x21h", b"\x01c"], b"")
        assert [found.data for found in store.find(Kind.SESSION)] == [b"\x01a", b"\x01b", b"\x01c"]
        assert check_store(store, lambda _: SWARM.policy).size == 10
        assert [store.block(height).certificate for height in range(3)] == [b"c"] * 3
    assert tables(old) == (SCHEMA_VERSION, own_objects(SCHEMA_VERSION))


def test_it_becomes_what_this_program_writes(old: Path, tmp_path: Path) -> None:
    with Store.open(tmp_path / "other.db") as store:
        fill(store)
    Store.open(old).close()
    dumps = []
    for path in (tmp_path / "other.db", old):
        with closing(sqlite3.connect(path)) as connection:
            dumps.append(sorted(connection.iterdump()))
    assert dumps[0] == dumps[1]


def test_a_reader_leaves_an_old_file_as_it_is(old: Path) -> None:
    before = old.read_bytes()
    with Store.open(old, read_only=True) as store:
        assert store.find(Kind.SESSION) == SESSIONS
        assert store.snapshot_heights() == []
        assert check_store(store, lambda _: SWARM.policy).size == 8
        with pytest.raises(Misuse, match="only being read"):
            store.append_block(3, [b"x"], b"")
    assert old.read_bytes() == before
    assert sorted(one.name for one in old.parent.iterdir()) == ["ledger.db"]


def test_a_pruned_old_file_stays_pruned_and_proven(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Store.open(path) as store:
        for height in range(9):
            store.append_block(height, [b"\x21%d" % height, b"\x01%d" % height, b"\x03v"], b"c")
            SWARM.checkpoint_store(store)
        while store.prune(7, Keep(lambda found: found.index % 2 == 0, checkpoints=(2,))):
            pass
        before = list(store.database.rows("SELECT place, hash FROM tree"))
        summary = check_store(store, lambda _: SWARM.policy)
    as_older(path, LAST_OF_ROWS)
    with Store.open(path, read_only=True) as reader:
        assert check_store(reader, lambda _: SWARM.policy) == summary
    with Store.open(path) as store:
        assert list(store.database.rows("SELECT place, hash FROM tree")) == before
        assert check_store(store, lambda _: SWARM.policy) == summary
        assert [found.index for found in store.find(1)][:2] == [4, 10]


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize(
    ("damage", "where"),
    [
        ("UPDATE entries SET height = 0 WHERE idx = 2", "height 1"),
        ("UPDATE entries SET idx = 99 WHERE idx = 7", "height 2"),
        ("DELETE FROM entries WHERE idx = 3", "height 1"),
        ("INSERT INTO entries VALUES (8, 2, x'00')", "the end"),
        ("UPDATE entries SET data = 'text' WHERE idx = 3", "entry 3"),
        ("UPDATE entries SET data = x'' WHERE idx = 3", "entry 3"),
        ("UPDATE blocks SET count = -1 WHERE height = 1", "height 1"),
        ("UPDATE blocks SET count = 99999999999 WHERE height = 1", "height 1"),
        ("UPDATE blocks SET first = 'x' WHERE height = 1", "height 1"),
        ("UPDATE blocks SET certificate = 7 WHERE height = 1", "height 1"),
        ("UPDATE checkpoints SET note = 7", "checkpoint of size 8"),
        ("UPDATE meta SET value = 1 WHERE key = 'base'", ""),
    ],
)
def test_damage_to_an_old_file_is_said(
    new: Path, damage: str, where: str, read_only: bool
) -> None:
    as_older(new, LAST_OF_ROWS)
    with closing(sqlite3.connect(new, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(damage)
    before = new.read_bytes()
    with pytest.raises(NotVerified) as caught:
        Store.open(new, read_only=read_only)
    assert caught.value.where == where or not where
    assert tables(new) == (LAST_OF_ROWS, own_objects(LAST_OF_ROWS))
    if read_only:
        assert new.read_bytes() == before


@pytest.mark.parametrize("certified", [False, True])
def test_entries_of_an_old_file_are_judged_as_ever(new: Path, certified: bool) -> None:
    """Its lowest nodes are not kept, but the roots follow from them: no entry that was changed
    passes for the tree's, whether a checkpoint covers it or not.
    """
    as_older(new, LAST_OF_ROWS)
    with closing(sqlite3.connect(new, isolation_level=None)) as connection:
        connection.execute("UPDATE entries SET data = x'0362' WHERE idx = 3")
        if not certified:
            connection.execute("DELETE FROM checkpoints")
    for read_only in (True, False):
        with pytest.raises(NotVerified, match="height 1: its entries are not those in the tree"):
            Store.open(new, read_only=read_only)


DIES = """
import os, signal, sys
from swarm_ledger.ledger import database
from swarm_ledger.ledger.store import Store
real, left = database.Database.run, [int(sys.argv[2])]
def run(self, statement, arguments=()):
    real(self, statement, arguments)
    if statement.startswith(("ALTER", "CREATE", "DROP", "INSERT", "UPDATE meta")):
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
database.Database.run = run
Store.open(sys.argv[1])
"""


@pytest.mark.parametrize("statement", range(1, 1 + len(LEDGER) + 3 + len(OLD_TABLES) + 1))
def test_one_that_dies_while_it_migrates_leaves_the_old_file(new: Path, statement: int) -> None:
    """Each of its statements but those for single rows."""
    as_older(new, LAST_OF_ROWS)
    done = subprocess.run(
        [sys.executable, "-c", DIES, str(new), str(statement)], check=False, timeout=60
    )
    assert done.returncode == -9
    assert tables(new) == (LAST_OF_ROWS, own_objects(LAST_OF_ROWS))
    with Store.open(new) as store:
        assert check_store(store, lambda _: SWARM.policy).size == 8
        assert store.find(Kind.SESSION) == SESSIONS


FULL = """
import resource, sys
from swarm_ledger.errors import Misuse
from swarm_ledger.ledger.store import Store
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    Store.open(sys.argv[1])
except Misuse as error:
    sys.exit(error.explain())
"""


def test_a_disk_that_is_full_while_it_migrates_is_said(new: Path) -> None:
    old = new
    as_older(old, LAST_OF_ROWS)
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(old), "4096"],
        check=False,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "disk" in done.stderr
    assert "what was committed" in done.stderr
    with Store.open(old) as store:
        assert check_store(store, lambda _: SWARM.policy).size == 8


@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_of_a_newer_program_is_refused_untouched(new: Path, read_only: bool) -> None:
    with closing(sqlite3.connect(new, isolation_level=None)) as connection:
        connection.execute("UPDATE meta SET value = 5 WHERE key = 'schema'")
    before = new.read_bytes()
    with pytest.raises(Misuse, match=f"schema 5; this program knows {SCHEMA_VERSION}") as caught:
        Store.open(new, read_only=read_only)
    assert "newer" in caught.value.remedy
    assert new.read_bytes() == before


@pytest.mark.parametrize("read_only", [False, True])
def test_a_version_and_its_tables_go_together(new: Path, read_only: bool) -> None:
    with closing(sqlite3.connect(new, isolation_level=None)) as connection:
        connection.execute("UPDATE meta SET value = 1")
    with pytest.raises(NotVerified, match="other tables"):
        Store.open(new, read_only=read_only)


# the index


@pytest.fixture
def store(new: Path) -> Iterator[Store]:
    with Store.open(new) as opened:
        yield opened


def test_entries_are_found_by_kind(store: Store) -> None:
    assert store.find(Kind.SESSION) == SESSIONS
    assert store.find(Kind.SESSION, skip=1) == SESSIONS[1:]
    assert store.find(Kind.SESSION, limit=1) == SESSIONS[:1]
    assert store.find(Kind.SESSION, skip=2, limit=9) == []
    assert store.find(Kind.GENESIS) == [Found(0, 0, b"\x20g")]
    assert store.find(Kind.EVIDENCE) == []
    for kind in COMMON:
        with pytest.raises(Misuse, match="by their block"):
            store.find(kind)


def test_a_reader_finds_what_it_has_taken_note_of(new: Path, store: Store) -> None:
    with Store.open(new, read_only=True) as reader:
        store.append_block(3, [b"\x21h", b"\x22e"], b"")
        assert len(reader.find(Kind.DECISION)) == 1
        reader.refresh()
        assert len(reader.find(Kind.DECISION)) == 2


def test_finding_reads_no_block_without_one(store: Store) -> None:
    read: list[int] = []
    real = store._blocks.keep
    store._blocks.keep = lambda block: (read.append(block.height), real(block))  # type: ignore[method-assign,func-returns-value,assignment,return-value]
    store.reread()
    for height in range(3, 50):
        store.append_block(
            height, [b"\x21h", b"\x03v", b"\x01c" if height == 20 else b"\x03w"], b""
        )
    store.reread()
    read.clear()
    assert [found.height for found in store.find(Kind.SESSION, skip=2)] == [20]
    assert 20 in read
    assert set(read) <= set(range(14, 27)), "it, and what is in the same 16 entries"
    plans = {
        "SELECT idx FROM rare WHERE kind = 1 AND idx < 9 ORDER BY idx": "PRIMARY KEY (kind=? AND",
        "SELECT idx FROM keyed WHERE key = 1 AND idx < 9 ORDER BY idx": "PRIMARY KEY (key=? AND",
        "SELECT height FROM blocks WHERE first <= 9 ORDER BY first DESC": "blocks_by_first (first",
    }
    for query, way in plans.items():
        (plan,) = (row[-1] for row in store.database.rows(f"EXPLAIN QUERY PLAN {query}"))
        assert plan.startswith("SEARCH")
        assert way in plan


def test_decisions_are_found_by_a_digest_in_them(store: Store) -> None:
    other = DIGEST[:6] + bytes(26)
    assert key_of(other) == key_of(DIGEST)
    both = b"\x22\x19\x58\x20\x58\x20" + other + b"\x58\x20" + DIGEST
    store.append_block(3, [b"\x21h", both, b"\x01\x58\x20" + DIGEST], b"")

    def places(digest: bytes, **how: int) -> list[int]:
        return [found.index for found in store.find(Kind.DECISION, holding=digest, **how)]

    assert places(DIGEST) == [7, 9]
    assert places(DIGEST, limit=1) == [7]
    assert places(DIGEST, skip=1) == [9]
    assert places(DIGEST, within=9) == [7]
    assert places(other) == [9]
    assert places(bytes(32)) == []
    with pytest.raises(Misuse, match="32 bytes"):
        places(b"short")
    assert check_store(store, lambda _: SWARM.policy).size == 11


def test_an_entry_that_is_not_the_trees_is_not_found_but_said(store: Store) -> None:
    lay_open(store.database._connection)
    store.database.run("UPDATE entries SET data = x'0162' WHERE idx = 2")
    store.reread()
    with pytest.raises(NotVerified, match="entries 0 to 7: they are not those in the tree"):
        store.find(Kind.SESSION)


def test_an_index_that_lost_an_entry_fails_the_check(new: Path) -> None:
    """Nobody who verifies reads the index but to compare it with the entries."""
    with closing(sqlite3.connect(new, isolation_level=None)) as connection:
        connection.execute("DELETE FROM rare WHERE kind = 1")
    with Store.open(new, read_only=True) as reader:
        assert reader.find(Kind.SESSION) == []
        with pytest.raises(NotVerified, match="entry 2: the index does not have it"):
            check_store(reader, lambda _: SWARM.policy)


# snapshots


def test_of_older_snapshots_only_those_that_are_named_stay(new: Path) -> None:
    with Store.open(new) as store:
        store.snapshot_put(1, b"one")
        store.snapshot_put(2, b"two", keep=[1])
        store.snapshot_put(2, b"second", keep=[1])
        assert store.snapshot_heights() == [1, 2]
    with Store.open(new, read_only=True) as reader:
        assert (reader.snapshot(1), reader.snapshot(2)) == (b"one", b"second")
        with pytest.raises(NotVerified, match="snapshot 3: it is missing"):
            reader.snapshot(3)
    with Store.open(new) as store:
        store.snapshot_put(5, b"five", keep=[2, 9])
        assert store.snapshot_heights() == [2, 5]
