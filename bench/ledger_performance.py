# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""What ledgers of 1,000 to 1,000,000 entries cost, as `swarm-ledger bench ledger` measures it.

--write keeps the figures in docs/ledger-performance.json, the plot beside it, and the tables in
docs/ledger-performance.md.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.tables import table  # noqa: E402
from swarm_ledger.cli.bench import decades  # noqa: E402
from swarm_ledger.sim.ledger_bench import measure  # noqa: E402

DOCS = ROOT / "docs"
FIGURES, PAGE = DOCS / "ledger-performance.json", DOCS / "ledger-performance.md"
PLOT = DOCS / "ledger-performance.svg"
BEGIN, END = "<!-- figures: begin -->\n", "<!-- figures: end -->\n"

COSTS = {
    "entries": "entries",
    "append_ms": "append a block, ms",
    "open_ms": "open, ms",
    "prove_ms": "prove, ms",
    "verify_ms": "verify a proof, ms",
    "consistency_ms": "consistency, ms",
    "find_ms": "find a decision, ms",
    "check_ms": "check all, ms",
    "entry_bytes": "bytes an entry",
}
STARTS = {
    "entries": "entries",
    "blocks": "blocks",
    "replay_ms": "start by replay, ms",
    "snapshot_ms": "start by snapshot, ms",
    "followed": "blocks behind it",
}
BYTES = {
    "drones": "drones",
    "decision": "a decision, in the file",
    "entries": "its entries",
    "certificates": "its two certificates",
    "note": "its checkpoint",
    "entry": "an entry, in the file",
}
LIGHTS = {
    "drones": "drones",
    "entries": "entries",
    "cold_bytes": "from the root alone, bytes",
    "cold_ms": "ms",
    "warm_bytes": "from a tenth of it, bytes",
    "warm_ms": "ms",
    "same_bytes": "from the same checkpoint, bytes",
    "same_ms": "ms",
    "answer_ms": "to answer, ms",
    "state_bytes": "state, bytes",
    "state_ms": "to read it, ms",
}
_TABLES = (("costs", COSTS), ("starts", STARTS), ("bytes", BYTES), ("lights", LIGHTS))
PLOTTED = {
    "append_ms": "#0072b2",
    "open_ms": "#e69f00",
    "prove_ms": "#009e73",
    "verify_ms": "#cc79a7",
    "check_ms": "#999999",
}
"""Colours that most colour-blind people tell apart (Okabe and Ito)."""


def tables(found: dict[str, Any]) -> str:
    """Return the figures as Markdown tables."""
    parts = [table(found[name], heads) for name, heads in _TABLES]
    return "\n".join(parts) + (
        f"\nMedians of {found['runs']} runs or more, `check all` and `start by replay` of one; "
        "the last table is in milliseconds of one processor; "
        f"blocks of {found['block_entries']} entries; {found['machine']}.\n"
    )


def plot(found: dict[str, Any]) -> str:
    """Return what each costs by the ledger's length, both logarithmic, as SVG."""
    rows = found["costs"]
    width, height, left, top, right, bottom = 720, 400, 70, 20, 170, 50
    xs = [math.log10(row["entries"]) for row in rows]
    values = [max(row[name], 1e-4) for row in rows for name in PLOTTED]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))

    def at(x: float, y: float) -> tuple[float, float]:
        across = (x - xs[0]) / max(xs[-1] - xs[0], 1e-9)
        up = (y - low) / (high - low)
        return (
            round(left + across * (width - left - right), 1),
            round(height - bottom - up * (height - top - bottom), 1),
        )

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for power in range(low, high + 1):
        x, y = at(xs[0], power)
        parts.append(f'<path d="M{x} {y}H{width - right}" stroke="#ddd"/>')
        parts.append(f'<text x="{x - 8}" y="{y + 4}" text-anchor="end">{10.0**power:g} ms</text>')
    for x_value, row in zip(xs, rows, strict=True):
        x, y = at(x_value, low)
        parts.append(f'<text x="{x}" y="{y + 20}" text-anchor="middle">{row["entries"]:,}</text>')
    parts.append(
        f'<text x="{(left + width - right) / 2}" y="{height - 10}" text-anchor="middle">'
        "entries in the ledger</text>"
    )
    for name, colour in PLOTTED.items():
        points = [at(x, math.log10(max(row[name], 1e-4))) for x, row in zip(xs, rows, strict=True)]
        line = " ".join(f"{x},{y}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        x, y = points[-1]
        label = COSTS[name].removesuffix(", ms")
        parts.append(f'<text x="{x + 8}" y="{y + 4}" fill="{colour}">{label}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def write(found: dict[str, Any]) -> None:
    """Put figures and plot beside the page, and the tables between the page's markers."""
    FIGURES.write_text(json.dumps(found, indent=1) + "\n")
    PLOT.write_text(plot(found))
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + tables(found) + END + rest.partition(END)[2])


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", type=int, default=1_000_000, help="entries, at most")
    parser.add_argument("--start-to", type=int, default=10_000, help="signed ones, at most")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="keep the figures in docs/")
    arguments = parser.parse_args()

    def tell(what: str) -> None:
        print(f"\r{what}    ", end="", file=sys.stderr, flush=True)

    sizes, starts = decades(1_000, arguments.to), decades(1_000, arguments.start_to)
    figures = measure(sizes, starts, arguments.runs, tell)
    machine = f"{platform.machine()}, Python {platform.python_version()}, a busy virtual machine"
    found = {"machine": machine, **msgspec.to_builtins(figures)}
    print(tables(found))
    if arguments.write:
        write(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
