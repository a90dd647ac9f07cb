# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""How sealed bytes travel: one protocol, over ZeroMQ, or in memory. ROS 2 lives in nodes/."""

from __future__ import annotations

from typing import Protocol


class Transport(Protocol):
    """Carries sealed bytes between members, at most once, in no order, perhaps not at all.

    Members are named by their index in the roster. Neither call blocks or raises; what can't be
    sent, also because nobody is there, is dropped: the protocol above repeats what matters.
    """

    def send(self, to: int, data: bytes) -> None:
        """Send to one member."""

    def broadcast(self, data: bytes) -> None:
        """Send to all other members; over links, only to the committee where there is one."""
