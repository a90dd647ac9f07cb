# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A sweep as a figure: E_N with its intervals along a parameter, beside what others published."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from swarm_ledger.errors import Misuse
from swarm_ledger.sim.plot import Panel, shares
from swarm_ledger.sim.sweep.summary import CellSummary

_SINGLES = {"single_mean": "one drone, mean", "single_best": "one drone, best"}
Share = Annotated[float, Meta(ge=0, le=1)]


class Published(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What others found: lines of E_N by name, at the values of `along` from 0 on.

    best: if given, only the highest of the lines at each place is drawn, under this name.
    """

    source: str
    along: str
    lines: dict[str, list[Share]]
    best: str = ""

    def drawn(self, along: str, places: Sequence[int]) -> dict[str, list[float]]:
        """Return the lines at these places; Misuse if they were not published."""
        try:
            if along != self.along or min(places) < 0:
                raise IndexError
            lines = {name: [line[x] for x in places] for name, line in self.lines.items()}
        except IndexError as error:
            raise Misuse(
                f"{self.source} has nothing at {along} {list(places)}.",
                remedy=f"It is along {self.along}.",
            ) from error
        if self.best:
            return {self.best: [max(found) for found in zip(*lines.values(), strict=True)]}
        return lines


def load_published(path: Path) -> Published:
    """Read a file of what others found (YAML); Misuse that says what is wrong."""
    try:
        found: Published = msgspec.yaml.decode(path.read_bytes(), type=Published)
    except OSError as error:
        raise Misuse(f"cannot read {path}: {error.strerror}.") from error
    except msgspec.MsgspecError as error:
        raise Misuse(f"{path} has no published lines: {error}.") from error
    return found


def figure(
    summaries: Sequence[CellSummary],
    along: str,
    *,
    panels: str = "",
    beside: Iterable[Published] = (),
) -> str:
    """Return E_N along a parameter as SVG: a line for each combination of the others that vary.

    panels: a parameter each of whose values has a plot of its own. What is not done yet is
    left out.
    """
    names = list(summaries[0].parameters) if summaries else []
    if along not in names or (panels and panels not in names) or along == panels:
        raise Misuse(f"the sweep can't be drawn along {along!r} with panels {panels!r}.")
    places = list(dict.fromkeys(one.parameters[along] for one in summaries))
    if not all(type(place) is int for place in places) or places != sorted(places):
        raise Misuse(
            f"{along!r} has no rising whole numbers to draw along.",
            remedy="Take another parameter by --along.",
        )
    vary = [name for name in names if len({one.parameters[name] for one in summaries}) > 1]
    groups: dict[object, list[CellSummary]] = {}
    for one in summaries:
        groups.setdefault(one.parameters[panels] if panels else "", []).append(one)
    others = [line for one in beside for line in one.drawn(along, places).items()]
    rest = [name for name in vary if name not in (along, panels)]
    lines = list(dict.fromkeys(_name(one, rest) for one in summaries))
    drawn = []
    for title, found in groups.items():
        cells = {(_name(one, rest), one.parameters[along]): one for one in found}
        rows = {line: [cells.get((line, place)) for place in places] for line in lines}
        drawn.append(_panel(str(title), places, rows, dict(others)))
    return shares(drawn, across=along, up="E_N")


def _name(one: CellSummary, vary: Iterable[str]) -> str:
    values = ((name, one.parameters[name]) for name in vary)
    words = [value if isinstance(value, str) else f"{name} {value}" for name, value in values]
    return ", ".join(words) or "ours"


def _panel(
    title: str,
    places: list[int],
    rows: dict[str, list[CellSummary | None]],
    others: dict[str, list[float]],
) -> Panel:
    lines = {name: [one.E_N if one else None for one in row] for name, row in rows.items()}
    bands = {
        name: [(one.low, one.high) if one else None for one in row] for name, row in rows.items()
    }
    dashed: dict[str, Sequence[float | None]] = dict(others)
    for which, name in _SINGLES.items():
        of_place = zip(*rows.values(), strict=True)
        values = [next((getattr(one, which) for one in ones if one), None) for ones in of_place]
        if any(value is not None for value in values):
            dashed[name] = values
    return Panel(title, places, {**lines, **dashed}, bands=bands, dashed=tuple(dashed))
