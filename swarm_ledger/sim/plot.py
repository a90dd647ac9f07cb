# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Lines over a whole-numbered axis as SVG, a panel beside the other: what our pages need."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#999999")
"""Colours that most colour-blind people tell apart (Okabe and Ito)."""

_WIDTH, _HEIGHT = 300, 220
_LEFT, _TOP, _RIGHT, _BOTTOM = 46, 30, 12, 44
_STEPS = 5
_LEGEND = 30
_LETTER = 7


@dataclass(frozen=True)
class Panel:
    """One plot: shares, 0 to 1, over counts, None where there is none yet. mark: where a dashed
    line stands, None for none. bands: intervals, of those lines that have any. dashed: the lines
    that are drawn so. most: what the axis ends at, where it shows something else than shares.
    """

    title: str
    across: Sequence[int]
    lines: Mapping[str, Sequence[float | None]]
    mark: int | None = None
    bands: Mapping[str, Sequence[tuple[float, float] | None]] = field(default_factory=dict)
    dashed: Collection[str] = ()
    most: float = 1.0


def shares(panels: Sequence[Panel], *, across: str, up: str) -> str:
    """Return the panels, two beside one another, as SVG; all have the same lines."""
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    names = list(panels[0].lines)
    width = columns * _WIDTH
    legend = _legend(names, panels[0].dashed, width, rows * _HEIGHT)
    height = rows * _HEIGHT + _LEGEND * len(legend)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for place, panel in enumerate(panels):
        x, y = place % columns * _WIDTH, place // columns * _HEIGHT
        parts.append(f'<g transform="translate({x} {y})">{_panel(panel, across, up)}</g>')
    return "\n".join([*parts, *(part for row in legend for part in row), "</svg>"]) + "\n"


def _legend(
    names: Sequence[str], dashed: Collection[str], width: int, top: int
) -> list[list[str]]:
    """Return what tells the lines apart, in as many rows as it takes."""
    widest = max(map(len, names), default=0) * _LETTER + 30
    in_row = max(1, min(len(names), width // widest))
    rows: list[list[str]] = []
    for place, name in enumerate(names):
        if place % in_row == 0:
            rows.append([])
        along = round(place % in_row * width / in_row + 10, 1)
        y = top + _LEGEND * (len(rows) - 1) + 16
        rows[-1].append(f'<path d="M{along} {y}h16" {_stroke(place, name in dashed)}/>')
        rows[-1].append(f'<text x="{along + 20}" y="{y + 4}">{escape(name)}</text>')
    return rows


def _stroke(place: int, dashed: bool) -> str:
    colour = COLOURS[place % len(COLOURS)]
    return f'stroke="{colour}" stroke-width="2"' + ' stroke-dasharray="5 3"' * dashed


def _panel(panel: Panel, across: str, up: str) -> str:
    low, high = panel.across[0], panel.across[-1]
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM

    def at(x: float, share: float) -> tuple[float, float]:
        along = (x - low) / max(1, high - low)
        return (
            round(_LEFT + along * (right - _LEFT), 1),
            round(bottom - share / panel.most * (bottom - _TOP), 1),
        )

    parts = [f'<text x="{_LEFT}" y="{_TOP - 12}" font-weight="bold">{escape(panel.title)}</text>']
    for step in range(_STEPS + 1):
        up_to = step / _STEPS * panel.most
        x, y = at(low, up_to)
        parts.append(f'<path d="M{x} {y}H{right}" stroke="#ddd"/>')
        parts.append(f'<text x="{x - 6}" y="{y + 4}" text-anchor="end">{up_to:.3g}</text>')
    for count in panel.across:
        x, y = at(count, 0)
        parts.append(f'<text x="{x}" y="{y + 16}" text-anchor="middle">{count}</text>')
    middle = (_LEFT + right) / 2
    parts.append(
        f'<text x="{middle}" y="{_HEIGHT - 12}" text-anchor="middle">{escape(across)}</text>'
    )
    parts.append(
        f'<text transform="translate(12 {(_TOP + bottom) / 2}) rotate(-90)" '
        f'text-anchor="middle">{escape(up)}</text>'
    )
    if panel.mark is not None:
        x, y = at(panel.mark, 0)
        parts.append(f'<path d="M{x} {y}V{_TOP}" stroke="#555" stroke-dasharray="4 3"/>')
    for place, (name, values) in enumerate(panel.lines.items()):
        if name in panel.bands:
            edges = [(x, e) for x, e in zip(panel.across, panel.bands[name], strict=True) if e]
            around = [at(x, high) for x, (_, high) in edges]
            around += [at(x, low) for x, (low, _) in reversed(edges)]
            colour = COLOURS[place % len(COLOURS)]
            shape = " ".join(f"{x},{y}" for x, y in around)
            parts.append(f'<polygon points="{shape}" fill="{colour}" opacity="0.13"/>')
        places = zip(panel.across, values, strict=True)
        points = [at(x, value) for x, value in places if value is not None]
        line = " ".join(f"{x},{y}" for x, y in points)
        stroke = _stroke(place, name in panel.dashed)
        parts.append(f'<polyline points="{line}" fill="none" {stroke}/>')
    return "".join(parts)
