# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""pilot: flies one drone by `odom` and `cmd_vel`, as its own ledger's decisions have it.

A process beside the drone's: whoever floods odometry holds up flying, and never voting.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from rclpy.node import Node
from std_msgs.msg import Bool

from swarm_ledger.behaviour import Limits, Pilot
from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.identity.roster import Member
from swarm_ledger.ledger.store import Store
from swarm_ledger.nodes.lifecycle import ManagedNode
from swarm_ledger.nodes.places import place, seconds, twist
from swarm_ledger.nodes.process import run
from swarm_ledger.nodes.publishing import publish
from swarm_ledger.nodes.qos import COMMANDS, SENSOR
from swarm_ledger.nodes.tables.pilot import LIMITS, TABLE
from swarm_ledger.runtime.fleet import LEDGER, Fleet
from swarm_ledger.runtime.orders import Ordered, Orders
from swarm_ledger.sim.events import StdoutEvents

_STEER_S = 0.1
_ORDERS_S = 0.5


class PilotNode(ManagedNode):
    """Publishes `cmd_vel`; hears `odom`, the others' odometry, and `enable`.

    Its orders are the decisions on its drone's ledger that a quorum has cosigned. What anybody
    publishes about decisions moves nothing; odometry is believed, within the limits.
    """

    def __init__(self, **node_arguments: Any) -> None:
        super().__init__("pilot", TABLE, **node_arguments)

    def open(self) -> None:
        """Read the fleet file."""
        given = self.given
        fleet, name = Fleet.load(Path(given.text("fleet"))), given.text("drone")
        self._emit = StdoutEvents(name)
        names = [entry.name for entry in fleet.file.drones]
        self._ledger = fleet.home(name) / LEDGER
        self._member = _member(fleet, name).id
        self._store: Store | None = None
        self._orders: Orders | None = None
        self._others = {i: one for i, one in enumerate(names, start=1) if one != name}
        limits = Limits(**{one: given.number(one) for one in LIMITS})
        target = tuple(given.number(f"target_{axis}") for axis in "xyz")
        self.pilot = Pilot(names.index(name) + 1, limits, (target[0], target[1], target[2]))
        self._told = ""
        self._commands = self.create_publisher(Twist, "cmd_vel", COMMANDS)

    def start(self) -> None:
        """Listen, and steer."""
        self.pilot.enabled = True
        self.create_subscription(Odometry, "odom", self._on_odometry, SENSOR)
        for number, name in self._others.items():
            topic = self.given.text("neighbours").replace("{drone}", name)
            heard = partial(self._on_neighbour, number)
            self.create_subscription(Odometry, topic, heard, SENSOR)
        self.create_subscription(Bool, "enable", self._on_enable, COMMANDS)
        self.create_timer(_STEER_S, self._on_steer)
        self.create_timer(_ORDERS_S, self._on_orders)

    def stop(self) -> None:
        """Stand still, if it ever flew."""
        self.pilot.enabled = False
        self._on_steer()

    def close(self) -> None:
        """Close the ledger."""
        store, self._store, self._orders = self._store, None, None
        if store is not None:
            store.close()

    def _now_s(self) -> float:
        return float(self.get_clock().now().nanoseconds) / 1e9

    def _on_odometry(self, message: Odometry) -> None:
        self.pilot.see(place(message), seconds(message.header.stamp), self._now_s())

    def _on_neighbour(self, number: int, message: Odometry) -> None:
        stamp = seconds(message.header.stamp)
        self.pilot.see_other(number, place(message), stamp, self._now_s())

    def _on_enable(self, message: Bool) -> None:
        self.pilot.enabled = bool(message.data)

    def _on_steer(self) -> None:
        command = self.pilot.steer(self._now_s())
        if command is not None:
            publish(self._commands, twist(command))
        doing = self.pilot.phase.value
        if doing != self._told:
            self._told = doing
            self._emit("flight", {"text": doing})

    def _on_orders(self) -> None:
        try:
            ordered = self._look()
        except (Misuse, NotVerified, PeerFault) as error:
            self.close()  # the drone may not have made it yet, or is bringing it up to date
            self.get_logger().warning(error.explain(), throttle_duration_sec=10.0)
            return
        if ordered is not None and ordered.order is not self.pilot.order:
            self.pilot.order = ordered.order
            self.get_logger().info(f"{ordered.order.value}: {ordered.text}")

    def _look(self) -> Ordered | None:
        """Return the newest order on our ledger; raises where it can't be read now."""
        if self._store is None or self._orders is None:
            self._store = Store.open(self._ledger, read_only=True)
            newest_ms = round(self.given.number("newest_s") * 1000)
            self._orders = Orders(self._store, self._member, newest_ms)
        self._store.refresh()
        return self._orders.look(round(self._now_s() * 1000))


def _member(fleet: Fleet, name: str) -> Member:
    """Return who a drone is, by its listed id or name: a pilot has no business with its key."""
    entry = fleet.drone(name)
    found = fleet.trust.newest.listed(entry.id or entry.name)
    if found is None:
        raise Misuse(
            f"{name} is not in the roster.", remedy="Give its `id` in the fleet file, or enrol it."
        )
    return found


def make() -> Sequence[Node]:
    """Return one drone's pilot."""
    return (PilotNode(),)


def main() -> None:
    """Fly until Ctrl-C."""
    sys.exit(run(make))


if __name__ == "__main__":
    main()
