# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Signed messages, judged by several processes: the same report, bounded, and cheap to count."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from bench.audit import cdr
from swarm_ledger.audit.bag import Options, audit_bag
from swarm_ledger.audit.court import Court
from swarm_ledger.audit.flights import audit_bags
from swarm_ledger.audit.juror import Juror
from swarm_ledger.audit.signing import Judge, Verdict
from swarm_ledger.audit.speech import Speech
from swarm_ledger.bags.bag import Bag
from swarm_ledger.bags.form import Recorded
from swarm_ledger.bags.messages import HASHES, SIGNED
from swarm_ledger.bags.writing import McapWriter
from swarm_ledger.cli.audit import fields
from swarm_ledger.identity.trust import load_trust, write_trust
from swarm_ledger.relay.statement import Notarised
from tests.crew import END, Crew
from tests.patience import PATIENCE_S, Late
from tests.relayed import LATER_US, sender, signed, windowed


class Eager(Juror):
    """One that is waited for when it is asked whether it is free the first time."""

    @property
    def free(self) -> bool:
        if not self._begun and not select.select([self._answers], [], [], PATIENCE_S)[0]:
            raise Late("waited for a process to begin.")
        return super().free


class Mortal(Eager):
    """One that is killed once it was asked."""

    def ask(self, batch: list[bytes]) -> None:
        super().ask(batch)
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()


@pytest.fixture
def roster(tmp_path: Path, crew: Crew) -> Path:
    folder = tmp_path / "roster"
    write_trust(folder, crew.raw_roster, [crew.root("operator_1")], threshold=1, expires=END)
    return folder


@pytest.fixture
def several(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few messages there are; batches are small, so that all processes get some."""
    monkeypatch.setattr("swarm_ledger.audit.bag._WORTH_PROCESSES", 1)
    monkeypatch.setattr("swarm_ledger.audit.court._BATCH", 7)
    monkeypatch.setattr("swarm_ledger.audit.court.Juror", Eager)


def write(path: Path, messages: Sequence[Notarised]) -> Path:
    """Write a bag of signed messages, as they come."""
    writer = McapWriter(path, chunk_bytes=16 << 10)
    channel = writer.add_channel("/swarm/signed", SIGNED, "", type_hash=HASHES[SIGNED])
    for number, one in enumerate(messages):
        writer.write(channel, LATER_US * 1_000 + number, cdr(one))
    writer.close()
    return path


def flight(crew: Crew, windows: int, size: int = 20) -> list[Notarised]:
    """Two drones: windows, and as many messages signed by themselves."""
    said: list[Notarised] = []
    for name in ("drone_1", "drone_2"):
        by = sender(crew, name, announce_us=1_000_000)
        for tick in range(windows):
            said += windowed(by, size, f"/{name}/imu", LATER_US + tick)
            said.append(signed(by, tick, f"/{name}/odom", LATER_US + tick))
    return said


def report(bag: Path, roster: Path, jobs: int) -> str:
    return json.dumps(fields(audit_bags([bag], Options(roster=roster, jobs=jobs))))


@pytest.mark.usefixtures("several")
def test_the_report_is_the_same_whoever_judged(tmp_path: Path, roster: Path, crew: Crew) -> None:
    """More is wrong than is kept, of several reasons and from both ends of the bag."""
    said = flight(crew, 12)
    for at in range(0, len(said), 5):
        said[at] = replace(said[at], data=b"other")
    said += said[1:300] + said[:-1]
    bag = write(tmp_path / "bag.mcap", said)
    alone = report(bag, roster, 1)
    assert report(bag, roster, 3) == alone
    found = json.loads(alone)["bags"][0]
    assert found["wrong"].keys() == {"bad_path", "mismatch", "replayed", "gap"}
    assert max(found["wrong"].values()) > 200
    assert found["said"]
    places = [one["message"] for one in found["findings"] if one["reason"] == "replayed"]
    assert len(places) == 100
    assert places == sorted(places)


@pytest.mark.usefixtures("several")
def test_delegations_that_come_last_are_known_to_all(
    tmp_path: Path, roster: Path, crew: Crew
) -> None:
    """And one that is said to be of another epoch first teaches nobody, and hides nothing."""
    said = flight(crew, 3)
    said = [replace(said[0], epoch=9), *said[1:], said[0]]
    bag = write(tmp_path / "bag.mcap", said)
    alone = report(bag, roster, 1)
    assert json.loads(alone)["bags"][0]["wrong"] == {"order": 1, "other_epoch": 1}
    assert report(bag, roster, 3) == alone


@pytest.mark.usefixtures("several")
def test_a_process_that_dies_is_told(
    tmp_path: Path, roster: Path, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swarm_ledger.audit.court.Juror", Mortal)
    bag = write(tmp_path / "bag.mcap", flight(crew, 3))
    found = audit_bags([bag], Options(roster=roster, jobs=2))
    [(path, why)] = found.unreadable
    assert path == bag
    assert "ended by signal 9" in why
    assert "--jobs 1" in why


def test_one_that_never_begins_is_told(
    tmp_path: Path, roster: Path, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swarm_ledger.audit.bag._WORTH_PROCESSES", 1)
    monkeypatch.setattr("swarm_ledger.audit.court.Juror", Eager)
    bag = write(tmp_path / "bag.mcap", flight(crew, 1))
    monkeypatch.setattr("swarm_ledger.audit.juror._CODE", "raise SystemExit(3)")
    [(_, why)] = audit_bags([bag], Options(roster=roster, jobs=2)).unreadable
    assert "ended with code 3" in why
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    [(_, why)] = audit_bags([bag], Options(roster=roster, jobs=2)).unreadable
    assert "can be started" in why


def test_a_verdict_is_short_whatever_a_message_calls_its_swarm(crew: Crew) -> None:
    """Else what waits for its turn could be several times as large as the bag."""
    by = sender(crew, "drone_1", announce_us=1)
    said = replace(signed(by, 1, "/drone_1/odom", LATER_US), swarm_id="\x01" * (1 << 20))
    verdict = Judge([crew.raw_roster], []).judge(cdr(said))
    assert verdict.reason == "other_swarm"
    assert len(verdict.what) <= 500


@pytest.mark.parametrize(("most_bytes", "waiting"), [(1 << 20, 16), (4_000, 9)])
def test_whoever_is_slow_holds_up_only_so_much(
    most_bytes: int,
    waiting: int,
    tmp_path: Path,
    roster: Path,
    crew: Crew,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So memory is bounded: this process judges on, and waits in the end."""

    class Slow(Eager):
        """Its answers come only to whoever waits for them."""

        @property
        def answered(self) -> bool:
            return not self._begun and super().answered

    monkeypatch.setattr("swarm_ledger.audit.court._BATCH", 1)
    monkeypatch.setattr("swarm_ledger.audit.court._MOST_BYTES", most_bytes)
    monkeypatch.setattr("swarm_ledger.audit.court.Juror", Slow)
    bag = write(tmp_path / "bag.mcap", flight(crew, 3))
    told: list[tuple[int, Verdict]] = []
    put = 0

    def tell(one: Recorded, verdict: Verdict) -> None:
        told.append((one.number, verdict))

    with closing(Court(Speech(load_trust(roster)), 2, tell)) as court:
        for one in Bag(bag).messages():
            court.put(one)
            put += 1
            assert put - len(told) <= waiting
        court.finish()
    assert [number for number, _ in told] == list(range(put))


def calls(bag: Path, roster: Path) -> int:
    """Count the calls of an audit, of Python's functions and of C's."""
    count = 0

    def profile(_frame: object, event: str, _what: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        audit = audit_bag(bag, Options(roster=roster))
    finally:
        sys.setprofile(before)
    assert audit.clean
    return count


MOST = {20: 150, 1: 185}
"""Calls for each message, by the messages in a window: a fifth more than there are."""


@pytest.mark.parametrize("size", MOST)
def test_what_a_message_costs(size: int, tmp_path: Path, roster: Path, crew: Crew) -> None:
    """Two passes, two digests, one path. Whoever adds a third of anything is to know it."""

    def said(windows: int) -> Iterator[Notarised]:
        by = sender(crew, announce_us=1_000_000)
        for tick in range(windows):
            now_us = LATER_US + tick
            if size == 1:
                yield signed(by, tick, "/drone_1/imu", now_us)
            else:
                yield from windowed(by, size, "/drone_1/imu", now_us)

    few = write(tmp_path / "few.mcap", list(said(200 // size)))
    many = write(tmp_path / "many.mcap", list(said(400 // size)))
    calls(few, roster)  # fills what is remembered
    each = (calls(many, roster) - calls(few, roster)) / 200
    assert MOST[size] * 0.5 < each <= MOST[size], f"{each:.1f} calls for each message"


_IMPORTS = """
import sys
import swarm_ledger.audit.juror
assert not {"numpy", "cv2", "zmq", "swarm_ledger.runtime"} & sys.modules.keys()
import swarm_ledger.audit.bag
assert not {"numpy", "cv2", "zmq"} & sys.modules.keys()
"""


def test_nothing_is_imported_that_signed_messages_do_not_need() -> None:
    """A second process is to begin soon; images are for bags that have any."""
    subprocess.run([sys.executable, "-c", _IMPORTS], check=True, timeout=PATIENCE_S)
