# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Members whose votes only their root key signs: a stolen session key does not vote."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from swarm_ledger.audit.ledger import verify_ledger
from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, Opener, kind_of, seal
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity import edits
from swarm_ledger.identity.cose import kid, parse1
from swarm_ledger.identity.enrolment import make_request, open_request
from swarm_ledger.identity.roster import FLYING, parse_roster, render_roster
from swarm_ledger.identity.trust import Trust, Version
from swarm_ledger.identity.tuf import sign_root, sign_roster
from swarm_ledger.runtime.doorman import Doorman
from swarm_ledger.runtime.errand import RETRY_S
from swarm_ledger.runtime.evidence import accusation
from swarm_ledger.runtime.identity import FolderKeys, resume, take_up
from swarm_ledger.runtime.machine import Machine
from swarm_ledger.signers import KeyStore, Signer
from swarm_ledger.voting.observation import parse_observation
from tests.crew import DAY_S, END, T0_MS, T0_S, Crew
from tests.lab import Lab
from tests.security.test_changing_members import hand_in, until

MakeLab = Callable[..., Lab]
NAME, MEMBER = "drone_2", 1


class Token:
    """A root key in a token. may: set while it signs; failure: what it says instead."""

    key_store = KeyStore.PKCS11

    def __init__(self, inner: Signer) -> None:
        self._inner = inner
        self.algorithm, self.public_key = inner.algorithm, inner.public_key
        self.attributes = inner.attributes
        self.may, self.failure = threading.Event(), ""
        self.may.set()
        self.threads: list[threading.Thread] = []

    def sign(self, message: bytes) -> bytes:
        self.threads.append(threading.current_thread())
        assert self.may.wait(30)
        if self.failure:
            raise Misuse(self.failure, remedy="Put it back.")
        return self._inner.sign(message)

    def join(self) -> None:
        """Wait for the signatures under way, none of which holds up the drone's own thread."""
        for thread in self.threads:
            if thread is not threading.main_thread():
                thread.join(30)
                assert not thread.is_alive()


class HardCrew(Crew):
    """Four drones whose votes their root keys sign, in tokens that are slow when they are told."""

    def __init__(self) -> None:
        self.tokens: dict[str, Token] = {}
        super().__init__()
        members = [
            replace(m, key_store=KeyStore.PKCS11, hardware_only=True)
            if m.name.startswith("drone_")
            else m
            for m in self.roster.members
        ]
        self.raw_roster = render_roster(self.swarm, self.version, members)
        self.roster = parse_roster(self.raw_roster)
        operators = [self.root("operator_1")]
        targets = sign_roster(self.raw_roster, operators, expires=END)
        root = sign_root(operators, threshold=1, expires=END)
        self.anchor = root, (targets, self.raw_roster)
        self.trust = Trust(root, [(targets, self.raw_roster)])

    def root(self, name: str) -> Any:
        inner = super().root(name)
        if not name.startswith("drone_"):
            return inner
        return self.tokens.setdefault(name, Token(inner))

    def cast(self, name: str, label: int = 0, *, stolen: bool = False) -> bytes:
        """A vote by the root key, or by the session key as its thief would seal it."""
        signer = self.session(name) if stolen else self.root(name)
        return seal(Kind.VOTE, encode(self.observation(label)), signer, self.roster)


@pytest.fixture
def hard() -> HardCrew:
    return HardCrew()


def opened(crew: Crew, raw: bytes) -> str:
    """The reason why it is refused, or who said it with what key."""
    try:
        found = crew.opener().open(raw)
    except PeerFault as fault:
        return fault.reason
    return f"{found.author.name} {'session' if found.session else 'root'}"


# who may seal a vote


def test_only_the_root_key_votes(hard: HardCrew) -> None:
    assert opened(hard, hard.cast(NAME)) == f"{NAME} root"
    assert opened(hard, hard.cast(NAME, stolen=True)) == "wrong_key"


def test_a_drone_says_so_at_the_door(hard: HardCrew) -> None:
    """Also while its session is not on the ledger yet."""
    doorman = Doorman(hard.opener([]))
    doorman.lobby.add_session(hard.identity(NAME).delegation)
    with pytest.raises(PeerFault, match="votes with its root key only") as caught:
        doorman.open(hard.cast(NAME, stolen=True))
    assert caught.value.reason == "wrong_key"
    assert doorman.open(hard.cast(NAME)).author.name == NAME


def test_a_forged_one_is_forged_and_accuses_nobody_of_a_theft(hard: HardCrew) -> None:
    raw = hard.cast(NAME, stolen=True)
    assert opened(hard, raw[:-1] + bytes([raw[-1] ^ 1])) == "bad_signature"
    good = hard.cast(NAME)
    assert opened(hard, good[:-1] + bytes([good[-1] ^ 1])) == "bad_signature"


def test_root_keys_say_nothing_else(hard: HardCrew) -> None:
    for kind in (Kind.TICK, Kind.CONSENSUS, Kind.QUESTION, Kind.RELAYED, Kind.WELCOME):
        raw = seal(kind, encode([1, 1]), hard.root(NAME), hard.roster)
        assert opened(hard, raw) == "unknown_key"


def test_other_members_root_keys_vote_for_nobody(crew: Crew) -> None:
    raw = seal(Kind.VOTE, encode(crew.observation()), crew.root(NAME), crew.roster)
    assert opened(crew, raw) == "unknown_key"


def test_revoked_it_does_not_vote(hard: HardCrew) -> None:
    later = changed(hard, lambda member: replace(member, roles=frozenset()))
    raw = seal(Kind.VOTE, encode(hard.observation()), hard.root(NAME), later.roster)
    with pytest.raises(PeerFault) as caught:
        Opener(later.roster).open(raw)
    assert caught.value.reason == "unknown_key"


def test_its_own_root_key_as_session_key_changes_nothing(hard: HardCrew) -> None:
    """What a vote is must not depend on whether a session was heard of before it."""
    root = hard.root(NAME)
    same = take_up(hard.roster, root, root, not_before=T0_S, expires=T0_S + 60)
    opener = hard.opener()
    raw = hard.cast(NAME)
    before = opener.open(raw)
    opener.add_session(same.delegation)
    assert Opener(hard.roster, opener.verified).open(raw) == before
    fresh = hard.opener()
    fresh.add_session(same.delegation)
    assert fresh.open(raw) == before


def changed(crew: Crew, edit: Callable[[Any], Any]) -> Version:
    """A second roster version with another drone_2."""
    members = [edit(m) if m.name == NAME else m for m in crew.roster.members]
    if sum(bool(m.roles) for m in members) < 6:
        extra = replace(members[0], name="drone_9", public_key=Crew().root("drone_9").public_key)
        members.append(replace(extra, index=len(members)))
    raw = render_roster(crew.swarm, 2, members)
    signed = sign_roster(raw, [crew.root("operator_1")], expires=END)
    return Version(signed, parse_roster(raw))


# on the ledger


def test_each_replay_refuses_it_alike(hard: HardCrew) -> None:
    sessions = [hard.identity(name).delegation for name in hard.names]
    votes = [hard.cast(name, stolen=name == NAME) for name in hard.names]
    blocks = [(T0_MS, [*sessions, hard.asked()]), (T0_MS + 10, votes)]
    one, other = Machine(hard.trust), Machine(hard.trust)
    for height, (time_ms, bodies) in enumerate(blocks, start=1):
        applied = one.apply(height, time_ms, bodies)
        assert other.follow(height, applied.entries).receipts == applied.receipts
    results = [receipt.result for receipt in applied.receipts]
    assert results == ["counted", "invalid: wrong_key", "counted", "counted"]


def test_which_key_votes_follows_from_the_roster_of_that_epoch(hard: HardCrew) -> None:
    """Before the version that asks for it the session votes; after it, the root key alone."""
    soft = changed(hard, lambda member: replace(member, hardware_only=False))
    by = {}
    for roster in (hard.roster, soft.roster):
        opener = Opener(roster)
        identity = hard.identity(NAME, roster=roster)
        opener.add_session(identity.delegation)
        for signer in (identity.session, hard.root(NAME)):
            raw = seal(Kind.VOTE, encode(hard.observation()), signer, roster)
            try:
                by[roster.version, signer is identity.session] = opener.open(raw).author.name
            except PeerFault as fault:
                by[roster.version, signer is identity.session] = fault.reason
    assert by == {
        (1, True): "wrong_key",
        (1, False): NAME,
        (2, True): NAME,
        (2, False): "unknown_key",
    }


def test_evidence_needs_the_key_that_votes(hard: HardCrew) -> None:
    """Who steals a session can't have its owner convicted of voting twice."""
    doorman = Doorman(hard.opener())
    honest, lie = hard.cast(NAME), hard.cast(NAME, 1, stolen=True)
    with pytest.raises(PeerFault) as caught:
        doorman.examine(accusation(honest, lie))
    assert caught.value.reason == "wrong_key"
    both = accusation(honest, hard.cast(NAME, 1))
    assert doorman.examine(both).culprit.name == NAME


# a swarm of them


@pytest.fixture
def swarm(lab: MakeLab, hard: HardCrew) -> Lab:
    made = lab(crew=hard)
    for member in range(4):
        made.start(member)
    return made


def votes_of(made: Lab, name: str) -> set[bytes]:
    """All votes that name's root key sealed and anybody sent."""
    mine = kid(made.crew.root(name).public_key)
    votes = {raw for _, raw in made.said if kind_of(raw) is Kind.VOTE}
    return {raw for raw in votes if parse1(raw[1:], limit=4096).kid == mine}


def test_it_decides_by_the_votes_of_root_keys(swarm: Lab, hard: HardCrew) -> None:
    swarm.until_decided()
    for name in hard.names:
        assert len(votes_of(swarm, name)) == 1
    decision = swarm.drones[0].machine.tally.decision(1)
    assert decision is not None
    assert sum(decision.counts) >= 3
    assert verify_ledger(swarm.drones[0].keeper.store, hard.trust).decisions
    assert swarm.drones[0].status()["hardware_only"] is True


def test_a_thief_of_a_session_key_does_not_vote(swarm: Lab, hard: HardCrew) -> None:
    """It is refused by all, is on no ledger, and the owner's own vote counts."""
    swarm.keys[MEMBER].votes = False
    until(swarm, lambda: all(d.engine.speaks for d in swarm.drones.values()))
    stolen = seal(Kind.VOTE, encode(hard.observation(1)), hard.session(NAME), hard.roster)
    for member in (0, 2, 3):
        swarm.drones[member].receive(stolen, swarm.now_ms)
        assert swarm.drones[member].faults["wrong_key"] == 1
    swarm.keys[MEMBER].votes = True
    swarm.until_decided()
    store = swarm.drones[0].keeper.store
    assert stolen not in store.entries(0, store.size)
    assert len(votes_of(swarm, NAME)) == 1
    assert swarm.told("evidence") == []


def test_a_vote_waits_for_its_key_and_is_one(swarm: Lab) -> None:
    swarm.keys[MEMBER].votes = swarm.keys[3].votes = False
    until(swarm, lambda: len(votes_of(swarm, "drone_1")) == 1)
    swarm.run(500)
    assert votes_of(swarm, NAME) == set()
    height = swarm.drones[MEMBER].keeper.store.height
    swarm.keys[MEMBER].votes = True
    swarm.until_decided()
    assert len(votes_of(swarm, NAME)) == 1
    assert swarm.drones[MEMBER].keeper.store.height > height


def test_a_vote_whose_key_never_signs_is_given_up(swarm: Lab) -> None:
    swarm.keys[MEMBER].votes = False
    until(swarm, lambda: all(d.engine.speaks for d in swarm.drones.values()))
    swarm.keys[MEMBER].trouble = Misuse("the token was removed.", remedy="Put it back.")
    swarm.until_decided()
    until(swarm, lambda: bool(swarm.told("vote_given_up")))
    swarm.keys[MEMBER].votes = True
    swarm.run(1_000)
    question = swarm.crew.question_id.hex()
    said = {"question": question, "what": "the token was removed. Put it back."}
    assert swarm.told("vote_given_up") == [said]
    assert swarm.told("key") == [{"what": "the token was removed.", "remedy": "Put it back."}]
    assert votes_of(swarm, NAME) == set()


def test_a_restart_does_not_vote_twice(swarm: Lab, hard: HardCrew) -> None:
    """The vote is on disk before it is sent: the next life sends the same, whatever it sees."""
    until(swarm, lambda: len(votes_of(swarm, NAME)) == 1)
    swarm.kill(MEMBER)
    swarm.start(MEMBER)
    swarm.until_decided()
    assert len(votes_of(swarm, NAME)) == 1
    assert swarm.told("evidence") == []


def test_killed_at_any_effect_around_its_vote_it_votes_once(lab: MakeLab, hard: HardCrew) -> None:
    calm = lab(crew=hard)
    for member in range(4):
        calm.start(member)
    until(calm, lambda: len(votes_of(calm, NAME)) == 1)
    last = calm.fuses[MEMBER].count
    for at in range(last - 5, last + 3):
        made = lab(crew=hard)
        for member in range(4):
            made.start(member, kill_at=at if member == MEMBER else None)
        until(made, lambda made=made: MEMBER in made.died)
        made.start(MEMBER)
        made.until_decided()
        assert len(votes_of(made, NAME)) <= 1, at
        assert made.told("evidence") == []


def test_a_vote_that_a_roster_overtook_is_on_disk_until_its_key_signs_again(
    swarm: Lab, hard: HardCrew, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To be sealed again in epoch 2: a restart between knows what it said in epoch 1."""
    swarm.keys[3].votes = False  # or the others would decide without it
    unheard: list[bytes] = []
    with monkeypatch.context() as patched:
        radio = swarm.drones[MEMBER].ballots._transport
        patched.setattr(radio, "broadcast", unheard.append)
        until(swarm, lambda: any(kind_of(raw) is Kind.VOTE for raw in unheard))
        hand_in(swarm, changed(hard, lambda member: member), to=0)
        swarm.keys[MEMBER].votes = False
        until(swarm, lambda: all(d.roster.version == 2 for d in swarm.drones.values()))
    swarm.run(200)
    (first,) = [raw for raw in unheard if kind_of(raw) is Kind.VOTE]
    assert swarm.drones[MEMBER].machine.tally.decision(1) is None
    assert first in pending(swarm, MEMBER)
    swarm.kill(MEMBER)
    swarm.start(MEMBER)
    swarm.until_decided()
    (again,) = votes_of(swarm, NAME) - {first}
    said = [parse1(raw[1:], limit=4096).payload for raw in (first, again)]
    assert said[0] == said[1]
    assert first not in pending(swarm, MEMBER)
    later = [changed(hard, lambda member: member)]
    assert verify_ledger(swarm.drones[0].keeper.store, hard.knowing(*later)).decisions


def pending(made: Lab, member: int) -> set[bytes]:
    return {body for _, body in made.drones[member].keeper.store.pending_read()}


# the keys of one drone


def keys_of(hard: HardCrew, folder: Path) -> FolderKeys:
    return FolderKeys(folder, hard.root(NAME), before_s=60, after_s=DAY_S)


def test_a_token_signs_votes_beside_the_loop(hard: HardCrew, tmp_path: Path) -> None:
    keys, token = keys_of(hard, tmp_path), hard.tokens.setdefault(NAME, hard.root(NAME))
    held = keys.begin(hard.roster, T0_S)
    assert held is not None
    payload, other = encode(hard.observation()), encode(hard.observation(1))
    token.may.clear()
    token.threads.clear()
    assert [keys.vote(held, payload, T0_S) for _ in range(3)] == [None] * 3
    token.may.set()
    token.join()
    assert len(token.threads) == 1
    assert threading.main_thread() not in token.threads
    assert keys.vote(held, other, T0_S) is None, "what was signed for another question is dropped"
    token.join()
    raw = keys.vote(held, other, T0_S)
    assert raw is not None
    found = hard.opener().open(raw)
    assert (found.session, parse_observation(found.payload)) == (None, hard.observation(1))


def test_a_token_that_fails_says_why_and_is_asked_again(hard: HardCrew, tmp_path: Path) -> None:
    keys, token = keys_of(hard, tmp_path), hard.root(NAME)
    held = keys.begin(hard.roster, T0_S)
    assert held is not None
    payload = encode(hard.observation())
    token.failure = "the token was removed."
    assert keys.vote(held, payload, T0_S) is None
    token.join()
    assert keys.trouble is not None
    assert keys.trouble.what == "the token was removed."
    token.failure = ""
    assert keys.vote(held, payload, T0_S) is None
    assert keys.vote(held, payload, T0_S + RETRY_S) is None
    token.join()
    assert keys.vote(held, payload, T0_S + RETRY_S) is not None
    assert keys.trouble is None


def test_a_software_key_is_refused(hard: HardCrew, tmp_path: Path) -> None:
    soft = Crew().root(NAME)
    span = {"not_before": T0_S, "expires": T0_S + 60}
    with pytest.raises(Misuse, match="hardware_only in the roster, and this key is a software"):
        take_up(hard.roster, soft, hard.session(NAME), **span)
    given = {"now_s": T0_S, "before_s": 60, "after_s": DAY_S}
    resume(tmp_path / "session.key", hard.roster, hard.root(NAME), **given)
    with pytest.raises(Misuse, match="software key"):
        resume(tmp_path / "session.key", hard.roster, soft, **given)


# rosters and requests


def test_a_roster_has_no_software_key_that_is_hardware_only(hard: HardCrew) -> None:
    members = [replace(m, key_store=KeyStore.SOFTWARE) for m in hard.roster.members]
    with pytest.raises(Misuse, match="drone_1 is hardware_only, and its key is a software key"):
        parse_roster(render_roster("test", 1, members))
    assert parse_roster(hard.raw_roster) == hard.roster
    assert b"hardware_only" not in Crew().raw_roster, "what is usual is not written"


def test_it_is_asked_for_by_the_drone(hard: HardCrew) -> None:
    line = make_request(hard.root("drone_7"), "test", "drone_7", hardware_only=True)
    request = open_request(line, "test")
    assert request.hardware_only
    (*_, member) = edits.enrol(hard.roster, list(hard.roster.members), request, FLYING)
    assert member.hardware_only
    plain = open_request(make_request(hard.root("drone_7"), "test", "drone_7"), "test")
    assert not plain.hardware_only
    with pytest.raises(Misuse, match="a software key can't be hardware_only"):
        make_request(Crew().root("x"), "test", "x", hardware_only=True)


def test_a_rotated_key_is_what_its_request_asks_for(hard: HardCrew) -> None:
    request = open_request(make_request(hard.root("drone_7"), "test", NAME), "test")
    left = edits.rotate(hard.roster, list(hard.roster.members), NAME, request)
    assert [m.hardware_only for m in left if m.name == NAME] == [True, False]


def test_a_request_with_a_flag_turned_is_refused(hard: HardCrew) -> None:
    import base64

    line = make_request(hard.root("drone_7"), "test", "drone_7", hardware_only=True)
    prefix, _, text = line.rstrip().rpartition(b" ")
    raw = base64.b64decode(text)
    turned = raw.replace(b"\x02\xf5", b"\x02\xf4")
    assert turned != raw
    with pytest.raises(NotVerified, match="signature"):
        open_request(prefix + b" " + base64.b64encode(turned) + b"\n", "test")
