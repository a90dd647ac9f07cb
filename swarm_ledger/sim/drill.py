# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Four real drones under load lose their leader, are cut apart, lose a disk, change their roster.

They have to recover each time.

Every wait is for something that the drones report, has a deadline, and says what it waits for.
"""

from __future__ import annotations

import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from swarm_ledger.consensus.quorum import quorum
from swarm_ledger.errors import NotVerified
from swarm_ledger.identity import draft as drafts
from swarm_ledger.identity.channel import CHANNEL
from swarm_ledger.runtime.fleet import Fleet
from swarm_ledger.runtime.fleet_file import ConsensusEntry
from swarm_ledger.signers import open_signer
from swarm_ledger.sim.events import Event
from swarm_ledger.sim.links import Links
from swarm_ledger.sim.load import ENOUGH
from swarm_ledger.sim.mission import KEY, OPERATOR, ROSTER_DAYS, Mission, prepare, utc_now
from swarm_ledger.sim.processes import Processes, environment
from swarm_ledger.sim.watch import OnEvent

BLOCKS = 10
"""So many more blocks show that a swarm goes on; more than a leader keeps in flight."""

REPORTS = 10
"""So many more reports of every drone, all with requests that wait, show that it does not."""

_POLL_S = 0.25
_CONSENSUS = ConsensusEntry(request_timeout_ms=1_000, resend_ms=100)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Drill:
    """What to go through. rate: requests a second of each drone; patience_s: for any one wait."""

    run_dir: Path
    rate: float = 10.0
    patience_s: float = 30.0


class Swarm:
    """The drones as they report themselves.

    clock: seconds, to measure patience by. Raises NotVerified where one ends that was not killed,
    or is accused: all of them are honest.
    """

    def __init__(
        self,
        processes: Processes,
        patience_s: float,
        on_event: OnEvent,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.names = sorted(processes.pids)
        self._processes, self._patience_s, self._on_event = processes, patience_s, on_event
        self._last: dict[str, dict[str, Any]] = {}
        self._reports: Counter[str] = Counter()
        self._killed: set[str] = set()
        self._clock = clock

    def until(self, what: str, holds: Callable[[], bool]) -> None:
        """Take in reports until that holds; NotVerified, saying what, if it does not in time."""
        deadline = self._clock() + self._patience_s
        while not holds():
            if self._clock() >= deadline:
                raise NotVerified(f"waited {self._patience_s:g} s until {what}; {self._places()}.")
            event = self._processes.next_event(_POLL_S)
            if event is not None:
                self._take(event)

    def _take(self, event: Event) -> None:
        self._on_event(event)
        if event.event == "status":
            self._last[event.drone] = event.fields
            self._reports[event.drone] += 1
        elif event.event == "evidence":
            raise NotVerified(f"{event.drone} accuses {event.fields['culprit']}, which is honest.")
        elif event.event == "lost":
            self._last.pop(event.drone, None)
            if event.drone not in self._killed:
                raise NotVerified(f"{event.drone} ended by itself ({event.fields['how']}).")

    def _places(self) -> str:
        rows = (
            "{drone} is at height {height} in view {view} with {pending} waiting".format_map(row)
            for _, row in sorted(self._last.items())
        )
        return ", ".join(rows) or "no drone has reported"

    def kill(self, name: str) -> None:
        """End a drone with SIGKILL, and wait until it is gone."""
        self._killed.add(name)
        self._processes.send(name, signal.SIGKILL)
        self.until(f"{name} is gone", lambda: name not in self._last)

    def restart(self, name: str) -> None:
        """Start a killed drone on its own folder, and wait for its first report."""
        self._processes.start(name)
        self._killed.discard(name)
        self.until(f"{name} is back", lambda: name in self._last)

    def enough(self) -> None:
        """Have all drones submit nothing more."""
        for name in self.names:
            self._processes.send(name, ENOUGH)

    def each(self, field: str, names: Iterable[str] | None = None) -> list[Any]:
        """Return what those drones reported last, or all that live."""
        chosen = self._last if names is None else names
        return [self._last[name][field] for name in chosen if name in self._last]

    def top(self, names: Iterable[str] | None = None) -> int:
        """Return the greatest height among them."""
        return int(max(self.each("height", names), default=0))

    def leader(self) -> tuple[str, int]:
        """Wait until a quorum names one leader; return its name, and its view.

        Not all four: who has given up on a leader that the others keep waits for the next view.
        """

        def named() -> tuple[tuple[str, int], int]:
            pairs = zip(self.each("leader"), self.each("view"), strict=True)
            return max(Counter(pairs).items(), key=lambda item: item[1], default=(("", 0), 0))

        self.until("a quorum names one leader", lambda: named()[1] >= quorum(len(self.names)))
        return named()[0]

    def goes_on(self, names: Iterable[str]) -> int:
        """Wait until each of them is BLOCKS higher than any is now; return the least height."""
        chosen = list(names)
        goal = self.top() + BLOCKS
        who = "all four" if len(chosen) == len(self.names) else ", ".join(chosen)

        def there() -> bool:
            heights = self.each("height", chosen)
            return len(heights) == len(chosen) and min(heights) >= goal

        self.until(f"{who} have committed block {goal}", there)
        return int(min(self.each("height", chosen)))

    def left_view(self, names: Iterable[str], view: int) -> None:
        """Wait until each of them has given up on the leader of that view."""
        chosen = list(names)
        what = f"{', '.join(chosen)} give up on the leader of view {view}"
        self.until(what, lambda: min(self.each("view", chosen)) > view)

    def stands_still(self, groups: Iterable[Iterable[str]]) -> None:
        """Watch drones that have left their view: NotVerified if a group commits one more block.

        Within a group, one that lags may still fetch what another committed before.
        """
        listed = [list(group) for group in groups]
        chosen = [name for group in listed for name in group]
        before = [self.top(group) for group in listed]
        goal = {name: self._reports[name] + REPORTS for name in chosen}

        def watched() -> bool:
            for group, height in zip(listed, before, strict=True):
                if self.top(group) != height:
                    raise NotVerified(
                        f"{', '.join(group)} went from height {height} to {self.top(group)} "
                        "without a quorum."
                    )
            idle = 0 in self.each("pending", chosen)
            return not idle and all(self._reports[name] >= goal[name] for name in chosen)

        self.until(f"{', '.join(chosen)} report {REPORTS} times with requests waiting", watched)

    def one_ledger(self) -> dict[str, Any]:
        """Wait until all have the same ledger, certified to its end; return a last report."""

        def one() -> bool:
            ends = {(row["size"], row["root"]) for row in self._last.values()}
            done = (row["stable"] == row["height"] for row in self._last.values())
            idle = not any(self.each("pending"))
            return len(self._last) == len(self.names) and len(ends) == 1 and idle and all(done)

        self.until("all four hold one ledger, certified to its end", one)
        return self._last[self.names[0]]


def go_through(drill: Drill, say: Say, on_event: OnEvent) -> Fleet:
    """Go through a drill in a new run folder; return its fleet, whose ledgers are closed.

    say: is told what happens, in plain sentences; on_event: sees what the drones report. Raises
    NotVerified where the swarm did not do what it should, Misuse where the folder can't be used.
    """
    mission = Mission(run_dir=drill.run_dir, byzantine=0, transport="zmq", consensus=_CONSENSUS)
    fleet = prepare(mission, now=utc_now())
    names = mission.names()
    with Links(names) as links:
        commands = {name: _command(drill, fleet, name, links.endpoints(name)) for name in names}
        with Processes(drill.run_dir, commands, environment(mission)) as processes:
            say(f"{len(names)} drones start, each submits {drill.rate:g} requests a second")
            swarm = Swarm(processes, drill.patience_s, on_event)
            height = swarm.goes_on(names)
            say(f"all commit under load: height {height}")
            _lose_leader(swarm, say)
            _cut_in_half(swarm, links, say)
            _cut_leader_off(swarm, links, say)
            wiped = _lose_disk(swarm, fleet, say)
            _enrol_again(swarm, fleet, wiped, say)
            swarm.enough()
            end = swarm.one_ledger()
            say(f"no more load: all are at height {end['height']}, root {end['root'][:16]}")
    return fleet


def _command(drill: Drill, fleet: Fleet, name: str, endpoints: dict[str, str]) -> list[str]:
    """Write the fleet file of one drone, with its own way to each peer; return its command."""
    drones = [
        msgspec.structs.replace(entry, endpoint=endpoints[entry.name])
        for entry in fleet.file.drones
    ]
    file = msgspec.structs.replace(fleet.file, drones=drones, question="", world=None)
    path = drill.run_dir / f"{name}.yaml"
    path.write_bytes(msgspec.yaml.encode(file))
    which = ["--fleet", str(path), "--drone", name, "--rate", str(drill.rate)]
    return ["-m", "swarm_ledger.sim.load", *which]


def _lose_leader(swarm: Swarm, say: Say) -> None:
    leader, view = swarm.leader()
    others = [name for name in swarm.names if name != leader]
    swarm.kill(leader)
    say(f"{leader}, which leads view {view}, is killed with SIGKILL at height {swarm.top()}")
    swarm.left_view(others, view)
    height = swarm.goes_on(others)
    view = max(swarm.each("view", others))
    say(f"the other three commit in view {view}: height {height}")
    swarm.restart(leader)
    goal, start = swarm.top(), swarm.top([leader])
    say(f"{leader} is started again on its own ledger, at height {start}")
    swarm.until(f"{leader} has caught up to {goal}", lambda: swarm.top([leader]) >= goal)
    say(f"{leader} has caught up: height {swarm.top([leader])}")
    say(f"all four go on: height {swarm.goes_on(swarm.names)}")


def _cut_in_half(swarm: Swarm, links: Links, say: Say) -> None:
    leader, view = swarm.leader()
    first = [leader, next(name for name in swarm.names if name != leader)]
    halves = [first, [name for name in swarm.names if name not in first]]
    links.cut(*halves)
    say(f"{' and '.join(halves[0])} are cut off from {' and '.join(halves[1])}")
    swarm.left_view(swarm.names, view)
    swarm.stands_still(halves)
    say(f"neither half commits anything: height {swarm.top()}, requests wait")
    links.heal()
    say(f"the links are whole again, and all four go on: height {swarm.goes_on(swarm.names)}")


def _cut_leader_off(swarm: Swarm, links: Links, say: Say) -> None:
    leader, view = swarm.leader()
    others = [name for name in swarm.names if name != leader]
    links.cut(others)
    say(f"{leader}, which leads view {view}, is cut off from the others")
    swarm.left_view(swarm.names, view)
    swarm.stands_still([[leader]])
    say(f"{leader} commits nothing by itself: height {swarm.top([leader])}")
    say(f"the other three go on without it: height {swarm.goes_on(others)}")
    links.heal()
    say(f"the links are whole again, and all four go on: height {swarm.goes_on(swarm.names)}")


def _lose_disk(swarm: Swarm, fleet: Fleet, say: Say) -> str:
    leader, _ = swarm.leader()
    name = next(name for name in swarm.names if name != leader)
    swarm.kill(name)
    folder = fleet.folder / fleet.drone(name).folder
    for path in [path for path in folder.iterdir() if path.name not in (KEY, CHANNEL)]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    say(f"{name} is killed, and all on its disk is lost but its keys")
    swarm.restart(name)
    goal = swarm.top()
    mute = f"{name} has {goal} blocks again, and only follows"
    swarm.until(
        mute, lambda: swarm.top([name]) >= goal and swarm.each("standing", [name]) == ["mute"]
    )
    say(f"{name} has the ledger again, and follows: it can't know what it signed before")
    return name


def _enrol_again(swarm: Swarm, fleet: Fleet, wiped: str, say: Say) -> None:
    directory = fleet.folder / fleet.file.roster
    expires = (utc_now() + timedelta(days=ROSTER_DAYS)).replace(microsecond=0)
    drafts.change(directory, lambda _, members: members, expires=expires)
    signed = drafts.sign(directory, open_signer(f"file:{fleet.folder / OPERATOR / KEY}"))
    version = signed.roster.version
    say(f"the operator signs roster version {version}, with the same members; the drones find it")
    swarm.until(
        f"all four are in epoch {version}",
        lambda: swarm.each("epoch", swarm.names) == [version] * len(swarm.names),
    )
    swarm.until(
        f"{wiped} takes part", lambda: set(swarm.each("standing", swarm.names)) == {"member"}
    )
    say(f"{wiped} takes part again, and all four go on: height {swarm.goes_on(swarm.names)}")
