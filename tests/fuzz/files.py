# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Targets that read files: ledgers, a drone's own folder, fleets, keys, models."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec

from swarm_ledger.audit.ledger import open_ledger, verify_ledger
from swarm_ledger.audit.reindex import reindex_ledger
from swarm_ledger.consensus.settings import Settings
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity.channel import ChannelKeys
from swarm_ledger.identity.trust import ROOT, ROSTER, TARGETS
from swarm_ledger.ledger.store import Store
from swarm_ledger.light_client.policies import policy_file
from swarm_ledger.perception import load
from swarm_ledger.runtime.drone import Drone
from swarm_ledger.runtime.export import find_decision, prove, sessions_in
from swarm_ledger.runtime.fleet import Fleet
from swarm_ledger.runtime.identity import FolderKeys
from swarm_ledger.signers import open_signer
from swarm_ledger.transport.memory import MemoryNetwork
from tests.crew import DAY_S, T0_MS, T0_S
from tests.fuzz.forging import CREW
from tests.fuzz.mutation import of_bytes, of_cbor, of_text
from tests.fuzz.scratch import of_sqlite, put, scratch
from tests.fuzz.target import Target


def _ledger(data: bytes) -> None:
    """What `ledger verify`, `ledger prove` and `ledger show` do with a stranger's file."""
    with open_ledger(put("stranger.db", data)) as store:
        verify_ledger(store, CREW.trust)
        index, _ = find_decision(store, 1)
        prove(store, index)
        policy_file(sessions_in(store, CREW.trust, entry=index))


def _reindex(data: bytes) -> None:
    """`ledger reindex` mends a file so that it holds, or leaves it as it is; nothing beside it."""
    path = put("damaged/ledger.db", data)
    try:
        found = reindex_ledger(path, CREW.trust)
    except _DAMAGED:
        assert path.read_bytes() == data
        raise
    finally:
        assert [left.name for left in path.parent.iterdir()] == ["ledger.db"]
    if found.damage is not None:
        assert reindex_ledger(path, CREW.trust).damage is None


def _restart(data: bytes) -> None:
    """A drone comes up with what is on its disk, and goes on."""
    path = put("drone_1/ledger.db", data)
    with Store.open(path) as store:
        network = MemoryNetwork(range(8), 1)
        drone = Drone(
            CREW.keys("drone_1"),
            CREW.trust,
            store,
            network.join(0),
            Settings((0, 1, 2, 3), 0),
            now_ms=T0_MS + 60_000,
            emit=lambda _event, _fields: None,
        )
        for step in range(3):
            drone.tick(T0_MS + 60_000 + step * 3_000)
        drone.status()


def _fleet(data: bytes) -> None:
    put("roster/" + ROOT, CREW.anchor[0])
    put("roster/" + TARGETS, CREW.anchor[1][0])
    put("roster/" + ROSTER, CREW.raw_roster)
    fleet = Fleet.load(put("fleet.yaml", data))
    fleet.endpoints()


def _session_file(data: bytes) -> None:
    put("drone_1/session.key", data)
    root = CREW.root("drone_1")
    keys = FolderKeys(scratch() / "drone_1", root, before_s=60, after_s=DAY_S)
    keys.kept(CREW.roster)
    keys.holds(CREW.roster, bytes(8))
    assert keys.begin(CREW.roster, T0_S) is not None


def _channel_file(data: bytes) -> None:
    path = put("drone_1/channel.key", data)
    path.chmod(0o600)
    keys = ChannelKeys.load_or_make(path)
    assert ChannelKeys.load(path).public == keys.public


def _key(data: bytes) -> None:
    assert len(open_signer(f"file:{put('key.pem', data)}").public_key) == 32


def _weights(data: bytes) -> None:
    load(str(put("weights.npz", data)))


def _onnx(data: bytes) -> None:
    load(str(put("model.onnx", data)))


@cache
def _entries(data: bytes) -> tuple[tuple[str, bytes], ...]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return tuple((name, archive.read(name)) for name in archive.namelist())


def _of_archive(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change an archive's bytes, or what one of its files says about its size."""
    if rng.random() < 0.4:
        return of_bytes(rng, data, others)
    try:
        entries = list(_entries(data))
    except (zipfile.BadZipFile, ValueError, KeyError, EOFError, NotImplementedError, OSError):
        entries = []
    if not entries:
        return of_bytes(rng, data, others)
    at = rng.randrange(len(entries))
    name, content = entries[at]
    if name.endswith(".npy") and rng.random() < 0.8:
        head = content[10 : 10 + int.from_bytes(content[8:10], "little")]
        head = of_text(rng, head, ())[:60_000]
        content = content[:8] + len(head).to_bytes(2, "little") + head + content[-64:]
    else:
        content = of_text(rng, content, ())
    entries[at] = (name, content)
    if rng.random() < 0.1:
        del entries[rng.randrange(len(entries))]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name), content)
    return packed.getvalue()


_DAMAGED = (Misuse, NotVerified)
FILES = (
    Target("ledger", _ledger, of_sqlite, _DAMAGED, cost=20, lines=100_000),
    Target("reindex", _reindex, of_sqlite, _DAMAGED, cost=40, lines=300_000),
    Target("restart", _restart, of_sqlite, _DAMAGED, cost=40, lines=100_000),
    Target("fleet", _fleet, of_text, _DAMAGED, cost=5),
    Target("session_file", _session_file, of_cbor, (Misuse,), cost=5),
    Target("channel_file", _channel_file, of_cbor, (Misuse,), cost=5),
    Target("key", _key, of_text, (Misuse,)),
    Target("weights", _weights, _of_archive, (Misuse,), cost=20, memory=1 << 26),
    *([Target("onnx", _onnx, of_bytes, (Misuse,), cost=5)] if find_spec("onnxruntime") else []),
)
