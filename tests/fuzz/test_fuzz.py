# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The kept corpus, and a fixed number of seeded inputs, for each decoder of outside bytes."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from swarm_ledger.encoding import decode
from swarm_ledger.errors import PeerFault
from tests.fuzz import campaign as house
from tests.fuzz.campaign import CORPUS, campaign, kept, name_of, next_input
from tests.fuzz.mutation import of_bytes
from tests.fuzz.swarm import swarm
from tests.fuzz.target import Target, TooMuch, accepts, weigh
from tests.fuzz.targets import TARGETS

INPUTS = 300
"""For a target of cost 1; fewer for those that cost more. `make fuzz` goes on where these end."""

WEIGHED = 10
PLAIN = [target for target in TARGETS.values() if target.cost < 1_000]


@pytest.mark.parametrize("target", PLAIN, ids=lambda target: target.name)
def test_kept_inputs(target: Target) -> None:
    """What once was a bug, and what runs much code, is run again; a real sample is still taken."""
    taken = [weigh(target, data, memory=True).taken for data in kept(target.name, CORPUS)]
    assert any(taken), "scripts/fuzz.py --collect makes samples of the present formats"


@pytest.mark.parametrize("target", PLAIN, ids=lambda target: target.name)
def test_seeded_inputs(target: Target) -> None:
    corpus = kept(target.name, CORPUS)
    for number in range(max(20, INPUTS // target.cost)):
        data = next_input(target, corpus, f"1/{number}")
        if number % WEIGHED == 0:
            weigh(target, data, memory=True)
        else:
            accepts(target, data)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [b"1", b"2"])
def test_a_liar_floods_whole_drones_while_members_change(seed: bytes) -> None:
    swarm(seed)


# the fuzzer itself


def _target(run: object, **limits: int) -> Target:
    assert callable(run)
    return Target("planted", run, of_bytes, (PeerFault,), **limits)


def test_a_refusal_is_no_crash_and_all_else_is() -> None:
    assert not accepts(_target(lambda data: decode(data, int, limit=8)), b"\xff")
    assert accepts(_target(lambda data: decode(data, int, limit=8)), b"\x01")
    with pytest.raises(IndexError):
        accepts(_target(lambda data: data[10**6]), b"")


def test_too_much_memory_is_seen() -> None:
    """1 MiB is taken for two bytes."""
    greedy = _target(lambda data: bytes(1 << 20), memory=1 << 19)
    with pytest.raises(TooMuch, match="memory"):
        weigh(greedy, b"ab", memory=True)
    assert weigh(greedy, bytes(1 << 16), memory=True).memory >= 1 << 20


def test_too_much_work_is_seen() -> None:
    def again(data: bytes) -> None:
        for _ in range(100):
            decode(b"\x01", int, limit=8)

    with pytest.raises(TooMuch, match="lines"):
        weigh(_target(again, lines=100), b"", memory=False)
    assert weigh(_target(again), b"", memory=False).lines > 300


def test_an_input_follows_from_its_seed_and_the_corpus() -> None:
    for target in PLAIN:
        corpus = kept(target.name, CORPUS)
        # SQLite's files tell when they were changed
        if target.name not in ("ledger", "reindex", "restart"):
            assert next_input(target, corpus, "7") == next_input(target, corpus, "7")


def _crashes(data: bytes) -> None:
    if len(data) > 4:
        raise ValueError("five bytes")


def _hangs(data: bytes) -> None:
    while True:
        pass


def _dies(data: bytes) -> None:
    os._exit(7)


@pytest.mark.parametrize(
    ("run", "why"),
    [(_crashes, "five bytes"), (_hangs, "no answer"), (_dies, "ended with 7")],
)
def test_a_campaign_keeps_the_input_that_did_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: object, why: str
) -> None:
    monkeypatch.setattr(house, "CORPUS", tmp_path / "corpus")
    monkeypatch.setattr(house, "GROWN", tmp_path)
    (tmp_path / "corpus" / "planted").mkdir(parents=True)
    (tmp_path / "corpus" / "planted" / "sample").write_bytes(b"a")
    target = _target(run)
    totals = campaign({"planted": target}, seconds=1, jobs=1, seed=1, hang_seconds=1)
    (crash,) = totals.crashes[:1]
    assert crash.parent == tmp_path / "crashes" / "planted"
    assert crash.name == name_of(crash.read_bytes())
    assert why in crash.with_suffix(".txt").read_text()


def test_what_runs_new_code_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From bytes of which none is taken to some that are."""
    found = house.fuzz(
        Target("planted", lambda data: decode(data, int, limit=8), _one_more, (PeerFault,)),
        "1",
        0.5,
        [b"\xff\xff"],
        tmp_path / "current",
    )
    assert found.grown
    assert found.taken


def _one_more(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    return rng.randbytes(rng.randrange(3))
