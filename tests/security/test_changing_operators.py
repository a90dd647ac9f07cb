# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Operators change by a chain of roots, and who was an operator is none any more, everywhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timezone

import pytest
from securesystemslib.signer import Signature, SSlibKey
from tuf.api.metadata import Root

from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, seal
from swarm_ledger.errors import NotVerified
from swarm_ledger.identity import tuf
from swarm_ledger.identity.roster import render_roster
from swarm_ledger.identity.trust import Roots, Trust, Version
from swarm_ledger.identity.tuf import draft_root, draft_targets, sign, sign_root, sign_roster
from swarm_ledger.runtime.machine import Machine
from swarm_ledger.runtime.membership import membership_of, roster_request
from swarm_ledger.signers import SoftwareSigner
from tests.crew import END, T0_MS, T0_S, Crew, key
from tests.lab import Lab
from tests.security.test_changing_members import examine, hand_in, refused, swarm_of, until_epoch

MakeLab = Callable[..., Lab]
A, B, C, D, E = (key(f"operator {letter}") for letter in "abcde")
CREW = Crew()
FIRST = sign_root([A, B, C], threshold=2, expires=END)


def root(
    version: int,
    operators: Sequence[SoftwareSigner],
    by: Sequence[SoftwareSigner],
    *,
    threshold: int = 2,
    expires: datetime = END,
) -> bytes:
    """A root of these operators, signed by those."""
    keys = [one.public_key for one in operators]
    draft = draft_root(keys, threshold=threshold, expires=expires, version=version)
    return sign(draft, by)


TWO = root(2, [B, C, D], [A, B, D])
"""a leaves, d comes: signed by a and b of the old, by b and d of the new."""
THREE = root(3, [D, E], [B, D, E])


def said(reason: str, *later: bytes, first: bytes = FIRST) -> None:
    with pytest.raises(NotVerified, match=reason):
        Roots(first, later)


# the chain (TUF 5.3)


def test_each_root_is_signed_by_the_old_and_by_the_new_operators() -> None:
    roots = Roots(FIRST, [TWO, THREE])
    assert [Roots(FIRST, [TWO, THREE][:n]).last.version for n in range(3)] == [1, 2, 3]
    assert roots.follows(Roots(FIRST))
    assert roots.follows(roots)
    assert not Roots(FIRST).follows(roots)


def test_roots_that_are_not_the_next() -> None:
    said("1 signed it, 2 are needed by version 1", root(2, [B, C, D], [A, D]))
    said("0 signed it, 2 are needed by version 1", root(2, [D, E], [D, E]))
    said("1 signed it, 2 are needed by version 2", root(2, [B, D, E], [A, B, C]))
    said("0 signed it, 2 are needed by version 2", root(2, [D, E], [A, B, C]))
    said("root version 3 can't follow 1", root(3, [B, C, D], [A, B, C, D]))
    said("root version 3 can't follow 1", THREE)
    said("root version 1 can't follow 1", FIRST)
    said("root version 2 can't follow 2", TWO, TWO)
    said("root version 2 can't follow 3", TWO, THREE, TWO)
    said("another type", sign_roster(CREW.raw_roster, [A, B], expires=END))
    said("not TUF metadata", b"{}")
    said("nested more deeply", b"[" * 300)
    said("can't follow", sign_root([D, E], threshold=1, expires=END))


def test_a_threshold_can_go_up_and_the_old_one_holds_for_the_change_itself() -> None:
    three = root(2, [A, B, C], [A, B], threshold=3)
    said("2 signed it, 3 are needed by version 2", three)
    Roots(FIRST, [root(2, [A, B, C], [A, B, C], threshold=3)])
    said("1 signed it, 2 are needed by version 1", root(2, [A], [A], threshold=1))
    Roots(FIRST, [root(2, [A], [A, B], threshold=1)])


def forged(raw: bytes, change: Callable[[dict[str, object]], None]) -> bytes:
    form = json.loads(raw)
    change(form)
    return json.dumps(form).encode()


def test_one_operator_under_two_identifiers_is_one() -> None:
    """Signatures are counted by key: whoever drafts a root can give one key two names."""
    draft = draft_root([A.public_key, B.public_key], threshold=2, expires=END, version=2)
    twin = tuf._key(A.public_key)
    for role in ("root", "targets"):
        draft.signed.add_key(SSlibKey.from_dict("00" * 20, twin.to_dict()), role)
    raw = sign(draft, [A])
    again = tuf.parse(Root, raw, "x")
    again.signatures["00" * 20] = Signature("00" * 20, again.signatures[twin.keyid].signature)
    doubled = again.to_bytes()
    assert len(again.signatures) == 2
    said("1 signed it, 2 are needed by version 1", doubled)
    old = sign_root([A], threshold=1, expires=END)
    said("1 signed it, 2 are needed by version 2", doubled, first=old)


def test_keys_of_other_kinds_and_damaged_signatures_count_for_nothing() -> None:
    def rsa(form: dict[str, object]) -> None:
        for one in form["signed"]["keys"].values():  # type: ignore[index]
            one["keytype"] = "rsa"

    def cut(form: dict[str, object]) -> None:
        for one in form["signatures"]:  # type: ignore[attr-defined]
            one["sig"] = one["sig"][:-1]

    def swap(form: dict[str, object]) -> None:
        one, two, *_ = form["signatures"]  # type: ignore[misc]
        one["sig"], two["sig"] = two["sig"], one["sig"]

    said("1 signed it, 2 are needed by version 1", first=forged(FIRST, swap))
    for change in (rsa, cut):
        with pytest.raises(NotVerified, match=r"0 signed it|not TUF metadata"):
            Roots(forged(FIRST, change))
    with pytest.raises(NotVerified):
        Roots(FIRST, [forged(TWO, cut)])


# versions under it


def version(
    number: int,
    by: Sequence[SoftwareSigner],
    roots: Sequence[bytes] = (),
    *,
    expires: datetime = END,
    members: Sequence[object] = CREW.roster.members,
) -> Version:
    """A version of the crew's roster, with the roots that come along."""
    raw = render_roster("test", number, members)  # type: ignore[arg-type]
    targets = sign(draft_targets(raw, expires=expires), by)
    return Version(targets, CREW.changed(CREW.roster, version=number).roster, tuple(roots))


def trusting(first: bytes = FIRST, by: Sequence[SoftwareSigner] = (A, B)) -> Trust:
    return Trust(first, [(sign_roster(CREW.raw_roster, by, expires=END), CREW.raw_roster)])


def applied(machine: Machine, *versions: Version, time_ms: int = T0_MS) -> list[str]:
    height = machine.height + 1
    done = machine.apply(height, time_ms, [roster_request(one) for one in versions])
    return [receipt.result for receipt in done.receipts]


def test_a_roster_of_new_operators_proves_itself_from_the_first_root() -> None:
    machine = Machine(trusting())
    assert applied(machine, version(2, [B, D])) == ["invalid: bad_roster"]
    assert applied(machine, version(2, [B, D], [TWO])) == ["roster"]
    assert applied(machine, version(3, [D, E], [TWO, THREE])) == ["roster"]
    assert machine.members.now.roster.version == 3


def test_who_was_an_operator_is_none_any_more() -> None:
    """a and c could sign under the first root; the ledger knows a later one: a rollback."""
    machine = Machine(trusting())
    assert applied(machine, version(2, [A, C])) == ["roster"]
    assert applied(machine, version(3, [B, D], [TWO])) == ["roster"]
    for old in (version(4, [A, B]), version(4, [A, B, C, D], [])):
        assert applied(machine, old) == ["invalid: stale_roster"]
    assert applied(machine, version(4, [A, B], [TWO])) == ["invalid: bad_roster"]
    assert applied(machine, version(4, [C, D], [TWO])) == ["roster"]


def test_of_two_second_roots_the_one_that_the_ledger_took_first_rules() -> None:
    """The old operators signed two: the other one is never followed, nor what goes on from it."""
    other = root(2, [A, B, E], [A, B, E])
    machine = Machine(trusting())
    assert applied(machine, version(2, [B, D], [TWO])) == ["roster"]
    fork = root(3, [A, E], [A, B, E])
    assert applied(machine, version(3, [A, E], [other])) == ["invalid: stale_roster"]
    assert applied(machine, version(3, [A, E], [other, fork])) == ["invalid: stale_roster"]
    assert applied(machine, version(3, [D, E], [other, THREE])) == ["invalid: stale_roster"]
    assert applied(machine, version(3, [D, E], [TWO, THREE])) == ["roster"]


def test_the_same_root_with_more_signatures_is_the_same() -> None:
    machine = Machine(trusting())
    more = root(2, [B, C, D], [A, B, C, D])
    assert more != TWO
    assert applied(machine, version(2, [B, D], [TWO])) == ["roster"]
    assert applied(machine, version(3, [B, D], [more])) == ["roster"]


def test_within_one_block_a_root_is_not_lost() -> None:
    machine = Machine(trusting())
    results = applied(machine, version(2, [B, D], [TWO]), version(3, [A, B]))
    assert results == ["roster", "invalid: stale_roster"]
    assert machine.members.now.roster.version == 2


def test_chains_with_a_gap_or_mixed_up() -> None:
    machine = Machine(trusting())
    for roots in ([THREE], [THREE, TWO], [TWO, TWO], [FIRST, TWO], [TWO, b"{}"]):
        assert applied(machine, version(2, [B, D, E], roots)) == ["invalid: bad_roster"]
    body = bytes([Kind.ROSTER]) + encode([FIRST])
    assert machine.apply(9, T0_MS, [body]).receipts[0].result == "invalid: malformed"


def test_expiry_of_the_last_root_counts_and_of_those_before_it_does_not() -> None:
    soon = datetime.fromtimestamp(T0_S + 10, tz=timezone.utc)
    two = root(2, [B, C, D], [A, B, D], expires=soon)
    three = root(3, [D, E], [B, D, E])
    machine = Machine(trusting())
    late = T0_MS + 20_000
    assert applied(machine, version(2, [B, D], [two]), time_ms=late) == ["invalid: expired_roster"]
    assert applied(machine, version(2, [D, E], [two, three]), time_ms=late) == ["roster"]


def test_a_swarm_frozen_on_an_expired_roster_decides_nothing_and_takes_the_next() -> None:
    """Whoever keeps the next roster from it keeps a revoked member in power: until then only."""
    end = datetime.fromtimestamp(T0_S + 10, tz=timezone.utc)
    first = sign_roster(CREW.raw_roster, [A, B], expires=end)
    machine = Machine(Trust(FIRST, [(first, CREW.raw_roster)]))
    sessions = [CREW.identity(name).delegation for name in CREW.names]
    machine.apply(1, T0_MS, [*sessions[:3], CREW.asked()])
    early = machine.apply(2, T0_MS + 7_000, [CREW.vote("drone_1")])
    assert [r.result for r in early.receipts] == ["counted"]
    votes = [CREW.vote("drone_2"), sessions[3], CREW.asked()]
    late = machine.apply(3, T0_MS + 10_000, votes)
    assert [r.result for r in late.receipts] == [
        "invalid: expired_roster",
        "session",
        "invalid: expired_roster",
    ]
    assert applied(machine, version(2, [A, B]), time_ms=T0_MS + 11_000) == ["roster"]
    member = CREW.identity("drone_2", roster=machine.members.now.roster)
    vote = seal(Kind.VOTE, encode(CREW.observation()), member.session, member.roster)
    done = machine.apply(5, T0_MS + 12_000, [member.delegation, vote])
    assert not done.receipts[1].result.startswith("invalid")


# what a folder holds


def test_each_version_is_handed_in_under_the_newest_root_that_it_can_be() -> None:
    """Else a change of operators that comes with it would not reach the ledger."""
    pairs = [(v.targets, v.roster.raw) for v in (version(2, [A, C]), version(3, [A, B, D]))]
    first = (sign_roster(CREW.raw_roster, [A, B], expires=END), CREW.raw_roster)
    trust = Trust(FIRST, [first, *pairs], [TWO])
    assert [v.roots for v in trust.versions] == [(), (), (TWO,)]
    ahead = Trust(FIRST, [first, *pairs[:1]], [TWO, THREE])
    assert [v.roots for v in ahead.versions] == [(), ()], "a root that nothing is signed under yet"
    with pytest.raises(NotVerified):
        Trust(FIRST, [first, *pairs[::-1]], [TWO])
    back = [(v.targets, v.roster.raw) for v in (version(2, [B, D]), version(3, [A, C]))]
    with pytest.raises(NotVerified, match="needed by version 1"):
        Trust(FIRST, [first, *back], [TWO])  # who was an operator signs behind the change
    with pytest.raises(NotVerified, match="needed by version 1"):
        Trust(FIRST, [(sign_roster(CREW.raw_roster, [B, D], expires=END), CREW.raw_roster)], [TWO])


def test_what_a_drone_learns_goes_on_from_what_it_knows() -> None:
    first = (sign_roster(CREW.raw_roster, [A, B], expires=END), CREW.raw_roster)
    two, other = version(2, [A, B]), CREW.changed(CREW.roster, add=["drone_5"])
    signed = sign_roster(other.roster.raw, [A, B], expires=END)
    known = Trust(FIRST, [first, (two.targets, two.roster.raw)], [TWO])
    known.check_learnt(known)
    for worse, what in (
        (Trust(FIRST, [first], [TWO]), "version 2 is gone"),
        (Trust(FIRST, [first, (signed, other.roster.raw)], [TWO]), "version 2 is another one"),
        (Trust(FIRST, [first, (two.targets, two.roster.raw)]), "roots of operators"),
        (Trust(FIRST, [first, (two.targets, two.roster.raw)], [root(2, [A], [A, B], threshold=1)]),
         "roots of operators"),
    ):  # fmt: skip
        with pytest.raises(NotVerified, match=what):
            known.check_learnt(worse)


# in flight


def flying(lab: MakeLab) -> Lab:
    crew = Crew()
    crew.trust = trusting()
    return swarm_of(lab, crew=crew)


def test_operators_change_in_flight_and_strangers_follow_from_the_first_root(
    lab: MakeLab,
) -> None:
    made = flying(lab)
    two, three = version(2, [B, D], [TWO]), version(3, [D, E], [TWO, THREE])
    hand_in(made, two)
    until_epoch(made, 2)
    refused(made, roster_request(version(3, [A, C])), "stale_roster")
    refused(made, roster_request(version(3, [D, E])), "bad_roster")
    refused(made, roster_request(version(3, [D, E], [THREE])), "bad_roster")
    hand_in(made, three)
    until_epoch(made, 3)
    store, trust = made.drones[0].keeper.store, made.crew.trust
    eras = membership_of(store, trust).eras
    assert [era.roster.version for era in eras] == [1, 2, 3]
    made.crew.knowing = lambda *versions: Trust(
        FIRST,
        [(trust.versions[0].targets, CREW.raw_roster)]
        + [(one.targets, one.roster.raw) for one in versions],
        [TWO, THREE],
    )
    examine(made, two, three)


def test_drones_with_another_first_root_are_not_of_this_swarm() -> None:
    """The same roster, signed by others as well: their ledgers differ from the first block on."""
    ours, theirs = (
        Machine(trusting()),
        Machine(trusting(sign_root([E], threshold=1, expires=END), [E])),
    )
    assert ours.apply(1, T0_MS, []).entries != theirs.apply(1, T0_MS, []).entries


def test_a_drone_learns_in_flight_and_hands_it_in(lab: MakeLab) -> None:
    made = flying(lab)
    two = version(2, [B, D], [TWO])
    first = (made.crew.trust.versions[0].targets, CREW.raw_roster)
    made.drones[2].learn(Trust(FIRST, [first, (two.targets, two.roster.raw)], [TWO]), made.now_ms)
    until_epoch(made, 2)
    with pytest.raises(NotVerified, match="roots of operators"):
        made.drones[2].learn(made.crew.trust, made.now_ms)
    assert made.drones[0].roster.version == 2
