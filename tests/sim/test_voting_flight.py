# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Other rules than the majority through the whole stack, in simulated time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from swarm_ledger.audit.ledger import verify_ledger
from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, kind_of, seal
from swarm_ledger.runtime import snapshot
from swarm_ledger.runtime.evidence import accusation, examine
from swarm_ledger.runtime.machine import Machine
from swarm_ledger.runtime.voter import Look, observe
from swarm_ledger.voting.commitment import Commitment
from swarm_ledger.voting.decision import NumberDecision
from swarm_ledger.voting.observation import NumberObservation
from swarm_ledger.voting.poll import OpenQuestion
from swarm_ledger.voting.question import NumberQuestion, Question, question_id
from swarm_ledger.voting.reputation import Reason, Standing
from swarm_ledger.voting.rules import Bayes, Median, Plurality, Sealed
from tests.crew import T0_MS, Crew, perceived
from tests.lab import Lab

MakeLab = Callable[..., Lab]
OPEN_MS = 3_000
SEALED = Question("What is it?", ("cup", "two_faces"), Sealed(Bayes(), 1_500), OPEN_MS, bytes(16))


def sealed_lab(make: MakeLab) -> Lab:
    crew = Crew()
    crew.question, crew.question_id = SEALED, question_id(encode(SEALED))
    lab = make(crew=crew)
    for member in range(4):
        lab.start(member)
    return lab


def sent(lab: Lab, kind: Kind) -> dict[int, set[bytes]]:
    """What each drone sent of a kind."""
    said: dict[int, set[bytes]] = {}
    for member, raw in lab.said:
        if kind_of(raw) is kind:
            said.setdefault(member, set()).add(raw)
    return said


@pytest.mark.parametrize("killed", [(), (1, 2)])
def test_sealed_ballots_are_opened_later_even_after_a_restart(
    lab: MakeLab, killed: tuple[int, ...]
) -> None:
    flight = sealed_lab(lab)
    flight.run(1_000)
    assert sorted(sent(flight, Kind.COMMIT)) == [0, 1, 2, 3]
    assert not sent(flight, Kind.REVEAL)
    for member in killed:
        flight.kill(member)
    flight.run(50)
    for member in killed:
        flight.start(member)
    flight.until_decided()
    for kind in (Kind.COMMIT, Kind.REVEAL):
        assert {member: len(said) for member, said in sent(flight, kind).items()} == dict.fromkeys(
            range(4), 1
        )
    store = flight.drones[0].keeper.store
    decision = flight.drones[0].machine.tally.decision(1)
    assert decision is not None
    assert (decision.outcome.name, decision.voided) == ("DECIDED", 0)
    assert verify_ledger(store, flight.crew.trust).height == store.height
    assert not flight.told("evidence")
    kept = Machine(flight.crew.trust)
    for height in range(1, store.height + 1):
        kept.follow(height, store.block(height).entries)
        store.snapshot_put(height, snapshot.take(kept), store.snapshot_heights())
        assert snapshot.restore(store, flight.crew.trust, height).state() == kept.state()


def test_two_commitments_of_one_member_are_evidence() -> None:

    crew = Crew()
    pair = [
        seal(
            Kind.COMMIT,
            encode(Commitment(crew.question_id, bytes([n]) * 32)),
            crew.session("drone_1"),
            crew.roster,
        )
        for n in range(2)
    ]
    charge = examine(accusation(*pair), crew.opener())
    assert charge.culprit.name == "drone_1"
    assert "commit" in charge.about


def test_standings_are_entries_and_convictions_propose_exclusion() -> None:
    crew = Crew()
    machine = Machine(crew.trust)
    sessions = [crew.identity(name).delegation for name in crew.names]
    machine.apply(1, T0_MS, sessions)
    standings = []
    for height in range(2, 12):
        question = Question(
            "What is it?", ("cup", "two_faces"), Plurality(), 8_000, height.to_bytes(16, "big")
        )
        crew.question_id = question_id(encode(question))
        asked = crew.asked(question)
        votes = [crew.vote(name, int(name == "drone_4")) for name in crew.names]
        applied = machine.apply(height, T0_MS + height, [asked, *votes])
        assert len(applied.decisions) == 1
        standings += applied.standings
        assert applied.entries[len(applied.entries) - len(applied.standings) :] == tuple(
            bytes([Kind.STANDING]) + encode(change) for change in applied.standings
        )
    assert [one.standing for one in standings] == [Standing.SUSPECT, Standing.EXCLUDE]
    assert {one.member.hex() for one in standings} == {crew.roster.named("drone_4").drone_id}

    crew.question_id = bytes(32)
    evidence = accusation(crew.vote("drone_1", 0), crew.vote("drone_1", 1))
    (change,) = machine.apply(12, T0_MS + 12, [evidence]).standings
    assert (change.standing, change.reason) == (Standing.EXCLUDE, Reason.CONTRADICTION)
    assert machine.tally.learnt() is not None


def test_a_number_is_measured_asked_for_and_decided() -> None:
    crew = Crew()
    question = NumberQuestion("How tall?", "mm", 0, 9_999, 50, Median(), 8_000, bytes(16))
    name = question_id(encode(question))
    machine = Machine(crew.trust)
    sessions = [crew.identity(one).delegation for one in crew.names]
    asked = seal(Kind.QUESTION, encode(question), crew.root("operator_1"), crew.roster)
    machine.apply(1, T0_MS, [*sessions, asked])
    (poll,) = machine.tally.open_questions()
    votes = []
    for place, height_mm in enumerate((1_200, 1_210, 1_190, 9_000)):
        looks = [
            Look(perceived(), T0_MS, bytes(32), 0.5, 3.0, measured={"mm": height_mm + error})
            for error in (-5, 0, 5)
        ]
        seen = observe(poll, looks)
        assert isinstance(seen, NumberObservation)
        assert seen.value == height_mm
        session = crew.session(crew.names[place])
        votes.append(seal(Kind.VOTE, encode(seen), session, crew.roster))
    applied = machine.apply(2, T0_MS + 5, votes)
    (settled,) = applied.decisions
    assert isinstance(settled.decision, NumberDecision)
    assert settled.answer == "1200 mm"
    blind = observe(OpenQuestion(name, question, 0, 1), [Look(perceived(), 1, bytes(32), 0, 1)])
    assert isinstance(blind, NumberObservation)
    assert blind.value is None
