# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Notarised messages: signed singly and in windows, numbered, taken once and in any order."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm_ledger.encoding import digest
from swarm_ledger.errors import Misuse, PeerFault
from swarm_ledger.relay.sender import Credentials, Sender
from swarm_ledger.relay.statement import (
    MAX_DATA_BYTES,
    MAX_SEALED_BYTES,
    MAX_WINDOW,
    NUMBER_BITS,
    micros,
    number_of,
    run_of,
    sequence_of,
)
from swarm_ledger.relay.stream import Stream
from swarm_ledger.relay.verifier import Limits, Receiver, Refused, Verifier
from tests.crew import DAY_S, T0_S, Crew
from tests.relayed import (
    DATA,
    HASH,
    LATER_US,
    ODOM,
    ODOMETRY,
    T0_US,
    receiver,
    sender,
    signed,
    windowed,
)


def test_signed_and_taken(crew: Crew) -> None:
    message = signed(sender(crew))
    verified = receiver(crew).take(message, LATER_US + 1_000)
    said = verified.statement
    assert verified.author.name == "drone_1"
    assert (said.topic, said.type_name, said.type_hash) == (ODOM, ODOMETRY, HASH)
    assert (said.stamp_us, said.sha256) == (LATER_US, digest(message.data))
    assert (run_of(said.sequence), number_of(said.sequence)) == (1, 1)


@given(size=st.integers(1, 40))
def test_every_message_of_a_window_is_taken_in_any_order(crew: Crew, size: int) -> None:
    by = sender(crew)
    messages = windowed(by, size)
    assert by.signatures == 1
    taken_by = receiver(crew)
    for message in reversed(messages):
        assert taken_by.take(message, LATER_US).statement.sequence == message.sequence
    assert taken_by.lost("drone_1") == 0
    assert not taken_by.rejections


def test_a_window_is_full_at_some_time(crew: Crew) -> None:
    by = sender(crew)
    full = [by.add(ODOM, ODOMETRY, "", DATA, LATER_US) for _ in range(MAX_WINDOW)]
    assert full == [False] * (MAX_WINDOW - 1) + [True]
    with pytest.raises(Misuse, match="has to be closed"):
        by.add(ODOM, ODOMETRY, "", DATA, LATER_US)
    messages = list(by.close(LATER_US))
    assert len({message.sequence for message in messages}) == MAX_WINDOW
    assert max(len(message.sealed) for message in messages) < MAX_SEALED_BYTES
    assert receiver(crew).take(messages[-1], LATER_US).author.name == "drone_1"
    assert list(by.close(LATER_US)) == []


def test_the_longest_names_fit(crew: Crew) -> None:
    by = sender(crew)
    topic, kind = "/" + "a" * 254, "p" * 124 + "/msg/" + "T" * 126
    for _ in range(MAX_WINDOW):
        by.add(topic, kind, HASH, DATA, LATER_US)
    for message in (by.sign(topic, kind, HASH, DATA, LATER_US), *by.close(LATER_US)):
        assert len(message.sealed) <= MAX_SEALED_BYTES
        receiver(crew).take(message, LATER_US)


def test_the_delegation_comes_along_now_and_then(crew: Crew) -> None:
    by = sender(crew, announce_us=1_000_000)
    at = [0, 1, 999_999, 1_000_000, 1_500_000, 100]  # at last, the clock is set back
    sizes = [len(signed(by, now_us=LATER_US + us).sealed) for us in at]
    assert [size > sizes[1] + 100 for size in sizes] == [True, False, False, True, False, True]


def test_whoever_comes_late_waits_for_the_delegation(crew: Crew) -> None:
    by, late = sender(crew, announce_us=1_000_000), receiver(crew)
    signed(by)
    with pytest.raises(Refused) as caught:
        late.take(signed(by), LATER_US)
    assert (caught.value.reason, caught.value.signer) == ("unknown_key", "")
    for offset in (1_000_000, 1_000_001):
        late.take(signed(by, now_us=LATER_US + offset), LATER_US + offset)


def test_a_new_session_shows_itself_at_once(crew: Crew) -> None:
    by, taken_by = sender(crew, announce_us=60_000_000), receiver(crew)
    taken_by.take(signed(by), LATER_US)
    identity = crew.identity("drone_1", 1)
    by.add(ODOM, ODOMETRY, HASH, DATA, LATER_US)
    credentials = Credentials(identity.roster, identity.session, identity.delegation)
    with pytest.raises(Misuse, match="a window is open"):
        by.change(credentials)
    taken_by.take(next(iter(by.close(LATER_US))), LATER_US)
    by.change(credentials)
    verified = taken_by.take(signed(by), LATER_US)
    assert verified.session.kid == identity.session_kid


def test_numbers_go_on_in_a_new_run(crew: Crew) -> None:
    """The number's 21 bits run over, which takes 3 hours at 200 Hz."""
    identity = crew.identity("drone_1")
    credentials = Credentials(identity.roster, identity.session, identity.delegation)
    runs = count(5)
    by = Sender(credentials, lambda: next(runs), announce_us=0)
    last = sequence_of(5, (1 << NUMBER_BITS) - 1)
    by._sequences[ODOM] = last - 1
    sequences = [signed(by).sequence for _ in range(3)]
    assert sequences == [last, sequence_of(6, 1), sequence_of(6, 2)]
    assert signed(by, topic="/other").sequence == sequence_of(6, 1)


def test_a_restart_is_a_later_run_and_taken(crew: Crew) -> None:
    taken_by = receiver(crew)
    for run in (7, 8):
        by = sender(crew, run=run)
        for _ in range(3):
            taken_by.take(signed(by), LATER_US)
    assert taken_by.lost("drone_1") == 0


@pytest.mark.parametrize(("run", "number"), [(-1, 1), (1 << 32, 1), (1, 0), (1, 1 << NUMBER_BITS)])
def test_sequence_numbers_have_bounds(run: int, number: int) -> None:
    with pytest.raises(Misuse):
        sequence_of(run, number)


def test_what_cannot_be_said_is_not_signed(crew: Crew) -> None:
    by = sender(crew)
    with pytest.raises(Misuse, match="over 4194304"):
        by.sign(ODOM, ODOMETRY, HASH, bytes(MAX_DATA_BYTES + 1), LATER_US)
    with pytest.raises(Misuse, match="stamp 0"):
        by.sign(ODOM, ODOMETRY, HASH, DATA, 0)
    assert by.signatures == 0
    assert signed(by).sequence == sequence_of(1, 1)


def test_the_limit_itself_is_taken(crew: Crew) -> None:
    message = sender(crew).sign(ODOM, ODOMETRY, "", bytes(MAX_DATA_BYTES), LATER_US)
    receiver(crew).take(message, LATER_US)


def test_a_clock_ahead_is_seen(crew: Crew) -> None:
    by, taken_by = sender(crew), receiver(crew)
    for ahead_us in (200_000, 300_000, 100_000):
        taken_by.take(signed(by, now_us=LATER_US + ahead_us), LATER_US)
    heard = taken_by.heard["drone_1"]
    assert (heard.accepted, heard.ahead_us) == (3, 300_000)


def test_a_stamp_has_one_form() -> None:
    assert micros(5, 7_000) == 5_000_007
    with pytest.raises(PeerFault, match="whole microseconds"):
        micros(5, 7_001)


def test_limits_must_make_sense() -> None:
    for wrong in ({"max_age_ms": 0}, {"max_ahead_ms": -1}, {"reorder": 0}):
        with pytest.raises(Misuse):
            Limits(**wrong)


def test_a_verifier_takes_old_messages(crew: Crew) -> None:
    """As an investigator does, years later: no clock, only the session's own time."""
    verifier = Verifier(crew.roster)
    by = sender(crew, announce_us=10)
    carried, bare = signed(by), signed(by)
    with pytest.raises(Refused):
        verifier.verify(bare)
    verifier.learn(carried)
    assert verifier.verify(bare).author == verifier.verify(carried).author
    late = signed(sender(crew), now_us=(T0_S + DAY_S) * 1_000_000)
    with pytest.raises(Refused) as caught:
        verifier.verify(late)
    assert caught.value.reason == "stale_session"


class Model:
    """What a Stream has to do, with unbounded memory."""

    def __init__(self, size: int) -> None:
        self.size, self.taken = size, set[int]()

    def fault(self, sequence: int) -> str:
        if self.taken and sequence <= max(self.taken) - self.size:
            return "too_late"
        return "replayed" if sequence in self.taken else ""


@settings(max_examples=300)
@given(
    size=st.integers(1, 70),
    sequences=st.lists(st.integers(1, 150) | st.integers(2**53 - 80, 2**53 - 1), max_size=200),
)
def test_a_stream_takes_each_number_once(size: int, sequences: list[int]) -> None:
    stream, model = Stream(size), Model(size)
    for sequence in sequences:
        assert stream.fault(sequence) == model.fault(sequence)
        if not stream.fault(sequence):
            stream.mark(sequence)
            model.taken.add(sequence)


@given(
    runs=st.lists(st.integers(1, 60), min_size=1, max_size=4),
    dropped=st.sets(st.tuples(st.integers(0, 3), st.integers(1, 60))),
    order=st.randoms(use_true_random=False),
)
def test_what_is_lost_is_counted(
    runs: list[int], dropped: set[tuple[int, int]], order: object
) -> None:
    """Neighbours change places; the first of all and each run's last one arrive."""
    stream, missing = Stream(64), 0
    for run, length in enumerate(runs):
        numbers = [n for n in range(1, length + 1) if (run, n) not in dropped]
        kept = sorted({*numbers, length} | ({1} if run == 0 else set()))
        missing += length - len(kept)
        for at in range(1 if run == 0 else 0, len(kept) - 1, 2):
            if order.random() < 0.5:  # type: ignore[attr-defined]
                kept[at], kept[at + 1] = kept[at + 1], kept[at]
        for number in kept:
            sequence = sequence_of(run + 1, number)
            assert stream.fault(sequence) == ""
            stream.mark(sequence)
    assert stream.lost == missing


def test_nothing_from_before_its_start_passes_a_receiver(crew: Crew) -> None:
    """Heard by the receiver before it was restarted, replayed after: within the window of age."""
    limits = Limits(max_age_ms=2_000, max_ahead_ms=500)
    by = sender(crew)
    offsets = [-1_500_000, -1, 0, 499_999]  # the last one by a clock that is ahead
    messages = [signed(by, now_us=LATER_US + offset) for offset in offsets]
    before = receiver(crew, limits)
    for message in messages:
        before.take(message, LATER_US)
    after = Receiver(crew.roster, limits, LATER_US + 1)
    for message in messages:
        with pytest.raises(Refused) as caught:
            after.take(message, LATER_US + 10)
        assert caught.value.reason == "stale"
    after.take(signed(by, now_us=LATER_US + 500_001), LATER_US + 500_001)


def test_a_receiver_that_begins_takes_what_is_new(crew: Crew) -> None:
    began = Receiver(crew.roster, Limits(), T0_US)
    began.take(signed(sender(crew), now_us=T0_US + 500_000), T0_US + 500_000)


def test_a_window_opened_before_counts_by_the_session_that_was_shown_since(crew: Crew) -> None:
    late_us = (T0_S + 150) * 1_000_000
    _, bare = windowed(sender(crew, announce_us=10), 2, now_us=late_us)
    verifier = Verifier(crew.roster)
    verifier.add_session(crew.identity("drone_1", seconds=100).delegation)
    with pytest.raises(Refused) as caught:
        verifier.verify(bare)
    assert caught.value.reason == "stale_session"
    verifier.add_session(crew.identity("drone_1").delegation)
    assert verifier.verify(bare).author.name == "drone_1"
