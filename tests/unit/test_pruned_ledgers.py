# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A pruned ledger goes on, is verified from the roster alone, and proves what it kept."""

from __future__ import annotations

import gc
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import pytest

from swarm_ledger.audit.compare import compare_ledgers
from swarm_ledger.audit.ledger import open_ledger, verify_ledger
from swarm_ledger.audit.records import records_of
from swarm_ledger.encoding import decode, encode
from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.ledger.policy import Policy
from swarm_ledger.ledger.store import Store
from swarm_ledger.ledger.tile_files import write_tiles
from swarm_ledger.light_client import verify_proof
from swarm_ledger.light_client.messages import Answer, ByNumber, Refusal, Request
from swarm_ledger.light_client.policies import policy_file
from swarm_ledger.runtime import pruner, snapshot
from swarm_ledger.runtime.export import find_decision, prove, sessions_in
from swarm_ledger.runtime.fleet import Fleet
from swarm_ledger.runtime.keeper import Keeper
from swarm_ledger.runtime.light import Prover
from swarm_ledger.runtime.membership import membership_of
from swarm_ledger.runtime.pruner import MIN_BYTES, Pruner, check_budget
from swarm_ledger.sim.mission import Mission, prepare
from tests.crew import DAY_S, T0_MS, T0_S, Crew
from tests.histories import BLOCK_MS, History
from tests.laid_open import lay_open
from tests.pruned import CREW, FIRST, SECOND, Flown, asked, decide, mark

NOW = datetime(2030, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def flown(tmp_path: Path) -> Iterator[Flown]:
    made = Flown(tmp_path / "drone_1")
    yield made
    made.history.close()


def test_it_verifies_from_the_roster_alone(
    flown: Flown, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = flown.history.store
    whole = verify_ledger(store, CREW.trust)
    assert (whole.base, whole.start) == (0, 0)
    flown.prune(monkeypatch)
    verdict = verify_ledger(store, CREW.trust)
    assert verdict.base == verdict.start == flown.marks[-1] == store.base
    assert (verdict.height, verdict.size, verdict.root) == (whole.height, whole.size, whole.root)
    assert verdict.decisions == whole.decisions
    assert verdict.decisions == 5
    assert verdict.covered == whole.covered
    with open_ledger(flown.history.folder) as reader:
        assert verify_ledger(reader, CREW.trust) == verdict
    store.database.run("DELETE FROM snapshots")
    with pytest.raises(NotVerified, match="no snapshot"):
        verify_ledger(store, CREW.trust)


def test_an_unreachable_budget_is_told_and_what_is_needed_stays(
    flown: Flown, monkeypatch: pytest.MonkeyPatch
) -> None:
    flown.prune(monkeypatch)
    ((name, fields),) = flown.events
    assert name == "ledger_over_budget"
    assert (fields["base"], fields["max_bytes"]) == (flown.marks[-1], 1)
    assert "Raise ledger.max_bytes" in fields["remedy"]


def test_a_window_stays_and_so_does_what_an_open_question_needs(
    flown: Flown, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = flown.history
    history.block(asked(history, 9, 80_000_000))
    history.blocks(2, mark=3)
    mark(history)
    flown.prune(monkeypatch)
    assert history.store.base == flown.marks[1]  # the last one before the question
    assert snapshot.start_of(history.store) == flown.marks[1]
    history.blocks(3, mark=4)
    assert Keeper(history.store, CREW.trust).store.base == flown.marks[1]


def test_the_window_is_kept(flown: Flown, monkeypatch: pytest.MonkeyPatch) -> None:
    store = flown.history.store
    latest = store.latest_checkpoint()
    assert latest is not None
    flown.prune(monkeypatch, window=latest.height - flown.marks[1] + 1)
    assert store.base == flown.marks[0]
    verify_ledger(store, CREW.trust)


def test_a_restart_goes_on_as_before(flown: Flown, monkeypatch: pytest.MonkeyPatch) -> None:
    history = flown.history
    flown.prune(monkeypatch)
    keeper = Keeper(history.store, CREW.trust)
    keeper.resume(pytest.fail)
    assert keeper.machine.height == flown.marks[-1]
    assert all(applied.height > keeper.store.base for applied in keeper.replay())
    assert keeper.machine.state() == history.machine.state()
    eras = [(era.roster, era.base, era.opener.sessions()) for era in keeper.machine.members.eras]
    assert eras == [
        (era.roster, era.base, era.opener.sessions()) for era in history.machine.members.eras
    ]
    assert keeper.machine.members.times == history.machine.members.times
    assert list(keeper.blocks(flown.marks[-1] - 1, 99)) == []
    assert next(keeper.blocks(flown.marks[-1], 99)).seq == flown.marks[-1]
    assert 0 < len(keeper.requests_before()) < history.store.size


def test_a_start_without_a_snapshot_that_holds_is_refused(
    flown: Flown, monkeypatch: pytest.MonkeyPatch
) -> None:
    flown.prune(monkeypatch)
    store, told = flown.history.store, []
    store.database.run("UPDATE snapshots SET data = x'00'")
    with pytest.raises(NotVerified, match="snapshot"):
        Keeper(store, CREW.trust).resume(told.append)
    assert len(told) == 1


def test_proofs_made_later_hold_under_the_policies_of_their_time(
    flown: Flown, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = flown.history.store
    before = {number: prove(store, find_decision(store, number)[0]) for number in (3, 4)}
    flown.prune(monkeypatch)
    for number, policy in ((1, 0), (2, 0), (3, 0), (4, 1), (5, 1)):
        index, settled = find_decision(store, number)
        proof = prove(store, index)
        told = verify_proof(Policy.parse(flown.policies[policy]), proof)
        assert (told.index, settled.decision.number) == (index, number)
        with pytest.raises(NotVerified):
            verify_proof(Policy.parse(flown.policies[1 - policy]), proof)
        assert policy_file(sessions_in(store, CREW.trust, entry=index)) == flown.policies[policy]
    for number, proof in before.items():
        verify_proof(Policy.parse(flown.policies[number > 3]), proof)
    for found in [one for kind in (1, 6, 32) for one in store.find(kind)]:
        verify_proof(
            Policy.parse(flown.policies[found.height > flown.ends]), prove(store, found.index)
        )


def test_decisions_that_went_are_said_to_have_gone(
    flown: Flown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruner, "RETAINED_DECISIONS", 2)
    flown.prune(monkeypatch)
    store = flown.history.store
    assert [find_decision(store, number)[1].decision.number for number in (2, 4, 5)] == [2, 4, 5]
    with pytest.raises(Misuse, match="decision 1 was pruned; an archive has it") as caught:
        find_decision(store, 1)
    assert "is 2" in caught.value.remedy
    for none in (0, -1, 6):
        with pytest.raises(Misuse, match="has no decision") as caught:
            find_decision(store, none)
        assert "It has 5" in caught.value.remedy
    with pytest.raises(Misuse, match="block 2 was pruned"):
        find_decision(store, 1, height=2)


def test_light_clients_are_answered_from_what_is_left(
    flown: Flown, monkeypatch: pytest.MonkeyPatch
) -> None:
    prover = Prover(lambda: open_ledger(flown.history.folder), CREW.trust)
    ask = [encode(Request(ByNumber(number), 0, bytes(32))) for number in (1, 4)]
    before = decode(prover.answer(ask[1]), Answer | Refusal, limit=1 << 20)
    for module in (pruner, snapshot):
        monkeypatch.setattr(module, "RETAINED_DECISIONS", 2)
    flown.prune(monkeypatch)
    assert decode(prover.answer(ask[1]), Answer | Refusal, limit=1 << 20) == before
    anew = Prover(lambda: open_ledger(flown.history.folder), CREW.trust)
    assert decode(anew.answer(ask[1]), Answer | Refusal, limit=1 << 20) == before
    refused = decode(anew.answer(ask[0]), Answer | Refusal, limit=1 << 20)
    assert isinstance(refused, Refusal)
    assert "decision 1 was pruned" in refused.text


def test_what_counts_for_nothing_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member may have any number of delegations ordered: those beyond the 16th are not kept."""
    history = History(CREW, tmp_path / "drone_1", *FIRST)
    history.block(*history.delegations())
    more = [CREW.identity("drone_1", number).delegation for number in range(1, 40)]
    history.block(*more)
    history.block(CREW.identity("drone_2", 40, start_s=T0_S - 9_000, seconds=60).delegation)
    history.blocks(1)
    mark(history)
    history.blocks(1)
    history.checkpoint()
    assert len(history.store.find(Kind.SESSION)) == 44
    monkeypatch.setattr(pruner, "WINDOW", 0)
    events: list[str] = []
    cutter = Pruner(history.store, 1, CREW.trust, lambda name, _: events.append(name))
    while not events:
        cutter.tick()
    assert history.store.base == 4
    assert len(history.store.find(Kind.SESSION)) == 4 + 15
    verify_ledger(history.store, CREW.trust)
    keeper = Keeper(history.store, CREW.trust)
    keeper.resume(pytest.fail)
    assert len(list(keeper.replay())) == history.store.height - 4
    assert keeper.machine.state() == history.machine.state()
    history.close()


def test_a_delegation_that_a_later_one_replaces_stays_as_long_as_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member may delegate to one key again: a snapshot before that needs the first one."""
    history = History(CREW, tmp_path / "drone_1", *FIRST)
    history.block(*history.delegations())
    history.blocks(1)
    first = mark(history)
    history.block(CREW.identity("drone_1", seconds=2 * DAY_S).delegation)
    second = mark(history)
    history.blocks(1)
    history.checkpoint()
    for base, sessions in ((first, 5), (second, 4)):
        monkeypatch.setattr(pruner, "WINDOW", history.store.height - base)
        cutter = Pruner(history.store, 1, CREW.trust, lambda _name, _fields: None)
        for _ in range(5):
            cutter.tick()
        assert history.store.base == base
        below = [one for one in history.store.find(Kind.SESSION) if one.height <= base]
        assert len(below) + (base == first) == sessions
        verify_ledger(history.store, CREW.trust)
        keeper = Keeper(history.store, CREW.trust)
        keeper.resume(pytest.fail)
    history.close()


def test_exports_that_need_everything_say_so(
    flown: Flown, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    flown.prune(monkeypatch)
    store = flown.history.store
    with pytest.raises(Misuse, match=r"tiles need all entries.*pruned below height"):
        write_tiles(store, tmp_path / "tiles")
    assert not (tmp_path / "tiles").exists()
    with pytest.raises(Misuse, match="records need all entries"):
        next(records_of(store, CREW.trust))


FORGED = {
    "another header": "UPDATE entries SET data = cast(data || x'00' AS BLOB) WHERE idx = "
    "(SELECT first FROM blocks WHERE height = (SELECT value FROM meta WHERE key = 'base'))",
    "a snapshot of another state": "UPDATE snapshots SET data = cast(substr(data, 1, 11) "
    "|| x'07' || substr(data, 13) AS BLOB)",
    "a session less": "DELETE FROM entries WHERE substr(data, 1, 1) = x'01' AND height > 9 AND "
    "idx = (SELECT max(idx) FROM entries WHERE substr(data, 1, 1) = x'01')",
    "a certificate": "UPDATE certificates SET certificate = x'80' WHERE height = (SELECT "
    "max(height) FROM blocks)",
    "no checkpoint behind it": "DELETE FROM checkpoints WHERE height >= (SELECT value FROM meta "
    "WHERE key = 'base')",
    "no genesis": "DELETE FROM entries WHERE idx = 0",
}


@pytest.mark.parametrize("what", FORGED)
def test_no_forged_row_passes(flown: Flown, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    flown.prune(monkeypatch)
    lay_open(flown.history.store.database._connection)
    flown.history.store.database.run(FORGED[what])
    with open_ledger(flown.history.folder) as reader, pytest.raises((NotVerified, Misuse)):
        verify_ledger(reader, CREW.trust)


def test_another_swarms_is_refused(flown: Flown, monkeypatch: pytest.MonkeyPatch) -> None:
    flown.prune(monkeypatch)
    with pytest.raises(NotVerified, match="does not begin with this roster"):
        verify_ledger(flown.history.store, Crew(4, "other").trust)


def test_pruned_ledgers_are_compared_where_they_overlap(
    flown: Flown, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    history = flown.history
    archive = history.copy_to(tmp_path / "archive")
    history.blocks(1, mark=7)
    flown.prune(monkeypatch)
    found = compare_ledgers([history.folder, archive], CREW.trust)
    assert found.consistent
    behind = found.ledgers[1].behind
    assert behind is not None
    assert (behind.of, behind.blocks) == (history.folder, 1)


def test_what_ends_before_the_other_begins_can_not_be_told(
    flown: Flown, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    early = History(CREW, tmp_path / "early", *FIRST)
    early.block(*early.delegations())
    early.checkpoint()
    flown.prune(monkeypatch)
    found = compare_ledgers([flown.history.folder, early.folder], CREW.trust)
    assert not found.consistent
    assert not found.forked
    (untold,) = found.untold
    assert untold.ledgers == (flown.history.folder, early.folder)
    assert "ends before height" in untold.why
    early.close()


def test_a_fork_below_what_is_left_is_told_to_be_one(
    flown: Flown, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    forked = History(CREW, tmp_path / "drone_3", *FIRST)
    forked.block(*forked.delegations())
    forked.blocks(flown.history.store.height + 3, mark=9)
    forked.checkpoint()
    flown.prune(monkeypatch)
    found = compare_ledgers([flown.history.folder, forked.folder], CREW.trust)
    (untold,) = found.untold
    assert found.forked
    assert untold.forked
    assert "part before height" in untold.why
    forked.close()


def test_a_fork_behind_what_was_pruned_names_its_block_and_culprits(
    flown: Flown, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copy = flown.history.copy_to(tmp_path / "drone_2")
    flown.history.blocks(2, mark=5)
    flown.prune(monkeypatch)
    other = flown.history
    with closing(sqlite3.connect(copy / "ledger.db")) as connection:
        (height,) = connection.execute("SELECT max(height) FROM blocks").fetchone()
    side = resumed(copy)
    side.blocks(2, mark=6)
    found = compare_ledgers([other.folder, copy], CREW.trust)
    side.close()
    (fork,) = found.forks
    assert fork.height == height + 1
    assert {one.member.name for one in fork.statements.culprits.values()} == set(SECOND)


def resumed(folder: Path) -> History:
    """Go on with a copy of a history, as somebody else would."""
    side = History.__new__(History)
    side.crew, side.folder, side.signers, side.sessions = CREW, folder, SECOND, {}
    side.store = Store.open(folder / "ledger.db")
    keeper = Keeper(side.store, CREW.trust)
    assert len(list(keeper.replay())) == side.store.height
    side.machine = keeper.machine
    return side


def test_membership_is_the_whole_ledgers(flown: Flown, monkeypatch: pytest.MonkeyPatch) -> None:
    store = flown.history.store
    whole = membership_of(store, CREW.trust)
    flown.prune(monkeypatch)
    kept = snapshot.members_from(store, CREW.trust)
    assert [era.opener.sessions() for era in kept.eras] == [
        era.opener.sessions() for era in whole.eras
    ]
    assert kept.state() == whole.state()
    assert snapshot.members_in(store, CREW.trust).state() == whole.state()


def test_a_budget_is_large_enough_or_refused() -> None:
    assert check_budget(0) == 0
    assert check_budget(MIN_BYTES) == MIN_BYTES
    with pytest.raises(Misuse, match="can't hold what a drone always needs") as caught:
        check_budget(MIN_BYTES - 1)
    assert "16,777,216 or more" in caught.value.remedy


def test_the_budget_is_kept_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight times the budget goes through; neither the file nor what is in memory grows."""
    budget, every, noise = 1 << 20, 16, random.Random(4)
    monkeypatch.setattr(pruner, "WINDOW", 32)
    history = History(CREW, tmp_path / "drone_1", *FIRST)
    events: list[str] = []
    cutter = Pruner(history.store, budget, CREW.trust, lambda name, _: events.append(name))
    history.block(*history.delegations())
    path, largest, objects = history.folder / "ledger.db", 0, []
    history.store.database.run("PRAGMA synchronous = OFF")  # it is not about crashes
    for group in range(126):
        if group % 10 == 0:
            decide(history, group)
        while (history.store.height + 1) % every:
            with history.store.transaction():
                for _ in range(min(4, every - 1 - history.store.height % every)):
                    number = history.store.height + 1
                    junk = [b"\xff%d %d" % (number, n) + noise.randbytes(900) for n in range(4)]
                    applied = history.machine.apply(number, T0_MS + BLOCK_MS * number, junk)
                    history.store.append_block(number, applied.entries, b"certificate")
            cutter.tick()
            largest = max(largest, sum(held.stat().st_size for held in path.parent.iterdir()))
        history.block()
        mark(history)
        if group % 30 == 14:
            gc.collect()
            objects.append(len(gc.get_objects()))
    assert not events
    assert history.store.height > 2000
    assert budget // 2 < largest <= budget + (32 << 10)  # the file of shared memory
    assert objects[-1] < objects[0] + 5_000
    assert len(history.store.snapshot_heights()) < 20
    verdict = verify_ledger(history.store, CREW.trust, commits=False)
    assert verdict.decisions == 13
    assert verdict.base > 1750
    keeper = Keeper(history.store, CREW.trust)
    keeper.resume(pytest.fail)
    assert keeper.machine.height > 1950
    history.close()


def test_a_drone_prunes_by_its_fleet_file(tmp_path: Path) -> None:
    fleet = prepare(Mission(run_dir=tmp_path / "run", byzantine=0, transport="memory"), now=NOW)
    path = fleet.path
    given = path.read_bytes()
    for text, expected in (
        (b"", 0),
        (b"ledger: {}\n", 0),
        (b"ledger: {max_bytes: 16777216}\n", MIN_BYTES),
    ):
        path.write_bytes(given + text)
        assert Fleet.load(path).max_bytes("drone_1") == expected
    own = b"folder: drone_1\n  ledger: {max_bytes: 0}"
    path.write_bytes(given.replace(b"folder: drone_1", own, 1) + text)
    assert Fleet.load(path).max_bytes("drone_1") == 0
    assert Fleet.load(path).max_bytes("drone_2") == MIN_BYTES
    path.write_bytes(given + b"ledger: {max_bytes: 1000}\n")
    with pytest.raises(Misuse, match="can't hold"):
        Fleet.load(path).max_bytes("drone_1")
    for wrong in (b"ledger: {max_bytes: -1}\n", b"ledger: {max_byte: 1}\n", b"ledger: 5\n"):
        path.write_bytes(given + wrong)
        with pytest.raises(Misuse, match="not a valid fleet file"):
            Fleet.load(path)
