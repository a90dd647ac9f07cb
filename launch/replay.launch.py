# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A bag drives the nodes: its images and odometry, and its time, instead of a world's.

    ros2 launch swarm_ledger replay.launch.py bag:=runs/.../bag drones:=4

The swarm has new keys and empty ledgers, and decides anew; a fleet of your own must have no ledger
either. `ros2 bag play` plays where it is installed, our own player elsewhere.
"""

from __future__ import annotations

import math
import sys
from contextlib import suppress
from pathlib import Path

from launch import LaunchDescription, LaunchDescriptionEntity
from launch.actions import ExecuteProcess, Shutdown, TimerAction

from swarm_ledger.bags.bag import Bag
from swarm_ledger.bags.messages import COMPRESSED, IMAGE
from swarm_ledger.errors import Misuse
from swarm_ledger.launching import Given, argument, describe, flag, rviz, tell_events
from swarm_ledger.launching.missions import Prepared, fleet_drones, mission, mission_arguments
from swarm_ledger.launching.processes import has, spoken
from swarm_ledger.sim.world import TARGETS

PLAYERS = ("auto", "ros2bag", "swarm_ledger")
PLAYED = ("camera/image", "camera/image/compressed", "odom")
OURS = ("drones", "byzantine", "target", "seed", "attack", "keys", "transport", "rviz", "run_dir")

ARGUMENTS = [
    argument("bag", "Bag to play: a folder, or a file."),
    argument("fleet", "Fleet file of drones without ledgers; if empty, a new swarm flies.", ""),
    argument("rate", "How fast time passes.", "1.0"),
    argument("start_offset", "Seconds of the bag to leave out.", "0.0"),
    flag("loop", "Play it over and over: time jumps back."),
    argument("player", "What plays it; auto: ros2bag where it is installed.", "auto", PLAYERS),
    argument("delay", "Seconds that the nodes have to start before it plays.", "5.0"),
    *(one for one in mission_arguments(TARGETS) if one.name in OURS),
    flag("allow_unsafe", "Accept more liars than PBFT tolerates."),
]


def paced(given: Given) -> list[str]:
    """Return the options that say how to play; Misuse for what can't be."""
    rate, offset = given.number("rate"), given.number("start_offset")
    if not (0 < rate < math.inf and 0 <= offset < math.inf):
        raise Misuse(f"a bag can't be played at rate {rate:g} from {offset:g} s on.")
    looped = ["--loop"] if given.flag("loop") else []
    return ["--rate", f"{rate:g}", "--start-offset", f"{offset:g}", *looped]


def looks(bag: Path) -> dict[str, str]:
    """Return what drones are to be told so that they see the images as they are in the bag.

    Our recorder keeps them packed. What cannot be read here is left to the player.
    """
    with suppress(Misuse):
        for one in Bag(bag).messages():
            if one.channel.type_name in (IMAGE, COMPRESSED):
                packed = one.channel.type_name == COMPRESSED
                return {"image_transport": "compressed"} if packed else {}
    return {}


def player(given: Given, names: list[str], how: list[str]) -> ExecuteProcess:
    """Return what plays the topics that drones look at, and the clock; its end is the launch's."""
    bag, chosen = str(given.path("bag")), given.text("player")
    if chosen == "ros2bag" or (chosen == "auto" and has("ros2bag")):
        topics = [f"/{name}/{topic}" for name in names for topic in PLAYED]
        command = ["ros2", "bag", "play", bag, "--clock", *how, "--topics", *topics]
    else:
        command = [sys.executable, "-m", "swarm_ledger", "replay", bag, "--publish", "--clock"]
        command += how
        # What was said then goes elsewhere, or it were heard as if it were said now.
        for topic in spoken(names):
            command += ["--remap", f"{topic}:=/recorded{topic}"]
    return ExecuteProcess(cmd=command, name="player", on_exit=Shutdown())


def play(given: Given) -> list[LaunchDescriptionEntity]:
    """Start the nodes, and then the player."""
    shown = [rviz(given, sim_time=True)] if given.flag("rviz") else []
    seen = looks(given.path("bag"))
    how, delay = paced(given), given.number("delay")  # before anything is laid out
    if given.text("fleet"):
        names, nodes = fleet_drones(given, sim_time=True, **seen)
    else:
        prepared = Prepared(mission(given, given.text("target")), given)
        names = prepared.mission.names()
        nodes = [*prepared.begin(), *prepared.drones(sim_time=True, **seen)]
    late = TimerAction(period=delay, actions=[player(given, names, how)])
    return [tell_events(), *nodes, *shown, late]


def generate_launch_description() -> LaunchDescription:
    return describe(ARGUMENTS, play)
