# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Publishing that ends no node: a reader that is too slow must not be able to do that."""

from __future__ import annotations

from typing import Any

from rclpy.publisher import Publisher


def publish(publisher: Publisher, message: Any) -> bool:
    """Publish a message, also a serialised one; False where DDS did not take it.

    It doesn't while a reliable reader keeps its history full, and rclpy raises RCLError, which is
    a RuntimeError in all its versions.
    """
    try:
        publisher.publish(message)
    except RuntimeError:
        return False
    return True
