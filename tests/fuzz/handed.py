# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What a drone that lags or follows takes from a peer, and is asked for."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from swarm_ledger.encoding import encode
from swarm_ledger.errors import PeerFault
from swarm_ledger.runtime.feeding import Certified, Follow, parse_certified, parse_follow
from swarm_ledger.runtime.handover import judge, pack
from swarm_ledger.runtime.transfer import Lagging, Piece, parse_lagging, parse_piece
from tests.fuzz.mutation import of_bytes, of_cbor
from tests.fuzz.target import Target
from tests.pruned import CREW, Flown


def _state(data: bytes) -> None:
    handed, machine = judge(data, CREW.trust, 0)
    assert machine.height == handed.last
    assert judge(encode(handed), CREW.trust, 0)[1].state() == machine.state()


def _piece(data: bytes) -> None:
    assert encode(parse_piece(data)) == data


def _lagging(data: bytes) -> None:
    assert encode(parse_lagging(data)) == data


def _follow(data: bytes) -> None:
    assert encode(parse_follow(data)) == data


def _certified(data: bytes) -> None:
    assert encode(parse_certified(data)) == data


_FORMS: tuple[Callable[[bytes], None], ...] = (_state, _piece, _lagging, _follow, _certified)


def _run(data: bytes) -> None:
    """The first byte says which."""
    if not data:
        raise PeerFault("malformed", "nothing.")
    _FORMS[data[0] % len(_FORMS)](data[1:])


def _mutate(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    pool = [other[1:] for other in others]
    change = of_bytes if rng.random() < 0.1 else of_cbor
    return data[:1] + change(rng, data[1:], pool)


def samples(folder: Path) -> list[bytes]:
    """Return one of each form; the state is of a pruned ledger that is written in a folder."""
    flown = Flown(folder / "drone_1")
    with pytest.MonkeyPatch.context() as patch:
        flown.prune(patch)
    packed = pack(flown.history.store, CREW.trust)
    flown.history.close()
    assert packed is not None
    return [
        b"\0" + packed[1],
        b"\1" + encode(Piece(7, 100, 64, b"the rest")),
        b"\2" + encode(Lagging(7, 64, 9)),
        b"\3" + encode(Follow(7, 5, True, 9)),
        b"\4" + encode(Certified(7, b"a note")),
    ]


HANDED = (Target("state", _run, _mutate, (PeerFault,), cost=30, lines=200_000, memory=1 << 23),)
