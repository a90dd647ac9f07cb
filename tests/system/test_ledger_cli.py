# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""`ledger verify`, `ledger prove` and `verify`: what holds, and that nothing else does."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from swarm_ledger.audit.ledger import open_ledger, verify_ledger
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity.trust import load_roster
from swarm_ledger.ledger.merkle import leaf_hash, node_hash
from swarm_ledger.ledger.policy import Policy
from swarm_ledger.light_client import verify_proof
from swarm_ledger.runtime.export import check_policy_file
from tests.system.command import call, run

PROOF = "decision-1.tlog-proof"


class Bench:
    """A copy of a drone's ledger to damage, row by row, and verify again."""

    def __init__(self, run_dir: Path, folder: Path) -> None:
        self.run_dir, self.folder = run_dir, folder
        shutil.copy(run_dir / "drone_1" / "ledger.db", folder / "ledger.db")
        self.database = sqlite3.connect(folder / "ledger.db", isolation_level=None)
        self.database.execute("PRAGMA synchronous = OFF")
        self.database.execute("PRAGMA journal_mode = MEMORY")
        self.database.execute("PRAGMA ignore_check_constraints = ON")
        self.roster = load_roster(run_dir / "roster")

    def verdict(self) -> str:
        """Return "" if the ledger holds, else what is said against it."""
        try:
            with open_ledger(self.folder) as store:
                verify_ledger(store, self.roster)
        except NotVerified as error:
            return str(error)
        return ""

    def rows(self, query: str) -> list[tuple[int, int, bytes]]:
        return self.database.execute(query).fetchall()

    def change(self, statement: str, *arguments: object) -> None:
        assert self.database.execute(statement, arguments).rowcount > 0

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


def flipped(data: bytes, position: int, bit: int | None = None) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 1 << (position % 8 if bit is None else bit)
    return bytes(changed)


def positions(size: int, at_most: int) -> list[int]:
    """Return places all over something, first and last among them."""
    step = max(1, size // at_most)
    return sorted({*range(0, size, step), size - 1})


ENTRIES = "SELECT idx, height, data FROM entries ORDER BY idx"
CERTIFICATES = "SELECT height, height, certificate FROM blocks WHERE height > 0 ORDER BY height"
NOTES = "SELECT size, height, note FROM checkpoints ORDER BY size"


@pytest.mark.parametrize("transport", ["memory", "zmq", "ros"])
def test_ledgers_of_a_flight_hold(flown, transport: str) -> None:  # type: ignore[no-untyped-def]
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
        (CERTIFICATES, "UPDATE blocks SET certificate = ? WHERE height = ?", 24),
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
        (CERTIFICATES, "UPDATE blocks SET certificate = ? WHERE height = ?"),
    ):
        for key, height, data in bench.rows(query):
            bench.change(update, flipped(data, draw.randrange(len(data)), bit), key)
            assert bench.verdict().startswith(f"height {height}: ")
            bench.change(update, data, key)


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("UPDATE blocks SET first = first + 1 WHERE height = 2", "height 2"),
        ("UPDATE blocks SET count = count + 1 WHERE height = 2", "height"),
        ("UPDATE blocks SET count = count - 1 WHERE height = 2", "height"),
        ("UPDATE blocks SET count = -1 WHERE height = 2", "height 2"),
        ("UPDATE blocks SET height = 99 WHERE height = 2", "height"),
        ("UPDATE blocks SET certificate = x'' WHERE height = 2", "height 2"),
        ("UPDATE blocks SET certificate = 'text' WHERE height = 2", "height 2"),
        ("UPDATE blocks SET certificate = x'00' WHERE height = 0", "height 0"),
        ("UPDATE entries SET height = height + 1 WHERE idx = 3", "height"),
        ("UPDATE entries SET idx = 999 WHERE idx = 3", "height"),
        ("UPDATE entries SET data = 'text' WHERE idx = 3", "height"),
        ("UPDATE nodes SET hash = zeroblob(32) WHERE level = 0 AND idx = 3", "height"),
        ("UPDATE nodes SET hash = zeroblob(32) WHERE level = 1 AND idx = 0", "height"),
        ("UPDATE nodes SET hash = zeroblob(31) WHERE level = 1 AND idx = 0", "height"),
        ("UPDATE checkpoints SET height = height - 1", "height"),
        ("UPDATE checkpoints SET size = size - 1", "height"),
        ("UPDATE checkpoints SET note = 'text'", "height"),
        ("DELETE FROM entries WHERE idx = 3", "height"),
        ("DELETE FROM entries WHERE idx = 0", "height 0"),
        ("DELETE FROM entries WHERE idx = (SELECT max(idx) FROM entries)", "height"),
        ("DELETE FROM blocks WHERE height = 2", "height 2"),
        ("DELETE FROM blocks WHERE height = 0", "height 0"),
        ("DELETE FROM blocks WHERE height = (SELECT max(height) FROM blocks)", "height"),
        ("DELETE FROM nodes WHERE level = 0 AND idx = 3", "height"),
        ("DELETE FROM nodes WHERE level = 1 AND idx = 1", "height"),
        ("INSERT INTO entries SELECT max(idx) + 1, max(height), data FROM entries", "height"),
        ("INSERT INTO blocks SELECT max(height) + 1, max(first), 0, x'' FROM blocks", "height"),
        ("INSERT INTO nodes VALUES (0, 999, zeroblob(32))", "height"),
        ("INSERT INTO nodes VALUES (9, 0, zeroblob(32))", "height"),
        ("INSERT INTO checkpoints SELECT size + 1, height, note FROM checkpoints", "height"),
        ("DELETE FROM entries", "height"),
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
        ("blocks", "height", "certificate"),
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
        rebuild(bench)
        assert bench.verdict().startswith(f"height {height}: "), index
        bench.change("UPDATE entries SET data = ? WHERE idx = ?", data, index)
    rebuild(bench)
    assert bench.verdict() == ""


def rebuild(bench: Bench) -> None:
    level, hashes = 0, [leaf_hash(data) for _, _, data in bench.rows(ENTRIES)]
    bench.database.execute("BEGIN")
    bench.database.execute("DELETE FROM nodes")
    while hashes:
        bench.database.executemany(
            "INSERT INTO nodes VALUES (?, ?, ?)", [(level, i, h) for i, h in enumerate(hashes)]
        )
        hashes = [node_hash(*pair) for pair in zip(hashes[::2], hashes[1::2], strict=False)]
        level += 1
    bench.database.execute("COMMIT")


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
    assert found > 100
    for size in (0, 1, 99, 100, 4095, 4096, 8192, len(whole) // 2):
        path.write_bytes(whole[:size])
        with pytest.raises((NotVerified, Misuse)) as caught, open_ledger(bench.folder) as store:
            verify_ledger(store, bench.roster)
        assert len(str(caught.value)) > 10


@pytest.mark.parametrize("as_json", [[], ["--json"]])
@pytest.mark.parametrize(
    ("table", "column"), [("entries", "data"), ("blocks", "certificate"), ("checkpoints", "note")]
)
def test_the_command_names_the_height_that_fails(
    bench: Bench, table: str, column: str, as_json: list[str]
) -> None:
    query = f"SELECT rowid, height, {column} FROM {table} ORDER BY rowid DESC LIMIT 1"
    key, height, data = bench.rows(query)[0]
    update = f"UPDATE {table} SET {column} = ? WHERE rowid = ?"
    bench.change(update, flipped(data, len(data) // 2), key)
    said = run(*bench.cli(*as_json))
    assert said.code == 1
    if as_json:
        assert said.json["verified"] is False
        assert said.json["where"] == f"height {height}"
        assert len(said.json["error"]) > 10
    else:
        assert said.out == b""
        assert said.err.startswith(f"swarm-ledger: height {height}: ")
    bench.change(update, data, key)
    assert run(*bench.cli(*as_json)).code == 0


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
    flown,
    four: Path,  # type: ignore[no-untyped-def]
) -> None:
    folder, _ = flown("memory")
    said = call("ledger", "verify", four / "drone_1", "--roster", folder / "roster")
    assert said.code == 1
    assert said.err == "swarm-ledger: height 0: it does not begin with this roster.\n"


def test_a_roster_that_was_touched_is_not_believed(four: Path, tmp_path: Path) -> None:
    shutil.copytree(four / "roster", tmp_path / "roster")
    genuine = load_roster(tmp_path / "roster")
    for name in ("roster.json", "targets.json", "root.json"):
        path = tmp_path / "roster" / name
        whole = path.read_bytes()
        for position in positions(len(whole), 150):
            path.write_bytes(flipped(whole, position))
            try:
                unchanged = load_roster(tmp_path / "roster").raw == genuine.raw
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


# proofs


@pytest.fixture(scope="session")
def stranger(four: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a proof made by the command, and the policy: nothing else."""
    folder = tmp_path_factory.mktemp("stranger")
    proved = run("ledger", "prove", four / "drone_1", "--decision", 1)
    assert (proved.code, proved.err) == (0, "")
    (folder / "p.tlog-proof").write_bytes(proved.out)
    shutil.copy(four / "policy", folder / "policy")
    return folder


def test_two_files_convince_a_stranger(stranger: Path) -> None:
    assert {path.name for path in stranger.iterdir()} == {"p.tlog-proof", "policy"}
    said = run("verify", "p.tlog-proof", "--policy", "policy", cwd=stranger)
    assert said.code == 0, said
    assert said.text.startswith("verified: Decision 1 at height ")
    as_json = run("verify", "p.tlog-proof", "--policy", "policy", "--json", cwd=stranger).json
    assert as_json["verified"] is True
    assert as_json["kind"] == "decision"
    assert as_json["votes"].keys() == {"cup", "two_faces", "unknown"}
    assert len(as_json["signers"]) == 3
    assert as_json["text"] in said.text
    assert {path.name for path in stranger.iterdir()} == {"p.tlog-proof", "policy"}


def test_the_exported_proof_is_the_one_that_prove_prints(four: Path, stranger: Path) -> None:
    assert (four / PROOF).read_bytes() == (stranger / "p.tlog-proof").read_bytes()


def test_no_byte_of_a_proof_may_change(stranger: Path) -> None:
    policy = Policy.parse((stranger / "policy").read_bytes())
    proof = (stranger / "p.tlog-proof").read_bytes()
    verify_proof(policy, proof)
    for position in range(len(proof)):
        for bit in (position % 8, (position + 3) % 8):
            with pytest.raises(NotVerified):
                verify_proof(policy, flipped(proof, position, bit))
        for changed in (
            proof[:position] + proof[position + 1 :],
            proof[: position + 1] + proof[position:],
        ):
            if changed != proof:
                with pytest.raises(NotVerified):
                    verify_proof(policy, changed)


@pytest.mark.parametrize("part", [0.0, 0.2, 0.5, 0.8, 0.999])
def test_the_command_refuses_a_changed_proof(stranger: Path, tmp_path: Path, part: float) -> None:
    proof = (stranger / "p.tlog-proof").read_bytes()
    (tmp_path / "p").write_bytes(flipped(proof, int(part * len(proof))))
    said = call("verify", tmp_path / "p", "--policy", stranger / "policy")
    assert (said.code, said.out) == (1, b"")
    assert said.err.startswith("swarm-ledger: ")
    as_json = call("verify", tmp_path / "p", "--policy", stranger / "policy", "--json")
    assert as_json.code == 1
    assert as_json.json["verified"] is False


@pytest.mark.parametrize(
    "proof", [b"", b"\n", b"c2sp.org/tlog-proof@v1\n", b"\xff" * 99, b"x" * (1 << 20)]
)
def test_what_is_no_proof_is_not_verified(stranger: Path, tmp_path: Path, proof: bytes) -> None:
    (tmp_path / "p").write_bytes(proof)
    assert call("verify", tmp_path / "p", "--policy", stranger / "policy").code == 1


def test_with_the_roster_the_policy_itself_is_checked(four: Path, stranger: Path) -> None:
    paths = ["verify", stranger / "p.tlog-proof", "--policy", stranger / "policy"]
    assert call(*paths, "--roster", four / "roster").code == 0
    text, roster = (stranger / "policy").read_bytes(), load_roster(four / "roster")
    check_policy_file(text, roster)
    for position in positions(len(text), 400):
        with pytest.raises((NotVerified, Misuse)):
            check_policy_file(flipped(text, position), roster)


def test_a_policy_that_asks_for_less_is_found_out_by_the_roster(
    four: Path, stranger: Path, tmp_path: Path
) -> None:
    weaker = (stranger / "policy").read_bytes().replace(b"validators 3 ", b"validators 1 ")
    (tmp_path / "policy").write_bytes(weaker)
    paths = ["verify", stranger / "p.tlog-proof", "--policy", tmp_path / "policy"]
    assert call(*paths).code == 0, "whoever trusts this policy alone has been warned"
    said = call(*paths, "--roster", four / "roster")
    assert said.code == 1
    assert "it is not what follows from the roster" in said.err


def test_other_swarms_prove_nothing_here(flown, stranger: Path, four: Path) -> None:  # type: ignore[no-untyped-def]
    folder, _ = flown("memory")
    proof = stranger / "p.tlog-proof"
    assert call("verify", proof, "--policy", folder / "policy").code == 1
    mixed = call("verify", proof, "--policy", stranger / "policy", "--roster", folder / "roster")
    assert mixed.code == 1
    assert mixed.out == b""


@pytest.mark.parametrize("text", [b"", b"quorum none", b"quorum nobody\n", b"log x\n", b"\0\n"])
def test_what_is_no_policy_is_misuse(stranger: Path, tmp_path: Path, text: bytes) -> None:
    (tmp_path / "policy").write_bytes(text)
    said = call("verify", stranger / "p.tlog-proof", "--policy", tmp_path / "policy", "--json")
    assert "Policy" in said.refused()


def test_a_policy_that_trusts_nobody_verifies_nothing(stranger: Path, tmp_path: Path) -> None:
    (tmp_path / "policy").write_bytes(b"quorum none\n")
    said = call("verify", stranger / "p.tlog-proof", "--policy", tmp_path / "policy")
    assert said.code == 1


def test_every_entry_can_be_proved(four: Path, stranger: Path, tmp_path: Path) -> None:
    shown = call("ledger", "show", four / "drone_1", "--json").json
    kinds = set()
    for index in range(shown["covered"]):
        proved = call("ledger", "prove", four / "drone_1", "--entry", index)
        assert proved.code == 0, proved
        (tmp_path / "p").write_bytes(proved.out)
        said = call("verify", tmp_path / "p", "--policy", stranger / "policy", "--json")
        assert said.json["index"] == index
        kinds.add(said.json["kind"])
    assert kinds == {"genesis", "block", "session", "question", "vote", "decision"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--decision", 9], "no decision 9. It has 1"),
        (["--decision", -1], "--decision"),
        (["--decision", "x"], "--decision"),
        (["--entry", 999_999], "no entries 999999"),
        (["--entry", -2], "--entry"),
        (["--entry", 0, "--decision", 1], "either --decision or --entry"),
        ([], "either --decision or --entry"),
    ],
)
def test_what_cannot_be_proved_is_misuse(four: Path, arguments: list[object], words: str) -> None:
    said = call("ledger", "prove", four / "drone_1", *arguments)
    assert words in " ".join(said.refused().split())


def test_files_that_are_missing_are_misuse(stranger: Path, four: Path) -> None:
    proof, policy = stranger / "p.tlog-proof", stranger / "policy"
    for arguments in (
        [stranger / "nothing", "--policy", policy],
        [proof, "--policy", stranger / "nothing"],
        [stranger, "--policy", policy],
        [proof, "--policy", policy, "--roster", stranger / "nothing"],
        [proof],
    ):
        call("verify", *arguments, "--json").refused()


def test_the_newest_blocks_are_shown(four: Path) -> None:
    shown = call("ledger", "show", four / "drone_1", "--last", 2, "--json").json
    assert [block["height"] for block in shown["blocks"]] == [shown["height"] - 1, shown["height"]]
    table = call("ledger", "show", four / "drone_1")
    assert "genesis 1" in table.text
    assert f"root {shown['root'][:16]}" in table.text
