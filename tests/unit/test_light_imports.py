# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A drone over ZeroMQ whose labels are made elsewhere loads no library that it doesn't need."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("numpy", "cv2", "asyncio", "ssl", "typer", "rich", "starlette", "rclpy")


def test_no_library_that_is_not_needed_is_loaded() -> None:
    asked = f"import sys, swarm_ledger.sim.loop; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr
