# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Our consensus and others' systems, side by side in one run: docs/performance.json, .svg, .md.

    make bench                                     all, five runs each: some twenty minutes
    python -m bench.consensus_performance --runs 1 --seconds 2
    python -m bench.consensus_performance --page   the page and plot again, from the JSON file

Peers take turns with ours, so that a busy machine is busy for all alike.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import msgspec

from bench.peers.cometbft import CometBFT
from bench.peers.etcd import Etcd
from bench.peers.nats import Nats
from bench.peers.peer import Peer, Row, Work
from bench.peers.syncobj import PySyncObj
from swarm_ledger.sim.consensus_bench import Run, Setting, measure

DOCS = Path(__file__).parents[1] / "docs"
FIGURES, PAGE, PLOT = (DOCS / f"performance.{end}" for end in ("json", "md", "svg"))
BEGIN, END = "<!-- figures begin -->", "<!-- figures end -->"
OURS = "swarm_ledger, ZeroMQ"
CLIENTS = (1, 50)
PAYLOAD = 200
_REPLICAS = 4


class Figures(msgspec.Struct, frozen=True):
    """What was measured, medians. check_us: what one signature's check took meanwhile."""

    machine: str
    runs: int
    seconds: float
    payload: int
    check_us: float
    rows: list[Row]
    ours: dict[str, Run]


def gather(runs: int, seconds: float, folder: Path | None) -> Figures:
    """Measure all that can be had here, in turns."""
    peers: list[Peer] = [Etcd(), Nats(), PySyncObj(), CometBFT(tuned=True), CometBFT(tuned=False)]
    found: dict[tuple[str, int], list[dict[str, float]]] = {}
    ours: dict[int, list[Run]] = {clients: [] for clients in CLIENTS}
    for _ in range(runs):
        for clients in CLIENTS:
            run = measure(Setting(_REPLICAS, clients, "zmq", seconds), folder)
            ours[clients].append(run)
            found.setdefault((OURS, clients), []).append(_figures(run))
            for peer in peers:
                if not peer.missing():
                    with TemporaryDirectory(dir=folder) as place:
                        figures = peer.run(Work(clients, PAYLOAD, seconds), Path(place))
                    found.setdefault((peer.name, clients), []).append(figures)
    abouts = [Row(OURS, "1 of 4 may lie", True, True, clients) for clients in CLIENTS]
    abouts += [
        Row(peer.name, peer.faults, peer.durable, False, clients, skipped=peer.missing())
        for peer in peers
        for clients in CLIENTS
    ]
    rows = [_row(about, found.get((about.name, about.clients), [])) for about in abouts]
    check = median(run.check_us for some in ours.values() for run in some)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    middle = {str(c): sorted(some, key=lambda r: r.throughput_tps) for c, some in ours.items()}
    chosen = {clients: some[len(some) // 2] for clients, some in middle.items()}
    return Figures(machine, runs, seconds, PAYLOAD, check, rows, chosen)


def _figures(run: Run) -> dict[str, float]:
    return {
        "throughput_tps": run.throughput_tps,
        "p50_ms": run.latency_ms.p50,
        "p99_ms": run.latency_ms.p99,
        "cpu_us_per_commit": run.cpu_us_per_commit,
    }


def _row(about: Row, found: Sequence[dict[str, float]]) -> Row:
    names = found[0] if found else {}
    figures = {key: median(one[key] for one in found) for key in names}
    return msgspec.structs.replace(about, **figures)


def table(figures: Figures) -> Iterator[str]:
    """Yield the page's table, with ratios to ours at as many clients."""
    yield (
        f"Medians of {figures.runs} runs of {figures.seconds:g} s, in turns, on "
        f"{figures.machine}; one signature's check took {figures.check_us:.0f} µs meanwhile."
    )
    yield ""
    heads = ("system", "bears", "on disk", "signed requests", "clients", "commits/s", "ours is")
    heads += ("p50, ms", "p99, ms", "processor, µs a commit")
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    ours = {row.clients: row for row in figures.rows if row.name == OURS}
    for row in figures.rows:
        facts = f"| {row.name} | {row.faults} | {_yes(row.durable)} | {_yes(row.checked)} "
        why = row.skipped or ("" if row.throughput_tps else "nothing was committed in time")
        if why:
            yield f"{facts}| {row.clients} | not measured: {why} | | | | |"
            continue
        ratio = ours[row.clients].throughput_tps / row.throughput_tps
        yield (
            f"{facts}| {row.clients} | {row.throughput_tps:,.0f} | × {ratio:.2f} "
            f"| {row.p50_ms:.1f} | {row.p99_ms:.1f} | {row.cpu_us_per_commit:,.0f} |"
        )


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


def plot(figures: Figures) -> str:
    """Return the commits a second as bars, an SVG."""
    rows = [row for row in figures.rows if not row.skipped]
    most = max(row.throughput_tps for row in rows)
    step, left, wide = 26, 230, 420
    bars = []
    for place, row in enumerate(rows):
        y, width = 34 + place * step, wide * row.throughput_tps / most
        colour = "#2b6cb0" if row.name == OURS else "#a0aec0"
        label = f"{row.name}, {row.clients} client{'s' * (row.clients > 1)}"
        bars += [
            f'<text x="{left - 8}" y="{y + 13}" text-anchor="end">{label}</text>',
            f'<rect x="{left}" y="{y}" width="{width:.1f}" height="18" fill="{colour}"/>',
            f'<text x="{left + width + 6:.1f}" y="{y + 13}">{row.throughput_tps:,.0f}</text>',
        ]
    height = 44 + len(rows) * step
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {height}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
    )
    title = '<text x="16" y="20" font-weight="bold">Commits a second, in one run</text>'
    return "\n".join([head, title, *bars, "</svg>"]) + "\n"


def write(figures: Figures) -> None:
    """Write the page's table and the plot."""
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text("\n".join([before + BEGIN, *table(figures), END + after]))
    PLOT.write_text(plot(figures))


def main() -> None:
    """Measure, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--folder", type=Path, help="on whose disk")
    parser.add_argument("--page", action="store_true", help="only write the page and plot again")
    given = parser.parse_args()
    if not given.page:
        figures = gather(given.runs, given.seconds, given.folder)
        FIGURES.write_bytes(msgspec.json.format(msgspec.json.encode(figures)) + b"\n")
    write(msgspec.json.decode(FIGURES.read_bytes(), type=Figures))


if __name__ == "__main__":
    main()
