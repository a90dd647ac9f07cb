# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A damaged ledger is mended from its blocks if they hold; else it stays as it is."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from swarm_ledger.audit.ledger import Verdict, open_ledger, verify_ledger
from swarm_ledger.audit.reindex import reindex_ledger
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.ledger import rebuilding
from swarm_ledger.ledger.scratch import JournalRecord
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime.snapshot import machine_in
from tests.laid_open import lay_open
from tests.pruned import CREW, Flown
from tests.unit.older_files import as_older

JOURNAL = [JournalRecord(9, 1, "prepare", b"said"), JournalRecord(8, 1, "commit", b"x", "drone_2")]
PENDING = [(b"d" * 32, b"second"), (b"a" * 32, b"first")]


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same ledger whole and pruned, each with a journal and requests that wait."""
    flown = Flown(tmp_path_factory.mktemp("reindex") / "drone_1")
    store = flown.history.store
    store.journal_append(JOURNAL)
    store.pending_put_all(PENDING)
    folder = flown.history.folder.parent
    whole = flown.history.copy_to(folder / "whole")
    with pytest.MonkeyPatch.context() as patch:
        flown.prune(patch)
    pruned = flown.history.copy_to(folder / "pruned")
    flown.history.close()
    return {"whole": whole, "pruned": pruned}


@pytest.fixture(params=["whole", "pruned"])
def folder(request: pytest.FixtureRequest, ledgers: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(ledgers[request.param], tmp_path / "drone_1"))


@pytest.fixture
def whole(ledgers: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(ledgers["whole"], tmp_path / "drone_1"))


@pytest.fixture
def pruned(ledgers: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(ledgers["pruned"], tmp_path / "drone_1"))


def damage(folder: Path, script: str) -> None:
    with closing(sqlite3.connect(folder / "ledger.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        lay_open(connection).executescript(script)


def spoil(folder: Path, name: str) -> None:
    """Fill the first page of a table or an index with what is none."""
    path = folder / "ledger.db"
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        ((page,),) = connection.execute(query, (name,)).fetchall()
        ((size,),) = connection.execute("PRAGMA page_size").fetchall()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


def rows(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return all that is in a ledger's tables."""
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {
            name: connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall()
            for (name,) in names.fetchall()
        }


def verified(folder: Path) -> Verdict:
    with open_ledger(folder) as store:
        return verify_ledger(store, CREW.trust)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def mend(folder: Path) -> NotVerified:
    found = reindex_ledger(folder, CREW.trust)
    assert found.damage is not None
    assert found.verdict == verified(folder)
    assert os.listdir(folder) == ["ledger.db"]
    return found.damage


BASE = "(SELECT value FROM meta WHERE key = 'base')"
STORED = f"place >> 6 > coalesce((SELECT first FROM blocks WHERE height = {BASE}), 0)"
ROW = f"WHERE rowid = (SELECT max(rowid) FROM tree WHERE {STORED})"

DERIVED = {
    "no index by kind": "DELETE FROM rare",
    "no index by digest": "DELETE FROM keyed",
    "no nodes": f"DELETE FROM tree WHERE {STORED}",
    "no roots": "UPDATE blocks SET root = zeroblob(32)",
    "a root of another type": "UPDATE blocks SET root = 7",
    "an entry less in the index": "DELETE FROM rare WHERE idx = (SELECT min(idx) FROM rare)",
    "an entry under another kind": "UPDATE rare SET kind = 99 WHERE idx = (SELECT max(idx) FROM "
    "rare)",
    "entries that are not there": "INSERT INTO rare VALUES (1, 1000000), (1, 1.5), (1, 'x')",
    "digests that are not there": "INSERT INTO keyed VALUES (5, 5), (6, 'x'), (7, 2.5)",
    "another node": f"UPDATE tree SET hash = zeroblob(32) {ROW}",
    "a node of another length": f"UPDATE tree SET hash = x'00' {ROW}",
    "a node that no entry leads to": "INSERT INTO tree VALUES (1 << 40, zeroblob(32))",
    "where blocks begin": f"UPDATE blocks SET first = first + 1 WHERE height > {BASE}",
}


@pytest.mark.parametrize("what", DERIVED)
def test_what_follows_from_blocks_is_made_again(folder: Path, what: str) -> None:
    before = rows(folder)
    damage(folder, DERIVED[what])
    assert rows(folder) != before
    mend(folder)
    assert rows(folder) == before


@pytest.mark.parametrize("name", ["rare", "keyed", "blocks_by_first"])
def test_a_page_that_is_none_costs_nothing_that_follows_from_blocks(
    folder: Path, name: str
) -> None:
    before = rows(folder)
    spoil(folder, name)
    with pytest.raises(NotVerified):
        verified(folder)
    mend(folder)
    assert rows(folder) == before


@pytest.mark.parametrize("name", ["tree", "snapshots"])
def test_a_page_of_nodes_or_snapshots_is_needed_only_where_blocks_were_pruned(
    whole: Path, ledgers: dict[str, Path], tmp_path: Path, name: str
) -> None:
    before = rows(whole)
    spoil(whole, name)
    mend(whole)
    after = rows(whole)
    assert after.pop("snapshots") == ([] if name == "snapshots" else before["snapshots"])
    assert after == {key: value for key, value in before.items() if key != "snapshots"}
    other = Path(shutil.copytree(ledgers["pruned"], tmp_path / "pruned"))
    spoil(other, name)
    refused(other, "database")


def test_what_the_drone_said_and_took_on_is_carried_over_in_order(folder: Path) -> None:
    damage(folder, "DELETE FROM rare")
    mend(folder)
    with Store.open(folder / "ledger.db") as store:
        assert store.journal_read() == JOURNAL
        assert store.pending_read() == PENDING
        assert machine_in(store, CREW.trust).height == store.height


def test_a_snapshot_of_another_state_goes_and_others_stay(whole: Path) -> None:
    heights = [height for height, _ in rows(whole)["snapshots"]]
    assert len(heights) > 1
    damage(
        whole,
        "UPDATE snapshots SET data = cast(data || x'00' AS BLOB) WHERE height = "
        "(SELECT max(height) FROM snapshots)",
    )
    assert "snapshot" in str(mend(whole))
    assert [height for height, _ in rows(whole)["snapshots"]] == heights[:-1]


def test_nothing_is_written_where_nothing_is_wrong(folder: Path) -> None:
    before, number = files(folder), (folder / "ledger.db").stat().st_ino
    found = reindex_ledger(folder, CREW.trust)
    assert found.damage is None
    assert found.verdict == verified(folder)
    assert files(folder) == before
    assert (folder / "ledger.db").stat().st_ino == number


def refused(folder: Path, match: str = ".") -> None:
    before = files(folder)
    with pytest.raises(NotVerified, match=match) as caught:
        reindex_ledger(folder, CREW.trust)
    assert "the file was left as it is" in caught.value.what
    assert files(folder) == before


LAST = "(SELECT max(height) FROM blocks)"
PRIMARY: dict[str, tuple[str, str]] = {
    "another entry": (
        "UPDATE entries SET data = cast(data || x'00' AS BLOB) WHERE idx = (SELECT max(idx) FROM "
        "entries WHERE substr(data, 1, 1) = x'03')",
        "height",
    ),
    "an entry less": (
        f"UPDATE blocks SET count = count - 1 WHERE height = {LAST}",
        "height",
    ),
    "another certificate": (
        f"UPDATE certificates SET certificate = x'80' WHERE height = {LAST} - 1",
        "height",
    ),
    "a block less": (f"DELETE FROM blocks WHERE height = {LAST} - 1", "the block is missing"),
    "a block that can't be unpacked": (
        f"UPDATE blocks SET packed = x'00' WHERE height = {LAST}",
        "does not hold",
    ),
    "a block that is a number": (f"UPDATE blocks SET packed = 5 WHERE height = {LAST}", "bytes"),
    "another checkpoint": (
        "UPDATE checkpoints SET note = cast(replace(note, char(10) || char(10), 'A' || char(10) "
        "|| char(10)) AS BLOB) WHERE size = (SELECT max(size) FROM checkpoints)",
        "height",
    ),
    "a checkpoint of another size": ("UPDATE certified SET size = size + 1", "height"),
    "a journal of another type": ("UPDATE journal SET view = 'x'", "journal record"),
    "another swarm's beginning": (
        "UPDATE entries SET data = cast(data || x'00' AS BLOB) WHERE idx = 0",
        "entry 0|genesis|begin",
    ),
}


@pytest.mark.parametrize("what", PRIMARY)
def test_what_follows_from_nothing_can_not_be_mended(folder: Path, what: str) -> None:
    script, match = PRIMARY[what]
    damage(folder, script + "; DELETE FROM rare")
    refused(folder, match)


@pytest.mark.parametrize("name", ["blocks", "certified", "journal", "pending", "kept"])
def test_a_page_of_what_follows_from_nothing_can_not_be_mended(pruned: Path, name: str) -> None:
    spoil(pruned, name)
    refused(pruned, "database")


def test_a_row_that_claims_all_memory_is_damage(whole: Path) -> None:
    path = whole / "ledger.db"
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT root FROM blocks WHERE height = 3"
        ((root,),) = connection.execute(query).fetchall()
    raw = bytearray(path.read_bytes())
    at = raw.index(root) - 14  # where what is in front of the row's first values begins, or before
    raw[at : at + 14] = b"\xff" * 14
    path.write_bytes(raw)
    refused(whole, "more memory than there is")


@pytest.mark.parametrize(
    "script",
    [
        "DELETE FROM tree",
        f"UPDATE tree SET hash = zeroblob(32) WHERE NOT ({STORED})",
        f"UPDATE tree SET hash = x'00' WHERE NOT ({STORED})",
        "DELETE FROM snapshots",
        "UPDATE snapshots SET data = cast(data || x'00' AS BLOB)",
        "UPDATE kept SET data = cast(data || x'00' AS BLOB) WHERE idx = 0",
        "UPDATE kept SET height = x'00' WHERE idx = 0",
        f"UPDATE blocks SET first = first + 1 WHERE height = {BASE}",
        "UPDATE meta SET value = 0 WHERE key = 'base'",
    ],
)
def test_what_was_left_of_pruned_blocks_can_not_be_mended(pruned: Path, script: str) -> None:
    damage(pruned, script + "; DELETE FROM keyed")
    refused(pruned)


def test_entries_beside_whole_blocks_are_refused(whole: Path) -> None:
    damage(whole, "INSERT INTO kept VALUES (0, 0, x'00')")
    refused(whole, "beside the blocks")


Stop = Callable[[pytest.MonkeyPatch], None]


def _at_block(patch: pytest.MonkeyPatch) -> None:
    def stop(store: Store, height: int, *_: object) -> None:
        if height > store.base + 4:
            raise KeyboardInterrupt
        real(store, height, *_)

    real = rebuilding._append
    patch.setattr(rebuilding, "_append", stop)


def _at_rename(patch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise OSError(28, "No space left on device")

    patch.setattr(os, "replace", stop)


def _at_sync(patch: pytest.MonkeyPatch) -> None:
    def stop(_: object) -> None:
        raise OSError(5, "Input/output error")

    patch.setattr(os, "fsync", stop)


@pytest.mark.parametrize(
    ("stop", "error"),
    [(_at_block, KeyboardInterrupt), (_at_rename, Misuse), (_at_sync, Misuse)],
)
def test_what_stops_half_way_leaves_the_old_file_and_no_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch, stop: Stop, error: type[BaseException]
) -> None:
    damage(folder, "DELETE FROM rare")
    before = files(folder)
    monkeypatch.setattr(rebuilding, "BLOCKS_AT_ONCE", 2)
    with monkeypatch.context() as patch:
        stop(patch)
        with pytest.raises(error):
            reindex_ledger(folder, CREW.trust)
    assert files(folder) == before
    mend(folder)


def test_who_is_killed_leaves_the_old_file_and_what_the_next_one_removes(
    folder: Path, ledgers: dict[str, Path]
) -> None:
    damage(folder, "DELETE FROM rare")
    before = files(folder)["ledger.db"]
    child = os.fork()
    if child == 0:
        with suppress(BaseException), pytest.MonkeyPatch.context() as patch:
            patch.setattr(rebuilding, "_carry_over_checkpoints", lambda *_: os._exit(7))
            reindex_ledger(folder, CREW.trust)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    left = files(folder)
    assert left["ledger.db"] == before
    assert "ledger.db.new" in left
    mend(folder)


def test_a_drone_that_writes_is_not_disturbed(folder: Path) -> None:
    damage(folder, "DELETE FROM keyed")
    with Store.open(folder / "ledger.db"), pytest.raises(Misuse, match="is locked"):
        reindex_ledger(folder, CREW.trust)
    mend(folder)


def test_what_a_killed_drone_left_in_its_log_is_carried_over(whole: Path, tmp_path: Path) -> None:
    with Store.open(whole / "ledger.db") as store:
        store.database._connection.execute("PRAGMA wal_autocheckpoint = 0")
        store.journal_append([JournalRecord(11, 2, "prepare", b"later")])
        store.database.run("DELETE FROM rare")
        killed = Path(shutil.copytree(whole, tmp_path / "killed"))
    assert (killed / "ledger.db-wal").stat().st_size
    mend(killed)
    with open_ledger(killed) as store:
        assert [record.seq for record in store.journal_read()] == [9, 8, 11]


def test_a_reader_of_the_old_log_has_it_refused(whole: Path, tmp_path: Path) -> None:
    with Store.open(whole / "ledger.db") as store:
        store.database.run("DELETE FROM rare")
        killed = Path(shutil.copytree(whole, tmp_path / "killed"))
    before = files(killed)["ledger.db"]
    with Store.open(killed / "ledger.db", read_only=True) as reader:
        with reader.database.snapshot():
            reader.height_of(0)
            with pytest.raises(Misuse, match="another process"):
                reindex_ledger(killed, CREW.trust)
        assert files(killed)["ledger.db"] == before
    mend(killed)


def test_a_mended_file_belongs_to_whom_it_did(folder: Path) -> None:
    path = folder / "ledger.db"
    path.chmod(0o640)
    link = folder.parent / "link.db"
    link.symlink_to(path)
    damage(folder, "DELETE FROM rare")
    reindex_ledger(link, CREW.trust)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert link.is_symlink()
    assert verified(folder)


def test_an_older_programs_is_mended_as_one_of_today(whole: Path) -> None:
    before = verified(whole)
    as_older(whole / "ledger.db", 3)
    with closing(sqlite3.connect(whole / "ledger.db", isolation_level=None)) as connection:
        connection.execute("UPDATE nodes SET hash = zeroblob(32)")
    mend(whole)
    assert verified(whole) == before
