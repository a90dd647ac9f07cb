# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Ledgers side by side: who is behind, who forked, and who signed both sides of it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from swarm_ledger.audit.compare import Comparison, Fork, compare_ledgers
from swarm_ledger.audit.culprits import Contradiction
from swarm_ledger.envelope import Opener
from swarm_ledger.errors import Misuse
from swarm_ledger.ledger.checkpoint import Checkpoint
from swarm_ledger.ledger.merkle import verify_consistency
from swarm_ledger.ledger.note import Note
from swarm_ledger.ledger.store import Store
from swarm_ledger.ledger.tile_files import write_tiles
from swarm_ledger.runtime.evidence import examine
from swarm_ledger.runtime.membership import roster_request
from tests.crew import Crew
from tests.histories import History
from tests.laid_open import lay_open

CREW = Crew()
SEVEN = Crew(7, "seven")
TWO = CREW.changed(CREW.roster, add=["drone_5"])
FIRST = ("drone_1", "drone_2", "drone_3")
SECOND = ("drone_2", "drone_3", "drone_4")
BOTH = ["drone_2", "drone_3"]

Write = Callable[..., History]


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Write]:
    """Begin a history in a folder of that name, with the sessions of all and three blocks."""
    histories: list[History] = []

    def begin(name: str, *signers: str, crew: Crew = CREW, common: int = 3) -> History:
        made = History(crew, tmp_path / name, *(signers or FIRST))
        histories.append(made)
        made.block(*made.delegations())
        made.blocks(common)
        made.checkpoint()
        return made

    yield begin
    for history in histories:
        history.close()


def compared(*histories: History | Path, crew: Crew = CREW) -> Comparison:
    return compare_ledgers(
        [one.folder if isinstance(one, History) else one for one in histories], crew.trust
    )


def only_fork(found: Comparison) -> Fork:
    assert all(one.verdict for one in found.ledgers), found
    assert not found.consistent
    (fork,) = found.forks
    return fork


def named(fork: Fork) -> list[str]:
    return sorted(one.member.name for one in fork.statements.culprits.values())


def assert_proven(fork: Fork, crew: Crew = CREW) -> None:
    """What is held against each proves itself, with the roster alone."""
    for culprit in fork.statements.culprits.values():
        if culprit.evidence:
            charge = examine(culprit.evidence, Opener(crew.roster))
            assert (charge.culprit, charge.about) == (culprit.member, culprit.about)
        if culprit.checkpoints:
            assert_contradiction(culprit.checkpoints, culprit.member.name, crew)


def assert_contradiction(shown: Contradiction, name: str, crew: Crew) -> None:
    notes = [Note.parse(note) for note in shown.notes]
    small, large = (Checkpoint.parse(note.text) for note in notes)
    assert (small.size, large.size) == shown.sizes
    assert small.root != shown.other_root
    verify_consistency(small.size, large.size, shown.proof, shown.other_root, large.root)
    key = crew.identity(name).cosigner
    assert all(any(key.accepts(n.text, s) for s in n.signatures) for n in notes)


def test_ledgers_of_one_log_are_as_far_behind_as_they_are(write: Write, tmp_path: Path) -> None:
    """An honest partition: one half stood still, the other one did not, and all is healed."""
    whole = write("whole")
    early = whole.copy_to(tmp_path / "early")
    whole.blocks(4)
    whole.checkpoint(*SECOND)
    level = whole.copy_to(tmp_path / "level")
    found = compared(early, whole, level)
    assert found.consistent
    assert not found.forks
    short, ahead, same = found.ledgers
    assert ahead.behind is None
    assert same.behind is not None
    assert (same.behind.of, same.behind.blocks, same.behind.entries) == (whole.folder, 0, 0)
    assert short.behind is not None
    assert short.verdict is not None
    assert (short.behind.blocks, short.behind.entries) == (4, 8)
    with Store.open(whole.folder / "ledger.db", read_only=True) as store:
        assert (short.behind.size, short.behind.root) == (store.size, store.root())
    verify_consistency(
        short.verdict.size,
        short.behind.size,
        short.behind.proof,
        short.verdict.root,
        short.behind.root,
    )


def test_certificates_of_other_views_and_signers_are_no_fork(write: Write) -> None:
    one, other = write("one"), write("other", *SECOND)
    one.blocks(2)
    for _ in range(2):
        other.block(other.tick("drone_1", other.store.height), view=3)
    assert compared(one, other).consistent


def test_a_colluding_quorum_is_found_and_nobody_else(write: Write, tmp_path: Path) -> None:
    """Two of four sign both histories: one more than may lie, and exactly these are named."""
    one, other = write("one"), write("other", *SECOND)
    early = one.copy_to(tmp_path / "early")
    one.blocks(3, mark=1)
    other.blocks(2, mark=2)
    late = other.copy_to(tmp_path / "late")
    other.blocks(1, mark=2)
    fork = only_fork(compared(one, early, other, late))
    assert (fork.height, fork.epoch, fork.members, fork.faulty) == (5, 1, 4, 1)
    with Store.open(early / "ledger.db", read_only=True) as store:
        assert fork.size == store.size
    assert set(fork.sides[0]) | set(fork.sides[1]) == {one.folder, other.folder, late}
    assert {len(side) for side in fork.sides} == {1, 2}
    assert named(fork) == BOTH
    assert fork.statements.not_accused == []
    assert {c.about for c in fork.statements.culprits.values()} == {"the commit of 5 in view 0"}
    sides = fork.statements.certificates
    assert sorted(side.signers for side in sides if side) == [FIRST, SECOND]
    assert len({side.batch for side in sides if side}) == 2
    assert_proven(fork)


def test_culprits_of_later_blocks_are_found_as_well(write: Write) -> None:
    one = write("one", *SEVEN.names[:5], crew=SEVEN)
    other = write("other", *SEVEN.names[:5], crew=SEVEN)
    one.block(one.tick("drone_1", 101), signers=[f"drone_{n}" for n in (1, 2, 3, 4, 5)])
    other.block(other.tick("drone_1", 201), signers=[f"drone_{n}" for n in (3, 4, 5, 6, 7)])
    one.block(one.tick("drone_1", 102), signers=[f"drone_{n}" for n in (1, 2, 3, 4, 6)])
    other.block(other.tick("drone_1", 202), signers=[f"drone_{n}" for n in (3, 4, 5, 6, 7)])
    fork = only_fork(compared(one, other, crew=SEVEN))
    assert named(fork) == ["drone_3", "drone_4", "drone_5", "drone_6"]
    assert_proven(fork, SEVEN)


def test_who_committed_in_two_views_is_not_accused(write: Write) -> None:
    """What an honest member prepared may be replaced in a view that it wasn't asked about."""
    one, other = write("one"), write("other", *SECOND)
    one.block(one.tick("drone_1", 1), view=0)
    other.block(other.tick("drone_1", 2), view=1)
    fork = only_fork(compared(one, other))
    assert named(fork) == []
    assert [member.name for member in fork.statements.not_accused] == BOTH
    assert [side.view for side in fork.statements.certificates if side] in ([0, 1], [1, 0])
    assert fork.statements.checkpoints is None


def test_who_cosigned_both_is_a_culprit_whatever_the_view(write: Write) -> None:
    one, other = write("one"), write("other", *SECOND)
    one.block(one.tick("drone_1", 1), view=0)
    other.block(other.tick("drone_1", 2), view=1)
    one.checkpoint("drone_1", "drone_2", "drone_4")
    other.checkpoint("drone_2", "drone_3", "drone_4")
    fork = only_fork(compared(one, other))
    assert named(fork) == ["drone_2", "drone_4"]
    assert [member.name for member in fork.statements.not_accused] == ["drone_3"]
    shown = fork.statements.checkpoints
    assert shown is not None
    assert (shown.sizes[0], shown.proof) == (shown.sizes[1], ())
    assert_proven(fork)


def test_checkpoints_of_two_sizes_contradict_each_other_too(write: Write) -> None:
    one, other = write("one"), write("other", *SECOND)
    one.block(one.tick("drone_1", 1), view=0)
    one.checkpoint()
    for number in (2, 3, 4):
        other.block(other.tick("drone_1", number), view=1)
    other.checkpoint()
    for pair in ((one, other), (other, one)):
        fork = only_fork(compared(*pair))
        assert named(fork) == BOTH
        shown = fork.statements.checkpoints
        assert shown is not None
        assert shown.sizes[0] < shown.sizes[1]
        assert shown.proof
        assert_proven(fork)


def test_forks_after_a_roster_change_are_judged_by_the_new_members(write: Write) -> None:
    one, other = write("one"), write("other", *SECOND)
    for history in (one, other):
        history.change(TWO, roster_request(TWO))
    signers = (*FIRST, "drone_4"), (*SECOND, "drone_5")
    one.block(one.tick("drone_1", 1), signers=signers[0])
    other.block(other.tick("drone_1", 2), signers=signers[1])
    fork = only_fork(compared(one, other))
    assert (fork.epoch, fork.members) == (2, 5)
    assert named(fork) == ["drone_2", "drone_3", "drone_4"]
    for culprit in fork.statements.culprits.values():
        assert examine(culprit.evidence, Opener(TWO.roster)).culprit == culprit.member


def test_nobody_is_accused_for_statements_of_two_epochs(write: Write) -> None:
    """A member that lost its disk may follow the other side in the next epoch, and is honest."""
    one, other = write("one"), write("other", *SECOND)
    one.block(one.tick("drone_1", 1), view=0)
    one.checkpoint()
    other.block(roster_request(TWO), view=1)
    other.block(*other.delegations(), signers=(*SECOND, "drone_5"))
    other.checkpoint(*SECOND, "drone_5")
    one.block(one.tick("drone_1", 2), view=0)
    fork = only_fork(compared(one, other))
    assert (fork.height, fork.epoch, named(fork)) == (5, 1, [])
    assert [member.name for member in fork.statements.not_accused] == BOTH


def test_one_that_has_another_session_on_each_side_is_the_same_culprit(write: Write) -> None:
    one, other = write("one"), write("other", *SECOND)
    for history, number in ((one, 1), (other, 2)):
        history.sessions = {"drone_3": number}
        history.block(history.identity("drone_3").delegation, signers=["drone_1", *BOTH])
        history.checkpoint("drone_1", *BOTH)
    fork = only_fork(compared(one, other))
    assert named(fork) == ["drone_1", *BOTH]
    for culprit in fork.statements.culprits.values():
        assert examine(culprit.evidence, Opener(CREW.roster)).culprit == culprit.member


def test_three_histories_are_three_forks(write: Write) -> None:
    made = [write(name) for name in ("a", "b", "c")]
    for mark, history in enumerate(made):
        history.blocks(1 + mark, mark=mark + 1)
    found = compared(*made)
    assert len(found.forks) == 3
    assert all(named(fork) == list(FIRST) for fork in found.forks)


def test_one_that_does_not_hold_is_named_and_the_others_are_compared(
    write: Write, tmp_path: Path
) -> None:
    one, other = write("one"), write("other", *SECOND)
    one.blocks(1, mark=1)
    other.blocks(1, mark=2)
    bad = one.copy_to(tmp_path / "bad")
    with sqlite3.connect(bad / "ledger.db") as database:
        lay_open(database).execute("UPDATE entries SET data = x'00' WHERE height = 2")
    database.close()
    ruined = tmp_path / "ruined.db"
    ruined.write_bytes(b"garbage " * 1000)
    (tmp_path / "none").mkdir()
    Store.open(tmp_path / "none" / "ledger.db").close()
    stranger = write("stranger", crew=Crew(swarm="other"))
    found = compared(bad, one, ruined, tmp_path / "none", other, stranger)
    assert [one.where for one in found.ledgers] == ["height 2", "", "", "height 0", "", "height 0"]
    assert [one.verdict is None for one in found.ledgers] == [True, False, True, True, False, True]
    assert "not a database" in found.ledgers[2].error
    assert named(found.forks[0]) == BOTH
    assert not compared(bad, one).consistent


def test_what_can_not_be_compared_is_refused(write: Write, tmp_path: Path) -> None:
    one = write("one")
    (tmp_path / "link").symlink_to(one.folder)
    for others in ([], [one.folder], [one.folder / "ledger.db"], [tmp_path / "link"]):
        with pytest.raises(Misuse, match=r"nothing to compare|are one ledger"):
            compare_ledgers([one.folder, *others], CREW.trust)


def test_a_ledger_that_is_written_meanwhile_is_compared_as_it_was(
    write: Write, tmp_path: Path
) -> None:
    one, other = write("one"), write("other")
    one.checkpoint(*SECOND)
    one.blocks(2)
    size = one.store.size

    def goes_on(path: Path, at: int, of: int) -> None:
        assert of == (6 if path == one.folder else 4)
        one.blocks(1)
        other.blocks(1, mark=5)

    found = compare_ledgers([one.folder, other.folder], CREW.trust, goes_on)
    assert found.consistent
    assert found.ledgers[0].verdict is not None
    assert found.ledgers[0].verdict.size == size


def test_tiles_are_compared_as_ledgers_are(write: Write, tmp_path: Path) -> None:
    one, other = write("one"), write("other", *SECOND)
    write_tiles(one.store, tmp_path / "begun")
    one.junk(250)
    one.junk(20)
    other.blocks(3, mark=2)
    one.checkpoint()
    other.checkpoint()
    write_tiles(one.store, tmp_path / "tiles")
    write_tiles(other.store, tmp_path / "others")
    found = compared(tmp_path / "tiles", tmp_path / "begun", one.folder)
    assert found.consistent
    assert found.ledgers[1].behind is not None
    assert found.ledgers[1].behind.blocks == 2
    fork = only_fork(compared(tmp_path / "tiles", tmp_path / "others", tmp_path / "begun"))
    assert fork.statements.certificates == [None, None]
    assert named(fork) == BOTH
    assert_proven(fork)
    fork = only_fork(compared(tmp_path / "tiles", other))
    assert [side is None for side in fork.statements.certificates] == [True, False]
    assert named(fork) == BOTH


def test_tampered_tiles_do_not_hold(write: Write, tmp_path: Path) -> None:
    one = write("one")
    one.junk(250)
    note = one.checkpoint()
    whole = tmp_path / "tiles"
    write_tiles(one.store, whole)
    files = sorted(path for path in whole.rglob("*") if path.is_file())
    assert len(files) == 6
    for number, path in enumerate(files):
        name = path.relative_to(whole)
        for harm in ("change", "cut", "longer", "gone", "link", "folder"):
            folder = tmp_path / f"{number} {harm}"
            shutil.copytree(whole, folder)
            target, data = folder / name, path.read_bytes()
            if harm == "change":
                target.write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
            elif harm == "cut":
                target.write_bytes(data[:-1])
            elif harm == "longer":
                target.write_bytes(data + b"\0")
            else:
                target.unlink()
            if harm == "link":
                target.symlink_to(path)
            elif harm == "folder":
                target.mkdir()
            (judged, _) = compared(folder, one).ledgers
            assert judged.verdict is None, (name, harm)
            assert judged.error
    # a quorum's checkpoint can't be put on another swarm's entries, nor on fewer
    other = write("other", *SECOND)
    write_tiles(other.store, tmp_path / "foreign")
    (tmp_path / "foreign" / "checkpoint").write_bytes(note)
    assert compared(tmp_path / "foreign", one).ledgers[0].verdict is None
