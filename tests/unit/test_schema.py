# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Old files are brought up to date whole or not at all, newer ones refused; the index is right."""

from __future__ import annotations

import re
import shutil
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
from swarm_ledger.ledger.schema import COMMON, RARE, SCHEMA_VERSION, own_objects, statements
from swarm_ledger.ledger.store import Found, Store

SWARM = Swarm()
FORMATS = Path(__file__).parents[2] / "docs" / "formats.md"
BLOCKS = [[b"\x20g"], [b"\x21h", b"\x01a", b"\x03v"], [b"\x21h", b"\x03w", b"\x01b", b"\x22d"]]
SESSIONS = [Found(2, 1, b"\x01a"), Found(6, 2, b"\x01b")]


def undo() -> list[str]:
    """The statements by which docs/formats.md takes the steps back, the last one first."""
    found = re.findall(r"^    (BEGIN;.*COMMIT;)$", FORMATS.read_text(), re.MULTILINE)
    assert len(found) == SCHEMA_VERSION - 1
    return [f"{one};" for step in found for one in step.split(";") if one.strip()]


def tables(path: Path) -> tuple[int, frozenset[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
        query = "SELECT type, name, tbl_name, sql FROM sqlite_master"
        return version, frozenset(connection.execute(query))


@pytest.fixture
def new(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    with Store.open(path) as store:
        for height, entries in enumerate(BLOCKS):
            store.append_block(height, entries, b"c")
        SWARM.checkpoint_store(store)
    return path


@pytest.fixture
def old(new: Path) -> Path:
    """A file as the first version of the schema has it."""
    with closing(sqlite3.connect(new, isolation_level=None)) as connection:
        for statement in undo():
            connection.execute(statement)
    assert tables(new) == (1, own_objects(1))
    return new


def test_the_index_leaves_out_votes_and_headers() -> None:
    assert set(COMMON) == {Kind.VOTE, Kind.BLOCK}
    assert RARE.endswith("(" + ", ".join(f"x'{kind:02x}'" for kind in COMMON) + ")")


def test_a_writer_brings_an_old_file_up_to_date(old: Path) -> None:
    with Store.open(old) as store:
        assert store.database.schema == SCHEMA_VERSION
        assert store.find(Kind.SESSION) == SESSIONS
        store.append_block(3, [b"\x21h", b"\x01c"], b"")
        assert [found.data for found in store.find(Kind.SESSION)] == [b"\x01a", b"\x01b", b"\x01c"]
        assert check_store(store, lambda _: SWARM.policy).size == 10
    assert tables(old) == (SCHEMA_VERSION, own_objects(SCHEMA_VERSION))


def test_a_reader_takes_an_old_file_as_it_is(old: Path) -> None:
    before = old.read_bytes()
    with Store.open(old, read_only=True) as store:
        assert store.find(Kind.SESSION) == SESSIONS
        assert store.snapshot_heights() == []
        assert check_store(store, lambda _: SWARM.policy).size == 8
    assert old.read_bytes() == before


def test_there_and_back_changes_nothing(old: Path, tmp_path: Path) -> None:
    first = tmp_path / "first.db"
    shutil.copy(old, first)
    Store.open(old).close()
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        for statement in undo():
            connection.execute(statement)
    assert tables(old) == (1, own_objects(1))
    dumps = []
    for path in (first, old):
        with closing(sqlite3.connect(path)) as connection:
            dumps.append(list(connection.iterdump()))
    assert dumps[0] == dumps[1]


DIES = """
import os, signal, sys
from swarm_ledger.ledger import database
from swarm_ledger.ledger.store import Store
real, left = database.Database.run, [int(sys.argv[2])]
def run(self, statement, arguments=()):
    real(self, statement, arguments)
    if statement.startswith(("CREATE", "INSERT INTO meta", "UPDATE meta")):
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
database.Database.run = run
Store.open(sys.argv[1])
"""


@pytest.mark.parametrize("statement", range(1, len(statements(1)) + 2))
def test_one_that_dies_while_it_migrates_leaves_the_old_file(old: Path, statement: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DIES, str(old), str(statement)], check=False, timeout=60
    )
    assert done.returncode == -9
    with Store.open(old, read_only=True) as store:
        assert store.database.schema == 1
        assert check_store(store, lambda _: SWARM.policy).size == 8
    with Store.open(old) as store:
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


def test_a_disk_that_is_full_while_it_migrates_is_said(old: Path) -> None:
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
        connection.execute("UPDATE meta SET value = 4 WHERE key = 'schema'")
    before = new.read_bytes()
    with pytest.raises(Misuse, match=f"schema 4; this program knows {SCHEMA_VERSION}") as caught:
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


def test_finding_reads_no_entry_of_another_kind(store: Store) -> None:
    asked: list[tuple[str, tuple[object, ...]]] = []
    real = store.database.rows

    def rows(query: str, arguments: tuple[object, ...]) -> Iterator[tuple[object, ...]]:
        asked.append((query, arguments))
        return real(query, arguments)

    store.database.rows = rows  # type: ignore[method-assign]
    store.find(Kind.SESSION)
    ((query, arguments),) = asked
    plan = [step[-1] for step in real(f"EXPLAIN QUERY PLAN {query}", arguments)]
    reads = [step for step in plan if step.startswith(("SEARCH", "SCAN"))]
    assert "USING INDEX entries_by_kind (<expr>=? AND rowid<?)" in reads[0]
    assert not [step for step in reads if step.startswith("SCAN") and "wanted" not in step]
    assert any("USING PRIMARY KEY (level=? AND idx=?)" in step for step in reads)


def test_an_entry_that_is_not_the_trees_is_not_found_but_said(store: Store) -> None:
    store.database.run("UPDATE entries SET data = x'0162' WHERE idx = 2")
    with pytest.raises(NotVerified, match="entry 2: it is not the one in the tree"):
        store.find(Kind.SESSION)


def test_an_index_that_lost_an_entry_fails_the_check(new: Path) -> None:
    """Nobody who verifies reads the index, and SQLite's own check compares it with the entries."""
    with closing(sqlite3.connect(new, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        hide = "UPDATE sqlite_master SET sql = ? WHERE name = 'entries_by_kind'"
        (good,) = connection.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'entries_by_kind'"
        ).fetchone()
        connection.execute(hide, (good.replace("x'03'", "x'01', x'03'"),))
    with closing(sqlite3.connect(new, isolation_level=None)) as connection:
        connection.execute("REINDEX entries_by_kind")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(hide, (good,))
    with Store.open(new, read_only=True) as reader:
        assert reader.find(Kind.SESSION) == []
        with pytest.raises(NotVerified, match="entries_by_kind"):
            check_store(reader, lambda _: SWARM.policy)
    with closing(sqlite3.connect(new, isolation_level=None)) as connection:
        connection.execute("REINDEX")
    with Store.open(new, read_only=True) as reader:
        assert reader.find(Kind.SESSION) == SESSIONS
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
