# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How many recorded signed messages an audit checks in a second, one process and several.

    python bench/audit.py [--messages 60000] [--jobs 2] [--json]

Messages of 200 bytes by one drone, signed one by one and in windows, in a bag of MCAP. What is
timed is the whole audit, from opening the file to the verdict, with the start of other processes.
Processor time is that of all processes; it tells more than the clock on a busy machine.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import struct
import tempfile
import time
from itertools import count
from pathlib import Path

from swarm_ledger.audit.bag import Options, audit_bag
from swarm_ledger.bags.messages import HASHES, SIGNED
from swarm_ledger.bags.writing import McapWriter
from swarm_ledger.encoding import digest
from swarm_ledger.relay.sender import Credentials, Sender
from swarm_ledger.relay.statement import Notarised
from swarm_ledger.sim.mission import Mission, prepare, utc_now

TOPIC, TYPE = "/drone_1/imu", "sensor_msgs/msg/Imu"
WINDOWS = (1, 20, 100)
SIZE = 200


def cdr(one: Notarised) -> bytes:
    """Return a SignedMessage as DDS would carry it."""
    seconds, micros = divmod(one.stamp_us, 1_000_000)
    written = bytearray(b"\x00\x01\x00\x00" + struct.pack("<iI", seconds, micros * 1_000))

    def put(data: bytes, align: int = 4) -> None:
        written.extend(b"\0" * (-(len(written) - 4) % align) + data)

    def blob(data: bytes) -> None:
        put(struct.pack("<I", len(data)) + data)

    for text in ("", one.topic, one.type_name, one.type_hash):
        blob(text.encode() + b"\0")
    put(struct.pack("<Q", one.sequence), 8)
    blob(one.data)
    put(one.sealed[:1], 1)
    blob(one.swarm_id.encode() + b"\0")
    put(struct.pack("<I", one.epoch))
    blob(one.sealed)
    return bytes(written)


def write(folder: Path, roster: Path, sender: Sender, messages: int, window: int) -> Path:
    """Write a bag; its folder has no metadata.yaml."""
    path = folder / f"window_{window}.mcap"
    writer = McapWriter(path, chunk_bytes=1 << 20)
    channel = writer.add_channel("/swarm/signed", SIGNED, "", type_hash=HASHES[SIGNED])
    start_us = int(time.time() * 1e6)
    for number in range(messages):
        data, now_us = digest(struct.pack("<I", number)) * (SIZE // 32), start_us + number * 100
        if window == 1:
            ready = [sender.sign(TOPIC, TYPE, HASHES[SIGNED], data, now_us)]
        else:
            sender.add(TOPIC, TYPE, HASHES[SIGNED], data, now_us)
            ready = list(sender.close(now_us)) if (number + 1) % window == 0 else []
        for one in ready:
            writer.write(channel, now_us * 1_000, cdr(one))
    writer.close()
    return path


def measure(messages: int, jobs: int) -> list[dict[str, float]]:
    """Return messages a second for each window and number of processes."""
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        mission = Mission(run_dir=folder / "run", transport="memory")
        fleet = prepare(mission, now=utc_now())
        identity = fleet.identity("drone_1", int(time.time()))
        for window in WINDOWS:
            runs = count(1)
            credentials = Credentials(identity.roster, identity.session, identity.delegation)
            sender = Sender(credentials, lambda: next(runs), announce_us=1_000_000)  # noqa: B023
            path = write(folder, folder / "run" / "roster", sender, messages, window)
            for processes in sorted({1, jobs}):
                begun, spent = time.perf_counter(), _processor_seconds()
                options = Options(roster=folder / "run" / "roster", jobs=processes)
                audit = audit_bag(path, options)
                seconds = time.perf_counter() - begun
                each_us = (_processor_seconds() - spent) / messages * 1e6
                held = sum(said.messages for said in audit.said.values())
                if not audit.clean or held < messages - window:
                    raise SystemExit(f"only {held} hold: {dict(audit.wrong)}")
                found.append(
                    {
                        "window": window,
                        "processes": processes,
                        "per_second": round(held / seconds),
                        "processor_us": round(each_us, 1),
                    }
                )
    return found


def _processor_seconds() -> float:
    """Return what this process and those that it waited for have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=60_000)
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = measure(given.messages, given.jobs)
    if given.json:
        print(json.dumps(found))
        return
    print("window  processes  messages/s  processor us/message")
    for one in found:
        print(
            f"{one['window']:6}  {one['processes']:9}  {one['per_second']:10,}"
            f"  {one['processor_us']:20}"
        )


if __name__ == "__main__":
    main()
