# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`ledger verify`: a ledger holds, and does not with any byte, row or file of it changed."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from swarm_ledger.audit.ledger import open_ledger, verify_ledger
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity.trust import load_trust
from tests.laid_open import lay_open, rebuild
from tests.system.command import Flight, call, flipped, positions, run

Flown = Callable[[str], Flight]


class Bench:
    """A copy of a drone's ledger to damage, row by row, and verify again."""

    def __init__(self, run_dir: Path, folder: Path) -> None:
        self.run_dir, self.folder = run_dir, folder
        shutil.copy(run_dir / "drone_1" / "ledger.db", folder / "ledger.db")
        self.database = sqlite3.connect(folder / "ledger.db", isolation_level=None)
        self.database.execute("PRAGMA synchronous = OFF")
        self.database.execute("PRAGMA journal_mode = MEMORY")
        self.database.execute("PRAGMA ignore_check_constraints = ON")
        lay_open(self.database)
        self.trust = load_trust(run_dir / "roster")

    def verdict(self) -> str:
        """Return "" if the ledger holds, else what is said against it."""
        try:
            with open_ledger(self.folder) as store:
                verify_ledger(store, self.trust)
        except NotVerified as error:
            return str(error)
        return ""

    def rows(self, query: str) -> list[tuple[int, int, bytes]]:
        return self.database.execute(query).fetchall()

    def change(self, statement: str, *arguments: object) -> None:
        before = self.database.total_changes
        self.database.execute(statement, arguments)
        assert self.database.total_changes > before

    def refused(self, statement: str, *arguments: object) -> str:
        """Return what is said once a statement was executed, and undo it."""
        self.database.execute("BEGIN")
        self.change(statement, *arguments)
        self.database.execute("COMMIT")
        try:
            return self.verdict()
        finally:
            shutil.copy(self.run_dir / "drone_1" / "ledger.db", self.folder / "ledger.db")

    def cli(self, *more: object) -> list[object]:
        return ["ledger", "verify", self.folder, "--roster", self.run_dir / "roster", *more]


@pytest.fixture
def bench(four: Path, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(four, tmp_path)
    yield bench
    bench.database.close()


ENTRIES = "SELECT idx, height, data FROM entries ORDER BY idx"
CERTIFICATES = (
    "SELECT height, height, certificate FROM certificates WHERE height > 0 ORDER BY height"
)
NOTES = "SELECT size, height, note FROM checkpoints ORDER BY size"


@pytest.mark.parametrize("transport", ["memory", "zmq", "ros"])
def test_ledgers_of_a_flight_hold(flown: Flown, transport: str) -> None:
    folder, said = flown(transport)
    told = run("ledger", "verify", folder / "drone_1")
    assert told.code == 0
    assert told.text.startswith(f"verified: height {said.json['height']}, ")
    assert said.json["text"] in told.text.splitlines(), "the decision, on one line"


@pytest.mark.parametrize(
    ("query", "update", "at_most"),
    [
        (ENTRIES, "UPDATE entries SET data = ? WHERE idx = ?", 10_000),
        (NOTES, "UPDATE checkpoints SET note = ? WHERE size = ?", 120),
        (CERTIFICATES, "UPDATE certificates SET certificate = ? WHERE height = ?", 24),
    ],
    ids=["entries", "checkpoints", "certificates"],
)
def test_any_changed_byte_is_found_at_its_height(
    bench: Bench, query: str, update: str, at_most: int
) -> None:
    rows = bench.rows(query)
    assert bench.verdict() == ""
    assert len(rows) > 1
    for key, height, data in rows:
        for position in positions(len(data), at_most):
            bench.change(update, flipped(data, position), key)
            said = bench.verdict()
            assert said.startswith(f"height {height}: "), (key, position, said)
            assert len(said) > len(f"height {height}: ") + 10
        bench.change(update, data, key)
    assert bench.verdict() == ""


@pytest.mark.parametrize("bit", range(8))
def test_each_bit_counts(bench: Bench, bit: int) -> None:
    draw = random.Random(bit)
    for query, update in (
        (ENTRIES, "UPDATE entries SET data = ? WHERE idx = ?"),
        (NOTES, "UPDATE checkpoints SET note = ? WHERE size = ?"),
        (CERTIFICATES, "UPDATE certificates SET certificate = ? WHERE height = ?"),
    ):
        for key, height, data in bench.rows(query):
            bench.change(update, flipped(data, draw.randrange(len(data)), bit), key)
            assert bench.verdict().startswith(f"height {height}: ")
            bench.change(update, data, key)


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("UPDATE blocks SET first = first + 1 WHERE height = 2", "entry "),
        ("UPDATE blocks SET count = count + 1 WHERE height = 2", "height"),
        ("UPDATE blocks SET count = count - 1 WHERE height = 2", "height"),
        ("UPDATE blocks SET count = -1 WHERE height = 2", "height 2"),
        ("UPDATE blocks SET height = 99 WHERE height = 2", "height"),
        ("UPDATE certificates SET certificate = x'' WHERE height = 2", "height 2"),
        ("UPDATE certificates SET certificate = 'text' WHERE height = 2", "height 2"),
        ("UPDATE certificates SET certificate = x'00' WHERE height = 0", "height 0"),
        ("UPDATE entries SET data = 'text' WHERE idx = 3", "height"),
        ("UPDATE checkpoints SET height = height - 1", "height"),
        ("UPDATE checkpoints SET size = size - 1", "height"),
        ("UPDATE checkpoints SET note = 'text'", "height"),
        ("DELETE FROM entries WHERE idx = 3", "height"),
        ("DELETE FROM entries WHERE idx = 0", "height 0"),
        ("DELETE FROM entries WHERE idx = (SELECT max(idx) FROM entries)", "height"),
        ("DELETE FROM blocks WHERE height = 2", "entry "),
        ("DELETE FROM blocks WHERE height = 0", "entry 0"),
        ("DELETE FROM blocks WHERE height = (SELECT max(height) FROM blocks)", "height"),
        ("UPDATE blocks SET root = zeroblob(32) WHERE height = 2", "height 2"),
        ("UPDATE blocks SET packed = substr(packed, 2) WHERE height = 2", "height 2"),
        ("DELETE FROM rare WHERE idx = (SELECT max(idx) FROM rare)", "entry"),
        ("INSERT INTO rare SELECT kind, idx + 999 FROM rare", "the index"),
        ("INSERT INTO kept SELECT max(idx) + 1, max(height), data FROM entries", "height"),
        (
            "INSERT INTO blocks SELECT max(height) + 1, max(first), 0, root, packed FROM blocks",
            "height",
        ),
        ("INSERT INTO nodes VALUES (0, 999, zeroblob(32))", "height"),
        ("INSERT INTO nodes VALUES (9, 0, zeroblob(32))", "height"),
        ("INSERT INTO checkpoints SELECT size + 1, height, note FROM checkpoints", "height"),
        ("DELETE FROM blocks", "height"),
    ],
)
def test_rows_that_were_moved_removed_or_added_are_found(
    bench: Bench, statement: str, where: str
) -> None:
    said = bench.refused(statement)
    assert where in said.partition(": ")[0] + ":", said
    assert bench.verdict() == ""


@pytest.mark.parametrize(
    ("table", "key", "column"),
    [
        ("entries", "idx", "data"),
        ("certificates", "height", "certificate"),
        ("checkpoints", "size", "note"),
    ],
)
def test_contents_that_were_swapped_or_copied_are_found(
    bench: Bench, table: str, key: str, column: str
) -> None:
    rows = bench.database.execute(
        f"SELECT {key}, {column} FROM {table} WHERE length({column}) > 0 ORDER BY {key}"
    ).fetchall()
    update = f"UPDATE {table} SET {column} = ? WHERE {key} = ?"
    for (low, first), (high, second) in pairwise(rows):
        bench.change(update, second, low)
        assert "height" in bench.verdict(), "copied from the next one"
        bench.change(update, first, high)
        assert "height" in bench.verdict(), "swapped with the next one"
        bench.change(update, first, low)
        bench.change(update, second, high)
    assert bench.verdict() == ""


def test_a_tree_rebuilt_over_a_forged_entry_is_found(bench: Bench) -> None:
    """The forger makes everything fit; only signatures stand in the way."""
    bench.database.execute("DELETE FROM checkpoints")
    assert bench.verdict() == "", "without its checkpoints a ledger is only less covered"
    for index, height, data in bench.rows(ENTRIES):
        if height == 0:
            continue
        bench.change("UPDATE entries SET data = ? WHERE idx = ?", flipped(data, -3), index)
        rebuild(bench.database)
        assert bench.verdict().startswith(f"height {height}: "), index
        bench.change("UPDATE entries SET data = ? WHERE idx = ?", data, index)
    rebuild(bench.database)
    assert bench.verdict() == ""


def test_a_bad_file_is_an_answer_and_never_a_traceback(bench: Bench) -> None:
    path, draw = bench.folder / "ledger.db", random.Random(0)
    whole = path.read_bytes()
    found = 0
    for position in (*range(100), *(draw.randrange(len(whole)) for _ in range(300))):
        path.write_bytes(flipped(whole, position))
        try:
            found += bench.verdict() != ""
        except Misuse:
            found += 1
    assert found > 60  # the rest hit unused space
    for size in (0, 1, 99, 100, 4095, 4096, 8192, len(whole) // 2):
        path.write_bytes(whole[:size])
        with pytest.raises((NotVerified, Misuse)) as caught, open_ledger(bench.folder) as store:
            verify_ledger(store, bench.trust)
        assert len(str(caught.value)) > 10


@pytest.mark.parametrize("as_json", [[], ["--json"]])
@pytest.mark.parametrize(
    ("table", "column"),
    [("entries", "data"), ("certificates", "certificate"), ("checkpoints", "note")],
)
def test_the_command_names_the_height_that_fails(
    bench: Bench, table: str, column: str, as_json: list[str]
) -> None:
    key_of = {"entries": "idx", "certificates": "height", "checkpoints": "size"}[table]
    query = f"SELECT {key_of}, height, {column} FROM {table} ORDER BY {key_of} DESC LIMIT 1"
    key, height, data = bench.rows(query)[0]
    update = f"UPDATE {table} SET {column} = ? WHERE {key_of} = ?"
    bench.change(update, flipped(data, len(data) // 2), key)
    said = call(*bench.cli(*as_json))
    assert said.code == 1
    if as_json:
        assert said.json["verified"] is False
        assert said.json["where"] == f"height {height}"
        assert len(said.json["error"]) > 10
        assert f"height {height}: " not in said.json["error"], "`where` says so"
    else:
        assert said.out == b""
        assert said.err.startswith(f"swarm-ledger: height {height}: ")
    bench.change(update, data, key)
    assert call(*bench.cli(*as_json)).code == 0


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", (1, 2)), (b"garbage " * 999, (2,)), (b"SQLite format 3\0" + bytes(4080), (1, 2))],
)
def test_what_is_no_ledger_is_refused(bench: Bench, content: bytes, code: tuple[int, ...]) -> None:
    (bench.folder / "ledger.db").write_bytes(content)
    for command in ("verify", "show", "prove"):
        more = ["--decision", 1] if command == "prove" else []
        said = call("ledger", command, bench.folder, *more)
        if command == "verify":
            said = call(*bench.cli())
        assert said.code in code, said
        assert said.out == b""
        assert str(bench.folder) in said.err or "height" in said.err


def test_what_is_not_there_is_refused(four: Path, tmp_path: Path) -> None:
    assert "holds no ledger.db" in call("ledger", "verify", four, "--json").refused()
    missing = call("ledger", "verify", tmp_path / "nothing")
    assert missing.code == 2
    shutil.copy(four / "drone_1" / "ledger.db", tmp_path / "ledger.db")
    lonely = call("ledger", "verify", tmp_path)
    assert "Name one with --roster." in lonely.refused()
    assert call("ledger", "verify", tmp_path / "ledger.db", "--roster", four / "roster").code == 0
    assert "is not a database" in call("ledger", "show", four / "policy").refused()


@contextmanager
def nobody() -> Iterator[None]:
    """Be a user with no special rights, whoever runs the tests."""
    privileged = os.geteuid() == 0
    if privileged:
        os.seteuid(65534)
    try:
        yield
    finally:
        if privileged:
            os.seteuid(0)


@pytest.mark.parametrize("closed", ["drone_1/ledger.db", "drone_1", "roster/root.json"])
def test_what_may_not_be_read_is_refused(four: Path, closed: str) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        os.chmod(temporary, 0o755)
        folder = Path(temporary) / "run"
        shutil.copytree(four, folder)
        (folder / closed).chmod(0)
        with nobody():
            said = call("ledger", "verify", folder / "drone_1")
        (folder / closed).chmod(0o700)
    assert "ermission" in said.refused()


def test_a_ledger_of_another_swarm_does_not_begin_with_this_roster(
    flown: Flown, four: Path
) -> None:
    folder, _ = flown("memory")
    said = call("ledger", "verify", four / "drone_1", "--roster", folder / "roster")
    assert said.code == 1
    assert said.err == "swarm-ledger: height 0: it does not begin with this roster.\n"


def test_a_roster_that_was_touched_is_not_believed(four: Path, tmp_path: Path) -> None:
    shutil.copytree(four / "roster", tmp_path / "roster")
    genuine = load_trust(tmp_path / "roster").genesis
    for name in ("roster.json", "targets.json", "root.json"):
        path = tmp_path / "roster" / name
        whole = path.read_bytes()
        for position in positions(len(whole), 150):
            path.write_bytes(flipped(whole, position))
            try:
                unchanged = load_trust(tmp_path / "roster").genesis.raw == genuine.raw
            except (NotVerified, Misuse):
                continue
            assert name != "roster.json", position
            assert unchanged, (name, position)
        path.write_bytes(whole)
    whole = (tmp_path / "roster" / "roster.json").read_bytes()
    (tmp_path / "roster" / "roster.json").write_bytes(whole.replace(b"drone_4", b"drone_5"))
    said = call("ledger", "verify", four / "drone_1", "--roster", tmp_path / "roster")
    assert (said.code, said.out) == (1, b"")
    (tmp_path / "roster" / "roster.json").unlink()
    assert (
        "roster.json"
        in call("ledger", "verify", four / "drone_1", "--roster", tmp_path / "roster").refused()
    )


def test_the_newest_blocks_are_shown(four: Path) -> None:
    shown = call("ledger", "show", four / "drone_1", "--last", 2, "--json").json
    assert [block["height"] for block in shown["blocks"]] == [shown["height"] - 1, shown["height"]]
    table = call("ledger", "show", four / "drone_1")
    assert "genesis 1" in table.text
    assert f"root {shown['root'][:16]}" in table.text
