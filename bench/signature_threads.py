# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What it would save to check the signatures of a batch of messages ahead, in threads.

256 sealed commits and votes are opened as a drone opens them: one by one; each in a thread pool;
and, as the bound of what can be had, with nothing but libsodium's part in the pool and no second
parse. Messages per second, medians, and the ratio to one by one.

On two cores the second gave x 0.96 to 1.13 and the bound x 1.04 to 1.41, of a part that takes a
quarter of a drone's busy time; libsodium's share of that time was 7 %. So drones don't do it.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import median
from unittest.mock import patch

from swarm_ledger.consensus.messages import Commit
from swarm_ledger.encoding import digest, encode
from swarm_ledger.envelope import Kind, Opener, kind_of
from swarm_ledger.identity import ed25519
from swarm_ledger.identity.roster import FLYING, Member, Roster, parse_roster, render_roster
from swarm_ledger.runtime.doorman import Doorman
from swarm_ledger.runtime.identity import Identity, take_up
from swarm_ledger.runtime.machine import read_request
from swarm_ledger.signers import KeyStore, SoftwareSigner
from swarm_ledger.voting.observation import Observation

NOW_S = 1_893_456_000
Claim = tuple[bytes, bytes, bytes]


def crew() -> tuple[Roster, list[Identity]]:
    """Return four drones, whose keys are those of their names."""
    names = [f"drone_{number}" for number in range(1, 5)]
    roots = [SoftwareSigner(digest(name.encode())) for name in names]
    members = [
        Member(index, name, root.public_key, KeyStore.SOFTWARE, FLYING)
        for index, (name, root) in enumerate(zip(names, roots, strict=True))
    ]
    roster = parse_roster(render_roster("bench", 1, members))
    sessions = [SoftwareSigner(digest(f"session {name}".encode())) for name in names]
    span = {"not_before": NOW_S - 60, "expires": NOW_S + 3_600}
    return roster, [
        take_up(roster, root, session, **span)
        for root, session in zip(roots, sessions, strict=True)
    ]


def messages(drones: list[Identity], count: int) -> Iterator[bytes]:
    """Yield different sealed messages, commits and votes in turn."""
    for number in range(count):
        who = drones[number // 2 % len(drones)]
        if number % 2:
            yield who.seal(Kind.CONSENSUS, encode(Commit(0, number, bytes(32))))
        else:
            stamp_ms = NOW_S * 1_000 + number
            seen = Observation(bytes(32), 0, 900_000, stamp_ms, bytes(32), 500, 3_000)
            yield who.seal(Kind.VOTE, encode(seen))


def take_in(doorman: Doorman, raw: bytes) -> None:
    """Open a message that has just arrived, as runtime/drone.py does."""
    opened = doorman.open(raw)
    opened.check_fresh(NOW_S)
    if kind_of(raw) is Kind.CONSENSUS:
        doorman.open_consensus(raw)
    else:
        read_request(opened)


@contextmanager
def claims_noted(claims: list[Claim]) -> Iterator[None]:
    """Note which signatures are to be checked, and take them for good."""

    def note(*claim: bytes) -> bool:
        claims.append((claim[0], claim[1], claim[2]))
        return True

    with patch.object(ed25519, "verify", note):
        yield


def ways(
    raws: list[bytes], pool: ThreadPoolExecutor, threads: int
) -> dict[str, Callable[[Doorman], None]]:
    """Return the ways to take in a batch, by name."""

    def one_by_one(doorman: Doorman) -> None:
        for raw in raws:
            take_in(doorman, raw)

    def whole(doorman: Doorman) -> None:
        def some(share: list[bytes]) -> None:
            for raw in share:
                doorman.open(raw)

        list(pool.map(some, [raws[start::threads] for start in range(threads)]))
        one_by_one(doorman)

    def signatures(doorman: Doorman) -> None:
        claims: list[Claim] = []
        with claims_noted(claims):
            one_by_one(doorman)

        def some(start: int) -> bool:
            return all(ed25519.verify(*claim) for claim in claims[start::threads])

        assert all(pool.map(some, range(threads)))  # noqa: S101

    return {
        "one by one": one_by_one,
        f"each in one of {threads} threads": whole,
        f"libsodium alone in {threads} threads": signatures,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=41)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    roster, drones = crew()
    raws = list(messages(drones, given.batch))
    with ThreadPoolExecutor(given.threads) as pool:
        measured = ways(raws, pool, given.threads)
        seconds: dict[str, list[float]] = {name: [] for name in measured}
        for _ in range(given.runs):  # in turn, so that a busy machine is busy for all alike
            for name, way in measured.items():
                doorman = Doorman(Opener(roster))
                for drone in drones:
                    doorman.ledger.add_session(drone.delegation)
                start = time.perf_counter()
                way(doorman)
                seconds[name].append(time.perf_counter() - start)
    base = median(seconds["one by one"])
    for name, taken in seconds.items():
        rate = given.batch / median(taken)
        print(f"{name:36} {rate:8.0f} messages/s  x {base / median(taken):.2f}")


if __name__ == "__main__":
    main()
