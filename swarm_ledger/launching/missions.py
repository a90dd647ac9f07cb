# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Simulated missions from launch arguments: laid out, and the processes of their drones."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from launch import LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, LogInfo, RegisterEventHandler
from launch.event_handlers import OnShutdown

from swarm_ledger.errors import Misuse
from swarm_ledger.launching.arguments import Given, argument, flag
from swarm_ledger.launching.processes import Values, bag, process
from swarm_ledger.runtime.fleet import FLEET, LEDGER, Fleet
from swarm_ledger.sim.byzantine import ATTACKS
from swarm_ledger.sim.mission import KEY, KEY_STORES, OPERATOR, Mission, prepare, utc_now
from swarm_ledger.sim.rack import open_rack

CARRIERS = ("ros", "zmq")
"""What carries what drones say to each other."""

BAG = "bag"

_DURATION_MS = 30_000
"""Of the question: many processes on few cores need a while, and who is done earlier decides."""


def mission_arguments(
    targets: Sequence[str], *, behaviour: bool = False
) -> list[DeclareLaunchArgument]:
    """Return the arguments that say which mission to fly."""
    return [
        argument("drones", "How many drones fly; 4-100.", "4"),
        argument("byzantine", "How many of them lie.", "1"),
        argument("target", "What stands at the centre.", targets[0], targets),
        argument("seed", "Decides the world, the views and who lies.", "0"),
        argument(
            "attack",
            "What liars do besides lying: no more, contradict themselves, say nothing.",
            "lie",
            list(ATTACKS),
        ),
        argument("keys", "Where the drones' root keys live.", KEY_STORES[0], KEY_STORES),
        argument(
            "transport", "What carries what drones say to each other.", CARRIERS[0], CARRIERS
        ),
        flag("behaviour", "Pilots fly the drones, and act on what was decided.", behaviour),
        flag("ground_station", "Start a ground station with the operator's key: /swarm/decide."),
        flag("record", "Record topics to a bag in the run folder."),
        flag("rviz", "Show the swarm in RViz."),
        flag("allow_unsafe", "Accept more liars than PBFT tolerates."),
        argument(
            "run_dir", "Where keys, ledgers and proofs go; if empty, a new folder in runs/.", ""
        ),
    ]


def mission(given: Given, target: str) -> Mission:
    """Return the mission that the launch arguments ask for. Misuse if it can't be flown.

    target: what the fleet file's world has: what liars deny.
    """
    check(given, "transport", CARRIERS)
    seed, named = given.whole("seed"), given.text("run_dir")
    new = f"runs/{datetime.now():%Y%m%d-%H%M%S-%f}-{given.text('target')}-{seed}"
    return Mission(
        run_dir=Path(named or new).expanduser().absolute(),
        drones=given.whole("drones"),
        byzantine=given.whole("byzantine"),
        target=target,
        seed=seed,
        transport=given.text("transport"),
        keys=given.text("keys"),
        attack=given.text("attack"),
        allow_unsafe=given.flag("allow_unsafe"),
        duration_ms=_DURATION_MS,
    )


class Prepared:
    """A mission that is laid out in its folder, its key stores at hand until the launch ends."""

    def __init__(self, flown: Mission, given: Given) -> None:
        self.mission, self._given = flown, given
        self.fleet = flown.run_dir / FLEET
        self._stack = ExitStack()
        try:
            rack = self._stack.enter_context(open_rack(flown))
            prepare(flown, now=utc_now(), rack=rack)
        except BaseException:
            self._stack.close()
            raise
        self._environment = rack.environment

    def begin(self) -> list[LaunchDescriptionEntity]:
        """Return what tells where it is, and gives key stores back in the end."""
        where = LogInfo(msg=f"keys, ledgers and roster are in {self.mission.run_dir}")
        over = RegisterEventHandler(OnShutdown(on_shutdown=self._on_shutdown))
        return [where, over]

    def _on_shutdown(self, *_: object) -> None:
        # swtpm gets no Ctrl-C of its own; drones that still sign then lose nothing on disk
        self._stack.close()

    def drones(self, *, sim_time: bool, **more: str) -> list[LaunchDescriptionEntity]:
        """Return a process for each drone. more: parameters that all of them have."""
        names = self.mission.names()
        return [self._process("drone", name, name, sim_time, **more) for name in names]

    def pilots(self, *, sim_time: bool) -> list[LaunchDescriptionEntity]:
        """Return a process for each drone's pilot, if there are to be pilots."""
        names = self.mission.names() if self._given.flag("behaviour") else []
        return [self._process("pilot", name, f"{name}_pilot", sim_time) for name in names]

    def ground_station(self, *, sim_time: bool) -> LaunchDescriptionEntity:
        """Return a ground station that asks in the name of the mission's operator."""
        folder = self.mission.run_dir
        parameters: Values = {
            "fleet": str(self.fleet),
            "operator": f"file:{folder}/{OPERATOR}/{KEY}",
            "operator_name": OPERATOR,
            "state": str(folder / "ground_station"),
            **clock(sim_time),
        }
        return process("ground_station", parameters, self._given)

    def recorder(self, *, sim_time: bool) -> LaunchDescriptionEntity:
        """Return what records the mission, into its folder."""
        names, folder = self.mission.names(), self.mission.run_dir / BAG
        return bag(folder, names, self.fleet, self._given, sim_time=sim_time)

    def _process(
        self, executable: str, drone: str, shown: str, sim_time: bool, **more: str
    ) -> LaunchDescriptionEntity:
        return process(
            executable,
            {"fleet": str(self.fleet), "drone": drone, **clock(sim_time), **more},
            self._given,
            name=shown,
            namespace=drone,
            environment=self._environment,
        )


def fleet_drones(
    given: Given, *, sim_time: bool, **more: str
) -> tuple[list[str], list[LaunchDescriptionEntity]]:
    """Return the names of a given fleet's drones, and a process for each, with more parameters.

    Misuse where one has a ledger: it would go on with that.
    """
    fleet = Fleet.load(given.path("fleet"))
    names = [entry.name for entry in fleet.file.drones]
    kept = [name for name in names if (fleet.home(name) / LEDGER).exists()]
    if kept:
        raise Misuse(
            f"{kept[0]} has a ledger, which would be written on.",
            remedy="Copy the fleet's folder without the ledgers, and give that one's fleet file.",
        )
    started = [
        process(
            "drone",
            {"fleet": str(fleet.path), "drone": name, **clock(sim_time), **more},
            given,
            name=name,
            namespace=name,
        )
        for name in names
    ]
    return names, started


def clock(sim_time: bool) -> dict[str, bool]:
    """Return the parameter that has a node follow /clock, where it is to."""
    return {"use_sim_time": True} if sim_time else {}


def check(given: Given, name: str, choices: Sequence[str]) -> str:
    """Return an argument that has choices; Misuse for another.

    launch itself checks choices, but on Humble not where another launch file includes ours.
    """
    chosen = given.text(name)
    if chosen not in choices:
        raise Misuse(f"unknown {name} {chosen!r}.", remedy=f"Take {' or '.join(choices)}.")
    return chosen
