# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A start from a snapshot is a start from the whole ledger, or falls back to one."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from msgspec.structs import replace

from swarm_ledger.encoding import digest, encode
from swarm_ledger.envelope import Kind, seal
from swarm_ledger.errors import NotVerified
from swarm_ledger.ledger.store import Store
from swarm_ledger.rules.rule import Ask
from swarm_ledger.rules.state import BookState
from swarm_ledger.runtime import snapshot
from swarm_ledger.runtime.blocks import genesis_entry
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.evidence import accusation
from swarm_ledger.runtime.export import find_decision
from swarm_ledger.runtime.keeper import Keeper
from swarm_ledger.runtime.machine import Machine
from swarm_ledger.runtime.membership import Membership, membership_of, roster_request
from swarm_ledger.voting import limits
from swarm_ledger.voting.observation import Observation
from swarm_ledger.voting.question import Question
from tests.anchored import anchor, sealed_anchor
from tests.crew import DAY_S, T0_MS, T0_S, Crew
from tests.lab import Lab
from tests.laid_open import lay_open
from tests.ruled import (
    PAD,
    cup_rule,
    grants_in,
    lease_rule,
    member_id,
    sealed_claim,
    sealed_rule,
)

MakeLab = Callable[..., Lab]
CREW = Crew(5)
SESSIONS = [CREW.identity(name).delegation for name in CREW.names]
SECOND = CREW.changed(CREW.roster, revoke=["drone_5"])
LATER = [
    CREW.identity(name, roster=SECOND.roster).delegation
    for name in ("drone_1", "drone_2", "drone_3", "drone_4")
]
OVER = CREW.identity("drone_1", 3, start_s=T0_S - DAY_S, seconds=DAY_S // 2).delegation
FIRST = anchor(1)
LIES = [CREW.vote("drone_2", label) for label in (0, 1)]


def question(number: int, duration_ms: int = 8_000) -> Question:
    return replace_struct(CREW.question, nonce=number.to_bytes(16, "big"), duration_ms=duration_ms)


def replace_struct(asked: Question, **changes: object) -> Question:
    fields = {name: getattr(asked, name) for name in asked.__struct_fields__}
    return Question(**{**fields, **changes})


def voted(name: str, number: int, label: int = 0, duration_ms: int = 8_000) -> bytes:
    about = digest(encode(question(number, duration_ms)))
    said = Observation(about, label, 900_000, T0_MS, bytes(32), 500, 3_000)
    return seal(Kind.VOTE, encode(said), CREW.session(name), CREW.roster)


def asks(name: str) -> bytes:
    return sealed_claim(CREW, name, Ask(PAD, 1, 1, 4_000))


LONG = 80_000_000
RULES = [sealed_rule(CREW, cup_rule()), sealed_rule(CREW, lease_rule())]
BLOCKS = [
    (0, [*SESSIONS[:4], CREW.asked(), *RULES]),
    (9, [LIES[0], OVER, CREW.vote("drone_1"), sealed_anchor(CREW, "drone_3", FIRST)]),
    (4, [CREW.asked(question(1, LONG)), LIES[1], *SESSIONS[4::-4], asks("drone_5")]),
    (
        20,
        [
            *(accusation(*LIES), CREW.vote("drone_3"), voted("drone_1", 1, 1, LONG)),
            *(asks(name) for name in ("drone_1", "drone_2", "drone_3")),
            sealed_anchor(CREW, "drone_3", anchor(2, FIRST.digest)),
            *(sealed_anchor(CREW, name, FIRST) for name in ("drone_1", "drone_5")),
        ],
    ),
    (8_009, [accusation(*LIES), CREW.vote("drone_4")]),
    (8_010, [CREW.asked(question(2)), voted("drone_3", 2)]),
    (8_011, [roster_request(SECOND)]),
    (8_012, LATER),
    (20_000, []),
]
"""From genesis on: each block's time after T0, and its requests."""


class Ledger:
    """A store with a machine, and a snapshot after every block, which nobody drops."""

    def __init__(self) -> None:
        self.store, self.machine = Store.open(":memory:"), Machine(CREW.trust)
        self.store.append_block(0, [genesis_entry(CREW.roster)], b"")
        self.taken: dict[int, bytes] = {}

    def grow(self, time_ms: int, bodies: list[bytes]) -> tuple[bytes, ...]:
        applied = self.machine.apply(self.store.height + 1, T0_MS + time_ms, bodies)
        self.store.append_block(applied.height, applied.entries, b"")
        self.taken[applied.height] = snapshot.take(self.machine)
        return applied.entries

    def keep(self, *heights: int) -> None:
        for height in heights:
            self.store.snapshot_put(height, self.taken[height], self.store.snapshot_heights())


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    made = Ledger()
    with made.store:
        for time_ms, bodies in BLOCKS:
            made.grow(time_ms, bodies)
        yield made


def whole(members: Membership) -> list[object]:
    eras = [(era.roster, era.base, era.opener.sessions(), era.expires_s) for era in members.eras]
    return [eras, members.convicted, members.convictions, members.times, members.state()]


def test_the_blocks_hold_what_they_are_meant_to(ledger: Ledger) -> None:
    members = ledger.machine.members
    assert [len(era.opener.sessions()) for era in members.eras] == [5, 4]
    assert [one.culprit.name for one in members.convictions] == ["drone_2"]
    assert [q.height for q in ledger.machine.tally.open_questions()] == [3]
    assert [chain.told.sequence for chain in ledger.machine.chains.kept()] in ([1, 2], [2, 1])
    assert len(ledger.store.find(Kind.DECISION)) == 2
    held = [(grant.member, grant.number) for grant in grants_in(ledger.store)]
    names = ["drone_5", "drone_1", "drone_3"]
    assert held == [(member_id(CREW, name), place) for place, name in enumerate(names, start=1)]


@pytest.mark.parametrize("height", range(1, len(BLOCKS) + 1))
def test_a_restored_machine_goes_on_like_one_that_replayed(ledger: Ledger, height: int) -> None:
    ledger.keep(height)
    restored = snapshot.restore(ledger.store, CREW.trust, height)
    replayed = Machine(CREW.trust)
    for past in range(1, height + 1):
        replayed.follow(past, ledger.store.block(past).entries)
    assert (restored.height, restored.time_ms) == (height, replayed.time_ms)
    assert restored.tally.open_questions() == replayed.tally.open_questions()
    assert whole(restored.members) == whole(replayed.members)
    assert restored.chains.kept() == replayed.chains.kept()
    assert restored.rules.kept() == replayed.rules.kept()
    for number in (1, 2, 3):
        assert restored.tally.decision(number) == replayed.tally.decision(number)
    for asked in (CREW.question, question(1, LONG), question(2)):
        key = digest(encode(asked))
        assert restored.asked(key) == replayed.asked(key)
    for later in range(height + 1, ledger.store.height + 1):
        restored.follow(later, ledger.store.block(later).entries)
    again = [CREW.asked(question(n, LONG if n == 1 else 8_000)) for n in (1, 2, 3)]
    assert ledger.grow(20_001, again) == restored.apply(10, T0_MS + 20_001, again).entries


def test_members_are_those_that_the_whole_ledger_leads_to(ledger: Ledger) -> None:
    expected = whole(membership_of(ledger.store, CREW.trust))
    assert whole(snapshot.members_in(ledger.store, CREW.trust)) == expected
    for height in ledger.taken:
        ledger.keep(height)
        assert whole(snapshot.members_in(ledger.store, CREW.trust)) == expected
    ledger.store.database.run("UPDATE snapshots SET data = x'00'")
    assert whole(snapshot.members_in(ledger.store, CREW.trust)) == expected


def test_no_changed_byte_of_a_snapshot_passes(ledger: Ledger) -> None:
    """Either it is refused, or what comes of it is the very same state."""
    rng, refused = random.Random(3), 0
    good, height = ledger.taken[4], 4
    expected = snapshot_of(ledger, good, height)
    for place in range(len(good)):
        changed = bytearray(good)
        changed[place] ^= 1 << rng.randrange(8)
        try:
            assert snapshot_of(ledger, bytes(changed), height) == expected
        except NotVerified:
            refused += 1
    assert refused >= len(good) - 8


def snapshot_of(ledger: Ledger, data: bytes, height: int) -> list[object]:
    ledger.store.snapshot_put(height, data)
    machine = snapshot.restore(ledger.store, CREW.trust, height)
    return [machine.state(), machine.tally.open_questions(), machine.members.state()]


def test_what_is_no_snapshot_is_refused(ledger: Ledger) -> None:
    forged = {
        b"": "not a valid message",
        ledger.taken[3]: "another height",
        bytes(snapshot.MAX_SNAPSHOT_BYTES + 1): "bytes where at most",
    }
    for data, why in forged.items():
        ledger.store.snapshot_put(4, data)
        with pytest.raises(NotVerified, match=why):
            snapshot.restore(ledger.store, CREW.trust, 4)
    ledger.store.snapshot_put(99, ledger.taken[4])
    with pytest.raises(NotVerified, match="another height"):
        snapshot.restore(ledger.store, CREW.trust, 99)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        ("UPDATE entries SET data = x'0100' WHERE idx = 3", "not those in the tree"),
        (
            "UPDATE entries SET data = x'03' WHERE substr(data, 1, 1) = x'22'",
            "not those in the tree",
        ),
        ("DELETE FROM rare WHERE kind = 34", "other decisions"),
    ],
)
def test_a_ledger_that_the_snapshot_does_not_fit_is_noticed(
    ledger: Ledger, damage: str, why: str
) -> None:
    ledger.keep(9)
    lay_open(ledger.store.database._connection)
    ledger.store.database.run(damage)
    ledger.store.reread()
    with pytest.raises(NotVerified, match=why):
        snapshot.restore(ledger.store, CREW.trust, 9)


def test_a_rule_book_has_one_form(ledger: Ledger) -> None:
    """Out of order it would be the same state in other bytes, and empty it is no rule book."""
    good = snapshot.parse_snapshot(ledger.taken[4])
    assert isinstance(good, snapshot.Ruled)
    turned = replace(good.rules, standing=good.rules.standing[::-1])
    for rules, why in ((turned, "rules are out of order"), (BookState(), "another form")):
        ledger.store.snapshot_put(4, encode(replace(good, rules=rules)))
        with pytest.raises(NotVerified, match=why):
            snapshot.restore(ledger.store, CREW.trust, 4)


# where a start begins


def begun(ledger: Ledger) -> tuple[int, list[str]]:
    told: list[str] = []
    machine = snapshot.begin(ledger.store, CREW.trust, lambda why: told.append(str(why)))
    return machine.height, told


def test_a_start_begins_before_the_oldest_open_question(ledger: Ledger) -> None:
    """What was said about it, also by ourselves, has to be seen again."""
    assert begun(ledger) == (0, [])
    ledger.keep(3, 5, 9)
    assert begun(ledger) == (0, [])
    ledger.keep(2)
    assert begun(ledger) == (2, [])
    ledger.grow(LONG + 10, [])
    ledger.keep(10)
    assert ledger.machine.tally.open_questions() == ()
    assert begun(ledger) == (10, [])


def test_damage_is_told_and_done_without(ledger: Ledger) -> None:
    ledger.grow(LONG + 10, [])
    ledger.keep(2)
    ledger.store.snapshot_put(10, ledger.taken[10][:-1], [2])
    height, (why,) = begun(ledger)
    assert height == 0
    assert "snapshot 10" in why


def test_needed_are_those_right_before_an_open_question() -> None:
    assert snapshot.needed([1, 5, 9, 12], []) == set()
    assert snapshot.needed([12, 1, 9, 5], [5, 6, 10, 30]) == {1, 5, 9, 12}
    assert snapshot.needed([5, 9], [5, 3]) == set()


def test_only_the_decisions_that_are_remembered_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (limits, snapshot):
        monkeypatch.setattr(module, "RETAINED_DECISIONS", 2)
    for module in ("voting.tally", "runtime.machine"):
        monkeypatch.setattr(f"swarm_ledger.{module}.RETAINED_DECISIONS", 2)
    ledger = Ledger()
    with ledger.store as store:
        ledger.grow(0, SESSIONS)
        for number in range(1, 6):
            ledger.grow(number * 10, [CREW.asked(question(number, 5))])
            ledger.grow(number * 10 + 6, [])
        ledger.keep(store.height)
        restored = snapshot.restore(store, CREW.trust, store.height)
        known = [restored.tally.decision(number) is not None for number in range(1, 6)]
        assert known == [False, False, False, True, True]
        for number in range(1, 6):
            assert find_decision(store, number)[1].question == question(number, 5)


# drones


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "EVERY", 1)


def test_a_drone_starts_from_its_snapshot_and_says_nothing_new(lab: MakeLab, often: None) -> None:
    swarm = lab()
    for member in range(4):
        swarm.start(member)
    swarm.until_decided()
    for life in (1, 2):  # whose new sessions make more blocks
        swarm.kill(3)
        swarm.start(3, session=life)
        swarm.until(swarm.drones[0].keeper.store.height + 1)
    before = swarm.drones[1].machine
    store = swarm.drones[1].keeper.store
    assert store.snapshot_heights()[-1] > 1
    recent = [digest(b) for h in range(1, store.height + 1) for b in requests(store, h)]
    swarm.kill(1)
    swarm.start(1)
    drone = swarm.drones[1]
    assert drone.machine.state() == before.state()
    keeper = Keeper(drone.keeper.store, swarm.crew.trust)
    keeper.resume(lambda why: pytest.fail(str(why)))
    begun_at = keeper.machine.height
    assert begun_at == keeper.store.snapshot_heights()[-1]
    behind = keeper.requests_before()
    assert behind == recent[: len(behind)]
    later = [digest(r.body) for applied in keeper.replay() for r in applied.receipts]
    assert behind + later == recent
    swarm.kill(0)
    swarm.start(0, session=1)
    swarm.until(store.height + 1)
    swarm.assert_no_contradiction()


def requests(store: Store, height: int) -> list[bytes]:
    return [entry for entry in store.block(height).entries if entry[0] < Kind.GENESIS]


def test_a_drone_remembers_its_vote_on_an_open_question(
    lab: MakeLab, often: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger has it, the disk has a snapshot behind it, and its images say something else."""
    crew = Crew()
    crew.question = question(0, 60_000)
    swarm = lab(crew=crew)

    def start(member: int, session: int = 0) -> None:
        swarm.start(member, session=session)  # the others' votes would settle the question
        monkeypatch.setattr(swarm.drones[member].ballots, "look", lambda look: None)

    def until(met: Callable[[], bool]) -> None:
        for _ in range(900):
            if met():
                return
            swarm.step()
        raise AssertionError("that never came about")

    start(0)
    swarm.start(1)
    start(2)
    drone = swarm.drones[1]
    heights = drone.keeper.store.snapshot_heights
    until(lambda: bool(heights()) and any(own_votes(drone)))
    for height, life in ((4, 0), (5, 1)):  # two sessions make two more blocks
        start(3, life)
        until(partial(stable, drone, height))
        swarm.kill(3)
    assert own_votes(drone)[0] <= heights()[-1]
    swarm.kill(1)
    swarm.start(1)
    assert not swarm.drones[1].curious
    assert swarm.drones[1].keeper.store.snapshot_heights()[-1] >= own_votes(swarm.drones[1])[0]
    swarm.run(1_000)
    swarm.assert_no_contradiction()


def stable(drone: Drone, height: int) -> bool:
    return drone.engine.current.replica.stable_seq >= height


def own_votes(drone: Drone) -> list[int]:
    questions = drone.machine.tally.open_questions()
    return [vote.height for asked in questions for vote in asked.votes if vote.voter == 1]


def test_a_session_that_the_disk_lost_is_found_behind_the_snapshot(
    lab: MakeLab, often: None
) -> None:
    swarm = lab()
    for member in range(4):
        swarm.start(member)
    swarm.until_decided()
    swarm.kill(2)
    swarm.start(2, session=1, first=1)
    assert swarm.drones[2].standing == "mute"
    assert len(swarm.told("lost_disk")) == 1


def test_a_damaged_snapshot_is_told_and_the_ledger_replayed(lab: MakeLab, often: None) -> None:
    swarm = lab()
    for member in range(4):
        swarm.start(member)
    swarm.until_decided()
    store, state = swarm.drones[3].keeper.store, swarm.drones[3].machine.state()
    newest = store.snapshot_heights()[-1]
    store.snapshot_put(newest, store.snapshot(newest)[:-1] + b"\xff")
    swarm.kill(3)
    swarm.start(3)
    assert swarm.drones[3].machine.state() == state
    (told,) = swarm.told("snapshot_damaged")
    assert f"snapshot {newest}" in str(told["what"])
