# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Whoever contradicts itself is convicted on every honest ledger, and nobody else ever is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_ledger.audit.ledger import verify_ledger
from swarm_ledger.consensus.messages import (
    MAX_REQUEST_BYTES,
    Batch,
    Checkpoint,
    Commit,
    NewView,
    Prepare,
    PrePrepare,
    Status,
    ViewChange,
)
from swarm_ledger.encoding import digest, encode
from swarm_ledger.envelope import Kind, carry, seal
from swarm_ledger.errors import PeerFault
from swarm_ledger.runtime.evidence import accusation, examine
from swarm_ledger.runtime.machine import Machine
from swarm_ledger.runtime.membership import membership_of
from tests.crew import T0_MS, Crew
from tests.lab import Lab
from tests.security.liar import HONEST, beset, tell

CREW = Crew()
OPENER = CREW.opener()
ONE, OTHER = bytes(32), digest(b"other")
COMMITS = (CREW.say("drone_4", Commit(0, 7, ONE)), CREW.say("drone_4", Commit(0, 7, OTHER)))
GUILTY = accusation(*COMMITS)


def refused(raw: bytes) -> str:
    with pytest.raises(PeerFault) as caught:
        examine(raw, OPENER)
    return caught.value.reason


def pair(first: object, second: object, *names: str) -> bytes:
    one, other = names or ("drone_4", "drone_4")
    return accusation(CREW.say(one, first), CREW.say(other, second))


def change(view: int, stable: int = 0) -> ViewChange:
    return ViewChange(view, stable, (), ())


CONTRADICTIONS = {
    "the pre-prepare of 7 in view 0": (
        PrePrepare(0, Batch(7, T0_MS, (ONE,))),
        PrePrepare(0, Batch(7, T0_MS, (OTHER,))),
    ),
    "the prepare of 7 in view 1": (Prepare(1, 7, ONE), Prepare(1, 7, OTHER)),
    "the commit of 7 in view 2": (Commit(2, 7, ONE), Commit(2, 7, OTHER)),
    "the checkpoint at 8": (Checkpoint(8, 9, ONE, bytes(72)), Checkpoint(8, 9, OTHER, bytes(72))),
    "the view change to view 3": (change(3), change(3, 1)),
    "the new view to view 4": (NewView(4, (ONE,)), NewView(4, (OTHER,))),
}


@pytest.mark.parametrize("about", CONTRADICTIONS)
def test_what_convicts(about: str) -> None:
    first, second = CONTRADICTIONS[about]
    for raw in (pair(first, second), pair(second, first)):
        assert raw == pair(first, second), "there is one form of it"
        charge = examine(raw, OPENER)
        assert (charge.culprit.name, charge.about) == ("drone_4", about)


def test_two_votes_on_one_question_convict() -> None:
    charge = examine(accusation(CREW.vote("drone_4", 0), CREW.vote("drone_4", 1)), OPENER)
    assert charge.culprit.name == "drone_4"
    assert charge.about == f"the vote on question {CREW.question_id.hex()[:16]}"


def test_a_session_that_the_ledger_lacks_convicts_only_with_its_delegation() -> None:
    secret = CREW.identity("drone_4", 3)
    said = [CREW.say("drone_4", Commit(0, 7, key), session=3) for key in (ONE, OTHER)]
    assert refused(accusation(*said)) == "unknown_key"
    carried = (carry(secret.delegation, raw) for raw in said)
    assert examine(accusation(*carried), OPENER).culprit.name == "drone_4"


@pytest.mark.parametrize(
    "honest",
    [
        (Commit(0, 7, ONE), Commit(0, 7, ONE)),
        (Commit(0, 7, ONE), Commit(0, 8, OTHER)),
        (Commit(0, 7, ONE), Commit(1, 7, OTHER)),
        (Commit(0, 7, ONE), Prepare(0, 7, OTHER)),
        (Checkpoint(8, 9, ONE, bytes(72)), Checkpoint(8, 9, ONE, b"t" * 72)),
        (Checkpoint(8, 9, ONE, bytes(72)), Checkpoint(16, 20, OTHER, bytes(72))),
        (change(3), change(4)),
        (Status(0, 1, 0), Status(0, 2, 0)),
    ],
    ids=lambda said: "-".join(type(one).__name__ for one in said),
)
def test_what_honest_members_say(honest: tuple[object, object]) -> None:
    assert refused(pair(*honest)) in ("no_contradiction", "malformed")


def test_two_members_who_disagree_are_nobodys_fault() -> None:
    both = pair(Commit(0, 7, ONE), Commit(0, 7, OTHER), "drone_3", "drone_4")
    assert refused(both) == "no_contradiction"
    votes = accusation(CREW.vote("drone_3", 0), CREW.vote("drone_4", 1))
    assert refused(votes) == "no_contradiction"


def test_one_statement_twice() -> None:
    assert refused(accusation(COMMITS[0], COMMITS[0])) == "malformed"
    again = carry(CREW.identity("drone_4").delegation, COMMITS[0])
    assert refused(accusation(COMMITS[0], again)) == "no_contradiction"


def test_votes_on_two_questions_or_with_one_content() -> None:
    seen = CREW.observation()
    elsewhere = msgspec.structs.replace(seen, question=OTHER, label=1)
    two = [
        seal(Kind.VOTE, encode(vote), CREW.session("drone_4"), CREW.roster)
        for vote in (seen, elsewhere)
    ]
    assert refused(accusation(*two)) == "no_contradiction"
    mixed = accusation(COMMITS[0], CREW.vote("drone_4"))
    assert refused(mixed) == "no_contradiction"


def test_forged_signatures() -> None:
    evil = seal(
        Kind.CONSENSUS,
        encode(Commit(0, 7, OTHER)),
        CREW.session("drone_4"),
        Crew(version=2).roster,
    )
    assert refused(accusation(COMMITS[0], evil)) == "bad_signature"
    for first in range(0, len(GUILTY), 7):
        bent = bytearray(GUILTY)
        bent[first] ^= 1
        with pytest.raises(PeerFault):
            examine(bytes(bent), OPENER)


@pytest.mark.parametrize("other", [Crew(swarm="other"), Crew(version=2)], ids=["swarm", "epoch"])
def test_evidence_of_another_swarm_or_epoch(other: Crew) -> None:
    theirs = accusation(*(other.say("drone_4", Commit(0, 7, key)) for key in (ONE, OTHER)))
    assert examine(theirs, other.opener()).culprit.name == "drone_4"
    assert refused(theirs) in ("bad_signature", "unknown_key")


def test_malformed_and_oversized_evidence() -> None:
    first, second = sorted(COMMITS)
    for raw in (
        b"\x05",
        b"\x05" + encode([second, first]),
        b"\x05" + encode([first]),
        b"\x05" + encode([first, second, second]),
        b"\x05" + encode([b"", first]),
        b"\x05" + encode([CREW.identity("drone_4").delegation, first]),
        GUILTY + b"\0",
        b"\x03" + GUILTY[1:],
    ):
        assert refused(raw) == "malformed"
    large = [ViewChange(1, stable, (b"x" * 40_000,), ()) for stable in (1, 2)]
    assert refused(pair(*large)) == "oversize"


@given(st.binary(max_size=200))
def test_noise_convicts_nobody(noise: bytes) -> None:
    for raw in (b"\x05" + noise, b"\x05" + encode(sorted([noise, COMMITS[0]]))):
        with pytest.raises(PeerFault):
            examine(raw, OPENER)


# on the ledger


def test_the_machine_convicts_once_and_says_so() -> None:
    machine, twin = Machine(CREW.trust), Machine(CREW.trust)
    sessions = [CREW.identity(name).delegation for name in CREW.names]
    second = pair(Prepare(0, 7, ONE), Prepare(0, 7, OTHER))
    for one in (machine, twin):
        before = one.apply(1, T0_MS, [GUILTY]).receipts
        assert [r.result for r in before] == ["invalid: unknown_key"]
        one.apply(2, T0_MS, sessions)
    applied = machine.apply(3, T0_MS, [GUILTY, GUILTY, second, GUILTY + b"\0"])
    assert [r.result for r in applied.receipts] == [
        "evidence",
        "known",
        "known",
        "invalid: malformed",
    ]
    assert {r.author.name for r in applied.receipts[:3] if r.author} == {"drone_4"}
    assert machine.convicted == {3: 3}
    assert twin.follow(3, applied.entries).entries == applied.entries
    innocent = Machine(CREW.trust)
    for height, bodies in ((1, [GUILTY]), (2, sessions)):
        innocent.apply(height, T0_MS, bodies)
    assert innocent.convicted == {}
    assert innocent.members.state() != machine.members.state(), "the state digest tells"


# in a swarm


@pytest.fixture
def swarm(lab: Callable[..., Lab], crew: Crew) -> Iterator[Lab]:
    """Three honest drones that know drone_4, which is played by the test."""
    made = beset(lab(), crew)
    until(made, lambda: all(d.machine.tally.open_questions() for d in made.drones.values()))
    yield made
    made.assert_no_contradiction()


def until(lab: Lab, done: Callable[[], bool], ms: int = 20_000) -> None:
    for _ in range(ms // 10):
        if done():
            return
        lab.step()
    raise AssertionError([drone.status() for drone in lab.drones.values()])


def convicted_everywhere(lab: Lab) -> None:
    """drone_4, and nobody else, is convicted on all honest ledgers, by one and the same entry."""
    until(lab, lambda: all(d.machine.convicted for d in lab.drones.values()))
    lab.until(min(d.keeper.store.height for d in lab.drones.values()))
    told = [fields for fields in lab.told("convicted") if fields["culprit"] == "drone_4"]
    assert len(told) == len(lab.told("convicted")) == len(lab.drones)
    for drone in lab.drones.values():
        assert set(drone.machine.convicted) == {3}
        (conviction,) = verify_ledger(drone.keeper.store, lab.crew.trust).convictions
        assert conviction.culprit.name == "drone_4"
        assert conviction == membership_of(drone.keeper.store, lab.crew.trust).convictions[0]
        assert conviction.height == drone.machine.convicted[3]
    assert len({d.keeper.store.root() for d in lab.drones.values()}) == 1


def test_a_voter_who_tells_two_drones_two_things(swarm: Lab, crew: Crew) -> None:
    tell(swarm, crew.vote("drone_4", 0), (0,))
    tell(swarm, crew.vote("drone_4", 1), (1,))
    swarm.until_decided()
    convicted_everywhere(swarm)


def test_drones_restart_with_both_votes_of_a_liar_on_their_ledgers(swarm: Lab, crew: Crew) -> None:
    for label in (0, 1):
        tell(swarm, crew.vote("drone_4", label))
    swarm.until_decided()
    convicted_everywhere(swarm)
    for member in HONEST:
        swarm.kill(member)
        swarm.start(member)
    swarm.run(1_000)
    assert all(set(drone.machine.convicted) == {3} for drone in swarm.drones.values())


def test_a_member_who_commits_to_both(swarm: Lab, crew: Crew) -> None:
    height = swarm.drones[0].keeper.store.height
    for key in (ONE, OTHER):
        tell(swarm, crew.say("drone_4", Commit(0, height + 3, key)), (1,))
    convicted_everywhere(swarm)


def test_a_leader_who_proposes_two_batches(lab: Callable[..., Lab], crew: Crew) -> None:
    """drone_1 leads view 0; here it is played by the test, and known with its delegation only."""
    made = lab()
    made.liars.add("drone_1")
    for member in (1, 2, 3):
        made.start(member)
    for clock in (1, 2):
        batch = Batch(1, T0_MS + clock, (digest(b"%d" % clock),))
        said = carry(
            crew.identity("drone_1").delegation, crew.say("drone_1", PrePrepare(0, batch))
        )
        tell(made, said, (2,))
    until(made, lambda: all(0 in d.machine.convicted for d in made.drones.values()))
    made.until(min(d.keeper.store.height for d in made.drones.values()))
    for drone in made.drones.values():
        (conviction,) = verify_ledger(drone.keeper.store, crew.trust).convictions
        assert conviction.culprit.name == "drone_1"
        assert conviction.about == "the pre-prepare of 1 in view 0"
    made.assert_no_contradiction()


def test_a_culprit_whose_quota_is_used_up_is_convicted_all_the_same(
    swarm: Lab, crew: Crew
) -> None:
    for number in range(80):
        vote = msgspec.structs.replace(crew.observation(), question=digest(b"%d" % number))
        tell(swarm, seal(Kind.VOTE, encode(vote), crew.session("drone_4"), crew.roster))
    for key in (ONE, OTHER):
        tell(swarm, crew.say("drone_4", Commit(0, 9, key)), (1,))
    convicted_everywhere(swarm)


def test_replayed_and_false_evidence_changes_nothing(swarm: Lab, crew: Crew) -> None:
    tell(swarm, GUILTY, (0,))
    convicted_everywhere(swarm)
    for _ in range(5):
        tell(swarm, GUILTY)
        tell(swarm, pair(Prepare(0, 7, ONE), Prepare(0, 7, OTHER)))
    for raw, reason in (
        (pair(Commit(0, 7, ONE), Commit(0, 7, OTHER), "drone_3", "drone_4"), "no_contradiction"),
        (accusation(COMMITS[0], COMMITS[0]), "malformed"),
        (GUILTY[:-1] + bytes([GUILTY[-1] ^ 1]), "bad_signature"),
    ):
        before = swarm.drones[0].faults[reason]
        tell(swarm, raw, (0,))
        assert swarm.drones[0].faults[reason] == before + 1
    swarm.run(1_000)
    kinds = [
        entry[0]
        for drone in swarm.drones.values()
        for entry in drone.keeper.store.entries(0, drone.keeper.store.size)
    ]
    assert kinds.count(Kind.EVIDENCE) == len(HONEST)
    convicted_everywhere(swarm)


def test_evidence_that_no_entry_can_hold_is_told_and_not_ordered(swarm: Lab, crew: Crew) -> None:
    """View changes with many certificates outgrow an entry; only their size is real here."""
    drone = swarm.drones[0]
    culprit = crew.roster.named("drone_4")
    drone.prosecutor.accuse(culprit, accusation(COMMITS[0], COMMITS[1] + bytes(MAX_REQUEST_BYTES)))
    assert swarm.told("evidence") == [{"culprit": "drone_4"}]
    swarm.run(500)
    assert not drone.machine.convicted


@pytest.mark.parametrize("session", [0, 1])
def test_honest_drones_that_restart_are_never_convicted(
    lab: Callable[..., Lab], session: int
) -> None:
    made = lab(loss=0.1)
    for member in range(4):
        made.start(member)
    for round_ in range(8):
        made.run(60 + 30 * round_)
        made.kill(round_ % 4)
        made.run(30)
        made.start(round_ % 4, session=session * (round_ // 4 + 1))
    made.until_decided()
    assert made.told("evidence") == made.told("convicted") == []
    for drone in made.drones.values():
        assert verify_ledger(drone.keeper.store, made.crew.trust).convictions == ()
