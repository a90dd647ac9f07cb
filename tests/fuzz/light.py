# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Targets about light clients: their questions, answers and states, and ZeroMQ spoken by hand."""

from __future__ import annotations

import io
import random
import shutil
from collections.abc import Sequence
from functools import cache

import cbor2

from swarm_ledger.encoding import decode, encode
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.light_client.follower import Head, entry_of, follow, load, request_for, save
from swarm_ledger.light_client.messages import (
    MAX_ANSWER_BYTES,
    MAX_REQUEST_BYTES,
    Answer,
    ByIndex,
    ByNumber,
    ByQuestion,
    Newest,
    Reason,
    Refusal,
    Request,
    StateFile,
    parse_answer,
    parse_request,
)
from swarm_ledger.runtime.light import Prover
from swarm_ledger.runtime.membership import roster_request
from swarm_ledger.transport import zmtp
from tests.fuzz.forging import CREW, SECOND, of_note, of_sealed
from tests.fuzz.mutation import MOST, UNREADABLE, of_bytes, of_cbor
from tests.fuzz.scratch import scratch
from tests.fuzz.target import Target
from tests.light import NOW, decided, prover

_ROOT = CREW.anchor[0]


@cache
def _ledger() -> tuple[Prover, Head, tuple[bytes, ...]]:
    """What answers from a ledger; a checkpoint before a roster change; answers to all sorts."""
    folder = scratch() / "light"
    shutil.rmtree(folder, ignore_errors=True)
    history = decided(CREW, folder)
    asked = prover(history)
    cold = asked.answer(encode(Request(Newest())))
    head = follow(_ROOT, None, parse_answer(cold), NOW)
    same = asked.answer(encode(request_for(Newest(), head)))
    history.change(SECOND, roster_request(SECOND))
    history.checkpoint()
    later = asked.answer(encode(request_for(ByIndex(2), head)))
    history.close()
    return asked, head, (cold, same, later)


def _request(data: bytes) -> None:
    prover_, _, _ = _ledger()
    raw = prover_.answer(data)
    found: Answer | Refusal = decode(raw, Answer | Refusal, limit=MAX_ANSWER_BYTES)
    if isinstance(found, Refusal):
        assert found.reason is not Reason.UNAVAILABLE
        raise PeerFault("refused", found.text)
    assert encode(parse_request(data)) == data


def _answer(data: bytes) -> None:
    """The first byte says whether the client knows a checkpoint."""
    _, known, _ = _ledger()
    before = known if data[:1] == b"\1" else None
    answer = parse_answer(data[1:])
    assert encode(answer) == data[1:]
    head = follow(_ROOT, before, answer, NOW)
    assert before is None or head.checkpoint.size >= before.checkpoint.size
    again = load(_ROOT, save(_ROOT, head))
    assert (again.checked, again.epoch) == (head.checked, head.epoch)
    entry_of(head, Newest() if answer.index > 9 else ByIndex(answer.index), answer)


def _state(data: bytes) -> None:
    head = load(_ROOT, data)
    assert save(_ROOT, head) == data


def _of_parts(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change an answer or a state: its shape, or its note and delegations, signed again."""
    if rng.random() < 0.5:
        return of_cbor(rng, data, others)
    try:
        tree = cbor2.loads(data)
        sealed, note = (3, 4) if len(tree) == len(StateFile.__struct_fields__) + 1 else (2, 3)
        if rng.random() < 0.5 or not tree[sealed]:
            tree[note] = of_note(rng, tree[note], ())
        else:
            at = rng.randrange(len(tree[sealed]))
            tree[sealed][at] = of_sealed(rng, tree[sealed][at], ())
        return cbor2.dumps(tree)[: 4 * MOST]
    except (*UNREADABLE, LookupError, AttributeError):
        return of_bytes(rng, data, others)


def _of_answer(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    if rng.random() < 0.05:
        return bytes([rng.randrange(2)]) + data[1:]
    return data[:1] + _of_parts(rng, data[1:], [other[1:] for other in others])


class _Wire(io.BytesIO):
    """What the other side sends; what it is sent is gone."""

    def write(self, data: object, /) -> int:
        return 0


def _zmtp(data: bytes) -> None:
    """The first byte says which side is ours."""
    stream = _Wire(data[1:])
    if data[:1] == b"\1":
        zmtp.shake_hands(stream, zmtp.REQ)
        zmtp.receive(stream, MAX_ANSWER_BYTES)
        return
    zmtp.shake_hands(stream, zmtp.ROUTER)
    while stream.tell() < len(data) - 1:
        assert len(zmtp.receive(stream, MAX_REQUEST_BYTES).data) <= MAX_REQUEST_BYTES


_ONCE = 100_000
"""Lines, the making of the ledger included."""

LIGHT = (
    Target("light_request", _request, of_cbor, (PeerFault,), cost=10, lines=_ONCE),
    Target("light_answer", _answer, _of_answer, (NotVerified,), 10, _ONCE, 1 << 23),
    Target("light_state", _state, _of_parts, (NotVerified, Misuse), 10, _ONCE, 1 << 23),
    Target("zmtp", _zmtp, of_bytes, (PeerFault,)),
)


def samples() -> dict[str, list[bytes]]:
    """Return one of each form."""
    _, head, (cold, same, later) = _ledger()
    wanted = (ByIndex(3), ByNumber(1), ByQuestion(CREW.question_id), Newest())
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
    ready = b"\x04\x1c\x05READY\x0bSocket-Type\x00\x00\x00\x06"
    asked = encode(Request(Newest()))
    return {
        "light_request": [
            *(encode(Request(one)) for one in wanted),
            encode(request_for(Newest(), head)),
        ],
        "light_answer": [b"\0" + cold, b"\1" + same, b"\1" + later],
        "light_state": [save(_ROOT, head)],
        "zmtp": [
            b"\0" + greeting + ready + b"DEALER" + b"\x01\x00\x00" + bytes([len(asked)]) + asked,
            b"\1" + greeting + ready + b"ROUTER" + b"\x04\x05\x04PING\x00\x03abc",
        ],
    }
