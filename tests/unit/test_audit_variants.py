# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The repository's bag is clean, and each way to tamper with it is caught for the right reason."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

import pytest

from swarm_ledger.audit.bag import BagAudit, Options, audit_bag
from swarm_ledger.audit.flights import audit_bags
from swarm_ledger.audit.replaying import replay_bag
from swarm_ledger.bags.bag import reindex
from swarm_ledger.bags.messages import ENVELOPE, parse
from swarm_ledger.bags.metadata import METADATA
from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse
from swarm_ledger.perception import load
from tests.tampering import BAG, CAREFUL, CARELESS, NAME, ROSTER, Film, careless

TRUSTED = Options(roster=ROSTER)


@cache
def clean() -> BagAudit:
    return audit_bag(BAG, TRUSTED)


def test_the_repositorys_bag_is_clean() -> None:
    found = clean()
    assert not found.wrong
    assert not found.careful
    assert found.kinds["vote"] >= 3
    assert found.gap is None
    assert found.blocks
    assert [decision.basis for decision in found.decisions.values()] == ["ledger"]
    assert found.shown >= 3
    assert {signer for signer, _ in found.said} == {"drone_1", "drone_3"}
    assert all(head.signers for head in found.heads.values())


def test_written_anew_it_is_as_clean(tmp_path: Path) -> None:
    """So what the careful are caught by isn't that they wrote the bag anew."""
    found = audit_bag(Film.of(BAG).write(tmp_path / "bag"), TRUSTED)
    assert (found.wrong, found.careful) == (clean().wrong, clean().careful)
    assert found.blocks.keys() == clean().blocks.keys()


def test_what_is_encrypted_is_counted_and_no_fault(tmp_path: Path) -> None:
    film = Film.of(BAG)
    for kind, one in zip((Kind.SECRET, Kind.CONFIDED), film.sealed(Kind.WELCOME), strict=False):
        raw = parse(ENVELOPE, one.data).data
        one.data = one.data.replace(raw, bytes([kind]) + raw[1:])
    found = audit_bag(film.write(tmp_path / "bag"), TRUSTED)
    assert (found.secret, found.wrong) == (2, clean().wrong)
    assert found.kinds["welcome"] == clean().kinds["welcome"] - 2
    whole, some = (replay_bag(bag, load(None), roster=ROSTER) for bag in (BAG, tmp_path / "bag"))
    assert some.unread == whole.unread


@pytest.mark.parametrize("name", CAREFUL)
def test_whoever_recomputes_everything_is_caught(name: str, tmp_path: Path) -> None:
    edit, reasons = CAREFUL[name]
    film = Film.of(BAG)
    edit(film)
    found = audit_bag(film.write(tmp_path / "bag"), TRUSTED)
    assert set(found.wrong) == reasons
    assert not found.clean


@pytest.mark.parametrize("name", CARELESS)
def test_whoever_edits_bytes_is_caught(name: str, tmp_path: Path) -> None:
    reasons, code = CARELESS[name]
    bag = careless(name, tmp_path)
    if code == 2:
        with pytest.raises(Misuse, match="is no bag"):
            audit_bag(bag, TRUSTED)
        return
    assert reasons <= set(audit_bag(bag, TRUSTED).wrong)


def test_it_says_where_the_first_fault_is(tmp_path: Path) -> None:
    edit, _ = CAREFUL["an image"]
    film = Film.of(BAG)
    edit(film)
    first = audit_bag(film.write(tmp_path / "bag"), TRUSTED).first
    assert first is not None
    assert first.place.topic.endswith("/camera/image/compressed")
    message = film.messages[first.place.number]
    assert (message.topic, message.log_ns) == (first.place.topic, first.place.log_ns)
    data = (tmp_path / "bag" / NAME).read_bytes()
    assert data[first.place.offset] == 6  # a chunk
    assert message.data in data[first.place.offset : first.place.offset + (1 << 18)]


def test_a_crashed_recording_is_audited_as_far_as_it_goes(tmp_path: Path) -> None:
    bag = Path(shutil.copytree(BAG, tmp_path / "bag"))
    (bag / METADATA).unlink()
    data = (bag / NAME).read_bytes()
    (bag / NAME).write_bytes(data[: len(data) // 2])
    found = audit_bag(bag, TRUSTED)
    assert found.truncated
    assert found.clean
    assert 0 < found.messages < clean().messages
    assert set(found.careful) <= {"truncated", "missing_commits"}
    strict = audit_bag(bag, Options(roster=ROSTER, strict=True))
    assert set(strict.wrong) == {"truncated"}
    assert reindex(bag) == found.messages
    assert (bag / METADATA).is_file()


@pytest.mark.parametrize("step", range(0, 100, 7))
def test_wherever_it_was_cut_nothing_is_made_up(step: int, tmp_path: Path) -> None:
    data = (BAG / NAME).read_bytes()
    bag = tmp_path / NAME
    bag.write_bytes(data[: 5000 + (len(data) - 6000) * step // 100])
    found = audit_bag(bag, TRUSTED)
    assert found.clean
    assert found.truncated
    assert found.blocks.items() <= clean().blocks.items() or not found.blocks


def test_a_bare_file_is_a_bag_as_well() -> None:
    assert audit_bag(BAG / NAME, TRUSTED).wrong == clean().wrong


def test_from_the_root_alone() -> None:
    found = audit_bag(BAG, Options(root=ROSTER / "root.json"))
    assert found.clean
    assert not found.own_root
    assert found.blocks.keys() == clean().blocks.keys()


def test_a_root_that_came_with_the_bag_is_believed_aloud() -> None:
    found = audit_bag(BAG, Options())
    assert found.clean
    assert set(found.careful) == {"own_root"}


def test_rosters_that_dont_follow_from_the_root_are_told(tmp_path: Path) -> None:
    edit, _ = CAREFUL["the attached roster"]
    film = Film.of(BAG)
    edit(film)
    bag = film.write(tmp_path / "bag")
    found = audit_bag(bag, Options(root=ROSTER / "root.json"))
    assert set(found.wrong) == {"roster"}


def test_whom_to_trust_is_named_once() -> None:
    with pytest.raises(Misuse, match="both"):
        audit_bag(BAG, Options(roster=ROSTER, root=ROSTER / "root.json"))


def test_without_rosters_somebody_has_to_be_named(tmp_path: Path) -> None:
    film = Film.of(BAG)
    film.attachments = []
    bag = film.write(tmp_path / "bag")
    with pytest.raises(Misuse, match="no roster in it"):
        audit_bag(bag, Options())
    assert audit_bag(bag, TRUSTED).clean


def test_gaps_are_normal_over_radio(tmp_path: Path) -> None:
    film = Film.of(BAG)
    CAREFUL["a signed message dropped"][0](film)
    bag = film.write(tmp_path / "bag")
    found = audit_bag(bag, Options(roster=ROSTER, lossy=True))
    assert found.clean
    assert set(found.careful) == {"gap"}


def test_bags_that_tell_two_stories_part_somewhere(tmp_path: Path) -> None:
    film = Film.of(BAG)
    CAREFUL["a decision's counts"][0](film)
    for one in list(film.messages):
        if one.topic.startswith("/swarm/") and one.topic != "/swarm/decisions":
            film.messages.remove(one)
    film.attachments = [one for one in film.attachments if one.name.startswith("roster/")]
    told = film.write(tmp_path / "told")
    found = audit_bags([BAG, told], TRUSTED)
    assert [one.what for one in found.divergences] == ["decision 1 is another one"]
    parted = found.divergences[0]
    assert parted.place.topic == parted.other_place.topic == "/swarm/decisions"
    assert not found.holds


def test_one_bag_in_two_recordings_agrees(tmp_path: Path) -> None:
    other = Film.of(BAG).write(tmp_path / "other")
    found = audit_bags([BAG, other], TRUSTED)
    assert found.clean
    assert not found.divergences


def test_what_is_no_bag_is_told_beside_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "x.mcap").write_bytes(b"nothing")
    found = audit_bags([BAG, tmp_path / "x.mcap", tmp_path / "gone"], TRUSTED)
    assert [path.name for path, _ in found.unreadable] == ["x.mcap", "gone"]
    assert found.holds
    assert not found.clean
    with pytest.raises(Misuse, match="twice"):
        audit_bags([BAG, BAG], TRUSTED)


def test_several_processes_find_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = Film.of(BAG)
    CAREFUL["a signed message doubled"][0](film)
    bag = film.write(tmp_path / "bag")
    alone = audit_bag(bag, TRUSTED)
    monkeypatch.setattr("swarm_ledger.audit.bag._WORTH_PROCESSES", 1)
    beside = audit_bag(bag, Options(roster=ROSTER, jobs=2))
    assert beside.findings == alone.findings
    assert beside.said == alone.said
