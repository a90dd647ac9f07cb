# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The swarm's members change in flight: at one height everywhere, and not by a forged roster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from swarm_ledger.audit.ledger import verify_ledger
from swarm_ledger.consensus.messages import Checkpoint, Commit, Committed, Status
from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, seal
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity.roster import Roster, check_succession
from swarm_ledger.identity.trust import Version
from swarm_ledger.light_client import verify_proof
from swarm_ledger.light_client.policies import check_policy_file, policy_file
from swarm_ledger.runtime.export import find_decision, prove, sessions_in
from swarm_ledger.runtime.machine import Machine
from swarm_ledger.runtime.membership import membership_of, roster_request
from tests.crew import DAY_S, T0_MS, Crew
from tests.lab import Lab
from tests.laid_open import lay_open, rebuild

MakeLab = Callable[..., Lab]
CREW = Crew()
ONE = CREW.changed(CREW.roster, add=["drone_5"])


def swarm_of(lab: MakeLab, *, crew: Crew = CREW, **options: object) -> Lab:
    """A swarm of the crew's drones that has decided once."""
    made = lab(crew=crew, places=16, **options)
    for member in made.names:
        made.start(member)
    made.until_decided()
    return made


def hand_in(lab: Lab, version: Version, to: int = 1) -> None:
    """Hand a roster to one drone, and learn the names of those in it."""
    lab.names.update({m.index: m.name for m in version.roster.members if m.index in new(version)})
    lab.drones[to].submit(roster_request(version), lab.now_ms)


def new(version: Version) -> set[int]:
    return {m.index for m in version.roster.members if m.index in version.roster.validators}


def until(lab: Lab, done: Callable[[], bool], ms: int = 30_000) -> None:
    for _ in range(ms // 10):
        if done():
            return
        lab.step()
    raise AssertionError([drone.status() for drone in lab.drones.values()])


def until_epoch(lab: Lab, version: int) -> None:
    """All drones that are up have reached an epoch, all its members are on the ledger, and what
    they hold is certified.
    """

    def there() -> bool:
        drones = list(lab.drones.values())
        members = [d for d in drones if d.standing == "member"]
        return all(d.roster.version == version for d in drones) and all(
            d.engine.speaks for d in members
        )

    until(lab, there)
    lab.run(500)
    members = {m: d for m, d in lab.drones.items() if d.standing == "member"}
    everybody, lab.drones = lab.drones, dict(members)
    lab.until(min(d.keeper.store.height for d in members.values()))
    lab.drones = everybody


def examine(lab: Lab, *versions: Version) -> None:
    """All members hold one ledger, which verifies, and whose eras begin at the same heights."""
    lab.assert_no_contradiction()
    members = [d for d in lab.drones.values() if d.standing == "member"]
    assert len({drone.keeper.store.root() for drone in members}) == 1
    for drone in members:
        store = drone.keeper.store
        verdict = verify_ledger(store, lab.crew.trust)
        assert verdict.covered == verdict.size
        eras = membership_of(store, lab.crew.trust).eras
        assert [era.roster for era in eras] == [lab.crew.roster, *(v.roster for v in versions)]
        index, _ = find_decision(store, 1)
        text = policy_file(sessions_in(store, lab.crew.trust, entry=index))
        policy = check_policy_file(text, lab.crew.knowing(*versions))
        assert verify_proof(policy, prove(store, index)).index == index


def decides(lab: Lab, number: int, roster: Roster) -> None:
    """The operator asks again, under that roster, and the members of today answer."""
    question = lab.crew.question
    payload = encode(replace_nonce(question, number))
    asked = seal(Kind.QUESTION, payload, lab.crew.root("operator_1"), roster)
    somebody = next(d for d in lab.drones.values() if d.standing == "member")
    somebody.submit(asked, lab.now_ms)
    members = [d for d in lab.drones.values() if d.standing == "member"]
    until(lab, lambda: all(d.machine.tally.decision(number) for d in members))
    decision = members[0].machine.tally.decision(number)
    assert decision is not None
    assert decision.voters == len(roster.voters)


def replace_nonce(question: object, number: int) -> object:
    import msgspec

    return msgspec.structs.replace(question, nonce=bytes([number]) * 16)


# who joins, who leaves


def test_one_more(lab: MakeLab) -> None:
    """drone_5 was given the new roster, and nothing of the ledger; it verifies it all."""
    made = swarm_of(lab)
    hand_in(made, ONE)
    until_epoch(made, 2)
    made.trust[6] = CREW.knowing(ONE)
    made.start(6)
    assert made.drones[6].standing == "joining"
    until(made, lambda: made.drones[6].engine.speaks)
    until_epoch(made, 2)
    decides(made, 2, ONE.roster)
    until_epoch(made, 2)
    examine(made, ONE)
    assert made.drones[6].status()["epoch"] == 2
    assert made.drones[0].greeting.met == 5


def test_who_vouches_for_the_end_of_an_epoch_is_heard_though_the_next_has_begun(
    lab: MakeLab,
) -> None:
    """What waits to be said on a narrow link is judged by the epoch that it is about."""
    made = swarm_of(lab)
    hand_in(made, ONE)
    engine = made.drones[1].engine
    until(made, lambda: bool(engine.epochs.retired))
    ended, end = engine.epochs.retired[0].replica, engine.current.base
    assert ended.stable_seq < end
    assert not engine.needless(Checkpoint(end, 1, bytes(32), bytes(72)))
    commit = Commit(0, end, bytes(32))
    assert not engine.needless(commit)
    until_epoch(made, 2)
    assert ended.stable_seq == end
    assert engine.needless(commit)


def test_one_that_waits_for_its_roster_to_be_ordered_has_it_ordered(lab: MakeLab) -> None:
    made = swarm_of(lab)
    made.names[6] = "drone_5"
    made.trust[6] = CREW.knowing(ONE)
    made.start(6)
    until(made, lambda: all(d.roster.version == 2 for d in made.drones.values()))
    until_epoch(made, 2)
    examine(made, ONE)


def test_one_that_was_given_a_roster_that_never_came_into_force(lab: MakeLab) -> None:
    """Found by simulation, seed 20672: it hears of the next one, and asks as a member of that."""
    made = swarm_of(lab)
    later = CREW.changed(ONE.roster)
    made.names[6] = "drone_5"
    made.trust[6] = CREW.knowing(ONE)
    made.network.carry, carry_on = lambda *_: None, made.network.carry  # type: ignore[method-assign]
    made.start(6)
    made.network.carry = carry_on  # type: ignore[method-assign]
    hand_in(made, later)
    until(made, lambda: all(d.roster.version == 3 for d in made.drones.values()))
    until_epoch(made, 3)
    examine(made, later)


def test_one_less(lab: MakeLab) -> None:
    crew = Crew(5)
    made = swarm_of(lab, crew=crew)
    left = crew.changed(crew.roster, revoke=["drone_2"])
    hand_in(made, left, to=1)
    until_epoch(made, 2)
    gone = made.drones[1]
    assert (gone.standing, gone.status()["standing"]) == ("removed", "removed")
    said = len(made.said)
    decides(made, 2, left.roster)
    assert all(sender != 1 for sender, _ in made.said[said:]), "it says nothing any more"
    until_epoch(made, 2)
    examine(made, left)
    assert gone.keeper.store.height > membership_of(gone.keeper.store, crew.trust).now.base


def test_nobody_hears_a_member_that_was_removed(lab: MakeLab) -> None:
    crew = Crew(5)
    made = swarm_of(lab, crew=crew)
    left = crew.changed(crew.roster, revoke=["drone_5"])
    hand_in(made, left)
    until_epoch(made, 2)
    drone, root, session = made.drones[0], crew.root("drone_5"), crew.session("drone_5", 0, 2)
    with pytest.raises(Misuse):
        _ = crew.identity("drone_6", roster=left.roster)
    own = crew.identity("drone_5", roster=left.roster)
    assert own.member.roles == frozenset()
    for raw, reason in (
        (own.delegation, "not_a_member"),
        (seal(Kind.CONSENSUS, encode(Status(0, 9, 0)), session, left.roster), "unknown_key"),
        (seal(Kind.VOTE, encode(crew.observation()), session, left.roster), "unknown_key"),
        (seal(Kind.CONSENSUS, encode(Status(0, 9, 0)), root, left.roster), "unknown_key"),
        (crew.vote("drone_5"), "stale_epoch"),
        (crew.vote("drone_1"), "stale_epoch"),
        (crew.asked(), "stale_epoch"),
    ):
        before = drone.faults[reason]
        drone.receive(raw, made.now_ms)
        assert drone.faults[reason] == before + 1, (reason, drone.faults)
    until_epoch(made, 2)
    examine(made, left)


def test_one_for_another(lab: MakeLab) -> None:
    made = swarm_of(lab)
    instead = CREW.changed(CREW.roster, revoke=["drone_3"], add=["drone_5"])
    hand_in(made, instead)
    made.trust[6] = CREW.knowing(instead)
    made.start(6)
    until_epoch(made, 2)
    decides(made, 2, instead.roster)
    until_epoch(made, 2)
    examine(made, instead)


def test_a_place_that_was_given_up_is_given_to_another(lab: MakeLab) -> None:
    crew = Crew(5)
    made = swarm_of(lab, crew=crew)
    first = crew.changed(crew.roster, revoke=["drone_2"])
    second = crew.changed(first.roster, give={1: "drone_9"})
    hand_in(made, first, to=0)
    until_epoch(made, 2)
    hand_in(made, second, to=0)
    made.kill(1)
    made.names[1], made.trust[1] = "drone_9", crew.knowing(first, second)
    del made.folders[1]
    made.start(1)
    until_epoch(made, 3)
    decides(made, 2, second.roster)
    until_epoch(made, 3)
    examine(made, first, second)


def test_four_become_seven(lab: MakeLab) -> None:
    """Two may lie from then on, where it was one before."""
    made = swarm_of(lab)
    seven = CREW.changed(CREW.roster, add=["drone_5", "drone_6", "drone_7"])
    hand_in(made, seven)
    for member in (6, 7, 8):
        made.trust[member] = CREW.knowing(seven)
        made.start(member)
    until_epoch(made, 2)
    assert made.drones[0].engine.current.replica.settings.f == 2
    made.kill(0)
    made.kill(1)
    decides(made, 2, seven.roster)
    until_epoch(made, 2)
    examine(made, seven)


def test_a_vote_that_the_change_overtook_is_cast_in_the_new_epoch(lab: MakeLab) -> None:
    """It was sealed, sent and not ordered; the same content is sealed again, and counts."""
    made = lab(crew=CREW, places=16)
    for member in range(4):
        made.start(member)
    until(made, lambda: bool(made.drones[1].ballots.sealed))
    hand_in(made, ONE, to=0)
    made.until_decided()
    until_epoch(made, 2)
    decision = made.drones[0].machine.tally.decision(1)
    assert decision is not None
    assert decision.counts[0] >= 3
    examine(made, ONE)


# who was away


@pytest.mark.parametrize("given", [False, True])
def test_a_drone_that_was_cut_off_catches_up_over_two_changes(lab: MakeLab, given: bool) -> None:
    """Those who went on answer it in the epoch that it knows, whether it knows the new ones."""
    crew = Crew(5)
    made = swarm_of(lab, crew=crew)
    first = crew.changed(crew.roster, add=["drone_6"])
    second = crew.changed(first.roster, revoke=["drone_2"])
    made.kill(4)
    hand_in(made, first, to=0)
    made.trust[7] = crew.knowing(first)
    made.start(7)
    until_epoch(made, 2)
    hand_in(made, second, to=0)
    until_epoch(made, 3)
    if given:
        made.trust[4] = crew.knowing(first, second)
    made.start(4)
    until_epoch(made, 3)
    assert made.drones[4].engine.speaks
    examine(made, first, second)


def test_one_that_missed_more_changes_than_are_kept_needs_the_newest_roster(lab: MakeLab) -> None:
    crew = Crew(5)
    made = swarm_of(lab, crew=crew)
    made.kill(4)
    versions: list[Version] = []
    for _ in range(6):
        versions.append(crew.changed(versions[-1].roster if versions else crew.roster))
        hand_in(made, versions[-1], to=0)
        until_epoch(made, versions[-1].roster.version)
    made.start(4)
    made.run(3_000)
    assert made.drones[4].roster.version == 1
    made.kill(4)
    made.trust[4] = crew.knowing(versions[-1])
    made.start(4)
    until_epoch(made, 7)
    examine(made, *versions)


def test_messages_are_lost_during_the_change(lab: MakeLab) -> None:
    made = swarm_of(lab, loss=0.2, seed=5)
    hand_in(made, ONE)
    made.trust[6] = CREW.knowing(ONE)
    made.start(6)
    until_epoch(made, 2)
    decides(made, 2, ONE.roster)
    until_epoch(made, 2)
    examine(made, ONE)


def test_all_restart_after_the_change(lab: MakeLab) -> None:
    made = swarm_of(lab)
    hand_in(made, ONE)
    until_epoch(made, 2)
    for member in range(4):
        made.kill(member)
    for member in range(4):
        made.start(member)
    made.until(made.drones[0].keeper.store.height)
    assert all(d.roster == ONE.roster for d in made.drones.values())
    examine(made, ONE)


# at any effect around the change


@pytest.mark.parametrize("member", [0, 2])
@pytest.mark.parametrize("effect", range(1, 26, 3))
def test_it_dies_around_the_change(lab: MakeLab, member: int, effect: int) -> None:
    """The leader and a backup, before and after each write and each message."""
    made = swarm_of(lab)
    hand_in(made, ONE)
    fuse = made.fuses[member]
    fuse.at = fuse.count + effect
    until(made, lambda: member in made.died)
    made.run(200)
    made.start(member)
    until_epoch(made, 2)
    examine(made, ONE)


# who may change it


def refused(lab: Lab, raw: bytes, reason: str) -> None:
    drone = lab.drones[0]
    before = drone.faults[reason]
    drone.receive(raw, lab.now_ms)
    assert drone.faults[reason] == before + 1, drone.faults


def test_rosters_that_are_not_the_swarms_next(lab: MakeLab) -> None:
    made = swarm_of(lab)
    other = Crew(swarm="other")
    moved = list(CREW.roster.members)
    moved[0], moved[1] = replace(moved[1], index=0), replace(moved[0], index=1)
    evil = CREW.changed(CREW.roster, add=["drone_5"], by=["drone_1"])
    for version in (
        evil,
        CREW.changed(CREW.roster, add=["drone_5"], by=[]),
        other.changed(other.roster, add=["drone_5"]),
        CREW.changed(other.roster, add=["drone_5"]),
        CREW.changed(CREW.roster, give={0: "drone_5"}),
        CREW.changed(CREW.roster, give={0: "drone_2", 1: "drone_1"}),
    ):
        refused(made, roster_request(version), "bad_roster")
    refused(made, roster_request(CREW.trust.versions[0]), "stale_roster")
    refused(made, b"\x06" + encode([ONE.targets]), "malformed")
    refused(made, b"\x06" + encode([ONE.targets, ONE.roster.raw + b" "]), "bad_roster")
    hand_in(made, ONE)
    until_epoch(made, 2)
    refused(made, roster_request(CREW.trust.versions[0]), "stale_roster")
    refused(made, roster_request(ONE), "stale_roster")
    late = CREW.changed(ONE.roster, revoke=["drone_5"])
    made.now_ms += 400 * DAY_S * 1000
    refused(made, roster_request(late), "expired_roster")


def test_a_liar_can_order_them_and_nothing_changes() -> None:
    """The state machine judges for itself, whatever consensus lets through."""
    machine = Machine(CREW.trust)
    later = CREW.changed(ONE.roster, add=["drone_6"])
    evil = CREW.changed(CREW.roster, add=["evil"], by=["drone_1"])
    bodies = [roster_request(v) for v in (evil, CREW.trust.versions[0], ONE)]
    applied = machine.apply(1, T0_MS, bodies)
    assert [r.result for r in applied.receipts] == [
        "invalid: bad_roster",
        "invalid: stale_roster",
        "roster",
    ]
    assert applied.roster == ONE.roster
    too_late = T0_MS + 400 * DAY_S * 1000
    ended = machine.apply(2, too_late, [roster_request(ONE), roster_request(later)])
    assert [r.result for r in ended.receipts] == [
        "invalid: stale_roster",
        "invalid: expired_roster",
    ]
    assert ended.roster is None
    assert [era.base for era in machine.members.eras] == [0, 1]


@pytest.mark.parametrize("order", [1, -1])
def test_of_several_rosters_in_a_block_the_highest_takes_effect(order: int) -> None:
    """What was ordered once is not ordered again: the higher one would be lost for good."""
    machine = Machine(CREW.trust)
    later = CREW.changed(ONE.roster, add=["drone_6"])
    applied = machine.apply(1, T0_MS, [roster_request(v) for v in (ONE, later)][::order])
    results = [r.result for r in applied.receipts]
    assert results == (["roster", "roster"] if order == 1 else ["roster", "invalid: stale_roster"])
    assert applied.roster == later.roster
    assert [era.roster for era in machine.members.eras] == [CREW.roster, later.roster]


def test_votes_of_those_who_left_do_not_count_any_more() -> None:
    crew = Crew(7)
    machine = Machine(crew.trust)
    sessions = [crew.identity(name).delegation for name in crew.names]
    machine.apply(1, T0_MS, [*sessions, crew.asked(), crew.vote("drone_1", 1)])
    machine.apply(2, T0_MS, [crew.vote("drone_2", 0), crew.vote("drone_3", 0)])
    left = crew.changed(crew.roster, revoke=["drone_1"])
    machine.apply(3, T0_MS, [roster_request(left)])
    assert {vote.voter for vote in machine.tally.votes(crew.question_id)} == {1, 2}
    stale = machine.apply(4, T0_MS, [crew.vote("drone_4", 0), crew.asked()])
    assert all(r.result.startswith("invalid: ") for r in stale.receipts)
    later = [crew.identity(name, roster=left.roster).delegation for name in crew.names]
    joined = machine.apply(5, T0_MS, later)
    assert [r.result for r in joined.receipts] == ["invalid: not_a_member"] + ["session"] * 6
    votes = [
        seal(Kind.VOTE, encode(crew.observation(0)), crew.session(name, 0, 2), left.roster)
        for name in ("drone_4", "drone_5", "drone_6")
    ]
    (settled,) = machine.apply(6, T0_MS, votes).decisions
    assert (settled.decision.voters, settled.decision.counts) == (6, (5, 0))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"give": {0: "drone_5"}}, "takes the place of drone_1, who was not revoked before"),
        ({"give": {0: "drone_2", 1: "drone_1"}}, "drone_1 moved from place 0 to 1"),
        ({"version": 1}, "version 1 can't follow version 1"),
    ],
)
def test_what_may_not_follow(change: dict[str, object], said: str) -> None:
    with pytest.raises(Misuse, match=said):
        check_succession(CREW.roster, CREW.changed(CREW.roster, **change).roster)  # type: ignore[arg-type]


def test_what_else_may_not_follow() -> None:
    old = CREW.changed(CREW.roster, add=["drone_5"]).roster
    with pytest.raises(Misuse, match="fewer than"):
        check_succession(old, CREW.changed(CREW.roster, version=9).roster)
    with pytest.raises(Misuse, match="can't follow one of"):
        check_succession(old, Crew(swarm="other", version=9).roster)
    renamed = [replace(m, name="robin") if m.index == 0 else m for m in old.members]
    with pytest.raises(Misuse, match="a key keeps its name"):
        check_succession(old, replace(old, version=9, members=tuple(renamed)))
    gone = CREW.changed(old, revoke=["drone_5"]).roster
    check_succession(gone, CREW.changed(gone, give={6: "drone_6"}).roster)
    with pytest.raises(Misuse, match="moved from place 6 to 7"):
        check_succession(gone, CREW.changed(gone, give={6: "x", 7: "drone_5"}).roster)


# years later


def test_an_auditor_follows_the_rosters_and_believes_no_other(lab: MakeLab) -> None:
    made = swarm_of(lab)
    hand_in(made, ONE)
    until_epoch(made, 2)
    store = made.drones[0].keeper.store
    assert verify_ledger(store, CREW.trust).covered == store.size
    base = membership_of(store, CREW.trust).now.base
    block = store.block(base)
    place = next(i for i, entry in enumerate(block.entries) if entry[0] == Kind.ROSTER)
    index = block.first + place
    forged = roster_request(CREW.changed(CREW.roster, add=["evil"], by=["drone_1"]))
    lay_open(store.database._connection)
    store.database.run("UPDATE entries SET data = ? WHERE idx = ?", (forged, index))
    with pytest.raises(NotVerified, match=f"height {base}: its entries are not those"):
        verify_ledger(store, CREW.trust)
    rebuild(store.database._connection)
    with pytest.raises(NotVerified, match="height"):
        verify_ledger(store, CREW.trust)


def test_a_proof_needs_the_policy_of_its_own_epoch(lab: MakeLab) -> None:
    made = swarm_of(lab)
    hand_in(made, ONE)
    until_epoch(made, 2)
    decides(made, 2, ONE.roster)
    until_epoch(made, 2)
    store, trust = made.drones[0].keeper.store, CREW.knowing(ONE)
    proofs = [find_decision(store, number)[0] for number in (1, 2)]
    first, second = (policy_file(sessions_in(store, trust, entry=index)) for index in proofs)
    for text, index, other in ((first, proofs[0], second), (second, proofs[1], first)):
        assert verify_proof(check_policy_file(text, trust), prove(store, index)).index == index
        with pytest.raises(NotVerified):
            verify_proof(check_policy_file(other, trust), prove(store, index))
    with pytest.raises(NotVerified):
        check_policy_file(second, CREW.trust)


def test_blocks_are_served_up_to_the_end_of_their_epoch(lab: MakeLab) -> None:
    made = swarm_of(lab)
    hand_in(made, ONE)
    until_epoch(made, 2)
    keeper = made.drones[0].keeper
    base = keeper.machine.members.now.base
    assert [block.seq for block in keeper.blocks(1, 99)] == list(range(1, base + 1))
    assert next(keeper.blocks(base + 1, 99)).seq == base + 1
    assert isinstance(next(keeper.blocks(1, 1)), Committed)


def test_what_old_members_commit_behind_the_end_is_void(lab: MakeLab) -> None:
    """A quorum of the old epoch signs one block more: nobody takes it."""
    made = swarm_of(lab)
    hand_in(made, ONE)
    until_epoch(made, 2)
    drone = made.drones[0]
    height, base = drone.keeper.store.height, drone.machine.members.now.base
    from swarm_ledger.consensus.messages import Batch

    batch = Batch(base + 1, T0_MS, ())
    commits = tuple(CREW.say(name, Commit(0, base + 1, batch.digest())) for name in CREW.names[1:])
    drone.receive(CREW.say("drone_2", Committed(base + 1, T0_MS, (), commits)), made.now_ms)
    assert drone.keeper.store.height == height
    with pytest.raises(PeerFault):
        drone.engine.current.seat.doorman.open_consensus(commits[0])
