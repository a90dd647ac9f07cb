# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A light client from root.json alone: what it follows, and every way in which it is lied to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from swarm_ledger.encoding import decode, encode
from swarm_ledger.envelope import Kind
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity.roster import parse_roster, render_roster
from swarm_ledger.identity.trust import Trust, Version
from swarm_ledger.identity.tuf import draft_root, sign, sign_root, sign_roster
from swarm_ledger.ledger.checkpoint import assemble, cosign
from swarm_ledger.ledger.note import Note
from swarm_ledger.ledger.store import Store
from swarm_ledger.light_client.follower import (
    Forked,
    Head,
    entry_of,
    follow,
    load,
    request_for,
    save,
)
from swarm_ledger.light_client.messages import (
    Answer,
    ByIndex,
    ByNumber,
    ByQuestion,
    Newest,
    Reason,
    Refusal,
    Request,
    Wanted,
    parse_answer,
)
from swarm_ledger.light_client.policies import check_policy_file
from swarm_ledger.runtime.doorman import log_checkpoint
from swarm_ledger.runtime.light import Prover
from swarm_ledger.runtime.membership import roster_request
from swarm_ledger.voting.decision import parse_settled
from tests.crew import END, T0_S, Crew
from tests.histories import History
from tests.laid_open import lay_open
from tests.light import FIRST_FOUR, NOW, decided, prover

CREW = Crew()
ROOT = CREW.anchor[0]
SECOND = CREW.changed(CREW.roster, add=["drone_5"], revoke=["drone_4"])
THIRD = CREW.changed(SECOND.roster, revoke=["drone_5"], add=["drone_6"])


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    made = decided(CREW, tmp_path / "drone_1")
    yield made
    made.close()


def ask(history: History, head: Head | None = None, wanted: Wanted | None = None) -> Answer:
    raw = prover(history).answer(encode(request_for(wanted or Newest(), head)))
    return parse_answer(raw)


def refusal(history: History, request: Request | bytes) -> Refusal:
    raw = request if isinstance(request, bytes) else encode(request)
    found: Refusal = decode(prover(history).answer(raw), Refusal, limit=1024)
    return found


def place(history: History) -> int:
    return history.store.find(Kind.DECISION)[0].index


def changed(answer: Answer, **fields: Any) -> Answer:
    return msgspec.structs.replace(answer, **fields)


def refused(where: str, answer: Answer, head: Head | None = None, **more: Any) -> NotVerified:
    with pytest.raises(NotVerified) as caught:
        follow(more.get("root", ROOT), head, answer, more.get("now", NOW))
    assert caught.value.where == where
    return caught.value


# what holds


def test_from_the_root_alone_to_a_decision(history: History) -> None:
    answer = ask(history)
    head = follow(ROOT, None, answer, NOW)
    verified = entry_of(head, Newest(), answer)
    assert parse_settled(verified.entry[1:]).answer == "cup"
    assert (verified.size, verified.signers) == (history.store.size, FIRST_FOUR[:3])
    assert (head.epoch, head.cosigned_s) == (1, T0_S)
    assert len(answer.delegations) == 3


@pytest.mark.parametrize("wanted", [ByIndex(0), ByIndex(3), ByNumber(1)], ids=repr)
def test_any_entry_may_be_asked_for(history: History, wanted: Wanted) -> None:
    answer = ask(history, wanted=wanted)
    verified = entry_of(follow(ROOT, None, answer, NOW), wanted, answer)
    assert verified.entry == history.store.entry(verified.index)


def test_a_decision_is_found_by_its_question(history: History) -> None:
    wanted = ByQuestion(CREW.question_id)
    answer = ask(history, wanted=wanted)
    verified = entry_of(follow(ROOT, None, answer, NOW), wanted, answer)
    assert parse_settled(verified.entry[1:]).decision.question == CREW.question_id


def test_who_has_the_checkpoint_is_sent_the_entry_alone(history: History) -> None:
    head = follow(ROOT, None, ask(history), NOW)
    again = ask(history, head)
    assert (again.roster, again.delegations, again.note, again.consistency) == ((), (), b"", ())
    assert follow(ROOT, head, again, NOW) == head
    assert entry_of(head, Newest(), again).entry[0] == Kind.DECISION


def test_a_ledger_that_grew_is_followed(history: History) -> None:
    asked = prover(history)  # one that remembers the members, and goes on from there
    head = follow(ROOT, None, parse_answer(asked.answer(encode(Request(Newest())))), NOW)
    for _ in range(3):
        history.blocks(2)
        history.checkpoint()
        answer = parse_answer(asked.answer(encode(request_for(Newest(), head))))
        assert answer.roster == ()
        head = follow(ROOT, head, answer, NOW)
        assert head.checkpoint.size == history.store.size
        assert entry_of(head, Newest(), answer).entry[0] == Kind.DECISION


def test_rosters_are_followed_and_may_be_skipped(history: History) -> None:
    first = follow(ROOT, None, ask(history), NOW)
    history.change(SECOND, roster_request(SECOND))
    history.checkpoint("drone_1", "drone_2", "drone_3", "drone_5")
    second = follow(ROOT, first, ask(history, first), NOW)
    assert second.epoch == 2
    history.change(THIRD, roster_request(THIRD))
    history.checkpoint("drone_1", "drone_2", "drone_3", "drone_6")
    for before in (second, first, None):
        head = follow(ROOT, before, ask(history, before), NOW)
        assert (head.epoch, head.checkpoint.size) == (3, history.store.size)


def test_the_last_checkpoint_of_an_epoch_is_its_own_members(history: History) -> None:
    history.block(roster_request(SECOND))
    stated = log_checkpoint(CREW.roster, history.store.size, history.store.root())
    fliers = [CREW.identity(name) for name in FIRST_FOUR[:3]]
    lines = [cosign(stated, one.cosigner, one.session.sign, T0_S) for one in fliers]
    note = assemble(stated, fliers[0].sign_as_log(stated), lines, 3).encode()
    history.store.put_checkpoint(history.store.height, note)
    assert follow(ROOT, None, ask(history), NOW).epoch == 1


def test_operators_may_change(tmp_path: Path) -> None:
    crew = Crew()
    old, new = crew.root("operator_1"), crew.root("operator_2")
    later = sign(draft_root([new.public_key], threshold=1, expires=END, version=2), [old, new])
    raw = render_roster("test", 2, crew.roster.members)
    second = Version(sign_roster(raw, [new], expires=END), parse_roster(raw), (later,))
    history = decided(crew, tmp_path / "drone_1")
    head = follow(crew.anchor[0], None, ask(history), NOW)
    history.change(second, roster_request(second))
    history.checkpoint()
    head = follow(crew.anchor[0], head, ask(history, head), NOW)
    assert (head.epoch, len(head.proven.roots.later)) == (2, 1)
    # the first operator's key, stolen: what it signs now counts for those who know the new root
    third = crew.changed(second.roster, add=["drone_9"])
    forged = changed(ask(history), roster=(third.targets, third.roster.raw))
    assert "operators" in refused("roster", forged, head).what
    history.close()


def test_the_state_is_kept_and_read_again(history: History) -> None:
    head = follow(ROOT, None, ask(history), NOW)
    again = load(ROOT, save(ROOT, head))
    assert again.checked == head.checked
    assert save(ROOT, again) == save(ROOT, head)
    other = sign_root([CREW.root("operator_1")], threshold=1, expires=END + timedelta(days=1))
    with pytest.raises(Misuse, match="another root"):
        load(other, save(ROOT, head))


def test_no_byte_of_a_state_can_be_changed(history: History) -> None:
    head = follow(ROOT, None, ask(history), NOW)
    state = save(ROOT, head)
    for at in range(0, len(state), 37):
        mutant = bytearray(state)
        mutant[at] ^= 1
        try:
            assert load(ROOT, bytes(mutant)).checked == head.checked  # JSON may have spare bytes
        except (NotVerified, Misuse):
            continue


# lies


def test_another_swarms_root_or_roster_is_refused(history: History) -> None:
    answer, other = ask(history), Crew(swarm="other")
    refused("targets.json", answer, root=other.anchor[0])
    head = follow(ROOT, None, answer, NOW)
    raw = render_roster("other", 7, CREW.roster.members)
    targets = sign_roster(raw, [CREW.root("operator_1")], expires=END)
    assert "of other" in refused("roster", changed(answer, roster=(targets, raw)), head).what


def test_a_roster_that_is_over_is_refused(history: History) -> None:
    answer = ask(history)
    follow(ROOT, None, answer, END - timedelta(seconds=1))
    refused("root.json", answer, now=END)
    head = follow(ROOT, None, answer, NOW)
    refused("root.json", ask(history, head), head, now=END)


def test_an_older_or_another_roster_is_refused(history: History) -> None:
    old = ask(history)
    history.change(SECOND, roster_request(SECOND))
    history.checkpoint("drone_1", "drone_2", "drone_3", "drone_5")
    head = follow(ROOT, None, ask(history), NOW)
    assert "is over" in refused("roster", old, head).what
    twin = CREW.changed(CREW.roster, add=["drone_7"])
    forged = changed(ask(history), roster=(twin.targets, twin.roster.raw))
    assert "another version 2" in refused("roster", forged, head).what


def test_a_checkpoint_before_the_last_one_is_refused(history: History) -> None:
    old = ask(history)
    history.blocks(1)
    history.checkpoint()
    head = follow(ROOT, None, ask(history), NOW)
    assert "rolled back" in refused("checkpoint", changed(old, roster=()), head).what


def test_fewer_cosignatures_than_a_quorum_are_refused(history: History) -> None:
    answer = ask(history)
    note = Note.parse(answer.note)
    few = Note(note.text, note.signatures[:-1]).encode()
    assert "quorum" in refused("checkpoint", changed(answer, note=few)).what
    # one member's cosignature twice, by two sessions, is one
    second = CREW.identity("drone_1", 1)
    stated = history.store.size, history.store.root()
    line = second.cosigner.sign(second.session.sign, note.text, T0_S)
    twice = Note(note.text, (*note.signatures[:-1], line)).encode()
    forged = changed(answer, note=twice, delegations=(*answer.delegations, second.delegation))
    assert "quorum" in refused("checkpoint", forged).what
    assert stated == (history.store.size, history.store.root())


def test_cosignatures_of_keys_that_nobody_delegated_to_count_for_nothing(
    history: History,
) -> None:
    answer = ask(history)
    assert "session" in refused("", changed(answer, delegations=answer.delegations[:2])).what
    foreign = Crew(swarm="other").identity("drone_1").delegation
    forged = changed(answer, delegations=(*answer.delegations[:2], foreign))
    refused("delegation", forged)
    watcher = CREW.identity("watcher").delegation  # a member, and no validator
    forged = changed(answer, delegations=(*answer.delegations[:2], watcher))
    assert "session" in refused("", forged).what


def test_a_member_that_was_removed_cosigns_no_more(history: History) -> None:
    """drone_4 was revoked by version 2: neither its old session nor a new one counts."""
    history.change(SECOND, roster_request(SECOND))
    history.checkpoint("drone_1", "drone_2", "drone_5", "drone_3")
    good = ask(history)
    note, roster = Note.parse(good.note), SECOND.roster
    gone = CREW.identity("drone_4")
    line = gone.cosigner.sign(gone.session.sign, note.text, T0_S)
    forged = Note(note.text, (*note.signatures[:-1], line)).encode()
    assert "quorum" in refused("checkpoint", changed(good, note=forged)).what
    with_old = changed(good, note=forged, delegations=(*good.delegations, gone.delegation))
    refused("delegation", with_old)
    with pytest.raises(Misuse):
        CREW.identity("drone_4", roster=replace(roster, members=roster.members[:3]))


def test_an_entry_that_does_not_stand_there_is_refused(history: History) -> None:
    answer = ask(history)
    head = follow(ROOT, None, answer, NOW)
    other = ask(history, wanted=ByIndex(2))
    forged = [
        changed(answer, entry=answer.entry + b"\0"),
        changed(answer, entry=other.entry),
        changed(answer, index=answer.index - 1),
        changed(answer, index=history.store.size),
        changed(answer, path=answer.path[:-1]),
        changed(answer, path=other.path),
        changed(answer, path=(*answer.path, bytes(32))),
    ]
    for one in forged:
        with pytest.raises(NotVerified) as caught:
            entry_of(head, Newest(), one)
        assert caught.value.where == "inclusion proof"


@pytest.mark.parametrize(
    "wanted", [ByIndex(1), ByNumber(2), ByQuestion(bytes(32)), Newest()], ids=repr
)
def test_a_true_entry_that_was_not_asked_for_is_refused(history: History, wanted: Wanted) -> None:
    at = 0 if wanted == Newest() else place(history)
    answer = ask(history, wanted=ByIndex(at))
    head = follow(ROOT, None, answer, NOW)
    with pytest.raises(NotVerified) as caught:
        entry_of(head, wanted, answer)
    assert caught.value.where == "entry"


def test_a_fork_is_refused_and_both_sides_are_kept(history: History, tmp_path: Path) -> None:
    other = decided(CREW, tmp_path / "liars", *FIRST_FOUR[1:], "drone_1")
    for mark, one in enumerate((history, other)):
        one.blocks(1, mark)
        one.checkpoint(*one.signers)
    head = follow(ROOT, None, ask(history), NOW)
    # the same size: an honest server of the other log sends all of it, as the roots differ
    error = refused("fork", ask(other, head), head)
    assert isinstance(error, Forked)
    assert error.certain
    for side in (error.known, error.claimed):
        assert check_policy_file(side.policy, CREW.trust).check(side.note) == side.checkpoint
    assert error.known.checkpoint.root != error.claimed.checkpoint.root
    # a longer one
    other.blocks(1, 2)
    other.checkpoint()
    error = refused("fork", ask(other, head), head)
    assert isinstance(error, Forked)
    assert not error.certain
    other.close()


def test_a_consistency_proof_that_does_not_hold_is_refused(history: History) -> None:
    head = follow(ROOT, None, ask(history), NOW)
    history.blocks(3)
    history.checkpoint()
    good = ask(history, head)
    follow(ROOT, head, good, NOW)
    path = good.consistency
    for forged in ((), path[:-1], (*path, bytes(32)), (bytes(32), *path[1:]), path[::-1]):
        refused("fork", changed(good, consistency=forged), head)
    refused(
        "consistency proof", changed(good, consistency=(bytes(32),), roster=ask(history).roster)
    )


def test_what_is_left_out_is_missed(history: History) -> None:
    answer = ask(history)
    head = follow(ROOT, None, answer, NOW)
    refused("roster", changed(answer, roster=()))
    refused("roster", changed(answer, roster=answer.roster[:1]))
    refused("checkpoint", changed(answer, note=b""))
    refused("checkpoint", changed(answer, note=b""), head)


@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_half_an_answer_is_none(history: History, cut: int) -> None:
    raw = prover(history).answer(encode(Request(Newest())))
    with pytest.raises(NotVerified) as caught:
        parse_answer(raw[:cut])
    assert caught.value.where == "answer"


@pytest.mark.parametrize(
    "raw",
    [bytes((1 << 20) + 1), encode([1, [], [], b"", [], 0, b"", []]), encode([9]), b"\xff" * 9],
    ids=["large", "no entry", "kind", "junk"],
)
def test_what_is_no_answer_is_refused(raw: bytes) -> None:
    with pytest.raises(NotVerified) as caught:
        parse_answer(raw)
    assert caught.value.where == "answer"


# why there is none


def test_who_gets_no_answer_is_told_why(history: History) -> None:
    size = history.store.size
    question = ByQuestion(bytes(32))
    for wanted in (ByIndex(10**9), ByNumber(2), question):
        assert refusal(history, Request(wanted)).reason is Reason.NOT_FOUND
    history.blocks(1)
    assert refusal(history, Request(ByIndex(size))).reason is Reason.NOT_COSIGNED
    assert refusal(history, Request(Newest(), size + 1)).reason is Reason.BEHIND
    for junk in (b"", b"x" * 129, encode([1, [5], 0, bytes(32), 0]), encode([1, [4], 0, b"", 0])):
        assert refusal(history, junk).reason is Reason.BAD_REQUEST
    with pytest.raises(NotVerified, match="not found"):
        ask(history, wanted=ByNumber(2))


def test_a_ledger_that_can_not_be_read_is_told(history: History, tmp_path: Path) -> None:
    def opened() -> Store:
        return Store.open(tmp_path / "nowhere.db", read_only=True)

    raw = Prover(opened, CREW.trust).answer(encode(Request(Newest())))
    assert decode(raw, Refusal, limit=1024).reason is Reason.UNAVAILABLE
    index = place(history)
    lay_open(history.store.database._connection)
    with history.store.transaction():
        history.store.database.run("DELETE FROM entries WHERE idx = ?", (index,))
    assert refusal(history, Request(ByIndex(index))).reason is Reason.UNAVAILABLE


def test_a_refusal_says_only_what_can_be_printed() -> None:
    refusal_text = Refusal.saying(Reason.UNAVAILABLE, "no\x1b[31m ünicode " + "x" * 500).text
    assert refusal_text.startswith("no?[31m ?nicode")
    assert len(refusal_text) == 200


def test_trust_is_in_the_root_alone(history: History) -> None:
    """A server that has another first roster under the same operators is followed all the same."""
    targets = sign_roster(CREW.raw_roster, [CREW.root("operator_1")], expires=END)
    path = history.folder / "ledger.db"
    other = Prover(
        lambda: Store.open(path, read_only=True), Trust(ROOT, [(targets, CREW.raw_roster)])
    )
    answer = parse_answer(other.answer(encode(Request(Newest()))))
    assert follow(ROOT, None, answer, NOW).epoch == 1
