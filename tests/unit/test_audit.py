# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Checking a ledger from its file and the roster: what it tells, and what it insists on."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarm_ledger.audit.ledger import open_ledger, verify_ledger
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity.trust import Trust
from swarm_ledger.ledger.proof import LogProof
from swarm_ledger.ledger.store import Store
from swarm_ledger.runtime import export
from swarm_ledger.runtime.blocks import genesis_entry
from swarm_ledger.runtime.export import decisions_in, find_decision, prove
from swarm_ledger.sim.minted import Minted
from swarm_ledger.sim.mission import Mission
from swarm_ledger.sim.virtual import VirtualSwarm
from swarm_ledger.sim.watch import Watch
from tests.laid_open import lay_open


@pytest.fixture(scope="module")
def flight(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Trust]:
    folder = tmp_path_factory.mktemp("audit") / "run"
    mission = Mission(run_dir=folder, byzantine=0, seed=3)
    watch = Watch(mission.names(), mission.names())
    with VirtualSwarm(mission, watch.take) as swarm:
        assert swarm.run(watch)
        return folder, swarm.fleet.trust


@pytest.fixture
def damaged(flight: tuple[Path, Trust], tmp_path: Path) -> Iterator[sqlite3.Connection]:
    shutil.copy(flight[0] / "drone_1" / "ledger.db", tmp_path)
    connection = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    yield connection
    connection.close()


def test_a_verdict_tells_what_the_ledger_holds(flight: tuple[Path, Trust]) -> None:
    folder, trust = flight
    reached: list[tuple[int, int]] = []
    with open_ledger(folder / "drone_1") as store:
        verdict = verify_ledger(store, trust, lambda at, of: reached.append((at, of)))
        assert (verdict.height, verdict.size) == (store.height, store.size)
        assert verdict.root == store.root()
    assert verdict.covered == verdict.size
    assert verdict.checkpoints >= 1
    assert verdict.decisions == 1
    assert reached == [(height, verdict.height) for height in range(1, verdict.height + 1)]


def test_a_file_is_as_good_as_its_folder(flight: tuple[Path, Trust]) -> None:
    folder, trust = flight
    with open_ledger(folder / "drone_2" / "ledger.db") as store:
        assert verify_ledger(store, trust).height == store.height


def test_a_ledger_is_only_read(flight: tuple[Path, Trust]) -> None:
    folder, _ = flight
    with open_ledger(folder / "drone_1") as store, pytest.raises(Misuse):
        store.append_block(store.height + 1, [b"x"], b"")
    with pytest.raises(Misuse, match=r"holds no ledger\.db"):
        open_ledger(folder)


def test_an_empty_ledger_has_no_genesis(flight: tuple[Path, Trust], tmp_path: Path) -> None:
    Store.open(tmp_path / "ledger.db").close()
    with open_ledger(tmp_path) as store, pytest.raises(NotVerified, match="height 0"):
        verify_ledger(store, flight[1])


def test_a_ledger_of_one_block_holds(flight: tuple[Path, Trust], tmp_path: Path) -> None:
    with Store.open(tmp_path / "ledger.db") as store:
        store.append_block(0, [genesis_entry(flight[1].genesis)], b"")
        verdict = verify_ledger(store, flight[1])
    assert (verdict.height, verdict.covered, verdict.decisions) == (0, 0, 0)


@pytest.mark.parametrize(
    ("entries", "certificate"), [(0, b"c"), (1, b""), (2, b"")], ids=["cert", "other", "two"]
)
def test_genesis_is_one_entry_and_needs_no_certificate(
    flight: tuple[Path, Trust], tmp_path: Path, entries: int, certificate: bytes
) -> None:
    genesis = genesis_entry(flight[1].genesis)
    content = [[genesis], [b"\x01other"], [genesis, genesis]][entries]
    with Store.open(tmp_path / "ledger.db") as store:
        store.append_block(0, content, certificate)
        with pytest.raises(NotVerified, match="height 0"):
            verify_ledger(store, flight[1])


def test_commits_of_others_do_not_certify_a_block(
    flight: tuple[Path, Trust], damaged: sqlite3.Connection, tmp_path: Path
) -> None:
    """A real quorum's certificate, but for another block, or with a signer twice, or one short."""
    from swarm_ledger.encoding import encode
    from swarm_ledger.runtime.blocks import parse_certificate

    lay_open(damaged)

    def stored(height: int) -> tuple[bytes, ...]:
        query = "SELECT certificate FROM certificates WHERE height = ?"
        return tuple(parse_certificate(damaged.execute(query, (height,)).fetchone()[0]))

    first, second, third = stored(2)
    for wrong in (
        stored(1),
        (first, second),
        (first, second, second),
        (second, first, third),
        (first, second, third, third),
        (first, second, stored(1)[2]),
        (),
    ):
        damaged.execute(
            "UPDATE certificates SET certificate = ? WHERE height = 2", (encode(wrong),)
        )
        with open_ledger(tmp_path) as store, pytest.raises(NotVerified) as caught:
            verify_ledger(store, flight[1])
        assert caught.value.where == "height 2"


def test_what_the_journal_says_can_not_make_a_ledger_fail(
    flight: tuple[Path, Trust], damaged: sqlite3.Connection, tmp_path: Path
) -> None:
    damaged.execute("UPDATE journal SET data = CAST(x'0102' || data AS BLOB)")
    with open_ledger(tmp_path) as store:
        whole = verify_ledger(store, flight[1])
    damaged.execute("DELETE FROM journal")
    with open_ledger(tmp_path) as store:
        assert verify_ledger(store, flight[1]) == whole


def test_a_decision_is_found_in_its_block_as_in_the_whole_ledger(
    flight: tuple[Path, Trust],
) -> None:
    with open_ledger(flight[0] / "drone_1") as store:
        index, settled = find_decision(store, 1)
        height = settled.decision.height
        assert find_decision(store, 1, height=height) == (index, settled)
        for number, block in ((2, height), (1, height - 1)):
            with pytest.raises(Misuse, match=f"block {block} has no decision {number}"):
                find_decision(store, number, height=block)


def test_a_ledger_is_proven_as_it_was_opened(flight: tuple[Path, Trust], tmp_path: Path) -> None:
    """Its writer goes on and certifies more; the proof is of what the reader has seen."""
    with open_ledger(flight[0] / "drone_1") as whole:
        blocks = [whole.block(height) for height in range(whole.height + 1)]
        notes = {one.height: one for one in map(whole.checkpoint, range(whole.size)) if one}
        first, *later = sorted(notes)
    assert later
    with Store.open(tmp_path / "ledger.db") as writer:

        def write(upto: int) -> None:
            for block in blocks[writer.height + 1 : upto + 1]:
                writer.append_block(block.height, block.entries, block.certificate)
                if block.height in notes:
                    writer.put_checkpoint(block.height, notes[block.height].note)

        write(first + 1)
        with open_ledger(tmp_path) as reader:
            write(blocks[-1].height)
            latest = reader.latest_checkpoint()
            assert latest is not None
            assert latest.size == notes[first].size
            assert LogProof.parse(prove(reader, latest.size - 1)).note == notes[first].note
            with pytest.raises(Misuse, match="no cosigned checkpoint covers"):
                prove(reader, latest.size)
            reader.refresh()
            prove(reader, latest.size)


def test_decisions_are_read_as_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In pages, none twice, none left out."""
    monkeypatch.setattr(export, "_PAGE", 2)
    with Store.open(tmp_path / "ledger.db") as store:
        swarm = Minted(store, 4)
        for _ in range(5):
            swarm.decide()
        assert verify_ledger(store, swarm.trust).decisions == 5
        assert [one.decision.number for one in decisions_in(store)] == [1, 2, 3, 4, 5]


def test_what_fails_and_where_are_told_once() -> None:
    error = NotVerified("it is missing.", where="height 7", remedy="Copy it again.")
    assert (error.what, error.where) == ("it is missing.", "height 7")
    assert str(error) == "height 7: it is missing."
    assert error.explain() == "height 7: it is missing. Copy it again."
    assert str(NotVerified("it is missing.")) == "it is missing."
