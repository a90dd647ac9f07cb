# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Figures as Markdown tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def table(rows: Sequence[dict[str, Any]], heads: dict[str, str]) -> str:
    """Return a table. heads: the columns' titles, by the names of the figures."""
    lines = ["| " + " | ".join(heads.values()) + " |", "| ---: " * len(heads) + "|"]
    lines += ["| " + " | ".join(_cell(row[name]) for name in heads) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
