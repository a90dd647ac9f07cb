# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A swarm that speaks in secret: who hears it, who can't, and what attackers make of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import msgspec
import pytest

from swarm_ledger.audit.ledger import verify_ledger
from swarm_ledger.consensus.messages import Fetch, Status
from swarm_ledger.encoding import decode, encode
from swarm_ledger.envelope import Kind, introduce, kind_of, seal
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.identity.cose import parse1
from swarm_ledger.identity.encrypt0 import parse0
from swarm_ledger.identity.roster import Roster, parse_roster, render_roster
from swarm_ledger.identity.secrecy import KEPT, KeyId, Lacking, Shares, parse_key_id, parse_shares
from swarm_ledger.identity.trust import Version
from swarm_ledger.identity.tuf import sign_roster
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.identity import Identity
from swarm_ledger.runtime.membership import roster_request
from swarm_ledger.transport.secret import CLEAR, Secrets
from tests.crew import END, T0_MS, T0_S, Crew
from tests.lab import LIMIT, Lab

MakeLab = Callable[..., Lab]
CREW = Crew(secret=True)
FIVE = Crew(5, secret=True)
ONE_MORE = CREW.changed(CREW.roster, add=["drone_5"])
ONE_LESS = FIVE.changed(FIVE.roster, revoke=["drone_5"])


def swarm_of(lab: MakeLab, crew: Crew = CREW, **options: object) -> Lab:
    made = lab(crew=crew, places=16, **options)
    for member in made.names:
        made.start(member)
    made.until_decided()
    return made


def until(lab: Lab, done: Callable[[], bool], ms: int = 30_000) -> None:
    for _ in range(ms // 10):
        if done():
            return
        lab.step()
    raise AssertionError([(drone.status(), drone.faults) for drone in lab.drones.values()])


def turn(lab: Lab, request: bytes, *members: int) -> None:
    """Have a roster ordered, until its members are at work under it."""
    lab.drones[0].submit(request, lab.now_ms)
    until(lab, lambda: all(lab.drones[m].roster.version == 2 for m in members))
    until(lab, lambda: all(lab.drones[m].engine.speaks for m in members))


def ask_again(lab: Lab, roster: Roster, *members: int) -> None:
    """The operator asks a second question, which those members answer."""
    question = msgspec.structs.replace(lab.crew.question, nonce=b"another question")
    asked = seal(Kind.QUESTION, encode(question), lab.crew.root("operator_1"), roster)
    lab.drones[members[0]].submit(asked, lab.now_ms)
    until(lab, lambda: all(lab.drones[m].machine.tally.decision(2) for m in members))


def ciphertexts(lab: Lab) -> Iterator[tuple[int, bytes, KeyId]]:
    for sender, raw in lab.air:
        if kind_of(raw) is Kind.SECRET:
            yield sender, raw, parse_key_id(parse0(raw[1:], limit=LIMIT).kid)


def secret_of(lab: Lab, sender: int, data: bytes, version: int = 1) -> bytes:
    """What a member's radio makes of sealed bytes."""
    with lab.secrets[sender].within(version):
        concealed = lab.secrets[sender].conceal(data)
    assert concealed is not None
    return concealed


def hears(drone: Drone, raw: bytes, now_ms: int) -> list[str]:
    """Why a drone refuses a message, nothing if it doesn't."""
    before = dict(drone.faults)
    drone.receive(raw, now_ms)
    return [reason for reason, n in drone.faults.items() if n > before.get(reason, 0)]


def shares_of(identity: Identity, shares: Shares) -> bytes:
    return introduce(identity.delegation, identity.seal(Kind.SHARES, encode(shares)))


# who hears it


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.3])
def test_it_decides_whatever_is_lost(lab: MakeLab, loss: float) -> None:
    made = swarm_of(lab, loss=loss)
    made.assert_no_contradiction()
    for drone in made.drones.values():
        verdict = verify_ledger(drone.keeper.store, CREW.trust)
        assert verdict.covered == verdict.size
        assert not {"bad_tag", "not_secret", "bad_share"} & drone.faults.keys()


def test_an_eavesdropper_hears_sessions_and_nothing_else(lab: MakeLab) -> None:
    made = swarm_of(lab, loss=0.1)
    assert {kind_of(raw) for _, raw in made.air} <= {*CLEAR, Kind.SECRET}
    everything = b"\0".join(raw for _, raw in made.air)
    votes = [raw for _, raw in made.said if kind_of(raw) is Kind.VOTE]
    assert votes
    for said in (*votes, CREW.asked(), CREW.question_id, b"cup", b"two_faces", b"What is it?"):
        assert said not in everything
    for _, raw in made.said:
        if kind_of(raw) not in CLEAR:
            assert raw not in everything


def test_an_observer_reads_and_a_stranger_does_not(lab: MakeLab) -> None:
    """The secrets are for all members with a role; another swarm's member is none."""
    made = swarm_of(lab)
    stranger = Crew(swarm="other", secret=True)
    said = {raw for _, raw in made.said}
    read = overheard(made, CREW, "watcher")
    assert read
    assert read <= said
    assert not overheard(made, stranger, "drone_1")
    assert not overheard(made, CREW, "watcher", keys_of=stranger)


def overheard(lab: Lab, crew: Crew, who: str, *, keys_of: Crew | None = None) -> set[bytes]:
    """What a member of a crew makes of all that is on the air."""
    secrets = Secrets((keys_of or crew).channel(who), run=1, now_ms=0, draw=bytes)
    secrets.settle([crew.roster], None)
    circle, read = secrets.circle(1), set()
    if circle is None:
        return set()
    for _, raw in lab.air:
        with suppress(PeerFault):
            if kind_of(raw) is Kind.SHARES:
                shares = parse_shares(_payload(raw))
                circle.take(shares.key.sender, shares)
    for _, raw, _ in ciphertexts(lab):
        with suppress(PeerFault):
            read.add(secrets.reveal(raw) or b"")
    return read - {b""}


# members come and go


def test_a_revoked_drone_reads_nothing_of_the_next_epoch(lab: MakeLab) -> None:
    """It hears all that is on the air, with all secrets that it was ever handed."""
    made = swarm_of(lab, FIVE)
    turn(made, roster_request(ONE_LESS), 0, 1, 2, 3)
    gone, began = made.drones[4], len(made.air)
    ask_again(made, ONE_LESS.roster, 0, 1, 2, 3)
    made.run(1_000)
    end = gone.machine.members.now.base
    assert (gone.standing, gone.keeper.store.height) == ("removed", end)
    assert gone.machine.tally.decision(2) is None
    secrets = made.secrets[4]
    kept = [secrets.circle(1), *(c for _, c in secrets._circles.values())]
    assert all(circle is not None and circle.version == 1 for circle in kept)
    later = [(raw, key) for sender, raw, key in ciphertexts(made) if key.version == 2]
    assert len(later) > 20
    for raw, _ in later:
        with pytest.raises(PeerFault) as caught:
            secrets.reveal(raw)
        assert caught.value.reason == "no_key"
    for sender, raw in made.air[began:]:
        if kind_of(raw) is Kind.SHARES and sender != 4:
            shares = parse_shares(_payload(raw))
            assert shares.key.version == 2
            assert 4 not in dict(shares.shares)


def _payload(raw: bytes) -> bytes:
    parts: tuple[bytes, bytes] = decode(raw[1:], tuple[bytes, bytes], limit=LIMIT)
    return parse1(parts[1], limit=LIMIT).payload


def test_a_revoked_drone_is_given_no_block_behind_its_end(lab: MakeLab) -> None:
    """Whatever it asks in the epoch that it knows: the answers are under that epoch's secrets."""
    made = swarm_of(lab, FIVE)
    turn(made, roster_request(ONE_LESS), 0, 1, 2, 3)
    ask_again(made, ONE_LESS.roster, 0, 1, 2, 3)
    gone = made.drones.pop(4)
    end, height = gone.machine.members.now.base, made.drones[0].keeper.store.height
    assert height > end
    said = len(made.said)
    for seq in range(1, height + 2):
        for message in (Status(0, 0, 0), Fetch(seq)):
            raw = secret_of(made, 4, FIVE.say("drone_5", message))
            for drone in made.drones.values():
                assert hears(drone, raw, made.now_ms) == []
        made.run(200)
    read = []
    for _, raw, key in ciphertexts(made):
        if key.version == 1 and key.sender != 4:
            with suppress(PeerFault):
                read.append(made.secrets[4].reveal(raw))
    later = {raw for _, raw in made.said[said:]} & set(read)
    assert later, "members answer in the epoch that it knows"
    for drone in made.drones.values():
        for number in range(end + 1, height + 1):
            for body in drone.keeper.store.block(number).entries[1:]:
                assert not any(body in raw for raw in read), number


def test_a_newcomer_reads_from_its_first_epoch_on(lab: MakeLab) -> None:
    made = swarm_of(lab)
    made.names[6] = "drone_5"
    turn(made, roster_request(ONE_MORE), 0, 1, 2, 3)
    made.trust[6] = CREW.knowing(ONE_MORE)
    made.start(6)
    until(made, lambda: made.drones[6].engine.speaks)
    ask_again(made, ONE_MORE.roster, 0, 1, 2, 3, 6)
    assert verify_ledger(made.drones[6].keeper.store, CREW.trust).size


def test_a_newcomer_that_nobody_knows_yet_hands_its_roster_in(lab: MakeLab) -> None:
    """In clear, as it shares no secret with anybody: operators signed it."""
    made = swarm_of(lab)
    made.names[6] = "drone_5"
    made.trust[6] = CREW.knowing(ONE_MORE)
    made.start(6)
    until(made, lambda: all(d.roster.version == 2 for d in made.drones.values()))
    until(made, lambda: made.drones[6].engine.speaks)


def test_a_removed_drone_says_nothing_any_more(lab: MakeLab) -> None:
    """Not even other members' sessions, which it hears, and can't see ordered any more."""
    made = swarm_of(lab, FIVE)
    turn(made, roster_request(ONE_LESS), 0, 1, 2, 3)
    until(made, lambda: made.drones[4].standing == "removed")
    made.run(1_000)
    said = len(made.air)
    ask_again(made, ONE_LESS.roster, 0, 1, 2, 3)
    made.run(3_000)
    assert all(sender != 4 for sender, _ in made.air[said:])


def test_whoever_was_away_for_a_whole_epoch_is_answered_in_the_one_that_it_knows(
    lab: MakeLab,
) -> None:
    made = swarm_of(lab, FIVE)
    made.kill(1)
    turn(made, roster_request(ONE_LESS), 0, 2, 3)
    ask_again(made, ONE_LESS.roster, 0, 2, 3)
    made.drones.pop(4)
    made.start(1)
    until(made, lambda: made.drones[1].roster.version == 2 and made.drones[1].engine.speaks)
    until(made, lambda: made.drones[1].machine.tally.decision(2) is not None)


def test_a_roster_without_channel_keys_is_refused(lab: MakeLab) -> None:
    """Nobody could speak under it, not even to hand the next one in."""
    made = swarm_of(lab)
    stripped = _stripped()
    with pytest.raises(Misuse, match="no channel keys"):
        made.drones[0].learn(CREW.knowing(stripped), made.now_ms)
    assert hears(made.drones[0], roster_request(stripped), made.now_ms) == ["no_channels"]
    made.run(2_000)
    assert {drone.roster.version for drone in made.drones.values()} == {1}


def _stripped() -> Version:
    members = [replace(member, channel=None) for member in CREW.roster.members]
    raw = render_roster(CREW.swarm, 2, members)
    return Version(sign_roster(raw, [CREW.root("operator_1")], expires=END), parse_roster(raw))


# attackers


def test_whatever_is_said_in_clear_counts_for_nothing(lab: MakeLab) -> None:
    made = swarm_of(lab)
    drone = made.drones[0]
    vote = CREW.vote("drone_2", 1)
    for raw in (
        vote,
        CREW.asked(),
        CREW.say("drone_2", Status(0, 9, 0)),
        seal(Kind.TICK, encode([T0_MS]), CREW.session("drone_2"), CREW.roster),
    ):
        assert hears(drone, raw, made.now_ms) == ["not_secret"]
    made.run(500)
    assert not made.told("evidence"), "a vote in clear that contradicts another is no evidence"
    assert "not_secret" not in hears(drone, secret_of(made, 1, vote), made.now_ms)
    made.run(500)
    assert made.told("evidence"), "and it is where it is said in secret"


def test_a_ciphertext_is_no_more_than_what_is_in_it(lab: MakeLab) -> None:
    """A member's secret lets nobody speak for that member: the signature inside does."""
    made = swarm_of(lab)
    forged = CREW.vote("drone_3", session=7)
    assert hears(made.drones[0], secret_of(made, 1, forged), made.now_ms) == ["unknown_key"]
    twice = secret_of(made, 1, CREW.asked())
    nested = bytes([Kind.SECRET]) + made.secrets[1].circle(1).conceal(twice)  # type: ignore[union-attr]
    assert hears(made.drones[0], nested, made.now_ms) == ["malformed"]
    for inner in (b"", b"\xff", bytes([Kind.SECRET])):
        raw = bytes([Kind.SECRET]) + made.secrets[1].circle(1).conceal(inner)  # type: ignore[union-attr]
        assert hears(made.drones[0], raw, made.now_ms) == ["malformed"]


def test_a_drone_without_secrecy_says_why_it_understands_nobody(lab: MakeLab) -> None:
    made = swarm_of(lab)
    raw = next(raw for sender, raw, _ in ciphertexts(made) if sender == 1)
    plain = swarm_of(lab, Crew())
    assert hears(plain.drones[0], raw, plain.now_ms) == ["no_key"]
    assert "fleet file" in plain.told("fault")[-1]["what"]


def test_changed_and_replayed_ciphertexts(lab: MakeLab) -> None:
    made = swarm_of(lab)
    drone = made.drones[0]
    raw = secret_of(made, 1, CREW.asked())
    for at in (len(raw) - 1, len(raw) // 2):
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        assert hears(drone, changed, made.now_ms) == ["bad_tag"]
    assert hears(drone, raw[:-1], made.now_ms) == ["malformed"]
    own = secret_of(made, 0, CREW.asked())
    assert hears(drone, own, made.now_ms) == []
    height = drone.keeper.store.height
    for _, old in list(made.air):
        drone.receive(old, made.now_ms)
    made.run(1_000)
    assert drone.keeper.store.height <= height + 1
    made.assert_no_contradiction()


def test_shares_of_who_is_no_member_and_shares_that_are_stale_or_replayed(lab: MakeLab) -> None:
    made = swarm_of(lab)
    drone, circle = made.drones[0], made.secrets[0].circle(1)
    assert circle is not None
    old = [raw for sender, raw in made.air if kind_of(raw) is Kind.SHARES and sender == 1]
    stranger = Crew(swarm="other", secret=True).identity("drone_2")
    empty = Shares(KeyId(1, 1, 2**31, 0), ())
    assert hears(drone, shares_of(stranger, empty), made.now_ms) == ["not_a_member"]
    mine = CREW.identity("drone_2")
    sealed = mine.seal(Kind.SHARES, encode(empty))
    assert hears(drone, sealed, made.now_ms) == ["malformed"], "it must bring its session"
    over = CREW.identity("drone_2", 5, start_s=T0_S - 200, seconds=100)
    assert hears(drone, shares_of(over, empty), made.now_ms) == ["stale_session"]
    assert hears(drone, shares_of(CREW.identity("drone_3"), empty), made.now_ms) == ["malformed"]
    wrong = Shares(empty.key, ((0, bytes(80)),))
    assert hears(drone, shares_of(mine, wrong), made.now_ms) == ["bad_share"]
    for _ in range(KEPT):
        made.kill(1)
        made.start(1)
        made.run(200)
    for raw in old:
        assert hears(drone, raw, made.now_ms) == ["stale_key"]
    assert hears(drone, secret_of(made, 1, CREW.asked()), made.now_ms) == []


def test_a_flood_of_garbage_is_counted_and_costs_little(lab: MakeLab) -> None:
    """Strangers' ciphertexts, with made up names of secrets, and members' shares without end."""
    made = swarm_of(lab)
    drone, air = made.drones[0], len(made.air)
    forger = CREW.identity("drone_2")
    for number in range(300):
        name = KeyId(1 + number % 3, number % 7, 2**31, number)
        junk = b"\xd0" + encode([encode({1: 24, 4: encode(name), 6: b"\0"}), {}, bytes(40)])
        drone.receive(bytes([Kind.SECRET]) + junk, made.now_ms)
        payload = _handed_out(CREW, 1, number)
        drone.receive(introduce(forger.delegation, forger.seal(Kind.SHARES, payload)), made.now_ms)
    held = made.secrets[0].circle(1)._held  # type: ignore[union-attr]
    assert all(len(secrets) <= KEPT for secrets in held.values())
    assert len(made.secrets[0].lacking) <= 4
    before = len(made.air)
    assert before == air, "nothing of it is answered at once"
    drone.tick(made.now_ms)
    asked = [raw for sender, raw in made.air[before:] if kind_of(raw) is Kind.LACKING]
    assert 1 <= len(asked) <= 4
    drone.tick(made.now_ms + 10)
    assert [raw for _, raw in made.air[before:] if kind_of(raw) is Kind.LACKING] == asked


def _handed_out(crew: Crew, member: int, number: int) -> bytes:
    secrets = Secrets(crew.channel(crew.names[member]), run=2**31 + number, now_ms=0, draw=bytes)
    secrets.settle([crew.roster], 1)
    circle = secrets.circle(1)
    assert circle is not None
    return circle.hand_out([0])


def test_questions_for_secrets_are_no_amplifier(lab: MakeLab) -> None:
    """Whoever repeats a member's question has it answered twice a second, not more."""
    made = swarm_of(lab)
    asker = CREW.identity("drone_2")
    raw = introduce(asker.delegation, asker.seal(Kind.LACKING, encode(Lacking(0))))
    other = introduce(asker.delegation, asker.seal(Kind.LACKING, encode(Lacking(2))))
    before = len(made.air)
    for _ in range(100):
        made.drones[0].receive(raw, made.now_ms)
        made.drones[0].receive(other, made.now_ms)
    answers = [answer for _, answer in made.air[before:]]
    assert [kind_of(answer) for answer in answers] == [Kind.SHARES]
    assert len(answers[0]) < 2 * len(raw)
    made.drones[0].receive(raw, made.now_ms + 600)
    assert len(made.air) == before + 2


def test_a_secret_that_was_lost_on_its_way_is_asked_for(lab: MakeLab) -> None:
    made = lab(crew=CREW, places=16)
    carry = made.network.carry

    def lossy(sender: int, to: int, data: bytes) -> None:
        if not (kind_of(data) is Kind.SHARES and sender == 0 and made.now_ms < T0_MS + 2_000):
            carry(sender, to, data)

    made.network.carry = lossy  # type: ignore[method-assign]
    for member in made.names:
        made.start(member)
    made.until_decided()
    assert any(kind_of(raw) is Kind.LACKING for _, raw in made.air)


# crashes


def test_no_nonce_is_used_twice_whatever_crashes(lab: MakeLab) -> None:
    made = lab(crew=CREW, places=16, loss=0.1)
    for member in made.names:
        made.start(member)
    for round_ in range(6):
        made.run(300)
        victim = round_ % 4
        made.kill(victim)
        made.run(100)
        made.start(victim)  # within the same second
    made.until_decided()
    made.run(1_000)
    seen: dict[tuple[bytes, int], bytes] = {}
    lives = set()
    for _, raw, key in ciphertexts(made):
        message = parse0(raw[1:], limit=LIMIT)
        assert seen.setdefault((message.kid, message.count), raw) == raw
        lives.add((key.sender, key.order))
    assert len(lives) == 4 + 6, "each life has a secret of its own"


def test_a_drone_whose_disk_was_lost_is_read_again(lab: MakeLab) -> None:
    """Also within the second in which it started before: its secrets have later names."""
    made = swarm_of(lab)
    made.wipe(2)
    made.sessions[2] = 1
    made.start(2, session=1, first=1)
    until(made, lambda: made.drones[2].keeper.store.height == made.drones[0].keeper.store.height)
    until(made, lambda: made.drones[2].standing == "mute")
