# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Samples to begin with: what a swarm says, stores and hands out, one of each form."""

from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import cbor2
import msgspec
import numpy as np

from swarm_ledger.consensus.messages import Commit, Fetch, Want, parse
from swarm_ledger.encoding import decode, encode
from swarm_ledger.envelope import Kind, carry, kind_of
from swarm_ledger.identity.channel import ChannelKeys
from swarm_ledger.identity.cose import parse1
from swarm_ledger.identity.roster import render_roster
from swarm_ledger.ledger.policy import Policy
from swarm_ledger.ledger.store import Store
from swarm_ledger.ledger.tile_files import write_tiles
from swarm_ledger.light_client.policies import policy_file
from swarm_ledger.perception import features
from swarm_ledger.perception.model import Network
from swarm_ledger.perception.parts import PATCH, POOLS, Parts
from swarm_ledger.rules.rule import Ask
from swarm_ledger.runtime.blocks import split_block
from swarm_ledger.runtime.evidence import accusation
from swarm_ledger.runtime.export import prove, sessions_in
from swarm_ledger.runtime.fleet import LEDGER
from swarm_ledger.runtime.machine import Machine
from swarm_ledger.runtime.membership import roster_request
from swarm_ledger.runtime.snapshot import take
from tests.anchored import anchor, sealed_anchor
from tests.crew import T0_MS
from tests.fuzz import attesting, bagged, handed, light, pictures, provenances, veiled
from tests.fuzz.anchors import samples as anchor_samples
from tests.fuzz.forging import CREW, SECOND
from tests.fuzz.gossip import samples as gossip_samples
from tests.fuzz.packed import samples as packed_samples
from tests.fuzz.radio import samples as radio_samples
from tests.fuzz.rules import ruled_blocks
from tests.fuzz.rules import samples as rule_samples
from tests.fuzz.scratch import scratch
from tests.fuzz.strangers import packed
from tests.lab import LIMIT, Lab
from tests.ruled import PAD, lease_rule, sealed_claim, sealed_rule

EXAMPLE = Path(__file__).parents[2] / "config" / "fleet.yaml"
_RECORDS = {
    Kind.QUESTION: 0,
    Kind.VOTE: 1,
    Kind.CONSENSUS: 4,
    Kind.TICK: 6,
    Kind.WELCOME: 7,
    Kind.CLOCK: 11,
}


def collect() -> dict[str, list[bytes]]:
    """Let a swarm fly, and return samples by the names of the targets."""
    folder = scratch() / "material"
    shutil.rmtree(folder, ignore_errors=True)
    lab = Lab(folder, CREW, places=16)
    try:
        _fly(lab)
        early, messages = _plain(lab.folders[1]), _messages(lab)
        lab.drones[0].receive(roster_request(SECOND), lab.now_ms)
        for _ in range(1_000):
            lab.step()
        store = lab.drones[0].keeper.store
        return {
            **messages,
            **_texts(store),
            **_files(),
            **attesting.samples(),
            **bagged.samples(),
            **light.samples(),
            "anchor": anchor_samples(),
            "gossip": gossip_samples(),
            "packed": packed_samples(),
            "radio": radio_samples(),
            "state": handed.samples(folder),
            "provenance": provenances.samples(),
            **pictures.samples(),
            "tile_name": [b"tile/0/x001/234", b"tile/entries/000.p/15"],
            "tiles": [_tiles(store)],
            "compare": [early],
            "machine": [cbor2.dumps(_blocks(store)), anchored_blocks(), ruled_blocks()],
            "rule": rule_samples(),
            "ledger": [early, _plain(lab.folders[0])],
            "reindex": [early],
            "restart": [early, _plain(lab.folders[2])],
        }
    finally:
        lab.close()


def _fly(lab: Lab) -> None:
    """A decision, a liar, a leader that is gone: so that there are view changes and evidence."""
    lab.liars.add("drone_4")
    for member in range(4):
        lab.start(member)
    lab.run(1_500)
    for member in range(3):
        lab.drones[member].receive(CREW.vote("drone_4", 1), lab.now_ms)
    lab.until_decided()
    lab.kill(0)
    for member in range(1, 3):
        digest = bytes([member]) * 32
        for drone in lab.drones.values():
            drone.receive(_carried(Commit(0, 99, digest)), lab.now_ms)
    lab.run(4_000)
    lab.start(0)
    lab.run(4_000)


def _carried(message: object) -> bytes:
    return carry(CREW.identity("drone_4").delegation, CREW.say("drone_4", message))


def _plain(folder: Path) -> bytes:
    """Return a copy of a ledger as one small file, with what was in its WAL."""
    copy = scratch() / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    connection = sqlite3.connect(copy / LEDGER, isolation_level=None)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("PRAGMA page_size = 512")
    connection.execute("VACUUM")
    connection.close()
    return (copy / LEDGER).read_bytes()


def _messages(lab: Lab) -> dict[str, list[bytes]]:
    envelopes: dict[object, bytes] = {}
    records: dict[object, bytes] = {}
    for _, raw in lab.said:
        kind, sealed = kind_of(raw), raw
        if kind is Kind.CARRIED:
            sealed = decode(raw[1:], list[bytes], limit=LIMIT)[1]
        if kind is Kind.EVIDENCE:
            envelopes.setdefault(kind, raw)
            continue
        payload = parse1(sealed[1:], limit=LIMIT).payload
        form: object = kind
        if sealed[0] == Kind.CONSENSUS:
            form = kind, type(parse(payload))
        shortest = envelopes.get(form, raw)
        envelopes[form] = raw if len(raw) <= len(shortest) else shortest
        if sealed[0] in _RECORDS:
            records[form] = bytes([_RECORDS[Kind(sealed[0])]]) + payload
        else:
            records[form] = bytes([9]) + payload
    more = [
        CREW.identity("drone_4").delegation,
        _carried(Commit(0, 7, bytes(32))),
        CREW.say("drone_1", Fetch(3)),
        sealed_anchor(CREW, "drone_1", anchor(1)),
        CREW.say("drone_1", Want((bytes(32),))),
        accusation(CREW.vote("drone_1"), CREW.vote("drone_1", 1)),
        accusation(*(CREW.say("drone_2", Commit(0, 7, bytes([i]) * 32)) for i in (1, 2))),
    ]
    header = encode({1: -8, 4: bytes(8)})
    return {
        "envelope": [*envelopes.values(), *more],
        "heard": list(envelopes.values()),
        "records": [
            *records.values(),
            bytes([10]) + header,
            *veiled.records(),
            bytes([15]) + _snapshot(),
            bytes([15]) + _snapshot(ruled=True),
        ],
        "secret": veiled.samples(),
    }


def _tiles(store: Store) -> bytes:
    folder = scratch() / "material tiles"
    shutil.rmtree(folder, ignore_errors=True)
    write_tiles(store, folder)
    return packed(folder)


def _snapshot(*, ruled: bool = False) -> bytes:
    """Return the snapshot of a question that two have answered, one of them twice.

    ruled: with a lease that one holds and another one waits for.
    """
    machine = Machine(CREW.trust)
    sessions = [CREW.identity(name).delegation for name in CREW.names]
    votes = [CREW.vote("drone_1"), CREW.vote("drone_2"), CREW.vote("drone_2", 1)]
    machine.apply(1, T0_MS, [*sessions, CREW.asked()])
    machine.apply(2, T0_MS + 10, votes)
    if ruled:
        asked = [sealed_claim(CREW, name, Ask(PAD, 1, 1, 9)) for name in CREW.names[:2]]
        machine.apply(3, T0_MS + 20, [sealed_rule(CREW, lease_rule()), *asked])
    return take(machine)


def _blocks(store: Store) -> list[list[object]]:
    blocks: list[list[object]] = []
    for height in range(1, min(store.height, 12) + 1):
        header, requests = split_block(store.block(height).entries)
        blocks.append([header.time_ms, list(requests)])
    return blocks


def anchored_blocks() -> bytes:
    """Return blocks that anchor, as the target `machine` takes them."""
    first = anchor(1)
    chain = [first, anchor(2, first.digest), anchor(2)]
    sessions = [CREW.identity(name).delegation for name in CREW.names]
    raws = [sealed_anchor(CREW, name, one) for name in CREW.names[:2] for one in chain]
    return cbor2.dumps([[T0_MS, sessions], [T0_MS + 1, raws[:3]], [T0_MS + 60_000, raws]])


def _texts(store: Store) -> dict[str, list[bytes]]:
    opener = sessions_in(store, CREW.trust, entry=1)
    several = Policy.for_swarm(
        "swarm_ledger/test", {"a": [bytes(32), b"\1" * 32], "b": b"\2" * 32}, 1
    )
    file = policy_file(opener)
    keys = [
        line.split()[-1] for line in file.splitlines() if line.startswith((b"log", b"witness"))
    ]
    notes = [stored.note for i in range(store.size) if (stored := store.checkpoint(i + 1))]
    entries = store.entries(0, store.size)
    decisions = [entry for entry in entries if entry[0] == Kind.DECISION]
    places = [1, entries.index(decisions[0])]
    root, (targets, roster) = CREW.anchor
    genesis = entries[0]
    certificate = store.block(1).certificate
    return {
        "entry": [*decisions, *(entry for entry in entries if entry[0] == Kind.BLOCK)][:3],
        "note": list(dict.fromkeys(notes))[:2],
        "vkey": [keys[0], keys[-1]],
        "policy": [file, several.text],
        "policy_file": [file],
        "proof": [prove(store, index) for index in places],
        "roster": [roster, SECOND.roster.raw, _with_channels()],
        "trust": [root + b"\n\nroot", targets],
        "succession": [roster_request(SECOND)[1:]],
        "records more": [b"\x08" + genesis[1:], b"\x05" + certificate, b"\x03" + decisions[0][1:]],
    }


def _with_channels() -> bytes:
    members = [
        replace(member, channel=ChannelKeys(bytes([member.index]) * 32).public)
        for member in CREW.roster.members
    ]
    return render_roster("test", 1, members)


def _files() -> dict[str, list[bytes]]:
    path = scratch() / "fresh.pem"
    path.unlink(missing_ok=True)
    CREW.root("drone_1").save(path)
    key = path.read_bytes()
    _network().save(scratch() / "small.npz")
    identity = CREW.identity("drone_1")
    kept = [bytes(32), identity.delegation, [bytes(8)]]
    fleet = {
        "roster": "roster",
        "drones": [{"name": f"drone_{i}", "key": "file:k", "folder": "f"} for i in (1, 2)],
        "world": {"target": "cup", "seed": 1},
    }
    return {
        "key": [key],
        "weights": [(scratch() / "small.npz").read_bytes()],
        "session_file": [encode(kept)],
        "channel_file": [encode(["swarm_ledger/v1 channel", bytes(32)])],
        "curve": [bytes.fromhex("ff00000000000000017f0300") + b"CURVE" + bytes(47) + b"\x04\xc8"],
        "fleet": [EXAMPLE.read_bytes(), msgspec.yaml.encode(fleet)],
        "event": [json.dumps({"swarm_ledger": "a", "drone": "b", "fields": {"n": 1}}).encode()],
        "zmq": [
            cbor2.dumps([False, [b"hello", b"", b"more"]]),
            cbor2.dumps([True, [bytes.fromhex("ff00000000000000017f0300") + b"NULL" + bytes(48)]]),
        ],
        "image": [
            cbor2.dumps(["rgb8", 33, 33, 99, bytes(33 * 99)]),
            cbor2.dumps(["mono8", 40, 33, 41, bytes(33 * 41)]),
        ],
        "swarm": [b"1", b"2"],
        "onnx": _onnx(),
    }


def _onnx() -> list[bytes]:
    if find_spec("onnx") is None:
        return []
    from tests.unit.test_perception_onnx import _model

    return [Path(_model(scratch() / "small.onnx", metadata={"temperature": "2"})).read_bytes()]


def _network() -> Network:
    inputs = features.LENGTH + POOLS
    zeros, one = np.zeros, np.ones(1, np.float32)
    return Network(
        Parts(*(zeros(shape, np.float32) for shape in ((PATCH,), (PATCH, 1), (1, 1)))),
        mean=zeros(inputs, np.float32),
        scale=zeros(inputs, np.float32),
        hidden=zeros((inputs, 1), np.float32),
        hidden_bias=one,
        output=zeros((1, 3), np.float32),
        output_bias=zeros(3, np.float32),
        temperature=one,
        metadata={},
    )


def samples() -> dict[str, list[bytes]]:
    """Return the samples by target, those that are records from elsewhere included."""
    found = collect()
    found["records"] += found.pop("records more")
    return {name: list(dict.fromkeys(data)) for name, data in found.items()}
