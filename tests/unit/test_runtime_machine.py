# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The state machine and the voter: the same blocks make the same entries, whatever is in them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, seal
from swarm_ledger.errors import NotVerified, PeerFault
from swarm_ledger.perception import CUP, Perceived
from swarm_ledger.runtime.blocks import genesis_entry, split_block
from swarm_ledger.runtime.chronicle import describe, label_name
from swarm_ledger.runtime.machine import (
    Machine,
    Tick,
    read_request,
)
from swarm_ledger.runtime.voter import Look, Voter, observe
from swarm_ledger.voting.decision import parse_settled
from swarm_ledger.voting.limits import ABSTAIN
from swarm_ledger.voting.poll import OpenQuestion
from tests.crew import DAY_S, T0_MS, Crew, look, perceived

CREW = Crew()
SESSIONS = [CREW.identity(name).delegation for name in CREW.names]
VOTES = [CREW.vote(name) for name in CREW.names]


def results(machine: Machine, height: int, *bodies: bytes, time_ms: int = T0_MS) -> list[str]:
    return [receipt.result for receipt in machine.apply(height, time_ms, bodies).receipts]


def test_a_vote_from_question_to_decision() -> None:
    machine = Machine(CREW.trust)
    assert results(machine, 1, *SESSIONS, CREW.asked()) == ["session"] * 4 + ["opened"]
    applied = machine.apply(2, T0_MS + 5, VOTES[:3])
    assert [r.result for r in applied.receipts] == ["counted"] * 3
    (settled,) = applied.decisions
    assert (settled.answer, settled.votes["cup"]) == ("cup", 3)
    header, requests = split_block(applied.entries)
    assert (header.height, header.requests, requests) == (2, 3, tuple(VOTES[:3]))
    assert parse_settled(applied.entries[-1][1:]) == settled
    names = [name for name, _ in describe(applied, machine)]
    assert names == ["vote", "vote", "vote", "decision", "block"]


def test_what_does_not_count_says_why() -> None:
    machine = Machine(CREW.trust)
    assert results(machine, 1, VOTES[0], CREW.asked()) == ["invalid: unknown_key", "opened"]
    assert results(machine, 2, *SESSIONS, VOTES[0], VOTES[0]) == [
        *["session"] * 4,
        "counted",
        "duplicate",
    ]
    assert results(machine, 3, CREW.vote("drone_1", 1), CREW.vote("drone_1", 1)) == [
        "conflict",
        "voided",
    ]
    assert results(machine, 4, CREW.asked(), b"\xff", b"", VOTES[1][:-1] + b"\0") == [
        "already_asked",
        "invalid: malformed",
        "invalid: malformed",
        "invalid: bad_signature",
    ]
    late = T0_MS + 1000 * DAY_S
    assert results(machine, 5, VOTES[1], time_ms=late) == ["invalid: stale_session"]


def test_ledger_time_never_runs_backwards() -> None:
    machine = Machine(CREW.trust)
    machine.apply(1, T0_MS, [])
    assert machine.apply(2, T0_MS - 10_000, []).time_ms == T0_MS
    assert split_block(machine.apply(3, 0, []).entries)[0].time_ms == 0


@settings(max_examples=30)
@given(st.lists(st.sampled_from([*SESSIONS, *VOTES, CREW.asked(), b"junk", b""]), max_size=12))
def test_two_machines_agree_whatever_is_ordered(bodies: list[bytes]) -> None:
    one, two = Machine(CREW.trust), Machine(CREW.trust)
    for height, size in enumerate((len(bodies) // 2, len(bodies)), start=1):
        half = bodies[:size]
        assert one.apply(height, T0_MS, half) == two.apply(height, T0_MS, half)
    assert one.opener.sessions() == two.opener.sessions()


@given(st.binary(max_size=300))
def test_random_requests_are_entries_that_count_for_nothing(body: bytes) -> None:
    machine = Machine(CREW.trust)
    applied = machine.apply(1, T0_MS, [body])
    assert applied.receipts[0].result.startswith("invalid: ")
    assert split_block(applied.entries)[1] == (body,)


def test_damaged_blocks_are_not_verified() -> None:
    good = Machine(CREW.trust).apply(1, T0_MS, [VOTES[0]]).entries
    for entries in ([], [b""], [b"x"], [good[0][:-1]], good[:1], [VOTES[0], *good]):
        with pytest.raises(NotVerified):
            split_block(entries)
    assert genesis_entry(CREW.roster) != genesis_entry(Crew(version=2).roster)


def test_requests_are_questions_votes_and_ticks() -> None:
    opener = CREW.opener()
    tick = seal(Kind.TICK, encode(Tick(5)), CREW.session("drone_1"), CREW.roster)
    assert read_request(opener.open(tick)) == Tick(5)
    assert read_request(opener.open(VOTES[0])) == CREW.observation()
    for kind, payload in (
        (Kind.TICK, b""),
        (Kind.VOTE, b"\x80"),
        (Kind.CONSENSUS, encode([9, 1])),
    ):
        with pytest.raises(PeerFault):
            read_request(opener.open(seal(kind, payload, CREW.session("drone_1"), CREW.roster)))


def open_question() -> OpenQuestion:
    return OpenQuestion(CREW.question_id, CREW.question, T0_MS, 1)


def test_a_voter_votes_once_it_has_seen_enough() -> None:
    voter, asked = Voter(3), (open_question(),)
    for number in range(2):
        voter.look(look(number), asked)
        assert voter.due(asked[0], T0_MS) is None
    voter.look(look(2), asked)
    assert not voter.curious(asked)
    seen = voter.due(asked[0], T0_MS)
    assert seen is not None
    assert (seen.question, seen.label) == (CREW.question_id, 0)
    assert (seen.image, seen.bearing_mrad, seen.distance_mm) == (look(2).image, 2500, 3000)
    voter.look(look(3), asked)
    assert voter.due(asked[0], T0_MS + 9_000) is None


def test_a_voter_takes_what_it_has_when_half_the_time_is_over() -> None:
    voter, asked = Voter(5), (open_question(),)
    assert voter.due(asked[0], T0_MS + 4_000) is None  # it saw nothing, and says nothing
    voter.look(look(), asked)
    assert voter.due(asked[0], T0_MS + 3_999) is None
    assert voter.due(asked[0], T0_MS + 4_000) is not None


def test_a_vote_that_the_ledger_has_is_not_repeated() -> None:
    voter, asked = Voter(1), (open_question(),)
    voter.look(look(), asked)
    voter.voted(CREW.question_id)
    assert not voter.curious(asked)
    assert voter.due(asked[0], T0_MS + 9_000) is None


@given(st.floats(-1e6, 1e6), st.floats(0, 1e12), st.floats(0, 1))
def test_any_look_becomes_a_vote_that_parses(bearing: float, distance: float, sure: float) -> None:
    seen = observe(
        open_question(), [Look(perceived(CUP, sure), T0_MS, bytes(32), bearing, distance)]
    )
    payload = encode(seen)
    raw = seal(Kind.VOTE, payload, CREW.session("drone_1"), CREW.roster)
    assert read_request(CREW.opener().open(raw)) == seen
    turn = seen.bearing_mrad / 1000 - bearing
    assert min(turn % math.tau, -turn % math.tau) < 0.002


def test_what_is_not_among_the_labels_is_an_abstention() -> None:
    third = {"cup": 1 / 3, "two_faces": 1 / 3, "unknown": 1 / 3}
    seen = observe(
        open_question(), [Look(Perceived("unknown", 0.6, third), T0_MS, bytes(32), 0, 1)]
    )
    assert seen.label == ABSTAIN
    assert label_name(CREW.question, seen) == "unknown"
    assert label_name(CREW.question, CREW.observation(1)) == "two_faces"
    assert label_name(None, CREW.observation()) == "unknown"
    assert label_name(CREW.question, CREW.observation(7)) == "unknown"
