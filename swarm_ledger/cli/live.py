# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A mission as it happens: a table on a terminal, a line per event anywhere else."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from swarm_ledger.sim.events import Event
from swarm_ledger.sim.mission import Mission

_LINES = {
    "met": "  met {peer} (key in: {key_store})",
    "question": "  question at height {height}: {subject}",
    "vote": "  {author} sees {label} ({confidence:.2f}), {result} at height {height}, view {view}",
    "decision": "  {text}",
    "checkpoint": "  certified: height {height}, {size} entries",
    "evidence": "  evidence: {culprit} signed two statements that conflict",
    "convicted": "  {culprit} is convicted at height {height}, by {about}",
    "epoch": "  roster version {version} from height {height} on",
    "clock_skew": "  {drone} finds the clock of {peer} {ahead_ms} ms ahead, ± {error_ms} ms",
    "vote_given_up": "  {drone} gives up its vote: {what}",
    "flight": "  {drone} flies: {text}",
    "lost": "  {drone} is lost ({how})",
}

_COLUMNS = {
    # what it shows: its title, and how wide a terminal must be for it
    "vote": ("sees", 0),
    "result": ("vote is", 0),
    "height": ("height", 64),
    "view": ("view", 72),
    "latency": ("latency", 84),
    "stable": ("stable", 94),
    "key_store": ("key", 104),
}


class LiveView:
    """Shows events. Call it with each; use it as a context manager."""

    def __init__(self, console: Console, mission: Mission) -> None:
        self._console, self._mission = console, mission
        self._liars = mission.liars()
        self._rows: dict[str, dict[str, Any]] = {name: {} for name in mission.names()}
        self._shown: set[tuple[object, ...]] = set()
        self._phase = "starting"
        self._live = Live(console=console, refresh_per_second=8, transient=False)
        self._starting = console.status(f"starting {mission.drones} drones")
        self._begun = False

    def __enter__(self) -> LiveView:
        if self._console.is_terminal:
            self._starting.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None and not self._begun:
            self._begin()
        if self._console.is_terminal:
            self._starting.stop()
            self._live.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if not self._begun:
            self._begin()
        self._take(event)
        if self._console.is_terminal:
            self._refresh()
            return
        line = _line(event)
        key = self._key(event)
        if line and key not in self._shown:
            self._shown.add(key)
            self._console.print(escape(line))

    def _begin(self) -> None:
        """Say what is flown, once it flies: what can't be flown only has an error to show."""
        self._begun = True
        self._starting.stop()
        mission = self._mission
        self._console.print(
            f"{mission.drones} drones, {mission.byzantine} of them Byzantine ({mission.attack}), "
            f"over {mission.transport}: what stands there is a {mission.target}"
        )
        if self._console.is_terminal:
            self._live.start()
            self._refresh()

    def _take(self, event: Event) -> None:
        fields = event.fields
        if event.event == "status" and event.drone in self._rows:
            self._rows[event.drone].update(fields)
        elif event.event == "vote" and fields["author"] in self._rows:
            _take_vote(self._rows[fields["author"]], fields)
        elif event.event == "committed" and event.drone in self._rows:
            self._rows[event.drone]["latency"] = f"{fields['latency_ms']} ms"
        elif event.event == "lost" and event.drone in self._rows:
            self._rows[event.drone]["result"] = f"lost ({fields['how']})"
        phases = {"met": "meeting", "question": "voting", "decision": "certifying"}
        self._phase = phases.get(event.event, self._phase)
        if event.event == "decision":
            self._phase = f"decided: {fields['label'] or fields['outcome']}"

    def _key(self, event: Event) -> tuple[object, ...]:
        """What the swarm shares is shown once, not once a drone."""
        fields = event.fields
        shared = ("author", "label", "height", "number", "culprit", "peer", "how", "text")
        drone = event.drone if event.event in ("lost", "flight") else ""
        return (event.event, drone, *(str(fields.get(name)) for name in shared))

    def _refresh(self) -> None:
        table = Table(title=self._phase, title_justify="left", title_style="bold")
        columns = {
            k: title for k, (title, fits) in _COLUMNS.items() if self._console.width >= fits
        }
        for title in ("drone", *columns.values()):
            table.add_column(title, no_wrap=True)
        for name, row in self._rows.items():
            liar = " [red](lies)[/]" if name in self._liars else ""
            table.add_row(name + liar, *(str(row.get(key, "")) for key in columns))
        self._live.update(table)


def _take_vote(row: dict[str, Any], fields: dict[str, Any]) -> None:
    """Show a drone's first vote and what became of it; a second one that differs is a scandal."""
    label = fields["label"]
    if row.setdefault("label", label) != label:
        row["result"] = "[red]void, it said both[/]"
        if fields["result"] != "conflict":  # it came when the question was settled
            row["result"] = f"[red]{row['first']}, it said both[/]"
    elif "first" not in row:
        row["first"] = row["result"] = fields["result"]
        row["vote"] = f"{label} {fields['confidence']:.2f}"


def _line(event: Event) -> str:
    form = _LINES.get(event.event)
    return form.format(drone=event.drone, **event.fields) if form else ""
