# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""In-flight behaviour: take places around the target, hold, and act on what was decided.

Pure: odometry and orders go in with the time, one velocity command comes out. It owns no clock,
no topic and no random source, so that the same code flies in simulated time, in Gazebo and aboard.
"""

from swarm_ledger.behaviour.limits import Limits
from swarm_ledger.behaviour.phases import Order, Phase, order_for
from swarm_ledger.behaviour.pilot import Command, Pilot, Place

__all__ = ["Command", "Limits", "Order", "Phase", "Pilot", "Place", "order_for"]
