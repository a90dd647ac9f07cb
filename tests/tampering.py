# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Thirty ways and more to tamper with the repository's bag, by the careless and by the careful.

The careless edit bytes. The careful write the bag anew as the recorder would: checksums, numbers,
counts, indexes and metadata.yaml all fit what they have made of it.
"""

from __future__ import annotations

import base64
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from swarm_ledger.bags.bag import Bag, reindex
from swarm_ledger.bags.form import Attachment, Channel
from swarm_ledger.bags.messages import (
    CHECKPOINT,
    COMPRESSED,
    ENVELOPE,
    SIGNED,
    CompressedTold,
    parse,
    write_compressed,
)
from swarm_ledger.bags.metadata import METADATA
from swarm_ledger.bags.writing import McapWriter
from swarm_ledger.consensus.messages import Commit, Committed, PrePrepare
from swarm_ledger.consensus.messages import parse as parse_consensus
from swarm_ledger.encoding import decode
from swarm_ledger.envelope import Kind
from swarm_ledger.identity import cose
from swarm_ledger.perception.frames import from_compressed, to_png
from swarm_ledger.relay.statement import Windowed, split_delegation

FLIGHT = Path(__file__).parent / "data" / "flight"
BAG, ROSTER = FLIGHT / "bag", FLIGHT / "roster"
NAME = "flight_0.mcap"


@dataclass
class One:
    """A message that can be changed. sequence: None, to be numbered anew."""

    channel: Channel
    log_ns: int
    published_ns: int
    data: bytes
    sequence: int | None = None

    @property
    def topic(self) -> str:
        return self.channel.topic


@dataclass
class Film:
    """A bag, cut open."""

    messages: list[One] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)

    @classmethod
    def of(cls, path: Path, *, numbered: bool = False) -> Film:
        bag = Bag(path)
        film = cls(
            [
                One(m.channel, m.log_ns, m.published_ns, m.data, m.sequence if numbered else None)
                for m in bag.messages()
            ]
        )
        film.attachments = list(bag.attachments)
        return film

    def write(self, folder: Path) -> Path:
        """Write it as the recorder would, with all that makes it look untouched."""
        folder.mkdir(parents=True)
        writer = McapWriter(folder / NAME, chunk_bytes=64 << 10)
        first = [one for one in self.attachments if one.name.startswith("roster/")]
        for one in first:
            writer.attach(one)
        numbers: dict[Channel, int] = {}
        for one in self.messages:
            told = one.channel
            if told not in numbers:
                numbers[told] = writer.add_channel(
                    told.topic,
                    told.type_name,
                    told.definition,
                    qos=told.qos,
                    type_hash=told.type_hash,
                )
            writer.write(numbers[told], one.log_ns, one.data, one.published_ns, one.sequence)
        for one in self.attachments:
            if one not in first:
                writer.attach(one)
        writer.close()
        reindex(folder)
        return folder

    def on(self, topic: str) -> list[One]:
        found = [one for one in self.messages if one.topic == topic]
        assert found, topic
        return found

    def signed_by(self, drone: str) -> list[One]:
        found = [
            m for m in self.on("/swarm/signed") if parse(SIGNED, m.data).topic == f"/{drone}/odom"
        ]
        assert len(found) > 4
        return found

    def sealed(self, kind: Kind) -> list[One]:
        """Return all envelopes that hold that kind, wherever they went."""
        found = [m for m in self.messages if _sealed(m)[:1] == bytes([kind])]
        assert found, kind
        return found

    def consensus(self, form: type, height: int) -> list[One]:
        """Return all consensus messages of that form and height."""
        found = [m for m in self.messages if _is(m, form, height)]
        assert found, (form, height)
        return found


def _sealed(one: One) -> bytes:
    return parse(ENVELOPE, one.data).data if one.channel.type_name == ENVELOPE else b""


def _is(one: One, form: type, height: int) -> bool:
    raw = _sealed(one)
    if raw[:1] == bytes([Kind.CARRIED]):
        raw = decode(raw[1:], tuple[bytes, bytes], limit=1 << 22)[1]
    if raw[:1] != bytes([Kind.CONSENSUS]):
        return False
    message = parse_consensus(cose.parse1(raw[1:], limit=1 << 22).payload)
    seq = message.batch.seq if isinstance(message, PrePrepare) else getattr(message, "seq", None)
    return isinstance(message, form) and seq == height


def flip(data: bytes, at: int, bit: int = 1) -> bytes:
    found = bytearray(data)
    found[at] ^= bit
    return bytes(found)


def swap_text(data: bytes, old: bytes, new: bytes) -> bytes:
    assert old in data
    assert len(old) == len(new)
    return data.replace(old, new, 1)


def every(messages: list[One], change: Callable[[bytes], bytes]) -> None:
    for one in messages:
        one.data = change(one.data)


Edit = Callable[[Film], None]


def _last_byte(kind: Kind) -> Edit:
    def change(data: bytes) -> bytes:
        sealed = parse(ENVELOPE, data).data
        return flip(data, data.rindex(sealed) + len(sealed) - 1)

    return lambda film: every(film.sealed(kind), change)


def _vote_payload(film: Film) -> None:
    first = film.sealed(Kind.VOTE)[0]
    payload = cose.parse1(_sealed(first)[1:], limit=4096).payload
    every(
        [one for one in film.sealed(Kind.VOTE) if one.data == first.data],
        lambda data: flip(data, data.index(payload) + len(payload) - 1),
    )


def _vote_kid(film: Film) -> None:
    one = film.sealed(Kind.VOTE)[0]
    one.data = flip(one.data, one.data.index(cose.parse1(_sealed(one)[1:], limit=4096).kid))


def _commit(film: Film) -> None:
    one = film.consensus(Commit, 2)[0]
    one.data = flip(one.data, len(one.data) - 9)


def _data_of_signed(film: Film) -> None:
    one = film.signed_by("drone_1")[2]
    told = parse(SIGNED, one.data)
    one.data = flip(one.data, one.data.index(told.data) + 60)


def _number_of_signed(film: Film) -> None:
    one = film.signed_by("drone_1")[2]
    number = struct.pack("<Q", parse(SIGNED, one.data).sequence)
    one.data = flip(one.data, one.data.index(number), 64)


def _stamp_of_signed(film: Film) -> None:
    one = film.signed_by("drone_1")[2]
    one.data = flip(one.data, 4)


def _topic_of_signed(film: Film) -> None:
    one = film.signed_by("drone_1")[2]
    one.data = swap_text(one.data, b"/drone_1/odom", b"/drone_4/odom")


def _hash_of_signed(film: Film) -> None:
    one = film.signed_by("drone_1")[2]
    at = one.data.index(b"RIHS01_") + 10
    one.data = (
        one.data[:at] + (b"0" if one.data[at : at + 1] != b"0" else b"1") + one.data[at + 1 :]
    )


def _window(film: Film) -> None:
    one = film.signed_by("drone_3")[2]
    _, sealed = split_delegation(parse(SIGNED, one.data).sealed)
    window = decode(sealed[1:], Windowed, limit=4096).window
    one.data = flip(one.data, one.data.index(window) + len(window) - 1)


def _drop_signed(film: Film) -> None:
    film.messages.remove(film.signed_by("drone_1")[3])


def _double_signed(film: Film) -> None:
    one = film.signed_by("drone_1")[3]
    film.messages.insert(film.messages.index(one) + 1, replace(one))


def _swap_signed(film: Film) -> None:
    one, other = film.signed_by("drone_1")[2:4]
    one.data, other.data = other.data, one.data


def _remove(film: Film, gone: list[One]) -> None:
    names = {id(one) for one in gone}
    film.messages = [one for one in film.messages if id(one) not in names]


def _no_vote(film: Film) -> None:
    first = _sealed(film.sealed(Kind.VOTE)[0])
    _remove(film, [one for one in film.sealed(Kind.VOTE) if _sealed(one) == first])


def _no_commits(film: Film) -> None:
    """And what was handed on with its commits to whoever missed it."""
    later = [one for one in film.messages if _is(one, Committed, 3)]
    _remove(film, film.consensus(Commit, 3) + later)


def _no_proposal(film: Film) -> None:
    _remove(film, film.consensus(PrePrepare, 3))


def _decision(change: Callable[[bytes], bytes]) -> Edit:
    return lambda film: every(film.on("/swarm/decisions"), change)


def _label(data: bytes) -> bytes:
    return swap_text(data, b"\x04\0\0\0cup\0", b"\x04\0\0\0cat\0")


def _counts(data: bytes) -> bytes:
    return swap_text(data, b"\x02\0\0\0\x03\0\0\0", b"\x02\0\0\0\x04\0\0\0")


def _invent(film: Film) -> None:
    one = film.on("/swarm/decisions")[-1]
    fresh = one.data[:20] + struct.pack("<Q", 2) + one.data[28:]
    film.messages.append(replace(one, data=fresh, log_ns=film.messages[-1].log_ns))


def _note(change: Callable[[bytes], bytes]) -> Edit:
    return lambda film: every(film.on("/swarm/checkpoints"), change)


def _root(data: bytes) -> bytes:
    """Another root in the note, and in the field before it."""
    told = parse(CHECKPOINT, data)
    old = told.note.split("\n")[2].encode()
    other = base64.b64encode(flip(told.root, 5))
    return data.replace(old, other, 1).replace(told.root, flip(told.root, 5), 1)


def _size(data: bytes) -> bytes:
    told = parse(CHECKPOINT, data)
    at = data.index(told.root) - 8
    return data[:at] + struct.pack("<Q", told.size + 1) + data[at + 8 :]


def _cosignature(data: bytes) -> bytes:
    at = data.rindex("— ".encode()) + 60
    return data[:at] + (b"A" if data[at : at + 1] != b"A" else b"B") + data[at + 1 :]


def _attached(name: str, change: Callable[[bytes], bytes]) -> Edit:
    def edit(film: Film) -> None:
        there = [one.name for one in film.attachments]
        assert name in there, there
        film.attachments = [
            replace(one, data=change(one.data)) if one.name == name else one
            for one in film.attachments
        ]

    return edit


def _digit(data: bytes) -> bytes:
    """Another epoch, or size, or whatever is the first digit."""
    at = next(i for i, byte in enumerate(data) if byte in b"123456789")
    return data[:at] + (b"8" if data[at : at + 1] != b"8" else b"7") + data[at + 1 :]


def _moved(film: Film) -> None:
    film.messages[100].log_ns += 900_000_000


def _all_moved(film: Film) -> None:
    for one in film.messages:
        one.log_ns -= 3_600_000_000_000


def _channel(where: str, **named: str) -> Edit:
    def edit(film: Film) -> None:
        for one in film.on(where):
            one.channel = replace(one.channel, **named)

    return edit


def _image(film: Film) -> None:
    one = next(m for m in film.messages if m.channel.type_name == COMPRESSED)
    told = parse(COMPRESSED, one.data)
    pixels = from_compressed(told.data)
    pixels[50:60, 50:60] = 255 - pixels[50:60, 50:60]
    one.data = write_compressed(
        CompressedTold(told.stamp_ns, told.frame, told.format, to_png(pixels))
    )


def _borrowed(film: Film) -> None:
    other = film.on("/drone_4/observation")[0].channel
    film.on("/drone_1/observation")[0].channel = other


def _status(film: Film) -> None:
    one = film.on("/drone_1/status")[-1]
    found = parse(one.channel.type_name, one.data)
    size = struct.pack("<Q", found.log_size)
    where = one.data.rindex(size)
    one.data = one.data[:where] + struct.pack("<Q", found.log_size + 1) + one.data[where + 8 :]


def _epoch(film: Film) -> None:
    one = film.sealed(Kind.VOTE)[0]
    told = parse(ENVELOPE, one.data)
    at = one.data.index(told.data) - 8
    assert struct.unpack_from("<I", one.data, at) == (told.epoch,)
    one.data = flip(one.data, at, 2)


def _other_swarm(film: Film) -> None:
    one = film.sealed(Kind.VOTE)[0]
    name = parse(ENVELOPE, one.data).swarm_id.encode()
    one.data = swap_text(one.data, name, b"sim-00000000")


CAREFUL: dict[str, tuple[Edit, set[str]]] = {
    "a vote's signature": (_last_byte(Kind.VOTE), {"bad_signature", "missing_request"}),
    "a vote's content": (_vote_payload, {"bad_signature", "missing_request"}),
    "a vote's key": (_vote_kid, {"unknown_key"}),
    "a vote's epoch": (_epoch, {"other_epoch"}),
    "a commit": (_commit, {"bad_signature"}),
    "every session": (_last_byte(Kind.SESSION), {"bad_signature", "missing_request"}),
    "the question": (_last_byte(Kind.QUESTION), {"bad_signature", "missing_request"}),
    "another swarm's vote": (_other_swarm, {"other_swarm"}),
    "a signed message's data": (_data_of_signed, {"mismatch", "gap"}),
    "a signed message's number": (_number_of_signed, {"mismatch", "gap"}),
    "a signed message's stamp": (_stamp_of_signed, {"mismatch", "gap"}),
    "a signed message's topic": (_topic_of_signed, {"mismatch", "gap"}),
    "a signed message's type hash": (_hash_of_signed, {"mismatch", "gap"}),
    "a window's signature": (_window, {"bad_signature", "gap"}),
    "a signed message dropped": (_drop_signed, {"gap"}),
    "a signed message doubled": (_double_signed, {"replayed"}),
    "two signed messages swapped": (_swap_signed, {"order"}),
    "a vote removed": (_no_vote, {"missing_request"}),
    "commits removed": (_no_commits, {"missing_commits"}),
    "a proposal removed": (_no_proposal, {"missing_proposal"}),
    "a decision's label": (_decision(_label), {"decision"}),
    "a decision's counts": (_decision(_counts), {"decision"}),
    "a decision invented": (_invent, {"decision"}),
    "a checkpoint's root": (_note(_root), {"checkpoint"}),
    "a checkpoint's cosignature": (_note(_cosignature), {"checkpoint"}),
    "a checkpoint's size": (_note(_size), {"checkpoint"}),
    "the attached root": (_attached("roster/root.json", _digit), {"attachment"}),
    "the attached roster": (_attached("roster/roster.json", _digit), {"attachment"}),
    "the attached proof": (_attached("proofs/decision-1.tlog-proof", _digit), {"attachment"}),
    "the attached policy": (_attached("policy", _digit), {"attachment"}),
    "one recording time": (_moved, {"moved"}),
    "all recording times": (_all_moved, {"early"}),
    "a topic's name": (_channel("/swarm/envelopes", topic="/swarm/envelope"), {"topic"}),
    "a topic's type hash": (
        _channel("/swarm/decisions", type_hash="RIHS01_" + 64 * "0"),
        {"type"},
    ),
    "a topic's type": (
        _channel("/swarm/decisions", type_name="std_msgs/msg/String"),
        {"type"},
    ),
    "an image": (_image, {"image"}),
    "an observation of another": (_borrowed, {"topic"}),
    "a status": (_status, {"status"}),
}
"""By what was changed: how, and all the reasons that may be given for it; the first must be."""


def careless(name: str, folder: Path) -> Path:
    """Return a copy of the bag that was edited without care."""
    bag = Path(shutil.copytree(BAG, folder / "bag"))
    file, metadata = bag / NAME, bag / METADATA
    data = file.read_bytes()
    if name in _BYTES:
        at = _BYTES[name](data)
        file.write_bytes(flip(data, at))
    elif name == "cut":
        file.write_bytes(data[: len(data) // 2])
    elif name == "counts in metadata":
        told = yaml.safe_load(metadata.read_text())
        told["rosbag2_bagfile_information"]["topics_with_message_count"][0]["message_count"] += 1
        metadata.write_text(yaml.safe_dump(told))
    elif name == "a topic in metadata":
        metadata.write_text(metadata.read_text().replace("/swarm/decisions", "/swarm/decision_"))
    elif name == "nonsense for metadata":
        metadata.write_text("rosbag2_bagfile_information: [" * 3)
    else:
        film = Film.of(BAG, numbered=True)
        one = film.on("/swarm/envelopes")[7]
        if name == "dropped":
            film.messages.remove(one)
        elif name == "doubled":
            film.messages.insert(film.messages.index(one), replace(one))
        else:
            assert name == "swapped"
            other = film.on("/swarm/envelopes")[8]
            at, behind = film.messages.index(one), film.messages.index(other)
            film.messages[at], film.messages[behind] = other, one
        shutil.rmtree(bag)
        film.write(bag)
    return bag


_BYTES: dict[str, Callable[[bytes], int]] = {
    "a byte in a chunk": lambda data: data.index(b"sim-", 60_000),
    "a byte in an attachment": lambda data: data.index(b"signatures"),
    "a byte in the summary": lambda data: len(data) - 300,
    "a byte in the magic": lambda data: 3,
}

CARELESS: dict[str, tuple[set[str], int]] = {
    "a byte in a chunk": ({"crc"}, 1),
    "a byte in an attachment": ({"crc"}, 1),
    "a byte in the summary": ({"crc"}, 1),
    "a byte in the magic": (set(), 2),
    "cut": ({"metadata"}, 1),
    "counts in metadata": ({"metadata"}, 1),
    "a topic in metadata": ({"metadata"}, 1),
    "nonsense for metadata": ({"metadata"}, 1),
    "dropped": ({"dropped"}, 1),
    "doubled": ({"doubled"}, 1),
    "swapped": ({"doubled", "dropped", "moved"}, 1),
}
