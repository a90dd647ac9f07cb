# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The first time through a bag: for sessions and rosters, which may come after what needs them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from swarm_ledger.audit.anchorage import Anchorage, choose
from swarm_ledger.audit.speech import TEACHING, Speech, is_session, taught_by
from swarm_ledger.bags.bag import Bag
from swarm_ledger.bags.messages import ENVELOPE, SIGNED, parse
from swarm_ledger.bags.signed import Envelope, envelope_in
from swarm_ledger.errors import Misuse, PeerFault

_MOST_TAUGHT = 1 << 14


@dataclass(frozen=True)
class Heard:
    """Who may have said what, and how much there is. signed: SignedMessages; size: in bytes.

    all_taught: whether each session in the bag is known by now, if it holds.
    """

    anchorage: Anchorage
    speech: Speech
    messages: int
    size: int
    signed: int
    all_taught: bool


def listen(bag: Bag, roster: Path | None, root: Path | None) -> Heard:
    """Read a bag once. Raises Misuse where it is none, and as anchorage.choose()."""
    taught: dict[tuple[int, bytes], Envelope] = {}
    messages = size = signed = 0
    for one in bag.messages():
        messages += 1
        size += len(one.data)
        kind = one.channel.type_name
        if kind == SIGNED:
            signed += 1
        elif kind != ENVELOPE:
            continue
        if len(taught) >= _MOST_TAUGHT:
            continue
        try:
            if kind == SIGNED:
                found = envelope_in(one.data, TEACHING)
            else:
                found = parse(ENVELOPE, one.data)
            lesson = taught_by(found) if found is not None else None
        except PeerFault:
            continue  # told when it is looked at again
        if lesson is not None:
            taught.setdefault((lesson.epoch, lesson.data), lesson)
    if bag.unreadable:
        what = "; ".join(fault.what for fault in bag.faults[:1])
        raise Misuse(f"{bag.path} is no bag: {what}.")
    anchorage = choose(bag.attachments, roster, root)
    speech = Speech(anchorage.trust)
    for envelope in sorted(taught.values(), key=is_session):  # sessions need their rosters
        speech.learn(envelope)
    return Heard(anchorage, speech, messages, size, signed, len(taught) < _MOST_TAUGHT)
