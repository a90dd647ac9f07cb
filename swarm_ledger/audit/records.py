# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A ledger's entries decoded, one flat record each, for analysts: JSON lines and Parquet.

The ledger is replayed: what is written follows from its rules, or nothing is. What vouches for it,
commits and cosignatures, is `ledger verify`'s and the tiles' to show.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import msgspec

from swarm_ledger.encoding import MAX_ENTRY_BYTES, decode, encode
from swarm_ledger.envelope import Kind, Opener
from swarm_ledger.errors import Misuse, NotVerified
from swarm_ledger.identity.roster import parse_roster
from swarm_ledger.identity.trust import Trust
from swarm_ledger.ledger.store import Block, Store
from swarm_ledger.ledger.tile_files import check_whole, whole_file
from swarm_ledger.rules.rule import Answer, Ask, Release, Rule, Withdrawal
from swarm_ledger.runtime.blocks import Genesis, parse_header
from swarm_ledger.runtime.chronicle import (
    action_fields,
    asked_fields,
    conviction_fields,
    decision_fields,
    grant_fields,
    label_name,
    measured,
    rule_fields,
    standing_fields,
)
from swarm_ledger.runtime.evidence import Charge
from swarm_ledger.runtime.judging import begins_with
from swarm_ledger.runtime.machine import Applied, Machine, Receipt, Tick
from swarm_ledger.runtime.said import Ballot
from swarm_ledger.voting.commitment import Commitment, Reveal
from swarm_ledger.voting.question import AnyQuestion, question_id

_GENESIS_LIMIT = 512
_TICK_LIMIT = 32
_ROWS_AT_ONCE = 4096


class EntryRecord(msgspec.Struct, frozen=True):
    """One entry. index: in the log, from 0; height: of its block; kind: such as "vote".

    author: who signed it, of evidence its culprit, None for what nobody signed; time_ms: the
    ledger's time, POSIX milliseconds, None for genesis; result: what became of a request, such as
    "counted" or "invalid: bad_signature", None for what isn't one; content: what it says.
    """

    index: int
    height: int
    kind: str
    author: str | None
    time_ms: int | None
    result: str | None
    content: dict[str, Any]


def records_of(
    store: Store, trust: Trust, progress: Callable[[int, int], None] = lambda _a, _b: None
) -> Iterator[EntryRecord]:
    """Yield a ledger's entries in order; NotVerified, with the height, if one doesn't follow.

    Misuse for a ledger that was pruned.
    """
    check_whole(store, "records")
    begins_with(store, trust.genesis)
    yield EntryRecord(0, 0, "genesis", None, None, None, _genesis(store.block(0)))
    machine = Machine(trust)
    for height in range(1, store.height + 1):
        block = store.block(height)
        try:
            applied = machine.follow(height, block.entries)
        except NotVerified as error:
            raise NotVerified(str(error), where=f"height {height}") from error
        yield from _block(block, applied, machine)
        progress(height, store.height)


def write_jsonl(records: Iterator[EntryRecord], path: Path) -> int:
    """Write a JSON object a line; return how many. The file is there whole, or not at all."""
    written = 0
    encoder = msgspec.json.Encoder()
    with whole_file(path) as file:
        for record in records:
            file.write(encoder.encode(record) + b"\n")
            written += 1
    return written


def write_parquet(records: Iterator[EntryRecord], path: Path) -> int:
    """Write a Parquet file, the content as JSON; return how many records. As write_jsonl().

    Raises Misuse where pyarrow, which is optional, is missing.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415  - optional
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise Misuse(
            "writing Parquet needs the library pyarrow.",
            remedy="Install it: pip install 'swarm_ledger[parquet]'.",
        ) from error
    schema = pa.schema(
        [
            pa.field("index", pa.int64(), nullable=False),
            pa.field("height", pa.int64(), nullable=False),
            pa.field("kind", pa.string(), nullable=False),
            pa.field("author", pa.string()),
            pa.field("time_ms", pa.timestamp("ms", tz="UTC")),
            pa.field("result", pa.string()),
            pa.field("content", pa.string(), nullable=False),
        ]
    )
    written = 0
    with whole_file(path) as file, parquet.ParquetWriter(file, schema) as writer:
        while rows := [_flat(record) for record in islice(records, _ROWS_AT_ONCE)]:
            writer.write_table(pa.Table.from_pylist(rows, schema))
            written += len(rows)
    return written


def _flat(record: EntryRecord) -> dict[str, Any]:
    fields = {name: getattr(record, name) for name in record.__struct_fields__}
    return {**fields, "content": msgspec.json.encode(record.content).decode()}


def _genesis(block: Block) -> dict[str, Any]:
    genesis: Genesis = decode(block.entries[0][1:], Genesis, limit=_GENESIS_LIMIT)
    return {"swarm": genesis.swarm_id, "epoch": genesis.epoch, "roster": genesis.roster.hex()}


def _block(block: Block, applied: Applied, machine: Machine) -> Iterator[EntryRecord]:
    """Yield the records of a block that was just applied: its header, requests, decisions."""
    places = count(block.first)
    height, time_ms = applied.height, applied.time_ms
    stated = parse_header(block.entries[0])
    content = {
        "leader_time_ms": stated.time_ms,
        "requests": stated.requests,
        "state": stated.state.hex(),
    }
    yield EntryRecord(next(places), height, "block", None, time_ms, None, content)
    opener = machine.members.at(height).opener
    for receipt in applied.receipts:
        kind = receipt.kind.name.lower() if receipt.kind is not None else "unknown"
        author = receipt.author.name if receipt.author else None
        said = _said(receipt, machine) or _stated(receipt, opener)
        yield EntryRecord(next(places), height, kind, author, time_ms, receipt.result, said)
    for settled in applied.decisions:
        fields = {**decision_fields(settled), "question": settled.decision.question.hex()}
        yield EntryRecord(next(places), height, "decision", None, time_ms, None, fields)
    for grant in applied.grants:
        fields = grant_fields(grant, machine)
        yield EntryRecord(next(places), height, "grant", None, time_ms, None, fields)
    for action in applied.actions:
        fields = action_fields(action, machine)
        yield EntryRecord(next(places), height, "action", None, time_ms, None, fields)
    for change in applied.standings:
        fields = standing_fields(change, machine)
        yield EntryRecord(next(places), height, "standing", None, time_ms, None, fields)


def _said(receipt: Receipt, machine: Machine) -> dict[str, Any]:
    """Return what the state machine understood; {} for what has no content of its own."""
    said = receipt.content
    if isinstance(said, AnyQuestion):
        return {
            "question": question_id(encode(said)).hex(),
            **asked_fields(said),
            "open_ms": said.duration_ms,
        }
    if isinstance(said, Ballot):
        return _ballot(said, machine)
    if isinstance(said, Rule | Withdrawal | Answer | Ask | Release):
        return rule_fields(said, machine)
    if isinstance(said, Charge):
        return conviction_fields(said.culprit.name, said.about, machine.height)
    return {}


def _ballot(said: Ballot, machine: Machine) -> dict[str, Any]:
    if isinstance(said, Commitment):
        return {"question": said.question.hex(), "hidden": said.hidden.hex()}
    if isinstance(said, Reveal):
        return {**_ballot(said.observation, machine), "salt": said.salt.hex()}
    return {
        "question": said.question.hex(),
        "label": label_name(machine.asked(said.question), said),
        "confidence": said.confidence_ppm / 1_000_000,
        "stamp_ms": said.stamp_ms,
        "image": said.image.hex(),
        "bearing": measured(said.bearing_mrad),
        "distance": measured(said.distance_mm),
    }


def _stated(receipt: Receipt, opener: Opener) -> dict[str, Any]:
    """Return what a request's bytes say: of members, of time, or what counts for nothing."""
    if receipt.result.startswith("invalid"):
        return {"raw": b64encode(receipt.body).decode()}
    if receipt.kind is Kind.SESSION:
        session = opener.delegated(receipt.body)
        times = {"not_before": session.not_before, "expires": session.expires}
        return {"key": session.kid.hex(), **times}
    if receipt.kind is Kind.ROSTER:
        parts: tuple[bytes, ...] = decode(
            receipt.body[1:], tuple[bytes, ...], limit=MAX_ENTRY_BYTES
        )
        return {"version": parse_roster(parts[1]).version}
    tick: Tick = decode(opener.open(receipt.body).payload, Tick, limit=_TICK_LIMIT)
    return {"asker_time_ms": tick.time_ms}
