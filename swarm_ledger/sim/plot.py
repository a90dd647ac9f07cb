# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Lines over a whole-numbered axis as SVG, a panel beside the other: what our pages need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#999999")
"""Colours that most colour-blind people tell apart (Okabe and Ito)."""

_WIDTH, _HEIGHT = 300, 220
_LEFT, _TOP, _RIGHT, _BOTTOM = 46, 30, 12, 44
_STEPS = 5


@dataclass(frozen=True)
class Panel:
    """One plot: shares, 0 to 1, over counts. mark: where a dashed line stands, None for none."""

    title: str
    across: Sequence[int]
    lines: Mapping[str, Sequence[float]]
    mark: int | None = None


def shares(panels: Sequence[Panel], *, across: str, up: str) -> str:
    """Return the panels, two beside one another, as SVG; all have the same lines."""
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    names = list(panels[0].lines)
    width, height = columns * _WIDTH, rows * _HEIGHT + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for place, panel in enumerate(panels):
        x, y = place % columns * _WIDTH, place // columns * _HEIGHT
        parts.append(f'<g transform="translate({x} {y})">{_panel(panel, across, up)}</g>')
    step = width / max(1, len(names))
    for place, name in enumerate(names):
        along, colour = round(place * step + 10, 1), COLOURS[place % len(COLOURS)]
        parts.append(f'<path d="M{along} {height - 14}h16" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{along + 20}" y="{height - 10}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel, across: str, up: str) -> str:
    low, high = panel.across[0], panel.across[-1]
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM

    def at(x: float, share: float) -> tuple[float, float]:
        along = (x - low) / max(1, high - low)
        return (
            round(_LEFT + along * (right - _LEFT), 1),
            round(bottom - share * (bottom - _TOP), 1),
        )

    parts = [f'<text x="{_LEFT}" y="{_TOP - 12}" font-weight="bold">{escape(panel.title)}</text>']
    for step in range(_STEPS + 1):
        x, y = at(low, step / _STEPS)
        parts.append(f'<path d="M{x} {y}H{right}" stroke="#ddd"/>')
        parts.append(f'<text x="{x - 6}" y="{y + 4}" text-anchor="end">{step / _STEPS:g}</text>')
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
    for place, values in enumerate(panel.lines.values()):
        points = [at(x, value) for x, value in zip(panel.across, values, strict=True)]
        line = " ".join(f"{x},{y}" for x, y in points)
        colour = COLOURS[place % len(COLOURS)]
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
    return "".join(parts)
