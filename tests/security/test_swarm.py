# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The attack table, second half: one member of a running swarm lies, the others carry on.

drone_4 is the attacker: it has a key that the roster trusts, and sends whatever it likes.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import cbor2
import msgspec
import pytest

from swarm_ledger.audit.ledger import verify_ledger
from swarm_ledger.consensus.messages import (
    Batch,
    Checkpoint,
    Commit,
    Committed,
    Fetch,
    NewView,
    Prepare,
    PrePrepare,
    Status,
    ViewChange,
)
from swarm_ledger.encoding import decode, digest, encode
from swarm_ledger.envelope import MAX_SESSIONS_PER_MEMBER, Kind, carry, seal
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity import cose
from swarm_ledger.identity.cose import parse1
from swarm_ledger.identity.session import domain
from swarm_ledger.identity.trust import load_trust, write_trust
from swarm_ledger.ledger.checkpoint import cosign
from swarm_ledger.ledger.note import Note, NoteSignature
from swarm_ledger.light_client import verify_proof
from swarm_ledger.light_client.policies import check_policy_file, policy_file
from swarm_ledger.runtime.blocks import parse_certificate
from swarm_ledger.runtime.doorman import log_checkpoint
from swarm_ledger.runtime.export import find_decision, prove, sessions_in
from swarm_ledger.runtime.identity import Identity
from swarm_ledger.voting.observation import Observation
from tests.crew import T0_MS, T0_S, Crew, key
from tests.lab import LIMIT, Lab
from tests.laid_open import lay_open
from tests.security.liar import HONEST, beset, tell

EVIL = 3


@pytest.fixture
def swarm(lab: Callable[..., Lab], crew: Crew) -> Iterator[Lab]:
    """Three honest drones that know drone_4, which is played by the test."""
    made = beset(lab(), crew)
    yield made
    for drone in made.drones.values():
        verify_ledger(drone.keeper.store, crew.trust)
    made.assert_no_contradiction()


def said(lab: Lab, raw: bytes, reason: str) -> None:
    """drone_1 counts this as that fault, once."""
    before = lab.drones[0].faults[reason]
    lab.drones[0].receive(raw, lab.now_ms)
    assert lab.drones[0].faults[reason] == before + 1, lab.drones[0].faults


def receipts(lab: Lab, author: str) -> list[str]:
    """What drone_1's ledger made of a member's votes."""
    return [
        f["result"] for m, n, f in lab.events if (m, n, f.get("author")) == (0, "vote", author)
    ]


def still_decides(lab: Lab, votes: int = 3, most: int | None = None) -> None:
    lab.until_decided()
    decisions = {str(d.machine.tally.decision(1)) for d in lab.drones.values()}
    assert len(decisions) == 1
    settled = lab.drones[0].machine.tally.decision(1)
    assert settled is not None
    assert votes <= settled.counts[0] <= (most or votes)


def until_asked(lab: Lab) -> None:
    for _ in range(2_000):
        lab.step()
        if all(drone.machine.tally.open_questions() for drone in lab.drones.values()):
            return
    raise AssertionError


def test_a_second_vote_voids_the_first(swarm: Lab, crew: Crew) -> None:
    until_asked(swarm)
    tell(swarm, crew.vote("drone_4", 1), (0,))
    swarm.run(30)
    tell(swarm, crew.vote("drone_4", 0), (1, 2))
    still_decides(swarm)
    swarm.run(2_000)
    assert receipts(swarm, "drone_4")[:1] == ["counted"]
    assert set(receipts(swarm, "drone_4")[1:]) <= {"conflict", "closed"}


def test_equivocation_in_votes_is_seen_alike_everywhere(swarm: Lab, crew: Crew) -> None:
    until_asked(swarm)
    for member in HONEST:
        tell(swarm, crew.vote("drone_4", member % 2), (member,))
    still_decides(swarm, most=4)  # one of them counts where it is decided before the other comes
    assert len({d.keeper.store.root() for d in swarm.drones.values()}) == 1


def test_replayed_votes_count_once(swarm: Lab, crew: Crew) -> None:
    until_asked(swarm)
    raw = crew.vote("drone_4", 1)
    for _ in range(20):
        tell(swarm, raw)
        swarm.run(20)
    still_decides(swarm)
    assert receipts(swarm, "drone_4").count("counted") == 1
    assert len(receipts(swarm, "drone_4")) == 1


def test_a_question_by_a_drone_is_not_asked(swarm: Lab, crew: Crew) -> None:
    payload = encode(msgspec.structs.replace(crew.question, nonce=b"n" * 16))
    said(swarm, seal(Kind.QUESTION, payload, crew.session("drone_4"), crew.roster), "wrong_role")
    said(swarm, seal(Kind.QUESTION, payload, crew.root("drone_4"), crew.roster), "unknown_key")
    still_decides(swarm)


def test_a_stolen_claim_does_not_lock_its_owner_out(lab: Callable[..., Lab], crew: Crew) -> None:
    """drone_4 claims drone_3's session key before drone_3 is heard for the first time."""
    swarm = lab()
    for member in (0, 1):
        swarm.start(member)
    token = parse1(crew.identity("drone_3").delegation[1:], limit=LIMIT)
    claims: dict[int, Any] = cbor2.loads(token.payload)
    claims[1] = cose.kid(crew.root("drone_4").public_key)
    stolen = cose.sign1(crew.root("drone_4"), encode(claims), domain("test", 1, 1))
    for member in (0, 1):
        tell(swarm, b"\x01" + stolen, (member,))
        assert swarm.drones[member].faults["stolen_session"] == 1
    swarm.start(2)
    still_decides(swarm)


def test_flooding_with_requests_keeps_to_the_quota(swarm: Lab, crew: Crew) -> None:
    until_asked(swarm)
    for number in range(500):
        seen = Observation(digest(b"%d" % number), 0, 1, T0_MS, bytes(32), 0, 0)
        tell(swarm, seal(Kind.VOTE, encode(seen), crew.session("drone_4"), crew.roster))
        assert max(d.status()["pending"] for d in swarm.drones.values()) <= 64 + 8
    still_decides(swarm)


def test_flooding_with_sessions_is_bounded(swarm: Lab, crew: Crew) -> None:
    for number in range(300):
        tell(swarm, crew.identity("drone_4", number).delegation, (0,))
        if number % 20 == 0:
            swarm.step()
    sessions = swarm.drones[0].engine.current.seat.doorman.lobby.sessions()
    own = [s for s in sessions if s.member.name == "drone_4"]
    assert len(own) == MAX_SESSIONS_PER_MEMBER
    assert swarm.drones[0].faults["too_many_sessions"] >= 300 - MAX_SESSIONS_PER_MEMBER
    still_decides(swarm)
    swarm.kill(0)
    swarm.start(0)
    swarm.run(3_000)
    verify_ledger(swarm.drones[0].keeper.store, crew.trust)


def test_secret_sessions_do_not_get_into_proofs(swarm: Lab, crew: Crew) -> None:
    """drone_4 prepares, commits and cosigns with a session that it shows to one drone only."""
    tell(swarm, crew.identity("drone_4", 5).delegation, (0,))
    for _ in range(200):
        swarm.step()
        for sender, raw in list(swarm.said[-40:]):
            if sender == 0 and raw[0] in (Kind.CONSENSUS, Kind.CARRIED):
                token = parse1(inner(raw)[1:], limit=LIMIT)
                form = decode(token.payload, list, limit=LIMIT)[0]
                if form in (3, 4):  # what drone_1 commits to or vouches for, so does drone_4
                    said_by_us = seal(
                        Kind.CONSENSUS,
                        mine(crew, token.payload),
                        crew.session("drone_4", 5),
                        crew.roster,
                    )
                    tell(swarm, said_by_us, (0, 1))
    still_decides(swarm)
    swarm.kill(0)
    swarm.start(0)
    still_decides(swarm)


def inner(raw: bytes) -> bytes:
    if raw[0] != Kind.CARRIED:
        return raw
    parts: tuple[bytes, bytes] = decode(raw[1:], tuple[bytes, bytes], limit=LIMIT)
    return parts[1]


def mine(crew: Crew, payload: bytes) -> bytes:
    fields: list[Any] = cbor2.loads(payload)
    if fields[0] == 4:
        stated = log_checkpoint(crew.roster, fields[2], fields[3])
        fields[4] = crew.identity("drone_4", 5).cosign(stated, T0_S)
    return encode(fields)


def test_a_forged_cosignature_is_refused(swarm: Lab, crew: Crew) -> None:
    still_decides(swarm)
    store = swarm.drones[0].keeper.store
    seq, size = store.height, store.size
    stated = log_checkpoint(crew.roster, size, store.root())
    other = crew.identity("drone_3").cosign(stated, T0_S)
    for forged in (bytes(72), other, other[:8] + bytes(64)):
        said(
            swarm,
            crew.say("drone_4", Checkpoint(seq, size, store.root(), forged)),
            "bad_signature",
        )


def test_a_wrong_root_convinces_nobody(swarm: Lab, crew: Crew) -> None:
    root = bytes(32)
    for seq in range(1, 20):
        stated = log_checkpoint(crew.roster, 9, root)
        cosignature = crew.identity("drone_4").cosign(stated, T0_S)
        tell(swarm, crew.say("drone_4", Checkpoint(seq, 9, root, cosignature)))
    still_decides(swarm)


def served(crew: Crew, swarm: Lab, **changes: Any) -> bytes:
    block = next(swarm.drones[0].keeper.blocks(2, 2))
    changed: Committed = msgspec.structs.replace(block, **changes)
    return crew.say("drone_4", changed)


def test_a_block_served_by_a_liar(swarm: Lab, crew: Crew) -> None:
    """drone_3 was wiped and asks; drone_4 answers first, with all sorts of lies."""
    still_decides(swarm)
    honest = next(swarm.drones[0].keeper.blocks(2, 2))
    commits = honest.commits
    forged = tuple(
        crew.say("drone_4", Commit(0, 2, Batch(2, honest.time_ms, ()).digest())) for _ in commits
    )
    lies = {
        "another time": served(crew, swarm, time_ms=honest.time_ms + 1),
        "a request left out": served(crew, swarm, bodies=honest.bodies[1:]),
        "a request put in": served(crew, swarm, bodies=(*honest.bodies, crew.vote("drone_4"))),
        "too few commits": served(crew, swarm, commits=commits[:-1]),
        "no commits": served(crew, swarm, commits=()),
        "one commit for all": served(crew, swarm, commits=commits[:1] * 3),
        "commits of another block": served(crew, swarm, seq=1),
        "only our own commits": served(crew, swarm, bodies=(), commits=forged),
        "commits that are votes": served(crew, swarm, commits=(crew.vote("drone_1"),) * 3),
        "commits that are noise": served(crew, swarm, commits=(b"x", b"y", b"z")),
    }
    swarm.kill(2)
    del swarm.folders[2]
    swarm.liars.add("drone_3")  # with its disk it forgets its vote, as the docs say
    swarm.start(2)
    tell(swarm, crew.identity("drone_4").delegation, (2,))
    victim = swarm.drones[2]
    for block in swarm.drones[0].keeper.blocks(1, 1):
        victim.receive(crew.say("drone_1", block), swarm.now_ms)
    for lie, raw in lies.items():
        before = sum(victim.faults.values())
        victim.receive(raw, swarm.now_ms)
        assert victim.keeper.store.height <= 1, lie
        assert sum(victim.faults.values()) == before + 1 or lie == "commits of another block", lie
    tell(swarm, crew.say("drone_4", Status(0, 2**53 - 1, 0)))  # "I am far ahead of you"
    tell(swarm, crew.say("drone_4", Fetch(2**53 - 1)))
    swarm.until(swarm.drones[0].keeper.store.height)
    assert len({d.keeper.store.root() for d in swarm.drones.values()}) == 1


def test_a_certificate_served_in_another_form_is_kept_in_ours(swarm: Lab, crew: Crew) -> None:
    """Else a liar could make an honest drone's ledger fail the audit."""
    still_decides(swarm)
    blocks = list(swarm.drones[0].keeper.blocks(1, swarm.drones[0].keeper.store.height))
    swarm.kill(2)
    del swarm.folders[2]
    swarm.liars.add("drone_3")
    swarm.start(2)
    tell(swarm, crew.identity("drone_4").delegation, (2,))
    for block in blocks:
        reversed_commits = tuple(reversed(block.commits))
        worse = msgspec.structs.replace(block, commits=reversed_commits)
        raw = carry(crew.identity("drone_4").delegation, crew.say("drone_4", worse))
        swarm.drones[2].receive(raw, swarm.now_ms)
    store = swarm.drones[2].keeper.store
    assert store.height == blocks[-1].seq
    for block in blocks:
        assert parse_certificate(store.block(block.seq).certificate) == block.commits
    verify_ledger(store, crew.trust)


@pytest.mark.parametrize("name", ["operator_1", "watcher"])
def test_members_that_do_not_fly_may_say_hello(swarm: Lab, crew: Crew, name: str) -> None:
    """They have no inbox: an answer to them must not end us."""
    tell(swarm, crew.identity(name).delegation)
    still_decides(swarm)
    roster = crew.roster
    answered = [to for member, to in swarm.answered if to not in roster.validators]
    assert answered == []


def test_a_session_key_does_not_take_the_place_of_another_with_its_identifier(
    swarm: Lab, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cose, "KID_BYTES", 8)
    first, second = crew.identity("drone_4"), crew.identity("drone_4", 1, seconds=3 * 86_400)
    opener = crew.opener([])
    opener.add_session(first.delegation)
    same = cose.kid(first.session.public_key)
    monkeypatch.setattr("swarm_ledger.identity.session.cose.kid", lambda _: same)
    opener_roster = opener.roster.by_kid
    opener_roster[same] = first.member
    with pytest.raises(PeerFault, match="names another key") as caught:
        opener.add_session(second.delegation)
    del opener_roster[same]
    assert caught.value.reason == "stolen_session"


def test_a_leader_whose_clock_runs_ahead_closes_no_question(lab: Callable[..., Lab]) -> None:
    """drone_1 leads, states a clock that is past the deadline in each batch, and is replaced."""
    made = lab()
    made.liars.add("drone_1")
    for member in range(4):
        made.start(member)
    until_asked(made)
    state = made.drones[0].engine.current.replica._state
    state.time_ms = made.now_ms + 8_000
    made.until_decided()
    decision = made.drones[1].machine.tally.decision(1)
    assert decision is not None
    assert decision.counts[0] >= 3
    assert decision.closed_ms < decision.opened_ms + 8_000
    assert made.drones[1].faults["bad_clock"] > 0
    assert made.drones[1].status()["view"] > 0


def test_a_false_leader_and_false_certificates(swarm: Lab, crew: Crew) -> None:
    batch = Batch(1, T0_MS, (digest(b"x"),))
    prepare = crew.say("drone_4", Prepare(0, 1, batch.digest()))
    along = crew.identity("drone_4").delegation
    said(swarm, carry(along, crew.say("drone_4", PrePrepare(0, batch))), "not_leader")
    said(swarm, carry(along, crew.say("drone_4", NewView(1, ()))), "not_leader")
    said(swarm, carry(along, crew.say("drone_4", NewView(3, ()))), "bad_new_view")
    for proof, prepared in (
        ((prepare,) * 3, ()),
        ((b"x",), ()),
        ((), ([prepare, [prepare] * 3],)),
        ((), ([crew.say("drone_4", PrePrepare(3, batch)), [prepare] * 3],)),
    ):
        change = [5, 4, 0, list(proof), list(prepared)]
        swarm.run(200)  # of a flood, not all would be looked into
        before = sum(swarm.drones[0].faults.values())
        tell(swarm, carry(along, crew.say("drone_4", change)))
        assert sum(swarm.drones[0].faults.values()) == before + 1
    tell(swarm, crew.say("drone_4", ViewChange(2**53 - 1, 0, (), ())))
    still_decides(swarm)


def test_mutated_messages_of_a_member(swarm: Lab, crew: Crew) -> None:
    """Thousands of nearly valid messages, well signed: faults are counted, and that is all."""
    still_decides(swarm)
    rng = random.Random(7)
    payloads = [
        (inner(raw)[0], parse1(inner(raw)[1:], limit=LIMIT).payload)
        for _, raw in swarm.said
        if raw[0] != Kind.SESSION
    ]
    sealed = [raw for _, raw in swarm.said]
    for number in range(1_500):
        kind, payload = rng.choice(payloads)
        try:
            changed = encode(mutated(rng, cbor2.loads(payload), sealed))
        except Misuse:
            continue
        raw = seal(Kind(kind), changed, crew.session("drone_4"), crew.roster)
        if rng.random() < 0.3:
            raw = carry(crew.identity("drone_4").delegation, raw)
        swarm.drones[number % 3].receive(raw, swarm.now_ms)
        if number % 100 == 0:
            swarm.step()
    swarm.run(1_000)
    assert all(drone.faults for drone in swarm.drones.values())


def mutated(rng: random.Random, tree: Any, sealed: list[bytes]) -> Any:
    if rng.random() < 0.1:
        odd = [0, 1, 2, 2**53 - 1, 2**63, -1, b"", bytes(32), "x", None, True, [], [[]]]
        return rng.choice([*odd, rng.choice(sealed)])
    if isinstance(tree, list):
        return [mutated(rng, item, sealed) for item in tree if rng.random() > 0.02]
    return tree + rng.choice([-1, 1]) if isinstance(tree, int) and rng.random() < 0.2 else tree


def test_noise_raises_nothing(swarm: Lab) -> None:
    rng = random.Random(11)
    real = [raw for _, raw in swarm.said]
    for _ in range(1_500):
        raw = bytearray(rng.choice(real))
        for _ in range(rng.randint(1, 3)):
            raw[rng.randrange(len(raw))] ^= rng.randrange(256)
        swarm.drones[0].receive(bytes(raw), swarm.now_ms)
        swarm.drones[0].receive(rng.randbytes(rng.randrange(60)), swarm.now_ms)
    still_decides(swarm)


def test_a_policy_with_a_foreign_delegation(swarm: Lab, crew: Crew) -> None:
    still_decides(swarm)
    store = swarm.drones[0].keeper.store
    text = policy_file(sessions_in(store, crew.trust))
    assert check_policy_file(text, crew.trust).text == text
    other = Crew(swarm="other")
    theirs = base64.b64encode(other.identity("drone_1").delegation)
    lines = text.split(b"\n")
    first = b"# delegation " + theirs
    own_key = text.replace(
        base64.b64encode(b"\x04" + crew.session("drone_1").public_key),
        base64.b64encode(b"\x04" + key("evil").public_key),
    )
    for forged in (
        b"\n".join([first, *lines]),
        b"\n".join([first, *lines[1:]]),
        b"\n".join(lines[1:]),
        b"\n".join([lines[0], *lines]),
        b"# delegation ***\n" + text,
        own_key,
        text.replace(b"group validators 3", b"group validators 2"),
        text.replace(b"quorum validators", b"quorum none"),
        text + b"\n",
        b"",
    ):
        assert forged != text
        with pytest.raises(NotVerified):
            check_policy_file(forged, crew.trust)
    with pytest.raises(NotVerified):
        check_policy_file(text, other.trust)


def test_a_proof_with_a_forged_or_doubled_cosignature(swarm: Lab, crew: Crew) -> None:
    still_decides(swarm)
    store = swarm.drones[0].keeper.store
    policy = check_policy_file(policy_file(sessions_in(store, crew.trust)), crew.trust)
    index, _ = find_decision(store, 1)
    proof = prove(store, index)
    assert verify_proof(policy, proof).index == index
    latest = store.checkpoint(index + 1)
    assert latest is not None
    note = Note.parse(latest.note)
    log, *lines = note.signatures
    stated = log_checkpoint(crew.roster, latest.size, store.root(latest.size))
    stranger = Identity(crew.roster, crew.roster.named("drone_4"), key("evil"), b"", 0, 1).cosigner
    evil = cosign(stated, stranger, key("evil").sign, T0_S)
    wrong = NoteSignature(lines[-1].name, lines[-1].key_id, evil.signature)
    kept = [log, *lines[:-1]]
    for forged_lines in (kept, lines, [log], [*kept, evil], [*kept, wrong], [*kept, lines[0]]):
        forged = proof.replace(latest.note, Note(note.text, tuple(forged_lines)).encode())
        assert forged != proof
        with pytest.raises(NotVerified):
            verify_proof(policy, forged)


def test_commit_certificates_are_checked_by_the_auditor(swarm: Lab, crew: Crew) -> None:
    """A ledger whose certificates one member made up does not verify, and the height is named."""
    still_decides(swarm)
    store = swarm.drones[0].keeper.store
    good = store.block(2).certificate
    commits = parse_certificate(good)
    statement = parse1(inner(commits[0])[1:], limit=LIMIT).payload
    evil = seal(Kind.CONSENSUS, statement, crew.session("drone_4"), crew.roster)
    absent = seal(Kind.CONSENSUS, statement, key("nobody"), crew.roster)
    for forged in (
        commits[:2],
        (*commits[:2], absent),
        (evil, evil, evil),
        (*commits, evil),
        commits[::-1],
        (*commits[:2], commits[2][:-1] + bytes([commits[2][-1] ^ 1])),
        (),
    ):
        put_certificate(store.database, encode(forged))
        with pytest.raises(NotVerified, match="height 2"):
            verify_ledger(store, crew.trust)
    put_certificate(store.database, b"\xff")
    with pytest.raises(NotVerified, match="height 2"):
        verify_ledger(store, crew.trust)
    put_certificate(store.database, good)


def put_certificate(database: Any, certificate: bytes) -> None:
    if database.row("SELECT 1 FROM sqlite_temp_master") is None:
        lay_open(database._connection)
    with database.transaction():
        database.run("UPDATE certificates SET certificate = ? WHERE height = 2", (certificate,))


def test_a_roster_without_enough_operators_or_too_old(tmp_path: Path, crew: Crew) -> None:
    """Two of three must have signed, and metadata must be fresh for those who give the time."""
    end = datetime(2030, 6, 1, tzinfo=timezone.utc)
    operators = [key("op 1"), key("op 2"), key("op 3")]
    write_trust(tmp_path / "a", crew.raw_roster, operators, threshold=2, expires=end)
    write_trust(tmp_path / "b", crew.raw_roster, operators[:1], threshold=1, expires=end)
    assert load_trust(tmp_path / "a", now=end - timedelta(1)).genesis == crew.roster
    (tmp_path / "a" / "targets.json").write_bytes((tmp_path / "b" / "targets.json").read_bytes())
    with pytest.raises(NotVerified):
        load_trust(tmp_path / "a")
    with pytest.raises(NotVerified, match="expired"):
        load_trust(tmp_path / "b", now=end)


def test_a_ledger_of_another_roster_is_not_continued(swarm: Lab) -> None:
    still_decides(swarm)
    swarm.kill(1)
    swarm.trust[1] = Crew(version=2).trust
    with pytest.raises(NotVerified, match="another swarm or roster"):
        swarm.start(1)
