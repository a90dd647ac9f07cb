# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What secrecy costs: time and bytes of a message, of handing a secret over, by members, and of
confiding a question to them.

On one core, without any network: medians of --runs runs.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from itertools import count
from statistics import median

from swarm_ledger.encoding import encode
from swarm_ledger.envelope import Kind, introduce, seal
from swarm_ledger.identity.channel import ChannelKeys
from swarm_ledger.identity.confided import confide, parse_confided, reveal
from swarm_ledger.identity.encrypt0 import parse0
from swarm_ledger.identity.roster import FLYING, Member, Roster, parse_roster, render_roster
from swarm_ledger.identity.secrecy import Circle, parse_key_id, parse_shares
from swarm_ledger.runtime.identity import take_up
from swarm_ledger.signers import KeyStore, SoftwareSigner
from swarm_ledger.voting.question import Question
from swarm_ledger.voting.rules import Majority

NOW_S = 1_893_456_000
SIZES = (130, 300, 2_000, 20_000, 200_000)
SWARMS = (4, 7, 16, 31)
LIMIT = 1 << 22


def roster_of(n: int) -> tuple[Roster, list[ChannelKeys], SoftwareSigner]:
    """Return a roster of n drones, their channel keys, and the first one's root key."""
    roots = [SoftwareSigner(bytes([place + 1]) * 32) for place in range(n)]
    channels = [ChannelKeys(bytes([place + 101]) * 32) for place in range(n)]
    members = [
        Member(
            place,
            f"drone_{place + 1}",
            root.public_key,
            KeyStore.SOFTWARE,
            FLYING,
            channel=keys.public,
        )
        for place, (root, keys) in enumerate(zip(roots, channels, strict=True))
    ]
    return parse_roster(render_roster("bench", 1, members)), channels, roots[0]


def circle_of(channels: list[ChannelKeys], me: int, run: int) -> Circle:
    """Return one drone's secrets, at a start with that number."""
    members = {place: keys.hpke for place, keys in enumerate(channels)}
    names = ((NOW_S + run, number) for number in count())
    secret = channels[me].hpke_secret
    return Circle("bench", 1, me, members, secret, names=names, draw=os.urandom)


def took(runs: int, prepare: Callable[[], Callable[[], object]]) -> float:
    """Return how many microseconds of CPU a call takes, the median; each is prepared anew."""
    taken = []
    for _ in range(runs):
        call = prepare()
        start = time.thread_time()
        call()
        taken.append((time.thread_time() - start) * 1e6)
    return median(taken)


def messages(runs: int) -> None:
    """Print what one message costs its sender and each receiver."""
    _, channels, _ = roster_of(4)
    giver, taker = circle_of(channels, 0, 0), circle_of(channels, 1, 0)
    taker.take(0, parse_shares(giver.hand_out()))

    def reveal(raw: bytes) -> bytes:
        message = parse0(raw, limit=LIMIT)
        return taker.reveal(parse_key_id(message.kid), message)

    def concealed(data: bytes) -> Callable[[], bytes]:
        raw = giver.conceal(data)
        return lambda: reveal(raw)

    print("| sealed bytes | more bytes | encrypt | decrypt |\n| ---: | ---: | ---: | ---: |")
    for size in SIZES:
        data = os.urandom(size)
        more = 1 + len(giver.conceal(data)) - size
        one = took(runs, lambda data=data: lambda: giver.conceal(data))
        other = took(runs, lambda data=data: concealed(data))
        print(f"| {size:,} | {more} | {one:.0f} µs | {other:.0f} µs |")


def shares(runs: int) -> None:
    """Print what a new secret costs, for all members of a swarm and for one that asks."""
    print("\n| drones | to all | to one | make | make again | take |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for n in SWARMS:
        roster, channels, root = roster_of(n)
        session = SoftwareSigner(bytes(32))
        identity = take_up(roster, root, session, not_before=NOW_S, expires=NOW_S + 3_600)

        def sealed(payload: bytes, identity=identity) -> bytes:  # type: ignore[no-untyped-def]
            return introduce(identity.delegation, identity.seal(Kind.SHARES, payload))

        runs_of = count()
        giver = circle_of(channels, 0, next(runs_of))
        to_all, to_one = len(sealed(giver.hand_out())), len(sealed(giver.hand_out([1])))

        def fresh(channels=channels, runs_of=runs_of):  # type: ignore[no-untyped-def]
            return circle_of(channels, 0, next(runs_of)).hand_out

        def take(channels=channels, runs_of=runs_of):  # type: ignore[no-untyped-def]
            handed = circle_of(channels, 0, next(runs_of)).hand_out([1])
            taker = circle_of(channels, 1, 0)
            return lambda: taker.take(0, parse_shares(handed))

        again = took(runs, lambda giver=giver: giver.hand_out)
        print(
            f"| {n} | {to_all:,} bytes | {to_one} bytes | {took(runs // 4, fresh):,.0f} µs "
            f"| {again:.0f} µs | {took(runs // 4, take):.0f} µs |"
        )


def confided(runs: int) -> None:
    """Print what it costs an operator to ask members in secret, and each of them to hear it."""
    question = Question("What is it?", ("cup", "two_faces"), Majority(), 8_000, bytes(16))
    print("\n| drones | confided | make | take |\n| ---: | ---: | ---: | ---: |")
    for n in SWARMS:
        roster, channels, root = roster_of(n)
        sealed = seal(Kind.QUESTION, encode(question), root, roster)
        raw, taker = confide(sealed, roster, os.urandom), circle_of(channels, 1, 0)

        def make(sealed=sealed, roster=roster):  # type: ignore[no-untyped-def]
            return lambda: confide(sealed, roster, os.urandom)

        def take(raw=raw, taker=taker):  # type: ignore[no-untyped-def]
            return lambda: reveal(taker, *parse_confided(raw))

        makes, takes = took(runs // 4, make), took(runs // 4, take)
        print(f"| {n} | {1 + len(raw):,} bytes | {makes:,.0f} µs | {takes:.0f} µs |")


def main() -> None:
    """Measure and print three tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=400)
    runs = parser.parse_args().runs
    messages(runs)
    shares(runs)
    confided(runs)


if __name__ == "__main__":
    main()
