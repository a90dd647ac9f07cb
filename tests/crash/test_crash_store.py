# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A ledger survives its writer and its disk. scripts/crash.py does the same, longer."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarm_ledger.errors import Misuse, SwarmLedgerError
from swarm_ledger.ledger import merkle
from swarm_ledger.ledger.check import check_store
from swarm_ledger.ledger.store import Store
from tests.crash import harness
from tests.crash.harness import Acknowledged
from tests.crash.writer import BLOCK, SWARM, entries


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def test_a_writer_killed_at_random_instants_loses_nothing(path: Path) -> None:
    rng, said = random.Random(1), Acknowledged()
    for _ in range(5):
        harness.killed_after(path, rng.uniform(0.0, 0.25), said)
    assert said[BLOCK] > 0


@pytest.mark.parametrize("deed", harness.DEEDS)
def test_a_disk_that_fails_at_one_of_its_writes_loses_nothing(tmp_path: Path, deed: str) -> None:
    preload = harness.compiled(tmp_path)
    if preload is None:
        pytest.skip("needs a C compiler, on Linux: sudo apt-get install gcc")
    (tmp_path / "count").mkdir()
    effects = harness.effects(tmp_path / "count" / "ledger.db", preload)
    assert effects > 100
    complaints = set()
    rng = random.Random(deed)
    for at in sorted(rng.sample(range(2, effects), 2)):
        home = tmp_path / str(at)
        home.mkdir()
        complaints.add(harness.on_a_bad_disk(home / "ledger.db", preload, deed, at))
    if deed in ("eio", "enospc"):
        assert any("what was committed is" in said for said in complaints)


def test_a_log_torn_anywhere_holds_what_was_committed_before(path: Path) -> None:
    """A power cut leaves of unsynced writes what it likes; what was synced stands."""
    recorded, rng = harness.record(path, 3, 5), random.Random(2)
    ends = [0, *(end for end, _ in recorded.commits)]
    assert (ends[-1] - harness.WAL_HEADER) % harness.FRAME == 0
    cuts = [*ends, *(end - 1 for end in ends[1:]), *(rng.randrange(ends[-1]) for _ in range(9))]
    copy = path.with_name("torn.db")
    for cut in cuts:
        committed = max((h for end, h in recorded.commits if end <= cut), default=3)
        for how, wal in harness.torn(recorded, rng, cut):
            safe = cut // 512 * 512 if how == "hole" else cut
            least = max((h for end, h in recorded.commits if end <= safe), default=3)
            found = harness.reopen(copy, recorded.before, wal)
            assert found >= least, (how, cut)
            if how == "cut":
                assert found == committed


def test_a_fold_that_was_cut_off_is_done_again(path: Path) -> None:
    recorded, rng = harness.record(path, 3, 5), random.Random(3)
    for _ in range(12):
        database = harness.half_folded(recorded, rng)
        assert harness.reopen(path.with_name("half.db"), database, recorded.wal) == 8


def test_a_torn_page_without_its_log_is_said_to_be_damage(path: Path) -> None:
    """Only a disk that lied about its syncs does that: nothing here can mend it."""
    recorded, rng = harness.record(path, 3, 5), random.Random(4)
    caught = 0
    for _ in range(12):
        database = harness.half_folded(recorded, rng)
        try:
            height = harness.reopen(path.with_name("half.db"), database, b"")
        except SwarmLedgerError:
            caught += 1
        else:
            assert height in (3, 8)
    assert caught


def test_readers_see_whole_blocks_while_a_process_writes(path: Path) -> None:
    """Each look is at one state, which extends the one before."""
    process = harness.begin(path, 60, 1)
    assert process.stdout is not None
    process.stdout.readline()
    seen: list[int] = []
    with Store.open(path, read_only=True) as one, Store.open(path, read_only=True) as other:
        for reader in _in_turns(process, one, other):
            before = reader.size, reader.root()
            reader.refresh()
            if reader.height >= 0:
                assert list(reader.block(reader.height).entries) == entries(reader.height)
            proof = reader.consistency(before[0], reader.size)
            merkle.verify_consistency(before[0], reader.size, proof, before[1], reader.root())
            seen.append(reader.height)
        check_store(other, lambda _: SWARM.policy)
    assert process.wait(60) == 0
    assert seen[-1] == 59
    assert len(set(seen)) > 3


def _in_turns(process: subprocess.Popen[bytes], *readers: Store) -> Iterator[Store]:
    """Yield readers for as long as the writer says anything, and each once more after that."""
    assert process.stdout is not None
    for number, _ in enumerate(process.stdout):
        yield readers[number % len(readers)]
    yield from readers


def test_a_reader_of_a_ledger_whose_tables_were_not_committed_is_told(path: Path) -> None:
    path.write_bytes(b"")
    with pytest.raises(Misuse, match=r"no ledger in .* yet"):
        Store.open(path, read_only=True)
    with Store.open(path) as store:
        assert store.height == -1


DIES_CLOSING = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 2")
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE blocks SET packed = zeroblob(4000)")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_reader_of_a_ledger_that_was_being_closed_is_told_what_to_do(path: Path) -> None:
    """The last page of a fold is written without the log, with a journal of its own."""
    process = harness.begin(path, 9, 1)
    stdout, _ = process.communicate(timeout=60)
    command = [sys.executable, "-c", DIES_CLOSING, str(path)]
    assert subprocess.run(command, check=False, timeout=60).returncode == -9
    assert path.with_name("ledger.db-journal").exists()
    with pytest.raises(Misuse, match="killed while it was closing") as caught:
        Store.open(path, read_only=True)
    assert "nothing is lost" in caught.value.remedy
    said = Acknowledged()
    said.take(stdout)
    assert harness.examine(path, said) == 8
    with Store.open(path, read_only=True) as reader:
        assert reader.height == 8


def test_a_lock_file_that_can_not_be_removed_hides_no_fault(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unlink(name: str) -> None:
        raise OSError(5, "Input/output error")

    store = Store.open(path)
    with monkeypatch.context() as patch:
        patch.setattr("swarm_ledger.ledger.database.os.unlink", unlink)
        store.close()
    Store.open(path).close()


# a disk that can only be read

TRIES = """
import os, sys
from swarm_ledger.errors import SwarmLedgerError
from swarm_ledger.ledger.store import Store
if os.getuid() == 0:
    os.setuid(65534)  # root may write anywhere
for read_only in (True, False):
    try:
        with Store.open(sys.argv[1], read_only=read_only) as store:
            print(store.height, store.find(0x22, limit=1)[:0])
    except SwarmLedgerError as error:
        print(error.explain())
"""


@pytest.mark.parametrize("left", ["closed", "killed", "killed, without its index"])
def test_a_read_only_disk_is_read_or_said_to_be_one(left: str) -> None:
    home = Path(tempfile.mkdtemp(prefix="read-only-"))  # pytest's folders are for one user only
    path = home / "ledger.db"
    try:
        if left == "closed":
            process = harness.begin(path, 3, 1)
            process.communicate(timeout=60)
        else:
            harness.killed_after(path, 0.05, Acknowledged())
            _kill_again(path)
        if left.endswith("index"):
            path.with_name("ledger.db-shm").unlink()
        for file in home.iterdir():
            file.chmod(0o444)
        home.chmod(0o555)
        command = [sys.executable, "-c", TRIES, str(path)]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=60, cwd=harness.ROOT
        )
        reading, writing = done.stdout.splitlines()
    finally:
        home.chmod(0o755)
        shutil.rmtree(home)
    assert "can't be written" in writing
    assert "open read-only" in writing
    if left.endswith("index"):
        assert "copy it, with its -wal file" in reading
    else:
        assert reading.endswith(" []")


def _kill_again(path: Path) -> None:
    """Leave the ledger as a killed writer does: the harness has closed it since."""
    process = harness.begin(path, 40, 1_000)
    assert process.stdout is not None
    while not process.stdout.readline().startswith(b"block"):
        pass
    process.kill()
    process.communicate(timeout=60)
    assert path.with_name("ledger.db-shm").exists()
