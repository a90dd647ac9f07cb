# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A DDS that isn't ours, and knows nothing of ROS 2, reads what the swarm has decided."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.deploy.surroundings import Peers
from tests.patience import until

DDS = Path(__file__).parents[2] / "deploy" / "dds"
SOURCE = Path(__file__).parents[2] / "ros2_ws/src/swarm_interfaces/msg/Decision.msg"
pytest.importorskip("cyclonedds", reason="pip install cyclonedds: a DDS of somebody else")
foreign = pytest.importorskip("tests.deploy.foreign_dds")


def test_the_stranger_has_the_fields_of_the_message() -> None:
    lines = [line.split("#")[0].split() for line in SOURCE.read_text().splitlines()]
    fields = [words[1] for words in lines if len(words) == 2 and "=" not in words[1]]
    assert list(foreign.Decision.__dataclass_fields__) == fields


def hears(domain: int, more: str) -> list[int]:
    """Return the numbers that a stranger hears who comes when all has been said."""
    stranger = foreign.Stranger(domain, more)
    until(
        "the stranger has heard both",
        lambda: len(stranger.heard) >= 2,
        lambda: (stranger.listen(), time.sleep(0.02)),
        lambda: stranger.heard,
    )
    first = stranger.heard[0]
    assert (first.label, first.labels, first.counts) == ("cup", ["cup", "two_faces"], [3, 1])
    assert (first.abstentions, first.voided, first.voters, first.height) == (2, 1, 7, 11)
    assert bytes(first.question) == bytes(range(32))
    assert (first.opened.sec, first.ledger_time.nanosec) == (-1, 999_999_999)
    assert (first.header.frame_id, first.header.stamp.nanosec) == ("map", 2)
    assert [one.ledger_index - 2**40 for one in stranger.heard] == [1, 2]
    return [one.number for one in stranger.heard]


def test_it_hears_late_what_was_decided(peers: Peers) -> None:
    """With Fast DDS as it comes. Cyclone 11 rejects Fast DDS's descriptions of types (they leave
    "try construct" at 0), so it has to be told not to look at those of vendor 1.15.
    """
    peers.start("publish", "1", "2").says("ready")
    assert hears(peers.domain, foreign.IGNORE_FAST_DDS_TYPES) == [1, 2]


def test_it_hears_drones_with_our_profile_as_it_is(peers: Peers) -> None:
    peers.start("publish", "1", "2", profile=DDS / "fastdds.xml").says("ready")
    assert hears(peers.domain, "") == [1, 2]
