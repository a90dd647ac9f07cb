# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What encryption of ZeroMQ links costs: rate and round trips, CURVE against plain.

Two transports on the loopback, the sender in a thread of its own. Rate: messages a second that
arrive, of 20,000 sent as fast as they are taken, and the processor's time that both ends take for
one, libzmq's threads too: what else the machine does changes that least. Round trip: one message
there, one back. Medians of the runs, and the ratio to plain. docs/secrecy.md has what it gave.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from statistics import median

from swarm_ledger.identity.channel import ChannelKeys
from swarm_ledger.sim.ports import free_ports
from swarm_ledger.transport.curve import Curve
from swarm_ledger.transport.zmq import ZmqTransport

SIZES = (200, 10_000)
WINDOW = 1_000
"""Messages on their way at most: fewer than the queues hold, so that none is dropped."""


def places() -> dict[int, str]:
    """Return two free addresses."""
    return {i: f"tcp://127.0.0.1:{port}" for i, port in enumerate(free_ports(2))}


def pair(encrypted: bool) -> tuple[ZmqTransport, ZmqTransport]:
    """Return two ends that hear each other."""
    where, keys = places(), [ChannelKeys(os.urandom(32)) for _ in range(2)]
    peers = {index: frozenset({one.curve}) for index, one in enumerate(keys)}
    admitted = frozenset(one.curve for one in keys)
    one, two = (
        ZmqTransport(i, where, Curve(keys[i], peers, admitted) if encrypted else None)
        for i in range(2)
    )
    for sender, to, receiver in ((one, 1, two), (two, 0, one)):
        while not receiver.receive(10):
            sender.send(to, b"hello")
    while one.receive(100) or two.receive(100):
        pass
    return one, two


def rate(encrypted: bool, size: int, count: int) -> tuple[float, ...]:
    """Return messages a second from one end to the other, and processor time for each in µs."""
    one, two = pair(encrypted)
    data, room = bytes(size), threading.Semaphore(WINDOW)

    def send() -> None:
        for _ in range(count):
            room.acquire()
            one.send(1, data)

    thread = threading.Thread(target=send)
    started, worked, got = time.perf_counter(), time.process_time(), 0
    thread.start()
    while got < count:
        arrived = len(two.receive(1_000))
        if not arrived:
            raise SystemExit(f"only {got} of {count} arrived")
        got += arrived
        room.release(arrived)
    took, worked = time.perf_counter() - started, time.process_time() - worked
    thread.join()
    one.close()
    two.close()
    return count / took, worked / count * 1e6


def round_trip_us(encrypted: bool, size: int, count: int) -> tuple[float, ...]:
    """Return the median time there and back, microseconds."""
    one, two = pair(encrypted)
    data, stop = bytes(size), threading.Event()

    def answer() -> None:
        while not stop.is_set():
            for message in two.receive(50):
                two.send(0, message)

    thread = threading.Thread(target=answer)
    thread.start()
    took = []
    for _ in range(count):
        started = time.perf_counter()
        one.send(1, data)
        while not one.receive(1_000):
            pass
        took.append((time.perf_counter() - started) * 1e6)
    stop.set()
    thread.join()
    one.close()
    two.close()
    return (median(took),)


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    print("| bytes | plain | CURVE | ratio | what |")
    print("| ---: | ---: | ---: | ---: | --- |")
    for size in SIZES:
        for titles, measure, count in (
            (("messages a second", "µs of processor time a message"), rate, given.messages),
            (("µs there and back",), round_trip_us, given.messages // 10),
        ):
            # In turn, so that what else the machine does concerns both alike.
            found: dict[bool, list[tuple[float, ...]]] = {False: [], True: []}
            for _ in range(given.runs):
                for encrypted, values in found.items():
                    values.append(measure(encrypted, size, count))
            for place, what in enumerate(titles):
                plain, curve = (median(run[place] for run in runs) for runs in found.values())
                ratio = curve / plain
                print(f"| {size:,} | {plain:,.0f} | {curve:,.0f} | {ratio:.2f} | {what} |")


if __name__ == "__main__":
    main()
