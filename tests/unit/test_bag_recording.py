# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Recording: what others read, what a kill costs, and what full disks and taken folders do."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from swarm_ledger.bags.bag import Bag, reindex
from swarm_ledger.bags.form import Attachment
from swarm_ledger.bags.metadata import METADATA
from swarm_ledger.bags.qos import Offered, parse_qos, write_qos
from swarm_ledger.bags.recording import (
    CHUNK_BYTES,
    FLUSH_NS,
    MOST_BYTES,
    MOST_TOPICS,
    Recording,
    Topic,
)
from swarm_ledger.errors import Misuse

TEXT = b"\x00\x01\x00\x00\x05\x00\x00\x00abcd\x00"
LATCHED = write_qos([Offered(reliable=True, latched=True, depth=7)])
STRING = Topic("/said", "std_msgs/msg/String", "string data\n", LATCHED, "RIHS01_" + 64 * "a")
ROOT = Attachment("roster/root.json", "application/json", 1, b"{}")

WRITER = """
import sys, time
from pathlib import Path
from swarm_ledger.bags.recording import Recording, Topic
recording = Recording(Path(sys.argv[1]))
recording.begin_topic(Topic("/said", "std_msgs/msg/String", "string data"))
for number in range(1, 1 << 30):
    recording.write("/said", number, b"x" * 1000, number, time.monotonic_ns())
    print(number, flush=True)
"""


def filled(folder: Path, count: int = 40, max_bytes: int = 0) -> Recording:
    recording = Recording(folder, max_bytes=max_bytes, attached=[ROOT])
    recording.begin_topic(STRING)
    for number in range(count):
        recording.write("/said", 1_000 + number, TEXT, 900 + number, 0)
    return recording


def fill(recording: Recording) -> None:
    for number in range(1_000):
        recording.write("/said", number, b"x" * 1_000, number, 0)


def times(folder: Path) -> list[int]:
    return [one.log_ns for one in Bag(folder).messages()]


def test_what_rosbags_reads_is_what_was_recorded(tmp_path: Path) -> None:
    from rosbags.highlevel import AnyReader

    filled(tmp_path / "bag").close([Attachment("policy", "text/plain", 2, b"log x")])
    with AnyReader([tmp_path / "bag"]) as reader:
        found = [
            (t, reader.deserialize(raw, "std_msgs/msg/String").data)
            for _, t, raw in reader.messages()
        ]
        (connection,) = reader.connections
    assert found == [(1_000 + number, "abcd") for number in range(40)]
    assert (connection.topic, connection.msgtype, connection.msgcount) == (
        "/said",
        STRING.type_name,
        40,
    )
    (qos,) = connection.ext.offered_qos_profiles
    assert (qos.depth, qos.reliability.name, qos.durability.name) == (
        7,
        "RELIABLE",
        "TRANSIENT_LOCAL",
    )


def test_what_is_read_is_what_was_recorded(tmp_path: Path) -> None:
    filled(tmp_path / "bag").close([Attachment("policy", "text/plain", 2, b"log x")])
    bag = Bag(tmp_path / "bag")
    messages = list(bag.messages())
    assert not bag.faults
    assert [(m.log_ns, m.published_ns, m.sequence, m.data) for m in messages] == [
        (1_000 + number, 900 + number, number + 1, TEXT) for number in range(40)
    ]
    assert [(one.name, one.data) for one in bag.attachments] == [
        (ROOT.name, b"{}"),
        ("policy", b"log x"),
    ]
    channel = messages[0].channel
    assert (channel.qos, channel.type_hash) == (LATCHED, STRING.type_hash)
    assert parse_qos(channel.qos) == Offered(reliable=True, latched=True, depth=7)


def test_a_stranger_cannot_spoil_what_is_recorded(tmp_path: Path) -> None:
    recording = filled(tmp_path / "bag", 3)
    for published_ns in (-1, 1 << 64):  # whatever DDS was told
        recording.write("/said", 2_000, TEXT, published_ns, 0)
    largest = bytes(MOST_BYTES)
    recording.write("/said", 2_001, largest, 0, 0)
    recording.write("/said", 2_002, largest + b"x", 0, 0)
    for number in range(MOST_TOPICS + 5):
        recording.begin_topic(Topic(f"/swarm/{number}", STRING.type_name, STRING.definition))
        recording.write(f"/swarm/{number}", 2_003, TEXT, 0, 0)
    recording.close()
    bag = Bag(tmp_path / "bag")
    found = [(one.log_ns, one.published_ns, len(one.data)) for one in bag.messages()]
    assert not bag.faults
    assert found[3:6] == [(2_000, 2_000, 13), (2_000, 2_000, 13), (2_001, 0, MOST_BYTES)]
    assert len(bag.channels) == MOST_TOPICS
    assert recording.left_out == {"/said": 1} | {
        f"/swarm/{number}": 1 for number in range(MOST_TOPICS - 1, MOST_TOPICS + 5)
    }


def test_a_kill_costs_one_chunk_at_most(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "bag")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) >= 2_000:
                break
        child.send_signal(signal.SIGKILL)
        written = [2_000, *map(int, child.stdout.read().split())][-1]
    bag = Bag(tmp_path / "bag")
    kept = len(list(bag.messages()))
    assert written - kept <= CHUNK_BYTES // 1_000 + 1
    assert kept
    assert {fault.reason for fault in bag.faults} == {"truncated"}
    assert not (tmp_path / "bag" / METADATA).exists()
    assert reindex(tmp_path / "bag") == kept


def test_nothing_waits_longer_than_a_second(tmp_path: Path) -> None:
    recording = filled(tmp_path / "bag", 3)
    assert times(tmp_path / "bag") == []
    recording.tick(FLUSH_NS - 1)
    assert times(tmp_path / "bag") == []
    recording.tick(FLUSH_NS)
    assert times(tmp_path / "bag") == [1_000, 1_001, 1_002]
    recording.close()


def test_large_recordings_are_split(tmp_path: Path) -> None:
    filled(tmp_path / "bag", 300, max_bytes=2_000).close()
    bag = Bag(tmp_path / "bag")
    assert len(list(bag.messages())) == 300
    assert len(bag.files) > 3
    assert not bag.faults
    assert [one.name for one in bag.attachments] == [ROOT.name] * len(bag.files)
    told = yaml.safe_load((tmp_path / "bag" / METADATA).read_text())
    information = told["rosbag2_bagfile_information"]
    assert information["relative_file_paths"] == [path.name for path in bag.files]
    assert information["message_count"] == 300


def test_an_index_made_anew_is_the_same(tmp_path: Path) -> None:
    filled(tmp_path / "bag").close()
    before = (tmp_path / "bag" / METADATA).read_bytes()
    (tmp_path / "bag" / METADATA).unlink()
    assert reindex(tmp_path / "bag") == 40
    assert (tmp_path / "bag" / METADATA).read_bytes() == before


def test_a_clock_that_was_set_back_stands_still(tmp_path: Path) -> None:
    recording = filled(tmp_path / "bag", 2)
    recording.write("/said", 5, TEXT, 5, 0)
    recording.write("/said", 2_000, TEXT, 5, 0)
    recording.close()
    assert times(tmp_path / "bag") == [1_000, 1_001, 1_001, 2_000]


def test_recordings_are_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "bag").mkdir()
    with pytest.raises(Misuse, match="never overwritten"):
        Recording(tmp_path / "bag")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Misuse, match="can't be recorded to"):
        Recording(tmp_path / "file" / "bag")


def test_a_full_disk_is_told_once_and_leaves_a_bag(tmp_path: Path) -> None:
    recording = filled(tmp_path / "bag", 0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        with pytest.raises(Misuse, match="File too large") as caught:
            fill(recording)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "Free some space" in caught.value.explain()
    recording.write("/said", 5_000, TEXT, 1, 0)
    recording.tick(10 * FLUSH_NS)
    recording.close()
    bag = Bag(tmp_path / "bag")
    assert len(list(bag.messages())) >= CHUNK_BYTES // 1_100
    assert bag.truncated
