# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The first time through a bag: for sessions and rosters, which may come after what needs them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from swarm_ledger.audit.anchorage import Anchorage, choose
from swarm_ledger.audit.speech import Speech, taught_by
from swarm_ledger.bags.bag import Bag
from swarm_ledger.bags.messages import ENVELOPE, SIGNED, Envelope, envelope_in, parse
from swarm_ledger.errors import Misuse, PeerFault

_MOST_TAUGHT = 1 << 14


@dataclass(frozen=True)
class Heard:
    """Who may have said what, and how much there is. signed: SignedMessages; size: in bytes."""

    anchorage: Anchorage
    speech: Speech
    messages: int
    size: int
    signed: int


def listen(bag: Bag, roster: Path | None, root: Path | None) -> Heard:
    """Read a bag once. Raises Misuse where it is none, and as anchorage.choose()."""
    taught: dict[bytes, Envelope] = {}
    messages = size = signed = 0
    for one in bag.messages():
        messages += 1
        size += len(one.data)
        signed += one.channel.type_name == SIGNED
        if one.channel.type_name in (ENVELOPE, SIGNED) and len(taught) < _MOST_TAUGHT:
            whole = one.channel.type_name == ENVELOPE
            try:
                found = taught_by(parse(ENVELOPE, one.data) if whole else envelope_in(one.data))
            except PeerFault:
                continue  # told when it is looked at again
            if found is not None:
                taught.setdefault(found.data, found)
    if bag.unreadable:
        what = "; ".join(fault.what for fault in bag.faults[:1])
        raise Misuse(f"{bag.path} is no bag: {what}.")
    anchorage = choose(bag.attachments, roster, root)
    speech = Speech(anchorage.trust)
    for envelope in taught.values():
        speech.learn(envelope)
    return Heard(anchorage, speech, messages, size, signed)
