# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What the doctor says of one thing that it looked at."""

from __future__ import annotations

from dataclasses import dataclass

OK, MISSING, WARN, BAD = "ok", "missing", "warn", "bad"


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    state: "ok", "missing" (optional, not here), "warn" (it will do, for now) or "bad" (it won't).
    remedy: what to do about it.
    """

    what: str
    state: str
    found: str
    remedy: str = ""
