# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Asking the swarm: what comes back is verified, and nobody who lies changes it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, seal
from swarm_ledger.ledger.store import Store
from swarm_ledger.light_client import verify_proof
from swarm_ledger.light_client.messages import MAX_ANSWER_BYTES, Reason, Refusal
from swarm_ledger.light_client.policies import policy_of
from swarm_ledger.runtime.asker import AT_ONCE, Code
from swarm_ledger.runtime.goal import Goal
from swarm_ledger.runtime.light import Prover
from swarm_ledger.sim.pbft.clock import Clock
from swarm_ledger.voting.decision import parse_settled
from swarm_ledger.voting.observation import Observation
from swarm_ledger.voting.rules import OutcomeKind
from tests.crew import Crew
from tests.lab import Lab
from tests.station import WHAT, Station, Stations

CREW = Crew(operators=2)
FIRST, SECOND = 5, 6
"""Places of the two operators in the roster."""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path, CREW)
    for member in range(4):
        made.start(member)
    yield made
    made.close()


@pytest.fixture
def stations(lab: Lab) -> Stations:
    return Stations(lab)


@pytest.fixture
def station(stations: Stations, tmp_path: Path) -> Iterator[Station]:
    made = Station(stations, tmp_path / "state", FIRST, CREW.root("operator_1"))
    yield made
    made.follower.close()


def observation(question: bytes, label: int, stamp_ms: int) -> bytes:
    return encode(Observation(question, label, 900_000, stamp_ms, bytes(32), 500, 3_000))


def test_what_is_asked_is_decided_and_verified(stations: Stations, station: Station) -> None:
    asked = station.ask()
    told = []

    def done() -> bool:
        if asked.answered is None:
            told.append(station.asker.progress(asked))
        return asked.answered is not None

    stations.until(done)
    answered = asked.answered
    assert answered is not None
    assert (answered.code, answered.said) == (Code.NONE, "")
    assert answered.settled is not None
    decision = answered.settled.decision
    assert (answered.settled.answer, decision.counts[1]) == ("cup", 0)
    assert decision.question == asked.question_id
    head = station.asker.pursuit.head
    assert head is not None
    proven = verify_proof(policy_of(head.opener), answered.proof)
    assert parse_settled(proven.entry[1:]) == answered.settled
    assert proven.index == answered.index
    heard = [one.counts[0] for one in told]
    assert heard == sorted(heard)  # votes are never taken back
    assert (heard[0], told[0].missing, told[0].remaining_ms) == (0, 4, 8_000)
    assert max(heard) >= 2
    assert any(one.remaining_ms < 8_000 for one in told)
    assert told[-1].height > 0
    numbers = [found.settled.decision.number for found in station.seen]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_what_is_lost_on_the_way_is_said_again(tmp_path: Path) -> None:
    lab = Lab(tmp_path, CREW, seed=3, loss=0.4)
    for member in range(4):
        lab.start(member)
    stations = Stations(lab)
    said = []
    station = Station(stations, tmp_path / "state", FIRST, CREW.root("operator_1"))
    carry, first = lab.network.carry, lab.now_ms + 2_500

    def lossy(sender: int, to: int, data: bytes) -> None:
        if sender == FIRST:
            said.append(data)
            if lab.now_ms < first:
                return
        carry(sender, to, data)

    lab.network.carry = lossy  # type: ignore[method-assign]
    asked = station.ask(replace(WHAT, duration_ms=20_000))
    stations.until(lambda: asked.answered)
    assert asked.answered is not None
    assert asked.answered.settled is not None
    assert len(said) >= 3 * 6  # to six others, once a second
    assert len(set(said)) == 1
    before = len(said)
    stations.run(3_000)
    assert len(said) == before
    station.follower.close()
    lab.close()


@pytest.mark.parametrize(
    ("goal", "words"),
    [
        (replace(WHAT, subject=""), "subject is empty"),
        (replace(WHAT, subject="x" * 65), "has 65 characters. Take 64"),
        (replace(WHAT, subject="Où est-il?"), "not printable ASCII"),
        (replace(WHAT, subject="a\nb"), "not printable ASCII"),
        (replace(WHAT, labels=("cup",)), "with 1 label can't be asked. Give 2 to 16"),
        (replace(WHAT, labels=()), "with 0 labels"),
        (replace(WHAT, labels=tuple(f"l{i}" for i in range(17))), "with 17 labels"),
        (replace(WHAT, labels=("cup", "cup")), "cup is there twice"),
        (replace(WHAT, labels=("cup", "unknown")), "unknown is reserved"),
        (replace(WHAT, labels=("cup", "Two Faces")), "'Two Faces' is no label"),
        (replace(WHAT, labels=("cup", "")), "'' is no label"),
        (replace(WHAT, labels=("cup", "x" * 33)), "is no label. Take 1 to 32"),
        (replace(WHAT, rule=0), "there is no rule 0. Take 1"),
        (replace(WHAT, rule=7), "there is no rule 7"),
        (replace(WHAT, duration_ms=0), "deadline is 0 s"),
        (replace(WHAT, duration_ms=-5_000), "deadline is -5 s. Take from 0.001 to 86400 s"),
        (replace(WHAT, duration_ms=86_400_001), "deadline is 86400.001 s"),
    ],
)
def test_a_bad_goal_is_explained(station: Station, goal: Goal, words: str) -> None:
    answered = station.refusal(goal)
    assert answered.code is Code.BAD_GOAL
    assert words in answered.said
    assert not station.asker.open


def test_only_operators_ask(stations: Stations, tmp_path: Path) -> None:
    nobody = Station(stations, tmp_path / "nobody", 4, None)
    voter = Station(stations, tmp_path / "voter", 4, CREW.root("drone_1"))
    stranger = Station(stations, tmp_path / "stranger", 4, CREW.root("stranger"))
    for station, words in (
        (nobody, "no operator's key here"),
        (voter, "no operator's in roster version 1"),
        (stranger, "no operator's in roster version 1"),
    ):
        answered = station.refusal(WHAT)
        assert answered.code is Code.NOT_OPERATOR
        assert words in answered.said
        station.follower.close()


def test_who_may_not_ask_follows_all_the_same(stations: Stations, tmp_path: Path) -> None:
    station = Station(stations, tmp_path / "state", FIRST, None)
    stations.until(lambda: station.seen)
    assert station.seen[0].settled.decision.number == 1
    station.follower.close()


def test_two_operators_ask_at_once(stations: Stations, station: Station, tmp_path: Path) -> None:
    other = Station(stations, tmp_path / "other", SECOND, CREW.root("operator_2"))
    one, two = station.ask(), other.ask()
    again = station.ask()
    assert len({one.question_id, two.question_id, again.question_id}) == 3
    stations.until(lambda: one.answered and two.answered and again.answered)
    numbers = set()
    for asked in (one, two, again):
        assert asked.answered is not None
        assert asked.answered.settled is not None
        assert asked.answered.settled.decision.question == asked.question_id
        numbers.add(asked.answered.settled.decision.number)
    assert len(numbers) == 3
    seen = [found.settled.decision.number for found in station.seen]
    assert seen == sorted(set(seen))
    other.follower.close()


def test_too_many_questions_at_once_are_refused(station: Station) -> None:
    asked = [station.ask() for _ in range(AT_ONCE)]
    answered = station.refusal(WHAT)
    assert answered.code is Code.BUSY
    station.asker.cancel(asked[0])
    station.ask()


def test_canceling_ends_it_here_and_not_on_the_ledger(
    stations: Stations, station: Station
) -> None:
    asked = station.ask()
    stations.run(50)
    station.asker.cancel(asked)
    assert asked.answered is not None
    assert asked.answered.code is Code.CANCELED
    assert asked.question_id.hex() in asked.answered.said
    sent = asked.sent_ms
    stations.until(lambda: len(station.seen) >= 2 or len(station.lab.told("decision")) >= 8)
    assert asked.sent_ms == sent
    assert asked.answered.code is Code.CANCELED


def lying(answer: Callable[[bytes], bytes | None]) -> Callable[[bytes], bytes | None]:
    """Change what is proven: the last byte of the entry."""

    def lie(request: bytes) -> bytes | None:
        raw = answer(request)
        return raw[:-5] + bytes([raw[-5] ^ 1]) + raw[-4:] if raw else None

    return lie


def of_last_week(station: Station, folder: Path) -> Callable[[bytes], bytes | None]:
    """Answer from a ledger as it was."""
    place = min(station.lab.drones)
    shutil.copytree(station.lab.folders[place], folder)
    path = folder / "ledger.db"
    return Prover(lambda: Store.open(path, read_only=True), CREW.trust).answer


def withholding(request: bytes) -> bytes:
    return encode(Refusal.saying(Reason.NOT_FOUND, "nothing was decided."))


@pytest.mark.parametrize("deed", ["lies", "is silent", "withholds", "floods", "is behind"])
def test_a_prover_that_cheats_costs_a_turn(
    stations: Stations, station: Station, tmp_path: Path, deed: str
) -> None:
    stations.until(lambda: station.seen)
    honest = station.provers["drone_1"]
    station.provers["drone_1"] = {
        "lies": lambda: lying(honest),
        "is silent": lambda: lambda _: None,
        "withholds": lambda: withholding,
        "floods": lambda: lambda _: b"\xff" * (MAX_ANSWER_BYTES + 1),
        "is behind": lambda: of_last_week(station, tmp_path / "old"),
    }[deed]()
    station.asked_of.clear()
    asked = station.ask()
    stations.until(lambda: asked.answered and "drone_1" in station.asked_of)
    stations.run(1_500)
    assert asked.answered is not None
    assert asked.answered.code is Code.NONE
    lies = station.asker.pursuit.lies
    assert bool(lies.pop("drone_1")) is (deed in ("lies", "floods"))
    assert not any(lies.values())


def test_all_provers_cheating_prove_nothing(stations: Stations, station: Station) -> None:
    for name, honest in station.provers.items():
        station.provers[name] = lying(honest)
    asked = station.ask(replace(WHAT, duration_ms=1_000))
    stations.until(lambda: asked.answered)
    assert asked.answered is not None
    assert asked.answered.code is Code.UNAVAILABLE
    assert "nobody proved a decision in time" in asked.answered.said
    assert not asked.answered.proof
    assert station.asker.pursuit.wrong


def test_forged_and_foreign_votes_count_for_nothing(stations: Stations, station: Station) -> None:
    stations.until(lambda: station.seen)
    asked = station.ask()
    stamp_ms = station.lab.now_ms
    faces = observation(asked.question_id, 1, stamp_ms)
    true = seal(Kind.VOTE, faces, CREW.session("drone_1"), CREW.roster)
    forged = true[:-1] + bytes([true[-1] ^ 1])
    foreign = seal(Kind.VOTE, faces, CREW.root("stranger"), CREW.roster)
    elsewhere = Crew(swarm="elsewhere")
    there = seal(Kind.VOTE, faces, CREW.session("drone_2"), elsewhere.roster)
    observer = seal(Kind.VOTE, faces, CREW.root("watcher"), CREW.roster)
    signed = seal(Kind.VOTE, faces, CREW.root("operator_1"), CREW.roster)
    known = seal(Kind.VOTE, b"junk", CREW.session("drone_3"), CREW.roster)
    bad = [forged, foreign, there, observer, signed, known, b"", b"\x03", b"\x63junk"]
    assert station.asker.hear(bad, station.lab.now_ms) == list(range(len(bad)))
    told = station.asker.progress(asked)
    assert (told.counts, told.abstentions, told.missing) == ((0, 0), 0, 4)


def test_one_vote_a_voter_and_none_of_who_contradicts_itself(
    stations: Stations, station: Station
) -> None:
    stations.until(lambda: station.seen)
    asked = station.ask()

    def hear(name: str, label: int) -> tuple[tuple[int, ...], int, int]:
        said = observation(asked.question_id, label, station.lab.now_ms)
        raw = seal(Kind.VOTE, said, CREW.session(name), CREW.roster)
        station.asker.hear([raw, raw], station.lab.now_ms)
        told = station.asker.progress(asked)
        return told.counts, told.abstentions, told.missing

    assert hear("drone_1", 0) == ((1, 0), 0, 3)
    assert hear("drone_2", 1) == ((1, 1), 0, 2)
    assert hear("drone_3", -1) == ((1, 1), 1, 1)
    assert hear("drone_4", 9) == ((1, 1), 1, 1)  # no label of the question
    assert hear("drone_4", 1) == ((1, 2), 1, 0)
    assert hear("drone_2", 0) == ((1, 1), 1, 0)  # heard, and void
    assert hear("drone_2", 1) == ((1, 1), 1, 0)


def test_votes_wait_for_the_sessions_of_their_voters(lab: Lab, tmp_path: Path) -> None:
    stations = Stations(lab)
    station = Station(stations, tmp_path / "state", FIRST, CREW.root("operator_1"))
    asked = station.ask()
    said = observation(asked.question_id, 0, lab.now_ms)
    vote = seal(Kind.VOTE, said, CREW.session("drone_1"), CREW.roster)
    assert station.asker.hear([vote], lab.now_ms) == [0]
    assert station.asker.progress(asked).counts == (0, 0)
    assert station.asker.hear([CREW.identity("drone_1").delegation], lab.now_ms) == []
    assert station.asker.progress(asked).counts == (1, 0)
    station.follower.close()


def test_a_deadline_passes_in_the_ledgers_time(stations: Stations, station: Station) -> None:
    """One drone's word is not enough, and the others see nothing."""
    stations.until(lambda: station.seen)
    for member, drone in station.lab.drones.items():
        if member:
            drone.look = lambda _look: None  # type: ignore[method-assign]
    asked = station.ask(replace(WHAT, duration_ms=3_000))
    stations.run(2_000)
    told = station.asker.progress(asked)
    assert (sum(told.counts), told.missing) == (1, 3)
    assert 0 < told.remaining_ms < 3_000
    assert asked.answered is None
    stations.until(lambda: asked.answered)
    assert asked.answered is not None
    assert asked.answered.code is Code.NONE
    assert asked.answered.settled is not None
    decision = asked.answered.settled.decision
    assert decision.outcome is OutcomeKind.UNDECIDED
    assert decision.closed_ms - decision.opened_ms >= 3_000


def test_too_few_validators_are_said_to_be_too_few(stations: Stations, station: Station) -> None:
    stations.until(lambda: station.seen)
    for member in (1, 2, 3):
        station.lab.kill(member)
    stations.run(5_500)
    began_ms = station.lab.now_ms
    asked = station.ask(replace(WHAT, duration_ms=60_000))
    stations.until(lambda: asked.answered)
    assert asked.answered is not None
    assert asked.answered.code is Code.NO_QUORUM
    assert "1 of 4 validators were heard in 5 s, and 3 must agree" in asked.answered.said
    assert station.lab.now_ms - began_ms < 10_000


def test_a_clock_that_jumps_ends_nothing(stations: Stations, station: Station) -> None:
    """As /clock does where a bag is played in a loop."""
    stations.until(lambda: station.seen)
    asked = station.ask()
    stations.run(30)
    station.clock_ms = -3_600_000
    stations.run(30)
    assert 0 < station.asker.progress(asked).remaining_ms <= 8_000
    stations.until(lambda: asked.answered)
    assert asked.answered is not None
    assert asked.answered.code is Code.NONE


def test_a_question_is_sealed_anew_under_the_roster_in_force(
    stations: Stations, station: Station
) -> None:
    """It is asked in an epoch that the station has not heard of."""
    lab, fresh = station.lab, CREW.changed(CREW.roster)
    stations.until(lambda: station.seen)
    for name, answer in station.provers.items():
        station.provers[name] = lambda _request: None
        station.__dict__.setdefault("kept", {})[name] = answer
    for drone in lab.drones.values():
        drone.learn(CREW.knowing(fresh), lab.now_ms)
    stations.until(lambda: all(one.roster.version == 2 for one in lab.drones.values()))
    asked = station.ask(replace(WHAT, duration_ms=20_000))
    stations.run(2_000)
    assert set(asked.sealed) == {1}
    station.provers.update(station.__dict__["kept"])
    stations.until(lambda: asked.answered)
    assert set(asked.sealed) == {1, 2}
    assert asked.answered is not None
    assert asked.answered.settled is not None
    assert asked.answered.settled.decision.question == asked.question_id


def test_an_operator_who_is_revoked_meanwhile_is_told(
    stations: Stations, station: Station, tmp_path: Path
) -> None:
    lab = station.lab
    fresh = CREW.changed(CREW.roster, revoke=["operator_2"])
    other = Station(stations, tmp_path / "other", SECOND, CREW.root("operator_2"))
    stations.until(lambda: other.seen)
    for drone in lab.drones.values():
        drone.look = lambda _look: None  # type: ignore[method-assign]
    for drone in lab.drones.values():
        drone.learn(CREW.knowing(fresh), lab.now_ms)
    asked = other.ask(replace(WHAT, duration_ms=60_000))
    stations.until(lambda: asked.answered)
    assert asked.answered is not None
    assert asked.answered.code is Code.NOT_OPERATOR
    assert "roster version 2" in asked.answered.said
    other.follower.close()


def test_clocks_of_drones_that_are_off_do_not_matter(tmp_path: Path) -> None:
    lab = Lab(tmp_path, CREW, seed=5)
    lab.clocks[3] = Clock(skew_ms=-200)
    for member in range(4):
        lab.start(member)
    stations = Stations(lab)
    station = Station(stations, tmp_path / "state", FIRST, CREW.root("operator_1"))
    asked = station.ask()
    stations.until(lambda: asked.answered)
    assert asked.answered is not None
    assert asked.answered.code is Code.NONE
    station.follower.close()
    lab.close()
