# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What simulated drones sign, what they have ordered, and what their ledger makes of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from swarm_ledger.consensus.messages import Commit, Message, Prepare, Status
from swarm_ledger.consensus.ready import Decided
from swarm_ledger.errors import PeerFault
from swarm_ledger.sim.pbft.ledger import Epoch, Ledger
from swarm_ledger.sim.pbft.requests import Evidence, Office, Roster, Vote
from swarm_ledger.sim.pbft.wire import Mint, Signatures, Tokens

STATUS = Status(1, 2, 3)
MEMBERS = (0, 1, 2, 3)


def ignore(_version: int, _sender: int, _message: Message) -> None:
    pass


MINTS: dict[str, Callable[[], Mint]] = {
    "tokens": lambda: Tokens(ignore),
    "signatures": lambda: Signatures(ignore, 7),
}


@pytest.fixture(params=MINTS.values(), ids=MINTS)
def mint(request: pytest.FixtureRequest) -> Mint:
    made: Mint = request.param()
    return made


def reason(act: Callable[[], object]) -> str:
    with pytest.raises(PeerFault) as caught:
        act()
    return caught.value.reason


# wire


def test_what_was_sealed_can_be_opened(mint: Mint) -> None:
    signed = mint.seal(3, 2, STATUS)
    opened = mint.open(signed.raw)
    assert (opened.version, opened.signed) == (3, signed)
    assert (signed.sender, signed.message) == (2, STATUS)
    assert mint.size(signed.raw) == len(signed.raw)


def test_any_changed_byte_voids_a_seal(mint: Mint) -> None:
    raw = mint.seal(1, 2, STATUS).raw
    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= 1
        with pytest.raises(PeerFault):
            mint.open(bytes(changed))
    for forged in (b"", b"s", raw[:-1], raw + b"0", b"s1.2.99", bytes(100)):
        with pytest.raises(PeerFault):
            mint.open(forged)


def test_a_seal_says_under_which_roster_version_it_was_made(mint: Mint) -> None:
    one, other = mint.seal(1, 2, STATUS), mint.seal(2, 2, STATUS)
    assert one.raw != other.raw
    assert [mint.open(signed.raw).version for signed in (one, other)] == [1, 2]


def test_a_signature_for_one_swarm_is_worth_nothing_in_another() -> None:
    raw = Signatures(ignore, 7).seal(1, 2, STATUS).raw
    assert reason(lambda: Signatures(ignore, 8).open(raw)) == "unknown_key"


def test_real_signatures_depend_on_the_seed_alone() -> None:
    one, same = (Signatures(ignore, 7).seal(1, 2, STATUS).raw for _ in range(2))
    assert one == same


def test_everything_that_is_sealed_is_reported() -> None:
    told: list[tuple[int, int, Message]] = []
    for mint in (
        Tokens(lambda *what: told.append(what)),
        Signatures(lambda *w: told.append(w), 1),
    ):
        mint.seal(4, 2, STATUS)
    assert told == [(4, 2, STATUS)] * 2


# requests


@pytest.fixture
def office(mint: Mint) -> Office:
    return Office(mint)


@pytest.mark.parametrize("what", [Vote(3, 7, 1), Roster(2, (0, 1, 2, 4))], ids=str)
def test_what_was_signed_is_read(office: Office, what: Vote | Roster) -> None:
    assert office.read(office.sign(what)) == what


def test_what_nobody_signed_is_refused(office: Office) -> None:
    for body in (Vote(3, 7, 1).encode(), Roster(2, MEMBERS).encode(), b"", b"anything"):
        assert reason(lambda body=body: office.read(body)) == "bad_signature"
    assert reason(lambda: office.read(b"evidence zz zz")) == "malformed"
    assert reason(lambda: office.read(b"evidence 00")) == "malformed"


def accusation(mint: Mint, first: Message, second: Message, **other: int) -> Evidence:
    """Two statements of member 2 under roster 1, but for what is given."""
    version, sender = other.get("version", 1), other.get("sender", 2)
    return Evidence(mint.seal(1, 2, first).raw, mint.seal(version, sender, second).raw)


ONE, OTHER = Prepare(0, 5, bytes(32)), Prepare(0, 5, b"\1" * 32)


def test_two_statements_that_contradict_each_other_convict(mint: Mint, office: Office) -> None:
    assert office.culprit(accusation(mint, ONE, OTHER)) == (2, 1)


@pytest.mark.parametrize(
    ("second", "other"),
    [
        (ONE, {}),
        (Prepare(0, 6, b"\1" * 32), {}),
        (Prepare(1, 5, b"\1" * 32), {}),
        (Commit(0, 5, b"\1" * 32), {}),
        (OTHER, {"sender": 3}),
        (OTHER, {"version": 2}),
    ],
    ids=["the same", "another number", "another view", "another kind", "sender", "epoch"],
)
def test_nothing_else_convicts(
    mint: Mint, office: Office, second: Message, other: dict[str, int]
) -> None:
    assert reason(lambda: office.culprit(accusation(mint, ONE, second, **other))) == (
        "no_contradiction"
    )


def test_forged_evidence_convicts_nobody(mint: Mint, office: Office) -> None:
    assert reason(lambda: office.culprit(Evidence(mint.seal(1, 2, ONE).raw, b"s1.2.99"))) in (
        "bad_signature",
        "malformed",
    )


# ledger


class Book:
    """A ledger and what is written to it, block by block."""

    def __init__(self) -> None:
        self.mint = Tokens(ignore)
        self.office = Office(self.mint)
        self.ledger = Ledger(MEMBERS, self.office)
        self.blocks: list[Decided] = []

    def write(self, *bodies: bytes, time_ms: int = 0) -> None:
        self.blocks.append(Decided(len(self.blocks) + 1, time_ms, bodies, ()))
        self.ledger.apply(self.blocks[-1])

    def vote(self, author: int, question: int, choice: int = 0) -> bytes:
        return self.office.sign(Vote(author, question, choice))

    def roster(self, version: int, *members: int) -> bytes:
        return self.office.sign(Roster(version, members))


@pytest.fixture
def book() -> Book:
    return Book()


def test_a_vote_counts_once(book: Book) -> None:
    book.write(book.vote(1, 7, 1), book.vote(1, 7, 1))
    assert book.ledger.votes == {(1, 7): 1}
    assert not book.ledger.convicted


def test_who_is_no_member_does_not_vote(book: Book) -> None:
    book.write(book.vote(4, 7, 1))
    assert not book.ledger.votes


def test_two_votes_that_differ_convict_their_author(book: Book) -> None:
    book.write(book.vote(1, 7, 1))
    book.write(book.vote(2, 7, 0), book.vote(1, 7, 0))
    assert book.ledger.convicted == {1}
    assert book.ledger.votes[1, 7] == 1


def test_evidence_on_the_ledger_convicts(book: Book) -> None:
    book.write(accusation(book.mint, ONE, OTHER).encode())
    assert book.ledger.convicted == {2}


def test_evidence_of_nothing_and_of_another_epoch_convicts_nobody(book: Book) -> None:
    old = accusation(book.mint, ONE, OTHER).encode()
    book.write(accusation(book.mint, ONE, ONE).encode(), b"never signed")
    book.write(book.roster(2, 0, 1, 2, 4))
    book.write(old)
    assert not book.ledger.convicted


def test_a_roster_is_in_force_behind_its_block(book: Book) -> None:
    book.write(book.vote(1, 1))
    book.write(book.vote(4, 1), book.roster(2, 0, 1, 2, 4), book.vote(4, 2), book.vote(3, 2))
    book.write(book.vote(4, 3), book.vote(3, 3))
    ledger = book.ledger
    assert ledger.epoch == Epoch(2, (0, 1, 2, 4), 2)
    assert sorted(ledger.votes) == [(1, 1), (3, 2), (4, 3)]
    assert [ledger.epoch_of(height).version for height in (1, 2, 3, 9)] == [1, 1, 2, 2]
    assert [ledger.end_of(epoch) for epoch in ledger.epochs] == [2, None]


def test_of_two_rosters_in_a_block_the_newer_takes_effect(book: Book) -> None:
    new, newer = book.roster(2, 0, 1, 2, 4), book.roster(3, 0, 1, 2, 5)
    book.write(newer, new)
    assert [epoch.version for epoch in book.ledger.epochs] == [1, 3]


def test_an_older_roster_never_comes_back(book: Book) -> None:
    book.write(book.roster(3, 0, 1, 2, 4))
    book.write(book.roster(2, *MEMBERS))
    book.write(book.roster(3, *MEMBERS))
    assert book.ledger.epoch == Epoch(3, (0, 1, 2, 4), 1)


def test_the_ledger_s_time_never_goes_back(book: Book) -> None:
    book.write(time_ms=500)
    book.write(time_ms=300)
    assert book.ledger.time_ms == 500


def test_replayed_blocks_give_the_same_ledger(book: Book) -> None:
    book.write(book.vote(1, 7, 1), book.vote(2, 7, 1), time_ms=5)
    book.write(book.vote(1, 7, 0), book.roster(2, 0, 1, 2, 4))
    again = Ledger.replay(MEMBERS, book.office, book.blocks)
    assert again.roots == book.ledger.roots
    assert again.epochs == book.ledger.epochs
    assert (again.convicted, again.recent) == (book.ledger.convicted, book.ledger.recent)


def test_roots_tell_ledgers_apart_that_differ_anywhere(book: Book) -> None:
    book.write(book.vote(1, 7, 1))
    other = Book()
    other.write(other.vote(1, 7, 1), time_ms=1)
    assert book.ledger.roots[0] == other.ledger.roots[0]
    assert book.ledger.roots[1] != other.ledger.roots[1]
